//! The image itself: pixels, lines, rectangles, text, PNG.

use std::sync::OnceLock;

use plotters::prelude::{BitMapBackend, FontFamily, FontStyle, IntoDrawingArea, RGBColor};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, TextStyle, register_font};

use super::{PictureError, Rect, Surface};

/// The name our font goes by in plotters' font store, which all users of plotters in a program
/// share: one that nobody else takes.
const FONT: &str = "eeg-workflow DejaVu Sans";

static FONT_FILE: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// An opaque RGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

impl Color {
    /// Paper.
    pub const WHITE: Self = Self(255, 255, 255);
    /// Text and frames.
    pub const INK: Self = Self(38, 38, 38);
    /// Secondary text.
    pub const GREY: Self = Self(110, 110, 110);
    /// Grid lines.
    pub const GRID: Self = Self(226, 226, 226);
    /// The first line of a chart.
    pub const BLUE: Self = Self(31, 97, 160);
}

/// Where the point given to [`Surface::label`] lies on the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Left end, vertically centred.
    Left,
    /// Right end, vertically centred.
    Right,
    /// The middle.
    Center,
}

/// An RGB image that one draws on. The origin is the upper left corner, y grows downwards.
/// Whatever lies outside is clipped.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    /// The least width and height, in pixels.
    pub const MIN_SIDE: u32 = 64;
    /// The greatest width and height, in pixels.
    pub const MAX_SIDE: u32 = 16_384;
    /// More pixels than this are refused, whatever the sides (about 200 MB).
    const MAX_PIXELS: u64 = 1 << 26;

    /// A white image.
    ///
    /// # Errors
    /// [`PictureError::Size`] when a side is outside [`Self::MIN_SIDE`]..=[`Self::MAX_SIDE`] or
    /// the whole has more than 2^26 pixels.
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        let sides = Self::MIN_SIDE..=Self::MAX_SIDE;
        let pixels = u64::from(width) * u64::from(height);
        if !sides.contains(&width) || !sides.contains(&height) || pixels > Self::MAX_PIXELS {
            return Err(PictureError::Size { width, height });
        }
        Ok(Self { width, height, pixels: vec![255; width as usize * height as usize * 3] })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Mixes `color` into a pixel; `cover` is 0 (nothing) to 1 (all of it).
    fn blend(&mut self, x: i64, y: i64, color: Color, cover: f64) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height || cover.is_nan() || cover <= 0.0 {
            return;
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        let Some(pixel) = self.pixels.get_mut(at..at + 3) else {
            return;
        };
        let cover = cover.min(1.0);
        for (old, new) in pixel.iter_mut().zip([color.0, color.1, color.2]) {
            let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * cover;
            *old = mixed.round() as u8;
        }
    }

    /// Fills the pixels `x..x + width`, `y..y + height`.
    fn fill(&mut self, x: i64, y: i64, width: i64, height: i64, color: Color) {
        let within = |from: i64, length: i64, side: u32| {
            let to = from.saturating_add(length).min(i64::from(side));
            from.max(0) as usize..to.max(0) as usize
        };
        let (columns, rows) = (within(x, width, self.width), within(y, height, self.height));
        let pitch = self.width as usize * 3;
        for row in rows {
            let bytes = row * pitch + columns.start * 3..row * pitch + columns.end * 3;
            for pixel in self.pixels.get_mut(bytes).unwrap_or_default().chunks_exact_mut(3) {
                pixel.copy_from_slice(&[color.0, color.1, color.2]);
            }
        }
    }

    /// Part of the pixel column `x` from `top` to `bottom`, with soft ends. Ends that are not
    /// finite draw nothing; `opacity` is 0 to 1.
    fn column(&mut self, x: i64, top: f64, bottom: f64, color: Color, opacity: f64) {
        if !(top.is_finite() && bottom.is_finite()) {
            return;
        }
        let (top, bottom) = (top.max(0.0), bottom.min(f64::from(self.height)));
        for y in top.floor() as i64..bottom.ceil() as i64 {
            let cover = (y as f64 + 1.0).min(bottom) - (y as f64).max(top);
            self.blend(x, y, color, cover * opacity);
        }
    }

    /// An anti-aliased straight line `thickness` pixels wide between two points given as
    /// (x, y), pixel centres being at .5. Points that are not finite draw nothing.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), thickness: f64, color: Color) {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let Some((from, to)) = clip(from, to, -thickness, w + thickness, h + thickness) else {
            return;
        };
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length2 = dx * dx + dy * dy;
        // Walk along the longer axis; across it only the pixels that the line can touch.
        let steep = dy.abs() > dx.abs();
        let turn = |p: (f64, f64)| if steep { (p.1, p.0) } else { p };
        let (a, b) = (turn(from), turn(to));
        let (a, b) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        let slope = if b.0 > a.0 { (b.1 - a.1) / (b.0 - a.0) } else { 0.0 };
        let radius = thickness / 2.0;
        let reach = radius * (1.0 + slope * slope).sqrt() + 1.0;
        for i in (a.0 - radius - 0.5).floor() as i64..=(b.0 + radius + 0.5).ceil() as i64 {
            let along = i as f64 + 0.5;
            let middle = a.1 + (along.clamp(a.0, b.0) - a.0) * slope;
            for j in (middle - reach).floor() as i64..=(middle + reach).ceil() as i64 {
                let (x, y) = if steep { (j, i) } else { (i, j) };
                let (px, py) = (x as f64 + 0.5 - from.0, y as f64 + 0.5 - from.1);
                let t = if length2 > 0.0 {
                    ((px * dx + py * dy) / length2).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - t * dx).hypot(py - t * dy);
                self.blend(x, y, color, radius + 0.5 - distance);
            }
        }
    }

    fn write(
        &mut self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        align: Align,
        turn: FontTransform,
        color: Color,
    ) -> Result<(), PictureError> {
        let text = printable(text);
        if text.is_empty() {
            return Ok(());
        }
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Right => HPos::Right,
            Align::Center => HPos::Center,
        };
        let color = RGBColor(color.0, color.1, color.2);
        let style = text_style(&text, size)?
            .transform(turn)
            .color(&color)
            .pos(Pos::new(horizontal, VPos::Center));
        let size = (self.width, self.height);
        let at = (x.round() as i32, y.round() as i32);
        BitMapBackend::with_buffer(&mut self.pixels, size)
            .into_drawing_area()
            .draw_text(&text, &style, at)
            .map_err(|e| text_error(&text, &e))
    }

    /// The width in pixels that [`Surface::label`] would take.
    ///
    /// # Errors
    /// [`PictureError::Text`] when the font cannot measure it.
    pub fn text_width(text: &str, size: f64) -> Result<f64, PictureError> {
        let text = printable(text);
        if text.is_empty() {
            return Ok(0.0);
        }
        let style = text_style(&text, size)?;
        let (width, _) = style.font.box_size(&text).map_err(|e| text_error(&text, &e))?;
        Ok(f64::from(width))
    }
}

impl Surface for Canvas {
    fn rect(&mut self, place: Rect, color: Color) {
        let (x, y) = (place.left.round() as i64, place.top.round() as i64);
        let (right, bottom) = (place.right.round() as i64, place.bottom.round() as i64);
        self.fill(x, y, right - x, bottom - y, color);
    }

    fn polyline(&mut self, points: &[(f64, f64)], thickness: f64, color: Color) {
        let mut before = None;
        for point in points {
            let there = point.0.is_finite() && point.1.is_finite();
            if let (Some(from), true) = (before, there) {
                self.line(from, *point, thickness, color);
            } else if there {
                self.line(*point, *point, thickness, color);
            }
            before = there.then_some(*point);
        }
    }

    fn band(&mut self, points: &[(f64, f64, f64)], color: Color, opacity: f64) {
        for pair in points.windows(2) {
            let [(x0, top0, bottom0), (x1, top1, bottom1)] = *pair else { continue };
            if !(x0.is_finite() && x1.is_finite() && x1 > x0) {
                continue;
            }
            // Each pixel column belongs to the stretch that holds its middle.
            let first = (x0 - 0.5).ceil().max(0.0) as i64;
            let last = (x1 - 0.5).ceil().min(f64::from(self.width())) as i64;
            for x in first..last {
                let t = (x as f64 + 0.5 - x0) / (x1 - x0);
                let (top, bottom) = (top0 + (top1 - top0) * t, bottom0 + (bottom1 - bottom0) * t);
                self.column(x, top.min(bottom), top.max(bottom), color, opacity);
            }
        }
    }

    fn columns(&mut self, left: f64, columns: &[(f64, f64)], color: Color) {
        for (x, (top, bottom)) in (left as i64..).zip(columns) {
            self.column(x, *top, *bottom, color, 1.0);
        }
    }

    fn fields(
        &mut self,
        place: Rect,
        rows: usize,
        columns: usize,
        color: &dyn Fn(usize, usize) -> Color,
    ) -> Result<(), PictureError> {
        let edges = |low: f64, high: f64, n: usize| -> Vec<i64> {
            (0..=n).map(|k| (low + (high - low) * k as f64 / n as f64).round() as i64).collect()
        };
        let (xs, ys) =
            (edges(place.left, place.right, columns), edges(place.top, place.bottom, rows));
        for (row, y) in ys.windows(2).enumerate() {
            for (column, x) in xs.windows(2).enumerate() {
                if let ([left, right], [top, bottom]) = (x, y) {
                    self.fill(*left, *top, right - left, bottom - top, color(row, column));
                }
            }
        }
        Ok(())
    }

    fn label(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        align: Align,
        color: Color,
    ) -> Result<(), PictureError> {
        self.write(text, at, size, align, FontTransform::None, color)
    }

    fn upright_label(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        color: Color,
    ) -> Result<(), PictureError> {
        self.write(text, at, size, Align::Center, FontTransform::Rotate270, color)
    }

    fn file(&self) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::with_capacity(self.pixels.len() / 16);
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // Flat areas and repeating rows: measured, a tenth of the size of the fast setting with
        // any filter, for a few milliseconds.
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file)
    }
}

/// Control characters have no glyph, and nobody reads a label of thousands of letters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

fn text_error(text: &str, reason: &impl ToString) -> PictureError {
    PictureError::Text { text: text.to_owned(), reason: reason.to_string() }
}

fn text_style(text: &str, size: f64) -> Result<TextStyle<'static>, PictureError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let usable =
        REGISTERED.get_or_init(|| register_font(FONT, FontStyle::Normal, FONT_FILE).is_ok());
    if !usable {
        return Err(text_error(text, &"the built-in font was not accepted"));
    }
    Ok(TextStyle::from((FontFamily::Name(FONT), size)))
}

/// The part of a segment inside `low..=right`, `low..=bottom` (Liang and Barsky 1984), so that
/// what is drawn costs no more than the image is large. None when nothing is inside.
fn clip(
    from: (f64, f64),
    to: (f64, f64),
    low: f64,
    right: f64,
    bottom: f64,
) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    if !(dx.is_finite() && dy.is_finite()) {
        return None;
    }
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for (direction, room) in
        [(-dx, from.0 - low), (dx, right - from.0), (-dy, from.1 - low), (dy, bottom - from.1)]
    {
        if direction == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if direction < 0.0 {
            start = start.max(room / direction);
        } else {
            end = end.min(room / direction);
        }
    }
    let point = |t: f64| (from.0 + t * dx, from.1 + t * dy);
    (start <= end).then(|| (point(start), point(end)))
}
