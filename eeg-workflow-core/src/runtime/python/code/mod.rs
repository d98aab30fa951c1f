//! The code of an archive: unpacked, with the packages that it needs, and what its blocks declare.

pub(crate) mod archive;
mod command;
pub(crate) mod listing;
pub(crate) mod packages;
pub(crate) mod support;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use self::archive::Unpacked;
use super::PythonError;
use super::settings::Settings;
use crate::module::{Archive, ModuleKind};
use crate::runtime::sandbox::Interpreter;

/// The Python modules of one archive.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) digest: Arc<str>,
    /// What the archive was unpacked into.
    unpacked: Arc<Unpacked>,
    /// The modules' folders.
    pub(crate) modules: Vec<String>,
    /// The packages that they need.
    requirements: Option<Vec<u8>>,
    interpreter: OnceLock<Arc<Interpreter>>,
}

impl Code {
    pub(crate) fn new(archive: &Archive, unpacked: Arc<Unpacked>) -> Self {
        Self {
            digest: archive.digest.as_str().into(),
            unpacked,
            modules: archive.written_in(ModuleKind::Python).map(|m| m.name.clone()).collect(),
            requirements: packages::requirements(archive),
            interpreter: OnceLock::new(),
        }
    }

    /// The folder with the modules' folders.
    pub(crate) fn root(&self) -> &Path {
        self.unpacked.root()
    }

    /// The interpreter that has the packages which the modules need.
    pub(crate) fn interpreter(
        &self,
        settings: &Settings,
    ) -> Result<&Arc<Interpreter>, PythonError> {
        if let Some(known) = self.interpreter.get() {
            return Ok(known);
        }
        let usual = settings.interpreter()?;
        let found = match &self.requirements {
            Some(list) => packages::interpreter(&settings.folder, usual, list)?,
            None => Arc::clone(usual),
        };
        Ok(self.interpreter.get_or_init(|| found))
    }
}
