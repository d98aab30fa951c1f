//! What several plots share: curves with a confidence band, their colours, the axis of time and
//! the words of titles.

use ndarray::{Array2, Axis as Dimension};

use crate::eeg::data::Epochs;
use crate::picture::{Axes, Axis, Color, Surface};

/// Lines of one plot, told apart by hue and by lightness (Okabe and Ito 2008, darkened).
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

/// A mean over epochs and how sure it is, in µV.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    pub(super) mean: Vec<f64>,
    /// Half the width of the 95 % confidence interval; NaN of fewer than two epochs.
    pub(super) half: Vec<f64>,
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

    pub(super) fn ends(&self) -> impl Iterator<Item = f64> {
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

/// `1 epoch`, `2 epochs`.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Which channels a mean is of.
pub(super) fn channels(epochs: &Epochs) -> String {
    let names: Vec<&str> = epochs.channel_names().collect();
    match names.as_slice() {
        [] => "no EEG channel".to_owned(),
        [only] => (*only).to_owned(),
        few if few.len() <= 6 => format!("mean of {}", few.join(", ")),
        many => format!("mean of {} EEG channels", many.len()),
    }
}
