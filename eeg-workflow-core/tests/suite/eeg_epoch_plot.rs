//! Pictures of epochs and averages: the numbers behind them, and that anything can be drawn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::{eeg_signal, eeg_support};

use eeg_signal::{Worst, largest, note, recording, waves};
use eeg_support::{json, number, numbers, reference};
use eeg_workflow_core::eeg::{
    EpochImage, EpochOptions, Epochs, FirFilter, PowerSpectrum, Recording, WelchOptions,
    plot_averages, plot_epochs, plot_erp, plot_evoked, plot_spectrum, read,
};
use eeg_workflow_core::picture::{ColorScale, Format};
use ndarray::Array2;

/// Keeps a picture to be looked at, when a folder is named.
fn keep(name: &str, picture: &[u8]) {
    if let Some(folder) = std::env::var_os("EEG_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
    }
}

fn answers(channels: usize) -> Recording {
    let notes = (0..60).map(|k| {
        let name = if k % 4 == 0 { "Stimulus/S  2" } else { "Stimulus/S  1" };
        note(1.0 + f64::from(k) * 1.1, 0.0, name)
    });
    let mut volts = waves(channels, 18_000);
    // A wave 300 ms after every event of one kind.
    for k in (0..60).step_by(4) {
        let at = 250 + (f64::from(k) * 1.1 * 250.0) as usize;
        for mut row in volts.rows_mut() {
            for t in 0..75 {
                row[at + 50 + t] += 30e-6 * (std::f64::consts::PI * t as f64 / 75.0).sin();
            }
        }
    }
    recording(volts, 250.0, notes.collect())
}

#[test]
fn the_image_shows_the_numbers_that_mne_draws() {
    let Some(folder) = reference() else { return };
    let mut worst = Worst::default();
    for name in ["uwb_DoD_2015_02", "mne_test", "eeglab_testbva"] {
        let expected = json(&folder.join(format!("expected/{name}.json")));
        let raw = read(&folder.join(expected["file"].as_str().unwrap())).unwrap();
        let filter = |step: &serde_json::Value| {
            let (low, high) = (number(&step["filter"][0]), number(&step["filter"][1]));
            FirFilter::band(raw.sfreq(), Some(low), Some(high)).unwrap().apply(raw.clone())
        };
        let steps = expected["pipeline"].as_array().unwrap().iter();
        let mut cases = vec![(raw.clone(), &expected["epoch_image_block_default"])];
        cases.extend(steps.map(|step| (filter(step), &step["epoch_image"])));
        for (recording, expected) in cases {
            let epochs = Epochs::extract(&recording, &EpochOptions::default()).unwrap();
            let image = EpochImage::of(&epochs);
            let shape = numbers(&expected["shape"]);
            assert_eq!(image.smooth.dim(), (shape[0] as usize, shape[1] as usize), "{name}");
            let input = 1e6 * largest(recording.data().as_slice().unwrap());
            for (i, row) in numbers(&expected["rows"]).into_iter().enumerate() {
                for (values, what) in
                    [(&image.smooth, "values_uV"), (&image.rows, "unsmoothed_values_uV")]
                {
                    let values = values.row(row as usize);
                    let cols = numbers(&expected["cols"]);
                    let got: Vec<f64> = cols.iter().map(|c| values[*c as usize]).collect();
                    let scale = largest(values.as_slice().unwrap());
                    worst.note(
                        "epoch image",
                        name,
                        &got,
                        &numbers(&expected[what][i]),
                        scale,
                        input,
                    );
                }
            }
            let (low, high) = image.limits;
            let limits = [number(&expected["vmin"]), number(&expected["vmax"])];
            worst.note("epoch image limits", name, &[low, high], &limits, high, input);
        }
    }
    worst.print();
}

#[test]
fn pictures_of_epochs_are_files_of_their_format() {
    let raw = answers(3);
    let options = EpochOptions { tmax: 0.8, ..EpochOptions::default() };
    let epochs = Epochs::extract(&raw, &options).unwrap();
    let averages = epochs.averages().unwrap();
    let averages: Vec<_> = averages.iter().collect();
    let none: [&str; 0] = [];
    for format in [Format::Png, Format::Svg] {
        let start: &[u8] = if format == Format::Png { b"\x89PNG" } else { b"<svg " };
        for (name, picture) in [
            ("epochs", plot_epochs(&epochs, format).unwrap()),
            ("average", plot_evoked(&epochs.average().unwrap(), format).unwrap()),
            ("averages", plot_averages(&averages, format).unwrap()),
            ("erp", plot_erp(&epochs, &none, format).unwrap()),
            ("erp-channels", plot_erp(&epochs, &["C3", "C1", "C2"], format).unwrap()),
        ] {
            assert!(picture.starts_with(start), "{name}");
            keep(&format!("{name}.{}", format.ending()), &picture);
        }
    }
    assert!(plot_erp(&epochs, &["Oz"], Format::Png).unwrap_err().to_string().contains("\"Oz\""));
}

#[test]
fn spectra_of_few_and_of_many_channels_are_drawn() {
    for channels in [1, 5, 40] {
        let raw = answers(channels);
        let options = WelchOptions { n_fft: 500, ..WelchOptions::default() };
        let spectrum = PowerSpectrum::welch(&raw, &options).unwrap();
        let svg = String::from_utf8(plot_spectrum(&spectrum, Format::Svg).unwrap()).unwrap();
        assert!(svg.contains("Frequency (Hz)") && svg.contains("µV²/Hz"));
        assert_eq!(svg.contains(">C1<"), channels <= 16, "{channels}");
        let png = plot_spectrum(&spectrum, Format::Png).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        keep(&format!("spectrum-{channels}.png"), &png);
    }
    // A dead channel has no power, and so no decibels.
    let dead = PowerSpectrum::welch(
        &recording(Array2::zeros((1, 600)), 100.0, vec![]),
        &WelchOptions { n_fft: 100, ..WelchOptions::default() },
    );
    plot_spectrum(&dead.unwrap(), Format::Png).unwrap();
}

#[test]
fn a_real_recording_is_drawn() {
    let Some(folder) = reference() else { return };
    for (name, file) in [("dod", "bv_uwb/DoD_2015_02.vhdr"), ("bva", "bv_eeglab/testbva.vhdr")] {
        let raw = read(&folder.join("data").join(file)).unwrap();
        let raw = FirFilter::band(raw.sfreq(), Some(0.5), Some(30.0)).unwrap().apply(raw);
        let epochs = Epochs::extract(&raw, &EpochOptions::default()).unwrap();
        keep(&format!("{name}-epochs.png"), &plot_epochs(&epochs, Format::Png).unwrap());
        let average = epochs.average().unwrap();
        keep(&format!("{name}-average.png"), &plot_evoked(&average, Format::Png).unwrap());
        let none: [&str; 0] = [];
        let erp = plot_erp(&epochs, &none, Format::Svg).unwrap();
        keep(&format!("{name}-erp.png"), &plot_erp(&epochs, &none, Format::Png).unwrap());
        keep(&format!("{name}-erp.svg"), &erp);
        let text = String::from_utf8(erp).unwrap();
        assert!(text.contains("Amplitude (µV)") && text.contains("Time (s)"), "{name}");
        assert!(text.contains(&epochs.name_of(epochs.event_ids()[0])), "{name}");
    }
}

#[test]
fn odd_epochs_are_drawn_too() {
    let flat = |value: f64, n_events: u32, n: usize| {
        let notes = (0..n_events).map(|k| note(0.3 * f64::from(k), 0.0, "Stimulus/<S> & \"1\""));
        let raw = recording(Array2::from_elem((1, n), value), 10.0, notes.collect());
        let options =
            EpochOptions { tmin: 0.0, tmax: 0.2, baseline: None, ..EpochOptions::default() };
        Epochs::extract(&raw, &options).unwrap()
    };
    let none: [&str; 0] = [];
    for epochs in [
        flat(0.0, 1, 10),
        flat(1.0, 2, 100),
        flat(f64::NAN, 3, 100),
        flat(f64::INFINITY, 3, 100),
        flat(1e300, 700, 2200),
        flat(1.0, 1, 2),
    ] {
        for format in [Format::Png, Format::Svg] {
            plot_epochs(&epochs, format).unwrap();
            let svg = plot_erp(&epochs, &none, format).unwrap();
            if format == Format::Svg && !epochs.is_empty() {
                let text = String::from_utf8(svg).unwrap();
                assert!(text.contains("&lt;S&gt; &amp; &quot;1&quot;"), "names are data");
            }
            if let Ok(average) = epochs.average() {
                plot_evoked(&average, format).unwrap();
            }
        }
    }
}

#[test]
fn colours_run_from_blue_over_white_to_red() {
    let scale = ColorScale::around_zero([-3.0, 2.0, f64::NAN]);
    assert_eq!((scale.low(), scale.high()), (-3.0, 3.0));
    let (low, middle, high) = (scale.color(-9.0), scale.color(0.0), scale.color(3.0));
    assert!(low.2 > low.0 && high.0 > high.2 && middle.0 > 240 && middle.2 > 240);
    let empty = ColorScale::around_zero([]);
    assert!(empty.low() < empty.high());
}

/// Whether the margins beside the axes are as white as they should be.
fn is_clean(png: &[u8]) -> bool {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let rows: Vec<&[u8]> = pixels.chunks_exact(info.width as usize * 3).collect();
    let white = |row: &[u8]| row.iter().all(|byte| *byte == 255);
    white(rows[0]) && white(rows[rows.len() - 1])
}

#[test]
fn what_has_no_confidence_band_is_drawn_without_one() {
    let notes = |n: u32| (0..n).map(|k| note(0.3 + 0.3 * f64::from(k), 0.0, "Stimulus/S  1"));
    let options = EpochOptions { tmin: -0.1, tmax: 0.2, baseline: None, ..EpochOptions::default() };
    let wave = |n: usize| Array2::from_shape_fn((2, n), |(_, i)| 1e-5 * (i as f64 / 3.0).sin());
    // One epoch, averages of conditions, and epochs with a gap.
    let one = Epochs::extract(&recording(wave(300), 100.0, notes(1).collect()), &options).unwrap();
    let mut gap = wave(300);
    gap.slice_mut(ndarray::s![0, 40..45]).fill(f64::NAN);
    let gap = Epochs::extract(&recording(gap, 100.0, notes(5).collect()), &options);
    let none: [&str; 0] = [];
    for epochs in [Some(&one), gap.as_ref().ok()].into_iter().flatten() {
        assert!(is_clean(&plot_epochs(epochs, Format::Png).unwrap()));
        assert!(is_clean(&plot_erp(epochs, &none, Format::Png).unwrap()));
        let averages = epochs.averages().unwrap();
        let averages: Vec<&_> = averages.iter().collect();
        assert!(is_clean(&plot_averages(&averages, Format::Png).unwrap()));
    }
    // Only what is drawn is spoken of.
    let two = Epochs::extract(&recording(wave(300), 100.0, notes(2).collect()), &options).unwrap();
    for (epochs, bands) in [(&one, false), (&two, true)] {
        let pictures = [
            plot_epochs(epochs, Format::Svg).unwrap(),
            plot_erp(epochs, &none, Format::Svg).unwrap(),
        ];
        for picture in pictures {
            let text = String::from_utf8(picture).unwrap();
            assert_eq!(text.contains("95 % confidence"), bands);
        }
    }
}
