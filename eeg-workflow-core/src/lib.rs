//! Runs EEG processing workflows.

pub mod block;
pub mod engine;
pub mod module;
pub mod workflow;
