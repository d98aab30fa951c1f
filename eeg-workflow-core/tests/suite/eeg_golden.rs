//! Steps that the reference recordings do not cover, beside numbers that MNE-Python made of the
//! same recording (`golden/signal_golden.py`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::{eeg_signal, eeg_support};

use std::collections::HashMap;
use std::path::Path;

use eeg_signal::{Worst, channel, largest, note};
use eeg_support::{indices, json, number, numbers, read_as_mne, reference, strings};
use eeg_workflow_core::eeg::{
    Annotation, ArtefactLimits, ChannelKind, EpochOptions, Epochs, EventNumbering, FirFilter, Info,
    PowerSpectrum, Recording, WelchOptions, read,
};
use ndarray::Array2;
use serde_json::Value;

fn golden() -> Value {
    json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/golden/signal.json"))
}

/// The recording of the generator script, to the bit.
fn recording(annotations: Vec<Annotation>) -> Recording {
    let mut state = 1_u64;
    let volts = Array2::from_shape_fn((4, 3001), |(c, t)| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = ((state >> 40) % 2001) as i64 - 1000;
        let saw = (t * (c + 3) % 200) as i64 - 100;
        (noise + 3 * saw + 500 * c as i64) as f64 * 1e-7
    });
    let kind = |name: &str| if name == "M1" { ChannelKind::Misc } else { ChannelKind::Eeg };
    let channels = ["C1", "C2", "C3", "M1"].map(|name| channel(name, kind(name))).to_vec();
    let info = Info {
        channels,
        sfreq: 250.0,
        meas_date: None,
        annotations,
        numbering: EventNumbering::BrainVision,
        highpass: 0.0,
        lowpass: 125.0,
    };
    Recording::from_volts(info, volts).unwrap()
}

fn check(got: &Recording, expected: &Value, what: &str, worst: &mut Worst) {
    assert_eq!(got.n_samples() as u64, expected["n_samples"].as_u64().unwrap(), "{what}");
    let input = largest(recording(vec![]).data().as_slice().unwrap());
    for (c, values) in expected["values"].as_array().unwrap().iter().enumerate() {
        let row = got.channel(c).unwrap();
        let some: Vec<f64> = indices(&expected["index"]).into_iter().map(|i| row[i]).collect();
        worst.note(what, &format!("channel {c}"), &some, &numbers(values), largest(&row), input);
    }
}

#[test]
fn notches_references_and_rates_are_those_of_mne() {
    let golden = golden();
    let mut worst = Worst::default();
    for case in golden["notch"].as_array().unwrap() {
        let notch = FirFilter::notch(250.0, &numbers(&case["freqs"])).unwrap();
        check(&notch.apply(recording(vec![])), case, "notch", &mut worst);
    }
    let gaps = vec![note(3.0, 0.0, "EDGE boundary"), note(7.0, 0.5, "BAD_ACQ_SKIP")];
    let band = FirFilter::band(250.0, Some(2.0), Some(30.0)).unwrap();
    check(
        &band.apply(recording(gaps)),
        &golden["band_with_gaps"],
        "band-pass with gaps",
        &mut worst,
    );

    let none: [&str; 0] = [];
    let average = recording(vec![]).rereferenced(&none).unwrap();
    check(&average, &golden["average_reference"], "average reference", &mut worst);
    let names = strings(&golden["named_reference"]["names"]);
    let named = recording(vec![]).rereferenced(&names).unwrap();
    check(&named, &golden["named_reference"], "named reference", &mut worst);

    for case in golden["resample"].as_array().unwrap() {
        let other = recording(vec![note(1.0, 0.5, "x")]).resampled(number(&case["sfreq"])).unwrap();
        check(&other, case, "resampled", &mut worst);
        assert_eq!(other.sfreq(), number(&case["sfreq"]));
        assert_eq!(other.info().lowpass, 125.0_f64.min(other.sfreq() / 2.0));
        assert_eq!(other.annotations(), [note(1.0, 0.5, "x")]);
    }
    let case = &golden["resample_short"];
    let whole = recording(vec![]);
    let few = case["samples"].as_u64().unwrap() as usize;
    let volts = whole.data().slice(ndarray::s![.., ..few]).to_owned();
    let short = Recording::from_volts(whole.info().clone(), volts).unwrap();
    check(&short.resampled(100.0).unwrap(), case, "resampled, short", &mut worst);
    worst.print();
}

#[test]
fn spectra_are_those_of_mne() {
    let golden = golden();
    let mut worst = Worst::default();
    for case in golden["welch"].as_array().unwrap() {
        let bad = case["bad"].as_array();
        let bad = bad.map(|b| note(number(&b[0]), number(&b[1]), b[2].as_str().unwrap()));
        let whole = |key: &str| case[key].as_u64().unwrap() as usize;
        let options = WelchOptions {
            n_fft: whole("n_fft"),
            n_overlap: whole("n_overlap"),
            fmin: number(&case["fmin"]),
            fmax: case["fmax"].as_f64().unwrap_or(f64::INFINITY),
        };
        let spectrum =
            PowerSpectrum::welch(&recording(bad.into_iter().collect()), &options).unwrap();
        let names: Vec<&str> = spectrum.channels.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, strings(&case["channels"]));
        assert_eq!(spectrum.freqs.len(), whole("n_freqs"));
        let step = whole("step");
        let freqs: Vec<f64> = spectrum.freqs.iter().step_by(step).copied().collect();
        assert_eq!(freqs, numbers(&case["freqs"]));
        for (row, expected) in
            spectrum.power.rows().into_iter().zip(case["power"].as_array().unwrap())
        {
            let got: Vec<f64> = row.iter().step_by(step).copied().collect();
            let scale = largest(row.as_slice().unwrap());
            worst.note(
                "power spectrum",
                &options.n_fft.to_string(),
                &got,
                &numbers(expected),
                scale,
                0.0,
            );
        }
    }
    worst.print();
}

#[test]
fn epochs_with_artifacts_are_those_that_mne_drops() {
    let marks = (1..29).map(|k| note(f64::from(k) * 0.4, 0.0, "Stimulus/S  1"));
    let options = EpochOptions { tmin: -0.1, tmax: 0.2, baseline: None, ..EpochOptions::default() };
    let epochs = Epochs::extract(&recording(marks.collect()), &options).unwrap();
    for case in golden()["artifacts"].as_array().unwrap() {
        let limits =
            ArtefactLimits { peak_to_peak: case["reject"].as_f64(), flat: case["flat"].as_f64() };
        let kept = epochs.without_artefacts(limits);
        assert_eq!(kept.len() as u64, case["kept"].as_u64().unwrap(), "{limits:?}");
        let log = kept.drop_log().iter().enumerate().filter(|(_, e)| !e.reasons.is_empty());
        let log: HashMap<String, Vec<String>> =
            log.map(|(i, e)| (i.to_string(), e.reasons.clone())).collect();
        let expected: HashMap<String, Vec<String>> =
            serde_json::from_value(case["log"].clone()).unwrap();
        assert_eq!(log, expected, "{limits:?}");
        // The epochs left are those that were not dropped.
        let events = epochs.drop_log().iter().enumerate();
        let left = events.filter(|(i, _)| !expected.contains_key(&i.to_string()));
        let left: Vec<_> = left.map(|(_, e)| e.event).collect();
        assert_eq!(kept.events(), left);
        // Dropping twice drops nothing more.
        assert_eq!(kept.without_artefacts(limits).drop_log(), kept.drop_log());
    }
}

#[test]
fn real_recordings_are_changed_as_mne_changes_them() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    for name in
        ["mne_test", "mne_testv2", "mne_latin1_vectorized", "eeglab_testbva", "uwb_DoD_2015_02"]
    {
        let expected = json(&folder.join(format!("expected/{name}.json")));
        let raw = read(&folder.join(expected["file"].as_str().unwrap())).unwrap();
        let extras = &expected["extras"];
        let none: [&str; 0] = [];
        for (what, got) in [
            ("set_eeg_reference_average", raw.clone().rereferenced(&none).unwrap()),
            ("resample_half", raw.clone().resampled(raw.sfreq() / 2.0).unwrap()),
        ] {
            let case = &extras[what];
            for (c, values) in strings(&case["channels"])
                .iter()
                .zip(case["values"].as_array().into_iter().flatten())
            {
                let place = raw.channel_names().position(|n| n == *c).unwrap();
                let (x, y) = (raw.channel(place).unwrap(), got.channel(place).unwrap());
                let index = indices(&case["sample_index"]);
                let some: Vec<f64> = index.into_iter().map(|i| y[i]).collect();
                // The reference is the size of the other channels.
                let input = largest(raw.data().as_slice().unwrap()).max(largest(&x));
                worst.note(what, name, &some, &numbers(values), largest(&y), input);
            }
        }
        let case = &extras["psd_welch"];
        let options = WelchOptions {
            n_fft: case["n_fft"].as_u64().unwrap() as usize,
            ..WelchOptions::default()
        };
        let raw = raw.pick_channels(&strings(&case["channels"])).unwrap();
        let spectrum = PowerSpectrum::welch(&raw, &options).unwrap();
        for (row, expected) in
            spectrum.power.rows().into_iter().zip(case["psd_every_16"].as_array().unwrap())
        {
            let got: Vec<f64> = row.iter().step_by(16).copied().collect();
            let scale = largest(row.as_slice().unwrap());
            worst.note("psd_welch", name, &got, &numbers(expected), scale, 0.0);
        }
        let rejected = |limit: f64| {
            let epochs =
                Epochs::extract(&raw_of(&expected, &folder), &EpochOptions::default()).unwrap();
            let limits = ArtefactLimits { peak_to_peak: Some(limit * 1e-6), flat: None };
            (
                epochs.without_artefacts(limits),
                &expected["epochs"][&format!("reject_eeg_{limit}uV")],
            )
        };
        for (kept, expected) in [rejected(50.0), rejected(100.0)] {
            if expected["n_kept"].is_null() {
                continue;
            }
            assert_eq!(kept.len() as u64, expected["n_kept"].as_u64().unwrap(), "{name}");
            let log = kept.drop_log().iter().enumerate().filter(|(_, e)| !e.reasons.is_empty());
            let log: HashMap<String, Vec<String>> =
                log.map(|(i, e)| (i.to_string(), e.reasons.clone())).collect();
            let wanted: HashMap<String, Vec<String>> =
                serde_json::from_value(expected["drop_log_nonempty"].clone()).unwrap();
            assert_eq!(log, wanted, "{name}");
        }
    }
    worst.print();
}

fn raw_of(expected: &Value, folder: &Path) -> Recording {
    read_as_mne(&folder.join(expected["file"].as_str().unwrap())).unwrap()
}

#[test]
fn triggers_survive_resampling() {
    let mut info = recording(vec![]).info().clone();
    info.channels.truncate(1);
    info.channels[0] = channel("STI", ChannelKind::Stim);
    let mut volts = Array2::zeros((1, 1000));
    for (t, value) in [(101, 3.0), (400, 7.0), (401, 7.0), (998, 9.0)] {
        volts[[0, t]] = value;
    }
    let stim = Recording::from_volts(info, volts).unwrap().resampled(100.0).unwrap();
    let stim = stim.channel(0).unwrap();
    let found: Vec<(usize, f64)> =
        stim.iter().copied().enumerate().filter(|(_, v)| *v != 0.0).collect();
    assert_eq!(found, [(40, 3.0), (160, 7.0), (399, 9.0)]);
}

/// `raw.resample(13.7)` and `raw.resample(…)` of one sample, by MNE-Python 1.13.2.
#[test]
fn lengths_that_are_rounded_resample_as_in_mne() {
    let one = |kind, sfreq, samples: Vec<f64>| {
        let mut info = recording(vec![]).info().clone();
        info.channels = vec![channel("A", kind)];
        info.sfreq = sfreq;
        let count = samples.len();
        Recording::from_volts(info, Array2::from_shape_vec((1, count), samples).unwrap()).unwrap()
    };
    let steps = one(ChannelKind::Stim, 10.0, (1..=11).map(f64::from).collect());
    let picked = steps.resampled(13.7).unwrap().channel(0).unwrap();
    let expected = [1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11].map(f64::from);
    assert_eq!(picked, expected);
    for (sfreq, expected) in [(100.0, vec![3e-5]), (500.0, vec![3e-5, 3e-5])] {
        let single = one(ChannelKind::Eeg, 250.0, vec![3e-5]);
        assert_eq!(single.resampled(sfreq).unwrap().channel(0).unwrap(), expected);
    }
}

#[test]
fn a_mark_in_a_samples_rest_survives_resampling() {
    let mut info = recording(vec![]).info().clone();
    info.channels.truncate(1);
    info.sfreq = 1000.0;
    info.annotations = vec![note(0.5, 0.0, "a"), note(1.003, 0.0, "b")];
    let volts = Array2::from_elem((1, 1004), 1e-6);
    let long = Recording::from_volts(info, volts).unwrap();
    let ids = long.events().unwrap().ids;
    let short = long.resampled(100.0).unwrap();
    assert_eq!(short.n_samples(), 100);
    assert_eq!(short.events().unwrap().ids, ids);
    let options =
        EpochOptions { tmin: -0.5, tmax: -0.1, baseline: None, ..EpochOptions::default() };
    assert_eq!(Epochs::extract(&short, &options).unwrap().len(), 2);
    let options = EpochOptions { tmax: 0.0, ..options };
    let epochs = Epochs::extract(&short, &options).unwrap();
    let reasons: Vec<_> = epochs.drop_log().iter().map(|entry| entry.reasons.clone()).collect();
    assert_eq!(reasons, [vec![], vec!["TOO_SHORT".to_owned()]]);
}

#[test]
fn what_cannot_be_done_is_said_with_numbers() {
    let raw = || recording(vec![note(0.0, 100.0, "bad all")]);
    let rate = |sfreq| raw().resampled(sfreq).unwrap_err().to_string();
    assert_eq!(rate(0.0), "0 Hz is not a positive sampling rate");
    assert_eq!(rate(f64::NAN), "NaN Hz is not a positive sampling rate");
    assert!(rate(1e12).contains("would have 12004000000000 samples"), "{}", rate(1e12));
    assert!(raw().rereferenced(&["Oz"]).unwrap_err().to_string().contains("\"Oz\""));
    let spectrum = |n_fft, n_overlap, fmin, fmax| {
        let options = WelchOptions { n_fft, n_overlap, fmin, fmax };
        PowerSpectrum::welch(&raw(), &options).unwrap_err().to_string()
    };
    assert_eq!(
        spectrum(4000, 0, 0.0, 9.0),
        "segments of 4000 samples do not fit into 3001 samples"
    );
    assert_eq!(spectrum(0, 0, 0.0, 9.0), "segments of 0 samples do not fit into 3001 samples");
    assert!(spectrum(10, 10, 0.0, 9.0).contains("an overlap of 10 samples"));
    assert!(spectrum(100, 0, 300.0, 400.0).contains("no frequencies from 300 to 400 Hz"));
    assert_eq!(spectrum(100, 0, 0.0, 40.0), "all of the recording is marked as bad");
}

#[test]
fn changing_a_clone_leaves_the_recording_alone() {
    let raw = recording(vec![]);
    let before = raw.data().as_ref().clone();
    let none: [&str; 0] = [];
    let _ = raw.clone().rereferenced(&none).unwrap();
    let _ = raw.clone().resampled(100.0).unwrap();
    assert_eq!(*raw.data(), before);
    // What is held alone is changed where it is.
    let alone = recording(vec![]);
    let place = alone.data().as_ptr();
    assert_eq!(alone.rereferenced(&none).unwrap().data().as_ptr(), place);
}
