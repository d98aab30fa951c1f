#![doc = include_str!("../../../docs/SANDBOX.md")]

mod bubblewrap;
mod descendants;
mod error;
mod identity;
mod interpreter;
mod landlock;
mod limits;
mod process;
mod seccomp;
mod spawner;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde_json::{Value, json};

use bubblewrap::Bubblewrap;
use descendants::{Descendants, MARK, threads_of_this_user};
use identity::Identity;
use landlock::Landlock;
use process::Family;
use spawner::Spawner;

pub use error::SandboxError;
pub use interpreter::{Interpreter, interpreter_paths};
pub use limits::Limits;
pub use process::{Confined, ProcessEnd};

/// Where `Launch::files` is seen under bubblewrap.
const FILES: &str = "/files";

/// Files below `/etc` that programs and libraries need, and that tell nothing of the host.
const ETC: &[&str] = &[
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/ssl/openssl.cnf",
];
/// How many cores there are, for libraries that ask.
const CORES: &str = "/sys/devices/system/cpu";

/// The Python module that a confined program imports and calls first of all, as
/// `confine.confine(config)` with what [`Sandbox::bootstrap`] gives: it sets the limits and gives
/// up what the program must not keep. It needs Python 3.9 or newer, and its standard library.
pub const CONFINE_PY: &str = include_str!("confine.py");

/// How a process of uploaded code is kept from everything that it is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxKind {
    /// Namespaces and a file system of its own, made by `bwrap`.
    Bubblewrap,
    /// Rules of the kernel (Landlock and a filter of system calls) for the host's file system.
    Landlock,
    /// Not at all: only the limits hold.
    None,
}

impl fmt::Display for SandboxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SandboxKind::Bubblewrap => "bubblewrap",
            SandboxKind::Landlock => "landlock",
            SandboxKind::None => "none",
        })
    }
}

/// A process to be started.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Absolute path of the program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [OsString],
    /// Its whole environment: nothing is inherited.
    pub environment: &'a [(OsString, OsString)],
    /// Files and folders that it may read, seen at their own paths: those of the interpreter, of
    /// the code. `/usr` and what else programs need of the system is there anyway. Under
    /// bubblewrap as root they must be open to all users, as must [`files`](Self::files).
    pub readable: &'a [PathBuf],
    /// A folder that it may read, seen at [`Sandbox::files_path`]. What is put there later is
    /// seen too.
    pub files: &'a Path,
    /// The one folder that it may write, seen at its own path. It is given to the user that the
    /// process runs as, and its working folder at the start.
    pub scratch: &'a Path,
    /// A small number, different for all processes that run at once.
    pub slot: u32,
    /// Its standard input.
    pub stdin: OwnedFd,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

/// Starts confined processes. Cheap to clone.
///
/// ```no_run
/// use std::fs::File;
/// use std::path::Path;
/// use std::time::Duration;
/// use eeg_workflow_core::runtime::sandbox::{Launch, ProcessEnd, Sandbox};
///
/// let sandbox = Sandbox::detect()?;
/// let mut process = sandbox.spawn(Launch {
///     program: Path::new("/usr/bin/sort"),
///     args: &["--output=sorted".into(), sandbox.files_path(Path::new("/data/in")).join("a").into()],
///     environment: &[],
///     readable: &[],
///     files: Path::new("/data/in"),
///     scratch: Path::new("/data/out"),
///     slot: 0,
///     stdin: File::open("/dev/null")?.into(),
///     stdout: File::create("/data/log")?.into(),
///     stderr: File::create("/data/errors")?.into(),
/// })?;
/// let end = process.wait_timeout(Duration::from_secs(60))?;
/// assert_eq!(end, Some(ProcessEnd::Exited(0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sandbox {
    walls: Arc<Walls>,
    identity: Identity,
    spawner: Spawner,
}

#[derive(Debug)]
enum Walls {
    Bubblewrap(Bubblewrap),
    Landlock(Landlock),
    None,
}

impl Sandbox {
    /// The best sandbox that works on this host: bubblewrap, or else Landlock.
    ///
    /// # Errors
    /// Why neither works.
    pub fn detect() -> Result<Sandbox, SandboxError> {
        Sandbox::new(SandboxKind::Bubblewrap).or_else(|bubblewrap| {
            Sandbox::new(SandboxKind::Landlock).map_err(|landlock| SandboxError::Unavailable {
                bubblewrap: Box::new(bubblewrap),
                landlock: Box::new(landlock),
            })
        })
    }

    /// This kind of sandbox, tried out. [`SandboxKind::None`] works always.
    ///
    /// # Errors
    /// Why it does not work here.
    pub fn new(kind: SandboxKind) -> Result<Sandbox, SandboxError> {
        let (walls, identity) = match kind {
            SandboxKind::Bubblewrap => {
                let identity = Identity::detect();
                (Walls::Bubblewrap(Bubblewrap::detect(identity)?), identity)
            }
            SandboxKind::Landlock => {
                let identity = Identity::detect_on_host();
                (Walls::Landlock(Landlock::detect(identity)?), identity)
            }
            SandboxKind::None => (Walls::None, Identity::Own),
        };
        Ok(Sandbox { walls: Arc::new(walls), identity, spawner: Spawner::default() })
    }

    /// Which kind it is.
    pub fn kind(&self) -> SandboxKind {
        match *self.walls {
            Walls::Bubblewrap(_) => SandboxKind::Bubblewrap,
            Walls::Landlock(_) => SandboxKind::Landlock,
            Walls::None => SandboxKind::None,
        }
    }

    /// Whether confined processes run as users of their own, who can read only what everybody
    /// can.
    pub fn changes_user(&self) -> bool {
        self.identity != Identity::Own
    }

    /// Folders that a confined process can write beside its scratch folder, and that nobody else
    /// sees: they last as long as it does.
    pub fn own_folders(&self) -> &'static [&'static str] {
        match *self.walls {
            Walls::Bubblewrap(_) => &["/tmp", "/dev/shm"],
            Walls::Landlock(_) | Walls::None => &[],
        }
    }

    /// Where a confined process sees the folder `files` of its launch: at one place for all
    /// under bubblewrap, else where it is.
    pub fn files_path<'a>(&self, files: &'a Path) -> &'a Path {
        match *self.walls {
            Walls::Bubblewrap(_) => Path::new(FILES),
            Walls::Landlock(_) | Walls::None => files,
        }
    }

    /// What the confined program hands to [`confine`](CONFINE_PY) before it does anything else.
    pub fn bootstrap(&self, limits: &Limits, slot: u32) -> Value {
        let user = self.identity.id(slot);
        let (filters, others, capabilities) = match &*self.walls {
            Walls::Bubblewrap(bubblewrap) => (bubblewrap.filters(), 0, Some(0)),
            Walls::Landlock(_) if user.is_some() => (&[][..], 0, Some(identity::READ_ALL)),
            Walls::Landlock(_) => (&[][..], threads_of_this_user(), Some(0)),
            Walls::None => (&[][..], threads_of_this_user(), None),
        };
        json!({
            "limits": limits.to_json(others),
            "user": user,
            "capabilities": capabilities,
            "filters": filters,
            "reaper": self.kind() != SandboxKind::Bubblewrap,
        })
    }

    /// Starts a process.
    ///
    /// # Errors
    /// A path that is missing or not absolute, or what the system says.
    pub fn spawn(&self, launch: Launch<'_>) -> Result<Confined, SandboxError> {
        for path in [launch.files, launch.scratch] {
            real_path(path)?;
        }
        if matches!(*self.walls, Walls::Bubblewrap(_)) && self.identity != Identity::Own {
            for path in launch.readable.iter().map(PathBuf::as_path).chain([launch.files]) {
                open_to_others(path)?;
            }
        }
        self.identity.own(launch.scratch, launch.slot)?;
        let mark = mark();
        let slot = launch.slot;
        let child = self.start(launch, &mark)?;
        let confined = Confined::new(child, self.spawner.clone(), |pid, pidfd| {
            Ok(match *self.walls {
                Walls::Bubblewrap(_) => Bubblewrap::family(pid, pidfd)?,
                _ => Family::Host(Descendants::of(pid, &mark, self.identity.id(slot))),
            })
        })?;
        // When memory runs out, the kernel ends it and not this process. It may not be allowed.
        let _ = fs::write(format!("/proc/{}/oom_score_adj", confined.id()), "1000");
        Ok(confined)
    }

    fn start(&self, launch: Launch<'_>, mark: &str) -> Result<Child, SandboxError> {
        let (mut command, rules) = match &*self.walls {
            Walls::Bubblewrap(bubblewrap) => (bubblewrap.command(&launch)?, None),
            Walls::Landlock(landlock) => {
                (plain_command(&launch, mark), Some((landlock, landlock::rules_for(&launch)?)))
            }
            Walls::None => (plain_command(&launch, mark), None),
        };
        command.stdin(launch.stdin).stdout(launch.stdout).stderr(launch.stderr);
        if let Some((landlock, rules)) = rules {
            return landlock.start(command, rules);
        }
        self.spawner
            .spawn(command)
            .map_err(|source| SandboxError::Start { program: launch.program.to_owned(), source })
    }
}

/// A program that sees the host as it is.
fn plain_command(launch: &Launch<'_>, mark: &str) -> Command {
    let mut command = Command::new(launch.program);
    command.args(launch.args).current_dir(launch.scratch).env_clear();
    command.envs(launch.environment.iter().map(|(name, value)| (name, value))).env(MARK, mark);
    command
}

/// Different for every process that this host starts.
fn mark() -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{number}-{}", std::process::id(), now.as_nanos())
}

/// The path without links, if it may be shown.
fn real_path(path: &Path) -> Result<PathBuf, SandboxError> {
    let refused = |problem| SandboxError::Path { path: path.to_owned(), problem };
    if !path.is_absolute() {
        return Err(refused("it is not absolute"));
    }
    let real = path
        .canonicalize()
        .map_err(|source| SandboxError::Prepare { path: path.to_owned(), source })?;
    if real.parent().is_none() {
        return Err(refused("it is the root of the file system"));
    }
    Ok(real)
}

/// A process that runs as a user of its own reads what all may read.
fn open_to_others(path: &Path) -> Result<(), SandboxError> {
    let data = fs::metadata(path)
        .map_err(|source| SandboxError::Prepare { path: path.to_owned(), source })?;
    let needed = if data.is_dir() { 0o005 } else { 0o004 };
    if data.mode() & needed == needed {
        return Ok(());
    }
    Err(SandboxError::Path { path: path.to_owned(), problem: "its mode closes it to other users" })
}
