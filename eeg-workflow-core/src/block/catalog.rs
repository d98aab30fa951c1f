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
}

/// Why a block type was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// There is no module of that name.
    Module,
    /// The module has no such block type.
    BlockType,
}
