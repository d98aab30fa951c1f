//! What runs the modules that are written in a programming language.

use std::error::Error;

use super::archive::Archive;
use super::registry::Module;
use crate::block::OwnerId;

/// Runs the modules of archives that are written in a programming language: an implementation
/// knows the language, and how uploaded code is kept from doing harm.
pub trait ModuleRuntime: Send + Sync + 'static {
    /// Loads the code of an archive for its owner and says what blocks are in it, in a form that
    /// is stored beside the archive.
    ///
    /// # Errors
    /// The code cannot be loaded, or is not a module; the error names the file and line.
    fn inspect(&self, owner: OwnerId, archive: &Archive)
    -> Result<serde_json::Value, RuntimeError>;

    /// The modules, by what [`Self::inspect`] said of the archive. Runs none of its code.
    ///
    /// # Errors
    /// What was said of the archive cannot be understood.
    fn modules(
        &self,
        archive: &Archive,
        listing: &serde_json::Value,
    ) -> Result<Vec<Module>, RuntimeError>;

    /// What the owner of an archive should know of it, though it can be used.
    fn warnings(&self, archive: &Archive) -> Vec<String> {
        let _ = archive;
        Vec::new()
    }

    /// The archive of this digest is used only by plans that were made before.
    fn forget(&self, digest: &str);

    /// A library was opened, and these are the digests of all its archives that are code: what
    /// is stored of others can be removed.
    fn keep(&self, digests: &[&str]) {
        let _ = digests;
    }
}

/// Why code could not be loaded.
pub type RuntimeError = Box<dyn Error + Send + Sync>;
