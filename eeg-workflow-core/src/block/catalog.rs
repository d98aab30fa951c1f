//! Where a workflow finds the implementations of its blocks.

use std::sync::Arc;

use super::Block;

/// A place that knows block types by module and name.
pub trait Catalog {
    /// The block type `block_type` of the module `module` (as `Archive.zip:Module`).
    ///
    /// # Errors
    /// Which of the two is unknown.
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound>;

    /// The modules that may be meant where there is none of this name, as the message shows
    /// them.
    fn alternatives(&self, module: &str) -> Vec<String> {
        let _ = module;
        Vec::new()
    }
}

/// The message for a module that `catalog` does not find.
pub(crate) fn no_such_module(module: &str, catalog: &(impl Catalog + ?Sized)) -> String {
    let alternatives = catalog.alternatives(module);
    let mut text = format!("there is no module \"{module}\"");
    if !alternatives.is_empty() {
        text.push_str("; name one of these: ");
        text.push_str(&alternatives.join(", "));
    }
    text
}

/// Why a block type was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// There is no module of that name.
    Module,
    /// The module has no such block type.
    BlockType,
}
