//! The job service: takes workflows, stores them, runs them, and remembers what came of them.
//!
//! This file is what callers see. [`deletion`] deletes jobs, [`running`] takes a job from its
//! turn to its end, and [`loading`] reads jobs that have waited in the store.

mod deletion;
mod loading;
mod running;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::running::{PRUNE_INTERVAL, Shared};
use super::active::{ActiveJob, CancelRequest, Work};
use super::background::{Tick, Ticker, TickerWaker};
use super::budget::Budget;
use super::job_folders::JobFolders;
use super::options::JobOptions;
use super::outcome::{Cancellation, Deletion, JobCounts};
use super::subscription::Subscription;
use super::{
    JobError, JobId, JobProblem, JobStore, JobSummary, NewJob, Pending, PlanSource, Retention,
    SubmitError, Timestamp,
};
use crate::block::OwnerId;
use crate::deadline::Deadline;
use crate::engine::{Engine, RunStatus};
use crate::workflow::{InvalidWorkflow, Workflow};

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
/// let options = JobOptions::new(folder.path().join("artifacts"));
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
    shared: Arc<Shared>,
    ticker: Ticker,
}

impl JobService {
    /// Opens the service, and resumes every job of the store that has not ended, in the order
    /// in which they came. A job whose workflow cannot be planned any more fails, and says why.
    /// Blocks whose outputs were saved are not run again, unless the modules that the job uses
    /// have changed.
    ///
    /// # Errors
    /// The store or the folder of artifacts cannot be used, or there are artifacts of jobs that
    /// the store has never known.
    pub fn open(
        engine: Engine,
        store: Arc<dyn JobStore>,
        plans: Arc<dyn PlanSource>,
        options: JobOptions,
    ) -> Result<Self, JobError> {
        let folder = options.artifacts.clone();
        let folders = JobFolders::open(folder.clone())
            .map_err(|source| JobError::Artifacts { folder, source })?;
        folders.sweep(&*store, options.discard_foreign_artifacts)?;
        let interval = options.save_interval;
        let waker = TickerWaker::default();
        let shared = Shared::start(engine, store, plans, folders, options, waker.clone())?;
        shared.resume_all()?;
        let service = Arc::downgrade(&shared);
        let tick = move || service.upgrade().map_or(Tick::End, |service| service.tick());
        let ticker = Ticker::start("job-saver", waker, interval, PRUNE_INTERVAL, tick);
        let ticker = ticker.map_err(JobError::Thread)?;
        shared.wake();
        Ok(Self { shared, ticker })
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
        let (plan, modules) = self.shared.plans.plan(owner, &workflow)?;
        if let Err(error) = self.shared.queue.lock().reserve(owner) {
            return Ok(Pending::ready(Err(error)));
        }
        let (started, token) = (Timestamp::now(), self.shared.folders.new_token());
        let document: Arc<str> = workflow.as_json().into();
        let bytes = document.len();
        let new = NewJob { owner, started, document, token, modules: modules.clone() };
        let stored = self.shared.store.insert(new);
        let shared = Arc::clone(&self.shared);
        Ok(stored.map(move |stored| {
            let id = stored.map_err(|error| {
                shared.queue.lock().release(owner);
                shared.tell(JobProblem::NotAccepted { owner, source: error.clone() });
                SubmitError::from(error)
            })?;
            let artifacts = shared.folders.of(id, token);
            let job = ActiveJob::new(id, owner, started, artifacts, bytes, false);
            let work = Work { workflow, plan, modules, budget: Budget::default() };
            job.load(Arc::new(work), |_| {});
            let unloaded = shared.queue.lock().push(Arc::new(job));
            drop(unloaded);
            shared.wake();
            Ok(id)
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
        if let Some(job) = self.shared.active(owner, id)
            && let Some(details) = job.details()
        {
            return Ok(Some(details));
        }
        let Some(job) = self.shared.stored(owner, id)? else { return Ok(None) };
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
        let mut jobs = self.shared.told(self.shared.store.list(owner, before, limit))?;
        let queue = self.shared.queue.lock();
        let active: Vec<_> = jobs.iter().map(|job| queue.get(job.id).cloned()).collect();
        drop(queue);
        for (job, active) in jobs.iter_mut().zip(active) {
            // What is in memory is newer than what was read.
            if let Some(active) = active {
                *job = active.summary();
            } else if !job.status.is_final()
                && let Some(stored) = self.shared.told(self.shared.store.get(job.id))?
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
        self.shared.told(self.shared.store.unfinished_with(digest))
    }

    /// Cancels a job that has not ended; once that is answered, the job ends as cancelled, also
    /// when the process does not live to see it. A job that has ended stays as it is.
    ///
    /// # Errors
    /// The store failed: the job may go on.
    pub fn cancel(&self, owner: OwnerId, id: JobId) -> Result<Cancellation, JobError> {
        let shared = &self.shared;
        let Some(job) = shared.active(owner, id) else {
            let stored = shared.stored(owner, id)?;
            return Ok(
                stored.map_or(Cancellation::NotFound, |job| Cancellation::Ended(job.state.status))
            );
        };
        if job.is_resumed
            && job.work().is_none()
            && let Some(stored) = shared.stored(owner, id)?
        {
            // What it had done before goes into the store again, beside the request.
            job.recall(stored.state);
        }
        let requested = job.request_cancel(&*shared.store).inspect_err(|error| {
            shared.tell(JobProblem::NotSaved { job: id, source: error.clone() });
        })?;
        match requested {
            CancelRequest::Ended(status) => return Ok(Cancellation::Ended(status)),
            CancelRequest::Ending => {
                shared.told(shared.store.flush().wait())?;
                let JobSummary { status, .. } = job.summary();
                return if status.is_final() {
                    Ok(Cancellation::Ended(status))
                } else {
                    Err(JobError::NotStored(job.unsaved().unwrap_or_default()))
                };
            }
            CancelRequest::Noted => {}
        }
        let waited = shared.queue.lock().remove_waiting(&job);
        if waited {
            shared.finish(&job, RunStatus::Cancelled, false);
        } else {
            job.cancel();
        }
        Ok(Cancellation::Cancelling)
    }

    /// Deletes a job that has ended, with its artifacts. Where the disk is full, the store gives
    /// up what it holds in reserve, so that there is room for the deletion itself.
    ///
    /// # Errors
    /// The store failed.
    pub fn delete(&self, owner: OwnerId, id: JobId) -> Result<Deletion, JobError> {
        if let Some(job) = self.shared.active(owner, id)
            && !job.has_ended()
        {
            return Ok(Deletion::Unfinished);
        }
        self.shared.delete(owner, id)
    }

    /// Deletes all jobs of the owner that have ended, with their artifacts; says how many.
    ///
    /// # Errors
    /// The store failed; some of the jobs may be deleted.
    pub fn delete_finished(&self, owner: OwnerId) -> Result<usize, JobError> {
        self.shared.prune(owner, Retention::of_jobs(0))
    }

    /// Deletes the finished jobs of all owners that are beyond what
    /// [`JobOptions::retention`] keeps, with their artifacts; says how many. The service does
    /// so by itself from time to time.
    ///
    /// # Errors
    /// The store failed; some of the jobs may be deleted.
    pub fn prune(&self) -> Result<usize, JobError> {
        self.shared.prune_all()
    }

    /// Follows the job's events after the number `after` (0: from the beginning); none if the
    /// owner has no such job. After a number that was never given comes a snapshot.
    ///
    /// # Errors
    /// The store failed.
    pub fn subscribe(
        &self,
        owner: OwnerId,
        id: JobId,
        after: u64,
    ) -> Result<Option<Subscription>, JobError> {
        if let Some(job) = self.shared.active(owner, id) {
            return Ok(Some(Subscription::active(job, after)));
        }
        let Some(job) = self.shared.stored(owner, id)? else { return Ok(None) };
        let workflow = Workflow::from_json(&job.document).map_err(JobError::Document)?;
        Ok(Some(Subscription::stored(job.describe(&workflow), after)))
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
        if let Some(job) = self.shared.active(owner, id) {
            return Ok(job.artifacts.find(name));
        }
        let token = self.shared.told(self.shared.store.token(owner, id))?;
        Ok(token.and_then(|token| self.shared.folders.of(id, token).find(name)))
    }

    /// Takes no more jobs, starts none of those that wait, and gives those that run `grace` to
    /// end. What has not ended then is stopped and stays unfinished in the store, with its
    /// progress, to be resumed at the next start; so does a job whose worker was killed in the
    /// meantime. Returns when everything is durable.
    ///
    /// # Errors
    /// The store could not keep the last of it.
    pub fn shutdown(&self, grace: Duration) -> Result<(), JobError> {
        let mut queue = self.shared.queue.lock();
        queue.stop();
        let grace = Deadline::after(grace);
        while queue.running() > 0 && !grace.has_passed() {
            queue = self.shared.idle.wait_until(queue, grace);
        }
        let left = queue.all();
        drop(queue);
        self.ticker.stop();
        let saves: Vec<_> = left
            .iter()
            .filter_map(|job| Some((job.id, job.abandon(&*self.shared.store)?)))
            .collect();
        let mut result = Ok(());
        for (job, saved) in saves {
            if let Err(source) = saved.wait() {
                self.shared.tell(JobProblem::NotSaved { job, source: source.clone() });
                result = Err(source.into());
            }
        }
        self.shared.told(self.shared.store.flush().wait())?;
        result
    }

    /// How many jobs there are.
    pub fn counts(&self) -> JobCounts {
        self.shared.counts()
    }

    /// The jobs of all owners that have not ended, the oldest first.
    pub fn unfinished(&self) -> Vec<(OwnerId, JobSummary)> {
        let jobs = self.shared.queue.lock().all();
        let summaries = jobs.iter().map(|job| (job.owner, job.summary()));
        let mut unfinished: Vec<_> = summaries.filter(|(_, job)| !job.status.is_final()).collect();
        unfinished.sort_by_key(|(_, job)| job.id);
        unfinished
    }

    /// Whose job this is; none if there is no such job.
    ///
    /// # Errors
    /// The store failed.
    pub fn owner(&self, id: JobId) -> Result<Option<OwnerId>, JobError> {
        if let Some(job) = self.shared.queue.lock().get(id) {
            return Ok(Some(job.owner));
        }
        Ok(self.shared.told(self.shared.store.get(id))?.map(|job| job.owner))
    }

    /// Whether the store can be written and read now. One that is closed stays so: the process
    /// should then end, and open it again at its next start.
    ///
    /// # Errors
    /// The store failed.
    pub fn health(&self) -> Result<(), JobError> {
        self.shared.told(self.shared.store.check())
    }

    /// How often something has gone wrong since the service was opened: each was told to
    /// [`JobOptions::on_problem`].
    pub fn problems(&self) -> u64 {
        self.shared.problems()
    }
}
