//! Which finished jobs are kept.

use std::time::Duration;

use super::Timestamp;

/// Which of each owner's finished jobs are kept. What is beyond is deleted with its artifacts:
/// when the service is opened, some time after a job ended, and once an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// The maximum number of jobs: the newest stay.
    pub max_jobs: Option<usize>,
    /// Those that ended no longer ago than this.
    pub max_age: Option<Duration>,
}

impl Retention {
    /// The newest `max_jobs` of each owner.
    pub fn of_jobs(max_jobs: usize) -> Self {
        Self { max_jobs: Some(max_jobs), max_age: None }
    }

    /// And of those the ones that ended no longer ago than this.
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// The earliest end of a job that is kept.
    pub(super) fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        let age = i64::try_from(self.max_age?.as_secs()).unwrap_or(i64::MAX);
        Some(Timestamp(now.0.saturating_sub(age)))
    }

    /// Whether all jobs are kept.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}
