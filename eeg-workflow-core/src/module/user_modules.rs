//! The modules that one user may use.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use super::registry::Module;
use crate::block::{Block, Catalog, NotFound, OwnerId};

/// All modules at one time.
pub(super) struct Snapshot {
    entries: Vec<ModuleEntry>,
    /// The entries of this full name: one is public or built in at most, and one of each owner.
    by_name: HashMap<String, Vec<usize>>,
    /// The entries of this folder name, whatever their archive is called.
    by_folder: HashMap<String, Vec<usize>>,
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
    /// The modules of other archives that its blocks run, and those that these run, in the
    /// order of their names; empty for a module that depends on built-in ones only.
    pub depends_on: Arc<[ModuleVersion]>,
    /// The number of archives in its longest chain of dependencies; 0 for a built-in module.
    pub(super) level: usize,
}

/// A module of an archive, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModuleVersion {
    /// The module's full name, `Archive.zip:Module`.
    pub module: String,
    /// The archive's SHA-256 in hexadecimal digits.
    pub digest: String,
}

/// The part of a full module name that is the folder's.
pub(super) fn folder_of(module: &str) -> &str {
    module.split_once(':').map_or(module, |(_, folder)| folder)
}

impl Snapshot {
    pub(super) fn new(entries: Vec<ModuleEntry>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::default();
        let mut by_folder: HashMap<String, Vec<usize>> = HashMap::default();
        for (i, entry) in entries.iter().enumerate() {
            let name = entry.module.name();
            by_name.entry(name.to_owned()).or_default().push(i);
            by_folder.entry(folder_of(name).to_owned()).or_default().push(i);
        }
        Self { entries, by_name, by_folder }
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
            depends_on: Arc::default(),
            level: 0,
        }
    }

    /// This module's name and digest, unless it is built in.
    pub fn version(&self) -> Option<ModuleVersion> {
        let digest = self.digest.as_ref()?.to_string();
        Some(ModuleVersion { module: self.module.name().to_owned(), digest })
    }
}

/// The modules that one user may use, as they were when this was made.
#[derive(Clone)]
pub struct UserModules {
    snapshot: Arc<Snapshot>,
    user: OwnerId,
}

impl UserModules {
    pub(super) fn new(snapshot: Arc<Snapshot>, user: OwnerId) -> Self {
        Self { snapshot, user }
    }

    /// The modules: the built-in ones, then the others in the order of their installation. A
    /// public module is left out where the user has a module of the same full name.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleEntry> {
        self.snapshot.entries.iter().filter(|entry| {
            self.may_use(entry)
                && self.exact(entry.module.name()).is_some_and(|used| std::ptr::eq(used, *entry))
        })
    }

    /// The module of this full name, if the user may use it. Where there is none, the module of
    /// the same folder from an archive of another name, if there is exactly one.
    pub fn module(&self, name: &str) -> Option<&ModuleEntry> {
        let mut alike = self.exact(name).is_none().then(|| self.alike(name)).into_iter().flatten();
        match (self.exact(name), alike.next(), alike.next()) {
            (Some(exact), ..) => Some(exact),
            (None, only, None) => only,
            (None, _, Some(_)) => None,
        }
    }

    /// The modules, the built-in and public ones and those of the user, that have this folder's
    /// name, by whichever archive. A name that names no archive names nothing.
    fn alike(&self, name: &str) -> impl Iterator<Item = &ModuleEntry> {
        let folder = name.contains(':').then(|| folder_of(name));
        let indices = folder.and_then(|folder| self.snapshot.by_folder.get(folder));
        let entries = indices.into_iter().flatten().filter_map(|i| self.snapshot.entries.get(*i));
        entries.filter(|entry| {
            self.exact(entry.module.name()).is_some_and(|used| std::ptr::eq(used, *entry))
        })
    }

    /// The user's own module of this full name, or else the one that everybody may use.
    fn exact(&self, name: &str) -> Option<&ModuleEntry> {
        let indices = self.snapshot.by_name.get(name)?;
        let entries = || indices.iter().filter_map(|i| self.snapshot.entries.get(*i));
        let own = entries().find(|entry| entry.owner_id == Some(self.user));
        own.or_else(|| entries().find(|entry| entry.public))
    }

    fn may_use(&self, entry: &ModuleEntry) -> bool {
        entry.public || entry.owner_id == Some(self.user)
    }

    /// The versions of these modules and of all that their blocks run, built-in ones left out.
    pub fn versions<'a>(&self, modules: impl IntoIterator<Item = &'a str>) -> Vec<ModuleVersion> {
        let mut versions: Vec<ModuleVersion> = Vec::new();
        let mut add = |version: ModuleVersion| {
            if !versions.contains(&version) {
                versions.push(version);
            }
        };
        for entry in modules.into_iter().filter_map(|name| self.module(name)) {
            entry.version().into_iter().for_each(&mut add);
            entry.depends_on.iter().cloned().for_each(&mut add);
        }
        versions
    }
}

impl Catalog for UserModules {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        let entry = self.module(module).ok_or(NotFound::Module)?;
        entry.module.get(block_type).ok_or(NotFound::BlockType)
    }

    fn alternatives(&self, module: &str) -> Vec<String> {
        let describe = |entry: &ModuleEntry| match &entry.archive {
            None => format!("\"{}\" (built in)", entry.module.name()),
            Some(_) if entry.owner_id == Some(self.user) => {
                format!("\"{}\" (your own)", entry.module.name())
            }
            Some(_) => format!("\"{}\" (of {})", entry.module.name(), entry.owner),
        };
        self.alike(module).map(describe).collect()
    }
}

impl fmt::Debug for UserModules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.modules().map(|entry| entry.module.name());
        f.debug_struct("UserModules")
            .field("user", &self.user)
            .field("modules", &names.collect::<Vec<_>>())
            .finish()
    }
}
