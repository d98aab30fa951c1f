//! The archives on disk, and who may use their modules.

mod archive_info;
mod compose;
mod error;
mod folder;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive::{Archive, ArchiveLimits};
use super::language::ModuleRuntime;
use super::registry::ModuleRegistry;
use super::user_modules::{Snapshot, UserModules, folder_of};
use crate::block::OwnerId;
use crate::sync::{Condvar, Mutex, MutexGuard, RwLock};
pub use archive_info::ArchiveInfo;
use compose::{Composer, Stored, dependents, in_order_of_dependency, inspect, snapshot};
pub use error::{BrokenArchive, Dependent, InstallError, LibraryError, RemoveError};
use folder::{Folder, Record};

/// The version of the index file's format.
const FORMAT: u32 = 1;

/// Who an archive belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's id.
    pub id: OwnerId,
    /// The user's e-mail address, as designers show it.
    pub email: String,
}

/// An archive to be installed: its file name and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct NewArchive<'a> {
    /// The file name, such as `Lab.zip`.
    pub name: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What an installation brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// The number of block types.
    pub blocks: usize,
    /// The modules' full names.
    pub modules: Vec<String>,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub digest: String,
    /// The archives that depend on it, directly or not, and use it from now on.
    pub dependents: Vec<Dependent>,
    /// What the owner should know of the archive, such as files that are not used.
    pub warnings: Vec<String>,
}

/// The archives of modules in a folder, and who may use them. Can be used from any thread;
/// installing does not hold up those who look modules up.
pub struct ModuleLibrary {
    folder: Folder,
    limits: ArchiveLimits,
    /// Held while the library is changed.
    archives: Mutex<Vec<Stored>>,
    /// The digests of archives that are being installed, each by one thread only.
    installing: Mutex<Vec<String>>,
    installed: Condvar,
    builtin: ModuleRegistry,
    runtime: Option<Arc<dyn ModuleRuntime>>,
    snapshot: RwLock<Arc<Snapshot>>,
    problems: Vec<BrokenArchive>,
}

impl ModuleLibrary {
    /// Opens the library in a folder (made if it is not there) and reads what was installed
    /// before, each archive after those that it depends on. An archive that can no longer be
    /// used is skipped and listed in [`Self::problems`]. It takes declarative modules only.
    ///
    /// # Errors
    /// The folder cannot be used, or its index cannot be read.
    pub fn open(
        folder: &Path,
        builtin: ModuleRegistry,
        limits: ArchiveLimits,
    ) -> Result<Self, LibraryError> {
        Self::open_with(folder, builtin, limits, None)
    }

    /// The same with a runtime for modules that are code.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        folder: &Path,
        builtin: ModuleRegistry,
        limits: ArchiveLimits,
        runtime: Option<Arc<dyn ModuleRuntime>>,
    ) -> Result<Self, LibraryError> {
        let (folder, records) = Folder::open(folder)?;
        let composer = Composer {
            folder: &folder,
            limits: &limits,
            builtin: &builtin,
            runtime: runtime.as_deref(),
        };
        let (archives, problems) = composer.all(records);
        if let Some(runtime) = &runtime {
            let code = archives.iter().filter(|stored| stored.record.listing.is_some());
            runtime.keep(&code.map(|stored| stored.record.digest.as_str()).collect::<Vec<_>>());
        }
        let snapshot = RwLock::new(Arc::new(snapshot(&builtin, &archives)));
        let archives = Mutex::new(archives);
        let (installing, installed) = Default::default();
        Ok(Self {
            folder,
            limits,
            archives,
            installing,
            installed,
            builtin,
            runtime,
            snapshot,
            problems,
        })
    }

    /// The archives that were found broken when the library was opened.
    pub fn problems(&self) -> &[BrokenArchive] {
        &self.problems
    }

    /// Installs an archive: all of its modules, or none.
    ///
    /// Names of modules and archives are their owner's own: only the names of public modules are
    /// taken for everybody.
    ///
    /// # Errors
    /// The archive is unsafe or damaged, the owner has an archive of this name, one of its
    /// modules is there already, is wrong or cannot be loaded, or the archive could not be
    /// stored.
    pub fn install(
        &self,
        owner: &Owner,
        public: bool,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Installed, InstallError> {
        let archive = Archive::read(file_name, bytes, &self.limits)?;
        self.put(owner, Change::Install { public }, archive, bytes)
    }

    /// Installs several archives, each after those that it depends on, whatever their order
    /// here. The results are in the order of the archives.
    ///
    /// # Errors
    /// Which archive could not be installed, by its position here, and why. Those before it in
    /// the order of dependency are installed.
    pub fn install_all(
        &self,
        owner: &Owner,
        public: bool,
        archives: &[NewArchive<'_>],
    ) -> Result<Vec<Installed>, (usize, InstallError)> {
        let mut read = Vec::with_capacity(archives.len());
        for (i, NewArchive { name, bytes }) in archives.iter().enumerate() {
            let archive =
                Archive::read(name, bytes, &self.limits).map_err(|error| (i, error.into()))?;
            read.push((i, archive, *bytes));
        }
        let mut installed = Vec::with_capacity(read.len());
        for (i, archive, bytes) in in_order_of_dependency(read, |(_, archive, _)| archive) {
            let change = Change::Install { public };
            let result = self.put(owner, change, archive, bytes).map_err(|error| (i, error))?;
            installed.push((i, result));
        }
        installed.sort_by_key(|(i, _)| *i);
        Ok(installed.into_iter().map(|(_, result)| result).collect())
    }

    /// Replaces an owner's archive of this file name by another version, in one step: whoever
    /// looks sees the one or the other. Archives that depend on it use the new one from then on;
    /// plans that were made before keep the old one. `public` is as it was where it is none.
    ///
    /// # Errors
    /// As [`Self::install`]; also if the owner has no archive of this name, or an archive that
    /// depends on the old version could not use the new one.
    pub fn replace(
        &self,
        owner: &Owner,
        public: Option<bool>,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Installed, InstallError> {
        let archive = Archive::read(file_name, bytes, &self.limits)?;
        self.put(owner, Change::Replace { public }, archive, bytes)
    }

    /// Removes an owner's archive of this file name. Plans that were made with its modules keep
    /// working. So do archives whose modules depend on it (see [`Self::dependents`]), until the
    /// library is opened again: then they are among its [problems](Self::problems).
    ///
    /// # Errors
    /// The owner has no such archive, or the change could not be stored.
    pub fn remove(&self, owner: &Owner, archive: &str) -> Result<(), RemoveError> {
        let mut archives = self.lock();
        let (gone, next): (Vec<Stored>, Vec<Stored>) =
            archives.iter().cloned().partition(|stored| stored.record.is(owner.id, archive));
        if gone.is_empty() {
            return Err(RemoveError::NotFound(archive.to_owned()));
        }
        self.folder.write_index(records(&next)).map_err(RemoveError::Storage)?;
        for Stored { record, .. } in &gone {
            self.discard(record, &next);
        }
        *archives = next;
        self.publish(&archives);
        Ok(())
    }

    /// The archives whose modules depend on an owner's archive of this file name, directly or
    /// not, as far as that owner may know them.
    pub fn dependents(&self, owner: &Owner, archive: &str) -> Vec<Dependent> {
        let archives = self.lock();
        let record = archives.iter().map(|stored| &stored.record);
        let record = record.into_iter().find(|record| record.is(owner.id, archive));
        record.map(|record| describe_dependents(&archives, record, owner.id)).unwrap_or_default()
    }

    /// The modules that a user may use, as they are now: the built-in ones, the user's own and
    /// the public ones. Cheap.
    pub fn view(&self, user: OwnerId) -> UserModules {
        let snapshot = self.snapshot.read();
        UserModules::new(Arc::clone(&snapshot), user)
    }

    /// Puts an archive into the library, in place of another or not.
    fn put(
        &self,
        owner: &Owner,
        change: Change,
        archive: Archive,
        bytes: &[u8],
    ) -> Result<Installed, InstallError> {
        // The same bytes at the same time: what the runtime has of them is one and the same.
        let _turn = self.turn(&archive.digest);
        let archives = self.lock();
        change.place(owner, &archive, &archives, &self.builtin)?;
        let digest_is_new = !archives.iter().any(|stored| stored.record.digest == archive.digest);
        drop(archives);
        // Code takes its time to load: nobody else has to wait for it.
        let listing = inspect(&archive, owner.id, self.runtime.as_deref())?;
        let is_code = listing.is_some();

        let result = self.put_inspected(owner, change, &archive, bytes, listing);
        if result.is_err()
            && let Some(runtime) = self.runtime.as_deref().filter(|_| digest_is_new && is_code)
        {
            runtime.forget(&archive.digest);
        }
        result
    }

    fn put_inspected(
        &self,
        owner: &Owner,
        change: Change,
        archive: &Archive,
        bytes: &[u8],
        listing: Option<serde_json::Value>,
    ) -> Result<Installed, InstallError> {
        let mut archives = self.lock();
        // Once more: others may have changed the library meanwhile.
        let (place, public) = change.place(owner, archive, &archives, &self.builtin)?;
        let record = Record {
            listing,
            archive: archive.name.clone(),
            owner: owner.clone(),
            public,
            digest: archive.digest.clone(),
            modules: archive.modules.iter().map(|module| module.name.clone()).collect(),
        };
        let composer = self.composer();
        let mut next = archives.clone();
        let old = place.map(|i| next.remove(i));
        let composed = composer.compose(archive, &record, &next)?;
        let new = Stored { record: record.clone(), composed };
        let depending = dependents(&next, &record);
        let used = depending.iter().filter_map(|i| next.get(*i));
        if let Some(dependent) = used.into_iter().find(|dependent| new.uses(&dependent.record)) {
            let dependent = describe(&dependent.record, owner.id);
            return Err(InstallError::Circle { archive: record.archive, dependent });
        }
        next.insert(place.unwrap_or(next.len()), new.clone());
        // Where nothing is replaced, those that lost an archive of this name keep the one they had.
        if let Err((dependent, error)) = composer.refresh(&mut next, &record)
            && old.is_some()
        {
            let dependent = next.get(dependent).map(|stored| describe(&stored.record, owner.id));
            return Err(InstallError::BreaksDependent {
                archive: record.archive,
                dependent: dependent.unwrap_or(Dependent::Private),
                error: Box::new(error),
            });
        }
        let stored = self.folder.write(&record, bytes);
        if let Err(error) = stored.and_then(|()| self.folder.write_index(records(&next))) {
            self.discard(&record, &archives);
            return Err(InstallError::Storage(error));
        }
        if let Some(old) = old {
            self.discard(&old.record, &next);
        }
        let installed = Installed {
            blocks: new.composed.modules.iter().map(|module| module.blocks().len()).sum(),
            modules: new.composed.modules.iter().map(|module| module.name().to_owned()).collect(),
            dependents: describe_dependents(&next, &record, owner.id),
            warnings: self.warnings(archive),
            digest: record.digest,
        };
        *archives = next;
        self.publish(&archives);
        Ok(installed)
    }

    fn warnings(&self, archive: &Archive) -> Vec<String> {
        let mut warnings = archive.warnings();
        warnings.extend(self.runtime.iter().flat_map(|runtime| runtime.warnings(archive)));
        warnings
    }

    /// Removes what is stored of an archive, unless another of the same bytes is left.
    fn discard(&self, record: &Record, left: &[Stored]) {
        if left.iter().any(|stored| stored.record.digest == record.digest) {
            return;
        }
        self.folder.remove(record);
        if let Some(runtime) = self.runtime.as_ref().filter(|_| record.listing.is_some()) {
            runtime.forget(&record.digest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.archives.lock()
    }

    fn composer(&self) -> Composer<'_> {
        Composer {
            folder: &self.folder,
            limits: &self.limits,
            builtin: &self.builtin,
            runtime: self.runtime.as_deref(),
        }
    }

    /// Waits until nobody else installs an archive of this digest.
    fn turn(&self, digest: &str) -> Turn<'_> {
        let mut installing = self.installing.lock();
        while installing.iter().any(|other| other == digest) {
            installing = self.installed.wait(installing);
        }
        installing.push(digest.to_owned());
        Turn { library: self, digest: digest.to_owned() }
    }

    fn publish(&self, archives: &[Stored]) {
        let next = Arc::new(snapshot(&self.builtin, archives));
        *self.snapshot.write() = next;
    }
}

/// How an archive comes into the library.
#[derive(Clone, Copy)]
enum Change {
    Install {
        public: bool,
    },
    /// In place of the owner's archive of the same name.
    Replace {
        public: Option<bool>,
    },
}

impl Change {
    /// The position of the archive that is replaced, and whether the new one is public.
    fn place(
        self,
        owner: &Owner,
        archive: &Archive,
        archives: &[Stored],
        builtin: &ModuleRegistry,
    ) -> Result<(Option<usize>, bool), InstallError> {
        let mut records = archives.iter().map(|stored| &stored.record);
        let place = records.position(|record| record.is(owner.id, &archive.name));
        let old = place.and_then(|i| archives.get(i)).map(|stored| &stored.record);
        let (replaced, public) = match (self, old) {
            (Self::Install { public }, _) => (None, public),
            (Self::Replace { public }, Some(old)) => (place, public.unwrap_or(old.public)),
            (Self::Replace { .. }, None) => {
                return Err(InstallError::NotFound(archive.name.clone()));
            }
        };
        let others = archives.iter().enumerate().filter(|(i, _)| Some(*i) != replaced);
        let taken = others.map(|(_, stored)| &stored.record);
        // Nobody is told the names of others' private modules.
        let taken = taken.filter(|record| record.public || record.owner.id == owner.id);
        let taken = taken.flat_map(|record| &record.modules).map(String::as_str);
        let builtin = builtin.modules().iter().map(|module| folder_of(module.name()));
        let taken: Vec<&str> = builtin.chain(taken).collect();
        if let Some(module) = archive.modules.iter().find(|one| taken.contains(&&*one.name)) {
            let (module, archive) = (module.name.clone(), archive.name.clone());
            return Err(InstallError::ModuleExists { module, archive });
        }
        if replaced.is_none() && old.is_some() {
            return Err(InstallError::ArchiveExists(archive.name.clone()));
        }
        Ok((replaced, public))
    }
}

fn records(archives: &[Stored]) -> Vec<Record> {
    archives.iter().map(|stored| stored.record.clone()).collect()
}

/// An archive as this user may know it.
fn describe(record: &Record, user: OwnerId) -> Dependent {
    if record.public || record.owner.id == user {
        let (archive, owner) = (record.archive.clone(), record.owner.email.clone());
        Dependent::Known { archive, owner }
    } else {
        Dependent::Private
    }
}

fn describe_dependents(archives: &[Stored], on: &Record, user: OwnerId) -> Vec<Dependent> {
    let positions = dependents(archives, on).into_iter();
    let dependents = positions.filter_map(|i| archives.get(i));
    dependents.map(|stored| describe(&stored.record, user)).collect()
}

/// An archive is being installed until this is dropped.
struct Turn<'a> {
    library: &'a ModuleLibrary,
    digest: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let installing = &self.library.installing;
        let mut installing = installing.lock();
        installing.retain(|other| *other != self.digest);
        drop(installing);
        self.library.installed.notify_all();
    }
}

impl fmt::Debug for ModuleLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleLibrary").field("folder", &self.folder).finish_non_exhaustive()
    }
}
