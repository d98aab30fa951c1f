//! The modules that one user may use.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Module;
use crate::block::{Block, Catalog, NotFound, OwnerId};

/// All modules at one time.
pub(super) struct Snapshot {
    entries: Vec<ModuleEntry>,
    by_name: FxHashMap<String, usize>,
}

/// A module, where it comes from, and who may use it.
#[derive(Clone, Debug)]
pub struct ModuleEntry {
    /// The module.
    pub module: Arc<Module>,
    /// The owner's e-mail address; empty for a built-in module.
    pub owner: Arc<str>,
    /// Whether everybody may use it, as they may the built-in ones.
    pub public: bool,
    /// The SHA-256 of its archive in hexadecimal digits; none for a built-in module.
    pub digest: Option<Arc<str>>,
    /// The file name of its archive; none for a built-in module.
    pub archive: Option<Arc<str>>,
    /// The owner's id; none for a built-in module.
    pub owner_id: Option<OwnerId>,
    /// How deep its archive stands on others; 0 for a built-in module.
    pub(super) level: usize,
}

impl Snapshot {
    pub(super) fn new(entries: Vec<ModuleEntry>) -> Self {
        let names = entries.iter().enumerate();
        let by_name = names.map(|(i, entry)| (entry.module.name().to_owned(), i)).collect();
        Self { entries, by_name }
    }
}

impl ModuleEntry {
    pub(super) fn builtin(module: &Arc<Module>) -> Self {
        Self {
            module: Arc::clone(module),
            owner: "".into(),
            public: true,
            digest: None,
            archive: None,
            owner_id: None,
            level: 0,
        }
    }
}

/// The modules that one user may use, as they were when the view was made.
#[derive(Clone)]
pub struct View {
    snapshot: Arc<Snapshot>,
    user: OwnerId,
}

impl View {
    pub(super) fn new(snapshot: Arc<Snapshot>, user: OwnerId) -> Self {
        Self { snapshot, user }
    }

    /// The modules: the built-in ones, then the others in the order of their installation.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleEntry> {
        self.snapshot.entries.iter().filter(|entry| self.may_use(entry))
    }

    /// The module of this full name, if the user may use it.
    pub fn module(&self, name: &str) -> Option<&ModuleEntry> {
        let entry = self.snapshot.entries.get(*self.snapshot.by_name.get(name)?)?;
        self.may_use(entry).then_some(entry)
    }

    fn may_use(&self, entry: &ModuleEntry) -> bool {
        entry.public || entry.owner_id == Some(self.user)
    }
}

impl Catalog for View {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        let entry = self.module(module).ok_or(NotFound::Module)?;
        entry.module.get(block_type).ok_or(NotFound::BlockType)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.modules().map(|entry| entry.module.name());
        f.debug_struct("View")
            .field("user", &self.user)
            .field("modules", &names.collect::<Vec<_>>())
            .finish()
    }
}
