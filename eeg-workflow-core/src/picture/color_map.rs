//! Numbers as colours.

use super::{Align, Axis, Color, PictureError, Rect, Surface};

/// A diverging scale: blue for low numbers, white in the middle, red for high ones (ColorBrewer's
/// RdBu reversed, as in matplotlib's `RdBu_r`). Numbers beyond an end have its colour; what is no
/// number is grey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColorScale {
    low: f64,
    high: f64,
}

/// ColorBrewer 2.0, RdBu with 11 classes, from blue to red.
const STOPS: [Color; 11] = [
    Color(5, 48, 97),
    Color(33, 102, 172),
    Color(67, 147, 195),
    Color(146, 197, 222),
    Color(209, 229, 240),
    Color(247, 247, 247),
    Color(253, 219, 199),
    Color(244, 165, 130),
    Color(214, 96, 77),
    Color(178, 24, 43),
    Color(103, 0, 31),
];

impl ColorScale {
    /// The scale from one number to another; they are moved apart when they are not.
    pub fn new(low: f64, high: f64) -> Self {
        let apart = high - low > 0.0 && (high - low).is_finite();
        if apart { Self { low, high } } else { Self { low: -1.0, high: 1.0 } }
    }

    /// The scale with 0 in the middle that holds all finite `values`.
    pub fn around_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let most = finite.fold(0.0, |most: f64, v| most.max(v.abs()));
        Self::new(-most, most)
    }

    /// The number at the blue end.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The number at the red end.
    pub fn high(self) -> f64 {
        self.high
    }

    /// The colour of a number.
    pub fn color(self, value: f64) -> Color {
        if value.is_nan() {
            return Color::GREY;
        }
        let place = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * 10.0;
        let below = (place.floor() as usize).min(9);
        let share = place - below as f64;
        let (Some(a), Some(b)) = (STOPS.get(below), STOPS.get(below + 1)) else {
            return Color::GREY;
        };
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round();
        Color(mix(a.0, b.0) as u8, mix(a.1, b.1) as u8, mix(a.2, b.2) as u8)
    }

    /// Draws the scale as an upright bar with ticks to its right and a label.
    ///
    /// # Errors
    /// When text cannot be drawn.
    pub fn draw_bar(
        self,
        surface: &mut dyn Surface,
        place: Rect,
        label: &str,
    ) -> Result<(), PictureError> {
        const STEPS: usize = 256;
        let value =
            |row: usize| self.high - (self.high - self.low) * (row as f64 + 0.5) / STEPS as f64;
        surface.fields(place, STEPS, 1, &|row, _| self.color(value(row)))?;
        surface.outline(place, Color::INK);
        let axis = Axis::over([self.low, self.high]);
        let count = (place.height() / 50.0).clamp(2.0, 8.0) as usize;
        for (value, text) in axis.ticks(count) {
            let y = place.bottom - axis.position(value) * place.height();
            let tick =
                Rect { left: place.right, right: place.right + 5.0, top: y, bottom: y + 1.0 };
            surface.rect(tick, Color::INK);
            surface.label(&text, (place.right + 9.0, y), 13.0, Align::Left, Color::INK)?;
        }
        let above = (place.centre().0 + 10.0, place.top - 14.0);
        surface.label(label, above, 14.0, Align::Center, Color::INK)
    }
}
