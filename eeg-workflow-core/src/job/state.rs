//! What changes while a job runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::budget::start;
use super::{JobStatus, Log, ModuleUse, Timestamp};
use crate::block::Value;
use crate::engine::RunStatus;

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
    /// The outputs of finished blocks, by the block's position: what a job that is resumed
    /// starts from. Only of a job that has not ended.
    pub saved_outputs: Vec<(u32, Arc<[Value]>)>,
    /// Somebody was told that it is cancelled: it ends as such, also after a crash.
    pub cancel_requested: bool,
    /// How often it was resumed after the process had ended without a shutdown.
    pub resumes: u32,
    /// The modules that it runs with, if any of them is another version than when it was
    /// accepted.
    pub replaced_modules: Vec<ModuleUse>,
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
#[non_exhaustive]
pub enum Phase {
    /// It has not started.
    #[default]
    Waiting,
    /// It runs; how far it says it is, from 0 to 1.
    Running(f32),
    /// It has finished, and shows this.
    Finished(Option<Shown>),
    /// It has failed: why.
    Failed(Arc<str>),
    /// It was not run, because the block at this position failed.
    Skipped(u32),
    /// It was stopped: why.
    Cancelled(Arc<str>),
}

/// What a finished block shows; files by their names in the job's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Shown {
    /// Text. What is too long for the job's details is cut, says so, and names the file that
    /// has more of it.
    Text(Arc<str>),
    /// A picture.
    Graph(Arc<str>),
    /// A file.
    File(Arc<str>),
    /// A table. One that is too large for the job's details has fewer rows; the last one says
    /// so, and names the file that has more of them.
    Table {
        /// The columns' names.
        columns: Arc<[String]>,
        /// The cells, row by row.
        rows: Arc<[Vec<String>]>,
    },
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

impl BlockState {
    /// Bytes of what it shows, says and has logged.
    fn byte_size(&self) -> usize {
        let shown = match &self.phase {
            Phase::Finished(Some(Shown::Text(text))) | Phase::Failed(text) => text.len(),
            Phase::Finished(Some(Shown::Table { columns, rows })) => {
                row_size(columns) + rows.iter().map(|row| row_size(row)).sum::<usize>()
            }
            _ => 0,
        };
        shown + self.log.as_ref().map_or(0, |log| log.byte_size())
    }
}

impl JobState {
    /// Bytes of what its blocks show, say and have logged.
    pub(super) fn details_size(&self) -> usize {
        self.blocks.iter().map(BlockState::byte_size).sum()
    }

    /// Bytes of the outputs that are saved.
    pub(super) fn outputs_size(&self) -> usize {
        let values = self.saved_outputs.iter().flat_map(|(_, values)| values.iter());
        values.map(Value::byte_size).sum()
    }

    /// How a job ends whose run has ended like this.
    pub(super) fn status_after(&self, run: RunStatus) -> JobStatus {
        let failed = |block: &BlockState| matches!(block.phase, Phase::Failed(_));
        match run {
            RunStatus::Cancelled => JobStatus::Cancelled,
            // Somebody was told so.
            _ if self.cancel_requested => JobStatus::Cancelled,
            // A block has failed after all when what it made could not be written.
            RunStatus::Completed if !self.blocks.iter().any(failed) => JobStatus::Completed,
            _ => JobStatus::Failed,
        }
    }

    /// Ends the job; no block runs any more.
    pub(super) fn end(&mut self, status: JobStatus, now: Timestamp) {
        self.status = status;
        self.ended = Some(now);
        self.saved_outputs = Vec::new();
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

    /// Makes the state that of a job which starts again: only finished blocks whose outputs
    /// were saved, and for which `usable` says so, stay as they are.
    pub(super) fn restart(&mut self, usable: impl Fn(u32, &[Value], Option<&Shown>) -> bool) {
        let mut blocks = Vec::new();
        blocks.resize_with(self.blocks.len(), BlockState::default);
        let mut old = std::mem::take(&mut self.blocks);
        self.saved_outputs.retain(|(block, values)| {
            let Ok(index) = usize::try_from(*block) else { return false };
            let (Some(old), Some(new)) = (old.get_mut(index), blocks.get_mut(index)) else {
                return false;
            };
            let Phase::Finished(shown) = &old.phase else { return false };
            let is_usable = usable(*block, values, shown.as_ref());
            if is_usable {
                *new = std::mem::take(old);
            }
            is_usable
        });
        self.blocks = blocks;
        self.status = JobStatus::Queued;
    }

    /// What can be stored of a job whose end the store refuses for good: where its blocks stand,
    /// or not even that if it was reduced before.
    pub(super) fn reduce(&mut self, why: &str) {
        let reason = format!("the job's result cannot be stored: {why}");
        if self.error.as_deref() == Some(reason.as_str()) {
            self.blocks = Vec::new();
        }
        for block in &mut self.blocks {
            block.log = None;
            match &mut block.phase {
                Phase::Finished(shown) => *shown = None,
                Phase::Failed(why) | Phase::Cancelled(why) => *why = start(why, 256).into(),
                _ => {}
            }
        }
        self.saved_outputs = Vec::new();
        self.status = JobStatus::Failed;
        self.error = Some(reason.into());
    }
}

/// Bytes that a row of a table takes, about.
pub(super) fn row_size(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.len() + 4).sum()
}
