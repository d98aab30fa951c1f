//! One curve with axes.

use super::{Axes, Axis, Color, Format, PictureError, Rect};

/// A curve `y(x)` with a frame, ticks, grid, labels and a title.
///
/// Points are joined in the order given. A point that is not finite is a gap in the line; where
/// `x` and `y` differ in length the rest of the longer one is left out.
///
/// ```
/// use eeg_workflow_core::picture::{Format, LineChart};
///
/// let x: Vec<f64> = (-100..=100).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin() / x).collect(); // NaN at 0
/// let chart = LineChart { title: "sin(x)/x", x_label: "x", y_label: "y", x: &x, y: &y };
/// let png = chart.draw(800, 500, Format::Png)?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), eeg_workflow_core::picture::PictureError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LineChart<'a> {
    /// Text above the curve.
    pub title: &'a str,
    /// Text below the x axis.
    pub x_label: &'a str,
    /// Text beside the y axis.
    pub y_label: &'a str,
    /// Where the points are.
    pub x: &'a [f64],
    /// Their values.
    pub y: &'a [f64],
}

impl LineChart<'_> {
    /// Draws the chart as a file, `width` x `height` pixels.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the size is outside what [`Canvas::new`](super::Canvas::new)
    /// takes.
    pub fn draw(&self, width: u32, height: u32, format: Format) -> Result<Vec<u8>, PictureError> {
        let mut surface = format.surface(width, height)?;
        let points = || self.x.iter().copied().zip(self.y.iter().copied());
        let finite = || points().filter(|(x, y)| x.is_finite() && y.is_finite());
        let y = Axis::over(finite().map(|p| p.1)).padded(0.05);
        let (w, h) = (f64::from(width), f64::from(height));
        let beside = if self.y_label.is_empty() { 20.0 } else { 46.0 };
        let axes = Axes {
            place: Rect {
                left: (Axes::tick_width(y)? + beside).min(w / 2.0),
                top: if self.title.is_empty() { 16.0 } else { 44.0_f64.min(h / 4.0) },
                right: w - (w / 20.0).min(30.0),
                bottom: h - if self.x_label.is_empty() { 34.0 } else { 58.0_f64.min(h / 3.0) },
            },
            x: Axis::over(finite().map(|p| p.0)),
            y,
            title: self.title,
            x_label: self.x_label,
            y_label: self.y_label,
        };
        axes.draw_ticks(&mut *surface, true)?;
        let line: Vec<_> = points().map(|(x, y)| (axes.to_x(x), axes.to_y(y))).collect();
        surface.polyline(&line, 1.8, Color::BLUE);
        axes.draw_frame(&mut *surface)?;
        surface.file()
    }
}
