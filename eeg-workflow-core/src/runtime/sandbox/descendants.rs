//! All that a process has started, found among the host's processes and ended.
//!
//! Used where there is no process namespace that would do it. What counts as started by it: what
//! descends from it (it is the reaper of its orphans), what is in its session or group, what has
//! the mark that it was given in its environment, and, where it runs as a user of its own, all
//! of that user.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::process::{GRACE, open};
use crate::deadline::Deadline;

/// Name of the variable that marks a confined process and what it starts.
pub(super) const MARK: &str = "EEG_WORKFLOW_SANDBOX";

/// How a process's descendants are told from others.
#[derive(Debug)]
pub(super) struct Descendants {
    root: i32,
    /// When it started, in ticks since the host's: its descendants started later.
    started: u64,
    mark: Vec<u8>,
    user: Option<u32>,
}

/// What `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug)]
struct Stat {
    id: i32,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    threads: u64,
    started: u64,
}

impl Stat {
    /// A zombie with threads lives on: only its first thread has ended.
    fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

impl Descendants {
    /// Those of the process `root`, which runs with `MARK=mark`, and as `user` if it is a user
    /// of its own.
    pub(super) fn of(root: Pid, mark: &str, user: Option<u32>) -> Self {
        let root = root.as_raw_nonzero().get();
        Self {
            root,
            started: stat(root).map_or(0, |stat| stat.started),
            mark: format!("{MARK}={mark}").into_bytes(),
            user,
        }
    }

    /// Ends them all and the process itself: first all are stopped, so that none can start
    /// another or hide while the rest is ended; the process itself ends last, as it takes in
    /// orphans.
    pub(super) fn kill(&self) {
        let deadline = Deadline::after(GRACE);
        self.signal_all(Signal::STOP, deadline, |stat| !matches!(stat.state, 'T' | 't' | 'Z'));
        self.signal_all(Signal::KILL, deadline, |stat| stat.id != self.root);
        self.signal_all(Signal::KILL, deadline, |_| true);
    }

    /// Signals all that are meant until there are none: none twice, because one whose parent
    /// ends meanwhile can be missed once.
    fn signal_all(&self, signal: Signal, deadline: Deadline, meant: impl Fn(&Stat) -> bool) {
        let mut none = 0;
        while none < 2 && !deadline.has_passed() {
            let all = processes();
            let family = self.family(&all);
            let left: Vec<&Stat> =
                all.iter().filter(|stat| family.contains(&stat.id) && meant(stat)).collect();
            for stat in &left {
                send(stat, signal);
            }
            none = if left.is_empty() { none + 1 } else { 0 };
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// The numbers of those among `all` that belong to it.
    fn family(&self, all: &[Stat]) -> HashSet<i32> {
        let mut family: HashSet<i32> =
            all.iter().filter(|stat| self.is_marked(stat)).map(|stat| stat.id).collect();
        loop {
            let before = family.len();
            family.extend(
                all.iter().filter(|s| family.contains(&s.parent)).map(|s| s.id).collect::<Vec<_>>(),
            );
            if family.len() == before {
                return family;
            }
        }
    }

    fn is_marked(&self, stat: &Stat) -> bool {
        if stat.id == self.root || stat.session == self.root || stat.group == self.root {
            return true;
        }
        if stat.started < self.started {
            return false;
        }
        self.user.is_some_and(|user| is_of_user(stat.id, user))
            || fs::read(format!("/proc/{}/environ", stat.id))
                .is_ok_and(|all| all.split(|&byte| byte == 0).any(|one| one == self.mark))
    }
}

fn is_of_user(id: i32, user: u32) -> bool {
    fs::metadata(format!("/proc/{id}")).is_ok_and(|folder| folder.uid() == user)
}

/// All processes of the host that still run.
fn processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .filter(Stat::lives)
        .collect()
}

/// The processes whose parent is `parent`.
pub(super) fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero();
    // Not every kernel has the first; the second takes longer.
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let ids: Vec<i32> = match listed {
        Ok(ids) => ids.split_whitespace().filter_map(|id| id.parse().ok()).collect(),
        Err(_) => {
            let all = processes().into_iter();
            all.filter(|stat| stat.parent == parent.get()).map(|stat| stat.id).collect()
        }
    };
    ids.into_iter().filter_map(Pid::from_raw).collect()
}

/// How many threads the user of this process has, all programs together: they count where a
/// confined process runs as the same user. Root has no such limit.
pub(super) fn threads_of_this_user() -> u64 {
    let user = rustix::process::getuid();
    if user.is_root() {
        return 0;
    }
    let all = processes().into_iter().filter(|stat| is_of_user(stat.id, user.as_raw()));
    all.map(|stat| stat.threads).sum()
}

fn stat(id: i32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_whitespace();
    Some(Stat {
        id,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        threads: fields.nth(13)?.parse().ok()?,
        started: fields.nth(1)?.parse().ok()?,
    })
}

/// Signals the process if it is still the one that was seen.
fn send(seen: &Stat, signal: Signal) {
    let Some(pidfd) = Pid::from_raw(seen.id).and_then(|pid| open(pid).ok()) else { return };
    if stat(seen.id).is_some_and(|now| now.started == seen.started) {
        let _ = pidfd_send_signal(&pidfd, signal);
    }
}
