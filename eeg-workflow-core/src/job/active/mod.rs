//! A job in memory: one that has not ended, or whose end is not durable yet.
//!
//! This file holds its state and who follows it; [`saving`] hands the state to the store.

mod saving;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Instant;

pub(super) use self::saving::{CancelRequest, Save};
use super::artifact::ArtifactFolder;
use super::budget::Budget;
use super::details::Details;
use super::event_data;
use super::feed::{Feed, JobEvent, Next};
use super::recorder::Change;
use super::{BlockState, JobId, JobState, JobSummary, ModuleUse, Timestamp};
use crate::block::{BlockErrorKind, OwnerId, Value};
use crate::engine::{Event, Run, RunStatus};
use crate::sync::Mutex;
use crate::workflow::{BlockIndex, Plan, Workflow};

/// A job in memory. What changes is behind one small lock, which is held for no longer than
/// it takes to copy the state.
#[derive(Debug)]
pub(super) struct ActiveJob {
    pub(super) id: JobId,
    pub(super) owner: OwnerId,
    pub(super) started: Timestamp,
    /// Where its files go.
    pub(super) artifacts: ArtifactFolder,
    /// Bytes of its document.
    pub(super) document_bytes: usize,
    /// Whether it was accepted by an earlier process.
    pub(super) is_resumed: bool,
    now: Mutex<Now>,
    /// Held while the state is handed to the store, so that an older one never comes after a
    /// newer one. Taken before `now`.
    saving: Mutex<NextSave>,
    /// Whether a request to cancel is durable. Held while one is stored, so that one that fails
    /// does not take back another that was answered. Taken before `saving`.
    cancelling: Mutex<bool>,
    /// It counts no longer as one that waits or runs.
    left: AtomicBool,
}

/// What a job needs to run. A job that waits may leave it in the store.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) workflow: Workflow,
    pub(super) plan: Plan,
    /// The modules as they were when the job was accepted.
    pub(super) modules: Vec<ModuleUse>,
    pub(super) budget: Budget,
}

#[derive(Debug, Default)]
struct Now {
    state: JobState,
    work: Option<Arc<Work>>,
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
    /// A block failed because what ran it was killed.
    lost_worker: bool,
    /// How the run ended, and when that is to be believed.
    held_end: Option<(RunStatus, Instant)>,
}

/// When progress may be saved again, so that saving a large job does not become its work.
#[derive(Debug, Default)]
struct NextSave(Option<Instant>);

impl ActiveJob {
    pub(super) fn new(
        id: JobId,
        owner: OwnerId,
        started: Timestamp,
        artifacts: ArtifactFolder,
        document_bytes: usize,
        is_resumed: bool,
    ) -> Self {
        Self {
            id,
            owner,
            started,
            artifacts,
            document_bytes,
            is_resumed,
            now: Mutex::default(),
            saving: Mutex::default(),
            cancelling: Mutex::default(),
            left: AtomicBool::new(false),
        }
    }

    /// Gives the job what it needs to run; `prepare` makes its state the one that it starts from.
    pub(super) fn load(&self, work: Arc<Work>, prepare: impl FnOnce(&mut JobState)) {
        let mut now = self.now.lock();
        prepare(&mut now.state);
        now.state.blocks.resize_with(work.plan.len(), BlockState::default);
        now.work = Some(work);
    }

    /// Gives a job that has not started its stored state.
    pub(super) fn recall(&self, state: JobState) {
        let mut now = self.now.lock();
        if now.work.is_none() && !now.has_ended() {
            let cancel_requested = now.state.cancel_requested || state.cancel_requested;
            let events = state.events.max(now.state.events);
            now.state = JobState { cancel_requested, events, ..state };
        }
    }

    /// Leaves what a waiting job needs to run to the store; what is returned is to be dropped
    /// where no lock is held.
    pub(super) fn unload(&self) -> Option<Arc<Work>> {
        let mut now = self.now.lock();
        now.state.blocks = Vec::new();
        now.work.take()
    }

    pub(super) fn work(&self) -> Option<Arc<Work>> {
        self.now.lock().work.clone()
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

    /// The details as JSON; none if what the job needs for that is in the store only.
    pub(super) fn details(&self) -> Option<String> {
        let now = self.now.lock();
        let work = now.work.clone()?;
        let (mut state, unsaved) = (now.state.clone(), now.unsaved.clone());
        drop(now);
        state.error = state.error.or(unsaved);
        Some(self.describe(&work, &state).to_json())
    }

    fn describe<'a>(&'a self, work: &'a Work, state: &'a JobState) -> Details<'a> {
        let Work { workflow, modules, .. } = work;
        Details { id: self.id, started: self.started, workflow, modules, state }
    }

    /// The outputs of blocks that finished before the service was started.
    pub(super) fn restored(&self) -> Vec<(BlockIndex, Vec<Value>)> {
        let now = self.now.lock();
        let saved = now.state.saved_outputs.iter();
        saved.map(|(block, values)| (BlockIndex(*block), values.to_vec())).collect()
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
    pub(super) fn record(&self, event: Event) {
        let Some(work) = self.work() else { return };
        let lost_worker = matches!(&event, Event::BlockFailed { error, .. }
            if error.kind() == BlockErrorKind::Killed);
        let write = |block: BlockIndex, artifact: &_| {
            self.artifacts.write(&(u64::from(block.0) + 1).to_string(), artifact)
        };
        let Some(change) = Change::new(event, &work.budget, &write) else { return };
        let mut now = self.now.lock();
        if now.abandoned || now.has_ended() {
            return;
        }
        now.lost_worker |= lost_worker;
        if !now.state.apply(&change, &work.budget) {
            return;
        }
        now.emit(event_data::name_of(&change), |state| event_data::of(&change, state, &work.plan));
        now.changed = true;
        let wakers = now.feed.take_wakers();
        drop(now);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether a block failed because what ran it was killed, not by its own doing.
    pub(super) fn has_lost_worker(&self) -> bool {
        self.now.lock().lost_worker
    }

    /// Notes how the run ended without ending the job yet.
    pub(super) fn hold_end(&self, run: RunStatus, until: Instant) {
        self.now.lock().held_end = Some((run, until));
    }

    /// The end that was held back, if its time has come.
    pub(super) fn take_held_end(&self) -> Option<RunStatus> {
        let mut now = self.now.lock();
        let (run, _) = now.held_end.take_if(|(_, until)| Instant::now() >= *until)?;
        Some(run)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.now.lock().state.status.is_final()
    }

    /// From now on events are kept. Gives the number to go on after; none if there was no such
    /// event yet.
    pub(super) fn watch(&self, after: u64) -> Option<u64> {
        let mut now = self.now.lock();
        now.feed.watch();
        (after <= now.state.events).then_some(after)
    }

    pub(super) fn poll_event(&self, after: Option<u64>, waker: &Waker) -> Poll<Option<JobEvent>> {
        let mut now = self.now.lock();
        let (last, ended) = (now.state.events, now.state.status.is_final());
        let end = |state| JobEvent { number: last, name: "end", data: event_data::end(state) };
        match (now.feed.next(after, last, ended), now.work.clone()) {
            (Next::Event(event), _) => Poll::Ready(Some(event)),
            (Next::Over, _) => Poll::Ready(None),
            (Next::End, _) => Poll::Ready(Some(end(&now.state))),
            (Next::Snapshot, Some(work)) => {
                let state = now.state.clone();
                drop(now);
                // The end of an ended job still follows.
                let number = if ended { last - 1 } else { last };
                let data = event_data::snapshot(self.describe(&work, &state));
                Poll::Ready(Some(JobEvent { number, name: "snapshot", data }))
            }
            (Next::Snapshot, None) if ended => Poll::Ready(Some(end(&now.state))),
            // It comes when the job starts.
            (Next::Snapshot, None) | (Next::Nothing, _) => {
                now.feed.wait(waker);
                Poll::Pending
            }
        }
    }
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
}
