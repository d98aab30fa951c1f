//! Recordings read as MNE-Python reads them: every number of the reference data that a reader
//! produces is compared, samples bit by bit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use std::path::Path;

use eeg_support::{json, number, numbers, read_as_mne, reference, same_bits, strings};
use eeg_workflow_core::eeg::{EventError, Recording, read};
use serde_json::{Value, json};

/// Recordings that MNE refuses for no good reason, and the recording that each must equal.
const READ_NONETHELESS: [(&str, &str); 4] = [
    ("bv_quirks/ascii_vectorized.vhdr", "bv_quirks/ascii_mux_point.vhdr"),
    ("bv_quirks/duplicate_names.vhdr", "bv_quirks/base_int16_mux.vhdr"),
    ("bv_quirks/marker_bad_date.vhdr", "bv_quirks/marker_zero_date.vhdr"),
    ("bv_mne/test_comma-test.vhdr", "bv_mne/test.vhdr"),
];

fn check_info(recording: &Recording, expected: &Value, what: &str) {
    let info = recording.info();
    let names: Vec<&str> = recording.channel_names().collect();
    assert_eq!(names, strings(&expected["ch_names"]), "{what}: names");
    let kinds: Vec<&str> = info.channels.iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds, strings(&expected["ch_types"]), "{what}: kinds");
    assert_eq!(info.sfreq, number(&expected["sfreq"]), "{what}: sampling rate");
    assert_eq!(recording.n_samples() as u64, expected["n_samples"].as_u64().unwrap(), "{what}");
    let meas_date = info.meas_date.map(|d| d.to_string());
    assert_eq!(meas_date.as_deref(), expected["meas_date"].as_str(), "{what}: date");
    for channel in &info.channels {
        let unit = expected["orig_units"][&channel.name].as_str().unwrap();
        // MNE has no name for some units.
        if unit != "n/a" {
            assert_eq!(channel.unit.replace('u', "µ"), unit, "{what}: {}", channel.name);
        }
    }
}

fn check_statistics(recording: &Recording, mean: &Value, std: &Value, what: &str) {
    for (c, (mean, std)) in numbers(mean).into_iter().zip(numbers(std)).enumerate() {
        let x = recording.channel(c).unwrap();
        let n = x.len() as f64;
        let our_mean = x.iter().sum::<f64>() / n;
        let our_std = (x.iter().map(|v| (v - our_mean).powi(2)).sum::<f64>() / n).sqrt();
        if !mean.is_finite() {
            assert!(!our_mean.is_finite(), "{what}: mean of channel {c}: {our_mean}");
            continue;
        }
        let tolerance = 1e-12 * mean.abs().max(std);
        assert!((our_mean - mean).abs() <= tolerance, "{what}: mean of channel {c}");
        assert!((our_std - std).abs() <= tolerance, "{what}: deviation of channel {c}");
    }
}

/// Values at chosen samples, by way of one channel and of the whole array.
fn check_values(recording: &Recording, index: &Value, values: &Value, what: &str) {
    let data = recording.data();
    let index: Vec<usize> =
        index.as_array().unwrap().iter().map(|i| i.as_u64().unwrap() as usize).collect();
    for (c, expected) in values.as_array().unwrap().iter().enumerate() {
        let channel = recording.channel(c).unwrap();
        for (t, expected) in index.iter().zip(numbers(expected)) {
            let (ours, ours_too) = (channel[*t], data[(c, *t)]);
            assert!(same_bits(ours, expected), "{what}: [{c}, {t}] {ours} {expected}");
            assert!(same_bits(ours_too, expected), "{what}: [{c}, {t}] of the array");
        }
    }
}

/// Annotations as [onset, duration, description].
fn check_annotations(recording: &Recording, expected: &[Value], what: &str) {
    let ours = recording.annotations();
    assert_eq!(ours.len(), expected.len(), "{what}: {ours:?}");
    for (ours, expected) in ours.iter().zip(expected) {
        assert_eq!(ours.description, expected[2].as_str().unwrap(), "{what}");
        assert_eq!(ours.onset, number(&expected[0]), "{what}: {ours:?}");
        assert!((ours.duration - number(&expected[1])).abs() < 1e-9, "{what}: {ours:?}");
    }
}

fn check_events(recording: &Recording, expected: &Value, what: &str) {
    if expected.get("error").is_some() {
        assert!(matches!(recording.events(), Err(EventError::OnlyExcluded { .. })), "{what}");
        return;
    }
    let events = recording.events().unwrap();
    let rows: Vec<Value> = events.rows.iter().map(|e| json!([e.sample, 0, e.id])).collect();
    assert_eq!(Value::from(rows), expected["events"], "{what}: events");
    // serde_json sorts keys, which is the order that MNE's mapping has.
    let ids: Vec<(&str, i64)> =
        events.ids.iter().map(|(d, id)| (d.as_str(), i64::from(*id))).collect();
    let expected: Vec<(&str, i64)> = expected["event_id"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(d, id)| (d.as_str(), id.as_i64().unwrap()))
        .collect();
    assert_eq!(ids, expected, "{what}: ids");
}

fn check_quirk(recording: &Recording, expected: &Value, what: &str) {
    check_info(recording, expected, what);
    assert_eq!(recording.info().highpass, number(&expected["highpass"]), "{what}: high-pass");
    assert_eq!(recording.info().lowpass, number(&expected["lowpass"]), "{what}: low-pass");
    check_statistics(recording, &expected["mean"], &expected["std"], what);
    check_values(recording, &expected["sample_index"], &expected["values"], what);
    check_annotations(recording, expected["annotations"].as_array().unwrap(), what);
    check_events(recording, &expected["events"], what);
}

fn renamed(expected: &Value, renames: &[(usize, &str)]) -> Value {
    let mut expected = expected.clone();
    for (at, name) in renames {
        let old = expected["ch_names"][at].as_str().unwrap().to_owned();
        expected["orig_units"][name] = expected["orig_units"][&old].clone();
        expected["ch_names"][at] = json!(name);
    }
    expected
}

#[test]
fn oddities_read_as_in_mne_or_better() {
    let Some(folder) = reference() else { return };
    let quirks = json(&folder.join("expected/quirks.json"));
    let mut compared = 0;
    for (name, expected) in quirks.as_object().unwrap() {
        let path = folder.join("data").join(name);
        if !path.exists() {
            continue;
        }
        compared += 1;
        let twin = READ_NONETHELESS.iter().find(|(odd, _)| odd == name);
        match (expected.get("error"), twin) {
            (None, _) => check_quirk(&read_as_mne(&path).unwrap(), expected, name),
            (Some(_), Some((_, twin))) => {
                let expected = match name.as_str() {
                    "bv_quirks/duplicate_names.vhdr" => {
                        renamed(&quirks[*twin], &[(1, "Cz-0"), (2, "Cz-1")])
                    }
                    "bv_mne/test_comma-test.vhdr" => renamed(&quirks[*twin], &[(3, "F4,foo")]),
                    _ => quirks[*twin].clone(),
                };
                check_quirk(&read_as_mne(&path).unwrap(), &expected, name);
            }
            (Some(_), None) => {
                let error = read_as_mne(&path).unwrap_err().to_string();
                assert!(error.contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
                let culprit = match name.as_str() {
                    "bv_quirks/channel_missing.vhdr" => "Ch3",
                    "bv_quirks/uint16_unsupported.vhdr" => "UINT_16",
                    other => panic!("{other} has a new kind of error"),
                };
                assert!(error.contains(culprit), "{error}");
            }
        }
    }
    assert!(compared >= 55, "only {compared} recordings compared");
}

#[test]
fn whole_recordings_read_as_in_mne() {
    let Some(folder) = reference() else { return };
    let names = [
        "eeglab_testbva",
        "mne_latin1_vectorized",
        "mne_test",
        "mne_testv2",
        "uwb_DoD_2015_02",
        "uwb_Tachov_08",
    ];
    for name in names {
        let expected = json(&folder.join("expected").join(format!("{name}.json")));
        let path = folder.join(expected["file"].as_str().unwrap());
        let raw = &expected["raw"];
        let recording = read_as_mne(&path).unwrap();
        check_info(&recording, raw, name);
        assert_eq!(recording.info().highpass, number(&raw["header_highpass_hz"]), "{name}");
        assert_eq!(recording.info().lowpass, number(&raw["header_lowpass_hz"]), "{name}");
        check_statistics(&recording, &raw["mean"], &raw["std_ddof0"], name);
        check_values(&recording, &raw["scattered_index"], &raw["scattered_values"], name);
        let first: Value = (0..raw["first_samples"][0].as_array().unwrap().len()).collect();
        check_values(&recording, &first, &raw["first_samples"], name);
        let extremes = recording.envelope(1);
        for (c, (min, max)) in
            numbers(&raw["min"]).into_iter().zip(numbers(&raw["max"])).enumerate()
        {
            assert_eq!(extremes[c], [(min, max)], "{name}: extremes of channel {c}");
        }
        let annotations = raw["annotations"].as_array().unwrap().iter();
        let annotations: Vec<Value> =
            annotations.map(|a| json!([a["onset_s"], a["duration_s"], a["description"]])).collect();
        check_annotations(&recording, &annotations, name);
        check_events(&recording, &expected["events_from_annotations"], name);
        let asked = strings(&expected["channel_selection"]["asked"]);
        let picked = recording.pick_channels(&asked).unwrap();
        let got: Vec<&str> = picked.channel_names().collect();
        assert_eq!(got, strings(&expected["channel_selection"]["got"]), "{name}");
    }
}

#[test]
fn the_set_reads_alike_from_any_of_its_files() {
    let Some(folder) = reference() else { return };
    let stem = folder.join("data/bv_uwb/DoD_2015_02");
    for ending in ["vhdr", "eeg", "vmrk"] {
        let recording = read(&stem.with_extension(ending)).unwrap();
        assert_eq!(recording.shape(), (3, 230_480), "{ending}");
        assert_eq!(recording.events().unwrap().rows.len(), recording.annotations().len());
    }
    let error = read(Path::new("/nowhere/at-all.eeg")).unwrap_err().to_string();
    assert!(error.contains("at-all.eeg"), "{error}");
}
