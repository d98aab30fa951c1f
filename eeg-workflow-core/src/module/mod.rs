//! Modules: named groups of block types, native or from a zip archive.
//!
//! - [`Module`], [`ModuleRegistry`]: what a program registers itself;
//! - [`Archive`]: a zip archive of modules, read safely;
//! - [`ModuleLibrary`]: the archives on disk, and who may use them. The blocks of declarative
//!   modules are composed of others; how they are written is described below.
//!
#![doc = include_str!("../../docs/MODULES.md")]

mod archive;
mod archive_error;
mod composite;
mod declarative;
mod json;
mod library;
mod manifest;
mod preset;
mod registry;
mod runtime;
mod view;

pub use archive::{Archive, ArchiveLimits, ArchivedModule, ModuleKind};
pub use archive_error::ArchiveError;
pub use library::{
    BrokenArchive, InstallError, Installed, LibraryError, ModuleLibrary, Owner, RemoveError,
};
pub use manifest::ManifestError;
pub use registry::{Module, ModuleRegistry, RegistryError};
pub use runtime::{ModuleRuntime, RuntimeError};
pub use view::{ModuleEntry, View};
