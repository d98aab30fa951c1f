//! The modules that every program has: thin blocks over the libraries of this crate.

pub mod arithmetic;
#[cfg(feature = "eeg")]
pub mod eeg_basil;

use crate::module::{ModuleRegistry, RegistryError};

/// A registry with the built-in modules, in the order in which designers list them.
///
/// ```
/// let registry = eeg_workflow_core::builtin::registry()?;
/// assert!(registry.get("Arithmetic.zip:Arithmetic").is_some());
/// # Ok::<(), eeg_workflow_core::module::RegistryError>(())
/// ```
///
/// # Errors
/// Two built-in modules or block types have one name; a test makes sure that none have.
pub fn registry() -> Result<ModuleRegistry, RegistryError> {
    let mut registry = ModuleRegistry::new();
    #[cfg(feature = "eeg")]
    registry.register(eeg_basil::module()?)?;
    registry.register(arithmetic::module()?)?;
    Ok(registry)
}
