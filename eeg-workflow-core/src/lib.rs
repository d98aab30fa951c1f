//! Runs EEG processing workflows.

pub mod block;
#[cfg(feature = "builtin")]
pub mod builtin;
#[cfg(feature = "builtin")]
pub mod eeg;
pub mod engine;
pub mod job;
pub mod module;
#[cfg(feature = "builtin")]
pub mod picture;
pub mod workflow;
