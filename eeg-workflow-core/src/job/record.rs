//! A job as the store keeps it, and as a list shows it.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::{JobState, JobStatus, ModuleUse, Timestamp};
use crate::block::OwnerId;

/// The number of a job. Numbers grow, and are never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

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

impl Job {
    /// The job's line in a list.
    pub fn summary(&self) -> JobSummary {
        let JobState { status, ended, .. } = self.state;
        JobSummary { id: self.id, status, started: self.started, ended }
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
