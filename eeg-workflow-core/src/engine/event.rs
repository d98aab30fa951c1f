//! What happens in a run, as it happens.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::block::{BlockError, Display, Stop, Value};
use crate::workflow::BlockIndex;

/// Something that happened in a run.
///
/// A block's events come in their order; those of blocks that run at the same time are mixed.
/// Each block ends with exactly one of finished, failed, skipped or cancelled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The run left the engine's queue.
    RunStarted,
    /// A block's inputs are there, and it runs.
    BlockStarted {
        /// The block.
        block: BlockIndex,
    },
    /// A block says how far it is.
    BlockProgress {
        /// The block.
        block: BlockIndex,
        /// From 0 to 1.
        fraction: f64,
    },
    /// A block wrote a line to its log.
    BlockLog {
        /// The block.
        block: BlockIndex,
        /// The line.
        line: Arc<str>,
    },
    /// A block is done.
    BlockFinished {
        /// The block.
        block: BlockIndex,
        /// What it shows.
        display: Option<Arc<Display>>,
        /// All its outputs, when they are plain and small; a listener that keeps them does not
        /// keep a block from changing large data in place.
        outputs: Option<Arc<[Value]>>,
        /// How long it ran.
        elapsed: Duration,
    },
    /// A block failed.
    BlockFailed {
        /// The block.
        block: BlockIndex,
        /// Why.
        error: Arc<BlockError>,
        /// How long it ran.
        elapsed: Duration,
    },
    /// A block was not run because a block before it failed.
    BlockSkipped {
        /// The block.
        block: BlockIndex,
        /// The block that failed.
        cause: BlockIndex,
    },
    /// A block was not run because the run had to stop.
    BlockCancelled {
        /// The block.
        block: BlockIndex,
        /// Why.
        stop: Stop,
    },
    /// The run is over. Always the last event.
    RunFinished {
        /// How it ended.
        status: RunStatus,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunStatus {
    /// Every block finished.
    Completed,
    /// A block failed, or the run's deadline passed.
    Failed,
    /// The run was cancelled before its last block.
    Cancelled,
}

/// Whoever is told of a run's events, on the threads that run its blocks: be quick.
pub trait Listener: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync + 'static> Listener for F {
    fn event(&self, event: Event) {
        self(event);
    }
}

/// A channel of events. Events that nobody will receive are dropped.
impl Listener for Sender<Event> {
    fn event(&self, event: Event) {
        let _ = self.send(event);
    }
}
