//! What can go wrong with jobs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{JobId, Lost, StoreError};
use crate::block::OwnerId;
use crate::workflow::InvalidWorkflow;

/// Why the job service could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the job has become could not be stored yet, so that nobody is told of it.
    #[error("{0}")]
    NotStored(Arc<str>),
    /// The folder of artifacts cannot be used.
    #[error("cannot use the folder of artifacts {folder}")]
    Artifacts {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are artifacts of jobs that the store has never known: the store was lost, or is an
    /// old copy or another one.
    #[error(
        "the artifacts in {folder} (and in {} more folders) are not of a job of this store: put \
         the store that they belong to back, or have them discarded",
        .count.saturating_sub(1)
    )]
    ForeignArtifacts {
        /// The first folder of such a job.
        folder: PathBuf,
        /// How many there are.
        count: usize,
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

/// Something that went wrong and that nobody who asks for a job is told of in full: for the log
/// of whoever runs the service (see [`JobOptions::on_problem`](super::JobOptions::on_problem)).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobProblem {
    /// A new job was refused, because it could not be stored.
    #[error("a new job of user {owner} could not be stored")]
    NotAccepted {
        /// Whose job it would have been.
        owner: OwnerId,
        /// Why.
        source: StoreError,
    },
    /// The state of a job could not be stored; that is tried again, or, where it would fail for
    /// ever, the job fails.
    #[error("the state of job {job} could not be stored")]
    NotSaved {
        /// The job.
        job: JobId,
        /// Why.
        source: StoreError,
    },
    /// A job that waited could not be read from the store; that is tried again.
    #[error("job {job} could not be read")]
    NotLoaded {
        /// The job.
        job: JobId,
        /// Why.
        source: StoreError,
    },
    /// The store failed in anything else.
    #[error("the job store failed")]
    Store(#[source] StoreError),
    /// The artifacts of a deleted job are still there; the next start removes them.
    #[error("the artifacts of the deleted job {job} could not be removed")]
    NotRemoved {
        /// The job.
        job: JobId,
        /// Why.
        source: Arc<io::Error>,
    },
}

impl From<Lost> for SubmitError {
    fn from(lost: Lost) -> Self {
        Self::Store(lost.into())
    }
}
