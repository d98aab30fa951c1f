//! Archives, unpacked for the interpreter: a folder each, named after the archive's digest.

use std::fs;
use std::path::{Path, PathBuf};

use super::PythonError;
use super::files::make_folder;
use super::support::make_readable;
use crate::module::{Archive, ModuleKind};

/// The folder with the archive's Python modules; it is made if it is not there.
pub(super) fn unpack(folder: &Path, archive: &Archive) -> Result<PathBuf, PythonError> {
    let target = place(folder, &archive.digest);
    if target.is_dir() {
        return Ok(target);
    }
    let part = folder.join("archives").join(format!("{}.{}.part", archive.digest, next()));
    make_folder(&part).map_err(PythonError::storage(&part))?;
    for module in archive.modules.iter().filter(|module| module.kind == ModuleKind::Python) {
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
    match fs::rename(&part, &target) {
        // Another thread was faster with the same files.
        Err(_) if target.is_dir() => {
            let _ = fs::remove_dir_all(&part);
        }
        renamed => renamed.map_err(PythonError::storage(&target))?,
    }
    Ok(target)
}

/// Removes an unpacked archive; workers that have loaded it keep what they have.
pub(super) fn remove(folder: &Path, digest: &str) {
    // What cannot be removed now does no harm: it is named after its content.
    let _ = fs::remove_dir_all(place(folder, digest));
}

/// Removes what runtimes that have ended left: workers' folders, and what is half unpacked.
pub(super) fn sweep(folder: &Path) {
    let below = |name: &str| fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
    for entry in below("workers") {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split_once('-')?.0.parse::<u32>().ok());
        let lives = owner.is_some_and(|id| Path::new("/proc").join(id.to_string()).exists());
        if !lives || owner == Some(std::process::id()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for entry in below("archives") {
        if entry.file_name().to_string_lossy().ends_with(".part") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn place(folder: &Path, digest: &str) -> PathBuf {
    folder.join("archives").join(digest)
}

/// A number that no other thread of this process gets.
fn next() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}
