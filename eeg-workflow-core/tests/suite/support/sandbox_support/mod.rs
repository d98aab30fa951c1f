//! A confined Python, and around it what it must not reach.
#![allow(dead_code)]

pub(crate) mod world;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use eeg_workflow_core::runtime::sandbox::{
    CONFINE_PY, Confined, Interpreter, Launch, Limits, ProcessEnd, Sandbox, SandboxError,
    SandboxKind, interpreter_paths,
};
use tempfile::TempDir;

/// Enough for a machine with much else to do.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Confines itself and then runs the code that it is given.
const DRIVER: &str = r#"
import json, sys
config, library, code = sys.argv[1:4]
sys.path.insert(0, library)
import confine
confine.confine(json.loads(config))
import ctypes, os, resource, signal, socket, stat, struct, subprocess, threading, time
exec(compile(code, "code", "exec"))
"#;

/// Says what the tests did on this machine; not kept back as `eprintln` would be.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "sandbox tests: {text}");
}

/// All kinds of sandbox that work on this machine, `None` last.
pub(crate) fn kinds() -> Vec<Sandbox> {
    static NOTED: OnceLock<()> = OnceLock::new();
    let kinds = [SandboxKind::Bubblewrap, SandboxKind::Landlock, SandboxKind::None];
    let tried = kinds.map(|kind| (kind, Sandbox::new(kind)));
    NOTED.get_or_init(|| {
        for (kind, sandbox) in &tried {
            match sandbox {
                Ok(_) => note(&format!("{kind} is tried as {}", whoami())),
                Err(error) => note(&format!("NOT TRIED: {kind} as {}: {error}", whoami())),
            }
        }
    });
    tried.into_iter().filter_map(|(_, sandbox)| sandbox.ok()).collect()
}

/// Those that confine.
pub(crate) fn confining() -> Vec<Sandbox> {
    let mut kinds = kinds();
    kinds.retain(|sandbox| sandbox.kind() != SandboxKind::None);
    assert!(!kinds.is_empty(), "no sandbox works on this machine");
    kinds
}

/// Name of the variable that says as whom a test program was started by another.
pub(crate) const AGAIN: &str = "EEG_SANDBOX_AGAIN";
/// Name of the variable that says where the folders of tests are made.
pub(crate) const FOLDER: &str = "EEG_SANDBOX_FOLDER";
const PYTHON: &str = "EEG_SANDBOX_PYTHON";

fn whoami() -> String {
    env::var(AGAIN).unwrap_or_else(|_| if is_root() { "root" } else { "a user" }.to_owned())
}

pub(crate) fn is_root() -> bool {
    uid() == 0
}

fn uid() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap())
}

/// The machine's `python3`.
pub(crate) fn python() -> &'static Interpreter {
    static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let program = env::var_os(PYTHON).unwrap_or("python3".into());
        interpreter_paths(Path::new(&program)).expect("python3 is there")
    })
}

/// Runs all tests of the sandbox once more in another way: as an ordinary user, or as root with
/// fewer rights. Only for a program that runs as root.
pub(crate) fn run_again(whom: &str, change: impl FnOnce(&Path) -> Command) {
    if env::var_os(AGAIN).is_some() {
        return;
    }
    if !is_root() {
        return note(&format!("NOT TRIED as {whom}: this is not root"));
    }
    // The folders above the program may be closed to others.
    let folder = tempfile::Builder::new().prefix("eeg-sandbox-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return note(&format!("NOT TRIED as {whom}: there is no {}", python.display()));
    }
    let mut command = change(&program);
    command
        .arg("sandbox")
        .env(AGAIN, whom)
        .env(PYTHON, python)
        .env("HOME", "/")
        .env("TMPDIR", "/tmp");
    let Output { status, stdout, stderr } = command.current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    for line in said.lines().filter(|line| line.starts_with("sandbox tests:")) {
        note(line.trim_start_matches("sandbox tests:").trim());
    }
    assert!(status.success(), "as {whom}: {}\n{said}", String::from_utf8_lossy(&stdout));
}

/// The tests once more as `nobody`, and as root with the rights that containers leave.
pub(crate) fn run_again_as_others() {
    run_again("nobody", |program| {
        let mut command = Command::new(program);
        command.uid(65_534).gid(65_534);
        command
    });
    run_again("root of a container", |program| {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--bounding-set", "-sys_admin,-dac_read_search,-sys_ptrace"]).arg(program);
        command
    });
}

pub(crate) struct Playground {
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: Limits,
    pub(crate) slot: u32,
    pub(crate) folder: TempDir,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) process: Confined,
    output: PathBuf,
}

impl Running {
    /// All that it has printed.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned()
    }

    /// Waits until it has printed this.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LONG;
        while !self.output().contains(text) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before {text:?}: {}", self.output());
            assert!(Instant::now() < deadline, "no {text:?}: {}", self.output());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ProcessEnd {
        let ended = self.process.wait_timeout(LONG).unwrap();
        ended.unwrap_or_else(|| panic!("it does not end: {}", self.output()))
    }
}

impl Playground {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        // Other tests run at the same time.
        static SLOTS: AtomicU32 = AtomicU32::new(0);
        let slot = SLOTS.fetch_add(1, Ordering::Relaxed);
        // Not below /tmp, where there is another one in a sandbox.
        let parent = env::var_os(FOLDER).unwrap_or("/var/tmp".into());
        let folder = tempfile::tempdir_in(parent).unwrap();
        for name in ["code", "files", "scratch"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("code/driver.py"), DRIVER).unwrap();
        fs::write(folder.path().join("code/confine.py"), CONFINE_PY).unwrap();
        Self { sandbox: sandbox.clone(), limits: Limits::default(), slot, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the program sees a file of the folder `files`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.sandbox.files_path(&self.path("files")).join(name)
    }

    pub(crate) fn start(&self, code: &str) -> Running {
        self.start_with(code, nothing())
    }

    pub(crate) fn start_with(&self, code: &str, stdin: OwnedFd) -> Running {
        self.try_start(code, stdin).unwrap()
    }

    pub(crate) fn try_start(&self, code: &str, stdin: OwnedFd) -> Result<Running, SandboxError> {
        let output = self.path("output");
        let stdout = File::create(&output).unwrap();
        let stderr = stdout.try_clone().unwrap();
        let config = self.sandbox.bootstrap(&self.limits, self.slot).to_string();
        let args: Vec<OsString> = vec![
            "-ISB".into(),
            self.path("code/driver.py").into(),
            config.into(),
            self.path("code").into(),
            code.into(),
        ];
        let scratch = self.path("scratch");
        let environment = [("HOME", scratch.as_os_str()), ("TMPDIR", scratch.as_os_str())]
            .map(|(name, value)| (name.into(), value.to_owned()));
        let mut readable = python().readable.clone();
        readable.push(self.path("code"));
        let process = self.sandbox.spawn(Launch {
            program: &python().program,
            args: &args,
            environment: &environment,
            readable: &readable,
            files: &self.path("files"),
            scratch: &scratch,
            slot: self.slot,
            stdin,
            stdout: stdout.into(),
            stderr: stderr.into(),
        })?;
        Ok(Running { process, output })
    }

    /// Runs the code to its end; what it printed.
    pub(crate) fn run(&self, code: &str) -> String {
        let mut running = self.start(code);
        running.end();
        running.output()
    }
}

pub(crate) fn nothing() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// The processes of the host that have this in their command line.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if id != std::process::id() && String::from_utf8_lossy(&line).contains(text) {
            found.push(id);
        }
    }
    found
}
