//! Text for a terminal.

/// Text that came from outside, so that nothing of it steers the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\t' | '\n'), "\u{fffd}")
}
