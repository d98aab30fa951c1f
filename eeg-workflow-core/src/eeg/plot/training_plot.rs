//! The picture of a training: loss and accuracy over the epochs.

use crate::eeg::learn::network::EpochMetrics;
use crate::picture::{Align, Axis, Canvas, Color, PictureError};

const TITLE: f64 = 20.0;
const LABEL: f64 = 16.0;
const TICK: f64 = 14.0;
const VALIDATION: Color = Color(214, 93, 14);

/// Two charts side by side: loss and accuracy of each epoch, of the training examples and, where
/// there are any, of the validation examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingPlot {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Default for TrainingPlot {
    fn default() -> Self {
        Self { width: 1400, height: 560 }
    }
}

/// One of the two charts: its title, and a value of each epoch for each line.
struct Chart<'a> {
    title: &'a str,
    training: Vec<f64>,
    validation: Vec<f64>,
}

impl TrainingPlot {
    /// Draws the epochs, in order, as a PNG file.
    ///
    /// # Errors
    /// The size is outside what [`Canvas::new`] takes.
    pub fn to_png(&self, history: &[EpochMetrics]) -> Result<Vec<u8>, PictureError> {
        let mut canvas = Canvas::new(self.width, self.height)?;
        let validation = |of: fn((f64, f64)) -> f64| {
            history.iter().filter_map(|epoch| epoch.validation).map(of).collect()
        };
        let loss = Chart {
            title: "Loss (cross-entropy)",
            training: history.iter().map(|epoch| epoch.loss).collect(),
            validation: validation(|(loss, _)| loss),
        };
        let accuracy = Chart {
            title: "Accuracy (share recognised)",
            training: history.iter().map(|epoch| epoch.accuracy).collect(),
            validation: validation(|(_, accuracy)| accuracy),
        };
        let half = f64::from(self.width) / 2.0;
        let height = f64::from(self.height);
        let lowest = loss.training.iter().chain(&loss.validation).copied();
        // Loss is shown from 0 on, accuracy all from 0 to 1.
        loss.draw(&mut canvas, 0.0, (half, height), Axis::over(lowest.chain([0.0])).padded(0.04))?;
        let all = Axis::over([0.0, 1.0]).padded(0.04);
        accuracy.draw(&mut canvas, half, (half, height), all)?;
        canvas.to_png()
    }
}

impl Chart<'_> {
    /// Draws the chart into the `size` pixels to the right of `x`.
    fn draw(
        &self,
        canvas: &mut Canvas,
        x: f64,
        (width, height): (f64, f64),
        values: Axis,
    ) -> Result<(), PictureError> {
        let epochs = Axis::over([1.0, self.training.len() as f64]);
        let (left, right) = (x + 70.0, x + width - 24.0);
        let (top, bottom) = (72.0, height - 58.0);
        let to_x = |epoch: f64| left + epochs.position(epoch) * (right - left);
        let to_y = |value: f64| bottom - values.position(value) * (bottom - top);

        for (epoch, text) in epochs.ticks(8).into_iter().filter(|(epoch, _)| epoch.fract() == 0.0) {
            let at = to_x(epoch);
            canvas.fill(at as i64, top as i64, 1, (bottom - top) as i64, Color::GRID);
            // Epochs are whole numbers, whatever the axis makes of them.
            let text = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
            canvas.text(text, (at, bottom + 15.0), TICK, Align::Center, Color::INK)?;
        }
        for (value, text) in values.ticks(6) {
            let at = to_y(value);
            canvas.fill(left as i64, at as i64, (right - left) as i64, 1, Color::GRID);
            canvas.text(&text, (left - 9.0, at), TICK, Align::Right, Color::INK)?;
        }
        canvas.frame(
            left as i64,
            top as i64,
            (right - left) as i64 + 1,
            (bottom - top) as i64 + 1,
            Color::INK,
        );
        let lines = [
            ("training", &self.training, Color::BLUE),
            ("validation", &self.validation, VALIDATION),
        ];
        let mut legend = left;
        for (name, line, color) in lines.into_iter().filter(|(_, line, _)| !line.is_empty()) {
            let points: Vec<(f64, f64)> =
                (1..).zip(line).map(|(epoch, y)| (to_x(f64::from(epoch)), to_y(*y))).collect();
            // One epoch alone is a point.
            for (from, to) in points.iter().zip(points.iter().skip(1).chain(points.last())) {
                canvas.line(*from, *to, 2.2, color);
            }
            canvas.line((legend, 56.0), (legend + 28.0, 56.0), 2.2, color);
            canvas.text(name, (legend + 36.0, 56.0), TICK, Align::Left, Color::INK)?;
            legend += 60.0 + Canvas::text_width(name, TICK)?;
        }
        let middle = (left + right) / 2.0;
        canvas.text(self.title, (middle, 24.0), TITLE, Align::Center, Color::INK)?;
        canvas.text("Epoch", (middle, height - 18.0), LABEL, Align::Center, Color::INK)
    }
}
