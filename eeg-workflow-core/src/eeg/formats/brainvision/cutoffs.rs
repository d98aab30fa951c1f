//! The filters that the data went through, from the tables that recorders write into the comment
//! of a header. That is text for humans: what does not look like a table is not a table.

use std::f64::consts::PI;

/// High-pass and low-pass in Hz. A table of software filters wins over the amplifier's; where
/// channels differ the weakest filter is taken. None where the comment does not say, or says
/// that there is none.
pub(super) fn cutoffs(comment: &str, channels: usize) -> (Option<f64>, Option<f64>) {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    let software = lines.iter().position(|l| *l == "S o f t w a r e  F i l t e r s");
    let (amplifier, software) = lines.split_at(software.unwrap_or(lines.len()));
    let table = Table::find(software, channels).or_else(|| Table::find(amplifier, channels));
    let Some(table) = table else {
        return (None, None);
    };
    // Where a channel has no filter, nothing is the weakest one.
    let highpass = table.column("Low Cutoff", f64::min, 0.0).filter(|f| *f > 0.0);
    let lowpass = table.column("High Cutoff", f64::max, f64::INFINITY);
    (highpass, lowpass.filter(|f| f.is_finite()))
}

/// A table whose header line starts with `#`, one line a channel.
struct Table<'t> {
    header: Vec<&'t str>,
    rows: Vec<Vec<&'t str>>,
}

impl<'t> Table<'t> {
    fn find(lines: &[&'t str], channels: usize) -> Option<Self> {
        let is_header = |l: &&str| l.starts_with('#') && l.contains("Low Cutoff");
        let at = lines.iter().position(is_header)?;
        let rows: Vec<_> = lines
            .iter()
            .skip(at + 1)
            .take_while(|l| l.starts_with(|c: char| c.is_ascii_digit()))
            .take(channels)
            .map(|l| cells(l))
            .collect();
        let header = cells(lines.get(at)?);
        (!rows.is_empty()).then_some(Self { header, rows })
    }

    /// The weakest cut-off of a column in Hz; `off` is what no filter counts as.
    fn column(&self, title: &str, weaker: fn(f64, f64) -> f64, off: f64) -> Option<f64> {
        let at = self.header.iter().position(|h| h.starts_with(title))?;
        let seconds = self.header.get(at)?.contains("[s]");
        let values = self.rows.iter().map(|row| match *row.get(at)? {
            "DC" | "Off" | "NaN" => Some(off),
            text => {
                let number = text.parse::<f64>().ok().filter(|n| *n > 0.0)?;
                // A time constant t is a cut-off at 1 / (2 pi t).
                Some(if seconds { 1.0 / (2.0 * PI * number) } else { number })
            }
        });
        let values: Option<Vec<f64>> = values.collect();
        values?.into_iter().reduce(weaker)
    }
}

/// Cells are two blanks apart; inside one (`0.5 µV`, `F3 3 part`) there may be single blanks.
fn cells(line: &str) -> Vec<&str> {
    let cells = line.split("  ").map(str::trim);
    cells.filter(|c| !c.is_empty()).collect()
}
