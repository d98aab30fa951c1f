//! The library's folder: the archives as they were uploaded, and the index of them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::LibraryError;
use super::{FORMAT, Owner};
use crate::atomic_file;
use crate::block::OwnerId;
use crate::module::archive;

const INDEX: &str = "modules.json";

/// What the index says of an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) archive: String,
    pub(super) owner: Owner,
    pub(super) public: bool,
    pub(super) digest: String,
    /// The folders' names.
    pub(super) modules: Vec<String>,
    /// What the runtime said of those that are code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listing: Option<serde_json::Value>,
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

    /// Whether this is the archive of this owner and name.
    pub(super) fn is(&self, owner: OwnerId, archive: &str) -> bool {
        self.owner.id == owner && self.archive == archive
    }
}

/// The folder of a library.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder (made if it is not there) and reads its index.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>), LibraryError> {
        let storage = |source| LibraryError::Storage { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(storage)?;
        let records = read_index(&path.join(INDEX))?;
        sweep(path, &records).map_err(storage)?;
        Ok((Self(path.to_owned()), records))
    }

    /// The bytes of an archive, as they were uploaded.
    pub(super) fn read(&self, record: &Record) -> Result<Vec<u8>, LibraryError> {
        let path = self.0.join(record.file());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(LibraryError::Storage { path, source }),
        };
        if archive::digest(&bytes) != record.digest {
            let source = std::io::Error::other("the archive is not the one that was installed");
            return Err(LibraryError::Storage { path, source });
        }
        Ok(bytes)
    }

    /// Stores an archive; it counts when the index has it.
    pub(super) fn write(&self, record: &Record, bytes: &[u8]) -> Result<(), LibraryError> {
        write(&self.0, &record.file(), bytes)
    }

    pub(super) fn write_index(&self, archives: Vec<Record>) -> Result<(), LibraryError> {
        let text = serde_json::to_vec_pretty(&Index { format: FORMAT, archives })
            .map_err(|source| LibraryError::Index { path: self.0.join(INDEX), source })?;
        write(&self.0, INDEX, &text)
    }

    /// Removes an archive that the index does not have. If this fails, it is removed when the
    /// library is opened.
    pub(super) fn remove(&self, record: &Record) {
        let _ = std::fs::remove_file(self.0.join(record.file()));
    }
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

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), LibraryError> {
    let path = folder.join(name);
    atomic_file::write(folder, name, bytes).map_err(|source| LibraryError::Storage { path, source })
}
