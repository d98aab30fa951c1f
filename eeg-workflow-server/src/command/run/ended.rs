//! A run that has ended, as it is printed.

use std::time::Duration;

use eeg_workflow_core::job::Job;

/// A run that has ended.
pub(super) struct Ended {
    /// Its states and results, as those of a job.
    pub(super) job: Job,
    /// How long each block took.
    pub(super) elapsed: Vec<Option<Duration>>,
}
