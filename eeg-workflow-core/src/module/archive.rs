//! Zip archives of modules, read safely.
//!
//! Nothing of an archive is believed: names are checked before anything is read, sizes are
//! counted while inflating, and the whole stays in memory until all of it is found good.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipArchive};

use super::ArchiveError;

/// More 64-bit directories than this are looked at as an attack. (An archive has at most one,
/// and so has each archive inside it.)
const MAX_DIRECTORIES: usize = 50;

/// How large an archive may be.
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
    /// How many times its compressed size an entry may grow. (What inflates to less than
    /// 1 MiB is not measured: short texts repeat themselves much.)
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

/// An archive that was found good, its files in memory.
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
        // Before the directory is parsed into memory. (Few honest archives hold other ones.)
        if central_names(bytes).nth(limits.entries.saturating_mul(4)).is_some() {
            return Err(ArchiveError::TooManyEntries { limit: limits.entries });
        }
        // Looking for the right one among many 64-bit directories would take quadratic time.
        if positions(bytes, *b"PK\x06\x07").nth(MAX_DIRECTORIES).is_some()
            || positions(bytes, *b"PK\x06\x06").nth(MAX_DIRECTORIES).is_some()
        {
            return Err(ArchiveError::ForeignData);
        }
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(ArchiveError::NotAZip)?;
        if zip.len() > limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: limits.entries });
        }
        if zip.has_duplicate_names() {
            return Err(ArchiveError::Duplicate(first_duplicate(bytes)));
        }
        if !is_alone(bytes, &zip) {
            return Err(ArchiveError::ForeignData);
        }
        let wanted = list(&zip, limits)?;
        zip.validate_header_consistency().map_err(ArchiveError::Inconsistent)?;
        let modules = inflate(&mut zip, wanted, limits)?;
        let digest = digest(bytes);
        Ok(Self { name: file_name.to_owned(), digest, modules })
    }
}

/// The SHA-256 in lowercase hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One plain component: it becomes a part of module names and of messages.
fn check_file_name(name: &str) -> Result<(), ArchiveError> {
    let stem = name.strip_suffix(".zip").filter(|stem| !stem.is_empty() && name.len() <= 120);
    let plain = |c: char| !c.is_control() && !"/\\:\"<>|?*".contains(c);
    let fine = stem.is_some_and(|stem| stem.chars().all(plain) && stem.trim() == stem)
        && !name.starts_with('.');
    if fine { Ok(()) } else { Err(ArchiveError::FileName(name.chars().take(200).collect())) }
}

/// Where this signature stands, whether it means something there or not.
fn positions(bytes: &[u8], signature: [u8; 4]) -> impl Iterator<Item = usize> {
    bytes.windows(4).enumerate().filter(move |(_, four)| *four == signature).map(|(at, _)| at)
}

/// The names behind everything that looks like an entry of a zip directory.
fn central_names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    positions(bytes, *b"PK\x01\x02").filter_map(|at| {
        let header = bytes.get(at..)?;
        let &[low, high] = header.get(28..30)? else { return None };
        header.get(46..46 + usize::from(u16::from_le_bytes([low, high])))
    })
}

/// A name that is there twice, for the message.
fn first_duplicate(bytes: &[u8]) -> String {
    let mut seen = rustc_hash::FxHashSet::default();
    let twice = central_names(bytes).find(|name| !seen.insert(*name));
    String::from_utf8_lossy(twice.unwrap_or_default()).into_owned()
}

/// Whether the archive begins and ends where the file does.
fn is_alone(bytes: &[u8], zip: &ZipArchive<Cursor<&[u8]>>) -> bool {
    let end = 22 + zip.comment().len();
    let last = bytes.len().checked_sub(end).and_then(|at| bytes.get(at..));
    let begins = if zip.is_empty() { b"PK\x05\x06" } else { b"PK\x03\x04" };
    zip.offset() == 0
        && bytes.starts_with(begins)
        && last.is_some_and(|record| record.starts_with(b"PK\x05\x06"))
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
            // An empty folder is no module either: seen when modules are made.
            None => {
                wanted.push(Wanted { index, module: path.to_owned(), path: String::new() });
            }
            Some(_) => {}
        }
    }
    Ok(wanted)
}

fn check_path(name: &str, path: &str, limits: &ArchiveLimits) -> Result<(), ArchiveError> {
    let shown = || name.chars().take(limits.name_bytes).collect::<String>();
    if name.len() > limits.name_bytes {
        return Err(ArchiveError::NameTooLong { entry: shown(), limit: limits.name_bytes });
    }
    let unsafe_component = |part: &str| match part {
        "" => Some("it has an empty component"),
        "." | ".." => Some("it has a relative component"),
        // Windows drops both, and so makes another name of it.
        part if part.ends_with(['.', ' ']) => Some("a component ends in a point or a space"),
        _ => None,
    };
    let problem = if path.starts_with('/') {
        Some("it is absolute")
    } else if path.contains('\\') {
        Some("it has a backslash")
    } else if path.contains(':') {
        Some("it has a colon")
    } else if path.chars().any(char::is_control) {
        Some("it has a control character")
    } else {
        path.split('/').find_map(unsafe_component)
    };
    if let Some(problem) = problem {
        return Err(ArchiveError::UnsafeName { entry: shown(), problem });
    }
    if path.split('/').count() > limits.depth {
        return Err(ArchiveError::TooDeep { entry: shown(), limit: limits.depth });
    }
    Ok(())
}

/// What systems and Python leave behind.
fn is_ignored(path: &str) -> bool {
    let mut parts = path.split('/');
    path.split('/').next() == Some("__MACOSX")
        || parts.any(|part| part == "__pycache__" || part == ".DS_Store")
}

/// All names so far without their case, each with its spelling and whether it is a folder.
#[derive(Default)]
struct Names(FxHashMap<String, (String, bool)>);

impl Names {
    /// Adds a path and the folders above it.
    fn add(&mut self, path: &str, is_folder: bool) -> Result<(), ArchiveError> {
        let above = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        for (part, is_folder) in above.map(|part| (part, true)).chain([(path, is_folder)]) {
            let entry = (part.to_owned(), is_folder);
            match self.0.get(&part.to_lowercase()) {
                Some(known) if *known == entry && is_folder => {}
                Some((known, _)) if known == path => {
                    return Err(ArchiveError::Duplicate(path.to_owned()));
                }
                Some((known, _)) => {
                    let (first, second) = (known.clone(), path.to_owned());
                    return Err(ArchiveError::Collision { first, second });
                }
                None => {
                    self.0.insert(part.to_lowercase(), entry);
                }
            }
        }
        Ok(())
    }
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
