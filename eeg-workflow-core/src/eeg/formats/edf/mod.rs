//! European Data Format: EDF and EDF+ with 16 bits a sample, BDF and BDF+ with 24.
//!
//! Read as MNE-Python's `read_raw_edf` and `read_raw_bdf` do with their default arguments.
//! Samples are bit-equal to MNE's: `volts = (stored * gain + offset) * unit factor`, where
//! `gain = (physical max - physical min) / (digital max - digital min)` and
//! `offset = physical min - digital min * gain`. Volts with any
//! prefix of the SI (`nV`, `uv`, `kV`) become volts, and a channel without a unit is taken to be in
//! volts, as MNE takes it; [`read_with_notes`](super::read_with_notes) tells of each such assumption.
//! All channels are EEG but for those in other units, which are misc and stay as they are, and for
//! trigger lines (`Status`, `Trigger`, `TRIG`, `STI 014` …), of which the lowest 17 bits count.
//!
//! - The size of the file tells how many records there are, whatever the header says (-1 while a
//!   recording runs); what is left of a record that was cut short is passed over.
//! - Channels of fewer samples than others are resampled to the highest rate by way of their
//!   spectrum, over the whole recording at once, as MNE does with `preload=True`; the worst
//!   deviation from it is 1.5e-15 of the largest value. Trigger lines hold their value instead.
//! - Annotations (onset, duration, text in UTF-8) count from the first sample, also where that was
//!   taken a fraction of a second after the time in the header, which [`Info::meas_date`] has in
//!   whole seconds.
//! - The onsets of trigger lines ([`Recording::trigger_events`], MNE's `find_events`) become
//!   annotations beside those of the file, with the trigger's number as text and as
//!   [event id](EventNumbering::Trigger). [`EventOptions`] choose between the two.
//! - Signals without samples are left out.
//! - Records with gaps between them (EDF+D) are joined, as MNE joins them.
//!
//! # Other than MNE
//! - Behind a gap of EDF+D, MNE leaves annotations at their time of day and so at the wrong samples.
//!   Here they are where they belong, what was noted in a gap is at its end, and each seam has the
//!   marks `BAD boundary` and `EDGE boundary` of MNE's `concatenate_raws`, so that no filter and no
//!   epoch reaches over it.
//! - Where the first sample was taken a fraction of a second late, MNE moves all annotations by it
//!   but the texts of the very entry that says so; here those are moved, too.
//! - The lowest 17 bits count of a trigger line of fewer samples, too: MNE leaves that one as it is
//!   stored.
//! - The unit `µV` counts as microvolts in UTF-8, too; MNE knows it in Latin-1 only, and no other
//!   prefix but that of mV.
//! - All channels with the name of a trigger line are such; MNE knows the first `Status` and the
//!   first `Trigger`.
//! - Texts that are not UTF-8 are read as Latin-1, where MNE gives up, and the highest rate of all
//!   channels is the recording's even if only a trigger line has it.

mod annotations;
mod data;
mod header;
mod labels;

use std::collections::HashSet;
use std::path::Path;

pub use header::{Content, Header, Signal};

use super::{EventOptions, Files, Format, ReadError, Reading};
use crate::eeg::data::{EventNumbering, Info, Recording, RecordingError};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EdfError {
    /// Not even the part of the header that every file has.
    #[error("{size} bytes are not even the first 256 of an EDF or BDF header")]
    Fragment {
        /// Bytes in the file.
        size: usize,
    },
    /// The file starts with something else.
    #[error(
        "byte 0: version {version:?} is neither that of EDF (\"0\") nor of BDF (\"\\xffBIOSEMI\")"
    )]
    Version {
        /// What it starts with.
        version: String,
    },
    /// The file ends within the header.
    #[error(
        "byte {size}: the file ends within its header, which takes {needed} bytes for {signals} signals"
    )]
    Short {
        /// Bytes in the file.
        size: usize,
        /// Signals that the header counts.
        signals: usize,
        /// Bytes that the header would have.
        needed: usize,
    },
    /// A field of the header that cannot be.
    #[error("byte {byte}: {name} {text:?} is not {expected}")]
    Field {
        /// Where the field starts.
        byte: usize,
        /// What the field is.
        name: String,
        /// What it says.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Data records too large to count.
    #[error("byte 236: a data record of {signals} signals is larger than any memory")]
    RecordSize {
        /// Signals in a record.
        signals: usize,
    },
    /// Annotations and signals without samples only.
    #[error("no channels: all {signals} signals are annotations or have no samples")]
    NoChannels {
        /// Signals in the file.
        signals: usize,
    },
    /// Not one whole data record.
    #[error("byte {byte}: {found} bytes of data are less than one data record of {needed} bytes")]
    NoRecord {
        /// Where the first record starts.
        byte: usize,
        /// Bytes behind the header.
        found: usize,
        /// Bytes of a record.
        needed: usize,
    },
    /// Channels of such different rates that all at the highest would fill the memory.
    #[error(
        "channels of different rates ({slowest:?} with {least} and {fastest:?} with {most} samples a \
         data record) would take {bytes} bytes at the highest rate, far more than the file"
    )]
    Rates {
        /// The channel with the fewest samples.
        slowest: String,
        /// Its samples a record.
        least: usize,
        /// The channel with the most samples.
        fastest: String,
        /// Its samples a record.
        most: usize,
        /// Bytes that all channels would take.
        bytes: usize,
    },
    /// A data record that starts before the one before it ends.
    #[error(
        "data record {record} starts at {start} s, before its predecessor ends at {expected} s"
    )]
    Order {
        /// The record, from 0.
        record: usize,
        /// When it starts, in seconds.
        start: f64,
        /// When it could start at the earliest, in seconds.
        expected: f64,
    },
    /// The parts do not make a recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// How EDF and BDF files are told and read.
pub(super) static FORMAT: Format = Format {
    name: "EDF/BDF",
    extensions: &["edf", "bdf"],
    score: |start| if header::is_header(start) { Format::CERTAIN } else { 0 },
    read,
};

fn read(path: &Path, files: &Files, _: EventOptions) -> Result<Reading, ReadError> {
    parse_with_notes(files.read(path, u64::MAX)?)
        .map_err(|problem| ReadError::Edf { path: path.to_owned(), problem })
}

/// The recording in the bytes of an EDF or BDF file.
///
/// # Errors
/// [`EdfError`], with the byte where there is one.
pub fn parse(bytes: Vec<u8>) -> Result<Recording, EdfError> {
    Ok(EventOptions::default().apply(parse_with_notes(bytes)?).recording)
}

/// Without the events of trigger lines.
fn parse_with_notes(bytes: Vec<u8>) -> Result<Reading, EdfError> {
    let header = Header::parse(&bytes)?;
    let sfreq = header.sfreq();
    let channels: Vec<_> = header.channels().filter_map(Signal::to_channel).collect();
    if channels.is_empty() {
        return Err(EdfError::NoChannels { signals: header.signals.len() });
    }
    let names: HashSet<&str> = channels.iter().map(|c| c.name.as_str()).collect();
    let records = bytes.get(header.size()..).unwrap_or(&[]);
    if records.len() < header.record_size() {
        let (byte, found, needed) = (header.size(), records.len(), header.record_size());
        return Err(EdfError::NoRecord { byte, found, needed });
    }
    let annotations = annotations::read(&header, records, &names)?;
    let highpass = header.highpass.unwrap_or(0.0);
    let lowpass = header.lowpass.unwrap_or(sfreq / 2.0);
    let (highpass, lowpass) =
        if highpass > lowpass { (0.0, sfreq / 2.0) } else { (highpass, lowpass) };
    let info = Info {
        channels,
        sfreq,
        meas_date: header.meas_date,
        annotations,
        numbering: EventNumbering::Ordinal,
        highpass,
        lowpass,
    };
    let notes = header.notes();
    let recording = match data::read(bytes, &header)? {
        data::Values::Stored(stored) => Recording::from_stored(info, stored)?,
        data::Values::Volts(volts) => Recording::from_volts(info, volts)?,
    };
    Ok(Reading { recording, notes })
}
