//! The picture of a recording: any recording draws, nothing that happens is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use eeg_support::{marker, reference, wave, written};
use eeg_workflow_core::eeg::{EegPlot, Recording, read};
use eeg_workflow_core::picture::Format;
use ndarray::Array2;

/// (width, height, RGB bytes)
fn decode(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

/// (width, height) by the file's header alone.
fn size(png: &[u8]) -> (u32, u32) {
    let info = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    (info.info().width, info.info().height)
}

fn keep(name: &str, png: &[u8]) {
    if let Some(folder) = option_env!("EEG_PICTURES") {
        std::fs::write(format!("{folder}/{name}.png"), png).unwrap();
    }
}

/// Columns in which a trace (blue, the first channel) is seen between two rows.
fn blue_columns(png: &[u8], rows: std::ops::Range<usize>) -> Vec<usize> {
    let (width, _, pixels) = decode(png);
    let width = width as usize;
    (130..width - 110)
        .filter(|x| {
            rows.clone().any(|y| {
                let at = (y * width + x) * 3;
                pixels[at + 2] > pixels[at].saturating_add(60)
            })
        })
        .collect()
}

#[test]
fn the_usual_size_is_1800_by_700_and_many_channels_make_it_taller() {
    let folder = tempfile::tempdir().unwrap();
    let few = written(&folder.path().join("few.vhdr"), &wave(3, 5000), vec![]);
    let png = EegPlot::default().draw(&few, Format::Png).unwrap();
    keep("few", &png);
    assert_eq!(size(&png), (1800, 700));
    let many = written(&folder.path().join("many.vhdr"), &wave(64, 20_000), vec![]);
    let png = EegPlot::default().draw(&many, Format::Png).unwrap();
    keep("many", &png);
    assert!(size(&png).1 >= 64 * 18, "{:?}", size(&png));
}

#[test]
fn a_peak_of_one_sample_is_seen_however_long_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut samples = wave(1, 400_000).mapv(|v| v / 20);
    samples[(0, 3)] = 0;
    samples[(0, 4)] = 0;
    let plot = EegPlot::default();
    let calm = written(&folder.path().join("calm.vhdr"), &samples, vec![]);
    let rows = 48..60;
    assert_eq!(blue_columns(&plot.draw(&calm, Format::Png).unwrap(), rows.clone()), [0; 0]);
    samples[(0, 200_123)] = 30_000;
    let peak = written(&folder.path().join("peak.vhdr"), &samples, vec![]);
    let columns = blue_columns(&plot.draw(&peak, Format::Png).unwrap(), rows);
    assert!((1..=3).contains(&columns.len()), "{columns:?}");
    // In the middle of the time axis, which the recording's middle is.
    assert!((880..940).contains(&columns[0]), "{columns:?}");
}

#[test]
fn traces_fill_the_time_axis_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    for n_samples in [1, 2, 100, 3000, 50_000] {
        let path = folder.path().join(format!("n{n_samples}.vhdr"));
        let mut samples = wave(1, n_samples);
        samples.mapv_inplace(|v| v % 2000);
        let recording = written(&path, &samples, vec![marker("Stimulus", "S  1", 0, 1)]);
        let png = EegPlot::default().draw(&recording, Format::Png).unwrap();
        if n_samples >= 3000 {
            let columns = blue_columns(&png, 50..638);
            assert!(columns.len() > 1500, "{n_samples}: {}", columns.len());
        }
    }
}

#[test]
fn odd_shapes_and_names_draw() {
    let folder = tempfile::tempdir().unwrap();
    let many = wave(500, 30);
    let many = written(&folder.path().join("many.vhdr"), &many, vec![]);
    let plot = EegPlot { width: 500, ..EegPlot::default() };
    let png = plot.draw(&many, Format::Png).unwrap();
    keep("five_hundred", &png);
    assert_eq!(size(&png).1, 8192);
    let mut info = many.pick_channels(&["C1", "C2"]).unwrap().info().clone();
    info.channels[0].name = "a name that is far too long to stand beside its trace ".repeat(8);
    info.channels[1].name = "\u{7}\u{4e2d}\u{6587} 🧠".to_owned();
    for value in [0.0, 1e300, f64::NAN, f64::INFINITY, -1e-300] {
        let volts = Array2::from_elem((2, 5000), value);
        let recording = Recording::from_volts(info.clone(), volts).unwrap();
        for (width, height) in [(64, 64), (1800, 700)] {
            let plot = EegPlot { width, height, ..EegPlot::default() };
            assert!(plot.draw(&recording, Format::Png).is_ok(), "{value} {width}x{height}");
        }
    }
}

#[test]
fn recordings_with_offsets_missing_values_and_other_units_draw() {
    let Some(folder) = reference() else { return };
    let names = [
        "bv_uwb/DoD_2015_02",
        "bv_uwb/Tachov_26_3_2015_08",
        "bv_mne/test",
        "bv_mne/test_segmentation_impedance",
        "bv_eeglab/testbva",
        "bv_quirks/mixed_units",
    ];
    for name in names {
        let recording = read(&folder.join("data").join(format!("{name}.vhdr"))).unwrap();
        let png = EegPlot::default().draw(&recording, Format::Png).unwrap();
        keep(name.rsplit('/').next().unwrap(), &png);
        assert!(size(&png).1 >= 700, "{name}");
    }
}

#[test]
fn a_plot_with_vectors_has_a_trace_for_each_channel_and_text_that_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let recording = written(&folder.path().join("a.vhdr"), &wave(5, 20_000), vec![]);
    let svg = EegPlot::default().draw(&recording, Format::Svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<path ").count(), 5);
    for text in recording.channel_names().chain(["Time (s)"]) {
        assert!(svg.contains(&format!(">{text}</text>")), "{text}");
    }
}
