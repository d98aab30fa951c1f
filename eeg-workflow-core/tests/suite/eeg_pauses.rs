//! Pauses of BrainVision recordings (`New Segment`): nothing reaches over them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use std::path::Path;

use eeg_support::{marker, read_as_mne, wave, written};
use eeg_workflow_core::eeg::formats::brainvision::Marker;
use eeg_workflow_core::eeg::formats::{EventOptions, read_with_notes};
use eeg_workflow_core::eeg::{EpochOptions, Epochs, FirFilter, Recording};

/// Three stimuli, and a pause at sample 800, with what the reader tells of it.
fn paused(folder: &Path, segments: &[i64]) -> (Recording, Vec<String>) {
    let segments = segments.iter().map(|sample| marker("New Segment", "", *sample, 1));
    let stimuli = [300, 790, 1400].map(|sample| marker("Stimulus", "S  1", sample, 1));
    let markers: Vec<Marker> = segments.chain(stimuli).collect();
    let path = folder.join("paused.vhdr");
    written(&path, &wave(2, 2000), markers);
    let reading = read_with_notes(&path, folder, EventOptions::default()).unwrap();
    (reading.recording, reading.notes)
}

fn marks(recording: &Recording) -> Vec<(f64, &str)> {
    let marks = recording.annotations().iter().filter(|a| a.description.ends_with("boundary"));
    marks.map(|a| (a.onset, a.description.as_str())).collect()
}

#[test]
fn no_epoch_reaches_over_a_pause_which_is_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let (recording, notes) = paused(folder.path(), &[800]);
    assert_eq!(marks(&recording), [(1.6, "BAD boundary"), (1.6, "EDGE boundary")]);
    assert_eq!(notes, ["the recording was paused at 1.600 s (marker New Segment)"]);
    assert_eq!(recording.events().unwrap().ids, [("Stimulus/S  1".to_owned(), 1)]);
    let epochs = Epochs::extract(&recording, &EpochOptions::default()).unwrap();
    let reasons: Vec<_> = epochs.drop_log().iter().map(|e| e.reasons.join(", ")).collect();
    assert_eq!(reasons, ["", "BAD boundary", ""]);
}

#[test]
fn what_is_before_a_pause_is_filtered_as_if_nothing_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (recording, _) = paused(folder.path(), &[800]);
    let filter = FirFilter::band(recording.sfreq(), None, Some(30.0)).unwrap();
    let info = recording.info().clone();
    let part = |from: usize, to: usize| {
        let info = eeg_workflow_core::eeg::Info { annotations: Vec::new(), ..info.clone() };
        let volts = recording.data().slice(ndarray::s![.., from..to]).to_owned();
        filter.apply(Recording::from_volts(info, volts).unwrap()).data()
    };
    let (before, behind) = (part(0, 800), part(800, 2000));
    let whole = filter.apply(recording.clone()).data();
    let near = |a: f64, b: f64| (a - b).abs() < 1e-16;
    for c in 0..2 {
        assert!((0..800).all(|k| near(whole[(c, k)], before[(c, k)])), "channel {c}");
        assert!((0..1200).all(|k| near(whole[(c, 800 + k)], behind[(c, k)])), "channel {c}");
    }
}

#[test]
fn every_pause_counts_but_the_start_marked_twice() {
    let folder = tempfile::tempdir().unwrap();
    for (segments, expected) in [
        (&[][..], &[][..]),
        (&[0], &[]),
        (&[1], &[]),
        (&[0, 1], &[]),
        (&[1200, 400], &[0.8, 2.4]),
        (&[1200, 1201, 1200], &[2.4]),
    ] {
        let (recording, _) = paused(folder.path(), segments);
        let seams: Vec<f64> = marks(&recording).iter().step_by(2).map(|(at, _)| *at).collect();
        assert_eq!(seams, expected, "{segments:?}");
    }
}

#[test]
fn segments_can_be_events_as_they_are_in_mne() {
    let folder = tempfile::tempdir().unwrap();
    paused(folder.path(), &[800]);
    let recording = read_as_mne(&folder.path().join("paused.vhdr")).unwrap();
    assert!(marks(&recording).is_empty());
    let ids = recording.events().unwrap().ids;
    assert_eq!(ids, [("New Segment/".to_owned(), 99_999), ("Stimulus/S  1".to_owned(), 1)]);
    assert_eq!(Epochs::extract(&recording, &EpochOptions::default()).unwrap().len(), 4);
}
