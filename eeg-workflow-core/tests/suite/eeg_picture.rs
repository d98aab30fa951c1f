//! Pictures: any data draws, the pixels are where they belong, a bad size is an error.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use eeg_workflow_core::picture::{
    Align, Axis, Canvas, Color, Format, LineChart, PictureError, Surface,
};
use proptest::prelude::*;

fn chart<'a>(x: &'a [f64], y: &'a [f64]) -> LineChart<'a> {
    LineChart { title: "title µ", x_label: "x", y_label: "y", x, y }
}

/// (width, height, RGB bytes)
fn decode(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

fn blue_pixels(png: &[u8]) -> Vec<(usize, usize)> {
    let (width, _, pixels) = decode(png);
    pixels
        .chunks_exact(3)
        .enumerate()
        .filter(|(_, p)| p[2] > p[0].saturating_add(60))
        .map(|(i, _)| (i % width as usize, i / width as usize))
        .collect()
}

#[test]
fn a_sine_is_drawn_over_the_whole_width() {
    let x: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 50.0).collect();
    let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
    let png = chart(&x, &y).draw(900, 500, Format::Png).unwrap();
    if let Some(folder) = option_env!("EEG_PICTURES") {
        std::fs::write(format!("{folder}/sine.png"), &png).unwrap();
    }
    let (width, height, _) = decode(&png);
    assert_eq!((width, height), (900, 500));
    let blue = blue_pixels(&png);
    let left = blue.iter().map(|p| p.0).min().unwrap();
    let right = blue.iter().map(|p| p.0).max().unwrap();
    assert!(left < 120 && right > 850, "{left} to {right}");
    let top = blue.iter().map(|p| p.1).min().unwrap();
    let bottom = blue.iter().map(|p| p.1).max().unwrap();
    assert!(bottom - top > 300, "{top} to {bottom}");
}

#[test]
fn a_value_that_is_not_finite_is_a_gap() {
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let mut y = vec![1.0; 100];
    y[40..60].fill(f64::NAN);
    let blue = blue_pixels(&chart(&x, &y).draw(600, 300, Format::Png).unwrap());
    let columns: std::collections::BTreeSet<usize> = blue.iter().map(|p| p.0).collect();
    let widest = columns.iter().zip(columns.iter().skip(1)).map(|(a, b)| b - a).max().unwrap();
    assert!(widest > 80, "widest gap {widest} px");
}

#[test]
fn empty_constant_and_senseless_data_still_draw() {
    let nan = f64::NAN;
    let cases: [(&[f64], &[f64]); 9] = [
        (&[], &[]),
        (&[1.0], &[2.0]),
        (&[0.0, 1.0], &[5.0, 5.0]),
        (&[nan, nan], &[nan, f64::INFINITY]),
        (&[0.0, 1.0], &[f64::MIN, f64::MAX]),
        (&[0.0, 1.0], &[f64::MIN_POSITIVE, 5e-324]),
        (&[1e300, 1e-300], &[1e16, 1e16 + 2.0]),
        (&[0.0, 1.0, 2.0], &[0.0]),
        (&[0.0, 0.0], &[0.0, 0.0]),
    ];
    for (x, y) in cases {
        let png = chart(x, y).draw(400, 300, Format::Png).unwrap();
        assert_eq!(decode(&png).0, 400, "{x:?} {y:?}");
    }
}

#[test]
fn a_size_that_cannot_be_is_an_error() {
    for (width, height) in [(0, 0), (10, 500), (500, 0), (20_000, 100), (16_000, 16_000)] {
        let result = chart(&[], &[]).draw(width, height, Format::Png);
        assert!(matches!(result, Err(PictureError::Size { .. })), "{width}x{height}");
    }
    assert!(chart(&[0.0, 1.0], &[0.0, 1.0]).draw(64, 64, Format::Png).is_ok());
}

#[test]
fn ticks_are_round_numbers_with_the_digits_they_need() {
    let labels = |low: f64, high: f64, count| -> Vec<String> {
        let ticks = Axis::over([low, high]).ticks(count);
        ticks.into_iter().map(|t| t.1).collect()
    };
    assert_eq!(labels(0.0, 1.0, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    assert_eq!(labels(-250.0, 240.0, 5), ["-200", "-100", "0", "100", "200"]);
    assert_eq!(labels(0.0, 3e-7, 3), ["0", "1e-7", "2e-7", "3e-7"]);
    assert_eq!(labels(1e9, 1.2e9, 2), ["1.0e9", "1.1e9", "1.2e9"]);
}

#[test]
fn text_takes_the_room_that_was_measured() {
    let mut canvas = Canvas::new(400, 64).unwrap();
    let text = "Stimulus/S  1 — µV";
    let width = Canvas::text_width(text, 20.0).unwrap();
    canvas.label(text, (10.0, 32.0), 20.0, Align::Left, Color::INK).unwrap();
    let (columns, _, pixels) = decode(&canvas.file().unwrap());
    let dark: Vec<usize> = pixels
        .chunks_exact(3)
        .enumerate()
        .filter(|(_, p)| p[0] < 128)
        .map(|(i, _)| i % columns as usize)
        .collect();
    let (left, right) = (*dark.iter().min().unwrap(), *dark.iter().max().unwrap());
    assert!(left >= 9 && (right - left) as f64 <= width + 2.0, "{left}..{right}, {width}");
    assert!((right - left) as f64 > width * 0.8, "{left}..{right}, {width}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_numbers_make_a_chart_fail(points in prop::collection::vec((any::<f64>(), any::<f64>()), 0..40)) {
        let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        prop_assert!(chart(&x, &y).draw(120, 90, Format::Png).is_ok());
    }

    #[test]
    fn ticks_lie_on_their_axis(a in any::<f64>(), b in any::<f64>(), count in 0usize..100) {
        let axis = Axis::over([a, b]);
        prop_assert!(axis.low() < axis.high());
        for (value, _) in axis.ticks(count) {
            prop_assert!(value >= axis.low() && value <= axis.high(), "{value} {axis:?}");
        }
    }
}

#[test]
fn a_line_chart_is_pixels_or_vectors_with_the_same_text() {
    let svg = chart(&[0.0, 1.0, 2.0], &[1.0, f64::NAN, 3.0]).draw(400, 300, Format::Svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains(">title µ</text>") && svg.contains("rotate(-90"));
    assert_eq!(svg.matches("<path ").count(), 2, "a gap separates two pieces");
}

#[test]
fn an_axis_of_counts_marks_whole_numbers_only() {
    let ticks = Axis::over([1.0, 3.0]).of_counts().ticks(8);
    assert_eq!(ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn what_is_not_finite_draws_nothing_on_any_surface() {
    let nothing = |format: Format| format.surface(100, 80).unwrap().file().unwrap();
    for end in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for format in [Format::Png, Format::Svg] {
            let mut surface = format.surface(100, 80).unwrap();
            surface.band(
                &[(10.0, end, 40.0), (50.0, 20.0, end), (90.0, end, end)],
                Color::INK,
                0.5,
            );
            surface.columns(10.0, &[(end, 40.0), (20.0, end), (end, end)], Color::INK);
            surface.polyline(&[(10.0, end), (end, 40.0)], 2.0, Color::INK);
            assert!(surface.file().unwrap() == nothing(format), "{end} in {format:?}");
        }
    }
    // What is finite between two gaps is there.
    for format in [Format::Png, Format::Svg] {
        let mut surface = format.surface(100, 80).unwrap();
        surface.columns(10.0, &[(f64::NAN, 1.0), (20.0, 40.0), (f64::NAN, 1.0)], Color::INK);
        assert!(surface.file().unwrap() != nothing(format), "{format:?}");
    }
}

#[test]
fn an_axis_has_two_numbers_at_least_so_that_its_scale_can_be_read() {
    for (low, high) in [(-40.0, 40.0), (-1.2, 3.4), (0.0, 0.7), (1e-9, 3e-9), (-270.0, 130.0)] {
        for count in 2..6 {
            let ticks = Axis::over([low, high]).ticks(count);
            assert!((2..=12).contains(&ticks.len()), "{low} to {high}, {count}: {ticks:?}");
        }
    }
}
