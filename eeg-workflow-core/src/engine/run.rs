//! One run: its state, from its start to its report.

mod bell;
mod execute;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use self::bell::Bell;
use super::report::{Ending, Notes, Trouble};
use super::scheduler::Shared;
use super::wires::{Claim, Wires};
use super::{Event, Keep, Listener, Report, RunOptions, RunStatus};
use crate::block::ledger::Ledger;
use crate::block::{
    BlockErrorKind, BlockHost, Execution, FileRoots, OwnerId, Slot, Stop, Takers, Value,
};
use crate::deadline::Deadline;
use crate::guard;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::workflow::{BlockIndex, Plan};

/// A run that was started. Dropping it does not stop the run.
#[derive(Clone)]
pub struct Run(pub(super) Arc<RunState>);

impl Run {
    /// Asks the run to stop: no further block is started, and blocks that ask are told.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.bell.ring();
        self.0.engine.skip_queue(&self.0);
    }

    /// Waits until the run is over.
    ///
    /// Not for the threads of a rayon pool: a block that needs another run's result runs it
    /// with [`nested::run`](super::nested::run).
    pub fn wait(&self) -> Report {
        self.0.bell.wait(|| self.0.report.get().cloned())
    }

    /// Whether the run is over.
    pub fn is_finished(&self) -> bool {
        self.0.report.get().is_some()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

pub(super) struct RunState {
    pub(super) wires: Wires,
    pub(super) engine: Arc<Shared>,
    /// Claims that any worker may take.
    pub(super) offered: Mutex<Vec<Claim>>,
    unfinished: AtomicUsize,
    listener: Option<Arc<dyn Listener>>,
    keep: Keep,
    files: Option<FileRoots>,
    owner: OwnerId,
    block_deadline: Option<Duration>,
    deadline: Deadline,
    ledger: Option<Arc<Ledger>>,
    started: Instant,
    cancelled: AtomicBool,
    /// Whether a block failed or was not run.
    troubled: AtomicBool,
    /// For each block the failed one behind which it lies, once there is one.
    causes: OnceLock<Box<[AtomicU32]>>,
    notes: Mutex<Notes>,
    report: OnceLock<Report>,
    bell: Bell,
    parent: Option<Parent>,
}

/// The block, in its run, inside which a nested run goes on.
pub(super) struct Parent {
    pub(super) run: Arc<RunState>,
    pub(super) block: u32,
    pub(super) depth: usize,
}

impl RunState {
    pub(super) fn new(
        engine: Arc<Shared>,
        plan: Plan,
        options: RunOptions,
        feeds: Vec<(usize, Value)>,
        parent: Option<Parent>,
    ) -> Self {
        let blocks = plan.len();
        let mut wires = Wires::new(plan);
        for (slot, value) in feeds {
            wires.feed(slot, Slot { value, charge: None });
        }
        let mut offered = Vec::new();
        for (block, values) in &options.restored {
            offered.append(&mut wires.restore(block.0, values));
        }
        let started = Instant::now();
        let ledger = options
            .memory_limit
            .map(|limit| Arc::new(Ledger::new(Some(limit), Some(Arc::clone(&engine.ledger)))));
        Self {
            unfinished: AtomicUsize::new(blocks),
            wires,
            engine,
            offered: Mutex::new(offered),
            listener: options.listener,
            keep: options.keep,
            files: options.files,
            owner: options.owner,
            block_deadline: options.block_deadline,
            deadline: options
                .deadline
                .map_or(Deadline::NEVER, |length| Deadline::from_start(started, length)),
            ledger,
            started,
            cancelled: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            causes: OnceLock::new(),
            notes: Mutex::default(),
            report: OnceLock::new(),
            bell: Bell::default(),
            parent,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        self.wires.plan()
    }

    pub(super) fn owner(&self) -> OwnerId {
        self.owner
    }

    pub(super) fn depth(&self) -> usize {
        self.parent.as_ref().map_or(0, |parent| parent.depth)
    }

    pub(super) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.listener {
            // A listener that panics must not take a worker and the run with it.
            let _ = guard::call(|| listener.event(event()));
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock()
    }

    /// Counts blocks as over; with the last one, so is the run.
    pub(super) fn count_over(&self, blocks: usize) {
        if blocks > 0 && self.unfinished.fetch_sub(blocks, Ordering::AcqRel) == blocks {
            self.finish();
        }
    }

    pub(super) fn finish(&self) {
        let notes = std::mem::take(&mut *self.notes());
        let failed = notes.troubles.values().any(|trouble| {
            matches!(trouble, Trouble::Failed(_) | Trouble::Cancelled(Stop::TimedOut(_)))
        });
        let cancelled = notes.troubles.values().any(|trouble| match trouble {
            Trouble::Cancelled(stop) => *stop == Stop::Cancelled,
            Trouble::Failed(error) => error.kind() == BlockErrorKind::Cancelled,
            Trouble::Skipped { .. } => false,
        }) && self.cancelled();
        let status = match (cancelled, failed) {
            (true, _) => RunStatus::Cancelled,
            (false, true) => RunStatus::Failed,
            (false, false) => RunStatus::Completed,
        };
        self.emit(|| Event::RunFinished { status });
        let elapsed = self.started.elapsed();
        let next = if self.parent.is_none() { self.engine.leave() } else { None };
        let _ = self.report.set(Report::new(Ending {
            plan: self.plan().clone(),
            status,
            elapsed,
            notes,
        }));
        self.bell.ring();
        if let Some(next) = next {
            self.engine.begin(&next);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
            || self.parent.as_ref().is_some_and(|parent| parent.run.cancelled())
    }

    /// Whether somebody is told of the run's events.
    pub(super) fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// The run inside which this one is nested, or itself.
    fn outermost(&self) -> &Self {
        self.parent.as_ref().map_or(self, |parent| parent.run.outermost())
    }

    /// Its deadline, or an earlier one of a run inside which it is nested.
    fn whole_deadline(&self) -> Deadline {
        let outer = self.parent.as_ref().map(|parent| parent.run.whole_deadline());
        self.deadline.earlier(outer.unwrap_or_default())
    }

    fn stop(&self) -> Option<Stop> {
        if self.cancelled.load(Ordering::Acquire) {
            return Some(Stop::Cancelled);
        }
        self.deadline
            .passed()
            .map(Stop::TimedOut)
            .or_else(|| self.parent.as_ref().and_then(|parent| parent.run.stop()))
    }
}

/// For `Arc`, so that a nested run can hold on to its outer one.
impl BlockHost for Arc<RunState> {
    fn stop(&self) -> Option<Stop> {
        RunState::stop(self)
    }

    fn sleep(&self, length: Option<Duration>) -> Option<Stop> {
        let end = Deadline::after_or_never(length).earlier(self.whole_deadline());
        // Whoever cancels a run rings the bell of the outermost one, so all sleep on that.
        self.outermost().bell.wait_until(|| RunState::stop(self), end)
    }

    fn progress(&self, block: u32, fraction: f64) {
        self.emit(|| Event::BlockProgress { block: BlockIndex(block), fraction });
    }

    fn log(&self, block: u32, line: &str) {
        match &self.parent {
            Some(parent) => parent.run.log(parent.block, line),
            None => self.emit(|| Event::BlockLog { block: BlockIndex(block), line: line.into() }),
        }
    }

    fn files(&self) -> Option<&FileRoots> {
        self.files.as_ref().or_else(|| self.parent.as_ref().and_then(|parent| parent.run.files()))
    }

    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn takers(&self, block: u32, output: usize) -> Takers {
        // What a nested run keeps, its block passes on.
        let kept = self.keeps(block, output);
        let mut takers = Takers { native: kept, foreign: kept && self.parent.is_some() };
        for delivery in self.plan().deliveries(block) {
            if usize::from(delivery.output) != output {
                continue;
            }
            let Some(target) = self.plan().node(delivery.target) else { continue };
            let checks = target.block.spec().checks_own_values();
            // A block that waits may pass the value on to one of either sort.
            takers.native |= !checks;
            takers.foreign |= checks || target.block.spec().execution() == Execution::Wait;
        }
        takers
    }
}
