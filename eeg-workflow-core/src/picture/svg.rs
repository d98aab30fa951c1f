//! Vector pictures.

use std::fmt::Write;

use super::canvas::printable;
use super::{Align, Canvas, Color, PictureError, Rect, Surface};

/// An SVG file that one draws on. Text is text, in DejaVu Sans where the viewer has it, else in
/// its own sans serif font.
#[derive(Debug, Clone)]
pub struct Svg {
    width: u32,
    height: u32,
    elements: String,
}

impl Svg {
    /// A white page.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the size is outside what [`Canvas::new`] takes.
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        let sides = Canvas::MIN_SIDE..=Canvas::MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(PictureError::Size { width, height });
        }
        Ok(Self { width, height, elements: String::new() })
    }

    // Writing to a string cannot fail.
    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = self.elements.write_fmt(element);
        self.elements.push('\n');
    }

    fn write_text(&mut self, text: &str, at: (f64, f64), size: f64, color: Color, more: &str) {
        let (x, y) = at;
        let (text, color) = (escaped(text), hex(color));
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{color}\" \
             dominant-baseline=\"central\" {more}>{text}</text>"
        ));
    }
}

impl Surface for Svg {
    fn rect(&mut self, place: Rect, color: Color) {
        let Rect { left, top, .. } = place;
        let (width, height) = (place.width().max(0.0), place.height().max(0.0));
        self.push(format_args!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{}\"/>",
            hex(color)
        ));
    }

    fn polyline(&mut self, points: &[(f64, f64)], thickness: f64, color: Color) {
        for piece in points.split(|(x, y)| !(x.is_finite() && y.is_finite())) {
            if piece.is_empty() {
                continue;
            }
            let path = path(piece.iter().copied());
            self.push(format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{thickness}\" \
                 stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
                hex(color)
            ));
        }
    }

    fn band(&mut self, points: &[(f64, f64, f64)], color: Color, opacity: f64) {
        let finite = |p: &(f64, f64, f64)| p.0.is_finite() && p.1.is_finite() && p.2.is_finite();
        for piece in points.split(|point| !finite(point)) {
            if piece.len() < 2 {
                continue;
            }
            let above = piece.iter().map(|p| (p.0, p.1));
            let below = piece.iter().rev().map(|p| (p.0, p.2));
            let path = path(above.chain(below));
            self.push(format_args!(
                "<path d=\"{path}Z\" fill=\"{}\" fill-opacity=\"{opacity}\"/>",
                hex(color)
            ));
        }
    }

    fn columns(&mut self, left: f64, columns: &[(f64, f64)], color: Color) {
        // Whole numbers are columns' edges here, and the middle of a column stands for it.
        let point =
            |(x, (top, bottom)): (usize, &(f64, f64))| (left + x as f64 + 0.5, *top, *bottom);
        let points: Vec<_> = columns.iter().enumerate().map(point).collect();
        self.band(&points, color, 1.0);
        // A column between two gaps has no neighbour to make a band with.
        let is_there = |at: Option<usize>| {
            let column = at.and_then(|at| columns.get(at));
            column.is_some_and(|(top, bottom)| top.is_finite() && bottom.is_finite())
        };
        for (at, (top, bottom)) in columns.iter().enumerate() {
            if is_there(Some(at)) && !is_there(at.checked_sub(1)) && !is_there(at.checked_add(1)) {
                let left = left + at as f64;
                self.rect(Rect { left, right: left + 1.0, top: *top, bottom: *bottom }, color);
            }
        }
    }

    fn fields(
        &mut self,
        place: Rect,
        rows: usize,
        columns: usize,
        color: &dyn Fn(usize, usize) -> Color,
    ) -> Result<(), PictureError> {
        let side = |n: usize, room: f64| (n.max(room.round() as usize) as u32).min(4096);
        let (width, height) = (side(columns, place.width()), side(rows, place.height()));
        let mut canvas = Canvas::new(width.max(64), height.max(64))?;
        let (right, bottom) = (f64::from(canvas.width()), f64::from(canvas.height()));
        let whole = Rect { left: 0.0, top: 0.0, right, bottom };
        canvas.fields(whole, rows, columns, color)?;
        let png = base64(&canvas.file()?);
        let Rect { left, top, .. } = place;
        let (width, height) = (place.width(), place.height());
        self.push(format_args!(
            "<image x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             preserveAspectRatio=\"none\" href=\"data:image/png;base64,{png}\"/>"
        ));
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
        let anchor = match align {
            Align::Left => "start",
            Align::Right => "end",
            Align::Center => "middle",
        };
        self.write_text(text, at, size, color, &format!("text-anchor=\"{anchor}\""));
        Ok(())
    }

    fn upright_label(
        &mut self,
        text: &str,
        at: (f64, f64),
        size: f64,
        color: Color,
    ) -> Result<(), PictureError> {
        let (x, y) = at;
        let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 {x:.1} {y:.1})\"");
        self.write_text(text, at, size, color, &turned);
        Ok(())
    }

    fn file(&self) -> Result<Vec<u8>, PictureError> {
        let Self { width, height, elements } = self;
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{elements}</svg>\n"
        )
        .into_bytes())
    }
}

/// Path data through points that are all finite.
fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut data = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(data, "{}{x:.2},{y:.2}", if i == 0 { 'M' } else { 'L' });
    }
    data
}

fn hex(Color(r, g, b): Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text that is data, never markup.
fn escaped(text: &str) -> String {
    let text = printable(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut word = [0; 4];
        word.iter_mut().skip(1).zip(three).for_each(|(to, from)| *to = *from);
        let word = u32::from_be_bytes(word);
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) as usize & 63;
            let letter = DIGITS.get(index).copied().unwrap_or(b'=');
            text.push(if digit <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
