//! The files of users: each has a folder, and nothing outside of it can be named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use eeg_workflow_core::block::OwnerId;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::http::rejection::Rejection;
use crate::sync::lock;

/// Folders below each other.
const MAX_DEPTH: usize = 16;
/// Bytes of one name, as file systems allow.
const MAX_NAME: usize = 255;
/// Where uploads are written until they are complete; no user's id looks like it.
const INCOMING: &str = ".incoming";

/// The folder with one folder for each user.
pub(crate) struct UserFiles {
    root: PathBuf,
    /// Bytes that one user may keep.
    quota: u64,
    uploads: AtomicU64,
    /// Held while an upload takes its place, so that the quota holds.
    placing: Mutex<()>,
}

/// A file as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct FileEntry {
    /// Its path below the user's folder, with `/`. A workflow names it `Home/` and this.
    name: String,
    /// Bytes.
    size: u64,
    /// Seconds since 1970.
    modified: u64,
}

/// A name of a file that is safe below a user's folder.
#[derive(Clone, Debug)]
pub(crate) struct FileName(Vec<String>);

impl FileName {
    /// Checks the components of a path.
    pub(crate) fn new(parts: Vec<String>) -> Result<Self, Rejection> {
        if parts.is_empty() {
            return Err(Rejection::BadFileName("is empty"));
        }
        if parts.len() > MAX_DEPTH {
            return Err(Rejection::BadFileName("has too many folders"));
        }
        for part in &parts {
            let problem = if part.is_empty() {
                "has an empty part"
            } else if part.len() > MAX_NAME {
                "has a part longer than 255 bytes"
            } else if part.starts_with('.') {
                "has a part that begins with a dot"
            } else if part.contains(['/', '\\']) || part.contains(char::is_control) {
                "contains a character that is not allowed"
            } else {
                continue;
            };
            return Err(Rejection::BadFileName(problem));
        }
        Ok(Self(parts))
    }

    /// Checks a path such as `a/b.eeg`.
    pub(crate) fn parse(path: &str) -> Result<Self, Rejection> {
        Self::new(path.split('/').map(str::to_owned).collect())
    }

    fn path_below(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_owned();
        path.extend(&self.0);
        path
    }
}

/// What is at a name.
pub(crate) enum Found {
    File(PathBuf),
    Folder,
}

impl UserFiles {
    /// The files below this folder. Uploads that were cut off by a crash are removed.
    pub(crate) fn open(root: PathBuf, quota: u64) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&incoming)?,
        }
        Ok(Self { root, quota, uploads: AtomicU64::new(0), placing: Mutex::new(()) })
    }

    fn folder(&self, user: OwnerId) -> PathBuf {
        self.root.join(user.to_string())
    }

    /// What is at this name. Symbolic links are never followed.
    pub(crate) fn find(&self, user: OwnerId, name: &FileName) -> Result<Found, Rejection> {
        let mut path = self.folder(user);
        let mut last = Found::Folder;
        for part in &name.0 {
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

    /// All files below a folder of the user, or below all of them, sorted by name.
    pub(crate) fn list(
        &self,
        user: OwnerId,
        below: Option<&FileName>,
    ) -> Result<Vec<FileEntry>, Rejection> {
        let folder = self.folder(user);
        let prefix = below.map(|name| name.0.join("/") + "/").unwrap_or_default();
        let start = below.map_or_else(|| folder.clone(), |name| name.path_below(&folder));
        let mut entries = Vec::new();
        walk(&start, &prefix, &mut entries).map_err(Rejection::unavailable)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Bytes that the user keeps.
    fn used(&self, user: OwnerId) -> Result<u64, Rejection> {
        Ok(self.list(user, None)?.iter().map(|entry| entry.size).sum())
    }

    /// Bytes of the file of this name, if there is one.
    fn size(&self, user: OwnerId, name: &FileName) -> u64 {
        match self.find(user, name) {
            Ok(Found::File(path)) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            _ => 0,
        }
    }

    /// Removes a file, and folders above it that it leaves empty.
    pub(crate) fn delete(&self, user: OwnerId, name: &FileName) -> Result<(), Rejection> {
        let Found::File(path) = self.find(user, name)? else {
            return Err(Rejection::Conflict("this is a folder: delete the files in it".into()));
        };
        fs::remove_file(&path).map_err(Rejection::unavailable)?;
        let folder = self.folder(user);
        for parent in path.ancestors().skip(1).take_while(|parent| **parent != folder) {
            // Fails when there are other files in it, which is what it is asked for.
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes all files of a user.
    pub(crate) fn remove_all(&self, user: OwnerId) -> io::Result<()> {
        match fs::remove_dir_all(self.folder(user)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Bytes that the user may still add, when a file of this name is replaced.
    pub(crate) fn free(&self, user: OwnerId, name: Option<&FileName>) -> Result<u64, Rejection> {
        let replaced = name.map_or(0, |name| self.size(user, name));
        Ok(self.quota.saturating_sub(self.used(user)?).saturating_add(replaced))
    }

    /// Begins an upload of at most `free` bytes. Nothing of it is to be seen until it is placed.
    pub(crate) async fn begin(&self, free: u64) -> Result<Upload, Rejection> {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(INCOMING).join(number.to_string());
        let file = File::create_new(&path).await.map_err(Rejection::unavailable)?;
        file.set_permissions(mode(0o644)).await.map_err(Rejection::unavailable)?;
        Ok(Upload { file, path: Temporary(path), size: 0, free, quota: self.quota })
    }

    /// Puts a complete upload in its place, where it replaces a file of that name.
    pub(crate) fn place(
        &self,
        user: OwnerId,
        name: &FileName,
        upload: &Written,
    ) -> Result<FileEntry, Rejection> {
        let _placing = lock(&self.placing);
        match self.find(user, name) {
            Ok(Found::File(_)) | Err(Rejection::NoSuchFile) => {}
            Ok(Found::Folder) => {
                return Err(Rejection::Conflict("there is a folder of this name".into()));
            }
            Err(other) => return Err(other),
        }
        if upload.size > self.free(user, Some(name))? {
            return Err(Rejection::OverQuota(self.quota));
        }
        let path = name.path_below(&self.folder(user));
        if let Some(parent) = path.parent() {
            make_folders(&self.root, parent).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    Rejection::Conflict("a folder of this path is a file".into())
                }
                _ => Rejection::unavailable(error),
            })?;
        }
        fs::rename(&upload.path.0, &path).map_err(Rejection::unavailable)?;
        let metadata = fs::metadata(&path).map_err(Rejection::unavailable)?;
        Ok(entry(name.0.join("/"), &metadata))
    }
}

/// An upload that is coming in.
pub(crate) struct Upload {
    file: File,
    path: Temporary,
    size: u64,
    free: u64,
    quota: u64,
}

/// An upload that is complete and on disk.
pub(crate) struct Written {
    path: Temporary,
    size: u64,
}

impl Upload {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        self.size += bytes.len() as u64;
        if self.size > self.free {
            return Err(Rejection::OverQuota(self.quota));
        }
        self.file.write_all(bytes).await.map_err(Rejection::unavailable)
    }

    pub(crate) async fn finish(self) -> Result<Written, Rejection> {
        let Self { mut file, path, size, .. } = self;
        file.flush().await.map_err(Rejection::unavailable)?;
        file.sync_all().await.map_err(Rejection::unavailable)?;
        Ok(Written { path, size })
    }
}

/// A file that is removed with this, unless it was moved away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is not there any more when the upload was placed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a folder below the root and those above it.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() || folder == root {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(root, parent)?;
    }
    fs::create_dir(folder)?;
    fs::set_permissions(folder, mode(0o755))
}

/// Whatever the umask is, other users can read what is below the data directory, which is closed
/// to them: Python blocks run as users of their own, and are given files by hard links.
fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
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
