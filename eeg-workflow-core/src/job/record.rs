//! What is known of a job.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::report::Report;
use super::{ModuleUse, Timestamp};
use crate::block::{OwnerId, Value};
use crate::workflow::{InvalidWorkflow, Workflow};

/// The number of a job. Numbers grow, and are never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// A job as the store keeps it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
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

/// What changes while a job runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobState {
    /// Where it stands.
    pub status: JobStatus,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What is wrong with the job as a whole, not with one of its blocks.
    pub error: Option<Arc<str>>,
    /// The number of its last event.
    pub events: u64,
    /// Its blocks, in the document's order; empty while none has started.
    pub blocks: Vec<BlockState>,
    /// The outputs of finished blocks, by the block's position: what a job that is taken up
    /// again starts from. Only of a job that has not ended.
    pub kept: Vec<(u32, Arc<[Value]>)>,
    /// Somebody was told that it is cancelled: it ends as such, also after a crash.
    pub cancel_requested: bool,
    /// How often it was resumed after the process had ended without a shutdown.
    pub resumes: u32,
}

/// Where a block of a job stands, and what it has logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockState {
    /// Where it stands.
    #[serde(rename = "is", default)]
    pub phase: Phase,
    /// What it has logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<Log>>,
}

/// Where a block stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It has not started.
    #[default]
    Waiting,
    /// It runs; how far it says it is, from 0 to 1.
    Running(f32),
    /// It has finished, and shows this.
    Finished(Option<Shown>),
    /// It has failed: why.
    Failed(#[serde(with = "text")] Arc<str>),
    /// It was not run, because the block at this position failed.
    Skipped(u32),
    /// It was stopped: why.
    Cancelled(#[serde(with = "text")] Arc<str>),
}

/// What a finished block shows; files by their names in the job's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// Text.
    Text(#[serde(with = "text")] Arc<str>),
    /// A picture.
    Graph(#[serde(with = "text")] Arc<str>),
    /// A file.
    File(#[serde(with = "text")] Arc<str>),
    /// A table.
    Table {
        /// The columns' names.
        #[serde(with = "slice")]
        columns: Arc<[String]>,
        /// The cells, row by row.
        #[serde(with = "slice")]
        rows: Arc<[Vec<String>]>,
    },
}

/// The newest lines that a block has logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// How many older lines were dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
    #[serde(with = "lines")]
    lines: VecDeque<Arc<str>>,
    #[serde(skip)]
    bytes: usize,
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
    /// use eeg_workflow_core::job::{Job, JobId, JobState, JobStatus, Timestamp};
    ///
    /// let job = Job {
    ///     id: JobId(0),
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
        Ok(self.report(&workflow).details())
    }

    /// The job, whose document this workflow is, for those who read JSON.
    pub(super) fn report<'a>(&'a self, workflow: &'a Workflow) -> Report<'a> {
        Report { id: self.id, started: self.started, workflow, state: &self.state }
    }
}

impl JobState {
    /// Ends the job; no block runs any more.
    pub(super) fn end(&mut self, status: JobStatus, now: Timestamp) {
        self.status = status;
        self.ended = Some(now);
        self.kept = Vec::new();
        for block in &mut self.blocks {
            match block.phase {
                Phase::Running(_) | Phase::Waiting if status == JobStatus::Cancelled => {
                    block.phase = Phase::Cancelled("cancelled".into());
                }
                Phase::Running(_) => block.phase = Phase::Waiting,
                _ => {}
            }
        }
    }
}

impl JobState {
    /// Makes the state that of a job which starts again: only finished blocks whose outputs
    /// were kept, and for which `usable` says so, stay as they are.
    pub(super) fn restart(&mut self, usable: impl Fn(u32, &[Value], Option<&Shown>) -> bool) {
        let mut blocks = Vec::new();
        blocks.resize_with(self.blocks.len(), BlockState::default);
        let mut old = std::mem::take(&mut self.blocks);
        self.kept.retain(|(block, values)| {
            let Ok(index) = usize::try_from(*block) else { return false };
            let (Some(old), Some(new)) = (old.get_mut(index), blocks.get_mut(index)) else {
                return false;
            };
            let Phase::Finished(shown) = &old.phase else { return false };
            let keep = usable(*block, values, shown.as_ref());
            if keep {
                *new = std::mem::take(old);
            }
            keep
        });
        self.blocks = blocks;
        self.status = JobStatus::Queued;
    }
}

impl JobState {
    /// What can be stored of a job whose state is too large for the store: where its blocks
    /// stand, or not even that if it was reduced before.
    pub(super) fn reduce(&mut self, why: &str) {
        if self.error.is_some() {
            self.blocks = Vec::new();
        }
        for block in &mut self.blocks {
            block.log = None;
            match &mut block.phase {
                Phase::Finished(shown) => *shown = None,
                Phase::Failed(why) | Phase::Cancelled(why) => *why = cut(why, 256),
                _ => {}
            }
        }
        self.kept = Vec::new();
        self.status = JobStatus::Failed;
        self.error = Some(format!("the job's result cannot be stored: {why}").into());
    }
}

/// The string, or its start of at most `max` bytes and how long it was.
pub(super) fn cut(text: &Arc<str>, max: usize) -> Arc<str> {
    if text.len() <= max {
        return Arc::clone(text);
    }
    let start = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
    format!("{start} (cut: {} bytes)", text.len()).into()
}

impl Shown {
    /// The name of the file in the job's folder, if it is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Graph(name) | Self::File(name) => Some(name),
            Self::Text(_) | Self::Table { .. } => None,
        }
    }
}

impl Log {
    const MAX_LINES: usize = 1_000;
    const MAX_BYTES: usize = 64 * 1024;

    /// Adds a line; the oldest ones go when there are more than 1,000 or more than 64 KiB.
    pub fn push(&mut self, line: Arc<str>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > Self::MAX_LINES
            || (self.bytes > Self::MAX_BYTES && self.lines.len() > 1)
        {
            let oldest = self.lines.pop_front();
            self.bytes = self.bytes.saturating_sub(oldest.map_or(0, |line| line.len()));
            self.dropped += 1;
        }
    }

    /// The lines as one text, which says how many are missing.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.lines.len());
        if self.dropped > 0 {
            text = format!("({} earlier lines are left out)\n", self.dropped);
        }
        for (i, line) in self.lines.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { "\n" });
            text.push_str(line);
        }
        text
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Shared text.
mod text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Into::into)
    }
}

/// Shared slices.
mod slice {
    use super::*;

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        items: &Arc<[T]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        items.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<[T]>, D::Error> {
        Vec::deserialize(from).map(Into::into)
    }
}

/// Lists of shared text.
mod lines {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        lines: &VecDeque<Arc<str>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(lines.iter().map(AsRef::<str>::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<VecDeque<Arc<str>>, D::Error> {
        let lines = Vec::<String>::deserialize(from)?;
        Ok(lines.into_iter().map(Into::into).collect())
    }
}
