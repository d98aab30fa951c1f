//! The job service: takes workflows, stores them, runs them, and remembers what came of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::artifact::ArtifactFolder;
use super::dispatcher::{self, Dispatcher};
use super::events::Subscription;
use super::keeper::Keeper;
use super::live::{CancelRequest, Live, Save};
use super::options::JobOptions;
use super::outcome::{Cancellation, Deletion, JobCounts};
use super::queue::{Limits, Queue};
use super::{
    Job, JobError, JobId, JobState, JobStatus, JobStore, JobSummary, Modules, NewJob, Pending,
    Phase, Shown, StoreError, SubmitError, Timestamp,
};
use crate::block::{FileRoots, OwnerId};
use crate::deadline::Deadline;
use crate::engine::{Engine, Event, Keep, Listener, RunOptions, RunStatus};
use crate::guard;
use crate::sync::{Condvar, Mutex};
use crate::workflow::{BlockIndex, InvalidWorkflow, Severity, Workflow};

/// Runs jobs and remembers them. All methods may be called from many threads at once; those
/// that give a `Result` may wait for the disk.
///
/// Dropping the service lets running jobs go on for as long as the engine does;
/// [`JobService::shutdown`] ends it in order.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use eeg_workflow_core::block::OwnerId;
/// use eeg_workflow_core::engine::{Engine, EngineOptions};
/// use eeg_workflow_core::job::{JobOptions, JobService, MemoryStore};
/// use eeg_workflow_core::module::{Module, ModuleRegistry};
/// use eeg_workflow_core::workflow::Workflow;
///
/// let mut modules = ModuleRegistry::new();
/// modules.register(Module::new("Lab.zip:Lab").function("Two", [], "out", || Ok(2.0))?)?;
/// let folder = tempfile::tempdir()?;
/// let options =
///     JobOptions { artifacts: folder.path().join("artifacts"), ..JobOptions::default() };
/// let engine = Engine::new(EngineOptions::default())?;
/// let store = Arc::new(MemoryStore::new());
/// let jobs = JobService::open(engine, store, Arc::new(modules), options)?;
///
/// let owner = OwnerId(1);
/// let workflow = Workflow::from_json(
///     r#"{"blocks": [{"id": 1, "type": "Two", "module": "Lab.zip:Lab"}], "edges": []}"#,
/// )?;
/// let id = jobs.submit(owner, workflow)?.wait()?;
/// for event in jobs.subscribe(owner, id, 0)?.into_iter().flatten() {
///     println!("{} {} {}", event.number, event.name, event.data);
/// }
/// let details = jobs.details(owner, id)?.unwrap_or_default();
/// assert!(details.ends_with(r#""status":"COMPLETED"}"#));
/// jobs.shutdown(Duration::from_secs(10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JobService {
    inner: Arc<Inner>,
    keeper: Keeper,
}

pub(super) struct Inner {
    engine: Engine,
    pub(super) store: Arc<dyn JobStore>,
    modules: Arc<dyn Modules>,
    dispatcher: Dispatcher,
    artifacts: ArtifactFolder,
    pub(super) options: JobOptions,
    pub(super) queue: Mutex<Queue>,
    /// Notified when nothing runs any more.
    idle: Condvar,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    problems: AtomicU64,
}

impl JobService {
    /// Opens the service, and takes up every job of the store that has not ended, in the order
    /// in which they came. A job whose workflow cannot be planned any more has failed, and
    /// says why. Blocks whose outputs were kept are not run again, unless the modules that the
    /// job uses have changed.
    ///
    /// # Errors
    /// The store or the folder of artifacts cannot be used.
    pub fn open(
        engine: Engine,
        store: Arc<dyn JobStore>,
        modules: Arc<dyn Modules>,
        options: JobOptions,
    ) -> Result<Self, JobError> {
        let folder = options.artifacts.clone();
        let artifacts = ArtifactFolder::open(folder.clone())
            .map_err(|source| JobError::Artifacts { folder, source })?;
        let limits = Limits {
            running: options.max_running.max(1),
            running_of_owner: options.max_running_per_owner.max(1),
            unfinished_of_owner: options.max_unfinished_per_owner,
        };
        let (dispatcher, wakes) = Dispatcher::new();
        let inner = Arc::new(Inner {
            engine,
            store,
            modules,
            dispatcher,
            artifacts,
            options,
            queue: Mutex::new(Queue::new(limits)),
            idle: Condvar::new(),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            problems: AtomicU64::new(0),
        });
        for id in inner.store.unfinished()? {
            inner.resume(id)?;
        }
        let keeper = Keeper::start(&inner)?;
        let service = Self { inner, keeper };
        dispatcher::run(Arc::downgrade(&service.inner), wakes)?;
        service.inner.dispatcher.wake();
        service.keeper.wake();
        Ok(service)
    }

    /// Takes a workflow: plans it, stores it, and starts it as soon as it is durable. What
    /// resolves is the job's number, when it is durable.
    ///
    /// # Errors
    /// The workflow is invalid. What resolves may be an error too: there are too many jobs of
    /// this owner, the service is shutting down, or the store failed; then there is no job.
    pub fn submit(
        &self,
        owner: OwnerId,
        workflow: Workflow,
    ) -> Result<Pending<Result<JobId, SubmitError>>, InvalidWorkflow> {
        let workflow = workflow.compact();
        let (plan, modules) = self.inner.modules.plan(owner, &workflow)?;
        if let Err(error) = self.inner.queue.lock().reserve(owner) {
            return Ok(Pending::ready(Err(error)));
        }
        let started = Timestamp::now();
        let document = workflow.as_json().into();
        let stored = self.inner.store.insert(NewJob { owner, started, document, modules });
        let (inner, keeper) = (Arc::clone(&self.inner), self.keeper.handle());
        Ok(stored.map(move |stored| match stored {
            Err(error) => {
                inner.queue.lock().release(owner, false);
                Err(error.into())
            }
            Ok(id) => {
                let state = JobState::default();
                let job = Live::new(id, owner, started, workflow, plan, state);
                inner.queue.lock().push(Arc::new(job));
                inner.dispatcher.wake();
                keeper.wake();
                Ok(id)
            }
        }))
    }

    /// The job's details as JSON text; none if the owner has no such job.
    ///
    /// `{"workflow", "executionStatus", "startTime", "id", "endTime", "status"}`: the document
    /// to the letter but with each block's state in it, the blocks again, and the times in the
    /// form of C's `asctime`, UTC; then `error`, if the job failed as a whole.
    ///
    /// A block that has not started has only its own fields. Beyond them it has
    /// - `output` when it has finished and shows something;
    /// - `completed`, `error`, `stderr` when it has ended: `true, false, ""` when it has finished,
    ///   `true, true` and the error when it failed; `false, false` and
    ///   `"skipped: block 3 failed"` or `"cancelled"` when it was not run or was stopped;
    /// - `stdout`, when it has logged anything;
    /// - `progress` from 0 to 1, while it runs.
    ///
    /// # Errors
    /// The store failed.
    pub fn details(&self, owner: OwnerId, id: JobId) -> Result<Option<String>, JobError> {
        if let Some(job) = self.inner.live(owner, id) {
            return Ok(Some(job.details()));
        }
        let Some(job) = self.inner.stored(owner, id)? else { return Ok(None) };
        job.details().map(Some).map_err(JobError::Document)
    }

    /// The owner's jobs, newest first: at most `limit` of those before `before`, or of all.
    ///
    /// # Errors
    /// The store failed.
    pub fn list(
        &self,
        owner: OwnerId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, JobError> {
        let mut jobs = self.inner.store.list(owner, before, limit)?;
        let queue = self.inner.queue.lock();
        let live: Vec<_> = jobs.iter().map(|job| queue.get(job.id).cloned()).collect();
        drop(queue);
        for (job, live) in jobs.iter_mut().zip(live) {
            // What is in memory is newer than what was read.
            if let Some(live) = live {
                *job = live.summary();
            } else if !job.status.is_final()
                && let Some(stored) = self.inner.store.get(job.id)?
            {
                // Its end became durable, and it left the memory, after the list was read.
                *job = stored.summary();
            }
        }
        Ok(jobs)
    }

    /// The jobs that have not ended and use modules of the archive of this SHA-256, oldest first,
    /// with their owners.
    ///
    /// # Errors
    /// The store failed.
    pub fn unfinished_with(&self, digest: &str) -> Result<Vec<(OwnerId, JobId)>, JobError> {
        Ok(self.inner.store.unfinished_with(digest)?)
    }

    /// Cancels a job that has not ended; once that is answered, the job ends as cancelled, also
    /// when the process does not live to see it. A job that has ended stays as it is.
    ///
    /// # Errors
    /// The store failed: the job may go on.
    pub fn cancel(&self, owner: OwnerId, id: JobId) -> Result<Cancellation, JobError> {
        let Some(job) = self.inner.live(owner, id) else {
            let stored = self.inner.stored(owner, id)?;
            return Ok(
                stored.map_or(Cancellation::NotFound, |job| Cancellation::Ended(job.state.status))
            );
        };
        let request = job.request_cancel(&*self.inner.store);
        match request {
            CancelRequest::Ended(status) => return Ok(Cancellation::Ended(status)),
            CancelRequest::Ending(status) => {
                self.inner.store.flush().wait()?;
                return Ok(Cancellation::Ended(status));
            }
            CancelRequest::Noted(stored) => {
                if let Err(error) = stored.wait() {
                    job.withdraw_cancel();
                    self.inner.problems.fetch_add(1, Relaxed);
                    return Err(error.into());
                }
            }
        }
        let waited = self.inner.queue.lock().remove_waiting(&job);
        if waited {
            self.inner.finish(&job, RunStatus::Cancelled, false);
        } else {
            job.cancel();
        }
        Ok(Cancellation::Cancelling)
    }

    /// Deletes a job that has ended, with its artifacts.
    ///
    /// # Errors
    /// The store or the folder of artifacts failed.
    pub fn delete(&self, owner: OwnerId, id: JobId) -> Result<Deletion, JobError> {
        if let Some(job) = self.inner.live(owner, id)
            && !job.has_ended()
        {
            return Ok(Deletion::Unfinished);
        }
        if !self.inner.store.delete(owner, id).wait()? {
            return Ok(Deletion::NotFound);
        }
        self.inner.forget(&[id])?;
        Ok(Deletion::Deleted)
    }

    /// Deletes all jobs of the owner that have ended, with their artifacts; says how many.
    ///
    /// # Errors
    /// The store or the folder of artifacts failed.
    pub fn delete_finished(&self, owner: OwnerId) -> Result<usize, JobError> {
        let ids = self.inner.store.delete_finished(owner).wait()?;
        self.inner.forget(&ids)?;
        Ok(ids.len())
    }

    /// Follows the job's events after the number `after` (0: from the beginning); none if the
    /// owner has no such job.
    ///
    /// # Errors
    /// The store failed.
    pub fn subscribe(
        &self,
        owner: OwnerId,
        id: JobId,
        after: u64,
    ) -> Result<Option<Subscription>, JobError> {
        if let Some(job) = self.inner.live(owner, id) {
            return Ok(Some(Subscription::live(job, after)));
        }
        let Some(job) = self.inner.stored(owner, id)? else { return Ok(None) };
        let workflow = Workflow::from_json(&job.document).map_err(JobError::Document)?;
        let report = job.report(&workflow);
        let last = job.state.events.max(2);
        let after = if after > last { 0 } else { after };
        let mut events = Vec::new();
        if after < last - 1 {
            events.push(report.snapshot(last - 1));
        }
        if after < last && job.state.status.is_final() {
            events.push(report.end(last));
        }
        Ok(Some(Subscription::stored(events)))
    }

    /// The path of a file that the job has made; none if the owner has no such job, or the job
    /// no such file. Names with folders in them and symbolic links name nothing.
    ///
    /// # Errors
    /// The store failed.
    pub fn artifact(
        &self,
        owner: OwnerId,
        id: JobId,
        name: &str,
    ) -> Result<Option<PathBuf>, JobError> {
        let known = self.inner.live(owner, id).is_some() || self.inner.stored(owner, id)?.is_some();
        Ok(if known { self.inner.artifacts.find(id, name) } else { None })
    }

    /// Takes no more jobs, starts none of those that wait, and gives those that run `grace` to
    /// end. What has not ended then is stopped and stays unfinished in the store, with its
    /// progress, to be taken up at the next start. Returns when everything is durable.
    ///
    /// # Errors
    /// The store could not keep the last of it.
    pub fn shutdown(&self, grace: Duration) -> Result<(), JobError> {
        let mut queue = self.inner.queue.lock();
        queue.stop();
        let grace = Deadline::after(grace);
        while queue.running() > 0 && !grace.has_passed() {
            queue = self.inner.idle.wait_until(queue, grace);
        }
        let left = queue.all();
        drop(queue);
        for job in left {
            job.abandon(self.inner.store.as_ref());
        }
        self.keeper.stop();
        Ok(self.inner.store.flush().wait()?)
    }

    /// How many jobs there are.
    pub fn counts(&self) -> JobCounts {
        let queue = self.inner.queue.lock();
        JobCounts {
            queued: queue.waiting().try_into().unwrap_or(u64::MAX),
            running: queue.running().try_into().unwrap_or(u64::MAX),
            completed: self.inner.completed.load(Relaxed),
            failed: self.inner.failed.load(Relaxed),
            cancelled: self.inner.cancelled.load(Relaxed),
        }
    }

    /// Whether the store can be written and read now. One that is closed stays so: the process
    /// should then end, and open it again at its next start.
    ///
    /// # Errors
    /// The store failed.
    pub fn health(&self) -> Result<(), JobError> {
        Ok(self.inner.store.check()?)
    }

    /// How often the store has failed to keep what became of an accepted job. It is tried
    /// again until it works; meanwhile the job's details say so.
    pub fn problems(&self) -> u64 {
        self.inner.problems.load(Relaxed)
    }
}

impl Inner {
    fn live(&self, owner: OwnerId, id: JobId) -> Option<Arc<Live>> {
        self.queue.lock().get(id).filter(|job| job.owner == owner).cloned()
    }

    fn stored(&self, owner: OwnerId, id: JobId) -> Result<Option<Job>, JobError> {
        Ok(self.store.get(id)?.filter(|job| job.owner == owner))
    }

    /// Takes up a job that an earlier service has left.
    fn resume(&self, id: JobId) -> Result<(), JobError> {
        let job = match self.store.get(id) {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(()),
            Err(error @ StoreError::Damaged { .. }) => {
                self.fail(id, JobState::default(), error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let Job { owner, started, document, modules, mut state, .. } = job;
        if state.cancel_requested {
            self.end_stored(id, state, JobStatus::Cancelled);
            return Ok(());
        }
        if state.resumes >= self.options.max_resumes {
            let error = format!(
                "the process ended {} times while this job was running{}",
                u64::from(state.resumes) + 1,
                running_blocks(&document, &state),
            );
            self.fail(id, state, error);
            return Ok(());
        }
        let planned = Workflow::from_json(&document).and_then(|workflow| {
            let (plan, modules) = self.modules.plan(owner, &workflow)?;
            Ok((workflow, plan, modules))
        });
        let (workflow, plan, current) = match planned {
            Ok(planned) => planned,
            Err(invalid) => {
                self.fail(id, state, messages(&invalid));
                return Ok(());
            }
        };
        state.restart(|block, values, shown| {
            let outputs = plan.block(BlockIndex(block)).map(|block| block.spec().outputs().len());
            modules == current
                && outputs == Some(values.len())
                && shown
                    .and_then(Shown::file)
                    .is_none_or(|name| self.artifacts.find(id, name).is_some())
        });
        state.events = state.events.max(first_event());
        let mut queue = self.queue.lock();
        queue.reserve_resumed(owner);
        queue.push(Arc::new(Live::new(id, owner, started, workflow, plan, state).resumed()));
        Ok(())
    }

    /// Ends a stored job that cannot be taken up.
    fn fail(&self, id: JobId, mut state: JobState, error: String) {
        state.error = Some(error.into());
        self.end_stored(id, state, JobStatus::Failed);
    }

    fn end_stored(&self, id: JobId, mut state: JobState, status: JobStatus) {
        state.end(status, Timestamp::now());
        state.events += 2;
        self.count(status);
        drop(self.store.save(id, state));
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
    pub(super) fn start_waiting(self: &Arc<Self>) {
        loop {
            let Some(job) = self.queue.lock().next() else { return };
            if let Err(panic) = guard::call(|| self.start(&job)) {
                job.set_error(format!("the job cannot be started: {panic}"));
                self.finish(&job, RunStatus::Failed, true);
            }
        }
    }

    fn start(self: &Arc<Self>, job: &Arc<Live>) {
        if let Some(counted) = job.count_resume(&*self.store)
            && counted.wait().is_err()
        {
            self.problems.fetch_add(1, Relaxed);
        }
        let files = self.options.files.as_ref();
        let listener = JobListener { job: Arc::clone(job), service: Arc::clone(self) };
        let options = RunOptions {
            listener: Some(Arc::new(listener)),
            keep: Keep::None,
            deadline: self.options.run_deadline,
            block_deadline: self.options.block_deadline,
            memory_limit: self.options.memory_limit,
            files: files.map(|folder| FileRoots::new(folder.join(job.owner.to_string()))),
            owner: job.owner,
            restored: job.restored(),
        };
        job.attach(self.engine.start(&job.plan, options));
    }

    /// The job's run has ended, or it will not be started.
    fn finish(self: &Arc<Self>, job: &Arc<Live>, run: RunStatus, was_running: bool) {
        if !job.leave() {
            return;
        }
        if let Some(save) = job.finish(run, self.store.as_ref()) {
            self.count(save.status);
            self.follow(Arc::clone(job), save);
        }
        let mut queue = self.queue.lock();
        queue.release(job.owner, was_running);
        if queue.is_idle() {
            self.idle.notify_all();
        }
        drop(queue);
        self.dispatcher.wake();
    }

    /// Sees to it that a state which the store could not keep is tried again, and that a job
    /// leaves the memory when its end is durable.
    pub(super) fn follow(self: &Arc<Self>, job: Arc<Live>, save: Save) {
        let service = Arc::clone(self);
        drop(save.pending.map(move |saved| {
            match &saved {
                // An older state that becomes durable after the end says nothing of the end.
                Ok(()) if save.status.is_final() => {
                    job.settle();
                    service.queue.lock().forget(job.id);
                }
                Ok(()) => {}
                Err(error) => {
                    service.problems.fetch_add(1, Relaxed);
                    job.not_saved(error);
                }
            }
            saved
        }));
    }

    /// Removes what is left of deleted jobs.
    fn forget(&self, ids: &[JobId]) -> Result<(), JobError> {
        for id in ids {
            self.queue.lock().forget(*id);
            self.artifacts.remove(*id).map_err(|source| JobError::Artifacts {
                folder: self.artifacts.path().to_owned(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Numbers of events grow from here in a job that is resumed: above all that it can have given
/// before, whether or not they were stored (4,096 a millisecond), and exact in JavaScript.
fn first_event() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0) << 12
}

/// Which blocks were running when the state was stored, as the end of a sentence.
fn running_blocks(document: &str, state: &JobState) -> String {
    let Ok(workflow) = Workflow::from_json(document) else { return String::new() };
    let objects = workflow.block_objects();
    let running = objects.iter().zip(&state.blocks).filter_map(|(object, block)| {
        let id = object.get("id")?.get();
        matches!(block.phase, Phase::Running(_)).then_some(id)
    });
    let running: Vec<&str> = running.take(10).collect();
    if running.is_empty() {
        return String::new();
    }
    format!("; last seen running: block {}", running.join(", "))
}

/// All errors of a workflow in one line.
fn messages(invalid: &InvalidWorkflow) -> String {
    let errors = invalid.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
    let messages: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
    messages.join("; ")
}

/// Notes a run's events in its job.
struct JobListener {
    job: Arc<Live>,
    service: Arc<Inner>,
}

impl Listener for JobListener {
    fn event(&self, event: Event) {
        match event {
            Event::RunFinished { status } => self.service.finish(&self.job, status, true),
            event => {
                let started = matches!(event, Event::BlockStarted { .. });
                self.job.record(event, &self.service.artifacts);
                // If this block ends the process, it is known which it was.
                if started
                    && self.job.was_resumed()
                    && let Some(save) = self.job.save_progress(Duration::ZERO, &*self.service.store)
                {
                    self.service.follow(Arc::clone(&self.job), save);
                }
            }
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.queue.lock();
        f.debug_struct("Inner")
            .field("options", &self.options)
            .field("running", &queue.running())
            .field("waiting", &queue.waiting())
            .finish_non_exhaustive()
    }
}
