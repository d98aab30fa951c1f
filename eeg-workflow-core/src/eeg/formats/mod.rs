//! Readers of recording files.
//!
//! | format | files | module |
//! |---|---|---|
//! | BrainVision | `.vhdr` (`.ahdr`), `.eeg` (`.dat`, `.avg`), `.vmrk` (`.amrk`) | [`brainvision`] |
//! | EDF, EDF+, BDF, BDF+ | `.edf`, `.bdf` | [`edf`] |
//!
//! A further format is a module with a [`Format`] and a line in [`FORMATS`].

pub mod brainvision;
pub mod edf;
mod events;
mod notes;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use self::brainvision::{DataError, HeaderError, MarkerError};
use self::edf::EdfError;
pub use self::events::{EventOptions, EventSource, NewSegments};
use self::notes::Notes;
use crate::eeg::data::{Recording, RecordingError};
use crate::huge_pages;

/// All formats, asked in this order.
pub static FORMATS: &[&Format] = &[&edf::FORMAT, &brainvision::FORMAT];

/// A format that recordings can be in, and how to read it.
pub struct Format {
    /// What people call it.
    pub name: &'static str,
    /// The endings of its files' names, lowercase and without the dot.
    pub extensions: &'static [&'static str],
    /// From the first bytes of a file: how sure it is that the file has this format, 0 meaning
    /// that it has not. The format with the highest score reads the file.
    score: fn(start: &[u8]) -> u8,
    read: fn(path: &Path, files: &Files, events: EventOptions) -> Result<Reading, ReadError>,
}

impl Format {
    /// The score of a signature that no other file has by chance.
    const CERTAIN: u8 = 255;

    /// Whether the ending of a file's name is one of this format's, in any case.
    pub fn has_extension_of(&self, path: &Path) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        self.extensions.iter().any(|e| e.eq_ignore_ascii_case(ending))
    }

    /// The format that the file's first bytes tell.
    fn of_start(start: &[u8]) -> Option<&'static Self> {
        let scored = FORMATS.iter().map(|format| ((format.score)(start), *format));
        // Of equal scores the first one counts, so the order is turned around.
        let best = scored.rev().max_by_key(|(score, _)| *score);
        best.filter(|(score, _)| *score > 0).map(|(_, format)| format)
    }

    fn of_name(path: &Path) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.has_extension_of(path)).copied()
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A recording, and what its reader found, assumed or left out, in sentences for its user.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The recording.
    pub recording: Recording,
    /// What is worth knowing of how it was read.
    pub notes: Vec<String>,
}

/// Reads a recording, whatever format it is in: that is found by how the file starts and, failing
/// that, by the name's ending. Any file of a set will do, so `a.eeg` and `a.vhdr` read alike.
///
/// # Errors
/// [`ReadError`], which names the file and, where there is one, the line or byte.
pub fn read(path: &Path) -> Result<Recording, ReadError> {
    let files = Files { folder: None };
    Ok(read_with(path, &files, EventOptions::default())?.recording)
}

/// As [`read`], for files of somebody who is not trusted: nothing outside `folder` is opened,
/// also not by way of a symbolic link.
///
/// # Errors
/// [`ReadError`]; [`ReadError::Outside`] for a file outside the folder.
pub fn read_inside(path: &Path, folder: &Path) -> Result<Recording, ReadError> {
    let folder = folder.canonicalize().map_err(|source| io_error(folder, source))?;
    let files = Files { folder: Some(folder) };
    Ok(read_with(path, &files, EventOptions::default())?.recording)
}

/// As [`read_inside`], with a choice of events and with what there is to tell of the reading.
///
/// # Errors
/// As [`read_inside`].
pub fn read_with_notes(
    path: &Path,
    folder: &Path,
    events: EventOptions,
) -> Result<Reading, ReadError> {
    let folder = folder.canonicalize().map_err(|source| io_error(folder, source))?;
    let mut reading = read_with(path, &Files { folder: Some(folder) }, events)?;
    let mut notes = Notes::default();
    let counts = reading.recording.non_finite_counts();
    for (channel, count) in reading.recording.channels().iter().zip(counts) {
        if count > 0 {
            notes.add(&channel.name, format!("{count} samples are NaN or infinite"));
        }
    }
    reading.notes.extend(notes.into_sentences());
    Ok(reading)
}

fn read_with(path: &Path, files: &Files, events: EventOptions) -> Result<Reading, ReadError> {
    let start = files.start(path);
    let by_start = start.as_ref().ok().and_then(|start| Format::of_start(start));
    if let Some(format) = by_start.or_else(|| Format::of_name(path)) {
        // Of a set of files the one that is named need not be there.
        return Ok(events.apply((format.read)(path, files, events)?));
    }
    start?;
    Err(ReadError::UnknownFormat { path: path.to_owned() })
}

fn io_error(path: &Path, source: std::io::Error) -> ReadError {
    ReadError::Io { path: path.to_owned(), source }
}

/// The files that a reader may open.
#[derive(Debug)]
struct Files {
    /// Only those below this folder, a path without symbolic links.
    folder: Option<PathBuf>,
}

impl Files {
    fn open(&self, path: &Path) -> Result<(File, u64), ReadError> {
        let io = |source| io_error(path, source);
        let real = match &self.folder {
            None => path.to_owned(),
            Some(folder) => {
                let real = path.canonicalize().map_err(io)?;
                if !real.starts_with(folder) {
                    return Err(ReadError::Outside { path: path.to_owned() });
                }
                real
            }
        };
        // Asked before it is opened, since opening a pipe would wait for its other end.
        let metadata = real.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile { path: path.to_owned() });
        }
        Ok((File::open(real).map_err(io)?, metadata.len()))
    }

    /// The first bytes of a file, enough to tell a format.
    fn start(&self, path: &Path) -> Result<Vec<u8>, ReadError> {
        let mut start = Vec::new();
        let (file, _) = self.open(path)?;
        file.take(256).read_to_end(&mut start).map_err(|source| io_error(path, source))?;
        Ok(start)
    }

    /// A whole file of no more than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let (file, size) = self.open(path)?;
        let mut bytes = Vec::new();
        // An allocation that fails is an error, not the end of the program.
        let fits = size <= limit
            && usize::try_from(size).is_ok_and(|size| bytes.try_reserve_exact(size).is_ok());
        if !fits {
            return Err(ReadError::TooLarge { path: path.to_owned(), size, limit });
        }
        huge_pages::advise(bytes.spare_capacity_mut());
        file.take(size).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
        Ok(bytes)
    }
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
    #[error("{}: not a recording in a known format (BrainVision .vhdr, .eeg, .vmrk; EDF .edf; BDF .bdf)", path.display())]
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
    /// The EDF or BDF file is not right.
    #[error("{}: {problem}", path.display())]
    Edf {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: EdfError,
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
