//! Modules: named groups of block types, native or from a zip archive.
//!
//! - [`Module`], [`ModuleRegistry`]: what a program registers itself;
//! - [`Archive`]: a zip archive of modules, read safely;
//! - [`ModuleLibrary`]: the archives on disk, and who may use them. The blocks of declarative
//!   modules are composed of others; how they are written is described below.
//!
#![doc = include_str!("../../docs/MODULES.md")]

mod archive;
mod composite;
mod declarative;
mod json;
mod library;
mod manifest;
mod preset;
mod registry;

pub use archive::{Archive, ArchiveError, ArchiveLimits, ArchivedModule, ModuleKind};
pub use library::{
    BrokenArchive, InstallError, Installed, LibraryError, ModuleEntry, ModuleLibrary, Owner,
    RemoveError, View,
};
pub use manifest::ManifestError;
pub use registry::{Module, ModuleRegistry, RegistryError};
