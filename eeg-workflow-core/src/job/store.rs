//! Where jobs are kept.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use super::{
    Job, JobId, JobState, JobSummary, JobToken, Lost, ModuleUse, Pending, Retention, Timestamp,
};
use crate::block::OwnerId;

/// A place that keeps jobs.
///
/// Writes are done in the order in which they were asked for, and each resolves when it is
/// as durable as this store makes it; they may be waited for or not. Reads see every write
/// that has resolved. All methods are called from many threads at once.
pub trait JobStore: Send + Sync + 'static {
    /// Keeps a new job, queued, under a number higher than that of any job before it, also of
    /// those that were deleted.
    fn insert(&self, job: NewJob) -> Pending<Result<JobId, StoreError>>;

    /// Replaces a job's state. Does nothing when the job is not there.
    fn save(&self, id: JobId, state: JobState) -> Pending<Result<(), StoreError>>;

    /// Deletes a job of this owner that has ended; gives its token if there was one.
    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<Option<JobToken>, StoreError>>;

    /// Deletes some of the jobs of this owner that have ended and are beyond what is to be kept
    /// at this time; says which. There are no more when it says none.
    fn prune(
        &self,
        owner: OwnerId,
        keep: Retention,
        now: Timestamp,
    ) -> Pending<Result<Vec<(JobId, JobToken)>, StoreError>>;

    /// Resolves when everything that was asked for before is done.
    fn flush(&self) -> Pending<Result<(), StoreError>>;

    /// Whether the store can be written and read now.
    ///
    /// # Errors
    /// It cannot.
    fn check(&self) -> Result<(), StoreError> {
        self.flush().wait()?;
        self.unfinished().map(drop)
    }

    /// A job with all that is known of it, whoever its owner is.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(&self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// The owner's jobs, newest first, at most `limit`, of those before `before` if it is given.
    ///
    /// # Errors
    /// The store cannot be read.
    fn list(
        &self,
        owner: OwnerId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError>;

    /// The jobs that have not ended, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    fn unfinished(&self) -> Result<Vec<UnfinishedJob>, StoreError>;

    /// All owners of jobs.
    ///
    /// # Errors
    /// The store cannot be read.
    fn owners(&self) -> Result<Vec<OwnerId>, StoreError>;

    /// The token of a job of this owner.
    ///
    /// # Errors
    /// The store cannot be read.
    fn token(&self, owner: OwnerId, id: JobId) -> Result<Option<JobToken>, StoreError>;

    /// The tokens of all jobs.
    ///
    /// # Errors
    /// The store cannot be read.
    fn tokens(&self) -> Result<Vec<(JobId, JobToken)>, StoreError>;

    /// The highest number that a job was ever given, 0 if none was.
    ///
    /// # Errors
    /// The store cannot be read.
    fn last_id(&self) -> Result<JobId, StoreError>;

    /// The disk is full: gives up what the store holds in reserve, so that something can be
    /// deleted.
    fn make_room(&self) {}

    /// The jobs that have not ended and use modules of the archive of this SHA-256, oldest first,
    /// with their owners.
    ///
    /// # Errors
    /// The store cannot be read.
    fn unfinished_with(&self, digest: &str) -> Result<Vec<(OwnerId, JobId)>, StoreError> {
        let mut found = Vec::new();
        for UnfinishedJob { id, .. } in self.unfinished()? {
            let job = self.get(id)?;
            let is_used = |job: &Job| job.modules.iter().any(|used| used.digest == digest);
            found.extend(job.filter(is_used).map(|job| (job.owner, id)));
        }
        Ok(found)
    }

    /// What the store has done so far.
    fn statistics(&self) -> StoreStatistics;
}

/// A job that the store does not know yet.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The user whose job it is.
    pub owner: OwnerId,
    /// When it was accepted.
    pub started: Timestamp,
    /// The workflow document's text.
    pub document: Arc<str>,
    /// Its random number.
    pub token: JobToken,
    /// The archives whose blocks it uses.
    pub modules: Vec<ModuleUse>,
}

/// What is needed of a job that has not ended to give it its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedJob {
    /// Its number.
    pub id: JobId,
    /// Its random number.
    pub token: JobToken,
    /// The user whose job it is.
    pub owner: OwnerId,
    /// When it was accepted.
    pub started: Timestamp,
    /// Bytes of its document.
    pub document_bytes: usize,
    /// Whether somebody was told that it is cancelled.
    pub cancel_requested: bool,
}

/// What a store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStatistics {
    /// Writes that were asked for and done.
    pub writes: u64,
    /// Transactions that made them durable.
    pub commits: u64,
    /// Writes that failed.
    pub failures: u64,
}

/// Why a store could not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store of this one, has the file open.
    #[error("the job store {0} is in use")]
    InUse(PathBuf),
    /// The file was written by a newer version of this library.
    #[error("the job store {path} has format {found}, and this version reads up to {supported}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that can be read.
        supported: i64,
    },
    /// The file is not a job store, or is damaged.
    #[error("the job store {path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// There is no space left for the file.
    #[error("no space is left for the job store {0}")]
    Full(PathBuf),
    /// What is to be stored of one job is larger than the store can hold; a second try gives
    /// the same.
    #[error("it is too large for the job store {0}")]
    TooLarge(PathBuf),
    /// The store refuses to keep this of one job, whatever the reason; a second try gives the
    /// same.
    #[error("the job store {path} refuses it: {problem}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the store said.
        problem: String,
    },
    /// The file stayed locked for too long.
    #[error("the job store {0} is busy")]
    Busy(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot read or write the job store {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the job store is closed")]
    Closed,
    /// Any other reason, for stores of one's own.
    #[error("the job store failed")]
    Other(#[source] Arc<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same write would fail again however often it is tried, because of what is to
    /// be stored and not because of the state of the store.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Refused { .. })
    }

    /// What is wrong, for the owner of a job, who is not told where the store is.
    pub(super) fn without_path(&self) -> String {
        let what = match self {
            Self::InUse(_) => "the job store is in use",
            Self::NewerFormat { .. } => "the job store has a newer format",
            Self::Damaged { .. } => "the job store is damaged",
            Self::Full(_) => "no space is left for the job store",
            Self::TooLarge(_) => "it is too large for the job store",
            Self::Refused { problem, .. } => return format!("the job store refuses it: {problem}"),
            Self::Busy(_) => "the job store is busy",
            Self::Io { .. } => "the job store cannot be read or written",
            Self::Closed => "the job store is closed",
            Self::Other(_) => "the job store failed",
        };
        what.to_owned()
    }
}

impl From<Lost> for StoreError {
    fn from(_: Lost) -> Self {
        Self::Closed
    }
}
