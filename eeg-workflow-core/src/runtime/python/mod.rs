//! Modules in Python: their blocks run in interpreters of their own, several at once, in a
//! [sandbox](super::sandbox).
//!
//! [`PythonRuntime`] is given to a [`ModuleLibrary`](crate::module::ModuleLibrary), which then
//! takes archives with Python modules; their blocks are blocks like all others.
#![doc = include_str!("../../../docs/PYTHON.md")]

mod block;
mod code;
mod error;
mod files;
mod memory;
mod pool;
mod python_object;
mod settings;
mod values;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use error::PythonError;

use self::block::PythonBlock;
use self::code::archive::{self, Archives};
use self::code::listing::{self, ListedModule};
use self::code::{Code, packages, support};
use self::pool::Pool;
use self::pool::lease::NoWorker;
use self::settings::Settings;
use self::worker::waiter::Limit;
use super::sandbox::{Interpreter, Limits, Sandbox};
use crate::block::OwnerId;
use crate::module::{Archive, Module, ModuleRuntime, RuntimeError};

/// Settings of a [`PythonRuntime`].
#[derive(Clone, Debug)]
pub struct PythonOptions {
    /// The interpreter: a path, or the name of a program.
    pub interpreter: PathBuf,
    /// Where unpacked archives, packages and the workers' folders are kept.
    pub folder: PathBuf,
    /// What a worker may use of the machine.
    pub limits: Limits,
    /// Workers at once.
    pub max_workers: usize,
    /// A worker must have loaded its modules within this time.
    pub start_timeout: Duration,
    /// How long a worker that nobody needs is kept.
    pub idle_timeout: Duration,
    /// Bytes of one output at most.
    pub max_output: usize,
}

impl PythonOptions {
    /// The usual settings, with everything in this folder.
    pub fn new(interpreter: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            interpreter: interpreter.into(),
            folder: folder.into(),
            limits: Limits::default(),
            max_workers: (2 * cores).max(8),
            start_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(300),
            max_output: 8 << 30,
        }
    }
}

/// Runs Python modules. Starts no interpreter until one is needed.
pub struct PythonRuntime {
    pool: Arc<Pool>,
    archives: Arc<Archives>,
}

impl PythonRuntime {
    /// A runtime that confines its workers in this sandbox. Removes what an earlier runtime has
    /// left in the folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(options: PythonOptions, sandbox: Sandbox) -> Result<Self, PythonError> {
        let folder = options.folder.clone();
        std::fs::create_dir_all(&folder).map_err(PythonError::storage(&folder))?;
        let folder = folder.canonicalize().map_err(PythonError::storage(&folder))?;
        archive::sweep(&folder);
        let support = support::write(&folder)?;
        let archives = Archives::new(&folder);
        Ok(Self { pool: Pool::new(Settings::new(options, folder, support, sandbox)), archives })
    }

    /// The interpreter, asked for its version and its folders when it is needed for the first
    /// time.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn interpreter(&self) -> Result<&Interpreter, PythonError> {
        self.pool.settings.interpreter().map(AsRef::as_ref)
    }

    /// How many workers there are, and how many of them are busy.
    pub fn workers(&self) -> (usize, usize) {
        self.pool.count()
    }

    /// Installs the packages that the modules of an archive list in their `requirements.txt`,
    /// into a virtual environment that is used from then on by all archives with the same
    /// lists. Says where it is; none if no module has such a list. Runs pip, with the rights of
    /// this process: for an operator, not for users.
    ///
    /// # Errors
    /// The environment could not be made; what pip said is among the error's details.
    pub fn install_packages(&self, archive: &Archive) -> Result<Option<PathBuf>, PythonError> {
        let settings = &self.pool.settings;
        packages::install(&settings.folder, settings.interpreter()?, archive)
    }

    fn code(&self, archive: &Archive) -> Result<Arc<Code>, PythonError> {
        Ok(Arc::new(Code::new(archive, self.archives.open(archive)?)))
    }
}

impl ModuleRuntime for PythonRuntime {
    fn inspect(
        &self,
        owner: OwnerId,
        archive: &Archive,
    ) -> Result<serde_json::Value, RuntimeError> {
        let code = self.code(archive)?;
        // Others may be in the way first; the start itself has a limit of its own.
        let limit = Limit::new(self.pool.settings.start_timeout.saturating_mul(2));
        let worker = self.pool.for_inspection(&code, owner, &limit).map_err(|no| match no {
            NoWorker::Failed(error) => error,
            NoWorker::Stopped(_) | NoWorker::Gone => PythonError::Busy,
        });
        let worker = worker.inspect_err(|_| self.forget(&archive.digest))?;
        let listed = listing::read(&worker.listing).and_then(|modules| {
            let named = |name: &String| modules.iter().any(|module| module.name == *name);
            let all = modules.len() == code.modules.len() && code.modules.iter().all(named);
            if all { Ok(()) } else { Err("it lists other modules than it has".to_owned()) }
        });
        if let Err(problem) = listed {
            drop(worker);
            self.forget(&archive.digest);
            return Err(problem.into());
        }
        Ok(worker.listing.clone())
    }

    fn modules(
        &self,
        archive: &Archive,
        listing: &serde_json::Value,
    ) -> Result<Vec<Module>, RuntimeError> {
        let code = self.code(archive)?;
        let mut modules = Vec::new();
        for ListedModule { name, blocks } in listing::read(listing)? {
            let mut module = Module::new(format!("{}:{name}", archive.name));
            for listed in &blocks {
                module = module.block(PythonBlock {
                    pool: Arc::clone(&self.pool),
                    code: Arc::clone(&code),
                    module: name.clone(),
                    spec: listed.spec(),
                })?;
            }
            modules.push(module);
        }
        Ok(modules)
    }

    fn warnings(&self, archive: &Archive) -> Vec<String> {
        let settings = &self.pool.settings;
        let usual = settings.interpreter();
        let are_missing =
            usual.is_ok_and(|usual| packages::are_missing(&settings.folder, usual, archive));
        let name = &archive.name;
        let warning = format!(
            "the requirements.txt of {name} is not used: \"modules install {name}\" of the server's \
             program installs the packages that it lists"
        );
        are_missing.then_some(warning).into_iter().collect()
    }

    fn forget(&self, digest: &str) {
        self.pool.forget(digest);
        self.archives.forget(digest);
    }

    fn keep(&self, digests: &[&str]) {
        self.archives.keep(digests);
    }
}

/// Ends the workers that are idle; the others end with their blocks.
impl Drop for PythonRuntime {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl std::fmt::Debug for PythonRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonRuntime")
            .field("program", &self.pool.settings.program)
            .finish_non_exhaustive()
    }
}
