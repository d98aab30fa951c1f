//! Declarative modules: from an archive's manifests to block types, in the order in which they
//! depend on each other.

mod manifest;
mod place;
mod preset;
mod sub_workflow;

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

pub use manifest::ManifestError;
use manifest::{BlockType, Declaration, Implementation, Manifest};
use place::Problem;
use preset::PresetBlock;
use sub_workflow::SubWorkflowBlock;

use super::archive::{Archive, ModuleKind};
use super::registry::{Module, RegistryError};
use crate::block::{Block, BlockSpec, Catalog, Composition, NotFound, no_such_module};

/// A longer `module.json` is refused.
const MAX_BYTES: usize = 4 << 20;
/// More block types in one archive are refused.
const MAX_BLOCKS: usize = 1000;
/// The maximum number of composed blocks inside each other, of one archive or of several. (The
/// engine runs plans inside each other as deep.)
const MAX_DEPTH: u32 = 16;
/// The maximum number of blocks that one use of a block type runs.
const MAX_INNER_BLOCKS: u64 = 10_000;

/// Makes the declarative modules of an archive, whose blocks may use those of `outside` and
/// each other, in any order. Also gives the names of the modules outside that they use.
pub(super) fn modules(
    archive: &Archive,
    outside: &dyn Catalog,
) -> Result<(Vec<Module>, HashSet<String>), ManifestError> {
    let mut builder = Builder {
        own: Own { archive: &archive.name, modules: HashMap::default(), outside },
        pending: HashMap::default(),
        path: Vec::new(),
        outside: HashSet::default(),
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
                let twice = |problem: RegistryError| {
                    error(&file, Problem::new("/blocks", problem.to_string()))
                };
                module = module.shared(Arc::clone(block)).map_err(twice)?;
            }
        }
        modules.push(module);
    }
    Ok((modules, builder.outside))
}

/// The names of the modules outside of an archive that its manifests name; of those that cannot
/// be read, none.
pub(super) fn modules_named(archive: &Archive) -> HashSet<String> {
    let manifests = archive.written_in(ModuleKind::Declarative).filter_map(|module| {
        let bytes = module.files.get("module.json").filter(|bytes| bytes.len() <= MAX_BYTES)?;
        Manifest::read(bytes).ok()
    });
    let uses = manifests
        .flat_map(|manifest| manifest.blocks)
        .flat_map(|block| block.implementation.uses().into_iter().map(|(used, _)| used.module));
    let own = |name: &str| {
        let (of, folder) = name.split_once(':').unwrap_or((&archive.name, name));
        of == archive.name && archive.modules.iter().any(|module| module.name == folder)
    };
    uses.filter(|name| !own(name)).collect()
}

struct Builder<'a> {
    own: Own<'a>,
    pending: HashMap<BlockType, Pending>,
    /// The block types that are being made, each for the one before it.
    path: Vec<BlockType>,
    /// The modules outside that are used.
    outside: HashSet<String>,
}

struct Pending {
    file: String,
    declaration: Declaration,
}

impl Builder<'_> {
    /// Makes a block type and, before it, those of this archive that it depends on.
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
                let text = format!("blocks depend on each other: {}", names.join(" → "));
                return Err(error(&file, Problem::new(pointer, text)));
            }
            // So that making them does not nest deeper either.
            if self.path.len() >= MAX_DEPTH as usize && self.pending.contains_key(&used) {
                return Err(error(&file, too_deep(pointer)));
            }
            if !self.own.modules.contains_key(&used.module) {
                self.outside.insert(used.module.clone());
            }
            self.build(&used)?;
        }
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
    modules: HashMap<String, HashMap<String, Arc<dyn Block>>>,
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
        uses: Vec<(BlockType, String)>,
    ) -> Result<Arc<dyn Block>, Problem> {
        let mut spec = BlockSpec::new(declaration.name)
            .with_family(declaration.family)
            .with_description(declaration.description);
        spec.composition = self.composition(&declaration.implementation, &uses)?;
        match declaration.implementation {
            Implementation::Preset(preset) => {
                let BlockType { module, name } = &preset.target;
                let inner = self.find(module, name).map_err(|not_found| match not_found {
                    NotFound::Module => {
                        let text = no_such_module(module, self);
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
                let uses = uses.into_iter().map(|(used, _)| used);
                Ok(Arc::new(SubWorkflowBlock::new(spec, workflow, uses, self)?))
            }
        }
    }
}

impl Own<'_> {
    /// How deep and how large a block is that uses these, within the limits: whatever order the
    /// blocks are declared in, and whichever archives they are from.
    fn composition(
        &self,
        implementation: &Implementation,
        uses: &[(BlockType, String)],
    ) -> Result<Composition, Problem> {
        let own_blocks = u64::from(matches!(implementation, Implementation::Workflow(_)));
        let mut sum = Composition { depth: 1, inner_blocks: 0 };
        for (used, pointer) in uses {
            // What is not found is reported where the block is made.
            let Ok(block) = self.find(&used.module, &used.name) else { continue };
            let Composition { depth, inner_blocks } = block.spec().composition;
            sum.depth = sum.depth.max(depth.saturating_add(1));
            sum.inner_blocks = sum.inner_blocks.saturating_add(inner_blocks + own_blocks);
            if sum.depth > MAX_DEPTH {
                return Err(too_deep(pointer));
            }
            if sum.inner_blocks > MAX_INNER_BLOCKS {
                let text = format!("the block runs more than {MAX_INNER_BLOCKS} inner blocks");
                return Err(Problem::new(pointer, text));
            }
        }
        Ok(sum)
    }
}

impl Catalog for Own<'_> {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        match self.modules.get(&self.full(module)) {
            Some(module) => module.get(block_type).ok_or(NotFound::BlockType),
            None => self.outside.find(module, block_type),
        }
    }

    fn alternatives(&self, module: &str) -> Vec<String> {
        self.outside.alternatives(module)
    }
}

fn too_deep(pointer: &str) -> Problem {
    Problem::new(pointer, format!("blocks depend on each other more than {MAX_DEPTH} deep"))
}

fn error(file: &str, problem: Problem) -> ManifestError {
    let Problem { pointer, text, diagnostics } = problem;
    ManifestError { file: file.to_owned(), pointer, problem: text, diagnostics }
}
