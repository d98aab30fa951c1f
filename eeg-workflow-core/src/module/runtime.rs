//! What runs modules that are code.

use std::error::Error;

use super::{Archive, Module};
use crate::block::OwnerId;

/// Runs the modules of archives that are written in a language of their own: an implementation
/// knows the language, and how uploaded code is kept from doing harm.
pub trait ModuleRuntime: Send + Sync + 'static {
    /// Loads the code of an archive for its owner and says what blocks are in it, in a form that
    /// is kept beside the archive.
    ///
    /// # Errors
    /// The code cannot be loaded, or is no module; the error names the file and line.
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

    /// The archive of this digest is not used any more, but by plans that were made before.
    fn forget(&self, digest: &str);

    /// A library was opened, and these are the digests of all its archives that are code: what
    /// is kept of others can go.
    fn keep(&self, digests: &[&str]) {
        let _ = digests;
    }
}

/// Why code could not be loaded.
pub type RuntimeError = Box<dyn Error + Send + Sync>;
