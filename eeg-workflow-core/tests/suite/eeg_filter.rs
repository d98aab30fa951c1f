//! FIR filters: their design and what they make of recordings, beside MNE-Python.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::{eeg_signal, eeg_support};

use eeg_signal::{Worst, channel, largest, note, recording, waves};
use eeg_support::{expected_recordings, indices, json, number, numbers, reference, strings};
use eeg_workflow_core::eeg::{ChannelKind, FirError, FirFilter, Info, Recording, read};
use ndarray::Array2;
use proptest::prelude::*;
use serde_json::Value;

/// Convolution by its definition, after the odd reflection at both ends.
fn by_definition(x: &[f64], taps: &[f64]) -> Vec<f64> {
    let (n, half) = (x.len() as i64, taps.len() as i64 / 2);
    let at = |i: i64| match i {
        i if i < 0 && -i < n => 2.0 * x[0] - x[(-i) as usize],
        i if i >= n && i - n + 1 < n => 2.0 * x[(n - 1) as usize] - x[(2 * n - 2 - i) as usize],
        i if (0..n).contains(&i) => x[i as usize],
        _ => 0.0,
    };
    let sum = |i| (-half..=half).zip(taps).map(|(k, tap)| tap * at(i - k)).sum();
    (0..n).map(sum).collect()
}

fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = largest(expected);
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= 1e-12 * scale, "{what}: sample {i}: {g} is not {e}");
    }
}

fn frequency(value: &Value) -> Option<f64> {
    (!value.is_null()).then(|| number(value))
}

#[test]
fn coefficients_are_those_of_mne() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    let mut designs = 0;
    for file in std::fs::read_dir(folder.join("expected/fir")).unwrap() {
        let path = file.unwrap().path();
        let expected = json(&path);
        let (low, high) = (frequency(&expected["l_freq"]), frequency(&expected["h_freq"]));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let filter = FirFilter::band(number(&expected["sfreq"]), low, high);
        if !expected["error"].is_null() {
            assert!(matches!(filter, Err(FirError::StopBandTooNarrow { .. })), "{name}");
            continue;
        }
        let filter = filter.unwrap();
        let taps = filter.taps();
        assert_eq!(taps.len() as u64, expected["filter_length"].as_u64().unwrap(), "{name}");
        let (got, wanted) = if expected["h"].is_array() {
            (taps.to_vec(), numbers(&expected["h"]))
        } else {
            let got = indices(&expected["h_index"]).into_iter().map(|i| taps[i]).collect();
            (got, numbers(&expected["h_at_index"]))
        };
        // Far tighter than the rule for data.
        assert_close(&got, &wanted, &name);
        worst.note("FIR coefficients", &name, &got, &wanted, largest(&wanted), 0.0);
        designs += 1;
    }
    assert!(designs > 40, "{designs} designs");
    worst.print();
}

#[test]
fn recordings_are_filtered_as_mne_filters_them() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    let mut compared = 0;
    for (name, expected, raw) in expected_recordings(&folder) {
        let sfreq = raw.sfreq();
        let mut cases: Vec<Value> = expected["filters"].as_array().unwrap().clone();
        let mut stop = expected["bandstop_l90_h20"].clone();
        stop["l_freq"] = 90.0.into();
        stop["h_freq"] = 20.0.into();
        cases.push(stop);
        for case in &cases {
            let (low, high) = (frequency(&case["l_freq"]), frequency(&case["h_freq"]));
            let filter = FirFilter::band(sfreq, low, high);
            if case["error"].is_string() {
                assert!(filter.is_err(), "{name} {low:?} {high:?}");
                continue;
            }
            let filter = filter.unwrap();
            let warned = !case["warnings"].as_array().unwrap().is_empty();
            assert_eq!(filter.too_long_for(&raw).is_some(), warned, "{name} {low:?} {high:?}");
            let filtered = filter.apply(raw.clone());
            let at = format!("{name} {low:?} {high:?}");
            let index = indices(&case["sample_index"]);
            for (c, values) in
                strings(&case["channels"]).iter().zip(case["values"].as_array().unwrap())
            {
                let place = raw.channel_names().position(|n| n == *c).unwrap();
                let (x, y) = (raw.channel(place).unwrap(), filtered.channel(place).unwrap());
                let got: Vec<f64> = index.iter().map(|i| y[*i]).collect();
                worst.note(
                    "filtered samples",
                    &format!("{at} {c}"),
                    &got,
                    &numbers(values),
                    largest(&y),
                    largest(&x),
                );
                compared += got.len();
            }
            if case["mean_all_channels"].is_array() {
                for (place, (mean, std)) in numbers(&case["mean_all_channels"])
                    .into_iter()
                    .zip(numbers(&case["std_all_channels"]))
                    .enumerate()
                {
                    let (x, y) = (raw.channel(place).unwrap(), filtered.channel(place).unwrap());
                    if raw.channels()[place].kind != ChannelKind::Eeg {
                        assert_eq!(x, y, "{at}: channel {place} is no EEG channel");
                        continue;
                    }
                    let m = y.iter().sum::<f64>() / y.len() as f64;
                    let s =
                        (y.iter().map(|v| (v - m).powi(2)).sum::<f64>() / y.len() as f64).sqrt();
                    let scale = (largest(&y), largest(&x));
                    worst.note(
                        "filtered mean and deviation",
                        &at,
                        &[m, s],
                        &[mean, std],
                        scale.0,
                        scale.1,
                    );
                }
            }
        }
        // What cannot be filtered.
        let above = FirFilter::band(sfreq, None, Some(sfreq / 2.0)).unwrap_err();
        assert!(matches!(above, FirError::AboveNyquist { .. }), "{name}");
        assert!(expected["filter_error_nyquist"].is_string());
        let narrow = FirFilter::band(sfreq, Some(52.0), Some(48.0));
        assert_eq!(narrow.is_err(), expected["bandstop_l52_h48"]["error"].is_string(), "{name}");
        let same = FirFilter::band(sfreq, None, None).unwrap().apply(raw.clone());
        assert_eq!(same.data(), raw.data(), "{name}");
    }
    assert!(compared > 3000, "{compared} samples");
    worst.print();
}

#[test]
fn notches_are_those_of_mne() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    for name in
        ["uwb_DoD_2015_02", "mne_test", "mne_latin1_vectorized", "eeglab_testbva", "uwb_Tachov_08"]
    {
        let expected = json(&folder.join(format!("expected/{name}.json")));
        let raw = read(&folder.join(expected["file"].as_str().unwrap())).unwrap();
        let notch = &expected["extras"]["notch_50"];
        let filtered = FirFilter::notch(raw.sfreq(), &[50.0]).unwrap().apply(raw.clone());
        let index = indices(&notch["sample_index"]);
        for (c, values) in
            strings(&notch["channels"]).iter().zip(notch["values"].as_array().unwrap())
        {
            let place = raw.channel_names().position(|n| n == *c).unwrap();
            let (x, y) = (raw.channel(place).unwrap(), filtered.channel(place).unwrap());
            let got: Vec<f64> = index.iter().map(|i| y[*i]).collect();
            worst.note(
                "notch",
                &format!("{name} {c}"),
                &got,
                &numbers(values),
                largest(&y),
                largest(&x),
            );
        }
    }
    worst.print();
}

#[test]
fn fast_convolution_equals_the_definition() {
    for (n, sfreq, low, high) in [
        (5000, 250.0, Some(1.0), Some(40.0)),
        (777, 250.0, Some(2.0), None),
        (100, 250.0, None, Some(5.0)),
        (2, 250.0, Some(8.0), Some(12.0)),
        (1, 250.0, Some(8.0), Some(12.0)),
        (20_001, 128.0, None, Some(60.0)),
        (3000, 100.0, Some(49.0), Some(0.5)),
    ] {
        let filter = FirFilter::band(sfreq, low, high).unwrap();
        let x = waves(3, n);
        let filtered = filter.apply(recording(x.clone(), sfreq, vec![]));
        // Few channels are filtered block by block, many one by one.
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let stacked = ndarray::concatenate![ndarray::Axis(0), x, x];
        let many = alone.install(|| filter.apply(recording(stacked, sfreq, vec![])));
        for c in 0..3 {
            assert_eq!(many.channel(c + 3), filtered.channel(c), "{n} {low:?} {high:?}");
            let expected = by_definition(x.row(c).as_slice().unwrap(), filter.taps());
            assert_close(
                &filtered.channel(c).unwrap(),
                &expected,
                &format!("{n} {low:?} {high:?}"),
            );
        }
    }
}

#[test]
fn seams_and_gaps_separate_what_is_filtered() {
    let x = waves(2, 2000);
    let gaps = vec![
        note(2.0, 0.0, "EDGE boundary"),
        note(4.0, 1.0, "bad_acq_skip"),
        note(4.5, 1.0, "BAD_ACQ_SKIP again"),
        note(6.0, 1.0, "BAD_blink"),
    ];
    let filter = FirFilter::band(250.0, Some(2.0), Some(30.0)).unwrap();
    let filtered = filter.apply(recording(x.clone(), 250.0, gaps));
    for c in 0..2 {
        let (row, got) = (x.row(c).to_vec(), filtered.channel(c).unwrap());
        for (from, to) in [(0, 500), (500, 1000), (1375, 2000)] {
            assert_close(&got[from..to], &by_definition(&row[from..to], filter.taps()), "piece");
        }
        assert_eq!(got[1000..1375], row[1000..1375]);
    }
}

#[test]
fn only_eeg_channels_change_and_the_cut_offs_narrow() {
    let x = waves(3, 1000);
    let channels = vec![
        channel("C1", ChannelKind::Eeg),
        channel("EOG", ChannelKind::Eog),
        channel("temperature", ChannelKind::Misc),
    ];
    let info = Info {
        channels,
        lowpass: 35.0,
        highpass: 0.5,
        ..recording(x.clone(), 250.0, vec![]).info().clone()
    };
    let raw = Recording::from_volts(info, x.clone()).unwrap();
    let filtered = FirFilter::band(250.0, Some(1.0), Some(40.0)).unwrap().apply(raw.clone());
    assert_ne!(filtered.channel(0), raw.channel(0));
    assert_eq!(filtered.channel(1), raw.channel(1));
    assert_eq!(filtered.channel(2), raw.channel(2));
    assert_eq!((filtered.info().highpass, filtered.info().lowpass), (1.0, 35.0));
    let stopped = FirFilter::band(250.0, Some(90.0), Some(20.0)).unwrap().apply(raw.clone());
    assert_eq!((stopped.info().highpass, stopped.info().lowpass), (0.5, 35.0));
    // The clone that was filtered is not the one that is kept.
    assert_eq!(*raw.data(), x);
}

#[test]
fn what_is_filtered_alone_keeps_its_memory_and_what_is_shared_does_not() {
    let filter = FirFilter::band(250.0, Some(1.0), Some(40.0)).unwrap();
    let alone = recording(waves(2, 1000), 250.0, vec![]);
    let place = alone.data().as_ptr();
    assert_eq!(filter.apply(alone).data().as_ptr(), place);
    let shared = recording(waves(2, 1000), 250.0, vec![]);
    assert_ne!(filter.apply(shared.clone()).data().as_ptr(), shared.data().as_ptr());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let raw = recording(waves(5, 30_000), 250.0, vec![]);
    let filter = FirFilter::band(250.0, Some(0.5), Some(30.0)).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| filter.apply(raw.clone()).data())
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn hum_is_gone_after_a_notch_and_the_rest_stays() {
    let sine = |f: f64| {
        Array2::from_shape_fn((1, 20_000), |(_, t)| {
            (2.0 * std::f64::consts::PI * f * t as f64 / 1000.0).sin()
        })
    };
    let notch = FirFilter::notch(1000.0, &[50.0, 100.0]).unwrap();
    let middle = |f| {
        let y = notch.apply(recording(sine(f), 1000.0, vec![])).channel(0).unwrap();
        largest(&y[8000..12_000])
    };
    assert!(middle(50.0) < 5e-3 && middle(100.0) < 5e-3, "{} {}", middle(50.0), middle(100.0));
    assert!((middle(30.0) - 1.0).abs() < 5e-3 && (middle(75.0) - 1.0).abs() < 5e-3);
}

#[test]
fn impossible_filters_say_what_is_wrong_with_numbers() {
    let error = |low, high| FirFilter::band(500.0, low, high).unwrap_err().to_string();
    assert_eq!(error(Some(0.0), Some(0.0)), error(None, Some(0.0)));
    assert_eq!(error(Some(f64::NAN), None), "NaN Hz is not above 0 Hz");
    assert!(
        error(None, Some(250.0)).starts_with("250 Hz is not below 250 Hz, half of the sampling")
    );
    assert!(error(Some(300.0), Some(20.0)).starts_with("300 Hz is not below 250 Hz"));
    assert!(
        error(Some(52.0), Some(48.0)).starts_with("the stop band from 48 to 52 Hz is too narrow")
    );
    assert!(error(Some(30.0), Some(30.0)).contains("too narrow"));
    assert!(error(Some(1e-9), None).contains("needs a filter of"));
    for low in [250.0, 280.0, 1e6, f64::INFINITY] {
        assert!(error(Some(low), None).contains("is not below 250 Hz"), "{low}");
    }
    let error = |f: &[f64]| FirFilter::notch(500.0, f).unwrap_err().to_string();
    assert!(error(&[250.0]).contains("half of the sampling rate"));
    assert!(error(&[0.4]).starts_with("a notch at 0.4 Hz reaches from -0.10"), "{}", error(&[0.4]));
    assert!(error(&[249.8]).contains("must lie between 0 and 250 Hz"));
    assert!(error(&[f64::INFINITY]).starts_with("inf Hz is not below 250 Hz"));
    assert!(error(&[50.0, 50.5]).contains("too narrow"), "{}", error(&[50.0, 50.5]));
    assert!(FirFilter::band(f64::NAN, None, Some(1.0)).is_err());
    assert!(FirFilter::band(-5.0, None, None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_edges_give_a_symmetric_filter_or_an_error(
        sfreq in prop_oneof![10.0..5000.0_f64, Just(f64::NAN), Just(0.0), Just(1e-3)],
        low in proptest::option::of(prop_oneof![0.01..600.0_f64, -5.0..5.0_f64, Just(f64::INFINITY)]),
        high in proptest::option::of(prop_oneof![0.01..600.0_f64, Just(-1.0), Just(f64::NAN)]),
    ) {
        if let Ok(filter) = FirFilter::band(sfreq, low, high) {
            let taps = filter.taps();
            prop_assert_eq!(taps.len() % 2, 1);
            prop_assert!(taps.iter().all(|t| t.is_finite()));
            for (a, b) in taps.iter().zip(taps.iter().rev()) {
                prop_assert_eq!(a, b);
            }
            // What happens to a constant: it passes unless there is a lower edge.
            let sum: f64 = taps.iter().sum();
            let passes = low.is_none() || high.is_some_and(|high| low >= Some(high));
            prop_assert!((sum - f64::from(u8::from(passes))).abs() < 1e-6, "{}", sum);
        }
        let _ = FirFilter::notch(sfreq, &[low.unwrap_or(50.0), high.unwrap_or(60.0)]);
    }
}
