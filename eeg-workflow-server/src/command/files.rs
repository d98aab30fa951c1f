//! What commands read and print.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use eeg_workflow_core::workflow::Diagnostic;
use serde::Serialize;

use crate::command::failure::Failure;
use crate::text::printable;

/// Prints every diagnostic on standard error.
pub(super) fn print_diagnostics(workflow: &Path, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{}", printable(&format!("{}: {diagnostic}", workflow.display())));
    }
}

/// Reads the workflow that the command line names.
pub(super) fn read_workflow(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    // Some editors begin a file with a mark of its encoding.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Prints a value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
