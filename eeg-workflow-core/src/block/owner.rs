//! Whose a run is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose something is: a run, a job, an installed archive.
///
/// The number is the embedder's own, such as a row of its table of users; the library only
/// compares it. The default is nobody in particular: a program that serves one person needs
/// no other.
///
/// ```
/// use eeg_workflow_core::block::OwnerId;
/// assert_eq!(OwnerId::default(), OwnerId::LOCAL);
/// assert_eq!(OwnerId(7).to_string(), "7");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct OwnerId(pub i64);

impl OwnerId {
    /// The owner of what is run by hand.
    pub const LOCAL: Self = Self(0);
}

/// As the bare number.
impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
