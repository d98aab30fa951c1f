//! Confinement by bubblewrap: namespaces, and a file system made of what is given.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;

use super::descendants::children;
use super::error::SandboxError;
use super::identity::Identity;
use super::process::{Family, open, wait_for_end};
use super::seccomp::{Walls, filters, to_hex};
use super::{CORES, ETC, FILES, Launch, real_path};
use crate::deadline::Deadline;

/// Where `bwrap` is looked for.
const PROGRAMS: &[&str] =
    &["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap", "/run/current-system/sw/bin/bwrap"];
/// Comes last: nothing more can be made in the folders that only hold others.
const CLOSED: [&str; 4] = ["--remount-ro", "/dev", "--remount-ro", "/"];
const TMP_BYTES: &str = "268435456";
const SHM_BYTES: &str = "67108864";

/// A `bwrap` that works.
#[derive(Debug)]
pub(super) struct Bubblewrap {
    program: PathBuf,
    identity: Identity,
    has_size: bool,
    has_disable_userns: bool,
    /// For the confined program to set: `bwrap` itself needs what they refuse.
    filters: Vec<String>,
    /// The system's folders, which are the same for all.
    system: Vec<OsString>,
}

impl Bubblewrap {
    /// Finds `bwrap` and tries it out.
    pub(super) fn detect(identity: Identity) -> Result<Self, SandboxError> {
        let program = PROGRAMS
            .iter()
            .map(PathBuf::from)
            .find(|program| program.is_file())
            .ok_or(SandboxError::NotInstalled { looked_for: PROGRAMS })?;
        let help = output(Command::new(&program).arg("--help"))?;
        let mut this = Self {
            program,
            identity,
            has_size: help.contains("--size "),
            has_disable_userns: identity == Identity::Own && help.contains("--disable-userns"),
            filters: filters(Walls::Namespaces)?.iter().map(to_hex).collect(),
            system: system_folders(),
        };
        let tried = this.try_out();
        if tried.is_err() && this.has_disable_userns {
            // Inside of a container that has closed /proc/sys.
            this.has_disable_userns = false;
            if this.try_out().is_ok() {
                return Ok(this);
            }
        }
        tried.map(|()| this)
    }

    /// The filters of system calls that the program sets itself.
    pub(super) fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Runs `true` as a confined program.
    fn try_out(&self) -> Result<(), SandboxError> {
        let mut command = Command::new(&self.program);
        command.args(self.walls()).args(CLOSED).args(["--chdir", "/", "--", "/bin/sh", "-c", ":"]);
        output(&mut command).map(|_| ())
    }

    /// Namespaces, system folders, and what is empty: all but what a launch brings.
    fn walls(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = [
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--hostname",
            "sandbox",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
            "--cap-drop",
            "ALL",
        ]
        .map(OsString::from)
        .into();
        match self.identity {
            // The confined program changes its user first of all, which ends these too.
            Identity::Slot { .. } => {
                args.extend(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"].map(Into::into));
            }
            Identity::Own => args.push("--unshare-user".into()),
        }
        if self.has_disable_userns {
            args.push("--disable-userns".into());
        }
        args.extend(["--proc", "/proc", "--dev", "/dev"].map(Into::into));
        args.extend(self.empty_folder("/dev/shm", SHM_BYTES));
        args.extend(self.empty_folder("/tmp", TMP_BYTES));
        args.extend(self.system.iter().cloned());
        args
    }

    /// A writable folder in memory.
    fn empty_folder(&self, path: &str, bytes: &str) -> Vec<OsString> {
        let mut args = vec!["--perms", "1777"];
        if self.has_size {
            args.extend(["--size", bytes]);
        }
        args.extend(["--tmpfs", path]);
        args.into_iter().map(OsString::from).collect()
    }

    /// The command that runs a program confined.
    pub(super) fn command(&self, launch: &Launch<'_>) -> Result<Command, SandboxError> {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir("/").args(self.walls());
        // A signal of the terminal, which is for the host, does not end it; what is confined has
        // a session of its own.
        command.process_group(0);
        let readable = shown(launch.readable)?;
        let shown: Vec<&Path> =
            readable.iter().map(PathBuf::as_path).chain([launch.scratch]).collect();
        command.args(folders_above(&shown));
        for path in readable {
            command.arg("--ro-bind").args([&path, &path]);
        }
        command.arg("--ro-bind").args([launch.files, Path::new(FILES)]);
        command.arg("--bind").args([launch.scratch, launch.scratch]);
        command.args(CLOSED).arg("--chdir").arg(launch.scratch);
        for (name, value) in launch.environment {
            command.arg("--setenv").args([name, value]);
        }
        command.arg("--").arg(launch.program).args(launch.args);
        Ok(command)
    }

    /// The first process of the namespace that a started `bwrap` makes: all of it ends with it.
    pub(super) fn family(bwrap: Pid, pidfd: BorrowedFd<'_>) -> Result<Family, SandboxError> {
        let deadline = Deadline::after(Duration::from_secs(30));
        loop {
            if let Some(&first) = children(bwrap).first()
                && let Ok(first) = open(first)
            {
                return Ok(Family::Namespace(Some(first)));
            }
            let ended = wait_for_end(pidfd, Some(Duration::from_micros(200)));
            if ended.map_err(SandboxError::Watch)? {
                return Ok(Family::Namespace(None));
            }
            if deadline.has_passed() {
                let message = "it made no namespace within 30 s".to_owned();
                return Err(SandboxError::Bubblewrap { message });
            }
        }
    }
}

/// Options that show `/usr` and what else a program needs of the system, as it is on the host.
fn system_folders() -> Vec<OsString> {
    let mut args: Vec<OsString> = ["--ro-bind", "/usr", "/usr"].map(Into::into).into();
    for folder in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        match fs::read_link(folder) {
            Ok(target) => args.extend(["--symlink".into(), target.into(), folder.into()]),
            Err(_) => args.extend(["--ro-bind-try", folder, folder].map(Into::into)),
        }
    }
    let files: Vec<&Path> = ETC.iter().chain([&CORES]).map(Path::new).collect();
    args.extend(folders_above(&files));
    for path in ETC.iter().chain([&CORES]) {
        args.extend(["--ro-bind-try", path, path].map(Into::into));
    }
    args
}

/// Makes the folders that hold these: `bwrap` would close them to the user of a slot.
fn folders_above(paths: &[&Path]) -> Vec<OsString> {
    let folders: BTreeSet<&Path> = paths.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let below_root = folders.into_iter().filter(|folder| folder.parent().is_some());
    below_root
        .flat_map(|folder| ["--perms".into(), "0755".into(), "--dir".into(), folder.into()])
        .collect()
}

/// The paths to show, each with the place that it stands for when it leads through a link;
/// without those that are shown anyway.
fn shown(readable: &[PathBuf]) -> Result<Vec<PathBuf>, SandboxError> {
    let mut paths = Vec::new();
    for path in readable {
        let real = real_path(path)?;
        paths.extend([path.clone(), real]);
    }
    paths.sort();
    paths.dedup();
    let mut shown: Vec<PathBuf> = Vec::new();
    for path in paths {
        let is_shown =
            ["/usr", "/bin", "/sbin", "/lib", "/lib64"].iter().any(|f| path.starts_with(f))
                || shown.iter().any(|folder| path.starts_with(folder));
        if !is_shown {
            shown.push(path);
        }
    }
    Ok(shown)
}

/// What a command prints, or why it failed.
fn output(command: &mut Command) -> Result<String, SandboxError> {
    let failed = |message: String| SandboxError::Bubblewrap { message };
    command.env_clear().current_dir("/").stdin(Stdio::null());
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr);
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}
