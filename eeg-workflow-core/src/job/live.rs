//! A job that has not ended, or whose end is not durable yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use serde_json::json;

use super::artifact::ArtifactFolder;
use super::events::{Feed, JobEvent, Next};
use super::record::cut;
use super::report::{self, Report};
use super::{
    BlockState, JobId, JobState, JobStatus, JobStore, JobSummary, Pending, Phase, Shown,
    StoreError, Timestamp,
};
use crate::block::{BlockError, BlockErrorKind, Display, OwnerId, Value};
use crate::engine::{Event, Run, RunStatus};
use crate::sync::Mutex;
use crate::workflow::{BlockIndex, Plan, Workflow};

/// The most bytes of a log line, of an error's details, and of a displayed string that are kept.
const MAX_LINE: usize = 16 * 1024;
const MAX_ERROR: usize = 64 * 1024;
const MAX_TEXT: usize = 1024 * 1024;

/// A job in memory. What changes is behind one small lock, which is held for no longer than
/// it takes to copy the state.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: JobId,
    pub(super) owner: OwnerId,
    pub(super) started: Timestamp,
    pub(super) workflow: Workflow,
    pub(super) plan: Plan,
    now: Mutex<Now>,
    /// Held while the state is handed to the store, so that an older one never comes after a
    /// newer one. Taken before `now`.
    saving: Mutex<NextSave>,
    resumed: bool,
    /// It counts no longer as one that waits or runs.
    left: AtomicBool,
}

#[derive(Debug, Default)]
struct Now {
    state: JobState,
    feed: Feed,
    run: Option<Run>,
    /// Whether the state is newer than what the store was given.
    changed: bool,
    /// Why the job's end is not in the store.
    unsaved: Option<Arc<str>>,
    cancelled: bool,
    /// The last state, on its way into the store: nobody is told of it before it is there.
    ending: Option<JobState>,
    /// Left to the next start of the service: what still comes from the engine is of no use.
    abandoned: bool,
}

/// A state on its way into the store.
pub(super) struct Save {
    pub(super) pending: Pending<Result<(), StoreError>>,
    /// The status that is saved: once a final one is durable, the job need not stay in memory.
    pub(super) status: JobStatus,
}

/// When progress may be saved again, so that saving a large job does not become its work.
#[derive(Debug, Default)]
struct NextSave(Option<Instant>);

impl Live {
    pub(super) fn new(
        id: JobId,
        owner: OwnerId,
        started: Timestamp,
        workflow: Workflow,
        plan: Plan,
        mut state: JobState,
    ) -> Self {
        state.blocks.resize_with(plan.len(), BlockState::default);
        let now = Mutex::new(Now { state, ..Now::default() });
        let (saving, left) = (Mutex::default(), AtomicBool::new(false));
        Self { id, owner, started, workflow, plan, now, saving, resumed: false, left }
    }

    /// It was accepted by an earlier process.
    pub(super) fn resumed(self) -> Self {
        Self { resumed: true, ..self }
    }

    pub(super) fn was_resumed(&self) -> bool {
        self.resumed
    }

    /// Counts, durably, that a job of an earlier process runs again.
    pub(super) fn count_resume(
        &self,
        store: &dyn JobStore,
    ) -> Option<Pending<Result<(), StoreError>>> {
        if !self.resumed {
            return None;
        }
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        now.state.resumes += 1;
        let state = now.state.clone();
        drop(now);
        Some(store.save(self.id, state))
    }

    /// Says what is wrong with the job as a whole.
    pub(super) fn set_error(&self, error: String) {
        self.now.lock().state.error = Some(error.into());
    }

    /// Whether this is the first time that the job leaves those that wait or run.
    pub(super) fn leave(&self) -> bool {
        !self.left.swap(true, Ordering::Relaxed)
    }

    pub(super) fn summary(&self) -> JobSummary {
        let now = self.now.lock();
        let JobState { status, ended, .. } = now.state;
        JobSummary { id: self.id, status, started: self.started, ended }
    }

    pub(super) fn details(&self) -> String {
        let now = self.now.lock();
        let (mut state, unsaved) = (now.state.clone(), now.unsaved.clone());
        drop(now);
        state.error = state.error.or(unsaved);
        self.report(&state).details()
    }

    fn report<'a>(&'a self, state: &'a JobState) -> Report<'a> {
        Report { id: self.id, started: self.started, workflow: &self.workflow, state }
    }

    /// The outputs of blocks that finished before the service was started.
    pub(super) fn restored(&self) -> Vec<(BlockIndex, Vec<Value>)> {
        let now = self.now.lock();
        now.state.kept.iter().map(|(block, values)| (BlockIndex(*block), values.to_vec())).collect()
    }

    /// The run that does the job's work.
    pub(super) fn attach(&self, run: Run) {
        let mut now = self.now.lock();
        if now.has_ended() {
            return;
        }
        let cancelled = now.cancelled || now.abandoned;
        if !now.abandoned {
            now.run = Some(run.clone());
        }
        drop(now);
        if cancelled {
            run.cancel();
        }
    }

    /// Notes in the store that the job is to end as cancelled. Until it has, no progress is
    /// saved, which would be without that note if it was made before.
    pub(super) fn request_cancel(&self, store: &dyn JobStore) -> CancelRequest {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        if now.state.status.is_final() {
            return CancelRequest::Ended(now.state.status);
        }
        if let Some(ending) = &now.ending {
            return CancelRequest::Ending(ending.status);
        }
        now.state.cancel_requested = true;
        let state = now.state.clone();
        drop(now);
        CancelRequest::Noted(store.save(self.id, state))
    }

    /// The request could not be stored.
    pub(super) fn withdraw_cancel(&self) {
        self.now.lock().state.cancel_requested = false;
    }

    /// Asks the run to stop; its last event says that it has.
    pub(super) fn cancel(&self) {
        let mut now = self.now.lock();
        now.cancelled = true;
        let run = now.run.clone();
        drop(now);
        if let Some(run) = run {
            run.cancel();
        }
    }

    /// Notes what happened, and tells those who follow the job.
    pub(super) fn record(&self, event: Event, artifacts: &ArtifactFolder) {
        // What takes long comes before the lock: files are there before anybody hears of them.
        let event = match event {
            Event::BlockFinished { block, display, outputs, elapsed } => {
                let phase = match self.shown(block, display.as_deref(), artifacts) {
                    Ok(shown) => Phase::Finished(shown),
                    Err(problem) => Phase::Failed(problem.into()),
                };
                Change::Ended { block, phase, outputs, elapsed: Some(elapsed) }
            }
            Event::BlockFailed { block, error, elapsed } => {
                let stopped = error.kind() == BlockErrorKind::Cancelled;
                let why = cut(&error.details().into(), MAX_ERROR);
                let phase = if stopped { Phase::Cancelled(why) } else { Phase::Failed(why) };
                Change::Ended { block, phase, outputs: None, elapsed: Some(elapsed) }
            }
            Event::BlockSkipped { block, cause } => {
                let phase = Phase::Skipped(cause.0);
                Change::Ended { block, phase, outputs: None, elapsed: None }
            }
            Event::BlockCancelled { block, stop } => {
                let phase = Phase::Cancelled(BlockError::from(stop).to_string().into());
                Change::Ended { block, phase, outputs: None, elapsed: None }
            }
            Event::RunStarted => Change::Started,
            Event::BlockStarted { block } => Change::BlockStarted(block),
            Event::BlockProgress { block, fraction } => Change::Progress(block, fraction),
            Event::BlockLog { block, line } => Change::Log(block, cut(&line, MAX_LINE)),
            Event::RunFinished { .. } => return,
        };
        let mut now = self.now.lock();
        if now.abandoned || now.has_ended() {
            return;
        }
        now.apply(event, &self.plan);
        let wakers = now.feed.take_wakers();
        drop(now);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn shown(
        &self,
        block: BlockIndex,
        display: Option<&Display>,
        artifacts: &ArtifactFolder,
    ) -> Result<Option<Shown>, String> {
        let write = |artifact| {
            let name = artifacts.write(self.id, block.0, artifact);
            name.map(Into::into)
                .map_err(|error| format!("cannot keep \"{}\": {error}", artifact.name))
        };
        Ok(match display {
            None => None,
            Some(Display::Text(text)) => Some(Shown::Text(cut(text, MAX_TEXT))),
            Some(Display::Graph(artifact)) => Some(Shown::Graph(write(artifact)?)),
            Some(Display::File(artifact)) => Some(Shown::File(write(artifact)?)),
            Some(Display::Table { columns, rows }) => {
                Some(Shown::Table { columns: columns.clone(), rows: rows.clone() })
            }
        })
    }

    /// Ends the job, and hands its last state to the store. None if it has ended already, or
    /// was left to the next start.
    pub(super) fn finish(&self, run: RunStatus, store: &dyn JobStore) -> Option<Save> {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        // The run holds this job as its listener: without it, both can go.
        let held = now.run.take();
        if now.abandoned || now.has_ended() {
            return None;
        }
        let failed = |state: &BlockState| matches!(state.phase, Phase::Failed(_));
        let status = match run {
            RunStatus::Cancelled => JobStatus::Cancelled,
            // Somebody was told so.
            _ if now.state.cancel_requested => JobStatus::Cancelled,
            // A block has failed after all when what it made could not be written.
            RunStatus::Completed if !now.state.blocks.iter().any(failed) => JobStatus::Completed,
            _ => JobStatus::Failed,
        };
        let mut state = now.state.clone();
        state.end(status, Timestamp::now());
        state.events += 2;
        now.changed = false;
        now.ending = Some(state.clone());
        drop(now);
        drop(held);
        Some(Save { pending: store.save(self.id, state), status })
    }

    /// Hands the state to the store if there is anything new and the last time is long enough
    /// ago.
    pub(super) fn save_progress(&self, at_least: Duration, store: &dyn JobStore) -> Option<Save> {
        let mut saving = self.saving.lock();
        let begun = Instant::now();
        if saving.0.is_some_and(|next| begun < next) {
            return None;
        }
        let mut now = self.now.lock();
        if !std::mem::take(&mut now.changed) || now.abandoned {
            return None;
        }
        let state = now.ending.as_ref().unwrap_or(&now.state).clone();
        drop(now);
        let status = state.status;
        let pending = store.save(self.id, state);
        let pause = at_least.max(20 * begun.elapsed());
        saving.0 = Some(begun + pause);
        Some(Save { pending, status })
    }

    /// The store has failed to keep the state: it is new again, and the job says so.
    pub(super) fn not_saved(&self, error: &StoreError) {
        let mut now = self.now.lock();
        now.changed = true;
        let too_large = matches!(error, StoreError::TooLarge(_));
        match &mut now.ending {
            Some(ending) if too_large => ending.reduce(&error.to_string()),
            Some(_) => {
                now.unsaved = Some(format!("the job's end is not stored yet: {error}").into());
            }
            // A second try would fail like this one; the end is tried in any case.
            None if too_large => now.changed = false,
            None => {}
        }
    }

    /// The job's end is in the store: whoever follows the job is told.
    pub(super) fn settle(&self) {
        let mut now = self.now.lock();
        let Some(mut ending) = now.ending.take() else { return };
        ending.events = now.state.events;
        now.state = ending;
        now.unsaved = None;
        now.emit("job", report::status);
        now.emit("end", report::ending);
        let wakers = now.feed.take_wakers();
        drop(now);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.now.lock().state.status.is_final()
    }

    /// Leaves the job to the next start of the service, with its state in the store.
    pub(super) fn abandon(&self, store: &dyn JobStore) {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        now.feed.close();
        let wakers = now.feed.take_wakers();
        if !now.state.status.is_final() && !now.abandoned {
            let ended = now.ending.is_some();
            now.abandoned = !ended;
            // An orderly end of the process is not the job's doing.
            let counted = std::mem::take(&mut now.state.resumes) > 0 && !ended;
            let state = now.ending.as_ref().unwrap_or(&now.state);
            let state = (now.changed || counted).then(|| state.clone());
            let run = now.run.take();
            drop(now);
            if let Some(state) = state {
                // Whether it worked is in what the flush says that follows.
                drop(store.save(self.id, state));
            }
            if let Some(run) = run {
                run.cancel();
            }
        } else {
            drop(now);
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// From now on events are kept. The number to go on after: `after`, or 0 if there was no
    /// such event yet.
    pub(super) fn watch(&self, after: u64) -> u64 {
        let mut now = self.now.lock();
        now.feed.watch();
        if after > now.state.events { 0 } else { after }
    }

    pub(super) fn poll_event(&self, after: u64, waker: &Waker) -> Poll<Option<JobEvent>> {
        let mut now = self.now.lock();
        let (last, ended) = (now.state.events, now.state.status.is_final());
        match now.feed.next(after, last, ended) {
            Next::Event(event) => Poll::Ready(Some(event)),
            Next::Over => Poll::Ready(None),
            Next::End => Poll::Ready(Some(self.report(&now.state).end(last))),
            Next::Snapshot => {
                let state = now.state.clone();
                drop(now);
                // The end of an ended job still follows.
                let number = if ended { last - 1 } else { last };
                Poll::Ready(Some(self.report(&state).snapshot(number)))
            }
            Next::Nothing => {
                now.feed.wait(waker);
                Poll::Pending
            }
        }
    }
}

/// What became of a request to cancel.
pub(super) enum CancelRequest {
    /// It had ended like this.
    Ended(JobStatus),
    /// It has ended like this, which is not durable yet.
    Ending(JobStatus),
    /// It will end as cancelled, once this is durable.
    Noted(Pending<Result<(), StoreError>>),
}

/// What an event changes.
enum Change {
    Started,
    BlockStarted(BlockIndex),
    Progress(BlockIndex, f64),
    Log(BlockIndex, Arc<str>),
    Ended {
        block: BlockIndex,
        phase: Phase,
        outputs: Option<Arc<[Value]>>,
        elapsed: Option<Duration>,
    },
}

impl Now {
    fn has_ended(&self) -> bool {
        self.state.status.is_final() || self.ending.is_some()
    }

    /// Counts an event, and makes it if somebody follows.
    fn emit(&mut self, name: &'static str, data: impl FnOnce(&JobState) -> String) {
        self.state.events += 1;
        let state = &self.state;
        self.feed.push(state.events, name, || data(state));
    }

    fn apply(&mut self, change: Change, plan: &Plan) {
        let id = |block: BlockIndex| json!(plan.id(block)).to_string();
        match change {
            Change::Started => {
                self.state.status = JobStatus::Running;
                self.emit("job", report::status);
            }
            Change::BlockStarted(block) => {
                self.set(block, Phase::Running(0.0));
                self.emit("block", |_| format!("{{\"id\":{},\"state\":\"running\"}}", id(block)));
            }
            Change::Progress(block, fraction) => {
                #[expect(clippy::cast_possible_truncation, reason = "a fraction for the eye")]
                let fraction = fraction as f32;
                match self.block(block).map(|block| &mut block.phase) {
                    // Steps too small to be seen are not told.
                    Some(Phase::Running(before)) if (fraction - *before).abs() >= 0.01 => {
                        *before = fraction;
                    }
                    _ => return,
                }
                self.emit("progress", |_| {
                    format!("{{\"id\":{},\"fraction\":{fraction}}}", id(block))
                });
            }
            Change::Log(block, line) => {
                if let Some(state) = self.block(block) {
                    state.log.get_or_insert_default().push(line.clone());
                }
                self.emit("log", |_| json!({"id": plan.id(block), "line": &*line}).to_string());
            }
            Change::Ended { block, phase, outputs, elapsed } => {
                if let (Phase::Finished(_), Some(outputs)) = (&phase, outputs) {
                    self.state.kept.push((block.0, outputs));
                }
                // Behind a block that was stopped nothing was skipped because of a failure.
                let phase = match phase {
                    Phase::Skipped(cause) => match self.block(BlockIndex(cause)) {
                        Some(BlockState { phase: Phase::Cancelled(why), .. }) => {
                            Phase::Cancelled(Arc::clone(why))
                        }
                        _ => Phase::Skipped(cause),
                    },
                    phase => phase,
                };
                self.set(block, phase);
                self.emit("block", |state| {
                    let waiting = BlockState::default();
                    let index = usize::try_from(block.0).unwrap_or(usize::MAX);
                    let state = state.blocks.get(index).unwrap_or(&waiting);
                    let mut data = report::block(&id(block), state, |cause| id(BlockIndex(cause)));
                    if let Some(elapsed) = elapsed {
                        data.pop();
                        data.push_str(&format!(",\"seconds\":{}}}", elapsed.as_secs_f64()));
                    }
                    data
                });
            }
        }
        self.changed = true;
    }

    fn block(&mut self, block: BlockIndex) -> Option<&mut BlockState> {
        self.state.blocks.get_mut(usize::try_from(block.0).ok()?)
    }

    fn set(&mut self, block: BlockIndex, phase: Phase) {
        if let Some(state) = self.block(block) {
            state.phase = phase;
        }
    }
}
