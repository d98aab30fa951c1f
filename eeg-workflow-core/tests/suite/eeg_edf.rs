//! EDF and BDF files: the reference recordings, files that the tests make themselves, refusals,
//! and no panic on whatever bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::{edf_files, eeg_support};

use std::fs;

use edf_files::{Signal, eeg, file, rich, tals, volts};
use eeg_support::{json, number, numbers, reference, same_bits, strings};
use eeg_workflow_core::eeg::formats::edf::{EdfError, Header, parse};
use eeg_workflow_core::eeg::formats::{EventOptions, EventSource, read_with_notes};
use eeg_workflow_core::eeg::{ChannelKind, EventNumbering, Recording, read, read_inside};
use proptest::prelude::*;
use serde_json::Value;

fn notes(recording: &Recording) -> Vec<(f64, f64, &str)> {
    recording.annotations().iter().map(|a| (a.onset, a.duration, a.description.as_str())).collect()
}

fn events(recording: &Recording) -> Vec<(i64, i32)> {
    recording.events().unwrap().rows.iter().map(|e| (e.sample, e.id)).collect()
}

#[test]
fn reference_recordings_read_as_in_mne() {
    let Some(folder) = reference() else { return };
    let expected = json(&folder.join("expected/formats.json"));
    let files = expected.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("edf/"));
    let mut compared = 0;
    for (name, expected) in files {
        let recording = read(&folder.join("data").join(name)).unwrap();
        compare(name, &recording, expected);
        compared += 1;
    }
    assert!(compared >= 6);
}

fn compare(name: &str, recording: &Recording, expected: &Value) {
    let names: Vec<&str> = recording.channel_names().collect();
    assert_eq!(names, strings(&expected["ch_names"]), "{name}");
    let kinds: Vec<&str> = recording.channels().iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds, strings(&expected["ch_types"]), "{name}");
    for channel in recording.channels().iter().filter(|c| c.kind == ChannelKind::Eeg) {
        assert_eq!(channel.unit, expected["orig_units"][&channel.name], "{name} {}", channel.name);
    }
    assert_eq!(recording.sfreq(), number(&expected["sfreq"]), "{name}");
    assert_eq!(recording.n_samples() as u64, expected["n_samples"], "{name}");
    let date = recording.info().meas_date.map(|date| date.to_string());
    assert_eq!(date.as_deref(), expected["meas_date"].as_str(), "{name}");
    assert_eq!(recording.info().highpass, number(&expected["highpass"]), "{name}");
    assert_eq!(recording.info().lowpass, number(&expected["lowpass"]), "{name}");

    // MNE's annotations are those of the file, or else the triggers.
    let path = reference().unwrap().join("data").join(name);
    let options = EventOptions { source: EventSource::Annotations, ..EventOptions::default() };
    let noted = read_with_notes(&path, path.parent().unwrap(), options).unwrap().recording;
    let recording = if noted.annotations().is_empty() { recording } else { &noted };
    let notes: Vec<Value> =
        notes(recording).iter().map(|(o, d, t)| serde_json::json!([o, d, t])).collect();
    assert_eq!(Value::Array(notes), expected["annotations"], "{name}");
    let rows = recording.events().unwrap();
    let table: Vec<Value> =
        rows.rows.iter().map(|e| serde_json::json!([e.sample, 0, e.id])).collect();
    assert_eq!(Value::Array(table), expected["events"]["events"], "{name}");
    for (description, id) in &rows.ids {
        assert_eq!(expected["events"]["event_id"][description], *id, "{name}");
    }
    if let Some(line) = expected["find_events"]["channel"].as_str() {
        let line = names.iter().position(|n| *n == line).unwrap();
        let found = recording.trigger_events(line, None).unwrap();
        assert_eq!(found.rows.len() as u64, expected["find_events"]["n"], "{name}");
        let first = found.rows.iter().map(|e| serde_json::json!([e.sample, 0, e.id]));
        let first: Vec<Value> = first.take(20).collect();
        assert_eq!(Value::Array(first), expected["find_events"]["first"], "{name}");
    }

    // Channels of the highest rate are as in the file, others come from a resampling.
    let bytes = fs::read(reference().unwrap().join("data").join(name)).unwrap();
    let header = Header::parse(&bytes).unwrap();
    let samples =
        |channel: &str| header.signals.iter().find(|s| s.name == channel).map_or(0, |s| s.samples);
    let most = names.iter().map(|n| samples(n)).max().unwrap();
    let data = recording.data();
    let at: Vec<usize> = numbers(&expected["sample_index"]).iter().map(|v| *v as usize).collect();
    let sampled = strings(&expected["channels_sampled"]);
    let (mut worst, mut exact) = (0.0_f64, 0);
    for (channel, values) in sampled.iter().zip(expected["values"].as_array().unwrap()) {
        let row = names.iter().position(|n| n == channel).unwrap();
        let scale = data.row(row).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (sample, value) in at.iter().zip(numbers(values)) {
            let found = data[(row, *sample)];
            if samples(channel) == most {
                assert!(same_bits(found, value), "{name} {channel} {sample}: {found} {value}");
                exact += 1;
            } else {
                worst = worst.max((found - value).abs() / scale);
            }
        }
    }
    assert!(worst <= 1e-13, "{name}: {worst:e}");
    for (row, (mean, std)) in
        numbers(&expected["mean"]).into_iter().zip(numbers(&expected["std"])).enumerate()
    {
        let values = data.row(row);
        let n = values.len() as f64;
        let own = values.sum() / n;
        let variance = values.iter().map(|v| (v - own).powi(2)).sum::<f64>() / n;
        assert!((own - mean).abs() <= 1e-9 * (mean.abs() + std), "{name} {row}: {own} {mean}");
        assert!((variance.sqrt() - std).abs() <= 1e-9 * std, "{name} {row}: {variance} {std}");
    }
    println!("{name}: {exact} samples bit-equal, worst of resampled ones {worst:.1e}");
}

#[test]
fn samples_of_16_and_24_bits_are_scaled_in_the_order_of_mne() {
    for (width, extremes) in [(2, [-32768, 32767]), (3, [-8_388_608, 8_388_607])] {
        let records: Vec<Vec<i32>> = (0..40)
            .map(|r| {
                let wave = (0..7).map(|t| (r * 7 + t) * 3 - 400);
                wave.chain(extremes).chain([0]).collect()
            })
            .collect();
        let other: Vec<Vec<i32>> =
            records.iter().map(|r| r.iter().map(|v| -v / 2).collect()).collect();
        let bytes = file(width, "", "0.1", &[eeg("A", records.clone()), eeg("B", other.clone())]);
        let recording = parse(bytes.clone()).unwrap();
        assert_eq!((recording.shape(), recording.sfreq()), ((2, 400), 100.0));
        assert!(recording.byte_size() <= bytes.len());
        let data = recording.data();
        for (row, stored) in [records, other].into_iter().enumerate() {
            let expected: Vec<f64> = stored.concat().into_iter().map(volts).collect();
            assert_eq!(data.row(row).to_vec(), expected, "{width}");
            assert_eq!(recording.channel(row).unwrap(), expected, "{width}");
            let ends = |v: &[f64]| v.iter().fold((v[0], v[0]), |(a, b), v| (a.min(*v), b.max(*v)));
            let envelope: Vec<_> = expected.chunks(16).map(ends).collect();
            assert_eq!(recording.envelope(25)[row], envelope, "{width}");
        }
        let picked = recording.pick_channels(&["B"]).unwrap();
        assert_eq!(picked.channel(0), recording.channel(1));
        let date = recording.info().meas_date.unwrap();
        assert_eq!(date.to_string(), "2024-02-29T23:59:58+00:00");
    }
}

#[test]
fn units_and_ranges_read_as_in_mne() {
    let record = vec![vec![-5, 17]];
    let with = |unit: &'static [u8], range| {
        let recording =
            parse(file(2, "", "1", &[Signal { unit, range, ..eeg("A", record.clone()) }]));
        let recording = recording.unwrap();
        (recording.channels()[0].unit.clone(), recording.channel(0).unwrap())
    };
    let plain = ["-10", "10", "-10", "10"];
    for unit in [&b"uV"[..], b"\xb5V", b"\xc2\xb5V", b"\xce\xbcV", b"\x83\xcaV"] {
        let expected = ("µV".to_owned(), vec![-5.0 * 1e-6, 17.0 * 1e-6]);
        assert_eq!(with(unit, plain), expected, "{unit:?}");
    }
    assert_eq!(with(b"mV", plain).1, [-5.0 * 1e-3, 17.0 * 1e-3]);
    assert_eq!(with(b"V", plain).1, [-5.0, 17.0]);
    assert_eq!(with(b"degC", plain), ("degC".to_owned(), vec![-5.0, 17.0]));
    // Upside down, a comma for a point, and ranges of nothing, which count as 1.
    assert_eq!(with(b"V", ["10", "-10", "-10", "10"]).1, [5.0, -17.0]);
    assert_eq!(with(b"V", ["-0,5", "0,5", "-1", "1"]).1, [-2.5, 8.5]);
    assert_eq!(with(b"V", ["3", "3", "0", "2"]).1, [0.5, 11.5]);
    assert_eq!(with(b"V", ["0", "2", "4", "4"]).1, [-18.0, 26.0]);
}

#[test]
fn repeated_labels_get_numbers_or_letters() {
    let signals = ["Cz", "Cz", "Cz-0", "Pz", "Cz"].map(|label| eeg(label, vec![vec![1]]));
    let recording = parse(file(2, "", "1", &signals)).unwrap();
    let names: Vec<&str> = recording.channel_names().collect();
    assert_eq!(names, ["Cz-a", "Cz-1", "Cz-0", "Pz", "Cz-2"]);
}

#[test]
fn annotations_have_onset_duration_and_text() {
    for width in [2, 3] {
        let recording = parse(rich(width)).unwrap();
        assert_eq!(recording.shape(), (3, 60));
        assert_eq!(
            notes(&recording),
            [
                (0.5, 0.25, "one"),
                (0.5, 0.25, "two"),
                (1.0, 0.0, "9"),
                (1.5, 0.0, "仰"),
                (2.25, 0.0, "Fz")
            ]
        );
        assert_eq!(recording.info().numbering, EventNumbering::Trigger);
        assert_eq!(events(&recording), [(10, 2), (10, 3), (20, 9), (30, 4), (45, 1)]);
        // The trigger line stands among them, and can be asked alone.
        assert_eq!(recording.channels()[2].kind, ChannelKind::Stim);
        let triggers = recording.trigger_events(2, None).unwrap();
        assert_eq!(triggers.rows.iter().map(|e| (e.sample, e.id)).collect::<Vec<_>>(), [(20, 9)]);
        assert_eq!(triggers.ids, [("9".to_owned(), 9)]);
        assert!(recording.trigger_events(3, None).is_none());
    }
}

#[test]
fn annotations_count_from_a_first_sample_within_a_second() {
    let data = eeg("A", vec![vec![0; 10]; 2]);
    let first =
        b"+0.35\x14\x14at once\x14\0+0.85\x141\x141@@A\x14\0-1\x142\x14\0+1.1\x14f\xfcnf@@A\x14";
    let second = b"+1.35\x14\x14\0garbage\0+1.1\x14f\xfcnf@@A\x14a@@b\x14\0+9\x14late\x14";
    let recording = parse(file(2, "EDF+C", "1", &[data, tals(2, &[first, second])])).unwrap();
    let expected =
        [(0.0, 0.0, "at once"), (0.5, 0.0, "1"), (0.75, 0.0, "fünf"), (0.75, 0.0, "a@@b")];
    assert_eq!(notes(&recording), expected);
    // In whole seconds, as in MNE.
    let date = recording.info().meas_date.unwrap();
    assert_eq!(date.to_string(), "2024-02-29T23:59:58+00:00");
}

#[test]
fn what_follows_a_gap_between_records_stays_at_its_samples() {
    let data = eeg("A", (0..4).map(|r| vec![r; 10]).collect());
    let notes_of = |kind, times: [&[u8]; 4]| {
        let recording = parse(file(2, kind, "1", &[data.clone(), tals(2, &times)]))?;
        let notes = notes(&recording);
        Ok::<_, EdfError>(
            notes.iter().map(|(o, d, t)| (*o, *d, (*t).to_owned())).collect::<Vec<_>>(),
        )
    };
    let times: [&[u8]; 4] = [
        b"+0\x14\x14\0+1.5\x151\x14in\x14\0+5.5\x14gap\x14",
        b"+1\x14\x14\0+1.5\x156\x14over\x14",
        b"+7\x14\x14\0+7.5\x14\x14",
        b"+8\x14\x14\0+8.5\x150.25\x14behind\x14",
    ];
    let at = |onset, duration, text: &str| (onset, duration, text.to_owned());
    let expected = [
        at(1.5, 0.5, "in"),
        at(1.5, 1.0, "over"),
        at(2.0, 0.0, "BAD boundary"),
        at(2.0, 0.0, "EDGE boundary"),
        at(2.0, 0.0, "gap"),
        at(3.5, 0.25, "behind"),
    ];
    assert_eq!(notes_of("EDF+D", times).unwrap(), expected);
    // Without gaps it reads as EDF+C.
    let runs: [&[u8]; 4] =
        [b"+0\x14\x14\0+1.5\x151\x14in\x14", b"+1\x14\x14", b"+2\x14\x14", b"+3\x14\x14"];
    assert_eq!(notes_of("EDF+D", runs).unwrap(), [at(1.5, 1.0, "in")]);
    assert_eq!(notes_of("EDF+C", runs).unwrap(), [at(1.5, 1.0, "in")]);
    let back: [&[u8]; 4] = [b"+0\x14\x14", b"+1\x14\x14", b"+1.5\x14\x14", b"+3\x14\x14"];
    let message = notes_of("EDF+D", back).unwrap_err().to_string();
    assert_eq!(message, "data record 2 starts at 1.5 s, before its predecessor ends at 2 s");
}

#[test]
fn triggers_of_a_status_line_are_events_of_their_number() {
    // Bits above the 17th are the amplifier's own; the sign is one of them.
    let high = -8_388_608 | 0x10_0000;
    let line = vec![vec![high | 5, 0, 0, 2, 2, 7], vec![7, 3, high | 4, 0, 0, 0x1_ffff]];
    let samples: Vec<i32> = line.concat();
    let mut status = eeg("Status", line);
    status.range = ["-8388608", "8388607", "-8388608", "8388607"];
    let bytes = file(3, "24BIT", "1", &[eeg("A", vec![vec![0; 6]; 2]), status]);
    let recording = parse(bytes).unwrap();
    let expected: Vec<f64> = samples.iter().map(|v| f64::from(v & 0x1_ffff)).collect();
    assert_eq!(recording.channel(1).unwrap(), expected);
    assert_eq!(recording.envelope(2)[1], [(0.0, 7.0), (0.0, 131_071.0)]);
    assert_eq!(events(&recording), [(3, 2), (5, 7), (8, 4), (11, 131_071)]);
    assert_eq!(notes(&recording)[1], (0.833333, 0.0, "7"));
    let ids = recording.events().unwrap().ids;
    assert!(ids.contains(&("131071".to_owned(), 131_071)) && ids.len() == 4);
}

#[test]
fn slower_channels_are_resampled_and_slower_triggers_held() {
    let wave = |n: usize| -> Vec<Vec<i32>> {
        let at = |k: usize| (2000.0 * (k as f64 * std::f64::consts::TAU / n as f64).sin()).round();
        vec![(0..n).map(|k| at(k) as i32).collect(); 3]
    };
    let mut trigger = eeg("trigger", vec![vec![0, 1, 1], vec![2, 2, 0], vec![0, 0x2_0004, 0]]);
    trigger.range = ["0", "1", "0", "1"];
    let signals = [eeg("fast", wave(200)), eeg("slow", wave(50)), trigger];
    let recording = parse(file(3, "", "1", &signals)).unwrap();
    assert_eq!((recording.shape(), recording.sfreq()), ((3, 600), 200.0));
    let (fast, slow) = (recording.channel(0).unwrap(), recording.channel(1).unwrap());
    let worst = fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // As far apart as rounding to a step of 0.1 µV takes them.
    assert!(worst < 2e-7, "{worst:e}");
    let line = recording.channel(2).unwrap();
    let third = |k: usize| line[k * 200 / 3 + 1];
    assert_eq!((0..9).map(third).collect::<Vec<_>>(), [0., 1., 1., 2., 2., 0., 0., 4., 0.]);
    assert_eq!(events(&recording), [(67, 1), (200, 2), (467, 4)]);
}

#[test]
fn filters_that_the_header_notes_are_known() {
    let with = |notes: &[&'static str]| {
        let signal =
            |prefilter: &&'static str| Signal { prefilter, ..eeg("A", vec![vec![0; 100]]) };
        let signals: Vec<Signal> = notes.iter().map(signal).collect();
        let info = parse(file(2, "", "1", &signals)).unwrap().info().clone();
        (info.highpass, info.lowpass)
    };
    assert_eq!(with(&["HP:0.1Hz LP:30Hz N:50Hz"]), (0.1, 30.0));
    assert_eq!(with(&["HP: DC; LP: 40,5Hz", "HP:0.5 LP:45", ""]), (0.5, 40.5));
    assert_eq!(with(&["HP:x LP:y"]), (0.0, 50.0));
    assert_eq!(with(&["HP:60Hz"]), (0.0, 50.0));
}

#[test]
fn the_file_s_size_tells_the_number_of_records() {
    let records: Vec<Vec<i32>> = (0..3).map(|r| vec![r, r + 10]).collect();
    let mut bytes = file(2, "", "1", &[eeg("A", records)]);
    let whole = parse(bytes.clone()).unwrap();
    assert_eq!(whole.n_samples(), 6);
    bytes.pop();
    let cut = parse(bytes).unwrap();
    assert_eq!(cut.channel(0).unwrap(), whole.channel(0).unwrap()[..4]);
}

#[test]
fn the_format_is_found_by_content_and_by_ending() {
    let folder = tempfile::tempdir().unwrap();
    for (name, width) in [("a.edf", 2), ("a.BDF", 3), ("a.rec", 2), ("a.dat", 3), ("wrong.edf", 3)]
    {
        let path = folder.path().join(name);
        fs::write(&path, rich(width)).unwrap();
        assert_eq!(read(&path).unwrap().shape(), (3, 60), "{name}");
        assert_eq!(read_inside(&path, folder.path()).unwrap().shape(), (3, 60), "{name}");
    }
    let path = folder.path().join("no.edf");
    fs::write(&path, "Brain".repeat(100)).unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("no.edf: byte 0: version \"BrainBra\" is neither"), "{message}");
    let path = folder.path().join("a.txt");
    fs::write(&path, "nothing").unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("not a recording in a known format"), "{message}");
}

#[test]
fn what_cannot_be_is_refused_with_its_byte() {
    let good = file(2, "", "1", &[eeg("A", vec![vec![1, 2, 3]])]);
    let with = |at: usize, text: &str| {
        let mut bytes = good.clone();
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        parse(bytes).unwrap_err().to_string()
    };
    assert_eq!(with(252, "x   "), "byte 252: number of signals \"x\" is not a count");
    assert_eq!(
        with(252, "9999"),
        "byte 518: the file ends within its header, which takes 2560000 bytes for 9999 signals"
    );
    assert!(with(184, "768").starts_with("byte 184: length of the header \"768\" is not 256"));
    assert_eq!(
        with(244, "-1"),
        "byte 244: duration of a data record \"-1\" is not a time in seconds"
    );
    assert_eq!(
        with(360, "nan     "),
        "byte 360: physical minimum of signal \"A\" \"nan\" is not a number"
    );
    assert_eq!(
        with(384, "        "),
        "byte 384: digital maximum of signal \"A\" \"\" is not a number"
    );
    assert_eq!(with(472, "0"), "no channels: all 1 signals are annotations or have no samples");
    assert_eq!(
        with(472, "99"),
        "byte 512: 6 bytes of data are less than one data record of 198 bytes"
    );
    assert_eq!(
        parse(good[..100].to_vec()).unwrap_err().to_string(),
        "100 bytes are not even the first 256 of an EDF or BDF header"
    );
    let only = file(2, "EDF+C", "0", &[tals(2, &[b"+0\x14\x14"])]);
    assert_eq!(
        parse(only).unwrap_err().to_string(),
        "no channels: all 1 signals are annotations or have no samples"
    );
}

#[test]
fn a_small_file_does_not_grow_to_fill_the_memory() {
    let mut signals = vec![eeg("fast", vec![vec![0; 100_000]])];
    signals.extend(std::iter::repeat_n(eeg("slow", vec![vec![0]]), 999));
    let message = parse(file(2, "", "1", &signals)).unwrap_err().to_string();
    assert!(
        message.contains("\"slow-0\" with 1 and \"fast\" with 100000 samples a data record"),
        "{message}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Header::parse(&bytes);
        prop_assert!(parse(bytes).is_err());
    }

    #[test]
    fn no_change_to_a_file_makes_the_reader_panic(
        width in 2_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        digits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0123456789-+. D".to_vec())), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = rich(width);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, value) in digits {
            let at = at.index(256 * 6);
            bytes[at] = value;
        }
        for bytes in [bytes[..cut.index(bytes.len())].to_vec(), bytes] {
            if let Ok(recording) = parse(bytes) {
                let (channels, samples) = recording.shape();
                prop_assert_eq!(recording.data().dim(), (channels, samples));
                prop_assert_eq!(recording.envelope(10).len(), channels);
                let _ = recording.events();
            }
        }
    }
}
