//! One run: its state, and what happens around one block.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::report::{Ending, Notes, Trouble};
use super::scheduler::Shared;
use super::wires::{Claim, Wires};
use super::{Event, Keep, Listener, Report, RunOptions, RunStatus};
use crate::block::ledger::{Charge, Ledger};
use crate::block::{
    BlockError, BlockErrorKind, BlockHost, BlockSpec, Context, Execution, FileRoots, Inputs,
    Outputs, OwnerId, Slot, Stop, Takers, Value,
};
use crate::deadline::Deadline;
use crate::guard;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::workflow::{BlockIndex, Node, Plan};

/// Plain outputs beyond this size are not put into events.
const LARGE: usize = 64 << 10;
/// Values smaller than this are not accounted for.
const SMALL: usize = 1 << 10;

/// A run that was started. Dropping it does not stop the run.
#[derive(Clone)]
pub struct Run(pub(super) Arc<RunState>);

impl Run {
    /// Asks the run to stop: no further block is started, and blocks that ask are told.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.bell.ring();
        self.0.engine.hurry(&self.0);
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

/// What each output holds of the memory; empty where all are small.
type Charges = Vec<Option<Arc<Charge>>>;

/// What came of a block that did its work.
struct Done {
    outputs: Outputs,
    charges: Charges,
    /// The outputs for an event.
    plain: Option<Arc<[Value]>>,
}

const NO_CAUSE: u32 = u32::MAX;

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

    /// Runs the claimed block, or finds that it is not to be run, and hands its outputs on.
    pub(super) fn execute(self: &Arc<Self>, mut claim: Claim, ready: impl FnMut(Claim)) {
        let block = claim.block();
        let Some(node) = self.plan().node(block) else { return };
        if self.wires.is_restored(&claim) {
            return;
        }
        if self.troubled.load(Ordering::Relaxed)
            && let Some(cause) = self.cause_of(block)
        {
            self.emit(|| Event::BlockSkipped {
                block: BlockIndex(block),
                cause: BlockIndex(cause),
            });
            self.give_up(claim, Trouble::Skipped { cause }, ready);
            return;
        }
        if let Some(stop) = self.stop() {
            self.emit(|| Event::BlockCancelled { block: BlockIndex(block), stop });
            self.give_up(claim, Trouble::Cancelled(stop), ready);
            return;
        }

        self.emit(|| Event::BlockStarted { block: BlockIndex(block) });
        let timed = self.listener.is_some() || self.block_deadline.is_some();
        let start = timed.then(Instant::now);
        let result = guard::call(|| self.attempt(node, &mut claim, start));
        let elapsed = || start.map_or(Duration::ZERO, |start| start.elapsed());
        match result {
            Ok(Ok(done)) => self.hand_on(claim, done, elapsed, ready),
            Ok(Err(error)) => self.fail(claim, error, elapsed(), ready),
            Err(panic) => self.fail(claim, panic.into_error(), elapsed(), ready),
        }
    }

    /// All that is somebody else's code: the block's own, and its values'.
    fn attempt(
        self: &Arc<Self>,
        node: &Node,
        claim: &mut Claim,
        start: Option<Instant>,
    ) -> Result<Done, BlockError> {
        let block = claim.block();
        let deadline = start
            .zip(self.block_deadline)
            .map_or(Deadline::NEVER, |(start, length)| Deadline::from_start(start, length));
        let spec = node.block.spec();
        let slots = self.wires.inputs(claim);
        let plan = self.plan();
        let inputs = Inputs::new(spec, slots, plan.slot_ports(plan.slots(block)));
        let cx = Context { spec, parameters: &node.parameters, host: self, block, deadline };
        let outputs = node.block.run(&cx, inputs)?;
        // What the block left of its inputs is given back before its outputs are counted.
        self.wires.inputs(claim).fill_with(Slot::default);
        let charges = self.accept(block, &outputs, spec, deadline)?;
        let plain = if self.listener.is_some() { small_and_plain(&outputs.values) } else { None };
        Ok(Done { outputs, charges, plain })
    }

    #[cold]
    fn fail(&self, claim: Claim, error: BlockError, elapsed: Duration, ready: impl FnMut(Claim)) {
        let error = Arc::new(error);
        self.emit(|| Event::BlockFailed {
            block: BlockIndex(claim.block()),
            error: Arc::clone(&error),
            elapsed,
        });
        self.give_up(claim, Trouble::Failed(error), ready);
    }

    /// Whether the outputs are in time, as many as declared, and fit into memory.
    fn accept(
        &self,
        block: u32,
        outputs: &Outputs,
        spec: &BlockSpec,
        deadline: Deadline,
    ) -> Result<Charges, BlockError> {
        if let Some(length) = deadline.passed() {
            return Err(Stop::TimedOut(length).into());
        }
        let (given, declared) = (outputs.values.len(), spec.outputs().len());
        if given != declared {
            return Err(BlockError::new(format!(
                "the block gave {given} outputs and declares {declared}"
            )));
        }
        let mut charges = Vec::new();
        for (at, value) in outputs.values.iter().enumerate() {
            let bytes = value.byte_size();
            if bytes < SMALL || !(self.is_taken(block, at) || self.keeps(block, at)) {
                continue;
            }
            charges.resize_with(at, || None);
            charges.push(Some(Arc::new(self.charge(bytes)?)));
        }
        Ok(charges)
    }

    fn charge(&self, bytes: usize) -> Result<Charge, BlockError> {
        let ledger = self.ledger.as_ref().unwrap_or(&self.engine.ledger);
        ledger.charge(bytes).map_err(|exceeded| {
            let message = format!(
                "an output of {bytes} bytes would exceed the limit on memory ({} of {} bytes are \
                 held)",
                exceeded.held, exceeded.limit
            );
            BlockError::of(BlockErrorKind::Memory, message)
        })
    }

    /// Whether an edge takes the output.
    fn is_taken(&self, block: u32, output: usize) -> bool {
        self.plan().deliveries(block).iter().any(|delivery| usize::from(delivery.output) == output)
    }

    fn keeps(&self, block: u32, output: usize) -> bool {
        match &self.keep {
            Keep::None => false,
            Keep::All => true,
            Keep::Leaves => !self.is_taken(block, output),
            Keep::Outputs(kept) => kept.contains(&(BlockIndex(block), output)),
        }
    }

    fn hand_on(
        &self,
        claim: Claim,
        Done { mut outputs, charges, plain }: Done,
        elapsed: impl FnOnce() -> Duration,
        ready: impl FnMut(Claim),
    ) {
        let block = claim.block();
        let display = outputs.display.take().map(|display| Arc::new(*display));
        if let Some(display) = &display {
            self.notes().displays.insert(block, Arc::clone(display));
        }
        if self.keep != Keep::None {
            for (at, value) in (0..).zip(&outputs.values) {
                if self.keeps(block, usize::from(at)) {
                    self.notes().outputs.insert((block, at), value.clone());
                }
            }
        }
        self.emit(|| Event::BlockFinished {
            block: BlockIndex(block),
            display,
            outputs: plain,
            elapsed: elapsed(),
        });
        let slot = |delivery: &crate::workflow::Delivery, more: bool| {
            let at = usize::from(delivery.output);
            let value = outputs.values.get_mut(at)?;
            let value = if more { value.clone() } else { std::mem::take(value) };
            Some(Slot { value, charge: charges.get(at).cloned().flatten() })
        };
        self.wires.deliver(claim, slot, ready);
        guard::discard(outputs);
    }

    /// Notes that a block did not finish, and marks those behind it.
    #[cold]
    fn give_up(&self, mut claim: Claim, trouble: Trouble, ready: impl FnMut(Claim)) {
        let block = claim.block();
        let cause = match trouble {
            Trouble::Failed(_) => block,
            Trouble::Skipped { cause } => cause,
            // Those behind it find the reason to stop by themselves.
            Trouble::Cancelled(_) => NO_CAUSE,
        };
        for slot in self.wires.inputs(&mut claim) {
            guard::discard(std::mem::take(slot));
        }
        self.notes().troubles.insert(block, trouble);
        if cause != NO_CAUSE {
            let causes = self
                .causes
                .get_or_init(|| (0..self.plan().len()).map(|_| AtomicU32::new(NO_CAUSE)).collect());
            for delivery in self.plan().deliveries(block) {
                if let Some(at) = causes.get(delivery.target as usize) {
                    at.fetch_min(cause, Ordering::Relaxed);
                }
            }
        }
        // The arrivals that follow make both visible to the blocks behind.
        self.troubled.store(true, Ordering::Release);
        self.wires.deliver(claim, |_, _| None, ready);
    }

    fn cause_of(&self, block: u32) -> Option<u32> {
        let cause = self.causes.get()?.get(block as usize)?.load(Ordering::Relaxed);
        (cause != NO_CAUSE).then_some(cause)
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
            let checks = target.block.spec().is_checking_own_values();
            // A block that waits may pass the value on to one of either sort.
            takers.native |= !checks;
            takers.foreign |= checks || target.block.spec().execution_class() == Execution::Wait;
        }
        takers
    }
}

/// The outputs for an event, if a listener may keep them without harm.
fn small_and_plain(values: &[Value]) -> Option<Arc<[Value]>> {
    let fine = |value: &Value| value.is_plain() && value.byte_size() <= LARGE;
    values.iter().all(fine).then(|| values.into())
}

/// Wakes those who wait for a run to end or to be cancelled.
#[derive(Default)]
struct Bell {
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        drop(self.lock.lock());
        self.rung.notify_all();
    }

    /// Waits until there is something, but not beyond the deadline.
    fn wait_until<T>(&self, mut check: impl FnMut() -> Option<T>, end: Deadline) -> Option<T> {
        // Under the lock, so that no ring is missed between the check and the waiting.
        let mut guard = self.lock.lock();
        loop {
            let found = check();
            if found.is_some() || end.has_passed() {
                return found;
            }
            guard = self.rung.wait_until(guard, end);
        }
    }

    fn wait<T>(&self, mut check: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = self.wait_until(&mut check, Deadline::NEVER) {
                return found;
            }
        }
    }
}
