//! Which run's blocks are next on which thread.
//!
//! Runs with work to share wait in one queue, each as a ticket, and their owners take turns. A
//! worker (a job of the rayon pool; at most one per thread, and none when there is nothing to do)
//! takes the first ticket and serves that run for a session: it claims blocks, runs them, and goes
//! on at once with a block that became ready; the others it keeps on a stack of its own, and
//! offers half of them when another worker is idle. While other runs are in the queue, a session
//! ends after a few blocks and the run goes to the back: a run of three blocks never waits behind
//! one of ten thousand. There is no coordinator, and no message is sent for a block.
//!
//! An owner who has work and no worker, while all threads are taken by others, gets a worker on
//! a thread of its own: it serves such owners until there are none.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::run::RunState;
use super::session::Session;
use super::threads::Threads;
use super::turns::{MAX_EXTRA, Turns};
use super::waiting::Waiting;
use super::wires::Claim;
use super::{EngineOptions, Event, Run, RunOptions};
use crate::block::OwnerId;
use crate::block::ledger::Ledger;
use crate::guard;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, thread};
use crate::workflow::Plan;

/// Runs plans on a pool of threads that all its runs share. Cheap to clone.
///
/// ```
/// use eeg_workflow_core::engine::{Engine, EngineOptions, RunOptions, RunStatus};
/// use eeg_workflow_core::module::{Module, ModuleRegistry};
/// use eeg_workflow_core::workflow::{BlockIndex, Workflow};
///
/// let mut registry = ModuleRegistry::new();
/// registry.register(Module::new("Lab").function("Six", [], "n", || Ok(6_i64))?)?;
/// let workflow = Workflow::from_json(r#"{"blocks": [{"id": 1, "type": "Six", "module": "Lab"}]}"#)?;
/// let engine = Engine::new(EngineOptions::default())?;
/// let report = engine.start(&workflow.plan(&registry)?, RunOptions::default()).wait();
/// assert_eq!(report.status(), RunStatus::Completed);
/// assert_eq!(report.output(BlockIndex(0), 0), Some(&6_i64.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Shared>);

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The threads could not be started.
    #[error("the engine's threads could not be started")]
    Threads(#[from] rayon_core::ThreadPoolBuildError),
}

/// What an engine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Threads for blocks that compute.
    pub threads: usize,
    /// Runs that go on.
    pub running: usize,
    /// Runs that wait for their turn.
    pub queued: usize,
    /// Bytes that outputs hold.
    pub memory_held: usize,
    /// The most bytes that outputs ever held.
    pub memory_peak: usize,
}

pub(super) struct Shared {
    pool: Threads,
    pub(super) threads: usize,
    max_runs: usize,
    queue: Mutex<Queue>,
    /// How many tickets are in the queue, to look without the lock.
    tickets: AtomicUsize,
    /// Workers that are at work or about to be.
    workers: AtomicUsize,
    pub(super) ledger: Arc<Ledger>,
    pub(super) waiting: Waiting,
}

#[derive(Default)]
struct Queue {
    tickets: Turns<Arc<RunState>>,
    /// Workers beyond the threads, for owners who have none.
    extra: usize,
    /// Whether one of them has not taken its first ticket yet.
    extra_starts: bool,
    /// Runs over the limit, in the order in which they came.
    later: VecDeque<Arc<RunState>>,
    running: usize,
}

impl Engine {
    /// An engine with threads of its own.
    ///
    /// # Errors
    /// The threads could not be started.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let pool = Threads::new(options.threads)?;
        Ok(Self(Arc::new(Shared {
            threads: pool.count(),
            pool,
            max_runs: options.max_runs.max(1),
            queue: Mutex::default(),
            tickets: AtomicUsize::new(0),
            workers: AtomicUsize::new(0),
            ledger: Arc::new(Ledger::new(options.memory_limit, None)),
            waiting: Waiting::new(options.max_waiting.max(1)),
        })))
    }

    /// Starts a plan and returns at once.
    pub fn start(&self, plan: &Plan, options: RunOptions) -> Run {
        let run = RunState::new(Arc::clone(&self.0), plan.clone(), options, Vec::new(), None);
        let run = Arc::new(run);
        self.0.enter(std::iter::once(Arc::clone(&run)));
        Run(run)
    }

    /// Starts many plans at once, for less than starting each by itself.
    pub fn start_all(&self, plans: impl IntoIterator<Item = (Plan, RunOptions)>) -> Vec<Run> {
        let runs: Vec<Run> = plans
            .into_iter()
            .map(|(plan, options)| {
                let engine = Arc::clone(&self.0);
                Run(Arc::new(RunState::new(engine, plan, options, Vec::new(), None)))
            })
            .collect();
        self.0.enter(runs.iter().map(|run| Arc::clone(&run.0)));
        runs
    }

    /// What the engine is doing.
    pub fn statistics(&self) -> Statistics {
        let queue = self.0.queue();
        Statistics {
            threads: self.0.threads,
            running: queue.running,
            queued: queue.later.len(),
            memory_held: self.0.ledger.held(),
            memory_peak: self.0.ledger.peak(),
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Takes runs in, or lets them wait for their turn.
    fn enter(self: &Arc<Self>, runs: impl Iterator<Item = Arc<RunState>>) {
        // Those whose start is to be told before a worker may have them.
        let mut told = Vec::new();
        let mut queue = self.queue();
        for run in runs {
            if queue.running >= self.max_runs && !run.plan().is_empty() {
                queue.later.push_back(run);
                continue;
            }
            queue.running += 1;
            if run.has_listener() || run.plan().is_empty() {
                told.push(run);
            } else {
                queue.tickets.push(run.owner(), run);
            }
        }
        self.tickets.store(queue.tickets.len(), Ordering::Relaxed);
        let unserved = queue.tickets.has_unserved();
        drop(queue);
        for run in told {
            self.begin(&run);
        }
        self.wake(unserved);
    }

    /// Starts a run that has its turn. (A nested run has its outer run's.)
    pub(super) fn begin(self: &Arc<Self>, run: &Arc<RunState>) {
        run.emit(|| Event::RunStarted);
        if run.plan().is_empty() {
            run.finish();
        } else {
            self.offer(run);
        }
    }

    /// A run is over: gives its place up, or gives the run that has it next.
    pub(super) fn leave(&self) -> Option<Arc<RunState>> {
        let mut queue = self.queue();
        // More runs than allowed go on when some that were cancelled skipped the queue.
        let next = if queue.running <= self.max_runs { queue.later.pop_front() } else { None };
        if next.is_none() {
            queue.running = queue.running.saturating_sub(1);
        }
        next
    }

    /// A run that was cancelled need not wait for its turn to end.
    pub(super) fn skip_queue(self: &Arc<Self>, run: &Arc<RunState>) {
        let mut queue = self.queue();
        let place = queue.later.iter().position(|other| Arc::ptr_eq(other, run));
        if let Some(run) = place.and_then(|place| queue.later.remove(place)) {
            queue.running += 1;
            drop(queue);
            self.begin(&run);
        }
    }

    /// Puts a ticket for the run at the back of the queue.
    pub(super) fn offer(self: &Arc<Self>, run: &Arc<RunState>) {
        let mut queue = self.queue();
        queue.tickets.push(run.owner(), Arc::clone(run));
        self.tickets.store(queue.tickets.len(), Ordering::Relaxed);
        let unserved = queue.tickets.has_unserved();
        drop(queue);
        self.wake(unserved);
    }

    /// Whether runs wait for a worker.
    pub(super) fn has_tickets(&self) -> bool {
        self.tickets.load(Ordering::Relaxed) > 0
    }

    /// Whether there is a thread that no worker uses.
    pub(super) fn has_idle_thread(&self) -> bool {
        self.workers.load(Ordering::Relaxed) < self.threads
    }

    /// The next run to serve, after one of `before` was served.
    fn next_ticket(self: &Arc<Self>, before: Option<OwnerId>) -> Option<Arc<RunState>> {
        let mut queue = self.queue();
        if let Some(owner) = before {
            queue.tickets.release(owner);
        }
        let ticket = queue.tickets.pop();
        self.tickets.store(queue.tickets.len(), Ordering::Relaxed);
        self.add_worker(queue);
        ticket
    }

    /// Sees to it that there are workers for the tickets, among which may be some of an owner who
    /// has no worker.
    fn wake(self: &Arc<Self>, unserved: bool) {
        let mut wanted = self.tickets.load(Ordering::Relaxed);
        while wanted > 0 && self.take_place() {
            wanted -= 1;
            let shared = Arc::clone(self);
            self.pool.spawn(move || shared.work());
        }
        if wanted > 0 && unserved {
            self.add_worker(self.queue());
        }
    }

    /// Starts a worker beyond the threads if all are taken and an owner has none of them.
    fn add_worker(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.extra_starts
            || queue.extra >= MAX_EXTRA
            || self.has_idle_thread()
            || !queue.tickets.has_unserved()
        {
            return;
        }
        queue.extra += 1;
        queue.extra_starts = true;
        drop(queue);
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("engine-extra".to_owned());
        if thread.spawn(move || shared.work_extra()).is_err() {
            // The threads come to it, if late.
            let mut queue = self.queue();
            queue.extra -= 1;
            queue.extra_starts = false;
        }
    }

    /// A worker beyond the threads: serves owners who have no other.
    fn work_extra(self: &Arc<Self>) {
        let mut claims = Vec::new();
        let mut before = None;
        loop {
            let mut queue = self.queue();
            match before {
                Some(owner) => queue.tickets.release(owner),
                None => queue.extra_starts = false,
            }
            let Some(run) = queue.tickets.pop_unserved() else {
                queue.extra -= 1;
                return;
            };
            self.tickets.store(queue.tickets.len(), Ordering::Relaxed);
            self.add_worker(queue);
            before = Some(run.owner());
            claims = self.serve(run, claims);
        }
    }

    /// Serves a run for a session, and gives the empty list back.
    fn serve(self: &Arc<Self>, run: Arc<RunState>, claims: Vec<Claim>) -> Vec<Claim> {
        let (run, claims) = Session::new(self, run, claims).serve();
        // The last holder of the run drops its report, with values of blocks in it.
        guard::discard(run);
        claims
    }

    fn take_place(&self) -> bool {
        let more = |workers| (workers < self.threads).then_some(workers + 1);
        self.workers.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_ok()
    }

    /// A worker: serves runs until the queue is empty.
    fn work(self: &Arc<Self>) {
        thread::thread_local! {
            static AT_WORK: Cell<bool> = const { Cell::new(false) };
        }
        // A block that waits for rayon work of its own may be given this job by the pool. Then
        // it serves one ticket only, so that the block below goes on soon.
        let nested = AT_WORK.with(|at_work| at_work.replace(true));
        let mut claims = Vec::new();
        let mut before = None;
        loop {
            while let Some(run) = self.next_ticket(before.take()) {
                before = Some(run.owner());
                claims = self.serve(run, claims);
                if nested {
                    break;
                }
            }
            if let Some(owner) = before.take() {
                self.queue().tickets.release(owner);
            }
            self.workers.fetch_sub(1, Ordering::AcqRel);
            if nested {
                self.wake(false);
                break;
            }
            // A ticket that came before the place was given up has seen no free place.
            if self.queue().tickets.len() == 0 || !self.take_place() {
                break;
            }
        }
        AT_WORK.with(|at_work| at_work.set(nested));
    }
}

/// Runs a block that waited on a thread of its own, and offers what became ready.
pub(super) fn execute_waiting(run: &Arc<RunState>, claim: Claim) {
    let mut ready = Vec::new();
    run.execute(claim, |claim| ready.push(claim));
    if !ready.is_empty() {
        let mut offered = run.offered.lock();
        offered.append(&mut ready);
        drop(offered);
        run.engine.offer(run);
    }
    run.count_over(1);
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.statistics()).finish()
    }
}
