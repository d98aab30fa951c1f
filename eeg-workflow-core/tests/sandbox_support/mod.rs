//! A place with a confined Python in it, and around it what it must not reach.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use eeg_workflow_core::runtime::sandbox::{
    CONFINE_PY, Confined, Interpreter, Launch, Limits, Sandbox, SandboxKind, interpreter_paths,
};
use tempfile::TempDir;

/// Runs the code that it is given, confined.
const DRIVER: &str = r#"
import json, sys
config, library, code = sys.argv[1:4]
sys.path.insert(0, library)
import confine
confine.confine(json.loads(config))
import ctypes, errno, os, resource, signal, socket, stat, struct, subprocess, threading, time
sys.path.insert(0, os.getcwd())
exec(compile(code, "snippet", "exec"))
"#;

/// All kinds of sandbox that work on this machine.
pub(crate) fn kinds() -> Vec<Sandbox> {
    let kinds = [SandboxKind::Bubblewrap, SandboxKind::Landlock, SandboxKind::None];
    let tried = kinds.map(|kind| (kind, Sandbox::new(kind)));
    let mut works = Vec::new();
    for (kind, sandbox) in tried {
        match sandbox {
            Ok(sandbox) => works.push(sandbox),
            Err(error) => eprintln!("NOT TRIED: {kind}: {error}"),
        }
    }
    works
}

/// The machine's `python3`.
pub(crate) fn python() -> &'static Interpreter {
    static PYTHON: OnceLock<Interpreter> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let program = std::env::var_os("EEG_SANDBOX_PYTHON").unwrap_or("python3".into());
        interpreter_paths(Path::new(&program)).expect("python3 is there")
    })
}

pub(crate) struct Playground {
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: Limits,
    pub(crate) slot: u32,
    pub(crate) folder: TempDir,
}

pub(crate) struct Running {
    pub(crate) process: Confined,
    output: PathBuf,
}

impl Running {
    /// All that it has printed.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned()
    }
}

impl Playground {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["code", "files", "scratch"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("code/driver.py"), DRIVER).unwrap();
        fs::write(folder.path().join("code/confine.py"), CONFINE_PY).unwrap();
        Self { sandbox: sandbox.clone(), limits: Limits::default(), slot: 0, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start(&self, code: &str) -> Running {
        self.start_with(code, File::open("/dev/null").unwrap().into())
    }

    pub(crate) fn start_with(&self, code: &str, stdin: OwnedFd) -> Running {
        let output = self.path("output");
        let stdout = File::create(&output).unwrap();
        let stderr = stdout.try_clone().unwrap();
        let config = self.sandbox.bootstrap(&self.limits, self.slot).to_string();
        let args: Vec<OsString> = ["-I", "-S", "-B"]
            .map(OsString::from)
            .into_iter()
            .chain([self.path("code/driver.py").into()])
            .chain([config.into(), self.path("code").into(), code.into()])
            .collect();
        let scratch = self.path("scratch");
        let environment = [("HOME", scratch.as_os_str()), ("TMPDIR", scratch.as_os_str())]
            .map(|(name, value)| (name.into(), value.to_owned()));
        let mut readable = python().readable.clone();
        readable.push(self.path("code"));
        let process = self
            .sandbox
            .spawn(Launch {
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
            })
            .unwrap();
        Running { process, output }
    }

    /// Runs the code to its end; what it printed.
    pub(crate) fn run(&self, code: &str) -> String {
        let mut running = self.start(code);
        let ended = running.process.wait_timeout(Duration::from_secs(120)).unwrap();
        assert!(ended.is_some(), "it ends: {}", running.output());
        running.output()
    }
}
