//! The archives on disk, and who may use their modules.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive::{self, Archive, ArchiveLimits, ModuleKind};
use super::view::Snapshot;
use super::{
    ArchiveError, ManifestError, Module, ModuleEntry, ModuleRegistry, ModuleRuntime, RuntimeError,
    View, declarative,
};
use crate::block::OwnerId;
use crate::sync::{Condvar, Mutex, RwLock};

/// The version of the index file's format.
const FORMAT: u32 = 1;
const INDEX: &str = "modules.json";
/// Archives may stand on each other so deep: their blocks run inside each other.
const MAX_LEVEL: usize = 8;

/// Who an archive belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's id.
    pub id: OwnerId,
    /// The user's e-mail address, as designers show it.
    pub email: String,
}

/// What an installation brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// How many block types.
    pub blocks: usize,
    /// The modules' full names.
    pub modules: Vec<String>,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub digest: String,
}

/// Why a library could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder or a file in it could not be read or written.
    #[error("{}", .path.display())]
    Storage {
        /// The folder or the file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The index of archives cannot be read.
    #[error("{}: the index of module archives is damaged", .path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The index of archives was written by a later version.
    #[error("{}: format {found} is not known (this is version {FORMAT})", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u32,
    },
}

/// Why an archive was not installed. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The archive is no good.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is a module of that name: a folder's name is taken whoever has it.
    // Clients know this text by heart, its spelling included.
    #[error("Module name '{module}' in {archive} already exsists, pls change the name")]
    ModuleExists {
        /// The folder's name.
        module: String,
        /// The archive that was to be installed.
        archive: String,
    },
    /// A declarative module is no good.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A module is written in Python, and the library has nothing that runs it.
    #[error(
        "module \"{module}\" is written in Python, which is not run here: only declarative \
         modules (module.json) can be installed"
    )]
    PythonUnavailable {
        /// The folder's name.
        module: String,
    },
    /// A module's code cannot be loaded.
    #[error(transparent)]
    Code(RuntimeError),
    /// The archive uses one that uses one, and so on.
    #[error("archive {archive} stands on others more than {limit} deep")]
    TooDeep {
        /// The archive.
        archive: String,
        /// How deep it may be.
        limit: usize,
    },
    /// The archive could not be stored.
    #[error("the archive could not be stored")]
    Storage(#[source] LibraryError),
}

/// Why an archive was not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The owner has no archive of that name.
    #[error("no archive \"{0}\"")]
    NotFound(String),
    /// The change could not be stored.
    #[error("the archive could not be removed")]
    Storage(#[source] LibraryError),
}

/// An archive that was installed but cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct BrokenArchive {
    /// The archive's file name.
    pub archive: String,
    /// Its owner.
    pub owner: Owner,
    /// What is wrong.
    pub error: InstallError,
}

/// The archives of modules in a folder, and who may use them. Can be used from any thread;
/// installing does not hold up those who look modules up.
pub struct ModuleLibrary {
    folder: PathBuf,
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

/// An archive in the library.
#[derive(Clone)]
struct Stored {
    record: Record,
    composed: Composed,
}

/// The modules of an archive; none while it is broken.
#[derive(Clone, Default)]
struct Composed {
    modules: Vec<Arc<Module>>,
    /// One more than those of the archives that it stands on.
    level: usize,
}

/// What the index says of an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    archive: String,
    owner: Owner,
    public: bool,
    digest: String,
    /// The folders' names.
    modules: Vec<String>,
    /// What the runtime said of those that are code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listing: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Index {
    format: u32,
    archives: Vec<Record>,
}

impl Record {
    fn file(&self) -> String {
        format!("{}.zip", self.digest)
    }
}

impl ModuleLibrary {
    /// Opens the library in a folder (made if it is not there) and reads what was installed
    /// before. An archive that can no longer be used is skipped and listed in
    /// [`Self::problems`]. It takes declarative modules only.
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
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| LibraryError::Storage { path, source }
        };
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let records = read_index(&folder.join(INDEX))?;
        sweep(folder, &records).map_err(at(folder))?;

        let mut archives: Vec<Stored> = Vec::new();
        let mut problems = Vec::new();
        // In the order of installation, so that what an archive stands on is there before it.
        for record in records {
            let view = View::new(Arc::new(snapshot(&builtin, &archives)), record.owner.id);
            let composed = match load(folder, &record, &limits, &view, runtime.as_deref()) {
                Ok(composed) => composed,
                Err(error) => {
                    let (archive, owner) = (record.archive.clone(), record.owner.clone());
                    problems.push(BrokenArchive { archive, owner, error });
                    Composed::default()
                }
            };
            archives.push(Stored { record, composed });
        }
        if let Some(runtime) = &runtime {
            let code = archives.iter().filter(|stored| stored.record.listing.is_some());
            runtime.keep(&code.map(|stored| stored.record.digest.as_str()).collect::<Vec<_>>());
        }
        let snapshot = RwLock::new(Arc::new(snapshot(&builtin, &archives)));
        let (folder, archives) = (folder.to_owned(), Mutex::new(archives));
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
    /// # Errors
    /// The archive is unsafe or damaged, one of its modules is there already, is wrong or cannot
    /// be loaded, or the archive could not be stored.
    pub fn install(
        &self,
        owner: &Owner,
        public: bool,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Installed, InstallError> {
        let archive = Archive::read(file_name, bytes, &self.limits)?;
        // The same bytes at the same time: what the runtime has of them is one and the same.
        let _turn = self.turn(&archive.digest);
        let archives = self.archives.lock();
        self.check_names(&archive, &archives)?;
        let digest_is_new = !archives.iter().any(|stored| stored.record.digest == archive.digest);
        drop(archives);
        // Code takes its time to load: nobody else has to wait for it.
        let runtime = self.runtime.as_deref();
        let listing = inspect(&archive, owner.id, runtime)?;

        let mut archives = self.archives.lock();
        let composed = self
            .check_names(&archive, &archives)
            .and_then(|()| compose(&archive, &self.view(owner.id), listing.as_ref(), runtime));
        let composed = match composed {
            Ok(composed) => composed,
            Err(error) => {
                if let Some(runtime) = runtime.filter(|_| digest_is_new && listing.is_some()) {
                    runtime.forget(&archive.digest);
                }
                return Err(error);
            }
        };

        let record = Record {
            listing,
            archive: archive.name,
            owner: owner.clone(),
            public,
            digest: archive.digest,
            modules: archive.modules.into_iter().map(|module| module.name).collect(),
        };
        let installed = Installed {
            blocks: composed.modules.iter().map(|module| module.blocks().len()).sum(),
            modules: composed.modules.iter().map(|module| module.name().to_owned()).collect(),
            digest: record.digest.clone(),
        };
        let file = record.file();
        let mut next = archives.clone();
        next.push(Stored { record, composed });
        let stored = write(&self.folder, &file, bytes).and_then(|()| self.write_index(&next));
        if let Err(error) = stored {
            // What cannot be removed now is swept away when the library is opened.
            let _ = std::fs::remove_file(self.folder.join(&file));
            return Err(InstallError::Storage(error));
        }
        *archives = next;
        self.publish(&archives);
        Ok(installed)
    }

    /// Removes an owner's archive of this file name. Plans that were made with its modules keep
    /// working. So do archives whose modules stand on it, until the library is opened again:
    /// then they are among its [problems](Self::problems).
    ///
    /// # Errors
    /// The owner has no such archive, or the change could not be stored.
    pub fn remove(&self, owner: &Owner, archive: &str) -> Result<(), RemoveError> {
        let mut archives = self.archives.lock();
        let goes = |stored: &Stored| {
            stored.record.owner.id == owner.id && stored.record.archive == archive
        };
        let (gone, next): (Vec<Stored>, Vec<Stored>) = archives.iter().cloned().partition(goes);
        if gone.is_empty() {
            return Err(RemoveError::NotFound(archive.to_owned()));
        }
        self.write_index(&next).map_err(RemoveError::Storage)?;
        for Stored { record, .. } in gone {
            let still = next.iter().any(|stored| stored.record.digest == record.digest);
            if still {
                continue;
            }
            // As above: without its record it is swept away later.
            let _ = std::fs::remove_file(self.folder.join(record.file()));
            if let Some(runtime) = self.runtime.as_ref().filter(|_| record.listing.is_some()) {
                runtime.forget(&record.digest);
            }
        }
        *archives = next;
        self.publish(&archives);
        Ok(())
    }

    /// The modules that a user may use, as they are now: the built-in ones, the user's own and
    /// the public ones. Cheap.
    pub fn view(&self, user: OwnerId) -> View {
        let snapshot = self.snapshot.read();
        View::new(Arc::clone(&snapshot), user)
    }

    /// Waits until nobody else installs an archive of this digest.
    fn turn(&self, digest: &str) -> Turn<'_> {
        let mut installing = self.installing.lock();
        while installing.iter().any(|other| other == digest) {
            let waited = self.installed.wait(installing);
            installing = waited;
        }
        installing.push(digest.to_owned());
        Turn { library: self, digest: digest.to_owned() }
    }

    fn check_names(&self, archive: &Archive, archives: &[Stored]) -> Result<(), InstallError> {
        let mut modules = archive.modules.iter();
        match modules.find(|module| self.is_taken(&module.name, archives)) {
            None => Ok(()),
            Some(module) => {
                let (module, archive) = (module.name.clone(), archive.name.clone());
                Err(InstallError::ModuleExists { module, archive })
            }
        }
    }

    /// Whether some module folder has this name.
    fn is_taken(&self, name: &str, archives: &[Stored]) -> bool {
        let builtin = self.builtin.modules().iter().map(|module| folder_of(module.name()));
        let stored = archives.iter().flat_map(|stored| &stored.record.modules);
        builtin.chain(stored.map(String::as_str)).any(|taken| taken == name)
    }

    fn write_index(&self, archives: &[Stored]) -> Result<(), LibraryError> {
        let archives = archives.iter().map(|stored| stored.record.clone()).collect();
        let path = self.folder.join(INDEX);
        let text = serde_json::to_vec_pretty(&Index { format: FORMAT, archives })
            .map_err(|source| LibraryError::Index { path, source })?;
        write(&self.folder, INDEX, &text)
    }

    fn publish(&self, archives: &[Stored]) {
        let next = Arc::new(snapshot(&self.builtin, archives));
        *self.snapshot.write() = next;
    }
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

/// The part of a full module name that is the folder's.
fn folder_of(module: &str) -> &str {
    module.split_once(':').map_or(module, |(_, folder)| folder)
}

/// Lets the runtime load the modules that are code, if there are such modules.
fn inspect(
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

/// Makes the modules of an archive that was found good, those that are code by their listing.
fn compose(
    archive: &Archive,
    view: &View,
    listing: Option<&serde_json::Value>,
    runtime: Option<&dyn ModuleRuntime>,
) -> Result<Composed, InstallError> {
    let (mut modules, used) = declarative::modules(archive, view)?;
    if let (Some(listing), Some(runtime)) = (listing, runtime) {
        modules.extend(runtime.modules(archive, listing).map_err(InstallError::Code)?);
    }
    let levels = used.iter().filter_map(|name| view.module(name)).map(|entry| entry.level);
    let level = 1 + levels.max().unwrap_or(0);
    if level > MAX_LEVEL {
        return Err(InstallError::TooDeep { archive: archive.name.clone(), limit: MAX_LEVEL });
    }
    Ok(Composed { modules: modules.into_iter().map(Arc::new).collect(), level })
}

/// Reads an archive that was installed before.
fn load(
    folder: &Path,
    record: &Record,
    limits: &ArchiveLimits,
    view: &View,
    runtime: Option<&dyn ModuleRuntime>,
) -> Result<Composed, InstallError> {
    let path = folder.join(record.file());
    let bytes = std::fs::read(&path).map_err(|source| {
        InstallError::Storage(LibraryError::Storage { path: path.clone(), source })
    })?;
    if archive::digest(&bytes) != record.digest {
        let source = std::io::Error::other("the archive is not what was installed");
        return Err(InstallError::Storage(LibraryError::Storage { path, source }));
    }
    let archive = Archive::read(&record.archive, &bytes, limits)?;
    if runtime.is_none() {
        // Says which module is code, if one is.
        inspect(&archive, record.owner.id, None)?;
    }
    compose(&archive, view, record.listing.as_ref(), runtime)
}

fn read_index(path: &Path) -> Result<Vec<Record>, LibraryError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |source| LibraryError::Index { path: path.to_owned(), source };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LibraryError::Storage { path: path.to_owned(), source }),
    };
    let Version { format } = serde_json::from_slice(&text).map_err(damaged)?;
    if format != FORMAT {
        return Err(LibraryError::Format { path: path.to_owned(), found: format });
    }
    Ok(serde_json::from_slice::<Index>(&text).map_err(damaged)?.archives)
}

/// Removes what an interrupted change left: archives that the index does not know, and files
/// half written.
fn sweep(folder: &Path, records: &[Record]) -> std::io::Result<()> {
    let known: Vec<String> = records.iter().map(Record::file).collect();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let digest = name.strip_suffix(".zip").unwrap_or_default();
        let ours = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.ends_with(".part") || (ours && !known.iter().any(|known| known == name)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file so that it is there whole, or not at all, whenever the machine stops.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), LibraryError> {
    let path = folder.join(name);
    let part = folder.join(format!("{name}.part"));
    let written = || {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        // Renames are in the folder; elsewhere than on Unix it cannot be opened as a file.
        if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
    };
    written().map_err(|source| {
        let _ = std::fs::remove_file(&part);
        LibraryError::Storage { path: path.clone(), source }
    })
}

/// All modules of these archives, and the built-in ones.
fn snapshot(builtin: &ModuleRegistry, archives: &[Stored]) -> Snapshot {
    let builtin = builtin.modules().iter().map(ModuleEntry::builtin);
    let stored = archives.iter().flat_map(|Stored { record, composed }| {
        let entry = |module: &Arc<Module>| ModuleEntry {
            module: Arc::clone(module),
            owner: record.owner.email.as_str().into(),
            public: record.public,
            digest: Some(record.digest.as_str().into()),
            archive: Some(record.archive.as_str().into()),
            owner_id: Some(record.owner.id),
            level: composed.level,
        };
        composed.modules.iter().map(entry)
    });
    Snapshot::new(builtin.chain(stored).collect())
}

impl fmt::Debug for ModuleLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleLibrary").field("folder", &self.folder).finish_non_exhaustive()
    }
}
