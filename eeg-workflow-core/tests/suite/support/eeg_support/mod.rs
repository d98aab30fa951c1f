//! What the EEG tests share: reference data, and recordings that they make themselves.
#![allow(dead_code, unreachable_pub, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use eeg_workflow_core::eeg::formats::brainvision::{Int16Channel, Int16Recording, Marker};
use eeg_workflow_core::eeg::formats::{EventOptions, NewSegments, read_with_notes};
use eeg_workflow_core::eeg::{ReadError, Recording, Timestamp, read};
use ndarray::Array2;
use serde_json::Value;

use crate::support::needs;

/// The folder with recordings and expected numbers, None where there is none.
pub fn reference() -> Option<PathBuf> {
    Some(needs::reference()?.join("eeg"))
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The recordings that there are expected numbers of: name, numbers, what is read.
pub fn expected_recordings(folder: &Path) -> impl Iterator<Item = (String, Value, Recording)> {
    let files = std::fs::read_dir(folder.join("expected")).unwrap();
    files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).filter_map(|path| {
        let expected = json(&path);
        let raw = read_as_mne(&folder.join(expected["file"].as_str()?)).unwrap();
        Some((path.file_stem().unwrap().to_string_lossy().into_owned(), expected, raw))
    })
}

/// A recording as MNE reads it, to which the markers `New Segment` are events.
pub fn read_as_mne(path: &Path) -> Result<Recording, ReadError> {
    let options = EventOptions { new_segments: NewSegments::Events, ..EventOptions::default() };
    Ok(read_with_notes(path, path.parent().unwrap(), options)?.recording)
}

/// A number, or the word for one that JSON has not.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(s) => s.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|i| i.as_u64().unwrap() as usize).collect()
}

pub fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// Bit by bit, any NaN being like any other.
pub fn same_bits(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

pub fn marker(kind: &str, description: &str, sample: i64, size: u64) -> Marker {
    Marker { kind: kind.into(), description: description.into(), sample, size }
}

pub fn date() -> Timestamp {
    Timestamp::from_digits("20240229235959000001").unwrap()
}

/// Some wave in each channel, with the extremes of i16 in it.
pub fn wave(channels: usize, n_samples: usize) -> Array2<i16> {
    Array2::from_shape_fn((channels, n_samples), |(c, t)| match (c, t) {
        (0, 3) => i16::MIN,
        (0, 4) => i16::MAX,
        _ => (1000.0 * (t as f64 * 0.05 * (c + 1) as f64).sin()) as i16 + c as i16 * 7,
    })
}

/// Writes a recording of EEG channels `C1`, `C2` … at 500 Hz, 0.1 µV a step, and reads it back.
pub fn written(path: &Path, samples: &Array2<i16>, markers: Vec<Marker>) -> Recording {
    let channel =
        |c: usize| Int16Channel {
            name: format!("C{}", c + 1), unit: "µV".into(), resolution: 0.1
        };
    let recording = Int16Recording {
        channels: (0..samples.nrows()).map(channel).collect(),
        sfreq: 500.0,
        meas_date: Some(date()),
        samples: samples.view(),
        markers,
    };
    recording.write(path).unwrap();
    read(path).unwrap()
}
