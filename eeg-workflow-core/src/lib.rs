//! core

#[cfg(feature = "builtin")]
pub mod eeg;
#[cfg(feature = "builtin")]
pub mod picture;
