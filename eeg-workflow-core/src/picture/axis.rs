//! From numbers to pixels, and the numbers worth a tick mark.

/// A linear axis from a low to a high number, both finite and apart from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    /// Only whole numbers are marked.
    whole: bool,
}

impl Axis {
    /// The axis that shows all finite `values`. Without any it is 0 to 1; all being equal, they
    /// are in the middle.
    pub fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values
            .into_iter()
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Self { low: 0.0, high: 1.0, whole: false };
        }
        // Below this width the ticks would differ in digits that f64 does not hold.
        let least = low.abs().max(high.abs()) * 1e-9;
        if high / 2.0 - low / 2.0 > least && high - low > f64::MIN_POSITIVE {
            return Self { low, high, whole: false };
        }
        let room = if least < 1e-300 { 0.5 } else { least * 1e8 };
        Self { low: (low - room).max(f64::MIN), high: (high + room).min(f64::MAX), whole: false }
    }

    /// The same axis with tick marks at whole numbers only: for things that are counted.
    #[must_use]
    pub fn of_counts(self) -> Self {
        Self { whole: true, ..self }
    }

    /// The same axis with `share` of its length added at each end.
    #[must_use]
    pub fn padded(self, share: f64) -> Self {
        let room = (self.high / 2.0 - self.low / 2.0) * 2.0 * share;
        let (low, high) = ((self.low - room).max(f64::MIN), (self.high + room).min(f64::MAX));
        Self { low, high, ..self }
    }

    /// The lowest number shown.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The highest number shown.
    pub fn high(self) -> f64 {
        self.high
    }

    /// Where a number lies: 0 at the low end, 1 at the high end.
    pub fn position(self, value: f64) -> f64 {
        // Halves, because the length of an axis over all of f64 is not a f64.
        (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
    }

    /// Round numbers inside the axis, about `count` of them, each with its label.
    pub fn ticks(self, count: usize) -> Vec<(f64, String)> {
        let wanted = count.clamp(1, 50) as f64;
        let ends = |step: f64| ((self.low / step).ceil(), (self.high / step).floor());
        let mut step = round_step((self.high / 2.0 - self.low / 2.0) / wanted * 2.0);
        // One number says nothing about the scale.
        while count > 1 && ends(step).1 - ends(step).0 < 1.0 {
            step = round_step(step / 2.5);
        }
        let step = if self.whole { step.max(1.0) } else { step };
        let (first, last) = ends(step);
        if !(step > 0.0 && first.is_finite() && last.is_finite()) {
            return Vec::new();
        }
        let values: Vec<f64> = (0..=3 * count.clamp(1, 50))
            .map(|k| first + k as f64)
            .take_while(|k| *k <= last)
            // + 0.0: no -0. The product may be rounded out of the axis.
            .map(|k| (k * step + 0.0).clamp(self.low, self.high))
            .collect();
        let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        values.into_iter().map(|v| (v, label(v, step, largest))).collect()
    }
}

/// The least of 1, 2, 5 times a power of ten that is not below `step`.
pub(crate) fn round_step(step: f64) -> f64 {
    let power = step.log10().floor();
    let unit = power_of_ten(power);
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|m| m * unit)
        .find(|s| *s >= step * (1.0 - 1e-9))
        .unwrap_or_else(|| power_of_ten(power + 1.0))
}

/// 10^power; below 1 as the quotient that is correctly rounded.
fn power_of_ten(power: f64) -> f64 {
    if (-300.0..0.0).contains(&power) { 1.0 / 10f64.powf(-power) } else { 10f64.powf(power) }
}

/// A tick's text with just the digits that tell it from its neighbours.
fn label(value: f64, step: f64, largest: f64) -> String {
    let step_power = step.log10().floor() as i32;
    let top_power = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
    if (-4..=5).contains(&top_power) && step_power >= -9 {
        return format!("{value:.*}", usize::try_from(-step_power).unwrap_or(0));
    }
    if value.abs() < step * 1e-9 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    let digits = usize::try_from(power.saturating_sub(step_power)).unwrap_or(0);
    format!("{value:.*e}", digits.min(16))
}
