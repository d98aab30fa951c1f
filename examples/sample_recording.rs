//! Writes a recording to try things on: 8 channels, 250 Hz, four minutes, with target and
//! non-target stimuli of an oddball experiment, blinks and mains hum, as a BrainVision set.
//! The same on every machine.
//!
//! `cargo run -p examples --example sample_recording -- FOLDER` writes `FOLDER/p300.vhdr`,
//! `.eeg` and `.vmrk`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::f64::consts::TAU;
use std::path::PathBuf;

use eeg_workflow_core::eeg::formats::brainvision::{Int16Channel, Int16Recording, Marker};
use ndarray::Array2;

const SFREQ: f64 = 250.0;
const SECONDS: usize = 240;
/// µV a step.
const RESOLUTION: f64 = 0.1;
/// A channel's name, how strongly it shows the P300 and how strongly blinks.
const CHANNELS: [(&str, f64, f64); 8] = [
    ("Fp1", 0.1, 1.0),
    ("Fp2", 0.1, 1.0),
    ("Fz", 0.4, 0.5),
    ("Cz", 0.8, 0.2),
    ("Pz", 1.0, 0.1),
    ("P3", 0.7, 0.1),
    ("P4", 0.7, 0.1),
    ("Oz", 0.4, 0.05),
];

/// xorshift64*: small, and good enough for noise.
struct Random(u64);

impl Random {
    /// Uniform between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, mean 0, standard deviation 1: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// A bump of height 1 around `centre`, both in seconds.
fn bump(t: f64, centre: f64, width: f64) -> f64 {
    (-((t - centre) / width).powi(2) / 2.0).exp()
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: sample_recording FOLDER")?);
    let samples = SECONDS * SFREQ as usize;
    let mut random = Random(0x5eed);
    let mut signal = Array2::<f64>::zeros((CHANNELS.len(), samples)); // µV

    for mut channel in signal.rows_mut() {
        // Slow drift, alpha rhythm that waxes and wanes, mains hum, noise.
        let phase = TAU * random.next();
        let mut drift = 0.0;
        for (i, sample) in channel.iter_mut().enumerate() {
            let t = i as f64 / SFREQ;
            drift = 0.999 * drift + 0.6 * random.normal();
            let alpha = 8.0 * (0.6 + 0.4 * (TAU * 0.1 * t).sin()) * (TAU * 10.0 * t + phase).sin();
            *sample = drift + alpha + 1.5 * (TAU * 50.0 * t).sin() + 4.0 * random.normal();
        }
    }

    let mut markers = Vec::new();
    let mut onset = 2.0;
    while onset < SECONDS as f64 - 2.0 {
        let target = random.next() < 0.2;
        let position = (onset * SFREQ) as u64;
        let description = if target { "S  1" } else { "S  2" };
        markers.push(Marker {
            kind: "Stimulus".to_owned(),
            description: description.to_owned(),
            sample: position as i64,
            size: 1,
        });
        for (mut channel, (_, p300, _)) in signal.rows_mut().into_iter().zip(CHANNELS) {
            for (i, sample) in channel.iter_mut().enumerate().skip(position as usize).take(250) {
                let t = (i as u64 - position) as f64 / SFREQ;
                *sample += p300 * (-3.0 * bump(t, 0.1, 0.02) + 2.5 * bump(t, 0.2, 0.03));
                if target {
                    *sample += p300 * 12.0 * bump(t, 0.38, 0.07);
                }
            }
        }
        onset += 0.8 + 0.4 * random.next();
    }
    let mut blink = 5.0;
    while blink < SECONDS as f64 {
        for (mut channel, (_, _, blinks)) in signal.rows_mut().into_iter().zip(CHANNELS) {
            for (i, sample) in channel.iter_mut().enumerate() {
                *sample += blinks * 90.0 * bump(i as f64 / SFREQ, blink, 0.08);
            }
        }
        blink += 6.0 + 8.0 * random.next();
    }

    let stored = signal.mapv(|microvolts| (microvolts / RESOLUTION).round() as i16);
    let channel = |(name, _, _): (&str, f64, f64)| Int16Channel {
        name: name.to_owned(),
        unit: "µV".to_owned(),
        resolution: RESOLUTION,
    };
    std::fs::create_dir_all(&folder)?;
    let header = folder.join("p300.vhdr");
    let stimuli = markers.len();
    Int16Recording {
        channels: CHANNELS.into_iter().map(channel).collect(),
        sfreq: SFREQ,
        meas_date: None,
        samples: stored.view(),
        markers,
    }
    .write(&header)?;
    println!(
        "{}: {} channels, {samples} samples, {stimuli} stimuli",
        header.display(),
        CHANNELS.len()
    );
    Ok(())
}
