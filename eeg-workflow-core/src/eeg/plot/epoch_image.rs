//! Pictures of epochs: every epoch as a row of colours, and the channels of an average.

use ndarray::{Array1, Array2, Axis as Dimension};
use rayon::prelude::*;

use super::curve::{Band, channels, count, time_axis};
use crate::eeg::data::{ChannelKind, Epochs, Evoked};
use crate::picture::{Align, Axes, Axis, Canvas, Color, ColorScale, Format, PictureError, Rect};

const MICRO: f64 = 1e6;
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 800;
/// Smoothing along the epochs: a Gaussian of this reach on each side, in epochs.
const REACH: usize = 4;

/// What the epoch image shows: a row an epoch, in µV.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochImage {
    /// The mean over the EEG channels, epochs x samples, in µV.
    pub rows: Array2<f64>,
    /// The rows smoothed over neighbouring epochs.
    pub smooth: Array2<f64>,
    /// The colours' range in µV: from minus to plus the largest value, or from 0 when every value
    /// is above it.
    pub limits: (f64, f64),
}

impl EpochImage {
    /// The image that `mne.Epochs.plot_image(combine="mean", sigma=1.0)` draws: the mean over the
    /// EEG channels, smoothed along the epochs by a Gaussian of one epoch (four epochs wide to
    /// each side; the first and the last one count for those beyond).
    pub fn of(epochs: &Epochs) -> Self {
        let eeg = epochs.pick_kind(ChannelKind::Eeg);
        let (n_epochs, n_channels, n_samples) = eeg.shape();
        let mut rows = Array2::zeros((n_epochs, n_samples));
        if let Some(flat) = rows.as_slice_mut()
            && n_channels > 0
            && n_samples > 0
        {
            let all = flat.par_chunks_mut(n_samples).enumerate();
            all.for_each_init(
                || vec![0.0; n_samples],
                |window, (epoch, row)| {
                    for channel in 0..n_channels {
                        eeg.read(epoch, channel, window);
                        row.iter_mut().zip(&*window).for_each(|(sum, v)| *sum += v * MICRO);
                    }
                    row.iter_mut().for_each(|sum| *sum /= n_channels as f64);
                },
            );
        }
        let smooth = smoothed(&rows);
        let most = smooth.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let positive = rows.iter().all(|v| *v > 0.0);
        Self { limits: (if positive { 0.0 } else { -most }, most), rows, smooth }
    }
}

impl EpochImage {
    /// The colours to draw with, and whether they end before the limits do: a few epochs in which
    /// an electrode broke loose must not make all others white.
    fn scale(&self) -> (ColorScale, bool) {
        let (low, high) = self.limits;
        let mut sizes: Vec<f64> = self.smooth.iter().map(|v| v.abs()).collect();
        let at = sizes.len() * 98 / 100;
        if at < sizes.len() {
            let common = 1.25 * *sizes.select_nth_unstable_by(at, f64::total_cmp).1;
            if common > 0.0 && high > 2.0 * common {
                return (ColorScale::new(low.max(-common), common), true);
            }
        }
        (ColorScale::new(low, high), false)
    }
}

/// `scipy.ndimage.gaussian_filter1d(rows, sigma=1, axis=0, mode="nearest")`.
fn smoothed(rows: &Array2<f64>) -> Array2<f64> {
    let weight = |k: usize| (-0.5 * (k * k) as f64).exp();
    let sum = 1.0 + 2.0 * (1..=REACH).map(weight).sum::<f64>();
    let weights: Vec<f64> = (0..=REACH).map(|k| weight(k) / sum).collect();
    let last = rows.nrows().saturating_sub(1);
    let mut out = Array2::zeros(rows.dim());
    for (epoch, mut row) in out.axis_iter_mut(Dimension(0)).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            row.scaled_add(*weight, &rows.row(epoch.saturating_sub(k)));
            if k > 0 {
                row.scaled_add(*weight, &rows.row((epoch + k).min(last)));
            }
        }
    }
    out
}

/// Draws epochs: an image with a row an epoch, and below it their mean with its 95 % confidence
/// band.
///
/// # Errors
/// [`PictureError`] when text cannot be drawn.
pub fn plot_epochs(epochs: &Epochs, format: Format) -> Result<Vec<u8>, PictureError> {
    let image = EpochImage::of(epochs);
    let (scale, clipped) = image.scale();
    let mut surface = format.surface(WIDTH, HEIGHT)?;
    let (n_epochs, n_samples) = image.smooth.dim();
    let eeg = epochs.pick_kind(ChannelKind::Eeg);
    let title = format!("{}: {}", count(n_epochs, "epoch"), channels(&eeg));
    let above = Axes {
        place: Rect { left: 100.0, top: 52.0, right: 1080.0, bottom: 520.0 },
        x: time_axis(epochs.info().first, n_samples, epochs.sfreq()),
        y: Axis::over([0.5, n_epochs as f64 + 0.5]).of_counts(),
        title: &title,
        x_label: "",
        y_label: "Epoch",
    };
    if n_epochs > 0 {
        let columns = Columns::new(n_samples, above.place.width());
        // The first epoch is the lowest row.
        let fields: Vec<Vec<f64>> = image
            .smooth
            .rows()
            .into_iter()
            .rev()
            .map(|row| columns.means(&row.to_owned()))
            .collect();
        let color = |row: usize, column: usize| {
            let value = fields.get(row).and_then(|row| row.get(column));
            scale.color(value.copied().unwrap_or(f64::NAN))
        };
        surface.fields(above.place, n_epochs, columns.count, &color)?;
    }
    above.draw_ticks(&mut *surface, false)?;
    above.draw_mark(&mut *surface, 0.0, Color::INK);
    above.draw_frame(&mut *surface)?;
    let bar = Rect { left: 1108.0, top: 84.0, right: 1128.0, bottom: 520.0 };
    scale.draw_bar(&mut *surface, bar, "µV")?;
    if clipped {
        let most = image.limits.1;
        let note =
            format!("colours end at {:.0} µV, the largest value is {most:.0} µV", scale.high());
        let corner = (above.place.right, above.place.bottom + 36.0);
        surface.label(&note, corner, 13.0, Align::Right, Color::GREY)?;
    }

    let band = Band::of(&image.rows);
    let below = Axes {
        place: Rect { top: 570.0, bottom: 740.0, ..above.place },
        y: band.axis(),
        title: "",
        x_label: "Time (s)",
        y_label: "Mean (µV)",
        ..above
    };
    below.draw_ticks(&mut *surface, true)?;
    below.draw_mark(&mut *surface, 0.0, Color::INK);
    band.draw(&mut *surface, &below, epochs.info().first, epochs.sfreq(), Color::BLUE, 0.25);
    let note = match epochs.len() {
        1 => "the epoch itself: one has no confidence band",
        _ => "mean over the epochs, 95 % confidence band",
    };
    let corner = (below.place.left, below.place.top - 12.0);
    surface.label(note, corner, 13.0, Align::Left, Color::GREY)?;
    below.draw_frame(&mut *surface)?;
    surface.file()
}

/// Draws an average: an image with a row a channel.
///
/// # Errors
/// [`PictureError`] when text cannot be drawn.
pub fn plot_evoked(evoked: &Evoked, format: Format) -> Result<Vec<u8>, PictureError> {
    let (n_channels, n_samples) = evoked.shape();
    // Rows stay high enough for their names as long as the picture stays of a sensible size.
    let height = (n_channels as f64 * 18.0 + 130.0).clamp(500.0, 2400.0);
    let mut surface = format.surface(WIDTH, height as u32)?;
    let scale = ColorScale::around_zero(evoked.data.iter().map(|v| v * MICRO));
    let mut left: f64 = 70.0;
    for name in evoked.channel_names() {
        left = left.max(Canvas::text_width(name, 14.0)? + 50.0);
    }
    let title = format!("Average of {}: {}", count(evoked.nave, "epoch"), evoked.comment);
    let title: String = match title.chars().count() {
        0..=90 => title,
        _ => title.chars().take(88).chain(['…']).collect(),
    };
    let axes = Axes {
        place: Rect { left: left.min(300.0), top: 52.0, right: 1080.0, bottom: height - 70.0 },
        x: time_axis(evoked.first, n_samples, evoked.sfreq),
        y: Axis::over([0.0, n_channels as f64]),
        title: &title,
        x_label: "Time (s)",
        y_label: "",
    };
    let columns = Columns::new(n_samples, axes.place.width());
    let fields: Vec<Vec<f64>> =
        evoked.data.rows().into_iter().map(|row| columns.means(&row.mapv(|v| v * MICRO))).collect();
    let color = |row: usize, column: usize| {
        let value = fields.get(row).and_then(|row| row.get(column));
        scale.color(value.copied().unwrap_or(f64::NAN))
    };
    if n_channels > 0 {
        surface.fields(axes.place, n_channels, columns.count, &color)?;
    }
    let row = axes.place.height() / n_channels.max(1) as f64;
    let named = (14.0 / row).ceil().max(1.0) as usize;
    for (i, name) in evoked.channel_names().enumerate().step_by(named) {
        let y = axes.place.top + (i as f64 + 0.5) * row;
        let at = (axes.place.left - 9.0, y);
        surface.label(name, at, 14.0, Align::Right, Color::INK)?;
    }
    axes.draw_x_ticks(&mut *surface, false)?;
    axes.draw_mark(&mut *surface, 0.0, Color::INK);
    axes.draw_frame(&mut *surface)?;
    let bar = Rect { left: 1108.0, top: 84.0, right: 1128.0, bottom: axes.place.bottom };
    scale.draw_bar(&mut *surface, bar, "µV")?;
    surface.file()
}

/// Samples gathered to no more columns than there are pixels.
struct Columns {
    count: usize,
    n_samples: usize,
}

impl Columns {
    fn new(n_samples: usize, width: f64) -> Self {
        Self { count: n_samples.min(width as usize).max(1), n_samples }
    }

    /// The mean of the samples of each column.
    fn means(&self, row: &Array1<f64>) -> Vec<f64> {
        let values = row.as_slice().unwrap_or(&[]);
        let edge = |k: usize| k * self.n_samples / self.count;
        let mean = |k: usize| {
            let some = values.get(edge(k)..edge(k + 1)).unwrap_or(&[]);
            some.iter().sum::<f64>() / some.len() as f64
        };
        (0..self.count).map(mean).collect()
    }
}
