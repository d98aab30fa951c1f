//! How the states of a job come into the store.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::ActiveJob;
use crate::engine::RunStatus;
use crate::job::{JobState, JobStatus, JobStore, Pending, StoreError, Timestamp, event_data};

type Stored = Pending<Result<(), StoreError>>;

/// A state on its way into the store.
pub(in crate::job) struct Save {
    pub(in crate::job) pending: Stored,
    /// The status that is saved: once a final one is durable, the job need not stay in memory.
    pub(in crate::job) status: JobStatus,
}

/// What became of a request to cancel.
pub(in crate::job) enum CancelRequest {
    /// It had ended like this.
    Ended(JobStatus),
    /// It has ended, which is not durable yet.
    Ending,
    /// It will end as cancelled, which is durable.
    Noted,
}

impl ActiveJob {
    /// Counts, durably, that a job of an earlier process runs again.
    pub(in crate::job) fn count_resume(&self, store: &dyn JobStore) -> Stored {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        now.state.resumes += 1;
        let state = now.state.clone();
        drop(now);
        store.save(self.id, state)
    }

    /// Notes in the store that the job is to end as cancelled, and waits until that is durable.
    pub(in crate::job) fn request_cancel(
        &self,
        store: &dyn JobStore,
    ) -> Result<CancelRequest, StoreError> {
        let mut is_durable = self.cancelling.lock();
        // While it is handed over, no progress is saved, which would be without that note if it
        // was made before.
        let saving = self.saving.lock();
        let mut now = self.now.lock();
        if now.state.status.is_final() {
            return Ok(CancelRequest::Ended(now.state.status));
        }
        if now.ending.is_some() {
            return Ok(CancelRequest::Ending);
        }
        if *is_durable {
            return Ok(CancelRequest::Noted);
        }
        let was_requested = std::mem::replace(&mut now.state.cancel_requested, true);
        let state = now.state.clone();
        drop(now);
        let stored = store.save(self.id, state);
        drop(saving);
        let stored = stored.wait();
        *is_durable = stored.is_ok();
        if !*is_durable {
            self.now.lock().state.cancel_requested = was_requested;
        }
        stored.map(|()| CancelRequest::Noted)
    }

    /// Ends the job, and hands its last state to the store. None if it has ended already, or
    /// was left to the next start.
    pub(in crate::job) fn finish(&self, run: RunStatus, store: &dyn JobStore) -> Option<Save> {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        // The run holds this job as its listener: without it, both can go.
        let held = now.run.take();
        if now.abandoned || now.has_ended() {
            return None;
        }
        let mut state = now.state.clone();
        let status = state.status_after(run);
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
    pub(in crate::job) fn save_progress(
        &self,
        at_least: Duration,
        store: &dyn JobStore,
    ) -> Option<Save> {
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
        saving.0 = begun.checked_add(pause);
        Some(Save { pending, status })
    }

    /// The store has failed to keep the state: it is new again, and the job says so. Whether
    /// that is news.
    pub(in crate::job) fn not_saved(&self, error: &StoreError) -> bool {
        let mut now = self.now.lock();
        now.changed = true;
        let is_permanent = error.is_permanent();
        match &mut now.ending {
            // The job fails, and that is stored instead.
            Some(ending) if is_permanent => ending.reduce(&error.without_path()),
            Some(_) => {}
            // A second try would fail like this one; the end is tried in any case.
            None if is_permanent => now.changed = false,
            None => {}
        }
        let why = error.without_path();
        let message = format!("the job's state is not stored yet: {why}").into();
        let is_news = now.unsaved.as_ref() != Some(&message);
        now.unsaved = Some(message);
        is_news
    }

    /// A state of the job is in the store; once it is the last one, whoever follows the job is
    /// told. Gives how the job ended when that is so.
    pub(in crate::job) fn settle(&self, saved: JobStatus) -> Option<JobStatus> {
        let mut now = self.now.lock();
        now.unsaved = None;
        // An older state that becomes durable after the end says nothing of the end.
        if !saved.is_final() {
            return None;
        }
        let mut ending = now.ending.take()?;
        ending.events = now.state.events;
        let status = ending.status;
        now.state = ending;
        now.emit("job", event_data::status);
        now.emit("end", event_data::end);
        let wakers = now.feed.take_wakers();
        drop(now);
        wakers.into_iter().for_each(Waker::wake);
        Some(status)
    }

    /// Leaves the job to the next start of the service, with its state in the store.
    pub(in crate::job) fn abandon(&self, store: &dyn JobStore) -> Option<Stored> {
        let _saving = self.saving.lock();
        let mut now = self.now.lock();
        now.feed.close();
        let wakers = now.feed.take_wakers();
        let mut saved = None;
        if now.state.status.is_final() || now.abandoned {
            drop(now);
        } else {
            let has_ended = now.ending.is_some();
            now.abandoned = !has_ended;
            // An orderly end of the process is not the job's doing.
            let counted = std::mem::take(&mut now.state.resumes) > 0 && !has_ended;
            let state = now.ending.as_ref().unwrap_or(&now.state);
            let state: Option<JobState> = (now.changed || counted).then(|| state.clone());
            let run = now.run.take();
            drop(now);
            saved = state.map(|state| store.save(self.id, state));
            if let Some(run) = run {
                run.cancel();
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        saved
    }

    /// Why the job's state is not in the store.
    pub(in crate::job) fn unsaved(&self) -> Option<Arc<str>> {
        self.now.lock().unsaved.clone()
    }
}
