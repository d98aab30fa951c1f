//! A picture of a whole recording: one trace a channel over time.

use crate::eeg::data::{ChannelKind, Recording};
use crate::picture::{Align, Axes, Axis, Canvas, Color, Format, PictureError, Rect, Surface};

/// Traces of neighbouring channels differ in colour, so that the eye can follow one.
const TRACES: [Color; 4] =
    [Color(31, 97, 160), Color(180, 72, 32), Color(44, 120, 66), Color(118, 66, 144)];
const NAME: f64 = 14.0;
const SMALL: f64 = 12.0;
/// Lowest lane that keeps a name readable, in pixels.
const MIN_LANE: f64 = 18.0;
const TOP: f64 = 48.0;
const BELOW: f64 = 60.0;
const RIGHT: f64 = 104.0;

/// Draws every channel of a recording in a lane of its own, over all of its time.
///
/// A lane is centred on its channel's median, so that offsets of tens of millivolts do not hide
/// the signal; the offset is written below the channel's name. Channels that the file holds in
/// one unit share one scale, wide enough for nearly all that happens; rarer peaks are cut off at
/// the lane's edge.
/// Where there are more samples than pixels each pixel column spans the least and the greatest
/// value in it, so no peak is lost. Strokes above the traces mark where annotations begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EegPlot {
    /// Text above the traces; empty for one made of the recording's size.
    pub title: String,
    /// Width in pixels.
    pub width: u32,
    /// Least height in pixels. The picture grows with the number of channels.
    pub height: u32,
}

impl Default for EegPlot {
    /// 1800 x 700 pixels.
    fn default() -> Self {
        Self { title: String::new(), width: 1800, height: 700 }
    }
}

/// A channel ready to be drawn.
struct Lane {
    name: String,
    /// Unit in the SI.
    unit: String,
    /// Unit in the file; channels of the same one share a scale.
    scale: String,
    /// What is drawn in the middle of the lane, in SI units.
    centre: f64,
    /// What is drawn at the upper edge, less the centre.
    reach: f64,
    color: Color,
    trace: Trace,
}

enum Trace {
    /// Extremes of one pixel column after the other.
    Columns(Vec<(f64, f64)>),
    /// Each sample.
    Points(Vec<f64>),
}

impl EegPlot {
    /// Draws the recording as a file.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the size is outside what [`Canvas::new`] takes.
    pub fn draw(&self, recording: &Recording, format: Format) -> Result<Vec<u8>, PictureError> {
        let (n_channels, n_samples) = recording.shape();
        let wanted = (n_channels as f64 * MIN_LANE + TOP + BELOW).ceil();
        // As tall as memory allows; after that lanes get lower.
        let tallest = f64::from(Canvas::MAX_SIDE / 2).max(f64::from(self.height));
        let height = f64::from(self.height).max(wanted.min(tallest)) as u32;
        let mut surface = format.surface(self.width, height)?;
        let title = self.title_of(recording);
        let axes = Axes {
            place: self.place(recording, f64::from(height))?,
            x: Axis::over([0.0, n_samples as f64 / recording.sfreq()]),
            y: Axis::over([0.0, n_channels as f64]),
            title: &title,
            x_label: "Time (s)",
            y_label: "",
        };
        axes.draw_x_ticks(&mut *surface, true)?;
        let lanes = lanes(recording, axes.place.width() as usize);
        let lane_height = axes.place.height() / lanes.len().max(1) as f64;
        // Lanes lower than a name have one at every second, third … of them.
        let named = (0.8 * MIN_LANE / lane_height).ceil().max(1.0) as usize;
        for (i, lane) in lanes.iter().enumerate() {
            let top = axes.place.top + i as f64 * lane_height;
            let place = Rect { top, bottom: top + lane_height, ..axes.place };
            if i > 0 {
                surface.rect(Rect { bottom: top + 1.0, ..place }, Color::GRID);
            }
            lane.draw_trace(&mut *surface, place);
            if i % named == 0 {
                lane.draw_name(&mut *surface, place)?;
            }
        }
        draw_scales(&mut *surface, &lanes, axes.place)?;
        draw_marks(&mut *surface, recording, &axes)?;
        axes.draw_frame(&mut *surface)?;
        surface.file()
    }

    fn title_of(&self, recording: &Recording) -> String {
        if !self.title.is_empty() {
            return self.title.clone();
        }
        let (n_channels, n_samples) = recording.shape();
        let plural = if n_channels == 1 { "" } else { "s" };
        let seconds = n_samples as f64 / recording.sfreq();
        let (rate, seconds) = (rounded(recording.sfreq()), rounded(seconds));
        format!("EEG: {n_channels} channel{plural}, {seconds} s at {rate} Hz")
    }

    /// Where the traces are, with room for the longest name beside them.
    fn place(&self, recording: &Recording, height: f64) -> Result<Rect, PictureError> {
        let width = f64::from(self.width);
        let mut left: f64 = 120.0;
        for name in recording.channel_names() {
            left = left.max(Canvas::text_width(name, NAME)? + 30.0);
        }
        Ok(Rect {
            left: left.min(width / 3.0).round(),
            top: TOP,
            right: (width - RIGHT).max(width / 2.0).round(),
            bottom: height - BELOW,
        })
    }
}

/// Three digits behind the point at most.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl Lane {
    fn draw_trace(&self, surface: &mut dyn Surface, place: Rect) {
        let (height, middle) = (place.height(), place.centre().1);
        let y = |value: f64| {
            let share = ((value - self.centre) / self.reach).clamp(-1.0, 1.0);
            middle - share * (height / 2.0 - 1.0).max(0.5)
        };
        match &self.trace {
            Trace::Columns(extremes) => {
                surface.columns(place.left, &joined(extremes, y), self.color);
            }
            Trace::Points(points) => {
                let step = place.width() / points.len().max(1) as f64;
                let point = |(i, value): (usize, &f64)| (place.left + i as f64 * step, y(*value));
                let line: Vec<_> = points.iter().enumerate().map(point).collect();
                surface.polyline(&line, 1.3, self.color);
            }
        }
    }

    fn draw_name(&self, surface: &mut dyn Surface, place: Rect) -> Result<(), PictureError> {
        let (beside, middle) = (place.left - 12.0, place.centre().1);
        surface.label(&self.name, (beside, middle), NAME, Align::Right, self.color)?;
        if place.height() < 60.0 {
            return Ok(());
        }
        let offset = with_unit(self.centre, &self.unit, 3);
        surface.label(&offset, (beside, middle + 18.0), SMALL, Align::Right, Color::GREY)
    }
}

/// Each column spans its extremes, and reaches to the one before so that the trace is whole.
/// NaN where there is a gap.
fn joined(extremes: &[(f64, f64)], y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut before: Option<(f64, f64)> = None;
    let column = |(low, high): &(f64, f64)| {
        if !(low.is_finite() && high.is_finite()) {
            before = None;
            return (f64::NAN, f64::NAN);
        }
        let (top, bottom) = (y(*high), y(*low));
        let (old_top, old_bottom) = before.replace((top, bottom)).unwrap_or((top, bottom));
        (top.min(old_bottom) - 0.6, bottom.max(old_top) + 0.6)
    };
    extremes.iter().map(column).collect()
}

/// Above the traces, a stroke where each annotation begins.
fn draw_marks(
    surface: &mut dyn Surface,
    recording: &Recording,
    axes: &Axes<'_>,
) -> Result<(), PictureError> {
    let Rect { left, top, .. } = axes.place;
    for annotation in recording.annotations() {
        let x = axes.to_x(annotation.onset).floor();
        let stroke = Rect { left: x, right: x + 1.0, top: top - 8.0, bottom: top - 1.0 };
        surface.rect(stroke, Color::GREY);
    }
    let text = if recording.annotations().is_empty() { "" } else { "events" };
    surface.label(text, (left - 12.0, top - 5.0), SMALL, Align::Right, Color::GREY)
}

/// Beside the traces, a bar for each unit that says how much is how high.
fn draw_scales(surface: &mut dyn Surface, lanes: &[Lane], place: Rect) -> Result<(), PictureError> {
    let lane_height = place.height() / lanes.len().max(1) as f64;
    let mut done: Vec<&str> = Vec::new();
    for (i, lane) in lanes.iter().enumerate() {
        if done.contains(&lane.scale.as_str()) {
            continue;
        }
        done.push(&lane.scale);
        let a_pixel = 2.0 * lane.reach / (lane_height - 2.0).max(1.0);
        // The largest round amount that fits into the lane, or into two low ones.
        let room = if lane_height < 40.0 { 2.0 * lane_height } else { lane_height * 0.8 };
        let amount = round_below(a_pixel * room);
        let length = amount / a_pixel;
        let middle = place.top + (i as f64 + 0.5) * lane_height;
        let top = (middle - length / 2.0).clamp(place.top, (place.bottom - length).max(place.top));
        let (x, top, bottom) = (place.right + 14.0, top.floor(), (top + length).floor());
        let mut fill = |left: f64, right: f64, top: f64, bottom: f64| {
            surface.rect(Rect { left, top, right, bottom }, Color::INK);
        };
        fill(x, x + 2.0, top, bottom);
        fill(x - 4.0, x + 6.0, top, top + 1.0);
        fill(x - 4.0, x + 6.0, bottom, bottom + 1.0);
        let beside = (place.right + 24.0, (top + bottom) / 2.0);
        let text = with_unit(amount, &lane.unit, 0);
        surface.label(&text, beside, NAME, Align::Left, Color::INK)?;
    }
    Ok(())
}

/// The channels with their traces and a scale for each unit.
fn lanes(recording: &Recording, columns: usize) -> Vec<Lane> {
    // So few samples are better joined than spanned.
    let few = recording.n_samples() <= 2 * columns;
    let envelopes = recording.envelope(columns);
    let mut spreads = Vec::with_capacity(envelopes.len());
    let mut lanes: Vec<Lane> = Vec::with_capacity(envelopes.len());
    for (i, (channel, envelope)) in recording.channels().iter().zip(envelopes).enumerate() {
        let finite = || envelope.iter().filter(|(low, high)| (high - low).is_finite());
        let centre = quantile(finite().map(|(low, high)| low / 2.0 + high / 2.0).collect(), 0.5);
        let peaks = finite().flat_map(|(low, high)| [(low - centre).abs(), (high - centre).abs()]);
        spreads.push(quantile(peaks.collect(), 0.98));
        lanes.push(Lane {
            name: channel.name.clone(),
            unit: si_unit(channel.kind, &channel.unit),
            scale: channel.unit.clone(),
            centre,
            reach: 1.0,
            color: TRACES[i % TRACES.len()],
            trace: if few {
                Trace::Points(recording.channel(i).unwrap_or_default())
            } else {
                Trace::Columns(envelope)
            },
        });
    }
    let shared: Vec<f64> = lanes
        .iter()
        .map(|lane| {
            // One channel that broke loose must not flatten the rest, nor be all that is seen.
            let same = lanes.iter().zip(&spreads).filter(|(l, _)| l.scale == lane.scale);
            1.25 * quantile(same.map(|(_, s)| *s).collect(), 0.9)
        })
        .collect();
    for (lane, shared) in lanes.iter_mut().zip(shared) {
        let least = (lane.centre.abs() * 1e-9).max(1e-12);
        lane.reach = if shared.is_finite() { shared.max(least) } else { 1.0 };
    }
    lanes
}

/// The value below which `share` of the values lie; 0 of no values.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let at = (last as f64 * share).round() as usize;
    *values.select_nth_unstable_by(at.min(last), f64::total_cmp).1
}

/// The unit in which the library hands out samples of a channel: the file's without its prefix.
fn si_unit(kind: ChannelKind, unit: &str) -> String {
    if kind != ChannelKind::Misc || unit.ends_with('V') {
        return "V".to_owned();
    }
    let unit = match unit {
        "µS" | "uS" | "μS" => "S",
        "n/a" => "",
        other => other,
    };
    unit.to_owned()
}

/// A number with its unit and the prefix that makes it easy to read, such as `-268.0 µV`.
fn with_unit(value: f64, unit: &str, digits: i32) -> String {
    let prefixes = [(1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, "")];
    let fitting = prefixes.iter().rev().find(|(f, _)| value.abs() >= *f * 0.999_999);
    let (factor, prefix) = match fitting {
        _ if unit != "V" && unit != "S" => (1.0, ""),
        Some(fitting) => *fitting,
        None => (1e-6, "µ"),
    };
    let scaled = value / factor;
    // No more digits than were asked to tell.
    let whole = scaled.abs().max(1.0).log10().floor() as i32 + 1;
    let decimals = if digits == 0 {
        usize::from(scaled.abs() < 0.999_999) * 3
    } else {
        usize::try_from(digits - whole).unwrap_or(0)
    };
    format!("{scaled:.decimals$} {prefix}{unit}").trim_end().to_owned()
}

/// The greatest of 1, 2, 5 times a power of ten that is not above `amount`.
fn round_below(amount: f64) -> f64 {
    let unit = 10f64.powf(amount.log10().floor());
    let fits = [5.0, 2.0, 1.0].into_iter().map(|m| m * unit).find(|r| *r <= amount);
    fits.unwrap_or(unit)
}
