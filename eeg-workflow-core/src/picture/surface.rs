//! What a chart is drawn on: pixels or a vector file.

use super::{Align, Canvas, Color, PictureError, Svg};

/// The kind of file that a picture becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// Pixels.
    #[default]
    Png,
    /// Vectors, text being text. Images in it are pixels.
    Svg,
}

impl Format {
    /// The ending of files: `png` or `svg`.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }

    /// An empty white surface of this kind.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the size is outside what [`Canvas::new`] takes.
    pub fn surface(self, width: u32, height: u32) -> Result<Box<dyn Surface>, PictureError> {
        Ok(match self {
            Self::Png => Box::new(Canvas::new(width, height)?),
            Self::Svg => Box::new(Svg::new(width, height)?),
        })
    }
}

/// A rectangle in pixels, the origin being the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Rect {
    /// Its width.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Its middle.
    pub fn centre(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// Something to draw charts on. Places and sizes are in pixels, y grows downwards; what lies
/// outside is clipped, points that are not finite are gaps.
pub trait Surface {
    /// Fills a rectangle.
    fn rect(&mut self, place: Rect, color: Color);

    /// Joins points by straight lines.
    fn polyline(&mut self, points: &[(f64, f64)], thickness: f64, color: Color);

    /// Tints what is between the curves `(x, top)` and `(x, bottom)`; `opacity` is 0 to 1.
    fn band(&mut self, points: &[(f64, f64, f64)], color: Color, opacity: f64);

    /// Fills columns one pixel wide side by side, the first one at `left`, each between two
    /// vertical places.
    fn columns(&mut self, left: f64, columns: &[(f64, f64)], color: Color);

    /// Fills a rectangle with `rows` x `columns` coloured fields of equal size, the first row
    /// above. `color` is asked with row and column.
    fn fields(
        &mut self,
        place: Rect,
        rows: usize,
        columns: usize,
        color: &dyn Fn(usize, usize) -> Color,
    ) -> Result<(), PictureError>;

    /// Writes one line of text.
    fn label(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        align: Align,
        color: Color,
    ) -> Result<(), PictureError>;

    /// Writes one line of text from bottom to top, centred.
    fn upright_label(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        color: Color,
    ) -> Result<(), PictureError>;

    /// The whole as a file.
    fn file(&self) -> Result<Vec<u8>, PictureError>;
}

impl dyn Surface + '_ {
    /// The outline of a rectangle, one pixel wide.
    pub fn outline(&mut self, place: Rect, color: Color) {
        let Rect { left, top, right, bottom } = place;
        self.rect(Rect { bottom: top + 1.0, ..place }, color);
        self.rect(Rect { top: bottom, bottom: bottom + 1.0, right: right + 1.0, ..place }, color);
        self.rect(Rect { right: left + 1.0, ..place }, color);
        self.rect(Rect { left: right, right: right + 1.0, ..place }, color);
    }
}
