//! BrainVision Core Data Format 1.0 and 2.0: a text header, a text file of markers, and the
//! samples.
//!
//! Read as MNE-Python's `read_raw_brainvision` does, but for what that refuses without need:
//! unknown code pages, impossible dates, ASCII data in vectorized order, repeated channel names
//! (numbered `Cz-0`, `Cz-1`), the Greek letter μ for micro, and filter tables of the comment that
//! do not match the channels. Samples are bit-equal to MNE's:
//! `volts = stored * (unit factor * resolution)`.
//!
//! Where a recording was paused (`New Segment` within it) nothing may reach over the pause: see
//! [`NewSegments`], which can also leave these markers as MNE does.
//!
//! A header is somebody's upload: the files that it names are looked for in its own folder and
//! nowhere else.

mod cutoffs;
mod data;
mod header;
mod ini;
mod markers;
mod segments;
mod text;
mod write;

use std::path::{Path, PathBuf};

pub use data::DataError;
pub use header::{DataFormat, Header, HeaderChannel, HeaderError, Orientation};
pub use markers::{Marker, MarkerError, Markers};
pub use write::{Int16Channel, Int16Recording, WriteError};

use super::{EventOptions, Files, Format, NewSegments, ReadError, Reading};
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
fn read(path: &Path, files: &Files, events: EventOptions) -> Result<Reading, ReadError> {
    let path = header_of(path)?;
    let header = read_header(&path, files)?;
    let mut notes = header.notes.clone();
    let data_path =
        member(&path, "DataFile", &header.data_file, &["eeg", "dat", "avg"], &mut notes)?;
    let values = data::parse(files.read(&data_path, u64::MAX)?, &data_path, &header)?;
    let mut markers = read_markers(&path, &header, files, &mut notes)?;
    let sfreq = header.sfreq();
    let seams = match events.new_segments {
        NewSegments::Seams => segments::into_seams(&mut markers, sfreq, &mut notes),
        NewSegments::Events => Vec::new(),
    };
    let annotation =
        |m: Marker| Annotation::at_sample(m.sample, m.size, sfreq, m.into_description());
    let info = Info {
        channels: header.channels.iter().map(HeaderChannel::to_channel).collect(),
        sfreq,
        meas_date: markers.meas_date,
        annotations: markers.markers.into_iter().map(annotation).chain(seams).collect(),
        numbering: EventNumbering::BrainVision,
        highpass: header.highpass.unwrap_or(0.0),
        lowpass: header.lowpass.unwrap_or(sfreq / 2.0),
    };
    let recording = match values {
        data::Values::Stored(stored) => Recording::from_stored(info, stored),
        data::Values::Volts(volts) => Recording::from_volts(info, volts),
    };
    let recording = recording.map_err(|problem| ReadError::Recording { path, problem })?;
    Ok(Reading { recording, notes })
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
fn read_markers(
    header_path: &Path,
    header: &Header,
    files: &Files,
    notes: &mut Vec<String>,
) -> Result<Markers, ReadError> {
    let Some(named) = &header.marker_file else {
        return Ok(Markers::default());
    };
    let path = match member(header_path, "MarkerFile", named, &["vmrk", "amrk"], notes) {
        Ok(path) => path,
        Err(ReadError::Header { problem: HeaderError::NoSuchFile { .. }, .. }) => {
            notes.push(format!(
                "MarkerFile names {named:?}, which is not there: no markers are read"
            ));
            return Ok(Markers::default());
        }
        Err(other) => return Err(other),
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
    let endings = ["vhdr", "ahdr"];
    let found = endings.iter().find_map(|ending| in_any_case(&path.with_extension(ending)));
    found.ok_or_else(|| ReadError::NoHeader {
        path: path.to_owned(),
        expected: endings.map(|e| format!(".{e}")).join(", "),
    })
}

/// The file that a header names or, when a set was renamed, the one with the header's own name and
/// one of `endings`; names may differ in letter case, as they may where the set was written.
fn member(
    header_path: &Path,
    key: &'static str,
    name: &str,
    endings: &[&str],
    notes: &mut Vec<String>,
) -> Result<PathBuf, ReadError> {
    let named = beside(header_path, name)?;
    if let Some(found) = in_any_case(&named) {
        return Ok(found);
    }
    let own: Vec<PathBuf> = endings.iter().map(|e| header_path.with_extension(e)).collect();
    let short = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(found) = own.iter().find_map(|path| in_any_case(path)) {
        notes
            .push(format!("{key} names {name:?}, which is not there: {:?} is read", short(&found)));
        return Ok(found);
    }
    let instead = own.iter().map(|path| short(path)).collect::<Vec<_>>().join(" or ");
    let problem = HeaderError::NoSuchFile { key, name: short(&named), instead };
    Err(ReadError::Header { path: header_path.to_owned(), problem })
}

/// The file of this name, else one beside it whose name differs in letter case only.
fn in_any_case(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let wanted = path.file_name()?.to_str()?.to_lowercase();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = folder.unwrap_or(Path::new(".")).read_dir().ok()?;
    let mut same: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|n| n.to_lowercase() == wanted))
        .map(|entry| path.with_file_name(entry.file_name()))
        .filter(|path| path.is_file())
        .collect();
    same.sort();
    same.into_iter().next()
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
