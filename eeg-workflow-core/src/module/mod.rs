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

#[cfg(feature = "archives")]
mod archive;
#[cfg(feature = "archives")]
mod declarative;
#[cfg(feature = "archives")]
mod language;
#[cfg(feature = "archives")]
mod library;
mod registry;
#[cfg(feature = "archives")]
mod user_modules;

#[cfg(feature = "archives")]
pub use archive::{Archive, ArchiveError, ArchiveLimits, ArchivedModule, ModuleKind};
#[cfg(feature = "archives")]
pub use declarative::ManifestError;
#[cfg(feature = "archives")]
pub use language::{ModuleRuntime, RuntimeError};
#[cfg(feature = "archives")]
pub use library::{
    ArchiveInfo, BrokenArchive, Dependent, InstallError, Installed, LibraryError, ModuleLibrary,
    NewArchive, Owner, RemoveError,
};
pub use registry::{Module, ModuleRegistry, RegistryError};
#[cfg(feature = "archives")]
pub use user_modules::{ModuleEntry, ModuleVersion, UserModules};
