//! Modules: named groups of block types, native or from a zip archive.

mod registry;

pub use registry::{Module, ModuleRegistry, RegistryError};
