//! A confined process: how it ends, and how it is ended.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::descendants::Descendants;
use super::error::SandboxError;
use super::spawner::Spawner;

/// How long an end by SIGKILL may take: only a process inside a system call that cannot be
/// interrupted needs longer.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It ended itself with this status.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Exited(status) => write!(f, "exited with status {status}"),
            ProcessEnd::Signalled(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

/// A confined process with everything that it starts. Dropping it ends them.
#[derive(Debug)]
pub struct Confined {
    /// Stays a zombie until `kill` has found its descendants: so nobody else gets its number.
    child: Child,
    pidfd: OwnedFd,
    end: Option<ProcessEnd>,
    family: Family,
    gone: bool,
    /// The thread that started it: the process ends with that thread.
    _spawner: Spawner,
}

/// Where a process's descendants are found.
#[derive(Debug)]
pub(super) enum Family {
    /// In a process namespace of their own: they end with its first process. (None, if it ended
    /// before there was one.)
    Namespace(Option<OwnedFd>),
    /// Among all of the host's processes.
    Host(Descendants),
}

impl Confined {
    pub(super) fn new(
        mut child: Child,
        spawner: Spawner,
        family: impl FnOnce(Pid, BorrowedFd<'_>) -> Result<Family, SandboxError>,
    ) -> Result<Self, SandboxError> {
        let opened = pid_of(&child).and_then(|pid| {
            let pidfd = open(pid).map_err(SandboxError::Watch)?;
            Ok((family(pid, pidfd.as_fd())?, pidfd))
        });
        match opened {
            Ok((family, pidfd)) => {
                Ok(Self { child, pidfd, end: None, family, gone: false, _spawner: spawner })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The number of the process on the host: under bubblewrap that of `bwrap`.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process with all that it has started, and returns when they are gone. Calling it
    /// again does nothing.
    pub fn kill(&mut self) {
        if self.gone {
            return;
        }
        self.gone = true;
        match &self.family {
            Family::Namespace(first) => {
                if let Some(first) = first {
                    let _ = pidfd_send_signal(first, Signal::KILL);
                    let _ = wait_for_end(first.as_fd(), Some(GRACE));
                    // It tells its parent, which then ends with the right status by itself.
                    let _ = wait_for_end(self.pidfd.as_fd(), Some(Duration::from_secs(1)));
                }
            }
            Family::Host(descendants) => descendants.kill(),
        }
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = self.wait_timeout(GRACE);
        if self.end.is_some() {
            let _ = self.child.wait();
        }
    }

    /// How the process ended, if it has.
    ///
    /// Under bubblewrap an exit status `128 + n` that is a signal's is taken for that signal.
    ///
    /// # Errors
    /// The system's.
    pub fn try_wait(&mut self) -> io::Result<Option<ProcessEnd>> {
        if self.end.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let status = retry(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), options))?;
            self.end = status.and_then(|status| match status.exit_status() {
                Some(code) => Some(self.family.end(code)),
                None => status.terminating_signal().map(ProcessEnd::Signalled),
            });
        }
        Ok(self.end)
    }

    /// How the process ended; waits no longer than the time given.
    ///
    /// # Errors
    /// The system's.
    pub fn wait_timeout(&mut self, most: Duration) -> io::Result<Option<ProcessEnd>> {
        if self.end.is_none() {
            wait_for_end(self.pidfd.as_fd(), Some(most))?;
        }
        self.try_wait()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Family {
    /// The end of the confined program, whose exit status this is, or that of its keeper.
    fn end(&self, status: i32) -> ProcessEnd {
        match self {
            Family::Namespace(_) if (129..=192).contains(&status) => {
                ProcessEnd::Signalled(status - 128)
            }
            _ => ProcessEnd::Exited(status),
        }
    }
}

fn pid_of(child: &Child) -> Result<Pid, SandboxError> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| SandboxError::Watch(Errno::SRCH.into()))
}

/// A descriptor that stands for the process, and never for another with the same number.
pub(super) fn open(pid: Pid) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits until the process has ended (`true`), or until the time given is over (`false`).
pub(super) fn wait_for_end(pidfd: BorrowedFd<'_>, most: Option<Duration>) -> io::Result<bool> {
    let deadline = most.and_then(|most| Instant::now().checked_add(most));
    retry(|| {
        let left = deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .and_then(|left| Timespec::try_from(left).ok());
        let mut watched = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        poll(&mut watched, left.as_ref())
    })
    .map(|ended| ended > 0)
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
