//! Archives, unpacked for the interpreter: a folder each, named after the archive's digest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use foldhash::HashMap;

use crate::module::{Archive, ModuleKind};
use crate::runtime::python::PythonError;
use crate::runtime::python::code::support::{make_readable, put_in_place};
use crate::runtime::python::files::make_folder;
use crate::runtime::removal;
use crate::sync::{Mutex, MutexGuard};

/// The unpacked archives of a runtime.
#[derive(Debug)]
pub(crate) struct Archives {
    folder: PathBuf,
    used: Mutex<HashMap<String, Weak<Unpacked>>>,
}

/// An archive whose folder is there as long as this is, also when the archive is forgotten.
#[derive(Debug)]
pub(crate) struct Unpacked {
    root: PathBuf,
    digest: String,
    archives: Arc<Archives>,
    is_forgotten: AtomicBool,
}

impl Archives {
    pub(crate) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self { folder: folder.join("archives"), used: Mutex::default() })
    }

    fn used(&self) -> MutexGuard<'_, HashMap<String, Weak<Unpacked>>> {
        self.used.lock()
    }

    /// The archive's Python modules in their folder, which is made if it is not there.
    pub(crate) fn open(self: &Arc<Self>, archive: &Archive) -> Result<Arc<Unpacked>, PythonError> {
        let mut used = self.used();
        if let Some(unpacked) = used.get(&archive.digest).and_then(Weak::upgrade) {
            unpacked.is_forgotten.store(false, Ordering::Relaxed);
            return Ok(unpacked);
        }
        let unpacked = Arc::new(Unpacked {
            root: unpack(&self.folder, archive)?,
            digest: archive.digest.clone(),
            archives: Arc::clone(self),
            is_forgotten: AtomicBool::new(false),
        });
        used.insert(archive.digest.clone(), Arc::downgrade(&unpacked));
        Ok(unpacked)
    }

    /// Removes the folder of this archive, as soon as nobody uses it.
    pub(crate) fn forget(&self, digest: &str) {
        let used = self.used();
        let unpacked = used.get(digest).and_then(Weak::upgrade);
        match &unpacked {
            Some(unpacked) => unpacked.is_forgotten.store(true, Ordering::Relaxed),
            None => self.remove(digest),
        }
        // Before what may be the last use, which needs the list too.
        drop(used);
    }

    /// Removes all folders but those of these archives, and of those that are used.
    pub(crate) fn keep(&self, digests: &[&str]) {
        let used = self.used();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if !used.contains_key(name) && !digests.contains(&name) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn remove(&self, digest: &str) {
        // What cannot be removed now does no harm: it is named after its content.
        let _ = fs::remove_dir_all(self.folder.join(digest));
    }
}

impl Unpacked {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let mut used = self.archives.used();
        // Another one may have been opened in the meantime.
        if used.get(&self.digest).is_some_and(|other| other.strong_count() == 0) {
            used.remove(&self.digest);
            if self.is_forgotten.load(Ordering::Relaxed) {
                self.archives.remove(&self.digest);
            }
        }
    }
}

/// Unpacks an archive into its folder, unless it is there.
fn unpack(folder: &Path, archive: &Archive) -> Result<PathBuf, PythonError> {
    let target = folder.join(&archive.digest);
    if target.is_dir() {
        return Ok(target);
    }
    let part = folder.join(format!("{}.{}.part", archive.digest, std::process::id()));
    // Of an attempt that has failed.
    let _ = fs::remove_dir_all(&part);
    make_folder(&part).map_err(PythonError::storage(&part))?;
    for module in archive.written_in(ModuleKind::Python) {
        let base = part.join(&module.name);
        make_folder(&base).map_err(PythonError::storage(&base))?;
        for (path, bytes) in &module.files {
            let path = base.join(path);
            for parent in path.ancestors().skip(1).take_while(|parent| *parent != base) {
                fs::create_dir_all(parent).map_err(PythonError::storage(parent))?;
                make_readable(parent).map_err(PythonError::storage(parent))?;
            }
            fs::write(&path, bytes).map_err(PythonError::storage(&path))?;
            make_readable(&path).map_err(PythonError::storage(&path))?;
        }
    }
    put_in_place(&part, target)
}

/// Removes the workers' folders that runtimes which have ended left.
pub(crate) fn sweep(folder: &Path) {
    let below = |name: &str| fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
    for entry in below("workers") {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split_once('-')?.0.parse::<u32>().ok());
        let lives = owner.is_some_and(|id| Path::new("/proc").join(id.to_string()).exists());
        if !lives || owner == Some(std::process::id()) {
            let _ = removal::remove_folder(&entry.path());
        }
    }
}
