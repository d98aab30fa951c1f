//! What recordings and parameters of users bring: other sources of events, other units, gaps, numbers
//! that are names. Each is right or told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::edf_files::{Samples, Signal, eeg, file, tals};

use eeg_workflow_core::eeg::formats::edf::parse;
use eeg_workflow_core::eeg::formats::{EventOptions, EventSource, read_with_notes};
use eeg_workflow_core::eeg::network::{Activation, Optimizer, Rule};
use eeg_workflow_core::eeg::{
    ArtefactLimits, Channel, ChannelKind, EpochOptions, Epochs, EventNumbering, FirFilter, Info,
    Recording,
};
use ndarray::Array2;

fn recording(volts: Array2<f64>, annotations: &[(f64, &str)]) -> Recording {
    let channel =
        |i: usize| Channel {
            name: format!("E{i}"), kind: ChannelKind::Eeg, unit: "µV".to_owned()
        };
    let note = |(onset, text): &(f64, &str)| eeg_workflow_core::eeg::Annotation {
        onset: *onset,
        duration: 0.0,
        description: (*text).to_owned(),
    };
    let info = Info {
        channels: (0..volts.nrows()).map(channel).collect(),
        sfreq: 100.0,
        meas_date: None,
        annotations: annotations.iter().map(note).collect(),
        numbering: EventNumbering::Ordinal,
        highpass: 0.0,
        lowpass: 50.0,
    };
    Recording::from_volts(info, volts).unwrap()
}

/// Two seconds at 20 Hz with an annotation and triggers 3 and 65539 (that is 3 with bit 16).
fn annotated_with_triggers() -> Vec<u8> {
    let mut line = vec![0; 20];
    line[5..8].fill(3);
    line[12..14].fill(65_539);
    let status = Signal {
        range: ["-8388608", "8388607", "-8388608", "8388607"],
        ..eeg("Status", vec![line, vec![0; 20]])
    };
    let notes = tals(3, &[b"+0\x14\x14\0+1.5\x14started\x14", b"+1\x14\x14"]);
    file(3, "BDF+C", "1", &[eeg("Fz", vec![vec![7; 20]; 2]), status, notes])
}

#[test]
fn annotations_and_triggers_are_events_together_and_their_source_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bdf");
    std::fs::write(&path, annotated_with_triggers()).unwrap();
    let ids = |source, trigger_mask| {
        let options = EventOptions { source, trigger_mask };
        let reading = read_with_notes(&path, folder.path(), options).unwrap();
        (reading.recording.events().unwrap().ids, reading.notes.join("; "))
    };
    let named = |ids: &[(&str, i32)]| -> Vec<(String, i32)> {
        ids.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect()
    };
    let (both, notes) = ids(EventSource::Both, None);
    assert_eq!(both, named(&[("3", 3), ("65539", 65_539), ("started", 1)]));
    assert_eq!(notes, "events: 1 in annotations, 2 in trigger channel \"Status\"");
    assert_eq!(ids(EventSource::Both, Some(65_535)).0, named(&[("3", 3), ("started", 1)]));
    assert_eq!(ids(EventSource::Annotations, None).0, named(&[("started", 1)]));
    assert_eq!(ids(EventSource::Triggers, Some(1)).0, named(&[("1", 1)]));
}

#[test]
fn voltages_of_any_prefix_are_volts_and_other_units_are_misc() {
    let units: [(&'static [u8], f64, ChannelKind, &str); 7] = [
        (b"uV", 1e-6, ChannelKind::Eeg, "µV"),
        (b"uv", 1e-6, ChannelKind::Eeg, "µV"),
        (b"nV", 1e-9, ChannelKind::Eeg, "nV"),
        (b"kV", 1e3, ChannelKind::Eeg, "kV"),
        (b"V", 1.0, ChannelKind::Eeg, "V"),
        (b"", 1.0, ChannelKind::Eeg, ""),
        (b"%", 1.0, ChannelKind::Misc, "%"),
    ];
    let range = ["-32768", "32767", "-32768", "32767"];
    for (unit, factor, kind, spelling) in units {
        let signal = Signal { unit, range, ..eeg("A", vec![vec![100; 4]]) };
        let found = parse(file(2, "", "1", &[signal])).unwrap();
        let channel = &found.channels()[0];
        assert_eq!((channel.kind, channel.unit.as_str()), (kind, spelling));
        let value = found.channel(0).unwrap()[0];
        assert!((value / (100.0 * factor) - 1.0).abs() < 1e-12, "{spelling}: {value}");
    }
}

#[test]
fn signals_without_samples_are_left_out_and_wrong_counts_name_the_signal() {
    let empty = Signal { records: vec![Samples::Numbers(vec![])], ..eeg("Empty", vec![vec![]]) };
    let signals = [eeg("A", vec![vec![1; 4]]), empty, eeg("B", vec![vec![2; 4]])];
    let bytes = file(2, "", "1", &signals);
    let found = parse(bytes.clone()).unwrap();
    assert_eq!(found.channel_names().collect::<Vec<_>>(), ["A", "B"]);
    let mut wrong = bytes;
    let place = 256 + 3 * 216 + 8;
    wrong[place..place + 2].copy_from_slice(b"-1");
    let message = parse(wrong).unwrap_err().to_string();
    assert!(message.contains("of signal \"Empty\" \"-1\" is not a count"), "{message}");
}

#[test]
fn a_low_cut_off_of_0_is_none() {
    let filter = |low| FirFilter::band(250.0, low, Some(30.0)).unwrap();
    assert_eq!(filter(Some(0.0)).taps(), filter(None).taps());
}

#[test]
fn a_gap_spoils_only_what_the_filter_reaches_from_it() {
    let mut volts = Array2::from_shape_fn((2, 3000), |(c, k)| ((k * (c + 3)) as f64 * 0.01).sin());
    let filter = FirFilter::band(100.0, None, Some(30.0)).unwrap();
    let whole = filter.apply(recording(volts.clone(), &[])).data();
    volts[(1, 1000)] = f64::NAN;
    let spoilt = filter.apply(recording(volts, &[])).data();
    let reach = filter.taps().len() / 2;
    assert_eq!(whole.row(0), spoilt.row(0));
    for k in 0..3000_usize {
        let near = k.abs_diff(1000) <= reach;
        assert_eq!(spoilt[(1, k)].is_nan(), near, "sample {k}");
        assert!(near || (whole[(1, k)] - spoilt[(1, k)]).abs() < 1e-12, "sample {k}");
    }
}

#[test]
fn epochs_with_gaps_are_dropped_for_that_reason() {
    let mut volts = Array2::from_shape_fn((1, 1000), |(_, k)| (k as f64).sin() * 1e-6);
    volts[(0, 210)] = f64::NAN;
    let recording = recording(volts, &[(2.0, "a"), (5.0, "a")]);
    assert_eq!(recording.nan_counts(), [1]);
    let epochs = Epochs::extract(&recording, &EpochOptions::default()).unwrap();
    let kept = epochs.without_artefacts(ArtefactLimits::default());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept.drop_log()[0].reasons, ["NaN"]);
}

#[test]
fn a_number_is_an_id_before_it_is_a_name() {
    let volts = Array2::zeros((1, 1000));
    let recording = recording(volts, &[(2.0, "1"), (4.0, "2"), (6.0, "10")]);
    let options = EpochOptions { baseline: None, ..EpochOptions::default() };
    let of = |asked: &str| {
        let epochs = Epochs::extract(&recording, &options.clone().of([asked])).unwrap();
        epochs.events().iter().map(|event| event.sample).collect::<Vec<_>>()
    };
    // In code-point order: "1" has the id 1, "10" has 2, "2" has 3.
    assert_eq!(of("2"), [600]);
    assert_eq!(of("10"), [600], "no event has the id 10");
    assert_eq!(of("3"), [400]);
}

#[test]
fn plain_gradient_descent_steps_by_the_gradient() {
    let optimizer = Optimizer::new("sgd".parse::<Rule>().unwrap());
    let mut weights = [1.0_f64, -2.0];
    optimizer.step(1, &mut weights, &[0.5, 4.0], &mut [0.0; 2], &mut [0.0; 2]);
    assert!((weights[0] - 0.995).abs() < 1e-15 && (weights[1] + 2.04).abs() < 1e-15);
    assert_eq!("tanh".parse(), Ok(Activation::Tanh));
    assert_eq!("linear".parse(), Ok(Activation::Linear));
}
