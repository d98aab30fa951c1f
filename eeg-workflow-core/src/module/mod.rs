//! Modules: named groups of block types, native or from a zip archive.
//!
//! - [`Module`], [`ModuleRegistry`]: what a program registers itself;
//! - [`Archive`]: a zip archive of modules, read safely;
//! - [`ModuleRuntime`]: what runs the modules that are written in another language;
//! - [`ModuleLibrary`]: the archives on disk; [`UserModules`]: those that one user may use. The
//!   blocks of declarative modules are composed of others; how they are written is described
//!   below.
//!
#![doc = include_str!("../../docs/MODULES.md")]

mod archive;
mod declarative;
mod language;
mod library;
mod registry;
mod user_modules;

pub use archive::{Archive, ArchiveError, ArchiveLimits, ArchivedModule, ModuleKind};
pub use declarative::ManifestError;
pub use language::{ModuleRuntime, RuntimeError};
pub use library::{
    ArchiveInfo, BrokenArchive, Dependent, InstallError, Installed, LibraryError, ModuleLibrary,
    NewArchive, Owner, RemoveError,
};
pub use registry::{Module, ModuleRegistry, RegistryError};
pub use user_modules::{ModuleEntry, ModuleVersion, UserModules};
