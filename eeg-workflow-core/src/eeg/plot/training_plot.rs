//! The picture of a training: loss and accuracy over the epochs.

use crate::eeg::learn::network::EpochMetrics;
use crate::picture::{Align, Axes, Axis, Canvas, Color, Format, PictureError, Rect, Surface};

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
    /// Draws the epochs, in order, as a file.
    ///
    /// # Errors
    /// The size is outside what [`Canvas::new`] takes.
    pub fn draw(&self, history: &[EpochMetrics], format: Format) -> Result<Vec<u8>, PictureError> {
        let mut surface = format.surface(self.width, self.height)?;
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
        let bottom = f64::from(self.height) - 58.0;
        let place = Rect { left: 70.0, top: 72.0, right: half - 24.0, bottom };
        let lowest = loss.training.iter().chain(&loss.validation).copied();
        // Loss is shown from 0 on, accuracy all from 0 to 1.
        loss.draw(&mut *surface, place, Axis::over(lowest.chain([0.0])).padded(0.04))?;
        let place = Rect { left: place.left + half, right: place.right + half, ..place };
        accuracy.draw(&mut *surface, place, Axis::over([0.0, 1.0]).padded(0.04))?;
        surface.file()
    }
}

impl Chart<'_> {
    fn draw(&self, surface: &mut dyn Surface, place: Rect, y: Axis) -> Result<(), PictureError> {
        let axes = Axes {
            place: Rect { top: place.top + 8.0, ..place },
            x: Axis::over([1.0, self.training.len() as f64]).of_counts(),
            y,
            title: "",
            x_label: "Epoch",
            y_label: "",
        };
        axes.draw_ticks(surface, true)?;
        let lines = [
            ("training", &self.training, Color::BLUE),
            ("validation", &self.validation, VALIDATION),
        ];
        let (mut legend, above) = (place.left, place.top - 12.0);
        for (name, line, color) in lines.into_iter().filter(|(_, line, _)| !line.is_empty()) {
            let points =
                (1..).zip(line).map(|(epoch, y)| (axes.to_x(f64::from(epoch)), axes.to_y(*y)));
            surface.polyline(&points.collect::<Vec<_>>(), 2.2, color);
            surface.polyline(&[(legend, above), (legend + 28.0, above)], 2.2, color);
            surface.label(name, (legend + 36.0, above), 14.0, Align::Left, Color::INK)?;
            legend += 60.0 + Canvas::text_width(name, 14.0)?;
        }
        let title = (place.centre().0, 24.0);
        surface.label(self.title, title, 20.0, Align::Center, Color::INK)?;
        axes.draw_frame(surface)
    }
}
