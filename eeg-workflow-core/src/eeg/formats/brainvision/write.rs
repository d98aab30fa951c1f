//! A small writer: INT_16, multiplexed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;

use super::Marker;
use crate::eeg::data::Timestamp;

/// A channel to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Int16Channel {
    /// Its name.
    pub name: String,
    /// Its unit, such as `µV`.
    pub unit: String,
    /// Units a step of the stored integer.
    pub resolution: f64,
}

/// A recording of 16-bit integers to be written as a set of three files.
///
/// ```
/// use eeg_workflow_core::eeg::{self, formats::brainvision::{Int16Channel, Int16Recording}};
/// use ndarray::Array2;
///
/// let folder = tempfile::tempdir()?;
/// let header = folder.path().join("sine.vhdr");
/// let samples = Array2::from_shape_fn((1, 500), |(_, t)| (200.0 * (t as f64 / 10.0).sin()) as i16);
/// Int16Recording {
///     channels: vec![Int16Channel { name: "Cz".into(), unit: "µV".into(), resolution: 0.5 }],
///     sfreq: 250.0,
///     meas_date: None,
///     samples: samples.view(),
///     markers: vec![],
/// }
/// .write(&header)?;
/// assert_eq!(eeg::read(&header)?.shape(), (1, 500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Int16Recording<'a> {
    /// The channels, in order.
    pub channels: Vec<Int16Channel>,
    /// Samples a second, in Hz.
    pub sfreq: f64,
    /// When the recording began.
    pub meas_date: Option<Timestamp>,
    /// Channels x samples.
    pub samples: ArrayView2<'a, i16>,
    /// The markers. One that starts the recording (`New Segment`) is written in any case.
    pub markers: Vec<Marker>,
}

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The header's name does not end in `.vhdr` or has no part before it.
    #[error("{}: a header is named something.vhdr", path.display())]
    Name {
        /// The name.
        path: PathBuf,
    },
    /// The samples do not have a row for each channel.
    #[error("{channels} channels are described, but the samples have {rows} rows")]
    ChannelCount {
        /// Channels described.
        channels: usize,
        /// Rows of samples.
        rows: usize,
    },
}

impl Int16Recording<'_> {
    /// Writes `NAME.vhdr`, `NAME.vmrk` and `NAME.eeg`, given the first.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, header_path: &Path) -> Result<(), WriteError> {
        let stem = header_path.file_stem().and_then(|s| s.to_str());
        let (Some(stem), true) = (stem, super::has_ending(header_path, &["vhdr"])) else {
            return Err(WriteError::Name { path: header_path.to_owned() });
        };
        if self.channels.len() != self.samples.nrows() {
            return Err(WriteError::ChannelCount {
                channels: self.channels.len(),
                rows: self.samples.nrows(),
            });
        }
        let columns = self.samples.columns();
        let bytes: Vec<u8> = columns
            .into_iter()
            .flat_map(|sample| sample.into_iter().flat_map(|v| v.to_le_bytes()))
            .collect();
        let put = |path: PathBuf, bytes: &[u8]| {
            fs::write(&path, bytes).map_err(|source| WriteError::Io { path, source })
        };
        put(header_path.with_extension("eeg"), &bytes)?;
        put(header_path.with_extension("vmrk"), self.marker_text(stem).as_bytes())?;
        put(header_path.to_owned(), self.header_text(stem).as_bytes())
    }

    fn header_text(&self, stem: &str) -> String {
        let mut text = format!(
            "BrainVision Data Exchange Header File Version 1.0\r\n\r\n\
             [Common Infos]\r\nCodepage=UTF-8\r\nDataFile={stem}.eeg\r\nMarkerFile={stem}.vmrk\r\n\
             DataFormat=BINARY\r\nDataOrientation=MULTIPLEXED\r\nNumberOfChannels={}\r\n\
             SamplingInterval={}\r\n\r\n[Binary Infos]\r\nBinaryFormat=INT_16\r\n\r\n\
             [Channel Infos]\r\n",
            self.channels.len(),
            1e6 / self.sfreq,
        );
        for (number, channel) in self.channels.iter().enumerate() {
            let (name, unit) = (field(&channel.name), field(&channel.unit));
            // Writing into a String does not fail.
            let _ = write!(text, "Ch{}={name},,{},{unit}\r\n", number + 1, channel.resolution);
        }
        text
    }

    fn marker_text(&self, stem: &str) -> String {
        let mut text = format!(
            "BrainVision Data Exchange Marker File, Version 1.0\r\n\r\n\
             [Common Infos]\r\nCodepage=UTF-8\r\nDataFile={stem}.eeg\r\n\r\n[Marker Infos]\r\n\
             Mk1=New Segment,,1,1,0"
        );
        if let Some(date) = self.meas_date {
            let _ = write!(text, ",{}", date.to_digits());
        }
        text.push_str("\r\n");
        for (number, marker) in self.markers.iter().enumerate() {
            let (kind, description) = (field(&marker.kind), field(&marker.description));
            let (number, position) = (number + 2, marker.sample.saturating_add(1));
            let _ =
                write!(text, "Mk{number}={kind},{description},{position},{},0\r\n", marker.size);
        }
        text
    }
}

/// Text as it stands in a field: commas escaped, on one line.
fn field(text: &str) -> String {
    text.replace(',', "\\1").replace(['\r', '\n'], " ")
}
