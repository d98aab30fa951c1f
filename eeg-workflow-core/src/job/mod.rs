//! Jobs: runs that are remembered.
//!
//! A [`JobService`] takes a workflow, stores it durably in a [`JobStore`], runs it on an
//! [`Engine`](crate::engine::Engine) and follows its events. Whatever was accepted ends:
//! after a crash the next service that opens the store takes up every unfinished job, and
//! blocks whose outputs were kept are not run again.
//!
//! [`MemoryStore`] forgets with the process; `SqliteStore` (feature `sqlite`) does not.

mod artifact;
mod dispatcher;
mod error;
mod events;
mod keeper;
#[cfg(feature = "sqlite")]
mod kept;
mod live;
mod memory;
mod modules;
mod options;
mod outcome;
mod pending;
mod queue;
mod record;
mod report;
mod service;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod time;

pub use error::{JobError, SubmitError};
pub use events::{JobEvent, Subscription};
pub use memory::MemoryStore;
pub use modules::{ModuleUse, Modules};
pub use options::JobOptions;
pub use outcome::{Cancellation, Deletion, JobCounts};
pub use pending::{Answer, Lost, Pending, Resolver};
pub use record::{BlockState, Job, JobId, JobState, JobStatus, JobSummary, Log, Phase, Shown};
pub use service::JobService;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{JobStore, NewJob, StoreError, StoreStatistics};
pub use time::Timestamp;
