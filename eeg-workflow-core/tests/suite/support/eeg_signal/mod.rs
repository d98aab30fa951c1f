//! What the tests of signal processing share: recordings made of formulas, and the rule by which
//! numbers agree with the reference.
#![allow(dead_code, unreachable_pub, clippy::print_stdout)]

use std::collections::BTreeMap;

use eeg_workflow_core::eeg::{Annotation, Channel, ChannelKind, EventNumbering, Info, Recording};
use ndarray::Array2;

/// The worst deviations found, in units of the tolerance, by what was compared.
#[derive(Default)]
pub struct Worst(BTreeMap<String, (f64, f64, String)>);

impl Worst {
    /// Notes how far `got` is from `expected`. The tolerance is
    /// `1e-9 * max|out| + 1e-13 * max|in|`: values near zero carry only absolute accuracy, and an
    /// offset that was taken out leaves rounding noise of the input's size.
    pub fn note(
        &mut self,
        what: &str,
        at: &str,
        got: &[f64],
        expected: &[f64],
        out: f64,
        input: f64,
    ) {
        assert_eq!(got.len(), expected.len(), "{what} {at}: length");
        let tolerance = 1e-9 * out + 1e-13 * input + 1e-300;
        let worst = got.iter().zip(expected).map(|(g, e)| (g - e).abs() / tolerance);
        let worst = worst.fold(0.0, |a: f64, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
        assert!(worst <= 1.0, "{what} {at}: {worst} times the tolerance");
        let entry = self.0.entry(what.to_owned()).or_insert((-1.0, 0.0, String::new()));
        if worst > entry.0 {
            let relative = worst * tolerance / (out + 1e-300);
            *entry = (worst, relative, at.to_owned());
        }
    }

    /// The table for the docs.
    pub fn print(&self) {
        println!("| what | worst, in tolerances | relative to the output's largest | where |");
        println!("|---|---|---|---|");
        for (what, (worst, relative, at)) in &self.0 {
            println!("| {what} | {worst:.1e} | {relative:.1e} | {at} |");
        }
    }
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

pub fn channel(name: &str, kind: ChannelKind) -> Channel {
    Channel { name: name.into(), kind, unit: "µV".into() }
}

pub fn note(onset: f64, duration: f64, description: &str) -> Annotation {
    Annotation { onset, duration, description: description.into() }
}

/// A recording of EEG channels `C1`, `C2` … in volts.
pub fn recording(volts: Array2<f64>, sfreq: f64, annotations: Vec<Annotation>) -> Recording {
    let channels =
        (0..volts.nrows()).map(|c| channel(&format!("C{}", c + 1), ChannelKind::Eeg)).collect();
    let info = Info {
        channels,
        sfreq,
        meas_date: None,
        annotations,
        numbering: EventNumbering::BrainVision,
        highpass: 0.0,
        lowpass: sfreq / 2.0,
    };
    Recording::from_volts(info, volts).unwrap()
}

/// A recording at 100 Hz with events at these seconds, whose ids are their places in the order of
/// their names.
pub fn with_events(volts: Array2<f64>, events: &[(f64, &str)]) -> Recording {
    let notes = events.iter().map(|(onset, text)| note(*onset, 0.0, text)).collect();
    let plain = recording(volts, 100.0, notes);
    let info = Info { numbering: EventNumbering::Ordinal, ..plain.info().clone() };
    Recording::from_volts(info, plain.into_data()).unwrap()
}

/// Waves of several frequencies and some noise, around 50 µV, the same at every call.
pub fn waves(channels: usize, n_samples: usize) -> Array2<f64> {
    let mut state = 12_345_u64;
    Array2::from_shape_fn((channels, n_samples), |(c, t)| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5;
        let t = t as f64 / 250.0;
        let slow = (2.0 * std::f64::consts::PI * (1.0 + c as f64) * t).sin();
        let hum = (2.0 * std::f64::consts::PI * 50.0 * t).sin();
        50e-6 * slow + 10e-6 * hum + 20e-6 * noise
    })
}
