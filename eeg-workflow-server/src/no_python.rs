//! Where there is no runtime for Python modules: on other systems than Linux.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::module::{Archive, ModuleRuntime, RuntimeError};

use crate::catalog::Failure;
use crate::cli::PythonOptions;
use crate::error::{Rejection, one_line, with_causes};

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

pub(crate) fn install_packages(
    _: &Path,
    _: PathBuf,
    _: &Archive,
    _: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<Option<PathBuf>, Failure> {
    Err(Failure::usage("Python modules are not run on this system"))
}

pub(crate) fn details(_: &RuntimeError) -> &str {
    ""
}

pub(crate) fn rejection(error: &RuntimeError) -> Rejection {
    Rejection::NoPython(one_line(&with_causes(error.as_ref())))
}
