//! What can be wrong with an archive of modules.

use zip::result::ZipError;

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The archive's own name is not a plain file name that ends in `.zip`.
    #[error("archive name {0:?} is not a plain file name ending in .zip")]
    FileName(String),
    /// The archive is too large.
    #[error("archive of {bytes} bytes is too large (at most {limit})")]
    ArchiveTooLarge {
        /// Its size.
        bytes: usize,
        /// The maximum.
        limit: usize,
    },
    /// The bytes are not a zip archive, or a damaged one.
    #[error("not a zip archive, or a damaged one")]
    NotAZip(#[source] ZipError),
    /// There is something before or after the archive proper.
    #[error("the file holds more than a zip archive")]
    ForeignData,
    /// Two records claim to be the end of the archive: which one counts is up to the reader.
    #[error("the archive has two end records")]
    TwoDirectories,
    /// The directory and the entries themselves contradict each other, or entries overlap.
    #[error("the archive contradicts itself")]
    Inconsistent(#[source] ZipError),
    /// There is nothing in it.
    #[error("the archive holds no module")]
    Empty,
    /// There are too many entries.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// How many there may be.
        limit: usize,
    },
    /// An entry's name leads outside its module's folder, or could on some system.
    #[error("entry {entry:?} has an unsafe name: {problem}")]
    UnsafeName {
        /// The entry.
        entry: String,
        /// What is wrong with the name.
        problem: &'static str,
    },
    /// An entry's name is too long.
    #[error("entry {entry:?} has a name of more than {limit} bytes")]
    NameTooLong {
        /// The entry.
        entry: String,
        /// How long it may be.
        limit: usize,
    },
    /// An entry lies too deep.
    #[error("entry {entry:?} lies more than {limit} folders deep")]
    TooDeep {
        /// The entry.
        entry: String,
        /// How deep it may lie.
        limit: usize,
    },
    /// Two entries have one name.
    #[error("entry {0:?} occurs twice")]
    Duplicate(String),
    /// Two entries would be one on a system that ignores case or how accents are encoded, or one is a file
    /// where the other needs a folder.
    #[error("entries {first:?} and {second:?} collide")]
    Collision {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
    /// An entry is a link, a device or something else that is neither a file nor a folder.
    #[error("entry {0:?} is neither a file nor a folder")]
    SpecialFile(String),
    /// An entry is encrypted.
    #[error("entry {0:?} is encrypted")]
    Encrypted(String),
    /// An entry is compressed by an unsupported method.
    #[error(
        "entry {entry:?} is compressed as {method}: only stored and deflated entries are supported"
    )]
    Compression {
        /// The entry.
        entry: String,
        /// The method.
        method: String,
    },
    /// A file lies outside of any module's folder.
    #[error("file {0:?} lies outside of a module's folder")]
    FileAtRoot(String),
    /// An entry is too large.
    #[error("entry {entry:?} inflates to more than {limit} bytes")]
    EntryTooLarge {
        /// The entry.
        entry: String,
        /// The maximum.
        limit: u64,
    },
    /// All entries together are too large.
    #[error("the archive inflates to more than {limit} bytes (at entry {entry:?})")]
    TotalTooLarge {
        /// The entry that was one too many.
        entry: String,
        /// The maximum.
        limit: u64,
    },
    /// An entry inflates to much more than its compressed size.
    #[error("entry {entry:?} inflates to more than {limit} times its size")]
    Ratio {
        /// The entry.
        entry: String,
        /// The maximum ratio.
        limit: u64,
    },
    /// An entry cannot be inflated, or is not what its checksum and size say.
    #[error("entry {entry:?} is damaged")]
    Damaged {
        /// The entry.
        entry: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A folder is not a module.
    #[error("folder {0:?} is not a module: it has neither module.json nor __init__.py")]
    NotAModule(String),
    /// A line of a module's `requirements.txt` is not a plain requirement.
    #[error("{file} line {line}: {problem}")]
    Requirement {
        /// The file, such as `Lab/requirements.txt`.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}
