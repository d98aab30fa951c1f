//! What the job service answers: how many jobs there are, and what became of a request.

use super::JobStatus;

/// How many jobs there are, and how many have ended since the service was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobCounts {
    /// Accepted, and waiting for their turn.
    pub queued: u64,
    /// Running.
    pub running: u64,
    /// Ended with every block finished.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// What became of a request to delete a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It has not ended, and stays as it is: cancel it first.
    Unfinished,
    /// It had ended, and is gone.
    Deleted,
    /// The owner has no such job.
    NotFound,
}

/// What became of a request to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It ends as cancelled, whatever happens to the process: that is stored.
    Cancelling,
    /// It had ended like this, and stays as it is.
    Ended(JobStatus),
    /// The owner has no such job.
    NotFound,
}
