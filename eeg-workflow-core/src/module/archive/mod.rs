//! Zip archives of modules, read safely.
//!
//! Nothing in an archive is trusted: names are checked before anything is read, sizes are
//! counted while inflating, and the whole stays in memory until all of it is found good.

mod directory;
mod error;
mod names;
mod requirements;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipArchive};

pub use error::ArchiveError;
use names::{Names, check_file_name, check_path, is_ignored};

/// The limits of an archive.
#[derive(Clone, Debug)]
pub struct ArchiveLimits {
    /// Bytes of the archive itself.
    pub archive_bytes: usize,
    /// Entries, folders among them.
    pub entries: usize,
    /// Bytes of one entry, inflated.
    pub entry_bytes: u64,
    /// Bytes of all entries, inflated.
    pub total_bytes: u64,
    /// The maximum ratio of an entry's inflated to its compressed size. (What inflates to less
    /// than 1 MiB is not measured: short texts repeat themselves much.)
    pub ratio: u64,
    /// Path components of an entry.
    pub depth: usize,
    /// Bytes of an entry's name.
    pub name_bytes: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            archive_bytes: 32 << 20,
            entries: 2000,
            entry_bytes: 64 << 20,
            total_bytes: 128 << 20,
            ratio: 200,
            depth: 12,
            name_bytes: 240,
        }
    }
}

/// A valid archive, its files in memory.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Its file name, such as `Lab.zip`.
    pub name: String,
    /// The SHA-256 of its bytes, in lowercase hexadecimal digits.
    pub digest: String,
    /// The modules, in the order of their names; at least one.
    pub modules: Vec<ArchivedModule>,
}

/// One folder of an archive.
#[derive(Clone, Debug)]
pub struct ArchivedModule {
    /// The folder's name.
    pub name: String,
    /// What it is written in.
    pub kind: ModuleKind,
    /// The files by their paths below the folder, with `/` between components.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a module is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// `module.json`: block types composed of others.
    Declarative,
    /// `__init__.py`: block types written in Python.
    Python,
}

impl Archive {
    /// The modules that are written in this.
    pub(crate) fn written_in(&self, kind: ModuleKind) -> impl Iterator<Item = &ArchivedModule> {
        self.modules.iter().filter(move |module| module.kind == kind)
    }

    /// What its owner should know: files that look used, and are not.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let lists = self.modules.iter().flat_map(|module| {
            let listed = module.files.keys().filter(|path| {
                path.rsplit('/').next() == Some(requirements::FILE)
                    && (path.contains('/') || module.kind != ModuleKind::Python)
            });
            listed.map(|path| format!("{}/{path}", module.name))
        });
        let warn = |path| {
            format!("{path} is not used: packages are listed beside the __init__.py of a module")
        };
        lists.map(warn).collect()
    }

    /// Reads an archive.
    ///
    /// # Errors
    /// The first thing found wrong, naming the entry.
    pub fn read(
        file_name: &str,
        bytes: &[u8],
        limits: &ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        check_file_name(file_name)?;
        if bytes.len() > limits.archive_bytes {
            let limit = limits.archive_bytes;
            return Err(ArchiveError::ArchiveTooLarge { bytes: bytes.len(), limit });
        }
        directory::check_before_parsing(bytes, limits.entries)?;
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(ArchiveError::NotAZip)?;
        if zip.len() > limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: limits.entries });
        }
        if zip.has_duplicate_names() {
            return Err(ArchiveError::Duplicate(directory::first_duplicate(bytes)));
        }
        if !directory::is_alone(bytes, &zip) {
            return Err(ArchiveError::ForeignData);
        }
        let wanted = list(&zip, limits)?;
        zip.validate_header_consistency().map_err(ArchiveError::Inconsistent)?;
        directory::check_one_end(bytes, &mut zip)?;
        let modules = inflate(&mut zip, wanted, limits)?;
        let digest = digest(bytes);
        Ok(Self { name: file_name.to_owned(), digest, modules })
    }
}

/// The SHA-256 in lowercase hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that is wanted: its place in the archive, its module's name, its path below it.
struct Wanted {
    index: usize,
    module: String,
    path: String,
}

/// Checks the names and kinds of all entries.
fn list(
    zip: &ZipArchive<Cursor<&[u8]>>,
    limits: &ArchiveLimits,
) -> Result<Vec<Wanted>, ArchiveError> {
    let mut names = Names::default();
    let mut wanted = Vec::new();
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index).map_err(ArchiveError::NotAZip)?;
        let name = entry.name().map_err(ArchiveError::NotAZip)?.into_owned();
        let (path, is_folder) = match name.strip_suffix('/') {
            Some(path) => (path, true),
            None => (name.as_str(), false),
        };
        check_path(&name, path, limits)?;
        // The kind of file, as Unix systems note it; 0 where none was noted.
        let fits = match (entry.external_attributes() >> 16) & 0o170_000 {
            0 => true,
            0o040_000 => is_folder,
            0o100_000 => !is_folder,
            _ => false,
        };
        if !fits || entry.is_symlink() {
            return Err(ArchiveError::SpecialFile(name));
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted(name));
        }
        let method = entry.compression();
        if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(ArchiveError::Compression { entry: name, method: method.to_string() });
        }
        names.add(path, is_folder)?;
        if is_ignored(path) {
            continue;
        }
        match path.split_once('/') {
            Some((module, path)) if !is_folder => {
                wanted.push(Wanted { index, module: module.to_owned(), path: path.to_owned() });
            }
            None if !is_folder => return Err(ArchiveError::FileAtRoot(name)),
            // An empty folder is not a module: refused when modules are made.
            None => {
                wanted.push(Wanted { index, module: path.to_owned(), path: String::new() });
            }
            Some(_) => {}
        }
    }
    Ok(wanted)
}

/// Reads the files, and makes modules of them.
fn inflate(
    zip: &mut ZipArchive<Cursor<&[u8]>>,
    wanted: Vec<Wanted>,
    limits: &ArchiveLimits,
) -> Result<Vec<ArchivedModule>, ArchiveError> {
    let mut folders: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    let mut total = 0;
    for Wanted { index, module, path } in wanted {
        let files = folders.entry(module).or_default();
        if !path.is_empty() {
            files.insert(path, inflate_entry(zip, index, &mut total, limits)?);
        }
    }
    if folders.is_empty() {
        return Err(ArchiveError::Empty);
    }
    let modules = folders.into_iter().map(|(name, files)| {
        let kind = if files.contains_key("module.json") {
            ModuleKind::Declarative
        } else if files.contains_key("__init__.py") {
            ModuleKind::Python
        } else {
            return Err(ArchiveError::NotAModule(name));
        };
        if kind == ModuleKind::Python {
            requirements::check(&name, &files)?;
        }
        Ok(ArchivedModule { name, kind, files })
    });
    modules.collect()
}

/// Reads one file, and counts what really comes out of it.
fn inflate_entry(
    zip: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    total: &mut u64,
    limits: &ArchiveLimits,
) -> Result<Vec<u8>, ArchiveError> {
    const UNMEASURED: u64 = 1 << 20;
    let mut file = zip.by_index(index).map_err(ArchiveError::NotAZip)?;
    let entry = file.name().map_err(ArchiveError::NotAZip)?.into_owned();
    let grown = file.compressed_size().saturating_mul(limits.ratio).max(UNMEASURED);
    let declared = file.size();
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(source) => return Err(ArchiveError::Damaged { entry, source }),
        };
        length += count as u64;
        *total += count as u64;
        if length > limits.entry_bytes {
            return Err(ArchiveError::EntryTooLarge { entry, limit: limits.entry_bytes });
        }
        if *total > limits.total_bytes {
            return Err(ArchiveError::TotalTooLarge { entry, limit: limits.total_bytes });
        }
        if length > grown {
            return Err(ArchiveError::Ratio { entry, limit: limits.ratio });
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    if length != declared {
        let problem = format!("it says {declared} bytes and has {length}");
        return Err(ArchiveError::Damaged { entry, source: std::io::Error::other(problem) });
    }
    Ok(bytes)
}
