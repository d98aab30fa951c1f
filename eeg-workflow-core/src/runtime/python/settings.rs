//! What all workers share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::PythonError;
use crate::runtime::sandbox::{Interpreter, Limits, Sandbox, interpreter_paths};

/// What all workers share.
pub(super) struct Settings {
    /// Where everything is kept.
    pub(super) folder: PathBuf,
    /// The Python files of this program.
    pub(super) support: PathBuf,
    /// The interpreter's path, and what it said of itself when it was first needed.
    pub(super) program: PathBuf,
    interpreter: OnceLock<Arc<Interpreter>>,
    pub(super) sandbox: Sandbox,
    pub(super) limits: Limits,
    /// A worker must have loaded its modules within this time.
    pub(super) start_timeout: Duration,
    /// How long a worker that nobody needs is kept.
    pub(super) idle_timeout: Duration,
    /// Workers at once, idle ones among them, unless those hold values that are needed.
    pub(super) max_workers: usize,
    /// Outputs of more bytes are refused.
    pub(super) max_output: usize,
}

impl Settings {
    pub(super) fn new(
        options: super::PythonOptions,
        folder: PathBuf,
        support: PathBuf,
        sandbox: Sandbox,
    ) -> Self {
        Self {
            folder,
            support,
            program: options.interpreter,
            interpreter: OnceLock::new(),
            sandbox,
            limits: options.limits,
            start_timeout: options.start_timeout,
            idle_timeout: options.idle_timeout,
            max_workers: options.max_workers.max(1),
            max_output: options.max_output,
        }
    }

    /// The usual interpreter.
    pub(super) fn interpreter(&self) -> Result<&Arc<Interpreter>, PythonError> {
        if let Some(known) = self.interpreter.get() {
            return Ok(known);
        }
        let asked = Arc::new(interpreter_paths(&self.program)?);
        Ok(self.interpreter.get_or_init(|| asked))
    }
}
