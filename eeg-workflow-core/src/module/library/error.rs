//! Why a library could not be opened or changed.

use std::path::PathBuf;

use super::{FORMAT, Owner};
use crate::module::archive::ArchiveError;
use crate::module::declarative::ManifestError;
use crate::module::language::RuntimeError;

/// Why a library could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder or a file in it could not be read or written.
    #[error("{}", .path.display())]
    Storage {
        /// The folder or the file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The index of archives cannot be read.
    #[error("{}: the index of module archives is damaged", .path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The index of archives was written by a later version.
    #[error("{}: format {found} is not known (this is version {FORMAT})", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u32,
    },
}

/// Why an archive was not installed or did not replace another. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The archive is not valid.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The owner has a module of that name, or everybody may use one.
    // Clients know this text by heart, its spelling included.
    #[error("Module name '{module}' in {archive} already exsists, pls change the name")]
    ModuleExists {
        /// The folder's name.
        module: String,
        /// The archive that was to be installed.
        archive: String,
    },
    /// The owner has an archive of that name.
    #[error("archive \"{0}\" is already installed: replace it, or remove it first")]
    ArchiveExists(String),
    /// The owner has no archive of that name to be replaced.
    #[error("no archive \"{0}\"")]
    NotFound(String),
    /// Other archives depend on the one that was to be replaced, and cannot use the new one.
    #[error(
        "archive \"{archive}\" cannot be replaced: {dependent} depends on it and would no longer \
         work"
    )]
    BreaksDependent {
        /// The archive that was to be replaced.
        archive: String,
        /// The archive that depends on it, without its name if it is private to another user.
        dependent: Dependent,
        /// What would be wrong with it.
        #[source]
        error: Box<InstallError>,
    },
    /// The new archive uses one that depends on it.
    #[error("archives depend on each other: \"{archive}\" → {dependent} → \"{archive}\"")]
    Circle {
        /// The archive that was to be replaced.
        archive: String,
        /// The archive that depends on it.
        dependent: Dependent,
    },
    /// A declarative module is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A module is written in Python, and the library has nothing that runs it.
    #[error(
        "module \"{module}\" is written in Python, which is not run here: only declarative \
         modules (module.json) can be installed"
    )]
    PythonUnavailable {
        /// The folder's name.
        module: String,
    },
    /// A module's code cannot be loaded.
    #[error(transparent)]
    Code(RuntimeError),
    /// The archive depends on one that depends on one, and so on.
    #[error("archive {archive} depends on others more than {limit} deep")]
    TooDeep {
        /// The archive.
        archive: String,
        /// The maximum.
        limit: usize,
    },
    /// The archive could not be stored.
    #[error("the archive could not be stored")]
    Storage(#[source] LibraryError),
}

/// Why an archive was not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The owner has no archive of that name.
    #[error("no archive \"{0}\"")]
    NotFound(String),
    /// The change could not be stored.
    #[error("the archive could not be removed")]
    Storage(#[source] LibraryError),
}

/// An archive that depends on another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dependent {
    /// An archive that the asking user may know.
    Known {
        /// Its file name.
        archive: String,
        /// Its owner's e-mail address.
        owner: String,
    },
    /// A private archive of somebody else.
    Private,
}

impl std::fmt::Display for Dependent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known { archive, .. } => write!(f, "\"{archive}\""),
            Self::Private => f.write_str("a private archive of another user"),
        }
    }
}

/// An archive that was installed but cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct BrokenArchive {
    /// The archive's file name.
    pub archive: String,
    /// Its owner.
    pub owner: Owner,
    /// What is wrong.
    pub error: InstallError,
}
