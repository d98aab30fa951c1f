//! What came of a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;

use super::RunStatus;
use crate::block::ledger::Charge;
use crate::block::{BlockError, Display, Stop, Value};
use crate::guard;
use crate::workflow::{BlockId, BlockIndex, Plan};

/// What came of a run: how each block ended, what it showed, and the outputs that were kept.
/// Cheap to clone.
///
/// Blocks are named by their ids in the document (the methods `…_of`) or by their positions in
/// it.
#[derive(Clone)]
pub struct Report(Arc<Ending>);

/// How a block ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It is done.
    Finished,
    /// It failed.
    Failed(&'a Arc<BlockError>),
    /// It was not run because a block before it failed.
    Skipped {
        /// The block that failed.
        cause: BlockIndex,
    },
    /// It was not run because the run had to stop.
    Cancelled(Stop),
}

/// Why a report has no such output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoOutput {
    /// The workflow has no such block.
    #[error("the workflow has no block {0}")]
    NoSuchBlock(BlockId),
    /// The block has no such output.
    #[error("block {block} has no output \"{port}\"")]
    NoSuchPort {
        /// The block.
        block: BlockId,
        /// The output that was asked for.
        port: String,
    },
    /// The block did not finish: [`Report::outcome_of`] says why.
    #[error("block {0} did not finish")]
    NotFinished(BlockId),
    /// The run was not asked to keep the output: see [`Keep`](super::Keep).
    #[error("output \"{port}\" of block {block} was not kept")]
    NotKept {
        /// The block.
        block: BlockId,
        /// The output that was asked for.
        port: String,
    },
}

/// What is noted of a run while it goes on: only what is out of the ordinary, or kept.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) troubles: HashMap<u32, Trouble>,
    /// With what they hold of the memory.
    pub(super) displays: HashMap<u32, (Arc<Display>, Option<Charge>)>,
    pub(super) outputs: HashMap<(u32, u16), Value>,
}

/// Kept values are dropped wherever the last report is, by code of whoever made them.
impl Drop for Notes {
    fn drop(&mut self) {
        guard::discard_each(self.outputs.drain());
    }
}

pub(super) enum Trouble {
    Failed(Arc<BlockError>),
    Skipped { cause: u32 },
    Cancelled(Stop),
}

pub(super) struct Ending {
    pub(super) plan: Plan,
    pub(super) status: RunStatus,
    pub(super) elapsed: Duration,
    pub(super) notes: Notes,
}

impl Report {
    pub(super) fn new(ending: Ending) -> Self {
        Self(Arc::new(ending))
    }

    /// How the run ended.
    pub fn status(&self) -> RunStatus {
        self.0.status
    }

    /// How long the run took, from its start in the engine to its end.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// The plan that was run.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// How a block ended; none if the plan has no such block.
    pub fn outcome(&self, block: BlockIndex) -> Option<Outcome<'_>> {
        self.0.plan.id(block)?;
        Some(match self.0.notes.troubles.get(&block.0) {
            None => Outcome::Finished,
            Some(Trouble::Failed(error)) => Outcome::Failed(error),
            Some(Trouble::Skipped { cause }) => Outcome::Skipped { cause: BlockIndex(*cause) },
            Some(Trouble::Cancelled(stop)) => Outcome::Cancelled(*stop),
        })
    }

    /// How the block of this id ended; none if the workflow has no such block.
    pub fn outcome_of(&self, block: impl Into<BlockId>) -> Option<Outcome<'_>> {
        self.outcome(self.0.plan.index_of(&block.into())?)
    }

    /// The blocks that failed, with their errors, in the order of the document.
    pub fn failures(&self) -> Vec<(BlockIndex, &Arc<BlockError>)> {
        let mut failures: Vec<_> = self
            .0
            .notes
            .troubles
            .iter()
            .filter_map(|(block, trouble)| match trouble {
                Trouble::Failed(error) => Some((BlockIndex(*block), error)),
                _ => None,
            })
            .collect();
        failures.sort_by_key(|(block, _)| *block);
        failures
    }

    /// What a block showed.
    pub fn display(&self, block: BlockIndex) -> Option<&Arc<Display>> {
        self.0.notes.displays.get(&block.0).map(|(display, _)| display)
    }

    /// An output of a block, by its position, if it was kept, [as this program takes
    /// it](Value::native).
    pub fn output(&self, block: BlockIndex, output: usize) -> Option<&Value> {
        self.kept(block, output).map(Value::native)
    }

    /// What the block of this id showed.
    pub fn display_of(&self, block: impl Into<BlockId>) -> Option<&Arc<Display>> {
        self.display(self.0.plan.index_of(&block.into())?)
    }

    /// An output by the id of its block and the name of its port, [as this program takes
    /// it](Value::native).
    ///
    /// # Errors
    /// There is no such block or output, the block did not finish, or the run was not asked to
    /// keep the output.
    pub fn output_of(&self, block: impl Into<BlockId>, port: &str) -> Result<&Value, NoOutput> {
        let (plan, id) = (&self.0.plan, block.into());
        let Some((index, block)) = plan.index_of(&id).and_then(|i| Some((i, plan.block(i)?)))
        else {
            return Err(NoOutput::NoSuchBlock(id));
        };
        let Some(position) = block.spec().output_index(port) else {
            return Err(NoOutput::NoSuchPort { block: id, port: port.to_owned() });
        };
        match self.outcome(index) {
            Some(Outcome::Finished) => self
                .output(index, position)
                .ok_or_else(|| NoOutput::NotKept { block: id, port: port.to_owned() }),
            _ => Err(NoOutput::NotFinished(id)),
        }
    }

    /// An output as its block gave it.
    pub(crate) fn kept(&self, block: BlockIndex, output: usize) -> Option<&Value> {
        self.0.notes.outputs.get(&(block.0, u16::try_from(output).ok()?))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("status", &self.0.status)
            .field("elapsed", &self.0.elapsed)
            .finish_non_exhaustive()
    }
}
