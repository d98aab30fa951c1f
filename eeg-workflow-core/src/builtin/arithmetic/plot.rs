//! The block that draws a function of x.

use super::Expression;
use crate::block::{Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType};
use crate::picture::{Format, LineChart};

const POINTS: u32 = 2001;
const SIZE: (u32, u32) = (1000, 600);
/// A title of more characters would not fit the picture.
const TITLE_LENGTH: usize = 80;

/// Draws an expression in x, where x goes from 0 to the parameter `range` in 2000 equal steps.
///
/// The Python block of this name gives x the integers of `range(n)`; the same stretch of the
/// axis is drawn here, but smoothly.
pub(super) struct Plot(BlockSpec);

impl Plot {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Plot").with_family("Graph").with_help("Draws a function of x");
        let spec = spec
            .required_parameter("function equation", PortType::STRING, "x", "")
            .described("An expression in x, such as x**2 + sin(x)");
        Self(
            spec.required_parameter("range", PortType::NUMBER, "100", "")
                .described("n: x goes from -n to n - 1, and to n where n is not a whole number"),
        )
    }
}

impl Block for Plot {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        let text = cx.text("function equation");
        let expression = Expression::parse(&text)
            .map_err(|error| BlockError::parameter("function equation", error))?;
        let range = cx.float("range")?.filter(|range| range.is_finite() && *range != 0.0);
        let range =
            range.ok_or_else(|| BlockError::parameter("range", "must be a number other than 0"))?;
        let (start, end) = interval(range);

        let last = f64::from(POINTS - 1);
        let x: Vec<f64> = (0..POINTS)
            .map(|i| f64::from(i) / last)
            .map(|part| start * (1.0 - part) + end * part)
            .collect();
        let y = expression.evaluate(&x);
        if !y.iter().any(|y| y.is_finite()) {
            cx.log(format!("{} has no finite value from {start} to {end}", text.trim()));
        }
        let title = shortened(text.trim());
        let chart = LineChart { title: &title, x_label: "x", y_label: "y", x: &x, y: &y };
        let png = chart.draw(SIZE.0, SIZE.1, Format::Png).map_err(BlockError::from_error)?;
        Ok(Outputs::none().show(Display::graph("plot.png", png)))
    }
}

/// Where x begins and ends: for a whole number n at -n and n - 1, as Python's `range(-n, n)` does;
/// for any other at -n and n.
fn interval(range: f64) -> (f64, f64) {
    let n = range.abs();
    (-n, if n.fract() == 0.0 { n - 1.0 } else { n })
}

/// The text on one line, cut where it would not fit.
fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE_LENGTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
