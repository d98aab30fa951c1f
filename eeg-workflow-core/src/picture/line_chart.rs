//! One curve with axes.

use super::{Align, Axis, Canvas, Color, PictureError};

const TITLE: f64 = 20.0;
const LABEL: f64 = 16.0;
const TICK: f64 = 14.0;

/// A curve `y(x)` with a frame, ticks, grid, labels and a title.
///
/// Points are joined in the order given. A point that is not finite is a gap in the line; where
/// `x` and `y` differ in length the rest of the longer one is left out.
///
/// ```
/// use eeg_workflow_core::picture::LineChart;
///
/// let x: Vec<f64> = (-100..=100).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin() / x).collect(); // NaN at 0
/// let chart = LineChart { title: "sin(x)/x", x_label: "x", y_label: "y", x: &x, y: &y };
/// let png = chart.to_png(800, 500)?;
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
    /// Draws the chart, `width` x `height` pixels, as a PNG file.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the size is outside what [`Canvas::new`] takes.
    pub fn to_png(&self, width: u32, height: u32) -> Result<Vec<u8>, PictureError> {
        let mut canvas = Canvas::new(width, height)?;
        let finite = || {
            let points = self.x.iter().copied().zip(self.y.iter().copied());
            points.filter(|(x, y)| x.is_finite() && y.is_finite())
        };
        let x_axis = Axis::over(finite().map(|p| p.0));
        let y_axis = Axis::over(finite().map(|p| p.1)).padded(0.05);

        let (w, h) = (f64::from(width), f64::from(height));
        let y_ticks = y_axis.ticks((h / 70.0).clamp(2.0, 12.0) as usize);
        let mut y_tick_width: f64 = 0.0;
        for (_, text) in &y_ticks {
            y_tick_width = y_tick_width.max(Canvas::text_width(text, TICK)?);
        }
        let left = (y_tick_width + if self.y_label.is_empty() { 20.0 } else { 46.0 }).min(w / 2.0);
        let right = w - (w / 20.0).min(30.0);
        let top = if self.title.is_empty() { 16.0 } else { 44.0_f64.min(h / 4.0) };
        let bottom = h - if self.x_label.is_empty() { 34.0 } else { 58.0_f64.min(h / 3.0) };
        let to_x = |x: f64| left + x_axis.position(x) * (right - left);
        let to_y = |y: f64| bottom - y_axis.position(y) * (bottom - top);

        for (value, text) in x_axis.ticks(((right - left) / 110.0).clamp(2.0, 12.0) as usize) {
            let x = to_x(value);
            canvas.fill(x as i64, top as i64, 1, (bottom - top) as i64, Color::GRID);
            canvas.fill(x as i64, bottom as i64, 1, 5, Color::INK);
            canvas.text(&text, (x, bottom + 15.0), TICK, Align::Center, Color::INK)?;
        }
        for (value, text) in &y_ticks {
            let y = to_y(*value);
            canvas.fill(left as i64, y as i64, (right - left) as i64, 1, Color::GRID);
            canvas.fill(left as i64 - 5, y as i64, 5, 1, Color::INK);
            canvas.text(text, (left - 9.0, y), TICK, Align::Right, Color::INK)?;
        }

        let mut before = None;
        for (x, y) in self.x.iter().zip(self.y) {
            let point = (x.is_finite() && y.is_finite()).then(|| (to_x(*x), to_y(*y)));
            if let (Some(from), Some(to)) = (before, point) {
                canvas.line(from, to, 1.8, Color::BLUE);
            } else if let Some(alone) = point {
                // Seen even if it has no neighbour; covered by the line if it has.
                canvas.line(alone, alone, 1.8, Color::BLUE);
            }
            before = point;
        }

        let (frame_w, frame_h) = ((right - left) as i64 + 1, (bottom - top) as i64 + 1);
        canvas.frame(left as i64, top as i64, frame_w, frame_h, Color::INK);
        let middle = (left + right) / 2.0;
        canvas.text(self.title, (middle, top / 2.0), TITLE, Align::Center, Color::INK)?;
        canvas.text(self.x_label, (middle, h - 18.0), LABEL, Align::Center, Color::INK)?;
        canvas.upright_text(self.y_label, (18.0, (top + bottom) / 2.0), LABEL, Color::INK)?;
        canvas.to_png()
    }
}
