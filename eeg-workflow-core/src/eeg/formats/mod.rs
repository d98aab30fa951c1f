//! Readers of recording files.
//!
//! | format | files | module |
//! |---|---|---|
//! | BrainVision | `.vhdr` (`.ahdr`), `.eeg` (`.dat`, `.avg`), `.vmrk` (`.amrk`) | [`brainvision`] |

pub mod brainvision;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use self::brainvision::{DataError, HeaderError, MarkerError};
use super::{Recording, RecordingError};

/// Reads a recording, whatever format it is in: that is found by the name's ending and, failing
/// that, by how the file starts. Any file of a set will do, so `a.eeg` and `a.vhdr` read alike.
///
/// # Errors
/// [`ReadError`], which names the file and, where there is one, the line or byte.
pub fn read(path: &Path) -> Result<Recording, ReadError> {
    if brainvision::is_member(path) || brainvision::is_header(&start_of(path)?) {
        return brainvision::read(path);
    }
    Err(ReadError::UnknownFormat { path: path.to_owned() })
}

/// The first bytes of a file, enough to tell a format.
fn start_of(path: &Path) -> Result<Vec<u8>, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut start = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(256).read_to_end(&mut start).map_err(io)?;
    Ok(start)
}

/// A whole file of no more than `limit` bytes.
fn read_whole(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    // A pipe or a device would never end.
    if !metadata.is_file() {
        return Err(ReadError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), size: metadata.len(), limit });
    }
    let size = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = Vec::new();
    // An allocation that fails is an error, not the end of the program.
    if bytes.try_reserve_exact(size).is_err() {
        return Err(ReadError::TooLarge { path: path.to_owned(), size: metadata.len(), limit });
    }
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a device or the like.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// A file outside the folder that may be read.
    #[error("{}: leads outside the folder of files", path.display())]
    Outside {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than such a file can sensibly be, or than memory.
    #[error("{}: {size} bytes are more than can be read (limit {limit})", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Neither name nor content is that of a known format.
    #[error("{}: not a recording in a known format (BrainVision .vhdr, .eeg, .vmrk)", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A data or marker file lies there without its header.
    #[error("{}: no header ({expected}) beside it", path.display())]
    NoHeader {
        /// The file that was asked for.
        path: PathBuf,
        /// The names that a header could have.
        expected: String,
    },
    /// The header is not right.
    #[error("{}: {problem}", path.display())]
    Header {
        /// The header file.
        path: PathBuf,
        /// What is wrong and where.
        problem: HeaderError,
    },
    /// The marker file is not right.
    #[error("{}: {problem}", path.display())]
    Marker {
        /// The marker file.
        path: PathBuf,
        /// What is wrong and where.
        problem: MarkerError,
    },
    /// The data file is not right.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The data file.
        path: PathBuf,
        /// What is wrong and where.
        problem: DataError,
    },
    /// The parts do not make a recording.
    #[error("{}: {problem}", path.display())]
    Recording {
        /// The header file.
        path: PathBuf,
        /// What is wrong.
        problem: RecordingError,
    },
}
