//! The result of a workflow's check, as programs read it.

use eeg_workflow_core::workflow::Diagnostic;
use serde::Serialize;

/// Whether a workflow is valid, and everything that there is to say about it.
#[derive(Serialize)]
pub(crate) struct Validity<'a> {
    pub(crate) valid: bool,
    pub(crate) diagnostics: &'a [Diagnostic],
}
