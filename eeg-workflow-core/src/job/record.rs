//! A job as the store keeps it, and as a list shows it.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::details::Details;
use super::{JobState, ModuleUse, Timestamp};
use crate::block::OwnerId;
use crate::workflow::{InvalidWorkflow, Workflow};

/// The number of a job. Numbers grow, and are never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobStatus {
    /// Accepted; nothing of it runs yet.
    #[default]
    Queued,
    /// It runs.
    Running,
    /// Every block has finished.
    Completed,
    /// A block, or the job itself, has failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A random number beside a job's own one. Both are in the name of the folder of its artifacts,
/// so that the folder of another job is never taken for it, even if numbers come again because a
/// store was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobToken(pub u64);

/// A job as the store keeps it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Its random number; 0 if it was accepted by a version of this library without them.
    pub token: JobToken,
    /// The user whose job it is.
    pub owner: OwnerId,
    /// When it was accepted.
    pub started: Timestamp,
    /// The workflow document's text.
    pub document: Arc<str>,
    /// The archives whose blocks it uses, as they were when it was accepted.
    pub modules: Vec<ModuleUse>,
    /// What changes while it runs.
    pub state: JobState,
}

/// A job in a list. Serialises as `{"startTime", "id", "endTime", "status"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Its number.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was accepted.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl JobStatus {
    /// Whether it has ended, in whichever way.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The status as clients of the wire format know it: a queued job is RUNNING too.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status in one lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Job {
    /// The job's line in a list.
    pub fn summary(&self) -> JobSummary {
        let JobState { status, ended, .. } = self.state;
        JobSummary { id: self.id, status, started: self.started, ended }
    }

    /// The job's details as JSON text, in the form of
    /// [`JobService::details`](super::JobService::details). The job need not be one of a
    /// service:
    ///
    /// ```
    /// use eeg_workflow_core::block::OwnerId;
    /// use eeg_workflow_core::job::{Job, JobId, JobState, JobStatus, JobToken, Timestamp};
    ///
    /// let job = Job {
    ///     id: JobId(0),
    ///     token: JobToken(0),
    ///     owner: OwnerId::LOCAL,
    ///     started: Timestamp::now(),
    ///     document: r#"{"blocks": [], "edges": []}"#.into(),
    ///     modules: Vec::new(),
    ///     state: JobState { status: JobStatus::Completed, ..JobState::default() },
    /// };
    /// assert!(job.details()?.ends_with(r#""id":0,"endTime":"","status":"COMPLETED"}"#));
    /// # Ok::<(), eeg_workflow_core::workflow::InvalidWorkflow>(())
    /// ```
    ///
    /// # Errors
    /// The document cannot be read.
    pub fn details(&self) -> Result<String, InvalidWorkflow> {
        let workflow = Workflow::from_json(&self.document)?;
        Ok(self.describe(&workflow).to_json())
    }

    /// The job, whose document this workflow is, for those who read JSON.
    pub(super) fn describe<'a>(&'a self, workflow: &'a Workflow) -> Details<'a> {
        let Self { id, started, modules, state, .. } = self;
        Details { id: *id, started: *started, workflow, modules, state }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for JobSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("JobSummary", 4)?;
        fields.serialize_field("startTime", &self.started.to_string())?;
        fields.serialize_field("id", &self.id)?;
        let ended = self.ended.map(|ended| ended.to_string()).unwrap_or_default();
        fields.serialize_field("endTime", &ended)?;
        fields.serialize_field("status", self.status.wire())?;
        fields.end()
    }
}
