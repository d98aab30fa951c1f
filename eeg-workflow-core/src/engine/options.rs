//! What can be set of an engine and of a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Listener;
use crate::block::{FileRoots, OwnerId, Value};
use crate::workflow::BlockIndex;

/// Settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Threads for blocks that compute; the number of cores if none is given.
    pub threads: Option<usize>,
    /// Runs at once; further ones wait for their turn.
    pub max_runs: usize,
    /// Bytes that the outputs of all runs may hold; a block whose outputs would exceed it
    /// fails.
    pub memory_limit: Option<usize>,
    /// Blocks at once that wait for something outside, each on a thread of its own.
    pub max_waiting: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { threads: None, max_runs: 1024, memory_limit: None, max_waiting: 256 }
    }
}

/// Settings of one run.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// Whoever is told of the run's events.
    pub listener: Option<Arc<dyn Listener>>,
    /// Which outputs the report keeps.
    pub keep: Keep,
    /// No block is started once the run has lasted this long, and blocks that ask are told to
    /// stop.
    pub deadline: Option<Duration>,
    /// A block that takes longer fails. (A block is not interrupted: it is told when it asks,
    /// and its result is refused when it comes late.)
    pub block_deadline: Option<Duration>,
    /// Bytes that the run's outputs may hold.
    pub memory_limit: Option<usize>,
    /// Where FILE parameters are found.
    pub files: Option<FileRoots>,
    /// Whose run it is: blocks that keep something from run to run, such as a process, keep it
    /// for each owner alone.
    pub owner: OwnerId,
    /// Blocks that finished in an earlier run, with their outputs: they are not run again, and
    /// no events tell of them.
    pub restored: Vec<(BlockIndex, Vec<Value>)>,
}

/// Which outputs a report keeps after the run. What is kept stays in memory, and a block that
/// gets it must copy it before it changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// None.
    None,
    /// Those that no edge takes further.
    #[default]
    Leaves,
    /// All.
    All,
    /// These: blocks with the position of an output.
    Outputs(Vec<(BlockIndex, usize)>),
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("listener", &self.listener.is_some())
            .field("keep", &self.keep)
            .field("deadline", &self.deadline)
            .field("block_deadline", &self.block_deadline)
            .finish_non_exhaustive()
    }
}
