//! What is wrong with a workflow, and where.

use std::fmt;

use serde::Serialize;

use super::BlockId;

/// One problem of a workflow document.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The text is no JSON.
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
            message: message.into(),
            block: None,
            port: None,
            parameter: None,
            pointer,
        }
    }

    pub(super) fn block(mut self, id: &BlockId) -> Self {
        self.block = Some(id.clone());
        self
    }

    pub(super) fn port(mut self, name: &str) -> Self {
        self.port = Some(name.to_owned());
        self
    }

    pub(super) fn parameter(mut self, name: &str) -> Self {
        self.parameter = Some(name.to_owned());
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
