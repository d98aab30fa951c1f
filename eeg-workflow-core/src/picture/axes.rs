//! A pair of axes with ticks, grid, labels and what is drawn between them.

use super::{Align, Axis, Canvas, Color, PictureError, Rect, Surface};

const LABEL: f64 = 16.0;
const TICK: f64 = 14.0;
const TITLE: f64 = 19.0;

/// A rectangle with a horizontal and a vertical axis, and the texts around it. Empty texts are
/// not drawn.
#[derive(Debug, Clone)]
pub struct Axes<'a> {
    /// Where the axes are.
    pub place: Rect,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis, low numbers below.
    pub y: Axis,
    /// Above the axes.
    pub title: &'a str,
    /// Below the horizontal axis.
    pub x_label: &'a str,
    /// Left of the vertical axis.
    pub y_label: &'a str,
}

impl Axes<'_> {
    /// Where a horizontal number lies, in pixels.
    pub fn to_x(&self, value: f64) -> f64 {
        self.place.left + self.x.position(value) * self.place.width()
    }

    /// Where a vertical number lies, in pixels.
    pub fn to_y(&self, value: f64) -> f64 {
        self.place.bottom - self.y.position(value) * self.place.height()
    }

    /// Ticks, their numbers, and with `grid` a line across at each. Drawn before what the axes
    /// show.
    ///
    /// # Errors
    /// When text cannot be drawn.
    pub fn draw_ticks(&self, surface: &mut dyn Surface, grid: bool) -> Result<(), PictureError> {
        self.draw_x_ticks(surface, grid)?;
        let Rect { left, right, .. } = self.place;
        let count = (self.place.height() / 45.0).clamp(2.0, 10.0) as usize;
        for (value, text) in self.y.ticks(count) {
            let y = self.to_y(value).round();
            if grid {
                surface.rect(Rect { left, right, top: y, bottom: y + 1.0 }, Color::GRID);
            }
            surface
                .rect(Rect { left: left - 5.0, right: left, top: y, bottom: y + 1.0 }, Color::INK);
            surface.label(&text, (left - 9.0, y), TICK, Align::Right, Color::INK)?;
        }
        Ok(())
    }

    /// As [`Self::draw_ticks`], only along the horizontal axis.
    ///
    /// # Errors
    /// When text cannot be drawn.
    pub fn draw_x_ticks(&self, surface: &mut dyn Surface, grid: bool) -> Result<(), PictureError> {
        let Rect { top, bottom, .. } = self.place;
        let count = (self.place.width() / 65.0).clamp(2.0, 14.0) as usize;
        for (value, text) in self.x.ticks(count) {
            let x = self.to_x(value).round();
            if grid {
                surface.rect(Rect { left: x, right: x + 1.0, top, bottom }, Color::GRID);
            }
            let tick = Rect { left: x, right: x + 1.0, top: bottom, bottom: bottom + 6.0 };
            surface.rect(tick, Color::INK);
            surface.label(&text, (x, bottom + 17.0), TICK, Align::Center, Color::INK)?;
        }
        Ok(())
    }

    /// Frame, title and labels. Drawn last.
    ///
    /// # Errors
    /// When text cannot be drawn.
    pub fn draw_frame(&self, surface: &mut dyn Surface) -> Result<(), PictureError> {
        surface.outline(self.place, Color::INK);
        let (x, y) = self.place.centre();
        let mut text = |text: &str, at, size| -> Result<(), PictureError> {
            if text.is_empty() {
                return Ok(());
            }
            surface.label(text, at, size, Align::Center, Color::INK)
        };
        text(self.title, (x, self.place.top - 20.0), TITLE)?;
        text(self.x_label, (x, self.place.bottom + 42.0), LABEL)?;
        if self.y_label.is_empty() {
            return Ok(());
        }
        let beside = (self.place.left - Self::tick_width(self.y)? - 32.0).max(14.0);
        surface.upright_label(self.y_label, (beside, y), LABEL, Color::INK)
    }

    /// The width in pixels that the numbers beside a vertical axis take.
    pub(super) fn tick_width(axis: Axis) -> Result<f64, PictureError> {
        axis.ticks(10).iter().try_fold(0.0_f64, |widest, (_, text)| {
            Canvas::text_width(text, TICK).map(|width| widest.max(width))
        })
    }

    /// A dashed vertical line at a horizontal number.
    pub fn draw_mark(&self, surface: &mut dyn Surface, value: f64, color: Color) {
        let x = self.to_x(value).round();
        if x < self.place.left || x > self.place.right {
            return;
        }
        let mut top = self.place.top;
        while top < self.place.bottom {
            let bottom = (top + 6.0).min(self.place.bottom);
            surface.rect(Rect { left: x, right: x + 1.0, top, bottom }, color);
            top += 10.0;
        }
    }
}
