//! What can go wrong with the Python runtime as such.

use std::path::PathBuf;

use crate::runtime::sandbox::SandboxError;

/// Why Python modules cannot be run, or a module not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// A file of the runtime could not be read or written.
    #[error("{}", .path.display())]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The interpreter cannot be used, or a worker could not be confined.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No worker became free in time.
    #[error("all Python workers are busy")]
    Busy,
    /// A worker could not be started.
    #[error("the Python worker could not be started: {problem}")]
    Start {
        /// What is wrong.
        problem: String,
        /// The end of what it printed.
        printed: String,
    },
    /// A module cannot be loaded.
    #[error("module \"{module}\": {problem}")]
    Module {
        /// The module's folder.
        module: String,
        /// The Python error, with file and line.
        problem: String,
        /// The traceback, or the end of what was printed.
        details: String,
    },
    /// A package that a module needs could not be installed.
    #[error("the packages of {} could not be installed", .archive)]
    Packages {
        /// The archive.
        archive: String,
        /// What pip said.
        printed: String,
    },
}

impl PythonError {
    pub(super) fn storage(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { path, source }
    }

    /// More than the message: a traceback, or what was printed.
    pub fn details(&self) -> &str {
        match self {
            Self::Start { printed, .. } | Self::Packages { printed, .. } => printed,
            Self::Module { details, .. } => details,
            _ => "",
        }
    }
}
