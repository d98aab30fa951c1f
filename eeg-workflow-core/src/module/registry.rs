//! The modules that a program knows.

use std::sync::Arc;

use foldhash::HashMap;

use crate::block::{Block, BlockFunction, Catalog, FunctionBlock, NotFound};

/// A named group of block types.
#[derive(Clone)]
pub struct Module {
    name: String,
    blocks: Vec<Arc<dyn Block>>,
    by_name: HashMap<String, usize>,
}

/// Why a module or a block type cannot be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two modules of one name.
    #[error("a module \"{0}\" is registered already")]
    DuplicateModule(String),
    /// A block type declares a port or a parameter twice.
    #[error("block \"{block}\" of module \"{module}\" declares {field} twice")]
    DuplicateField {
        /// The module.
        module: String,
        /// The block type.
        block: String,
        /// The port or parameter, as `input "a"`.
        field: String,
    },
    /// Two block types of one name in a module.
    #[error("module \"{module}\" has a block \"{block}\" already")]
    DuplicateBlock {
        /// The module.
        module: String,
        /// The block type.
        block: String,
    },
}

impl Module {
    /// An empty module of this full name, such as `Lab.zip:Lab`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), blocks: Vec::new(), by_name: HashMap::default() }
    }

    /// Adds a block type.
    ///
    /// # Errors
    /// The module has one of that name, or the block declares a port or a parameter twice.
    pub fn block(self, block: impl Block) -> Result<Self, RegistryError> {
        self.shared(Arc::new(block))
    }

    /// Adds a block type that is shared with others.
    ///
    /// # Errors
    /// The module has one of that name, or the block declares a port or a parameter twice.
    pub fn shared(mut self, block: Arc<dyn Block>) -> Result<Self, RegistryError> {
        let name = block.spec().name().to_owned();
        if self.by_name.contains_key(&name) {
            return Err(RegistryError::DuplicateBlock { module: self.name, block: name });
        }
        if let Some(field) = block.spec().duplicate_field() {
            let field = field.to_string();
            return Err(RegistryError::DuplicateField { module: self.name, block: name, field });
        }
        self.by_name.insert(name, self.blocks.len());
        self.blocks.push(block);
        Ok(self)
    }

    /// Adds a closure as a block type with one input for each argument and one output.
    ///
    /// # Errors
    /// The module has a block type of that name.
    ///
    /// ```
    /// use eeg_workflow_core::module::Module;
    /// let module = Module::new("Lab.zip:Lab")
    ///     .function("Add", ["a", "b"], "sum", |a: f64, b: f64| Ok(a + b))?;
    /// assert_eq!(module.blocks().len(), 1);
    /// # Ok::<(), eeg_workflow_core::module::RegistryError>(())
    /// ```
    pub fn function<F, A, const N: usize>(
        self,
        name: &str,
        inputs: [&str; N],
        output: &str,
        function: F,
    ) -> Result<Self, RegistryError>
    where
        F: BlockFunction<A, N>,
        A: 'static,
    {
        self.block(FunctionBlock::new(name, inputs, output, function))
    }

    /// The full name, `Archive.zip:Module`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The block types, in the order in which they were added.
    pub fn blocks(&self) -> &[Arc<dyn Block>] {
        &self.blocks
    }

    /// The block type of this name.
    pub fn get(&self, block_type: &str) -> Option<&Arc<dyn Block>> {
        self.by_name.get(block_type).and_then(|index| self.blocks.get(*index))
    }
}

/// All modules that workflows may use.
#[derive(Clone, Default)]
pub struct ModuleRegistry {
    modules: Vec<Arc<Module>>,
    by_name: HashMap<String, usize>,
}

impl ModuleRegistry {
    /// No modules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module.
    ///
    /// # Errors
    /// There is one of that name.
    pub fn register(&mut self, module: impl Into<Arc<Module>>) -> Result<(), RegistryError> {
        let module = module.into();
        if self.by_name.contains_key(module.name()) {
            return Err(RegistryError::DuplicateModule(module.name().to_owned()));
        }
        self.by_name.insert(module.name().to_owned(), self.modules.len());
        self.modules.push(module);
        Ok(())
    }

    /// The modules, in the order in which they were registered.
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.modules
    }

    /// The module of this full name.
    pub fn get(&self, name: &str) -> Option<&Arc<Module>> {
        self.by_name.get(name).and_then(|index| self.modules.get(*index))
    }
}

impl Catalog for ModuleRegistry {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        let module = self.get(module).ok_or(NotFound::Module)?;
        module.get(block_type).ok_or(NotFound::BlockType)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.blocks.iter().map(|block| block.spec().name()).collect();
        f.debug_struct("Module").field("name", &self.name).field("blocks", &names).finish()
    }
}

impl std::fmt::Debug for ModuleRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.modules).finish()
    }
}
