//! What is wrong with a workflow, and where.

use std::fmt;

use serde::Serialize;

use super::BlockId;

/// One problem of a workflow document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What sort of problem it is.
    pub code: Code,
    /// Whether the workflow can run all the same.
    pub severity: Severity,
    /// The problem in words.
    pub message: String,
    /// The block it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockId>,
    /// The port it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The parameter it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The place in the document, as a JSON pointer (RFC 6901).
    pub pointer: String,
}

/// Whether a workflow with this problem can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// The sorts of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// The text is not valid JSON.
    InvalidJson,
    /// A field that must be there is not.
    MissingField,
    /// A field has a value of the wrong JSON type.
    WrongType,
    /// Two blocks have one id.
    DuplicateBlockId,
    /// A block's module is not known.
    UnknownModule,
    /// A block's module has no such block type.
    UnknownBlockType,
    /// A block type has no such input or output.
    UnknownPort,
    /// An edge joins a block that is not there.
    DanglingEdge,
    /// An edge joins two inputs or two outputs.
    EdgeDirection,
    /// An edge joins an output and an input of different types.
    TypeMismatch,
    /// Fewer edges join an input than it needs.
    TooFewEdges,
    /// More edges join an input than it takes.
    TooManyEdges,
    /// A parameter's value cannot be read as its type, or is missing.
    InvalidParameter,
    /// A value is given for a parameter that the block type does not have.
    UnknownParameter,
    /// Blocks wait for each other.
    Cycle,
    /// The blocks are composed of more blocks than may run.
    TooManyInnerBlocks,
    /// There are more problems than are told one by one.
    More,
    /// The planner itself is wrong.
    Internal,
}

/// At most this many errors, and as many warnings, are told one by one.
const MAX_PROBLEMS: usize = 100;
/// Longer names and messages are cut.
const MAX_TEXT: usize = 500;

/// The problems found so far. Their number and size are limited, whatever the document holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems {
    errors: Kept,
    warnings: Kept,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    list: Vec<Diagnostic>,
    more: usize,
}

impl Problems {
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let kept = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.list.len() < MAX_PROBLEMS {
            kept.list.push(diagnostic);
        } else {
            kept.more += 1;
        }
    }

    pub(super) fn any_errors(&self) -> bool {
        !self.errors.list.is_empty()
    }

    /// How many errors are kept.
    pub(super) fn len(&self) -> usize {
        self.errors.list.len()
    }

    /// The errors from this one on.
    pub(super) fn iter_mut_from(&mut self, start: usize) -> impl Iterator<Item = &mut Diagnostic> {
        self.errors.list.iter_mut().skip(start)
    }

    /// The errors, then the warnings, each with how many more there are.
    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        let mut list = Vec::with_capacity(self.errors.list.len() + self.warnings.list.len());
        for (kept, what) in [(self.errors, "errors"), (self.warnings, "warnings")] {
            list.extend(kept.list);
            if kept.more > 0 {
                let message = format!("and {} more {what}", kept.more);
                let more = Diagnostic::error(Code::More, String::new(), message);
                list.push(more.warning_if(what == "warnings"));
            }
        }
        list
    }
}

/// The string, cut if it is long, with its length.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let start = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
    format!("{start}… ({} bytes)", text.len())
}

/// A workflow that cannot run: every problem, in the order of the document.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct InvalidWorkflow {
    /// The problems, warnings among them.
    pub diagnostics: Vec<Diagnostic>,
}

impl InvalidWorkflow {
    fn summary(&self) -> String {
        let mut errors = self.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let first = errors.next().map_or("the workflow is invalid", |d| d.message.as_str());
        match errors.count() {
            0 => first.to_owned(),
            more => format!("{first} (and {more} more)"),
        }
    }
}

impl From<Diagnostic> for InvalidWorkflow {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}

impl Diagnostic {
    pub(super) fn error(code: Code, pointer: String, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: cut(&message.into()),
            block: None,
            port: None,
            parameter: None,
            pointer: cut(&pointer),
        }
    }

    pub(super) fn block(mut self, id: &BlockId) -> Self {
        self.block = Some(match id {
            BlockId::Text(text) if text.len() > MAX_TEXT => BlockId::Text(cut(text).into()),
            id => id.clone(),
        });
        self
    }

    /// A problem that was found before its block's id was known.
    pub(super) fn about(mut self, id: &BlockId) -> Self {
        self.message = cut(&format!("block {id}: {}", self.message));
        self.block(id)
    }

    pub(super) fn port(mut self, name: &str) -> Self {
        self.port = Some(cut(name));
        self
    }

    pub(super) fn parameter(mut self, name: &str) -> Self {
        self.parameter = Some(cut(name));
        self
    }

    pub(super) fn warning_if(mut self, warning: bool) -> Self {
        if warning {
            self.severity = Severity::Warning;
        }
        self
    }
}

/// `error[cycle] at /edges/1: …`
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if self.pointer.is_empty() { Ok(()) } else { write!(f, " (at {})", self.pointer) }
    }
}

/// The code as it is on the wire, such as `unknown-port`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
