//! What all workers share, and what those of one archive do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::interpreter::Interpreter;
use crate::runtime::sandbox::{Limits, Sandbox};

/// What all workers share.
pub(super) struct Setting {
    /// Where everything is kept.
    pub(super) folder: PathBuf,
    /// The Python files of this program.
    pub(super) support: PathBuf,
    pub(super) sandbox: Sandbox,
    pub(super) limits: Limits,
    /// A worker must have loaded its modules within this time.
    pub(super) start_timeout: Duration,
    /// A worker that nobody has needed for so long ends.
    pub(super) idle_timeout: Duration,
    /// Workers at once, idle ones among them, unless those hold values that are needed.
    pub(super) max_workers: usize,
    /// Outputs of more bytes are refused.
    pub(super) max_output: usize,
}

/// The modules of one archive and the interpreter that runs them.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) digest: Arc<str>,
    /// The folder that the archive was unpacked into.
    pub(super) root: PathBuf,
    /// The modules' folders.
    pub(super) modules: Vec<String>,
    pub(super) interpreter: Arc<Interpreter>,
}
