//! What can go wrong with jobs.

use std::io;
use std::path::PathBuf;

use super::{Lost, StoreError};
use crate::workflow::InvalidWorkflow;

/// Why the job service could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder of artifacts cannot be used.
    #[error("cannot use the folder of artifacts {folder}")]
    Artifacts {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread of the service cannot be started.
    #[error("cannot start a thread of the job service")]
    Thread(#[source] io::Error),
    /// The document of a stored job cannot be read.
    #[error("the document of a stored job cannot be read")]
    Document(#[source] InvalidWorkflow),
}

/// Why a valid workflow did not become a job.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The owner has as many unfinished jobs as are allowed.
    #[error("too many unfinished jobs: at most {limit} are allowed at once")]
    TooManyJobs {
        /// The limit.
        limit: usize,
    },
    /// The service is shutting down.
    #[error("no new jobs are taken: the service is shutting down")]
    ShuttingDown,
}

impl From<Lost> for SubmitError {
    fn from(lost: Lost) -> Self {
        Self::Store(lost.into())
    }
}
