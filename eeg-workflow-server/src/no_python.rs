//! Where there is no runtime for Python modules: on other systems than Linux.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::module::{Archive, ModuleRuntime, RuntimeError};

use crate::cli::PythonOptions;
use crate::text::{one_line, with_causes};

/// No runtime.
pub(crate) struct Python;

/// None.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Workers {
    pub(crate) all: usize,
    pub(crate) busy: usize,
}

impl Python {
    pub(crate) fn new(_: &PythonOptions, _: PathBuf) -> Self {
        Self
    }

    pub(crate) fn with_times(self, _: Duration, _: Duration) -> Self {
        self
    }

    pub(crate) fn for_library(self: &Arc<Self>) -> Option<Arc<dyn ModuleRuntime>> {
        None
    }

    pub(crate) fn prepare(&self) {
        tracing::info!("Python modules are not run on this system");
    }

    pub(crate) fn workers(&self) -> Workers {
        Workers::default()
    }
}

/// No packages.
pub(crate) struct Packages;

/// Why packages cannot be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackagesError {
    #[error("Python modules are not run on this system")]
    Interpreter(String),
    #[error("{0}")]
    #[expect(dead_code, reason = "nothing is tried here")]
    Failed(String),
}

impl Packages {
    pub(crate) fn new(_: &Path, _: PathBuf) -> Result<Self, PackagesError> {
        Err(PackagesError::Interpreter(String::new()))
    }

    pub(crate) fn program(&self) -> &Path {
        Path::new("")
    }

    pub(crate) fn install(&self, _: &Archive) -> Result<Option<PathBuf>, PackagesError> {
        Ok(None)
    }
}

pub(crate) fn details(_: &RuntimeError) -> &str {
    ""
}

/// Why the code of an archive is not taken.
#[derive(Debug)]
#[expect(dead_code, reason = "there is one reason here")]
pub(crate) enum Refusal {
    NotAllowed(String),
    BadCode { error: String, details: String },
    Busy,
    NoRuntime(String),
    Broken(String),
}

pub(crate) fn refusal(error: &RuntimeError) -> Refusal {
    Refusal::NoRuntime(one_line(&with_causes(error.as_ref())))
}
