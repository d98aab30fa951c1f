//! Jobs: runs that are remembered.
//!
//! A [`JobService`] takes a workflow, stores it durably in a [`JobStore`], runs it on an
//! [`Engine`](crate::engine::Engine) and follows its events. Whatever was accepted ends:
//! after a crash the next service that opens the store resumes every unfinished job, and
//! blocks whose outputs were saved are not run again. Nobody is told of an end, or of a
//! cancellation, that is not durable yet.
//!
//! [`MemoryStore`] forgets with the process; `SqliteStore` (feature `sqlite`) does not.
//! A [`RunRecorder`] notes what comes of a single run, without a service and a store.

mod active;
mod artifact;
mod background;
mod budget;
mod details;
mod error;
mod event_data;
mod feed;
mod job_folders;
mod log;
mod memory;
mod options;
mod outcome;
mod pending;
mod plan_source;
mod queue;
mod record;
mod recorder;
mod retention;
#[cfg(feature = "sqlite")]
mod saved_outputs;
mod service;
mod shown;
#[cfg(feature = "sqlite")]
mod sqlite;
mod state;
mod status;
mod store;
mod subscription;
mod time;

pub use artifact::ArtifactFolder;
pub use error::{JobError, JobProblem, SubmitError};
pub use feed::JobEvent;
pub use log::Log;
pub use memory::MemoryStore;
pub use options::{JobOptions, ProblemListener};
pub use outcome::{Cancellation, Deletion, JobCounts};
pub use pending::{Answer, Lost, Pending, Resolver};
pub use plan_source::{ModuleUse, PlanSource};
pub use record::{Job, JobId, JobSummary, JobToken};
pub use recorder::RunRecorder;
pub use retention::Retention;
pub use service::JobService;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use state::{BlockState, JobState, Phase, Shown};
pub use status::JobStatus;
pub use store::{JobStore, NewJob, StoreError, StoreStatistics, UnfinishedJob};
pub use subscription::Subscription;
pub use time::Timestamp;
