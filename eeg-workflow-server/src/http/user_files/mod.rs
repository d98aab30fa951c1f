//! The files of users: each has a folder, all share one more, and nothing else can be named.

mod name;
mod upload;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::http::rejection::Rejection;
use crate::sync::lock;
pub(crate) use name::{FileName, SHARED_FOLDER, Space};
use upload::{Placing, mode};
pub(crate) use upload::{Upload, Written};
pub(crate) use usage::Amount;
use usage::Usage;

/// Where uploads are written until they are complete; no user's id looks like it.
const INCOMING: &str = ".incoming";

/// The folder with one folder for each user, and one for all of them.
pub(crate) struct UserFiles {
    root: PathBuf,
    usage: Arc<Usage>,
    uploads: AtomicU64,
    /// Held while uploads take their places, and while a file is deleted.
    placing: Mutex<()>,
}

/// A file as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct FileEntry {
    /// Its path below the folder of its space, with `/`. A workflow names it `Home/` or `Shared/`
    /// and this.
    name: String,
    /// Bytes.
    size: u64,
    /// Seconds since 1970.
    modified: u64,
}

/// What is at a name.
pub(crate) enum Found {
    File(PathBuf),
    Folder,
}

impl UserFiles {
    /// The files below this folder, of which each user may keep so many. Uploads that were cut
    /// off by a crash are removed.
    pub(crate) fn open(root: PathBuf, limit: Amount) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&incoming)?,
        }
        let usage = Usage::new(limit);
        Ok(Self { root, usage, uploads: AtomicU64::new(0), placing: Mutex::new(()) })
    }

    fn folder(&self, space: Space) -> PathBuf {
        self.root.join(space.folder())
    }

    /// What is at this name. Symbolic links are never followed.
    pub(crate) fn find(&self, space: Space, name: &FileName) -> Result<Found, Rejection> {
        let mut path = self.folder(space);
        let mut last = Found::Folder;
        for part in name.parts() {
            path.push(part);
            if matches!(last, Found::File(_)) {
                return Err(Rejection::NoSuchFile);
            }
            let kind = fs::symlink_metadata(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Rejection::NoSuchFile,
                _ => Rejection::unavailable(error),
            })?;
            last = if kind.is_dir() {
                Found::Folder
            } else if kind.is_file() {
                Found::File(path.clone())
            } else {
                return Err(Rejection::NoSuchFile);
            };
        }
        Ok(last)
    }

    /// All files of a space, or those below a folder of it, sorted by name.
    pub(crate) fn list(
        &self,
        space: Space,
        below: Option<&FileName>,
    ) -> Result<Vec<FileEntry>, Rejection> {
        let folder = self.folder(space);
        let prefix = below.map(|name| name.joined() + "/").unwrap_or_default();
        let start = below.map_or_else(|| folder.clone(), |name| name.path_below(&folder));
        let mut entries = Vec::new();
        walk(&start, &prefix, &mut entries).map_err(Rejection::unavailable)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Bytes of the file of this name, if there is one.
    fn size(&self, space: Space, name: &FileName) -> Option<u64> {
        match self.find(space, name) {
            Ok(Found::File(path)) => fs::metadata(path).ok().map(|metadata| metadata.len()),
            _ => None,
        }
    }

    /// Removes a file, and folders above it that it leaves empty.
    pub(crate) fn delete(&self, space: Space, name: &FileName) -> Result<(), Rejection> {
        let _placing = lock(&self.placing);
        let Found::File(path) = self.find(space, name)? else {
            return Err(Rejection::Conflict("this is a folder: delete the files in it".into()));
        };
        let size = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        fs::remove_file(&path).map_err(Rejection::unavailable)?;
        self.usage.removed(space, size);
        let folder = self.folder(space);
        for parent in path.ancestors().skip(1).take_while(|parent| **parent != folder) {
            // Fails when there are other files in it, which is what it is asked for.
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes all files of a space.
    pub(crate) fn remove_all(&self, space: Space) -> io::Result<()> {
        self.usage.forget(space);
        match fs::remove_dir_all(self.folder(space)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins the upload of a file. Nothing of it is to be seen until it is placed, but what it
    /// takes of the quota is taken as it comes.
    pub(crate) fn begin(&self, space: Space, name: FileName) -> Result<Upload, Rejection> {
        let replaced = self.size(space, &name);
        let count = || {
            let files = self.list(space, None)?;
            let bytes = files.iter().map(|file| file.size).sum();
            Ok(Amount { bytes, files: files.len() as u64 })
        };
        let reservation = self.usage.reserve(space, &name, replaced, count)?;
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(INCOMING).join(number.to_string());
        Upload::create(path, space, name, reservation)
    }

    /// Puts complete uploads in their places, where they replace files of their names: all of
    /// them, or none.
    pub(crate) fn place(&self, uploads: Vec<Written>) -> Result<Vec<FileEntry>, Rejection> {
        let _placing = lock(&self.placing);
        for upload in &uploads {
            self.check_place(upload)?;
        }
        let mut entries = Vec::with_capacity(uploads.len());
        let mut placed = Placing::default();
        let mut replaced = Vec::with_capacity(uploads.len());
        for upload in &uploads {
            let path = upload.name.path_below(&self.folder(upload.space));
            if let Some(parent) = path.parent() {
                make_folders(&self.root, parent)?;
            }
            replaced.push(self.size(upload.space, &upload.name));
            placed.put(upload, &path).map_err(Rejection::unavailable)?;
            let metadata = fs::symlink_metadata(&path).map_err(Rejection::unavailable)?;
            entries.push(entry(upload.name.joined(), &metadata));
        }
        placed.keep();
        for (upload, replaced) in uploads.into_iter().zip(replaced) {
            upload.reservation.used(replaced);
        }
        Ok(entries)
    }

    /// Whether a file can be where this one is to be.
    fn check_place(&self, upload: &Written) -> Result<(), Rejection> {
        match self.find(upload.space, &upload.name) {
            Ok(Found::File(_)) | Err(Rejection::NoSuchFile) => {}
            Ok(Found::Folder) => {
                return Err(Rejection::Conflict("there is a folder of this name".into()));
            }
            Err(other) => return Err(other),
        }
        let path = upload.name.path_below(&self.folder(upload.space));
        let above = path.ancestors().skip(1).take_while(|folder| **folder != self.root);
        let mut kinds = above.filter_map(|folder| fs::symlink_metadata(folder).ok());
        if kinds.any(|kind| !kind.is_dir()) {
            return Err(Rejection::Conflict("a folder of this path is a file".into()));
        }
        Ok(())
    }
}

/// Makes a folder below the root and those above it.
fn make_folders(root: &Path, folder: &Path) -> Result<(), Rejection> {
    if folder == root || fs::symlink_metadata(folder).is_ok_and(|kind| kind.is_dir()) {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(root, parent)?;
    }
    fs::create_dir(folder).map_err(Rejection::unavailable)?;
    fs::set_permissions(folder, mode(0o755)).map_err(Rejection::unavailable)
}

fn walk(folder: &Path, prefix: &str, entries: &mut Vec<FileEntry>) -> io::Result<()> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listing => listing?,
    };
    for found in listing {
        let found = found?;
        let Ok(name) = found.file_name().into_string() else { continue };
        if name.starts_with('.') {
            // No name of an upload, and so not a user's file.
            continue;
        }
        let kind = found.file_type()?;
        if kind.is_dir() {
            walk(&found.path(), &format!("{prefix}{name}/"), entries)?;
        } else if kind.is_file() {
            match found.metadata() {
                Ok(metadata) => entries.push(entry(format!("{prefix}{name}"), &metadata)),
                // Deleted a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn entry(name: String, metadata: &fs::Metadata) -> FileEntry {
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    FileEntry { name, size: metadata.len(), modified: modified.map_or(0, |time| time.as_secs()) }
}
