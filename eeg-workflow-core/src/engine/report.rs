//! What came of a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::RunStatus;
use crate::block::{BlockError, Display, Stop, Value};
use crate::workflow::BlockIndex;

/// What came of a run: how each block ended, what it showed, and the outputs that were kept.
/// Cheap to clone.
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

/// What is noted of a run while it goes on: only what is out of the ordinary, or kept.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) troubles: FxHashMap<u32, Trouble>,
    pub(super) displays: FxHashMap<u32, Arc<Display>>,
    pub(super) outputs: FxHashMap<(u32, u16), Value>,
}

pub(super) enum Trouble {
    Failed(Arc<BlockError>),
    Skipped { cause: u32 },
    Cancelled(Stop),
}

pub(super) struct Ending {
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

    /// How a block ended.
    pub fn outcome(&self, block: BlockIndex) -> Outcome<'_> {
        match self.0.notes.troubles.get(&block.0) {
            None => Outcome::Finished,
            Some(Trouble::Failed(error)) => Outcome::Failed(error),
            Some(Trouble::Skipped { cause }) => Outcome::Skipped { cause: BlockIndex(*cause) },
            Some(Trouble::Cancelled(stop)) => Outcome::Cancelled(*stop),
        }
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
        self.0.notes.displays.get(&block.0)
    }

    /// An output of a block, by its position, if it was kept, [as this program takes
    /// it](Value::native).
    pub fn output(&self, block: BlockIndex, output: usize) -> Option<&Value> {
        self.kept(block, output).map(Value::native)
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
