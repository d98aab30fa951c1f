//! Jobs that have waited in the store: how they come back into memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use super::running::Shared;
use crate::engine::RunStatus;
use crate::guard;
use crate::job::active::{ActiveJob, Work};
use crate::job::budget::Budget;
use crate::job::{Job, JobError, JobProblem, JobState, Phase, Shown, StoreError, UnfinishedJob};
use crate::workflow::{BlockIndex, InvalidWorkflow, Severity, Workflow};

/// What came of reading a job whose turn it is.
enum Loaded {
    Ready(Arc<Work>),
    /// Somebody was told that it is cancelled.
    Cancelled,
    /// It cannot run: why.
    Failed(String),
    /// The store cannot be read at present.
    NotNow(StoreError),
}

impl Shared {
    /// Gives all jobs that an earlier process has left their turns.
    pub(super) fn resume_all(self: &Arc<Self>) -> Result<(), JobError> {
        for left in self.store.unfinished()? {
            let UnfinishedJob { id, token, owner, started, document_bytes, .. } = left;
            let artifacts = self.folders.of(id, token);
            let job = ActiveJob::new(id, owner, started, artifacts, document_bytes, true);
            let job = Arc::new(job);
            self.queue.lock().reserve_resumed(owner);
            if !left.cancel_requested {
                self.queue.lock().push(job);
                continue;
            }
            match self.store.get(id) {
                Ok(stored) => stored.into_iter().for_each(|stored| recall(&job, stored.state)),
                // It is cancelled, whatever it had done.
                Err(source) => self.tell(JobProblem::NotLoaded { job: id, source }),
            }
            self.queue.lock().remember(&job);
            self.finish(&job, RunStatus::Cancelled, false);
        }
        Ok(())
    }

    /// Reads a job whose turn it is, and starts it.
    pub(super) fn load_and_start(self: &Arc<Self>, job: &Arc<ActiveJob>) {
        let loaded = guard::call(|| self.load(job))
            .unwrap_or_else(|panic| Loaded::Failed(format!("the job cannot be planned: {panic}")));
        match loaded {
            Loaded::Ready(work) => self.run(job, &work),
            Loaded::Cancelled => self.finish(job, RunStatus::Cancelled, true),
            Loaded::Failed(why) => self.fail(job, why),
            Loaded::NotNow(source) => {
                self.tell(JobProblem::NotLoaded { job: job.id, source });
                self.retry.store(true, Relaxed);
                self.queue.lock().put_back(Arc::clone(job));
                self.ticker.wake();
            }
        }
    }

    /// Reads and plans a job that is to start.
    fn load(&self, job: &ActiveJob) -> Loaded {
        let stored = match self.store.get(job.id) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Loaded::Failed("the job is not in the store any more".to_owned()),
            Err(error @ StoreError::Damaged { .. }) => {
                let why = error.without_path();
                self.tell(JobProblem::NotLoaded { job: job.id, source: error });
                return Loaded::Failed(why);
            }
            Err(error) => return Loaded::NotNow(error),
        };
        let Job { owner, document, modules, state, .. } = stored;
        if state.cancel_requested {
            recall(job, state);
            return Loaded::Cancelled;
        }
        if job.is_resumed {
            let limit = self.options.max_resumes;
            let why = (state.resumes >= limit).then(|| too_many_resumes(&document, &state));
            recall(job, state);
            if let Some(why) = why {
                return Loaded::Failed(why);
            }
            // Before anything is done with the document, which may be what ends the process.
            if let Err(source) = job.count_resume(&*self.store).wait() {
                self.tell(JobProblem::NotSaved { job: job.id, source });
            }
        }
        let planned = Workflow::from_json(&document).and_then(|workflow| {
            let (plan, current) = self.plans.plan(owner, &workflow)?;
            Ok((workflow, plan, current))
        });
        let (workflow, plan, current) = match planned {
            Ok(planned) => planned,
            Err(invalid) => return Loaded::Failed(messages(&invalid)),
        };
        let is_same = modules == current;
        let work = Arc::new(Work { workflow, plan, modules, budget: Budget::default() });
        job.load(Arc::clone(&work), |state| {
            state.restart(|block, values, shown| {
                let block = work.plan.block(BlockIndex(block));
                is_same
                    && block.map(|block| block.spec().outputs().len()) == Some(values.len())
                    && shown
                        .and_then(Shown::file)
                        .is_none_or(|name| job.artifacts.find(name).is_some())
            });
            state.replaced_modules = if is_same { Vec::new() } else { current };
            work.budget.add(state.details_size());
            work.budget.add_outputs(state.outputs_size());
        });
        Loaded::Ready(work)
    }
}

/// Gives a job the state that an earlier process stored.
fn recall(job: &ActiveJob, mut state: JobState) {
    if job.is_resumed {
        state.events = state.events.max(first_event());
    }
    job.recall(state);
}

/// Numbers of events grow from here in a job that is resumed: above all that it can have given
/// before, whether or not they were stored (4,096 a millisecond), and exact in JavaScript.
fn first_event() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0) << 12
}

/// Why a job is not resumed once more, with the blocks that were running when its state was
/// stored.
fn too_many_resumes(document: &str, state: &JobState) -> String {
    let times = u64::from(state.resumes) + 1;
    let mut why = format!("the process ended {times} times while this job was running");
    if let Ok(workflow) = Workflow::from_json(document) {
        let objects = workflow.block_objects();
        let running = objects.iter().zip(&state.blocks).filter_map(|(object, block)| {
            let id = object.get("id")?.get();
            matches!(block.phase, Phase::Running(_)).then_some(id)
        });
        let running: Vec<&str> = running.take(10).collect();
        if !running.is_empty() {
            why.push_str(&format!("; last seen running: block {}", running.join(", ")));
        }
    }
    why
}

/// All errors of a workflow in one line.
fn messages(invalid: &InvalidWorkflow) -> String {
    let errors = invalid.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
    let messages: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
    messages.join("; ")
}
