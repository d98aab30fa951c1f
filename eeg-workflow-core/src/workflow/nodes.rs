//! The blocks and edges of a document, as they were read.

use std::borrow::Cow;
use std::sync::Arc;

use super::BlockId;
use super::diagnostic::Problems;

/// The maximum number of values in JSON that is not read piece by piece, at all depths: what it costs
/// to hold them, and to say what is wrong, grows with them and not with its bytes.
pub(super) const MAX_VALUES: usize = 2_000_000;

/// A document that was read.
pub(super) struct Document {
    pub(super) text: Arc<str>,
    pub(super) blocks: Vec<BlockNode>,
    pub(super) edges: Vec<EdgeNode>,
    /// What is wrong with the shape of the document, found while reading it.
    pub(super) problems: Problems,
}

/// What was found in the text of a document.
pub(super) enum Reading {
    /// The document is wrapped once more; this is the inner one.
    Wrapped(String),
    /// The document itself.
    Bare { blocks: Vec<BlockNode>, edges: Vec<EdgeNode>, problems: Problems },
}

/// A block as the document names it; without what is missing or of the wrong type.
pub(super) struct BlockNode {
    pub(super) id: Option<BlockId>,
    pub(super) block_type: Option<Text>,
    pub(super) module: Option<Text>,
    pub(super) values: Option<Text>,
}

/// A well-formed edge, with its place in the document.
pub(super) struct EdgeNode {
    pub(super) index: u32,
    pub(super) ends: [EdgeEnd; 2],
}

pub(super) struct EdgeEnd {
    pub(super) block: BlockId,
    pub(super) port: Text,
    pub(super) is_input: bool,
}

/// A piece of the document's text, or a copy where the document escapes it.
pub(super) enum Text {
    Span { start: u32, length: u32 },
    Owned(Box<str>),
}

impl Text {
    /// `piece` as a span of `text` when it is borrowed from there.
    pub(super) fn within(text: &str, piece: Cow<'_, str>) -> Self {
        match piece {
            Cow::Owned(owned) => Self::Owned(owned.into()),
            Cow::Borrowed(piece) => {
                let start = (piece.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
                match (start.map(u32::try_from), u32::try_from(piece.len())) {
                    (Some(Ok(start)), Ok(length)) => Self::Span { start, length },
                    _ => Self::Owned(piece.into()),
                }
            }
        }
    }
}

impl Document {
    /// The text behind a piece.
    pub(super) fn str<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Owned(text) => text,
            Text::Span { start, length } => {
                let (start, length) = (*start as usize, *length as usize);
                self.text.get(start..start + length).unwrap_or_default()
            }
        }
    }
}

/// Whether JSON text has more than [`MAX_VALUES`] values. Each takes two bytes at least, so that most
/// texts need not be looked at.
pub(super) fn has_too_many_values(text: &str) -> bool {
    if text.len() < 2 * MAX_VALUES {
        return false;
    }
    let signs =
        json_chars(text).filter(|(c, in_string)| !in_string && matches!(c, ',' | '[' | '{'));
    signs.count() > MAX_VALUES
}

/// The characters of JSON text, each with whether it belongs to a string (its first quotation mark
/// does not).
pub(super) fn json_chars(text: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut in_string, mut escaped) = (false, false);
    text.chars().map(move |c| {
        let was_in_string = in_string;
        in_string = if in_string { escaped || c != '"' } else { c == '"' };
        escaped = was_in_string && c == '\\' && !escaped;
        (c, was_in_string)
    })
}
