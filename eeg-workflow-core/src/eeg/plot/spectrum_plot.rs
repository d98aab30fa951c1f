//! Pictures of power spectra.

use super::curve::LINES;
use crate::eeg::signal::PowerSpectrum;
use crate::picture::{Align, Axes, Axis, Canvas, Color, Format, PictureError, Rect};

/// More channels than this are drawn as their range and mean.
const LISTED: usize = 16;

/// Draws a power spectrum in decibels (of 1 µV²/Hz): a line a channel, or, of many channels, what
/// lies between the lowest and the highest and their mean.
///
/// # Errors
/// [`PictureError`] when text cannot be drawn.
pub fn plot_spectrum(spectrum: &PowerSpectrum, format: Format) -> Result<Vec<u8>, PictureError> {
    let decibels = |power: f64| 10.0 * (power * 1e12).log10();
    let rows: Vec<Vec<f64>> = spectrum
        .power
        .rows()
        .into_iter()
        .map(|row| row.iter().map(|p| decibels(*p)).collect())
        .collect();
    let many = rows.len() > LISTED;
    let names = spectrum.channels.iter().map(|c| c.name.as_str());
    let mut legend: f64 = 0.0;
    for name in names.clone().take(LISTED) {
        legend = legend.max(Canvas::text_width(name, 14.0)? + 56.0);
    }
    let legend = if many { 170.0 } else { legend.clamp(80.0, 300.0) };
    let mut surface = format.surface(1200, 640)?;
    let count = rows.len();
    let title =
        format!("Power spectrum of {count} EEG channel{}", if count == 1 { "" } else { "s" });
    let axes = Axes {
        place: Rect { left: 90.0, top: 52.0, right: 1190.0 - legend, bottom: 570.0 },
        x: Axis::over(spectrum.freqs.iter().copied()),
        y: Axis::over(rows.iter().flatten().copied()).padded(0.05),
        title: &title,
        x_label: "Frequency (Hz)",
        y_label: "Power density (dB re 1 µV²/Hz)",
    };
    axes.draw_ticks(&mut *surface, true)?;
    let x = |k: usize| spectrum.freqs.get(k).map_or(f64::NAN, |f| axes.to_x(*f));
    let place = |(k, value): (usize, &f64)| (x(k), axes.to_y(*value));
    let left = axes.place.right + 14.0;
    if many {
        let column = |k: usize| rows.iter().filter_map(move |row| row.get(k).copied());
        let range = |k: usize| {
            let ends = (f64::INFINITY, f64::NEG_INFINITY);
            let (low, high) = column(k).fold(ends, |(l, h), v| (l.min(v), h.max(v)));
            (x(k), axes.to_y(high), axes.to_y(low))
        };
        let band: Vec<_> = (0..spectrum.freqs.len()).map(range).collect();
        surface.band(&band, Color::BLUE, 0.25);
        let power = spectrum.power.mean_axis(ndarray::Axis(0)).unwrap_or_default();
        let mean: Vec<f64> = power.iter().map(|p| decibels(*p)).collect();
        let line: Vec<_> = mean.iter().enumerate().map(place).collect();
        surface.polyline(&line, 2.0, Color::BLUE);
        surface.polyline(&[(left, 70.0), (left + 28.0, 70.0)], 3.0, Color::BLUE);
        surface.label("mean", (left + 36.0, 70.0), 14.0, Align::Left, Color::INK)?;
        surface.band(&[(left, 84.0, 98.0), (left + 28.0, 84.0, 98.0)], Color::BLUE, 0.25);
        surface.label("all channels", (left + 36.0, 91.0), 14.0, Align::Left, Color::INK)?;
    } else {
        for (i, (row, name)) in rows.iter().zip(names).enumerate() {
            let color = LINES.get(i % LINES.len()).copied().unwrap_or(Color::BLUE);
            let line: Vec<_> = row.iter().enumerate().map(place).collect();
            surface.polyline(&line, 1.6, color);
            let y = 62.0 + 22.0 * i as f64;
            surface.polyline(&[(left, y), (left + 28.0, y)], 3.0, color);
            surface.label(name, (left + 36.0, y), 14.0, Align::Left, Color::INK)?;
        }
    }
    axes.draw_frame(&mut *surface)?;
    surface.file()
}
