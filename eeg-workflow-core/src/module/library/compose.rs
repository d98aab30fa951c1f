//! From archives to modules, each after those that it depends on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::{BrokenArchive, InstallError};
use super::folder::{Folder, Record};
use crate::block::OwnerId;
use crate::module::archive::{Archive, ArchiveLimits, ModuleKind};
use crate::module::declarative;
use crate::module::language::ModuleRuntime;
use crate::module::registry::{Module, ModuleRegistry};
use crate::module::user_modules::{ModuleEntry, ModuleVersion, Snapshot, UserModules, folder_of};

/// The maximum length of a chain of archives that depend on each other: their blocks run inside
/// each other.
const MAX_LEVEL: usize = 8;

/// An archive in the library.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) composed: Composed,
}

/// The modules of an archive; none while it is broken.
#[derive(Clone, Default)]
pub(super) struct Composed {
    pub(super) modules: Vec<Arc<Module>>,
    /// The archives that it depends on directly: their owners and file names.
    uses: BTreeSet<(OwnerId, String)>,
    depends_on: Arc<[ModuleVersion]>,
    /// One more than the highest level of the archives that it depends on.
    level: usize,
}

impl Stored {
    /// Whether its modules use some of this archive.
    pub(super) fn uses(&self, other: &Record) -> bool {
        self.composed.uses.iter().any(|(owner, archive)| other.is(*owner, archive))
    }

    pub(super) fn is_broken(&self) -> bool {
        self.composed.modules.is_empty()
    }
}

/// What archives are made into modules with.
pub(super) struct Composer<'a> {
    pub(super) folder: &'a Folder,
    pub(super) limits: &'a ArchiveLimits,
    pub(super) builtin: &'a ModuleRegistry,
    pub(super) runtime: Option<&'a dyn ModuleRuntime>,
}

impl Composer<'_> {
    /// The modules of all archives that were installed before, and what is wrong with the rest.
    /// The order of installation is that of the result, not that in which they are made.
    pub(super) fn all(&self, records: Vec<Record>) -> (Vec<Stored>, Vec<BrokenArchive>) {
        let mut problems = Vec::new();
        let mut archives = Vec::with_capacity(records.len());
        let mut pending = Vec::new();
        for (i, record) in records.into_iter().enumerate() {
            match self.read(&record) {
                Ok(archive) => pending.push((i, archive)),
                Err(error) => problems.push((i, broken(&record, error))),
            }
            archives.push(Stored { record, composed: Composed::default() });
        }
        for (i, archive) in in_order_of_dependency(pending, |(_, archive)| archive) {
            let Some(Stored { record, .. }) = archives.get(i) else { continue };
            match self.compose(&archive, record, &archives) {
                Ok(composed) => {
                    if let Some(stored) = archives.get_mut(i) {
                        stored.composed = composed;
                    }
                }
                Err(error) => problems.push((i, broken(record, error))),
            }
        }
        problems.sort_by_key(|(i, _)| *i);
        (archives, problems.into_iter().map(|(_, problem)| problem).collect())
    }

    /// Makes the modules anew of those archives that depend on this one, directly or not; and of
    /// those that were broken and may not be any more.
    ///
    /// # Errors
    /// The position of the first archive that worked before and would not work now, and why.
    pub(super) fn refresh(
        &self,
        archives: &mut [Stored],
        changed: &Record,
    ) -> Result<(), (usize, InstallError)> {
        let dependents = dependents(archives, changed);
        let mut pending = Vec::new();
        for (i, stored) in archives.iter().enumerate() {
            if !dependents.contains(&i) && !stored.is_broken() {
                continue;
            }
            match self.read(&stored.record) {
                Ok(archive) => pending.push((i, archive)),
                Err(error) if !stored.is_broken() => return Err((i, error)),
                Err(_) => {}
            }
        }
        for (i, archive) in in_order_of_dependency(pending, |(_, archive)| archive) {
            let Some(stored) = archives.get(i) else { continue };
            match self.compose(&archive, &stored.record, archives) {
                Ok(composed) => {
                    if let Some(stored) = archives.get_mut(i) {
                        stored.composed = composed;
                    }
                }
                Err(error) if !stored.is_broken() => return Err((i, error)),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Makes the modules of a valid archive, those that are code by their listing.
    pub(super) fn compose(
        &self,
        archive: &Archive,
        record: &Record,
        archives: &[Stored],
    ) -> Result<Composed, InstallError> {
        if self.runtime.is_none() {
            // Says which module is code, if one is.
            inspect(archive, record.owner.id, None)?;
        }
        let snapshot = Arc::new(snapshot(self.builtin, archives));
        let view = UserModules::new(snapshot, record.owner.id);
        let (mut modules, used) = declarative::modules(archive, &view)?;
        if let (Some(listing), Some(runtime)) = (&record.listing, self.runtime) {
            modules.extend(runtime.modules(archive, listing).map_err(InstallError::Code)?);
        }
        let used: Vec<&ModuleEntry> = used.iter().filter_map(|name| view.module(name)).collect();
        let level = 1 + used.iter().map(|entry| entry.level).max().unwrap_or(0);
        if level > MAX_LEVEL {
            return Err(InstallError::TooDeep { archive: archive.name.clone(), limit: MAX_LEVEL });
        }
        let uses = used
            .iter()
            .filter_map(|entry| Some((entry.owner_id?, entry.archive.as_deref()?.to_owned())));
        let versions = used
            .iter()
            .flat_map(|entry| entry.version().into_iter().chain(entry.depends_on.iter().cloned()));
        let versions: BTreeSet<ModuleVersion> = versions.collect();
        Ok(Composed {
            modules: modules.into_iter().map(Arc::new).collect(),
            uses: uses.collect(),
            depends_on: versions.into_iter().collect(),
            level,
        })
    }

    fn read(&self, record: &Record) -> Result<Archive, InstallError> {
        let bytes = self.folder.read(record).map_err(InstallError::Storage)?;
        Ok(Archive::read(&record.archive, &bytes, self.limits)?)
    }
}

fn broken(record: &Record, error: InstallError) -> BrokenArchive {
    BrokenArchive { archive: record.archive.clone(), owner: record.owner.clone(), error }
}

/// The positions of the archives that depend on this one, directly or not.
pub(super) fn dependents(archives: &[Stored], on: &Record) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next = vec![on];
    while let Some(on) = next.pop() {
        for (i, stored) in archives.iter().enumerate() {
            if stored.uses(on) && found.insert(i) {
                next.push(&stored.record);
            }
        }
    }
    found
}

/// Puts archives after those that their manifests name. (Of archives that name each other, the
/// first comes first: making its modules says what is missing.)
pub(super) fn in_order_of_dependency<T>(
    archives: Vec<T>,
    archive_of: impl Fn(&T) -> &Archive,
) -> Vec<T> {
    let mut waiting: Vec<_> = archives
        .into_iter()
        .map(|item| {
            let named = declarative::modules_named(archive_of(&item));
            (item, named)
        })
        .collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |(i, (_, named)): (usize, &(T, _))| {
            let named: &foldhash::HashSet<String> = named;
            let others = waiting.iter().enumerate().filter(|(other, _)| *other != i);
            let mut folders = others.flat_map(|(_, (item, _))| &archive_of(item).modules);
            !folders.any(|module| named.iter().any(|name| folder_of(name) == module.name))
        };
        let ready = waiting.iter().enumerate().position(is_ready).unwrap_or(0);
        ordered.push(waiting.remove(ready).0);
    }
    ordered
}

/// Lets the runtime load the modules that are code, if there are such modules.
pub(super) fn inspect(
    archive: &Archive,
    owner: OwnerId,
    runtime: Option<&dyn ModuleRuntime>,
) -> Result<Option<serde_json::Value>, InstallError> {
    let code = archive.written_in(ModuleKind::Python).next();
    let Some(module) = code else { return Ok(None) };
    let Some(runtime) = runtime else {
        return Err(InstallError::PythonUnavailable { module: module.name.clone() });
    };
    runtime.inspect(owner, archive).map(Some).map_err(InstallError::Code)
}

/// All modules of these archives, and the built-in ones.
pub(super) fn snapshot(builtin: &ModuleRegistry, archives: &[Stored]) -> Snapshot {
    let builtin = builtin.modules().iter().map(ModuleEntry::builtin);
    let stored = archives.iter().flat_map(|Stored { record, composed }| {
        let entry = |module: &Arc<Module>| ModuleEntry {
            module: Arc::clone(module),
            owner: record.owner.email.as_str().into(),
            public: record.public,
            digest: Some(record.digest.as_str().into()),
            archive: Some(record.archive.as_str().into()),
            owner_id: Some(record.owner.id),
            depends_on: Arc::clone(&composed.depends_on),
            level: composed.level,
        };
        composed.modules.iter().map(entry)
    });
    Snapshot::new(builtin.chain(stored).collect())
}
