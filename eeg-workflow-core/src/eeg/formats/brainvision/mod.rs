//! BrainVision Core Data Format 1.0 and 2.0: a text header, a text file of markers, and the
//! samples.
//!
//! Read as MNE-Python's `read_raw_brainvision` does, but for what that refuses without need:
//! unknown code pages, impossible dates, ASCII data in vectorized order, repeated channel names
//! (numbered `Cz-0`, `Cz-1`), the Greek letter μ for micro, and filter tables of the comment that
//! do not match the channels. Samples are bit-equal to MNE's:
//! `volts = stored * (unit factor * resolution)`.
//!
//! A header is somebody's upload: the files that it names are looked for in its own folder and
//! nowhere else.

mod cutoffs;
mod data;
mod header;
mod ini;
mod markers;
mod text;
mod write;

use std::path::{Path, PathBuf};

pub use data::DataError;
pub use header::{DataFormat, Header, HeaderChannel, HeaderError, Orientation};
pub use markers::{Marker, MarkerError, Markers};
pub use write::{Int16Channel, Int16Recording, WriteError};

use super::{Files, Format, ReadError};
use crate::eeg::data::{Annotation, Channel, EventNumbering, Info, Recording};

/// Headers and markers are text, a few kilobytes of it; a hundred thousand markers are 4 MB.
const MAX_TEXT: u64 = 64 << 20;

/// How BrainVision files are told and read.
pub(super) static FORMAT: Format = Format {
    name: "BrainVision",
    extensions: &["vhdr", "ahdr", "eeg", "dat", "avg", "vmrk", "amrk"],
    score: |start| if is_header(start) { Format::CERTAIN } else { 0 },
    read,
};

/// Whether a file that starts like this is a header.
fn is_header(start: &[u8]) -> bool {
    let line = start.split(|b| *b == b'\n').next().unwrap_or(start);
    let line = String::from_utf8_lossy(line);
    (line.contains("Brain Vision") || line.contains("BrainVision")) && line.contains("Header File")
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    endings.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

/// Reads a recording from its header, or from its data or marker file when the header lies beside
/// it under the same name.
fn read(path: &Path, files: &Files) -> Result<Recording, ReadError> {
    let path = header_of(path)?;
    let header = read_header(&path, files)?;
    let data_path = beside(&path, &header.data_file)?;
    let values = data::parse(files.read(&data_path, u64::MAX)?, &data_path, &header)?;
    let markers = read_markers(&path, &header, files)?;
    let sfreq = header.sfreq();
    let annotation =
        |m: Marker| Annotation::at_sample(m.sample, m.size, sfreq, m.into_description());
    let info = Info {
        channels: header.channels.iter().map(HeaderChannel::to_channel).collect(),
        sfreq,
        meas_date: markers.meas_date,
        annotations: markers.markers.into_iter().map(annotation).collect(),
        numbering: EventNumbering::BrainVision,
        highpass: header.highpass.unwrap_or(0.0),
        lowpass: header.lowpass.unwrap_or(sfreq / 2.0),
    };
    let recording = match values {
        data::Values::Stored(stored) => Recording::from_stored(info, stored),
        data::Values::Volts(volts) => Recording::from_volts(info, volts),
    };
    recording.map_err(|problem| ReadError::Recording { path, problem })
}

impl HeaderChannel {
    fn to_channel(&self) -> Channel {
        Channel { name: self.name.clone(), kind: self.kind, unit: self.unit.clone() }
    }
}

fn read_header(path: &Path, files: &Files) -> Result<Header, ReadError> {
    let text = text::decode(&files.read(path, MAX_TEXT)?);
    let mut header = Header::parse(&text)
        .map_err(|problem| ReadError::Header { path: path.to_owned(), problem })?;
    // V-Amp recordings hold a last channel that their header does not count.
    header.extra_channel = has_ending(path, &["ahdr"]);
    Ok(header)
}

/// The markers of a header's recording: in the file that it names, else in one of the header's
/// own name, else none.
fn read_markers(header_path: &Path, header: &Header, files: &Files) -> Result<Markers, ReadError> {
    let Some(named) = &header.marker_file else {
        return Ok(Markers::default());
    };
    let named = beside(header_path, named)?;
    let own_names = ["vmrk", "amrk"].map(|ending| header_path.with_extension(ending));
    let mut candidates = std::iter::once(named).chain(own_names);
    let Some(path) = candidates.find(|p| p.is_file()) else {
        return Ok(Markers::default());
    };
    let text = text::decode(&files.read(&path, MAX_TEXT)?);
    Markers::parse(&text).map_err(|problem| ReadError::Marker { path, problem })
}

/// The header that belongs to a file of a set.
fn header_of(path: &Path) -> Result<PathBuf, ReadError> {
    // By name alone: whether a header is one shows when it is read.
    if !has_ending(path, &["eeg", "dat", "avg", "vmrk", "amrk"]) {
        return Ok(path.to_owned());
    }
    let endings = ["vhdr", "ahdr", "VHDR", "AHDR"];
    let candidates = endings.map(|e| path.with_extension(e));
    let found = candidates.iter().find(|p| p.is_file()).cloned();
    found.ok_or_else(|| ReadError::NoHeader {
        path: path.to_owned(),
        expected: endings.map(|e| format!(".{e}")).join(", "),
    })
}

/// The files beside a header that it names as its data and markers; none if it is not a header.
/// They need not be there.
pub fn files_named_by(header: &Path) -> Vec<PathBuf> {
    if !has_ending(header, &["vhdr", "ahdr"]) {
        return Vec::new();
    }
    let Ok(bytes) = (Files { folder: None }).read(header, MAX_TEXT) else { return Vec::new() };
    let text = text::decode(&bytes);
    let ini = ini::Ini::parse(&text);
    let named = ["DataFile", "MarkerFile"].map(|key| ini.get("Common Infos", key));
    named.into_iter().flatten().filter_map(|entry| beside(header, entry.value).ok()).collect()
}

/// The file `name` in the folder of `header_path`. `$b` in it stands for the header's own name
/// without its ending.
fn beside(header_path: &Path, name: &str) -> Result<PathBuf, ReadError> {
    let stem = header_path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
    let name = name.replace("$b", stem);
    // No separators of any system, no drive letters: the format wants a plain name.
    let plain = !name.is_empty()
        && !name.contains(['/', '\\', ':', '\0'])
        && ![".", ".."].contains(&name.as_str());
    if !plain {
        return Err(ReadError::Header {
            path: header_path.to_owned(),
            problem: HeaderError::FileName { name },
        });
    }
    Ok(header_path.with_file_name(name))
}
