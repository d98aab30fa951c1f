//! From an archive's manifests to modules: the order in which blocks stand on each other.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::composite::SubWorkflowBlock;
use super::json::Problem;
use super::manifest::{BlockType, Declaration, Implementation, Manifest, ManifestError};
use super::preset::PresetBlock;
use super::{Archive, Module, ModuleKind};
use crate::block::{Block, BlockSpec, Catalog, NotFound};

/// A longer `module.json` is refused.
const MAX_BYTES: usize = 4 << 20;
/// More block types in one archive are refused.
const MAX_BLOCKS: usize = 1000;
/// Blocks of one archive may stand on each other so deep.
const MAX_DEPTH: usize = 16;

/// Makes the declarative modules of an archive, whose blocks may use those of `outside` and
/// each other, in any order. Also gives the names of the modules outside that they use.
pub(super) fn modules(
    archive: &Archive,
    outside: &dyn Catalog,
) -> Result<(Vec<Module>, FxHashSet<String>), ManifestError> {
    let mut builder = Builder {
        own: Own { archive: &archive.name, modules: FxHashMap::default(), outside },
        pending: FxHashMap::default(),
        path: Vec::new(),
        outside: FxHashSet::default(),
    };
    let mut order = Vec::new();
    for module in archive.written_in(ModuleKind::Declarative) {
        let file = format!("{}/module.json", module.name);
        let fail = |problem: Problem| error(&file, problem);
        let bytes = module.files.get("module.json").map_or(&[][..], Vec::as_slice);
        if bytes.len() > MAX_BYTES {
            let text = format!("has {} bytes (at most {MAX_BYTES})", bytes.len());
            return Err(fail(Problem::new("", text)));
        }
        let manifest = Manifest::read(bytes).map_err(fail)?;
        let name = builder.own.full(&module.name);
        builder.own.modules.entry(name.clone()).or_default();
        for block in manifest.blocks {
            let key = BlockType { module: name.clone(), name: block.name.clone() };
            order.push(key.clone());
            if order.len() > MAX_BLOCKS {
                let text = format!("the archive has more than {MAX_BLOCKS} block types");
                return Err(fail(Problem::new(&block.pointer, text)));
            }
            builder.pending.insert(key, Pending { file: file.clone(), declaration: block });
        }
    }
    for key in &order {
        builder.build(key)?;
    }

    let mut modules = Vec::new();
    for archived in archive.written_in(ModuleKind::Declarative) {
        let name = builder.own.full(&archived.name);
        let mut module = Module::new(&name);
        for key in order.iter().filter(|key| key.module == name) {
            if let Ok(block) = builder.own.find(&key.module, &key.name) {
                let file = format!("{}/module.json", archived.name);
                let twice = |problem: super::RegistryError| {
                    error(&file, Problem::new("/blocks", problem.to_string()))
                };
                module = module.shared(Arc::clone(block)).map_err(twice)?;
            }
        }
        modules.push(module);
    }
    Ok((modules, builder.outside))
}

struct Builder<'a> {
    own: Own<'a>,
    pending: FxHashMap<BlockType, Pending>,
    /// The block types that are being made, each for the one before it.
    path: Vec<BlockType>,
    /// The modules outside that are used.
    outside: FxHashSet<String>,
}

struct Pending {
    file: String,
    declaration: Declaration,
}

impl Builder<'_> {
    /// Makes a block type and, before it, those of this archive that it stands on.
    fn build(&mut self, key: &BlockType) -> Result<(), ManifestError> {
        let Some(Pending { file, declaration }) = self.pending.remove(key) else { return Ok(()) };
        self.path.push(key.clone());
        let uses = declaration.implementation.uses();
        for (used, pointer) in &uses {
            let used = BlockType { module: self.own.full(&used.module), name: used.name.clone() };
            let above = self.path.iter().position(|above| *above == used);
            if let Some(above) = above {
                let circle = self.path.iter().skip(above).chain([&used]);
                let names: Vec<_> = circle.map(|key| format!("\"{}\"", key.name)).collect();
                let text = format!("blocks stand on each other: {}", names.join(" → "));
                return Err(error(&file, Problem::new(pointer, text)));
            }
            if self.path.len() >= MAX_DEPTH && self.pending.contains_key(&used) {
                let text = format!("blocks stand on each other more than {MAX_DEPTH} deep");
                return Err(error(&file, Problem::new(pointer, text)));
            }
            if !self.own.modules.contains_key(&used.module) {
                self.outside.insert(used.module.clone());
            }
            self.build(&used)?;
        }
        let uses = uses.into_iter().map(|(used, _)| used);
        let block = self.own.block(declaration, uses).map_err(|problem| error(&file, problem))?;
        let module = self.own.modules.entry(key.module.clone()).or_default();
        module.insert(key.name.clone(), block);
        self.path.pop();
        Ok(())
    }
}

/// What the blocks of an archive see: those of it that are made already, and those outside.
struct Own<'a> {
    archive: &'a str,
    modules: FxHashMap<String, FxHashMap<String, Arc<dyn Block>>>,
    outside: &'a dyn Catalog,
}

impl Own<'_> {
    /// A module's full name; the folder's name alone stands for a module of this archive.
    fn full(&self, module: &str) -> String {
        if module.contains(':') { module.to_owned() } else { format!("{}:{module}", self.archive) }
    }

    fn block(
        &self,
        declaration: Declaration,
        uses: impl IntoIterator<Item = BlockType>,
    ) -> Result<Arc<dyn Block>, Problem> {
        let spec = BlockSpec::new(declaration.name)
            .with_family(declaration.family)
            .with_description(declaration.description);
        match declaration.implementation {
            Implementation::Preset(preset) => {
                let BlockType { module, name } = &preset.target;
                let inner = self.find(module, name).map_err(|not_found| match not_found {
                    NotFound::Module => {
                        let text = format!("there is no module \"{module}\"");
                        Problem::new(format!("{}/module", preset.pointer), text)
                    }
                    NotFound::BlockType => {
                        let text = format!("module \"{module}\" has no block \"{name}\"");
                        Problem::new(format!("{}/type", preset.pointer), text)
                    }
                })?;
                Ok(Arc::new(PresetBlock::new(spec, preset, Arc::clone(inner))?))
            }
            Implementation::Workflow(workflow) => {
                Ok(Arc::new(SubWorkflowBlock::new(spec, workflow, uses, self)?))
            }
        }
    }
}

impl Catalog for Own<'_> {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        match self.modules.get(&self.full(module)) {
            Some(module) => module.get(block_type).ok_or(NotFound::BlockType),
            None => self.outside.find(module, block_type),
        }
    }
}

fn error(file: &str, problem: Problem) -> ManifestError {
    let Problem { pointer, text, diagnostics } = problem;
    ManifestError { file: file.to_owned(), pointer, problem: text, diagnostics }
}
