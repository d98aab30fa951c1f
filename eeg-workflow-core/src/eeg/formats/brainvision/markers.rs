//! The marker file.

use crate::eeg::data::Timestamp;

/// A marker: something noted at a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its type, such as `Stimulus`.
    pub kind: String,
    /// What it says, such as `S  1`.
    pub description: String,
    /// Its first sample, from 0 (files count from 1). May lie outside the recording.
    pub sample: i64,
    /// Its length in samples.
    pub size: u64,
}

impl Marker {
    /// `type/description`, as annotations have it.
    pub(super) fn into_description(self) -> String {
        format!("{}/{}", self.kind, self.description)
    }
}

/// What a marker file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markers {
    /// In the order of the file. The first one, if it starts the recording (`New Segment`), is
    /// left out.
    pub markers: Vec<Marker>,
    /// The samples of all markers `New Segment`, also the first, in the order of the file.
    pub segments: Vec<i64>,
    /// When the recording began.
    pub meas_date: Option<Timestamp>,
}

/// What is wrong with a marker file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkerError {
    /// A marker without a position that is a number.
    #[error("line {line}: marker {text:?} has no position")]
    Position {
        /// The line, from 1.
        line: usize,
        /// What the line says.
        text: String,
    },
}

pub(super) const NEW_SEGMENT: &str = "New Segment";

impl Markers {
    /// Reads the text of a marker file.
    ///
    /// # Errors
    /// [`MarkerError`] with the line.
    pub fn parse(text: &str) -> Result<Self, MarkerError> {
        let mut found = Self::default();
        let mut in_markers = false;
        let mut first = true;
        for (number, line) in text.split('\n').enumerate() {
            if line.trim().eq_ignore_ascii_case("[Marker Infos]") {
                in_markers = true;
            }
            let Some(entry) = entry(line) else {
                continue;
            };
            if found.meas_date.is_none() {
                found.meas_date = date(entry.trim());
            }
            if !in_markers {
                continue;
            }
            let mut fields = entry.split(',');
            let kind = fields.next().unwrap_or("").replace("\\1", ",");
            let description = fields.next().unwrap_or("").replace("\\1", ",");
            let position = fields.next().and_then(|f| f.trim().parse::<i64>().ok());
            let position = position.ok_or_else(|| MarkerError::Position {
                line: number + 1,
                text: entry.trim().chars().take(200).collect(),
            })?;
            // Not trimmed: MNE reads a size with anything beside it, be it the carriage return of
            // a line that ends here, as none.
            let size = fields.next().filter(|f| f.bytes().all(|b| b.is_ascii_digit()));
            let marker = Marker {
                kind,
                description,
                sample: position.saturating_sub(1),
                size: size.and_then(|f| f.parse().ok()).unwrap_or(0),
            };
            if marker.kind == NEW_SEGMENT {
                found.segments.push(marker.sample);
            }
            if !(first && marker.kind == NEW_SEGMENT) {
                found.markers.push(marker);
            }
            first = false;
        }
        Ok(found)
    }
}

/// What stands behind `Mk<number>=` at the start of a line.
fn entry(line: &str) -> Option<&str> {
    let (digits, entry) = line.strip_prefix("Mk")?.split_once('=')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(entry)
}

/// The date of `New Segment,…,position,size,channel,date`.
fn date(entry: &str) -> Option<Timestamp> {
    let mut fields = entry.strip_prefix(NEW_SEGMENT)?.strip_prefix(',')?.rsplit(',');
    let date = fields.next()?;
    let channel = fields.next()?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers = number(channel.strip_prefix('-').unwrap_or(channel))
        && number(fields.next()?)
        && number(fields.next()?);
    // There must be a description, empty as it may be.
    fields.next()?;
    if !numbers {
        return None;
    }
    Timestamp::from_digits(date)
}
