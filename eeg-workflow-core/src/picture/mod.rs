//! Pictures: a small drawing layer that makes PNG files without any font or library of the host.
//!
//! [`Canvas`] is an RGB image with lines, rectangles and text, [`Axis`] maps numbers to pixels
//! and picks its tick marks, [`LineChart`] is the two put together. Text is DejaVu Sans, which is
//! part of the library (`assets/DejaVuSans-LICENSE.txt`). Charts made of [`Axes`], curves and
//! colour images ([`ColorScale`]) are drawn on a [`Surface`], which is a [`Canvas`] or an [`Svg`].
//!
//! Drawing never fails on data: points that are not finite are gaps, and an empty or constant
//! series gets an axis of sensible width.

mod axes;
mod axis;
mod canvas;
mod color_map;
mod line_chart;
mod surface;
mod svg;

pub use axes::Axes;
pub use axis::Axis;
pub use canvas::{Align, Canvas, Color};
pub use color_map::ColorScale;
pub use line_chart::LineChart;
pub use surface::{Format, Rect, Surface};
pub use svg::Svg;

/// What can go wrong while a picture is made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The picture is too small to hold an axis or too large for memory.
    #[error(
        "picture of {width}x{height} pixels: each side must be {min} to {max} pixels",
        min = Canvas::MIN_SIDE,
        max = Canvas::MAX_SIDE
    )]
    Size {
        /// Asked width in pixels.
        width: u32,
        /// Asked height in pixels.
        height: u32,
    },
    /// A text could not be drawn.
    #[error("text {text:?}: {reason}")]
    Text {
        /// The text.
        text: String,
        /// What the font or the drawing backend said.
        reason: String,
    },
    /// The PNG encoder failed.
    #[error("png encoding")]
    Encode(#[from] png::EncodingError),
}
