//! Modules in Python: the runtime that the library is given, made when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::module::{Archive, Module, ModuleRuntime, RuntimeError};
use eeg_workflow_core::runtime::python::{PythonError, PythonOptions as Settings, PythonRuntime};
use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxError, SandboxKind};
use serde_json::Value;

use crate::cli::{PythonOptions, SandboxChoice};
use crate::text::{one_line, with_causes};

/// A runtime for Python modules that costs nothing until there is one to run: neither a sandbox
/// is tried out before nor an interpreter started.
pub(crate) struct Python {
    settings: Settings,
    sandbox: Option<SandboxChoice>,
    allow_unsandboxed: bool,
    made: OnceLock<Result<PythonRuntime, Unusable>>,
}

/// Why no Python module can be run. Found out once.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Code would not be confined, and the operator has not allowed that.
    #[error(
        "{0}; Python modules are run without one only if the program is started with \
         --allow-unsandboxed-python"
    )]
    Unconfined(String),
    /// The runtime's folder cannot be used.
    #[error(transparent)]
    Runtime(Arc<PythonError>),
}

/// How many interpreters there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Workers {
    pub(crate) all: usize,
    pub(crate) busy: usize,
}

impl Python {
    /// With everything in this folder, which is made when it is needed.
    pub(crate) fn new(options: &PythonOptions, folder: PathBuf) -> Self {
        let mut settings = Settings::new(on_path(&options.interpreter), folder);
        if let Some(workers) = options.workers {
            settings.max_workers = workers.into();
        }
        if let Some(memory) = options.memory {
            settings.limits.address_space = memory.0;
        }
        if let Some(processes) = options.processes {
            settings.limits.processes = processes.into();
        }
        Self {
            settings,
            sandbox: options.sandbox,
            allow_unsandboxed: options.allow_unsandboxed,
            made: OnceLock::new(),
        }
    }

    /// With these times for importing modules and for keeping an interpreter that nobody needs.
    pub(crate) fn with_times(mut self, import: Duration, idle: Duration) -> Self {
        self.settings.start_timeout = import;
        self.settings.idle_timeout = idle;
        self
    }

    /// What a library is given, where there is a runtime.
    #[expect(clippy::unnecessary_wraps, reason = "there is none on other systems")]
    pub(crate) fn for_library(self: &Arc<Self>) -> Option<Arc<dyn ModuleRuntime>> {
        Some(Arc::clone(self) as Arc<dyn ModuleRuntime>)
    }

    /// Finds out how code can be confined, and logs it, if that was not done before.
    pub(crate) fn prepare(&self) {
        // Whoever needs it is told what is wrong.
        let _ = self.runtime();
    }

    fn runtime(&self) -> Result<&PythonRuntime, Unusable> {
        self.made.get_or_init(|| self.make()).as_ref().map_err(Unusable::clone)
    }

    fn make(&self) -> Result<PythonRuntime, Unusable> {
        let python = self.settings.interpreter.display();
        let found = self.find_sandbox();
        if let Err(error) = &found {
            tracing::warn!(%error, "Python modules are refused");
        }
        let (sandbox, why) = found?;
        match sandbox.kind() {
            SandboxKind::None => {
                tracing::warn!(%python, why, "Python modules run WITHOUT a sandbox");
            }
            kind => tracing::info!(%python, sandbox = %kind, "Python modules run in a sandbox"),
        }
        PythonRuntime::new(self.settings.clone(), sandbox).map_err(|error| {
            tracing::error!(error = with_causes(&error), "Python modules cannot be run");
            Unusable::Runtime(Arc::new(error))
        })
    }

    /// The sandbox, and why it is none if it is none.
    fn find_sandbox(&self) -> Result<(Sandbox, String), Unusable> {
        let found = match self.sandbox {
            None => Sandbox::detect(),
            Some(SandboxChoice::Bubblewrap) => Sandbox::new(SandboxKind::Bubblewrap),
            Some(SandboxChoice::Landlock) => Sandbox::new(SandboxKind::Landlock),
            Some(SandboxChoice::None) if self.allow_unsandboxed => Sandbox::new(SandboxKind::None),
            Some(SandboxChoice::None) => {
                return Err(Unusable::Unconfined("the sandbox is switched off".into()));
            }
        };
        match found {
            Ok(sandbox) => Ok((sandbox, "it is switched off".into())),
            Err(error) if self.allow_unsandboxed => {
                let why = with_causes(&error);
                let none = Sandbox::new(SandboxKind::None).map_err(|error| unconfined(&error))?;
                Ok((none, why))
            }
            Err(error) => Err(unconfined(&error)),
        }
    }

    /// The interpreters, if the runtime was needed at all.
    pub(crate) fn workers(&self) -> Workers {
        let runtime = self.made.get().and_then(|made| made.as_ref().ok());
        let (all, busy) = runtime.map(PythonRuntime::workers).unwrap_or_default();
        Workers { all, busy }
    }
}

fn unconfined(error: &SandboxError) -> Unusable {
    Unusable::Unconfined(with_causes(error))
}

impl ModuleRuntime for Python {
    fn inspect(&self, owner: OwnerId, archive: &Archive) -> Result<Value, RuntimeError> {
        self.runtime()?.inspect(owner, archive)
    }

    fn modules(&self, archive: &Archive, listing: &Value) -> Result<Vec<Module>, RuntimeError> {
        self.runtime()?.modules(archive, listing)
    }

    fn warnings(&self, archive: &Archive) -> Vec<String> {
        // None was made where no archive has had code.
        let runtime = self.made.get().and_then(|made| made.as_ref().ok());
        runtime.map(|runtime| runtime.warnings(archive)).unwrap_or_default()
    }

    fn forget(&self, digest: &str) {
        if let Ok(runtime) = self.runtime() {
            runtime.forget(digest);
        }
    }

    fn keep(&self, digests: &[&str]) {
        // Where nothing was ever unpacked there is nothing to look after.
        if self.settings.folder.is_dir()
            && let Ok(runtime) = self.runtime()
        {
            runtime.keep(digests);
        }
    }
}

/// Installs the packages that modules list, for one interpreter.
pub(crate) struct Packages {
    runtime: PythonRuntime,
    program: PathBuf,
}

/// Why packages cannot be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackagesError {
    /// There is no interpreter that can be used.
    #[error("{0}")]
    Interpreter(String),
    #[error("{0}")]
    Failed(String),
}

impl Packages {
    /// For this interpreter, into this folder.
    pub(crate) fn new(interpreter: &Path, folder: PathBuf) -> Result<Self, PackagesError> {
        // No module is run.
        let sandbox = Sandbox::new(SandboxKind::None).map_err(|error| failed(&error.into()))?;
        let settings = Settings::new(on_path(interpreter), folder);
        let runtime = PythonRuntime::new(settings, sandbox).map_err(|error| failed(&error))?;
        let found = runtime.interpreter();
        let found = found.map_err(|error| PackagesError::Interpreter(with_causes(&error)))?;
        let program = found.program.clone();
        Ok(Self { runtime, program })
    }

    /// The interpreter.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Installs what an archive lists: where it is then, or none if the archive lists nothing.
    pub(crate) fn install(&self, archive: &Archive) -> Result<Option<PathBuf>, PackagesError> {
        self.runtime.install_packages(archive).map_err(|error| failed(&error))
    }
}

fn failed(error: &PythonError) -> PackagesError {
    let text = format!("{}\n{}", with_causes(error), error.details());
    PackagesError::Failed(text.trim_end().to_owned())
}

/// The traceback, or what was printed, of an archive whose code cannot be loaded.
pub(crate) fn details(error: &RuntimeError) -> &str {
    error.downcast_ref().map_or("", PythonError::details)
}

/// Why the code of an archive is not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Code would not be confined, which the operator has not allowed.
    NotAllowed(String),
    /// Something is wrong with the code itself.
    BadCode { error: String, details: String },
    /// There is no interpreter for it at the moment.
    Busy,
    /// No code can be run, for a reason that may be told.
    NoRuntime(String),
    /// The same, for a reason that belongs in the log.
    Broken(String),
}

/// What an error of the runtime means for whoever uploads an archive.
pub(crate) fn refusal(error: &RuntimeError) -> Refusal {
    let text = one_line(&with_causes(error.as_ref()));
    match (error.downcast_ref::<PythonError>(), error.downcast_ref::<Unusable>()) {
        (_, Some(Unusable::Unconfined(_))) => Refusal::NotAllowed(text),
        (_, Some(Unusable::Runtime(error))) => Refusal::Broken(with_causes(error)),
        (Some(PythonError::Busy), None) => Refusal::Busy,
        (None | Some(PythonError::Module { .. } | PythonError::Start { .. }), None) => {
            Refusal::BadCode { error: text, details: details(error).to_owned() }
        }
        (Some(_), None) => Refusal::NoRuntime(text),
    }
}

/// A program's name as the path that the shell finds for it; a path stays as it is, and so does
/// the name of what is not there.
fn on_path(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| is_program(place)).unwrap_or_else(|| program.to_owned())
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
