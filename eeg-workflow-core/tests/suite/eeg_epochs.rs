//! Epochs and averages beside MNE-Python, and at the edges of recordings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::{eeg_signal, eeg_support};

use std::collections::HashMap;

use eeg_signal::{Worst, channel, largest, note, recording, waves};
use eeg_support::{
    expected_recordings, indices, json, number, numbers, read_as_mne, reference, strings,
};
use eeg_workflow_core::eeg::{
    AverageError, ChannelKind, EpochError, EpochOptions, Epochs, Event, Evoked, FirFilter,
    Recording, Repeated,
};
use ndarray::{Array2, Array3};
use proptest::prelude::*;
use serde_json::Value;

/// The options of an expected block's `args`.
fn options(args: &Value) -> EpochOptions {
    let end = |value: &Value| (!value.is_null()).then(|| number(value));
    let baseline = args["baseline"].as_array().map(|b| (end(&b[0]), end(&b[1])));
    let events = args["event_id"].as_i64().map(|id| vec![id.to_string()]);
    EpochOptions {
        tmin: number(&args["tmin"]),
        tmax: number(&args["tmax"]),
        baseline,
        events,
        ..EpochOptions::default()
    }
}

/// Reasons by the number of the event, as the reference lists them.
fn reasons(epochs: &Epochs) -> HashMap<String, Vec<String>> {
    let log = epochs.drop_log().iter().enumerate();
    log.filter(|(_, e)| !e.reasons.is_empty())
        .map(|(i, e)| (i.to_string(), e.reasons.clone()))
        .collect()
}

fn check(epochs: &Epochs, expected: &Value, input: f64, at: &str, worst: &mut Worst) {
    let shape = indices(&expected["shape"]);
    assert_eq!([epochs.len(), epochs.channel_count(), epochs.n_samples()], shape[..], "{at}");
    let ids: Vec<i64> = epochs.event_ids().into_iter().map(i64::from).collect();
    let wanted: Vec<i64> = expected["event_ids_in_order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_i64().unwrap())
        .collect();
    assert_eq!(ids, wanted, "{at}: ids");
    let samples: Vec<usize> = epochs.events().iter().map(|e| e.sample as usize).collect();
    assert_eq!(samples, indices(&expected["event_samples_in_order"]), "{at}: samples");
    let log: HashMap<String, Vec<String>> =
        serde_json::from_value(expected["drop_log_nonempty"].clone()).unwrap();
    assert_eq!(reasons(epochs), log, "{at}: drop log");
    assert_eq!(epochs.drop_log().len() as u64, expected["drop_log_length"].as_u64().unwrap());
    let kept = epochs.drop_log().iter().enumerate().filter(|(_, e)| e.reasons.is_empty());
    let kept: Vec<usize> = kept.map(|(i, _)| i).collect();
    assert_eq!(kept, indices(&expected["selection"]), "{at}: selection");
    let times = epochs.times();
    assert_eq!(times.first().copied(), Some(number(&expected["time_first"])), "{at}");
    assert_eq!(times.last().copied(), Some(number(&expected["time_last"])), "{at}");
    let baseline = expected["baseline_resolved"].as_array().map(|b| (number(&b[0]), number(&b[1])));
    assert_eq!(epochs.baseline(), baseline, "{at}: baseline");
    let values = &expected["values"];
    if values.is_null() {
        return;
    }
    let channels = epochs.pick_channels(&strings(&values["channels"])).unwrap();
    let data = channels.data();
    for (i, epoch) in indices(&values["epoch_index"]).into_iter().enumerate() {
        for c in 0..channels.channel_count() {
            let row = data.index_axis(ndarray::Axis(0), epoch);
            let row = row.row(c).to_vec();
            let got: Vec<f64> =
                indices(&values["time_index"]).into_iter().map(|t| row[t]).collect();
            worst.note("epochs", at, &got, &numbers(&values["data"][i][c]), largest(&row), input);
            assert_eq!(channels.epoch(epoch).unwrap().row(c).to_vec(), row);
        }
    }
}

fn check_average(average: &Evoked, expected: &Value, input: f64, at: &str, worst: &mut Worst) {
    assert_eq!(average.nave as u64, expected["nave"].as_u64().unwrap(), "{at}");
    assert_eq!(average.comment, expected["comment"].as_str().unwrap(), "{at}");
    let names: Vec<&str> = average.channel_names().collect();
    assert_eq!(names, strings(&expected["ch_names"]), "{at}");
    for (name, values) in
        strings(&expected["channels"]).iter().zip(expected["per_sample"].as_array().unwrap())
    {
        let row = average.channel(name).unwrap();
        worst.note("averages", at, &row, &numbers(values), largest(&row), input);
    }
    let means: Vec<f64> =
        (0..names.len()).map(|c| average.data.row(c).sum() / average.shape().1 as f64).collect();
    let scale = largest(average.data.as_slice().unwrap());
    worst.note("averages", at, &means, &numbers(&expected["mean_all_channels"]), scale, input);
}

#[test]
fn epochs_and_averages_are_those_of_mne() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    let mut cases = 0;
    for (name, expected, raw) in expected_recordings(&folder) {
        let input = largest(raw.data().as_slice().unwrap());
        let Some(blocks) = expected["epochs"].as_object() else { continue };
        for (what, case) in blocks {
            let at = format!("{name} {what}");
            if case["args"].is_null() {
                continue; // peak-to-peak rejection has a test of its own
            }
            cases += 1;
            let raw = match &case["bad_annotation"] {
                Value::Null => raw.clone(),
                bad => {
                    let mut info = raw.info().clone();
                    let text = bad["description"].as_str().unwrap();
                    let bad = note(number(&bad["onset_s"]), number(&bad["duration_s"]), text);
                    info.annotations.push(bad);
                    Recording::from_volts(info, raw.data().as_ref().clone()).unwrap()
                }
            };
            let epochs = Epochs::extract(&raw, &options(&case["args"]));
            if let Some(error) = case["error"].as_str() {
                let fits = match epochs.unwrap_err() {
                    EpochError::NoSuchEvent { .. } => error.contains("No matching events"),
                    EpochError::BaselineOutside { .. } => error.contains("Baseline interval"),
                    other => panic!("{at}: {other}"),
                };
                assert!(fits, "{at}: {error}");
                continue;
            }
            let epochs = epochs.unwrap();
            check(&epochs, case, input, &at, &mut worst);
            if what == "block_default" && expected["average_block_default"]["nave"].is_u64() {
                let average = &expected["average_block_default"];
                check_average(&epochs.average().unwrap(), average, input, &at, &mut worst);
            }
        }
        for step in expected["pipeline"].as_array().unwrap() {
            let (low, high) = (number(&step["filter"][0]), number(&step["filter"][1]));
            let at = format!("{name} {low}-{high} Hz");
            let filter = FirFilter::band(raw.sfreq(), Some(low), Some(high)).unwrap();
            let filtered = filter.apply(raw.clone());
            let epochs = Epochs::extract(&filtered, &options(&step["epochs"]["args"])).unwrap();
            check(&epochs, &step["epochs"], input, &at, &mut worst);
            if epochs.is_empty() {
                assert_eq!(epochs.average().unwrap_err(), AverageError::NoEpochs, "{at}");
                continue;
            }
            check_average(&epochs.average().unwrap(), &step["average"], input, &at, &mut worst);
            let averages = epochs.averages().unwrap();
            let by_id = step["average_per_event_id"].as_object().unwrap();
            assert_eq!(averages.len(), by_id.len(), "{at}");
            for (id, average) in epochs.distinct_ids().iter().zip(&averages) {
                let expected = &by_id[&id.to_string()];
                assert_eq!(average.nave as u64, expected["nave"].as_u64().unwrap(), "{at}");
                assert_eq!(average.comment, epochs.name_of(*id));
                let row = average.channel(expected["channel"].as_str().unwrap()).unwrap();
                let got: Vec<f64> = row.iter().step_by(10).copied().collect();
                let values = numbers(&expected["per_sample_every_10"]);
                worst.note("averages of one event", &at, &got, &values, largest(&row), input);
            }
        }
    }
    assert!(cases > 50, "{cases} cases");
    worst.print();
}

#[test]
fn odd_recordings_give_the_epochs_that_mne_gives() {
    let Some(folder) = reference() else { return };
    let expected = json(&folder.join("expected/quirks.json"));
    let mut compared = 0;
    for (file, case) in expected.as_object().unwrap() {
        let case = &case["epochs_default"];
        let Ok(raw) = read_as_mne(&folder.join("data").join(file)) else { continue };
        let epochs = Epochs::extract(&raw, &EpochOptions::default());
        match case["error"].as_str() {
            Some("no events") => assert!(matches!(epochs, Err(EpochError::NoEvents)), "{file}"),
            Some(_) => {
                assert!(matches!(epochs, Err(EpochError::Repeated { .. })), "{file}");
                let repeated = Repeated::KeepFirst;
                let options = EpochOptions { repeated, ..EpochOptions::default() };
                let epochs = Epochs::extract(&raw, &options).unwrap();
                assert!(reasons(&epochs).values().any(|r| r == &["DROP DUPLICATE"]), "{file}");
            }
            None if case["shape"].is_array() => {
                let epochs = epochs.unwrap();
                let (n, channels, samples) = epochs.shape();
                assert_eq!(vec![n, channels, samples], indices(&case["shape"]), "{file}");
                let log: HashMap<String, Vec<String>> =
                    serde_json::from_value(case["drop_log_nonempty"].clone()).unwrap();
                assert_eq!(reasons(&epochs), log, "{file}");
                compared += 1;
            }
            None => {}
        }
    }
    assert!(compared > 35, "{compared} files");
}

/// 3 channels, 1000 samples at 250 Hz, the last one misc, events of two kinds.
fn small() -> Recording {
    let notes = vec![
        note(0.1, 0.0, "Stimulus/S  1"),
        note(0.8, 0.0, "Stimulus/S  2"),
        note(1.6, 0.0, "Comment/a,b"),
        note(2.4, 0.0, "Stimulus/S  1"),
        note(3.9, 0.0, "Stimulus/S  2"),
    ];
    let raw = recording(waves(3, 1000) + 1.0, 250.0, notes);
    let mut info = raw.info().clone();
    info.channels[2] = channel("temperature", ChannelKind::Misc);
    Recording::from_volts(info, raw.into_data()).unwrap()
}

#[test]
fn events_are_chosen_by_name_and_by_id() {
    let raw = small();
    let ids = |asked: &[&str]| {
        let options = EpochOptions::default().of(asked.iter().copied());
        Epochs::extract(&raw, &options).unwrap().event_ids()
    };
    assert_eq!(ids(&["Stimulus/S  2"]), [2]);
    assert_eq!(ids(&["Stimulus/S 2", "10001"]), [2, 10001]);
    assert_eq!(ids(&["1", "Stimulus/S  1"]), [1]);
    assert_eq!(ids(&["Comment/a,b", "1", "2"]), [2, 10001, 1]);
    let error = Epochs::extract(&raw, &EpochOptions::default().of(["7", "1", "S 3"]));
    assert_eq!(
        error.unwrap_err().to_string(),
        "no event \"7\", \"S 3\"; the recording has \"Comment/a,b\" (10001), \
         \"Stimulus/S  1\" (1), \"Stimulus/S  2\" (2)"
    );
}

#[test]
fn a_view_and_its_array_are_the_same_numbers() {
    let raw = small();
    let epochs = Epochs::extract(&raw, &EpochOptions::default()).unwrap();
    assert_eq!(epochs.shape(), (3, 3, 176));
    let data = epochs.data();
    let owned = Epochs::from_data(
        epochs.info().clone(),
        epochs.channels().to_vec(),
        epochs.events().to_vec(),
        Array3::clone(&data),
    )
    .unwrap();
    for epoch in 0..3 {
        let rows = epochs.epoch(epoch).unwrap();
        assert_eq!(rows, data.index_axis(ndarray::Axis(0), epoch));
        assert_eq!(rows, owned.epoch(epoch).unwrap());
        let start = (epochs.events()[epoch].sample - 50) as usize;
        for c in 0..3 {
            let x = raw.channel(c).unwrap();
            let mean = if c < 2 { x[start..start + 51].iter().sum::<f64>() / 51.0 } else { 0.0 };
            let expected: Vec<f64> = x[start..start + 176].iter().map(|v| v - mean).collect();
            for (got, expected) in rows.row(c).iter().zip(expected) {
                assert!((got - expected).abs() < 1e-14, "{got} {expected}");
            }
        }
    }
    assert_eq!(epochs.epoch(3), None);
    let names = ["temperature", "C1"];
    let (a, b) = (epochs.pick_channels(&names).unwrap(), owned.pick_channels(&names).unwrap());
    assert_eq!(a.data(), b.data());
    assert_eq!(a.of_id(1).data(), b.of_id(1).data());
    assert_eq!(a.average().unwrap().data, b.average().unwrap().data);
    assert_eq!(a.average().unwrap().shape(), (1, 176));
    assert!(epochs.pick_channels(&["Oz"]).is_err());
    assert_eq!(epochs.pick_kind(ChannelKind::Misc).average().unwrap_err(), AverageError::NoEeg);
    let wrong = Epochs::from_data(epochs.info().clone(), vec![], vec![], Array3::zeros((1, 2, 3)));
    assert!(wrong.unwrap_err().to_string().contains("1 epochs x 2 channels x 3 samples"));
}

#[test]
fn the_drop_log_says_why() {
    let mut info = small().info().clone();
    info.annotations.push(note(2.5, 0.1, "BAD_blink"));
    let raw = Recording::from_volts(info, small().into_data()).unwrap();
    let options = EpochOptions::default().of(["1", "2"]);
    let epochs = Epochs::extract(&raw, &options).unwrap();
    let reasons: Vec<String> = epochs.drop_log().iter().map(|e| e.reasons.join("+")).collect();
    assert_eq!(reasons, ["NO_DATA", "", "IGNORED", "BAD_blink", "TOO_SHORT"]);
    let kept = EpochOptions { reject_by_annotation: false, ..options };
    assert_eq!(Epochs::extract(&raw, &kept).unwrap().event_ids(), [2, 1]);
    let long = EpochOptions { tmax: 100.0, ..EpochOptions::default() };
    assert!(Epochs::extract(&raw, &long).unwrap().is_empty());
}

#[test]
fn impossible_epochs_say_what_is_wrong_with_numbers() {
    let raw = small();
    let error = |options: EpochOptions| Epochs::extract(&raw, &options).unwrap_err().to_string();
    let default = EpochOptions::default;
    let baseline = |from, to| error(EpochOptions { baseline: Some((from, to)), ..default() });
    assert_eq!(
        baseline(Some(0.1), Some(0.0)),
        "the baseline from 0.1 to 0 s does not end after it starts"
    );
    assert!(baseline(Some(-0.3), Some(0.0)).contains("from -0.2 to 0.5 s"));
    assert!(baseline(Some(0.001), Some(0.002)).contains("between two samples, 0.004 s apart"));
    assert!(baseline(Some(f64::NAN), None).contains("NaN"));
    let window = |tmin, tmax| error(EpochOptions { tmin, tmax, ..default() });
    assert!(window(0.0, 0.5).contains("single sample"));
    assert!(window(0.5, 0.2).contains("does not end after it starts"));
    assert!(window(f64::NAN, 0.2).contains("NaN"));
    assert!(window(-1.0, 1e15).contains("samples long"));
    let none = recording(Array2::zeros((1, 10)), 250.0, vec![]);
    let error = Epochs::extract(&none, &default()).unwrap_err();
    assert_eq!(error.to_string(), "no events: the recording has no annotations");
    let repeated = vec![note(1.0, 0.0, "Stimulus/S  1"), note(1.0, 0.0, "Stimulus/S  2")];
    let raw = recording(waves(1, 1000), 250.0, repeated);
    let error = Epochs::extract(&raw, &default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "2 of the selected events are at the same sample, 250: \"Stimulus/S  1\", \"Stimulus/S  2\""
    );
    assert_eq!(Epochs::extract(&raw, &default().of(["2"])).unwrap().event_ids(), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn windows_at_the_edges_never_read_beyond(
        n in 1..400_usize,
        onset in 0.0..4.0_f64,
        tmin in -2.0..2.0_f64,
        length in 0.0..2.0_f64,
        baseline in proptest::option::of((proptest::option::of(-2.0..2.0_f64), proptest::option::of(-2.0..2.0_f64))),
    ) {
        let x = Array2::from_shape_fn((2, n), |(c, t)| (c * 1000 + t) as f64 + 1.0);
        let raw = recording(x, 100.0, vec![note(onset, 0.0, "Stimulus/S  1")]);
        let options = EpochOptions { tmin, tmax: tmin + length, baseline, ..EpochOptions::default() };
        if let Ok(epochs) = Epochs::extract(&raw, &options) {
            prop_assert_eq!(epochs.times().len(), epochs.n_samples());
            if let Some(Event { sample, .. }) = epochs.events().first() {
                let start = sample + epochs.info().first;
                prop_assert!(start >= 0 && start as usize + epochs.n_samples() <= n);
                let data = epochs.epoch(0).unwrap();
                // A ramp stays one.
                for (k, value) in data.row(0).iter().enumerate() {
                    let expected = data[[0, 0]] + k as f64;
                    prop_assert!((value - expected).abs() < 1e-9);
                }
                if baseline.is_none() {
                    prop_assert_eq!(data[[1, 0]], (1000 + start) as f64 + 1.0);
                }
            }
        }
    }
}
