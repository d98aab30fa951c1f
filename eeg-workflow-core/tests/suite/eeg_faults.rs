//! What recordings and parameters of users bring: other sources of events, other units, gaps, numbers
//! that are names. Each is right or told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::edf_files::{Samples, Signal, eeg, file, tals};
use crate::support::eeg_signal::with_events;
use crate::support::eeg_support::{marker, wave, written};

use eeg_workflow_core::eeg::formats::brainvision::{Int16Channel, Int16Recording};
use eeg_workflow_core::eeg::formats::edf::parse;
use eeg_workflow_core::eeg::formats::{EventOptions, EventSource, read_with_notes};
use eeg_workflow_core::eeg::network::{Activation, Optimizer, Rule};
use eeg_workflow_core::eeg::{ChannelKind, EpochOptions, Epochs, FirFilter, Labels, read};
use ndarray::Array2;

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
        let options = EventOptions { source, trigger_mask, ..EventOptions::default() };
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
    let units: [(&'static [u8], f64, ChannelKind, &str); 17] = [
        (b"uV", 1e-6, ChannelKind::Eeg, "µV"),
        (b"uv", 1e-6, ChannelKind::Eeg, "µV"),
        (b"UV", 1e-6, ChannelKind::Eeg, "µV"),
        (b"\xb5V", 1e-6, ChannelKind::Eeg, "µV"),
        ("μV".as_bytes(), 1e-6, ChannelKind::Eeg, "µV"),
        (b"uVolts", 1e-6, ChannelKind::Eeg, "µV"),
        (b"pV", 1e-12, ChannelKind::Eeg, "pV"),
        (b"nV", 1e-9, ChannelKind::Eeg, "nV"),
        (b"mV", 1e-3, ChannelKind::Eeg, "mV"),
        (b"dV", 1e-1, ChannelKind::Eeg, "dV"),
        (b"kV", 1e3, ChannelKind::Eeg, "kV"),
        (b"MV", 1e6, ChannelKind::Eeg, "MV"),
        (b"V", 1.0, ChannelKind::Eeg, "V"),
        (b"", 1.0, ChannelKind::Eeg, ""),
        (b"%", 1.0, ChannelKind::Misc, "%"),
        (b"mmHg", 1.0, ChannelKind::Misc, "mmHg"),
        (b"xV", 1.0, ChannelKind::Misc, "xV"),
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
fn what_is_assumed_of_units_and_names_is_told_once_for_all_channels() {
    let of = |label, unit: &'static [u8]| Signal { unit, ..eeg(label, vec![vec![1; 4]]) };
    let empty = Signal { records: vec![Samples::Numbers(vec![])], ..eeg("Dead", vec![vec![]]) };
    let signals = [
        of("C3", b"uV"),
        of("C4", b""),
        of("Cz", b""),
        of("Pz", b"uv"),
        of("SpO2", b"%"),
        of("EOG left", b"mV"),
        of("Status", b"Boolean"),
        empty,
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.edf");
    std::fs::write(&path, file(2, "", "1", &signals)).unwrap();
    let reading = read_with_notes(&path, folder.path(), EventOptions::default()).unwrap();
    insta::assert_snapshot!(reading.notes.join("\n"), @r#"
    channels "C4", "Cz": no unit, taken to be in volts
    channel "Pz": unit "uv", read as µV (1e-6 V)
    channel "SpO2": in "%", which is not a voltage, so of kind misc
    channel "EOG left": in volts and so taken as EEG, whatever the name says
    channel "Dead": no samples, so left out
    events: 0 in annotations, 0 in trigger channel "Status"
    "#);
}

#[test]
fn trigger_lines_of_any_usual_name_hold_numbers_and_not_volts() {
    for label in ["Status", "STATUS", "Trigger", "TRIG", "TRIG1", "STI 014", "STI101", "Event"] {
        let mut line = vec![0; 20];
        line[5..8].fill(12);
        let range = ["-2048", "2047", "-2048", "2047"];
        let signals = [eeg("Fz", vec![vec![7; 20]]), Signal { range, ..eeg(label, vec![line]) }];
        let found = parse(file(2, "", "1", &signals)).unwrap();
        assert_eq!(found.channels()[1].kind, ChannelKind::Stim, "{label}");
        assert_eq!(found.events().unwrap().ids, [("12".to_owned(), 12)], "{label}");
    }
}

#[test]
fn triggers_that_no_marker_was_written_for_are_events_beside_the_markers() {
    let folder = tempfile::tempdir().unwrap();
    let mut samples = wave(2, 1000);
    samples.row_mut(1).fill(0);
    // The second one comes a sample after its marker; none was written for the third.
    for (at, value) in [(200, 1), (401, 2), (700, 9)] {
        samples.slice_mut(ndarray::s![1, at..at + 5]).fill(value);
    }
    let channel = |name: &str, unit: &str, resolution| Int16Channel {
        name: name.into(),
        unit: unit.into(),
        resolution,
    };
    let markers = vec![marker("Stimulus", "S  1", 200, 1), marker("Stimulus", "S  2", 400, 1)];
    let recording = Int16Recording {
        channels: vec![channel("Cz", "µV", 0.1), channel("STI 014", "µV", 1.0)],
        sfreq: 500.0,
        meas_date: None,
        samples: samples.view(),
        markers,
    };
    let path = folder.path().join("a.vhdr");
    recording.write(&path).unwrap();
    let reading = read_with_notes(&path, folder.path(), EventOptions::default()).unwrap();
    assert_eq!(reading.notes, ["events: 2 in annotations, 3 in trigger channel \"STI 014\""]);
    let events = reading.recording.events().unwrap();
    let rows: Vec<_> = events.rows.iter().map(|event| (event.sample, event.id)).collect();
    assert_eq!(rows, [(200, 1), (400, 2), (700, 9)]);
}

#[test]
fn brainvision_headers_are_obeyed_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.vhdr");
    let recording = written(&path, &wave(3, 50), vec![]);
    let header = std::fs::read_to_string(&path).unwrap();
    let stored = std::fs::read(path.with_extension("eeg")).unwrap();
    let mut reversed = stored;
    reversed.chunks_exact_mut(2).for_each(<[u8]>::reverse);
    std::fs::write(path.with_extension("eeg"), &reversed).unwrap();
    for word in ["YES", "yes", "1"] {
        let line = format!("[Binary Infos]\r\nUseBigEndianOrder={word}");
        std::fs::write(&path, header.replace("[Binary Infos]", &line)).unwrap();
        assert_eq!(read(&path).unwrap().data(), recording.data(), "{word}");
    }
    for (place, line, told) in [
        ("[Binary Infos]", "UseBigEndianOrder=perhaps", "\"perhaps\" is not YES or NO"),
        ("[Common Infos]", "DataType=FREQUENCYDOMAIN", "is not TIMEDOMAIN"),
        ("[Common Infos]", "DataType=FREQUENCYDOMAIN_COMPLEX", "is not TIMEDOMAIN"),
    ] {
        let lines = format!("{place}\r\n{line}");
        std::fs::write(&path, header.replace(place, &lines)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
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
fn a_number_is_an_id_before_it_is_a_name() {
    let volts = Array2::zeros((1, 1000));
    let recording = with_events(volts, &[(2.0, "1"), (4.0, "2"), (6.0, "10")]);
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
fn labels_are_ids_where_these_occur_and_names_where_not() {
    // The names of the events with the ids 1, 2 and 3.
    let names = [("1", 1), ("10", 2), ("2", 3), ("S  7, left", 4), ("right", 5), ("right ", 6)];
    let names = names.map(|(name, id)| (name.to_owned(), id));
    let mapping = |entries: &[&str]| {
        let labels = Labels::of_events(entries, &[1, 2, 3, 4, 5], &names);
        labels.map(|labels| labels.mapping().to_vec()).map_err(|error| error.to_string())
    };
    assert_eq!(mapping(&["2", "1"]), Ok(vec![(2, 0), (1, 1)]), "numbers are ids");
    assert_eq!(mapping(&["10", "1,3"]), Ok(vec![(2, 0), (1, 1), (3, 1)]), "no event has id 10");
    assert_eq!(mapping(&["S 7, left", "right"]), Ok(vec![(4, 0), (5, 1), (6, 1)]));
    assert_eq!(mapping(&["99"]), Ok(vec![(99, 0)]), "a number may not occur");
    let error = mapping(&["1", "up,1"]).unwrap_err();
    assert_eq!(
        error,
        "entry 2: \"up\" is neither an event id (a whole number) nor an event's name"
    );
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
