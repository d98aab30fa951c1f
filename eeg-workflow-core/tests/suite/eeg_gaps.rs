//! Samples that are NaN or infinite: they spoil what depends on them and nothing else, and every
//! block says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_signal::with_events;

use eeg_workflow_core::eeg::{
    ArtefactLimits, ChannelKind, EpochOptions, Epochs, FirFilter, PowerSpectrum, Recording,
    WelchOptions,
};
use ndarray::Array2;

/// Two channels of 3000 samples, and the same with a gap in the second at sample 1000.
fn with_and_without(gap: f64) -> [Recording; 2] {
    let whole = Array2::from_shape_fn((2, 3000), |(c, k)| ((k * (c + 3)) as f64 * 0.01).sin());
    let mut spoilt = whole.clone();
    spoilt[(1, 1000)] = gap;
    [whole, spoilt].map(|volts| with_events(volts, &[]))
}

#[test]
fn a_gap_spoils_only_what_the_filter_reaches_from_it() {
    let mut volts = Array2::from_shape_fn((2, 3000), |(c, k)| ((k * (c + 3)) as f64 * 0.01).sin());
    let filter = FirFilter::band(100.0, None, Some(30.0)).unwrap();
    let whole = filter.apply(with_events(volts.clone(), &[])).data();
    volts[(1, 1000)] = f64::NAN;
    let spoilt = filter.apply(with_events(volts, &[])).data();
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
    for gap in [f64::NAN, f64::INFINITY] {
        let mut volts = Array2::from_shape_fn((2, 1000), |(_, k)| (k as f64).sin() * 1e-6);
        volts[(0, 210)] = gap;
        let recording = with_events(volts, &[(2.0, "a"), (5.0, "a")]);
        assert_eq!(recording.non_finite_counts(), [1, 0]);
        let kept = |recording: &Recording| {
            let epochs = Epochs::extract(recording, &EpochOptions::default()).unwrap();
            epochs.without_artefacts(ArtefactLimits::default())
        };
        assert_eq!(kept(&recording).len(), 1);
        assert_eq!(kept(&recording).drop_log()[0].reasons, ["NaN"]);
        // What a channel of another kind holds does not concern the EEG.
        let mut info = recording.info().clone();
        info.channels[0].kind = ChannelKind::Misc;
        let other = Recording::from_volts(info, recording.data().as_ref().clone()).unwrap();
        assert_eq!(kept(&other).len(), 2);
    }
}

#[test]
fn a_reference_is_made_of_the_channels_that_have_a_value() {
    let none: [&str; 0] = [];
    let [whole, spoilt] = with_and_without(f64::NAN).map(|r| r.rereferenced(&none).unwrap().data());
    for k in 0..3000_usize {
        if k == 1000 {
            // The only other channel is its own reference.
            assert_eq!(spoilt[(0, k)], 0.0);
            assert!(spoilt[(1, k)].is_nan());
        } else {
            assert_eq!([whole[(0, k)], whole[(1, k)]], [spoilt[(0, k)], spoilt[(1, k)]]);
        }
    }
}

#[test]
fn resampling_spoils_the_new_samples_beside_a_gap() {
    for rate in [50.0, 75.0, 250.0] {
        let [whole, spoilt] = with_and_without(f64::NAN).map(|r| r.resampled(rate).unwrap().data());
        let ratio = rate / 100.0;
        assert_eq!(whole.row(0), spoilt.row(0), "{rate} Hz");
        for k in 0..whole.ncols() {
            let distance = (k as f64 - 1000.0 * ratio).abs();
            let near = distance <= ratio.max(1.0);
            assert_eq!(spoilt[(1, k)].is_nan(), near, "{rate} Hz, sample {k}");
            assert!(near || (whole[(1, k)] - spoilt[(1, k)]).abs() < 1e-3, "{rate} Hz, {k}");
        }
    }
}

#[test]
fn a_spectrum_is_made_of_what_is_between_gaps() {
    let options = WelchOptions { n_fft: 200, ..WelchOptions::default() };
    let [whole, spoilt] =
        with_and_without(f64::NAN).map(|r| PowerSpectrum::welch(&r, &options).unwrap().power);
    assert_eq!(whole.row(0), spoilt.row(0));
    let (top, total) = (whole.row(1), spoilt.row(1));
    let peak = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0
    };
    assert_eq!(peak(top), peak(total));
    assert!((top.sum() / total.sum() - 1.0).abs() < 0.05);
    let empty = with_events(Array2::from_elem((1, 3000), f64::NAN), &[]);
    let power = PowerSpectrum::welch(&empty, &options).unwrap().power;
    assert!(power.iter().all(|value| value.is_nan()));
}
