//! A job from its turn to its end, and what all parts of the service share.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::block::{FileRoots, OwnerId};
use crate::engine::{Engine, Event, Keep, Listener, RunOptions, RunStatus};
use crate::guard;
use crate::job::active::{ActiveJob, Save, Work};
use crate::job::background::{Tick, TickerWaker, Worker};
use crate::job::job_folders::JobFolders;
use crate::job::queue::{Limits, Queue};
use crate::job::{
    Job, JobCounts, JobError, JobId, JobOptions, JobProblem, JobStatus, JobStore, PlanSource,
    StoreError,
};
use crate::sync::{Condvar, Mutex};

/// When a worker was killed, the service waits this long for a sign that it is to stop itself:
/// a signal for all processes reaches them in any order.
const STOP_SIGN: Duration = Duration::from_secs(1);
/// How often old jobs are looked for, although nothing has ended.
pub(super) const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

pub(super) struct Shared {
    engine: Engine,
    pub(super) store: Arc<dyn JobStore>,
    pub(super) plans: Arc<dyn PlanSource>,
    pub(super) folders: JobFolders,
    pub(super) options: JobOptions,
    pub(super) queue: Mutex<Queue>,
    /// Notified when nothing runs any more.
    pub(super) idle: Condvar,
    /// Starts jobs, so that no caller and no thread of the store does.
    starter: Worker<()>,
    /// Reads jobs that have waited in the store, and starts them: a large one keeps no other
    /// from starting.
    loader: Worker<Arc<ActiveJob>>,
    pub(super) ticker: TickerWaker,
    /// A job that could not be read waits for another try.
    pub(super) retry: AtomicBool,
    /// Owners of whose jobs some have ended since old ones were deleted.
    to_prune: Mutex<BTreeSet<OwnerId>>,
    pruned: Mutex<Option<Instant>>,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    problems: AtomicU64,
}

impl Shared {
    /// Starts the threads; nothing runs before they are woken.
    pub(super) fn start(
        engine: Engine,
        store: Arc<dyn JobStore>,
        plans: Arc<dyn PlanSource>,
        folders: JobFolders,
        options: JobOptions,
        ticker: TickerWaker,
    ) -> Result<Arc<Self>, JobError> {
        let limits = Limits {
            running: options.max_running.max(1),
            running_of_owner: options.max_running_per_owner.max(1),
            unfinished_of_owner: options.max_unfinished_per_owner,
            running_bytes: options.max_running_bytes,
            loaded_bytes: options.max_waiting_bytes,
        };
        let ((starter, starts), (loader, loads)) = (Worker::new(), Worker::new());
        let shared = Arc::new(Self {
            engine,
            store,
            plans,
            folders,
            options,
            queue: Mutex::new(Queue::new(limits)),
            idle: Condvar::new(),
            starter,
            loader,
            ticker,
            retry: AtomicBool::new(false),
            to_prune: Mutex::default(),
            pruned: Mutex::new(None),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            problems: AtomicU64::new(0),
        });
        // Threads of the service do not keep it.
        let service = Arc::downgrade(&shared);
        let started = starts.start("job-starter", move |_: Vec<()>| {
            service.upgrade().is_some_and(|service| {
                service.start_waiting();
                true
            })
        });
        let service = Arc::downgrade(&shared);
        let loading = loads.start("job-loader", move |jobs: Vec<Arc<ActiveJob>>| {
            service.upgrade().is_some_and(|service| {
                jobs.iter().for_each(|job| service.load_and_start(job));
                true
            })
        });
        started.and(loading).map_err(JobError::Thread)?;
        Ok(shared)
    }

    /// A job waits, or there is room for one.
    pub(super) fn wake(&self) {
        self.starter.send(());
        self.ticker.wake();
    }

    pub(super) fn active(&self, owner: OwnerId, id: JobId) -> Option<Arc<ActiveJob>> {
        self.queue.lock().get(id).filter(|job| job.owner == owner).cloned()
    }

    pub(super) fn stored(&self, owner: OwnerId, id: JobId) -> Result<Option<Job>, JobError> {
        let job = self.told(self.store.get(id))?.filter(|job| job.owner == owner);
        Ok(job.map(|mut job| {
            if !job.state.status.is_final() {
                // It waits: of an earlier run only what is saved counts.
                job.state.restart(|_, _, _| true);
            }
            job
        }))
    }

    /// Tells whoever runs the service of a problem.
    pub(super) fn tell(&self, problem: JobProblem) {
        self.problems.fetch_add(1, Relaxed);
        // It is somebody else's code.
        let _ = guard::call(|| self.options.on_problem.tell(&problem));
    }

    /// The same for an error of the store that is answered to a caller.
    pub(super) fn told<T>(&self, result: Result<T, StoreError>) -> Result<T, JobError> {
        result.map_err(|error| {
            self.tell(JobProblem::Store(error.clone()));
            error.into()
        })
    }

    pub(super) fn counts(&self) -> JobCounts {
        let queue = self.queue.lock();
        JobCounts {
            queued: queue.waiting().try_into().unwrap_or(u64::MAX),
            running: queue.running().try_into().unwrap_or(u64::MAX),
            completed: self.completed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
        }
    }

    pub(super) fn problems(&self) -> u64 {
        self.problems.load(Relaxed)
    }

    fn count(&self, status: JobStatus) {
        let counter = match status {
            JobStatus::Completed => &self.completed,
            JobStatus::Cancelled => &self.cancelled,
            _ => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Starts the jobs whose turn it is.
    fn start_waiting(self: &Arc<Self>) {
        loop {
            let Some(job) = self.queue.lock().next() else { return };
            match job.work() {
                Some(work) => self.run(&job, &work),
                None => self.loader.send(job),
            }
        }
    }

    pub(super) fn fail(self: &Arc<Self>, job: &Arc<ActiveJob>, why: String) {
        job.set_error(why);
        self.finish(job, RunStatus::Failed, true);
    }

    pub(super) fn run(self: &Arc<Self>, job: &Arc<ActiveJob>, work: &Work) {
        let started = guard::call(|| {
            let listener = JobListener { job: Arc::clone(job), service: Arc::clone(self) };
            let options = RunOptions {
                listener: Some(Arc::new(listener)),
                keep: Keep::None,
                deadline: self.options.run_deadline,
                block_deadline: self.options.block_deadline,
                memory_limit: self.options.memory_limit,
                files: self.files_of(job.owner),
                owner: job.owner,
                restored: job.restored(),
            };
            job.attach(self.engine.start(&work.plan, options));
        });
        if let Err(panic) = started {
            self.fail(job, format!("the job cannot be started: {panic}"));
        }
    }

    /// Where the owner's jobs find their files.
    fn files_of(&self, owner: OwnerId) -> Option<FileRoots> {
        let own = FileRoots::new(self.options.files.as_ref()?.join(owner.to_string()));
        Some(match &self.options.shared_files {
            Some(shared) => own.with_shared(shared),
            None => own,
        })
    }

    /// A job's run has ended.
    fn run_ended(self: &Arc<Self>, job: &Arc<ActiveJob>, run: RunStatus) {
        if run == RunStatus::Failed && job.has_lost_worker() && !self.abandon_if_stopped(job) {
            if let Some(until) = Instant::now().checked_add(STOP_SIGN) {
                job.hold_end(run, until);
            }
            self.ticker.wake();
            return;
        }
        self.finish(job, run, true);
    }

    /// When the service is to stop, what killed a worker was meant for all of them: the job is
    /// left to the next start.
    fn abandon_if_stopped(&self, job: &ActiveJob) -> bool {
        let is_stopped = self.queue.lock().is_stopped();
        if is_stopped && let Some(saved) = job.abandon(&*self.store) {
            self.follow_abandoned(job.id, saved.wait());
        }
        is_stopped
    }

    fn follow_abandoned(&self, job: JobId, saved: Result<(), StoreError>) {
        if let Err(source) = saved {
            self.tell(JobProblem::NotSaved { job, source });
        }
    }

    /// The job's run has ended, or it will not be started.
    pub(super) fn finish(
        self: &Arc<Self>,
        job: &Arc<ActiveJob>,
        run: RunStatus,
        was_running: bool,
    ) {
        if !job.leave() {
            return;
        }
        if let Some(save) = job.finish(run, &*self.store) {
            self.follow(Arc::clone(job), save);
        }
        let mut queue = self.queue.lock();
        if was_running {
            queue.release_running(job);
        } else {
            queue.release(job.owner);
        }
        if queue.is_idle() {
            self.idle.notify_all();
        }
        drop(queue);
        self.starter.send(());
    }

    /// Sees to it that a state which the store could not keep is tried again, and that a job
    /// leaves the memory when its end is durable.
    fn follow(self: &Arc<Self>, job: Arc<ActiveJob>, save: Save) {
        let service = Arc::clone(self);
        drop(save.pending.map(move |saved| {
            match &saved {
                Ok(()) => {
                    if let Some(status) = job.settle(save.status) {
                        service.settled(&job, status);
                    }
                }
                Err(error) => {
                    if job.not_saved(error) {
                        let (job, source) = (job.id, error.clone());
                        service.tell(JobProblem::NotSaved { job, source });
                    }
                    service.ticker.wake();
                }
            }
            saved
        }));
    }

    /// The job's end is durable.
    fn settled(&self, job: &ActiveJob, status: JobStatus) {
        self.count(status);
        self.queue.lock().forget(job.id);
        if !self.options.retention.keeps_all() {
            self.to_prune.lock().insert(job.owner);
            self.ticker.wake();
        }
    }

    /// What has to be done from time to time.
    pub(super) fn tick(self: &Arc<Self>) -> Tick {
        let jobs = self.queue.lock().all();
        for job in jobs {
            if let Some(run) = job.take_held_end() {
                self.abandon_if_stopped(&job);
                self.finish(&job, run, true);
            }
            if let Some(save) = job.save_progress(self.options.save_interval, &*self.store) {
                self.follow(job, save);
            }
        }
        if self.retry.swap(false, Relaxed) {
            self.starter.send(());
        }
        self.prune_some();
        if self.queue.lock().is_empty() { Tick::Sleep } else { Tick::Again }
    }

    /// Deletes old jobs of those owners whose jobs have ended, and from time to time of all.
    fn prune_some(&self) {
        if self.options.retention.keeps_all() {
            return;
        }
        let mut pruned = self.pruned.lock();
        let all = pruned.is_none_or(|last| last.elapsed() >= PRUNE_INTERVAL);
        let owners = std::mem::take(&mut *self.to_prune.lock());
        if all {
            *pruned = Some(Instant::now());
        }
        drop(pruned);
        // What fails was told, and is tried again when something ends.
        let _ = if all {
            self.prune_all()
        } else {
            owners.iter().map(|owner| self.prune(*owner, self.options.retention)).sum()
        };
    }
}

/// Notes a run's events in its job.
struct JobListener {
    job: Arc<ActiveJob>,
    service: Arc<Shared>,
}

impl Listener for JobListener {
    fn event(&self, event: Event) {
        if let Event::RunFinished { status } = event {
            return self.service.run_ended(&self.job, status);
        }
        let has_started = matches!(event, Event::BlockStarted { .. });
        self.job.record(event);
        // If this block ends the process, it is known which it was.
        if has_started
            && self.job.is_resumed
            && let Some(save) = self.job.save_progress(Duration::ZERO, &*self.service.store)
        {
            self.service.follow(Arc::clone(&self.job), save);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue.lock();
        f.debug_struct("Shared")
            .field("options", &self.options)
            .field("running", &queue.running())
            .field("waiting", &queue.waiting())
            .finish_non_exhaustive()
    }
}
