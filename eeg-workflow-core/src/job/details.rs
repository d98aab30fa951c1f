//! The details of a job as JSON: what clients of the wire format read.
//!
//! Everything of the document is copied to the letter: its keys in their order, and numbers as
//! they are spelled.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{BlockState, Job, JobId, JobState, JobStatus, ModuleUse, Phase, Shown, Timestamp};
use crate::workflow::{InvalidWorkflow, RawObject, Workflow};

/// What a block gets from its run. An exported document may carry those of an earlier one.
const RUN_KEYS: [&str; 6] = ["output", "completed", "error", "stderr", "stdout", "progress"];

/// A job, wherever it is kept, for those who read JSON.
#[derive(Clone, Copy)]
pub(super) struct Details<'a> {
    pub(super) id: JobId,
    pub(super) started: Timestamp,
    pub(super) workflow: &'a Workflow,
    /// The modules as they were when the job was accepted.
    pub(super) modules: &'a [ModuleUse],
    pub(super) state: &'a JobState,
}

/// The wire form of the details.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDetails<'a> {
    workflow: WireWorkflow<'a>,
    execution_status: &'a RawValue,
    start_time: String,
    id: JobId,
    end_time: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    modules: &'a [ModuleUse],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// The document with its blocks replaced.
struct WireWorkflow<'a> {
    document: RawObject<'a>,
    blocks: &'a RawValue,
}

/// A block of the document with what it has from its run.
#[derive(Serialize)]
struct WireBlock<'a> {
    #[serde(flatten, serialize_with = "own_fields")]
    object: &'a RawObject<'a>,
    #[serde(flatten)]
    run: Option<BlockRun<'a>>,
}

/// What a block has from its run.
#[derive(Serialize)]
pub(super) struct BlockRun<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<f32>,
}

/// What a block shows, as it is on the wire.
#[derive(Serialize)]
#[serde(tag = "type", content = "value", rename_all = "UPPERCASE")]
enum Output<'a> {
    String(&'a str),
    Graph { filename: &'a str },
    File { filename: &'a str },
    Table { columns: &'a [String], rows: &'a [Vec<String>] },
}

impl Job {
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

impl Details<'_> {
    /// The job's details.
    pub(super) fn to_json(self) -> String {
        let objects = self.workflow.block_objects();
        // A job that was cancelled before it started has no states of its blocks.
        let cancelled = BlockState { phase: Phase::Cancelled("cancelled".into()), log: None };
        let cancelled = (self.state.status == JobStatus::Cancelled).then_some(&cancelled);
        let block = |(at, object)| {
            let state = self.state.blocks.get(at).or(cancelled);
            let run = state.map(|state| BlockRun::new(state, |cause| id(&objects, cause)));
            WireBlock { object, run }
        };
        let blocks: Vec<WireBlock<'_>> = objects.iter().enumerate().map(block).collect();
        let Ok(blocks) = to_raw_value(&blocks) else { return String::new() };
        let is_current = self.state.replaced_modules.is_empty();
        to_json(&WireDetails {
            workflow: WireWorkflow { document: self.workflow.object(), blocks: &blocks },
            execution_status: &blocks,
            start_time: self.started.to_string(),
            id: self.id,
            end_time: ended(self.state),
            status: self.state.status.wire(),
            error: self.state.error.as_deref(),
            modules: if is_current { self.modules } else { &self.state.replaced_modules },
            warnings: self.warnings(),
        })
    }

    /// Which modules were replaced after the job was accepted and before it was started.
    fn warnings(&self) -> Vec<String> {
        let digest_before = |module: &str| {
            self.modules.iter().find(|used| used.module == module).map(|used| &used.digest)
        };
        let replaced = self.state.replaced_modules.iter().filter_map(|now| {
            let before = digest_before(&now.module)?;
            (*before != now.digest).then(|| {
                format!(
                    "the job ran with another version of {} than when it was accepted: SHA-256 {} \
                     instead of {before}",
                    now.module, now.digest
                )
            })
        });
        replaced.collect()
    }
}

impl Serialize for WireWorkflow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.document.0.len()))?;
        for (key, value) in &self.document.0 {
            map.serialize_entry(key, if key == "blocks" { self.blocks } else { &**value })?;
        }
        map.end()
    }
}

/// The fields of a block that are not from a run.
fn own_fields<S: Serializer>(object: &&RawObject<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let own = object.0.iter().filter(|(key, _)| !RUN_KEYS.contains(&key.as_ref()));
    let mut map = serializer.serialize_map(None)?;
    for (key, value) in own {
        map.serialize_entry(key, value.as_ref())?;
    }
    map.end()
}

impl<'a> BlockRun<'a> {
    /// What a block in this state has; `id` is the id of the block at a position, as JSON.
    pub(super) fn new(state: &'a BlockState, id: impl Fn(u32) -> String) -> Self {
        let ended = match &state.phase {
            Phase::Waiting | Phase::Running(_) => None,
            Phase::Finished(_) => Some((true, false, Cow::Borrowed(""))),
            Phase::Failed(error) => Some((true, true, Cow::Borrowed(error.as_ref()))),
            Phase::Skipped(cause) => {
                let why = format!("skipped: block {} failed", id(*cause));
                Some((false, false, Cow::Owned(why)))
            }
            Phase::Cancelled(why) => Some((false, false, Cow::Borrowed(why.as_ref()))),
        };
        let (completed, error, stderr) = match ended {
            Some((completed, error, why)) => (Some(completed), Some(error), Some(why)),
            None => (None, None, None),
        };
        let output = match &state.phase {
            Phase::Finished(shown) => shown.as_ref().map(Output::from),
            _ => None,
        };
        let progress = match state.phase {
            Phase::Running(fraction) => Some(fraction),
            _ => None,
        };
        let stdout = state.log.as_ref().map(|log| log.text());
        Self { output, completed, error, stderr, stdout, progress }
    }
}

impl<'a> From<&'a Shown> for Output<'a> {
    fn from(shown: &'a Shown) -> Self {
        match shown {
            Shown::Text(text) => Self::String(text),
            Shown::Graph(filename) => Self::Graph { filename },
            Shown::File(filename) => Self::File { filename },
            Shown::Table { columns, rows } => Self::Table { columns, rows },
        }
    }
}

/// The id of the block at this position, as the document spells it.
pub(super) fn raw_id<'a>(objects: &'a [RawObject<'_>], block: u32) -> &'a RawValue {
    let object = usize::try_from(block).ok().and_then(|block| objects.get(block));
    object.and_then(|object| object.get("id")).unwrap_or(RawValue::NULL)
}

pub(super) fn id(objects: &[RawObject<'_>], block: u32) -> String {
    raw_id(objects, block).get().to_owned()
}

/// The time of the job's end, empty while it runs.
pub(super) fn ended(state: &JobState) -> String {
    state.ended.map(|ended| ended.to_string()).unwrap_or_default()
}

/// What serialises without a failure.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
