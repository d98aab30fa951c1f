//! Annotations: lists of timed texts (TALs) in place of samples.
//!
//! `onset [0x15 duration] 0x14 text 0x14 text … 0x14 0x00`, onset and duration as decimal numbers
//! of seconds. The first of each data record has an empty text: its onset is when the record
//! starts.

use std::collections::HashSet;

use super::{EdfError, Header};
use crate::eeg::data::Annotation;
use crate::eeg::data::annotation::to_microsecond;

const END_OF_TEXT: u8 = 0x14;
const DURATION: u8 = 0x15;

/// What the annotation signals of a file say, relative to the first sample. Onsets are kept to
/// the microsecond.
pub(super) fn read(
    header: &Header,
    records: &[u8],
    channels: &HashSet<&str>,
) -> Result<Vec<Annotation>, EdfError> {
    let size = header.record_size();
    let mut tals = Vec::new();
    let mut starts = Vec::new();
    for (record, bytes) in records.chunks_exact(size.max(1)).enumerate() {
        let before = tals.len();
        for signal in header.annotation_signals() {
            let end = signal.offset + signal.samples * header.encoding.size();
            let text = bytes.get(signal.offset..end).unwrap_or(&[]);
            tals.extend(text.split(|b| *b == 0).filter_map(Tal::parse));
        }
        let first = tals.get(before).filter(|tal| tal.keeps_time());
        starts.push((record, first.map(|tal| tal.onset)));
    }
    let first = tals.first().filter(|tal| tal.keeps_time()).map_or(0.0, |tal| tal.onset);
    let clock =
        if header.discontinuous { Clock::new(&starts, first, header)? } else { Clock::default() };
    let mut annotations = clock.seams();
    let mut noted = HashSet::new();
    for tal in &tals {
        let start = tal.onset - first;
        let onset = clock.position(start);
        let duration = match tal.duration {
            0.0 => 0.0,
            duration => clock.position(start + duration) - onset,
        };
        let duration = if clock.runs_on() { tal.duration } else { duration };
        for text in tal.texts.split(|b| *b == END_OF_TEXT).filter(|text| !text.is_empty()) {
            let text = decode(text);
            // `text@@channel` concerns one channel; it is not a second annotation of the same text.
            let (description, of_channel) = match text.split_once("@@") {
                Some((text, channel)) if channels.contains(channel) => (text.to_owned(), true),
                _ => (text, false),
            };
            let key = (onset.to_bits(), duration.to_bits(), description.clone());
            if !noted.insert(key) && of_channel {
                continue;
            }
            annotations.push(Annotation { onset: to_microsecond(onset), duration, description });
        }
    }
    Ok(annotations)
}

/// UTF-8, as the format wants it, else Latin-1.
fn decode(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => text.iter().map(|b| char::from(*b)).collect(),
    }
}

/// An entry of the list: texts of one time.
struct Tal<'b> {
    /// In seconds from the start that the header names.
    onset: f64,
    duration: f64,
    /// With a separator between them.
    texts: &'b [u8],
}

impl<'b> Tal<'b> {
    /// The entry in bytes between two NULs, None if they are not one: MNE skips them, too.
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let at = bytes.iter().position(|b| *b == END_OF_TEXT)?;
        let (times, texts) = (bytes.get(..at)?, bytes.get(at + 1..)?);
        let mut times = times.split(|b| *b == DURATION);
        let onset = times.next()?;
        if !matches!(onset.first(), Some(b'+' | b'-')) {
            return None;
        }
        let onset = seconds(onset)?;
        let duration = times.next().map_or(Some(0.0), |text| {
            let signed = matches!(text.first(), Some(b'+' | b'-'));
            if signed { None } else { seconds(text) }
        })?;
        if times.next().is_some() {
            return None;
        }
        Some(Self { onset, duration, texts })
    }

    /// Whether this is the entry that tells when a record starts.
    fn keeps_time(&self) -> bool {
        matches!(self.texts.first(), None | Some(&END_OF_TEXT))
    }
}

fn seconds(text: &[u8]) -> Option<f64> {
    let number = |b: &u8| b.is_ascii_digit() || b"+-.".contains(b);
    let text = std::str::from_utf8(text).ok().filter(|t| t.bytes().all(|b| number(&b)))?;
    text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())
}

/// Where in the samples a time is, when there are gaps between records.
#[derive(Default)]
struct Clock {
    /// (time, position) in seconds at which each uninterrupted stretch starts; empty when there
    /// is but one.
    stretches: Vec<(f64, f64)>,
}

impl Clock {
    /// From the times at which records start, those that say so.
    fn new(starts: &[(usize, Option<f64>)], first: f64, header: &Header) -> Result<Self, EdfError> {
        let half_a_sample = 0.5 / header.sfreq();
        let mut stretches = vec![(0.0, 0.0)];
        for (record, start) in starts {
            let position = *record as f64 * header.record_duration;
            let (Some(start), Some((from, at))) = (start, stretches.last()) else {
                continue;
            };
            let start = start - first;
            let expected = from + (position - at);
            let late = start - expected;
            if late < -half_a_sample {
                return Err(EdfError::Order { record: *record, start, expected });
            }
            if late > half_a_sample {
                stretches.push((start, position));
            }
        }
        if stretches.len() == 1 {
            stretches.clear();
        }
        Ok(Self { stretches })
    }

    /// Whether there is no gap.
    fn runs_on(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The position in the samples, in seconds, of a time. What was noted in a gap is at its end.
    fn position(&self, time: f64) -> f64 {
        let next = self.stretches.partition_point(|(from, _)| *from <= time);
        let current = next.checked_sub(1).and_then(|i| self.stretches.get(i));
        let position = current.map_or(time, |(from, at)| at + (time - from));
        self.stretches.get(next).map_or(position, |(_, at)| position.min(*at))
    }

    /// The marks that MNE puts where recordings are joined.
    fn seams(&self) -> Vec<Annotation> {
        let seams = self.stretches.iter().skip(1).flat_map(|(_, at)| {
            ["BAD boundary", "EDGE boundary"].map(|text| Annotation {
                onset: to_microsecond(*at),
                duration: 0.0,
                description: text.to_owned(),
            })
        });
        seams.collect()
    }
}
