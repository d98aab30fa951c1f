//! Why a block failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The error of one block in one run. As small as a pointer, so that it costs nothing where
/// there is none.
#[derive(Debug)]
pub struct BlockError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: BlockErrorKind,
    message: String,
    /// More than the message, such as a traceback.
    details: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What sort of failure a [`BlockError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockErrorKind {
    /// The block's own computation failed.
    Failed,
    /// An input has the wrong type or value.
    Input,
    /// A parameter has a value that the block cannot use.
    Parameter,
    /// The block panicked.
    Panicked,
    /// The run was cancelled.
    Cancelled,
    /// A deadline passed.
    TimedOut,
    /// Its outputs would exceed the limit on memory.
    Memory,
    /// What ran the block was ended from outside, by a signal.
    Killed,
}

impl BlockError {
    /// The block failed; `message` is a lowercase fragment that names the culprit.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(BlockErrorKind::Failed, message)
    }

    /// A failure of this kind.
    pub fn of(kind: BlockErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), details: None, source: None }))
    }

    /// The input at this port cannot be used.
    pub fn input(port: &str, problem: impl fmt::Display) -> Self {
        Self::of(BlockErrorKind::Input, format!("input \"{port}\": {problem}"))
    }

    /// The value of this parameter cannot be used.
    pub fn parameter(name: &str, problem: impl fmt::Display) -> Self {
        Self::of(BlockErrorKind::Parameter, format!("parameter \"{name}\": {problem}"))
    }

    /// A deadline of this length passed.
    pub fn timed_out(after: Duration) -> Self {
        Self::of(BlockErrorKind::TimedOut, format!("timed out after {} s", after.as_secs_f64()))
    }

    /// The same error with details, such as a traceback.
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> BlockErrorKind {
        self.0.kind
    }

    /// More than the message: a traceback, or the message with its causes.
    pub fn details(&self) -> String {
        if let Some(details) = &self.0.details {
            return details.clone();
        }
        let mut text = self.0.message.clone();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for BlockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

impl From<std::io::Error> for BlockError {
    fn from(error: std::io::Error) -> Self {
        Self::from_error(error)
    }
}

impl BlockError {
    /// The error of a library as a block's error, its causes kept.
    pub fn from_error(error: impl Error + Send + Sync + 'static) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = next.source();
        }
        let details = Some(message.clone());
        let source: Option<Box<dyn Error + Send + Sync>> = Some(Box::new(error));
        Self(Box::new(Inner { kind: BlockErrorKind::Failed, message, details, source }))
    }
}
