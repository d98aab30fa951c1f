//! Event-related potentials: mean curves with confidence bands.

use ndarray::{Array2, Axis as Dimension};

use super::curve::{Band, LINES, channels, count, time_axis};
use super::epoch_image::EpochImage;
use crate::eeg::data::{ChannelKind, Epochs, Evoked, RecordingError};
use crate::picture::{Align, Axes, Axis, Canvas, Color, Format, PictureError, Rect};

const WIDTH: u32 = 1200;

/// Curves that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErpError {
    /// A channel was asked for that is not there.
    #[error(transparent)]
    Channels(#[from] RecordingError),
    /// The picture could not be made.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// One curve of a picture.
struct Curve {
    name: String,
    band: Band,
}

/// Draws the mean of each event's epochs with its 95 % confidence band, over the EEG channels,
/// or a panel for each of the named ones (at most 16).
///
/// # Errors
/// A channel is not there, or text cannot be drawn.
pub fn plot_erp<S: AsRef<str>>(
    epochs: &Epochs,
    names: &[S],
    format: Format,
) -> Result<Vec<u8>, ErpError> {
    let mut panels = Vec::new();
    if names.is_empty() {
        panels.push(epochs.pick_kind(ChannelKind::Eeg));
    }
    for name in names.iter().take(16) {
        panels.push(epochs.pick_channels(&[name])?);
    }
    let panels: Vec<(String, Vec<Curve>)> = panels
        .iter()
        .map(|panel| {
            let curve = |id: i32| {
                let of_id = panel.of_id(id);
                let name = format!("{} ({})", panel.name_of(id), of_id.len());
                Curve { name, band: Band::of(&rows(&of_id)) }
            };
            (channels(panel), panel.distinct_ids().into_iter().map(curve).collect())
        })
        .collect();
    let window = (epochs.info().first, epochs.n_samples(), epochs.sfreq());
    let bands = epochs.len() > epochs.distinct_ids().len();
    let bands = if bands { ", 95 % confidence bands" } else { "" };
    let title = format!("Mean of {} by event{bands}", count(epochs.len(), "epoch"));
    Ok(draw(&title, &panels, window, format)?)
}

/// Draws averages over each other, each as its mean over the channels. An average no longer
/// knows how sure it is: there are no bands.
///
/// # Errors
/// [`PictureError`] when text cannot be drawn.
pub fn plot_averages(averages: &[&Evoked], format: Format) -> Result<Vec<u8>, PictureError> {
    let curve = |evoked: &&Evoked| {
        let n = evoked.shape().0.max(1) as f64;
        let mean: Vec<f64> =
            evoked.data.axis_iter(Dimension(1)).map(|column| column.sum() / n * 1e6).collect();
        let half = vec![f64::NAN; mean.len()];
        Curve { name: format!("{} ({})", evoked.comment, evoked.nave), band: Band { mean, half } }
    };
    let of = averages.first();
    let names = of.map_or_else(String::new, |evoked| match evoked.shape().0 {
        1 => evoked.channel_names().collect(),
        n => format!("mean of {n} channels"),
    });
    let window = of.map_or((0, 0, 1.0), |evoked| (evoked.first, evoked.shape().1, evoked.sfreq));
    let panels = [(names, averages.iter().map(curve).collect())];
    draw("Averages by event", &panels, window, format)
}

/// The mean over all channels, whatever they are, epochs x samples in µV.
fn rows(epochs: &Epochs) -> Array2<f64> {
    if epochs.channels().iter().all(|c| c.kind == ChannelKind::Eeg) {
        return EpochImage::of(epochs).rows;
    }
    let data = epochs.data();
    let mean = data.mean_axis(Dimension(1));
    mean.map_or_else(|| Array2::zeros((0, 0)), |mean| mean.mapv(|v| v * 1e6))
}

fn draw(
    title: &str,
    panels: &[(String, Vec<Curve>)],
    (first, n_samples, sfreq): (i64, usize, f64),
    format: Format,
) -> Result<Vec<u8>, PictureError> {
    let across: usize = if panels.len() > 1 { 2 } else { 1 };
    let down = panels.len().div_ceil(across).max(1);
    let panel_height = if down == 1 { 560.0 } else { 320.0 };
    // The legend is as wide as its names ask for.
    let mut legend: f64 = 60.0;
    for curve in panels.first().map_or(&[][..], |(_, curves)| curves) {
        legend = legend.max(Canvas::text_width(&curve.name, 14.0)? + 56.0);
    }
    let legend = legend.min(330.0);
    let height = down as f64 * panel_height + 60.0;
    let mut surface = format.surface(WIDTH, height as u32)?;
    let width = (f64::from(WIDTH) - legend) / across as f64;
    // One scale for all panels, so that they can be compared.
    let ends = panels.iter().flat_map(|(_, curves)| curves.iter().flat_map(|c| c.band.ends()));
    let y = Axis::over(ends.chain([0.0])).padded(0.05);
    for (i, (name, curves)) in panels.iter().enumerate() {
        let (left, top) = ((i % across) as f64 * width, 50.0 + (i / across) as f64 * panel_height);
        let place = Rect {
            left: left + 90.0,
            top: top + 34.0,
            right: left + width - 14.0,
            bottom: top + panel_height - 64.0,
        };
        let x = time_axis(first, n_samples, sfreq);
        let (x_label, y_label) = ("Time (s)", "Amplitude (µV)");
        let axes = Axes { place, x, y, title: name, x_label, y_label };
        axes.draw_ticks(&mut *surface, true)?;
        axes.draw_mark(&mut *surface, 0.0, Color::INK);
        // Many bands over each other must stay light to be told apart.
        let opacity = if curves.len() > 4 { 0.08 } else { 0.2 };
        for (curve, color) in curves.iter().zip(LINES.iter().cycle()) {
            curve.band.draw(&mut *surface, &axes, first, sfreq, *color, opacity);
        }
        axes.draw_frame(&mut *surface)?;
    }
    let names = panels.first().map_or(&[][..], |(_, curves)| curves);
    let left = f64::from(WIDTH) - legend;
    surface.label("Event (epochs)", (left + 8.0, 62.0), 14.0, Align::Left, Color::GREY)?;
    for (i, (curve, color)) in names.iter().zip(LINES.iter().cycle()).enumerate() {
        let y = 90.0 + i as f64 * 22.0;
        surface.polyline(&[(left + 8.0, y), (left + 36.0, y)], 3.0, *color);
        surface.label(&curve.name, (left + 44.0, y), 14.0, Align::Left, Color::INK)?;
    }
    let middle = (f64::from(WIDTH) / 2.0, 24.0);
    surface.label(title, middle, 20.0, Align::Center, Color::INK)?;
    surface.file()
}
