//! What a library says of its archives, and who may use them.

use super::compose::{Stored, dependents};
use super::{Dependent, InstallError, ModuleLibrary, Owner, describe, folder_of, records};
use crate::block::OwnerId;

/// An archive of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveInfo {
    /// Its file name.
    pub archive: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether everybody may use its modules.
    pub public: bool,
    /// Its SHA-256 in hexadecimal digits.
    pub digest: String,
    /// The full names of its modules, `Archive.zip:Module`.
    pub modules: Vec<String>,
    /// The archives that depend on it, directly or not, as far as its owner may know them.
    pub dependents: Vec<Dependent>,
}

impl ModuleLibrary {
    /// All archives, whoever's they are, in the order in which they were installed.
    pub fn archives(&self) -> Vec<ArchiveInfo> {
        let archives = self.lock();
        archives.iter().map(|stored| info(stored, &archives)).collect()
    }

    /// The archive of this owner and file name.
    pub fn archive(&self, owner: OwnerId, archive: &str) -> Option<ArchiveInfo> {
        let archives = self.lock();
        let stored = archives.iter().find(|stored| stored.record.is(owner, archive))?;
        Some(info(stored, &archives))
    }

    /// Lets everybody use the modules of an archive, or its owner alone.
    ///
    /// # Errors
    /// There is no such archive, a public module has the name of one of its modules, the archive
    /// of somebody else depends on it, or the change could not be stored.
    pub fn set_public(
        &self,
        owner: OwnerId,
        archive: &str,
        public: bool,
    ) -> Result<ArchiveInfo, InstallError> {
        let mut archives = self.lock();
        let mut next = archives.clone();
        let stored = next.iter_mut().find(|stored| stored.record.is(owner, archive));
        let stored = stored.ok_or_else(|| InstallError::NotFound(archive.to_owned()))?;
        stored.record.public = public;
        let changed = stored.clone();
        let record = &changed.record;
        if public {
            self.check_names_are_free(&changed, &archives)?;
        }
        if let Err((dependent, error)) = self.composer().refresh(&mut next, record) {
            let dependent = next.get(dependent).map(|stored| describe(&stored.record, owner));
            return Err(InstallError::BreaksDependent {
                archive: record.archive.clone(),
                dependent: dependent.unwrap_or(Dependent::Private),
                error: Box::new(error),
            });
        }
        self.folder.write_index(records(&next)).map_err(InstallError::Storage)?;
        let info = info(&changed, &next);
        *archives = next;
        self.publish(&archives);
        Ok(info)
    }

    /// Names of public modules are there once.
    fn check_names_are_free(&self, new: &Stored, all: &[Stored]) -> Result<(), InstallError> {
        let new = &new.record;
        let others = all.iter().map(|stored| &stored.record);
        let others = others.filter(|one| one.public && !one.is(new.owner.id, &new.archive));
        let taken = others.flat_map(|record| &record.modules).map(String::as_str);
        let builtin = self.builtin.modules().iter().map(|module| folder_of(module.name()));
        let taken: Vec<&str> = taken.chain(builtin).collect();
        match new.modules.iter().find(|module| taken.contains(&module.as_str())) {
            None => Ok(()),
            Some(module) => Err(InstallError::ModuleExists {
                module: module.clone(),
                archive: new.archive.clone(),
            }),
        }
    }
}

fn info(stored: &Stored, all: &[Stored]) -> ArchiveInfo {
    let record = &stored.record;
    let depending = dependents(all, record).into_iter().filter_map(|i| all.get(i));
    ArchiveInfo {
        archive: record.archive.clone(),
        owner: record.owner.clone(),
        public: record.public,
        digest: record.digest.clone(),
        modules: record.modules.iter().map(|name| format!("{}:{name}", record.archive)).collect(),
        dependents: depending.map(|one| describe(&one.record, record.owner.id)).collect(),
    }
}
