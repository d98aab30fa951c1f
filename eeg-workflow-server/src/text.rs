//! Text for logs, answers and terminals.

use std::borrow::Cow;
use std::error::Error;

/// Text that came from outside, so that nothing of it steers the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\t' | '\n'), "\u{fffd}")
}

/// An error and its causes on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Several lines joined into one.
pub(crate) fn one_line(text: &str) -> String {
    let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

/// The text if it has at most so many bytes, otherwise its beginning and how long it was.
pub(crate) fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let beginning = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    Cow::Owned(format!("{beginning}… (cut off: {} bytes)", text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_say_so() {
        assert_eq!(bounded("abc", 3), "abc");
        assert_eq!(bounded("aééé", 4), "aé… (cut off: 7 bytes)");
    }
}
