//! Event-related potentials: mean curves with confidence bands.

use ndarray::{Array2, Axis as Dimension};

use super::epoch_image::{EpochImage, channels, count};
use super::{ChannelKind, Epochs, Evoked, RecordingError};
use crate::picture::{Align, Axes, Axis, Canvas, Color, Format, PictureError, Rect, Surface};

const WIDTH: u32 = 1200;
/// Lines of one picture, told apart by hue and by lightness (Okabe and Ito 2008, darkened).
pub(super) const LINES: [Color; 10] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 138, 100),
    Color(190, 80, 150),
    Color(120, 100, 10),
    Color(60, 60, 60),
    Color(70, 160, 215),
    Color(220, 150, 0),
    Color(120, 70, 180),
    Color(150, 40, 40),
];

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

/// A mean over epochs and how sure it is, in µV.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    mean: Vec<f64>,
    /// Half the width of the 95 % confidence interval; NaN of fewer than two epochs.
    half: Vec<f64>,
}

impl Band {
    /// Over the rows: mean and `t * s / sqrt(n)`, t being the 97.5 % quantile of Student's
    /// distribution with n - 1 degrees of freedom.
    pub(super) fn of(rows: &Array2<f64>) -> Self {
        let n = rows.nrows() as f64;
        let factor = student(rows.nrows().saturating_sub(1)) / n.sqrt();
        let column = |values: ndarray::ArrayView1<'_, f64>| {
            let mean = values.sum() / n;
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            (mean, (squares / (n - 1.0)).sqrt() * factor)
        };
        let (mean, half) = rows.axis_iter(Dimension(1)).map(column).unzip();
        Self { mean, half }
    }

    fn ends(&self) -> impl Iterator<Item = f64> {
        let pairs = self.mean.iter().zip(&self.half);
        pairs.flat_map(|(mean, half)| [*mean, mean - half, mean + half])
    }

    pub(super) fn axis(&self) -> Axis {
        Axis::over(self.ends().chain([0.0])).padded(0.05)
    }

    /// Draws the band and the mean over it.
    pub(super) fn draw(
        &self,
        surface: &mut dyn Surface,
        axes: &Axes<'_>,
        first: i64,
        sfreq: f64,
        color: Color,
        opacity: f64,
    ) {
        let x = |k: usize| axes.to_x((first as f64 + k as f64) / sfreq);
        let both = self.mean.iter().zip(&self.half).enumerate();
        let band: Vec<(f64, f64, f64)> = both
            .map(|(k, (mean, half))| (x(k), axes.to_y(mean + half), axes.to_y(mean - half)))
            .collect();
        surface.band(&band, color, opacity);
        let line: Vec<(f64, f64)> =
            self.mean.iter().enumerate().map(|(k, mean)| (x(k), axes.to_y(*mean))).collect();
        surface.polyline(&line, 2.0, color);
    }
}

/// The 97.5 % quantile of Student's distribution: exact for 1 and 2 degrees of freedom, then by
/// the expansion around the normal one (Abramowitz and Stegun 26.7.5), right to 1 in 1000.
fn student(freedom: usize) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    match freedom {
        0 => f64::NAN,
        1 => 12.706_204_736,
        2 => 4.302_652_730,
        _ => {
            let n = freedom as f64;
            let (z3, z5, z7) = (Z.powi(3), Z.powi(5), Z.powi(7));
            Z + (z3 + Z) / (4.0 * n)
                + (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * n * n)
                + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * n.powi(3))
        }
    }
}

/// The axis from the first to the last time of a window.
pub(super) fn time_axis(first: i64, n_samples: usize, sfreq: f64) -> Axis {
    let last = first as f64 + n_samples.saturating_sub(1) as f64;
    Axis::over([first as f64 / sfreq, last / sfreq])
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
    let window = (epochs.info().first, epochs.sample_count(), epochs.sfreq());
    let title = format!("Mean of {} by event, 95 % confidence bands", count(epochs.len(), "epoch"));
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
