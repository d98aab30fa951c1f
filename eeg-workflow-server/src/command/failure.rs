//! Why a command ended early.

use std::io;
use std::process::ExitCode;

use crate::cli::exit;
use crate::text::printable;

/// Why a command ended early: what is printed, and the exit code.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Failure {
    /// The command line, or a file that it names, is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::USAGE }
    }

    /// The command itself failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::FAILED }
    }

    /// Prints the message; the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("error: {}", printable(&self.message));
        }
        self.code.into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever reads the output has enough of it.
        let is_enough = error.kind() == io::ErrorKind::BrokenPipe;
        Self::failed(if is_enough { String::new() } else { error.to_string() })
    }
}
