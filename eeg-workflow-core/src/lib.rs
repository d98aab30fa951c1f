//! Runs EEG processing workflows.

pub mod block;
pub mod module;
