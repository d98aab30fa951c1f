//! Which jobs are in memory, and whose turn it is.
//!
//! Jobs start in the order in which they came, but owners take turns: whoever submits a
//! thousand jobs does not keep another one's first job waiting.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

use super::active::{ActiveJob, Work};
use super::{JobId, SubmitError};
use crate::block::OwnerId;

#[derive(Debug)]
pub(super) struct Queue {
    /// Every job that has not ended, or whose end is not durable yet.
    active: HashMap<JobId, Arc<ActiveJob>>,
    owners: HashMap<OwnerId, Owner>,
    /// Owners with waiting jobs, the one whose turn it is in front.
    turns: VecDeque<OwnerId>,
    running: usize,
    waiting: usize,
    /// Bytes of the documents of running jobs, and of waiting ones that are loaded.
    running_bytes: usize,
    loaded_bytes: usize,
    limits: Limits,
    /// Nothing starts any more.
    stopped: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) running: usize,
    pub(super) running_of_owner: usize,
    pub(super) unfinished_of_owner: usize,
    pub(super) running_bytes: usize,
    pub(super) loaded_bytes: usize,
}

#[derive(Debug, Default)]
struct Owner {
    /// Jobs that have not ended, those that are being stored among them.
    unfinished: usize,
    running: usize,
    running_bytes: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    job: Arc<ActiveJob>,
    /// Bytes that count as loaded.
    loaded_bytes: usize,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            active: HashMap::default(),
            owners: HashMap::default(),
            turns: VecDeque::new(),
            running: 0,
            waiting: 0,
            running_bytes: 0,
            loaded_bytes: 0,
            limits,
            stopped: false,
        }
    }

    /// Counts a job that is about to be stored.
    pub(super) fn reserve(&mut self, owner: OwnerId) -> Result<(), SubmitError> {
        if self.stopped {
            return Err(SubmitError::ShuttingDown);
        }
        let limit = self.limits.unfinished_of_owner;
        let owner = self.owners.entry(owner).or_default();
        if owner.unfinished >= limit {
            return Err(SubmitError::TooManyJobs { limit });
        }
        owner.unfinished += 1;
        Ok(())
    }

    /// Counts a job that an earlier process accepted: whatever the limits are.
    pub(super) fn reserve_resumed(&mut self, owner: OwnerId) {
        self.owners.entry(owner).or_default().unfinished += 1;
    }

    /// A reserved job could not be stored.
    pub(super) fn release(&mut self, owner: OwnerId) {
        if let Some(state) = self.owners.get_mut(&owner) {
            state.unfinished -= 1;
            if state.unfinished == 0 {
                self.owners.remove(&owner);
            }
        }
    }

    /// A job that was running has ended.
    pub(super) fn release_running(&mut self, job: &ActiveJob) {
        self.stop_running(job);
        self.release(job.owner);
    }

    fn stop_running(&mut self, job: &ActiveJob) {
        self.running -= 1;
        self.running_bytes -= job.document_bytes;
        if let Some(owner) = self.owners.get_mut(&job.owner) {
            owner.running -= 1;
            owner.running_bytes -= job.document_bytes;
        }
    }

    /// Remembers a reserved job without giving it a turn.
    pub(super) fn remember(&mut self, job: &Arc<ActiveJob>) {
        self.active.insert(job.id, Arc::clone(job));
    }

    /// Puts a reserved job at its owner's end of the queue. When waiting jobs hold too much, it
    /// leaves what it needs to run to the store: that is returned, to be dropped elsewhere.
    pub(super) fn push(&mut self, job: Arc<ActiveJob>) -> Option<Arc<Work>> {
        self.remember(&job);
        let room = self.limits.loaded_bytes.saturating_sub(self.loaded_bytes);
        let is_loaded = job.document_bytes <= room && job.work().is_some();
        let unloaded = if is_loaded { None } else { job.unload() };
        let loaded_bytes = if is_loaded { job.document_bytes } else { 0 };
        self.loaded_bytes += loaded_bytes;
        self.waiting += 1;
        let owner = self.owners.entry(job.owner).or_default();
        if owner.waiting.is_empty() {
            self.turns.push_back(job.owner);
        }
        owner.waiting.push_back(Waiting { job, loaded_bytes });
        unloaded
    }

    /// Puts a job that [`Queue::next`] gave in front of its owner's queue again.
    pub(super) fn put_back(&mut self, job: Arc<ActiveJob>) {
        self.stop_running(&job);
        self.waiting += 1;
        let owner = self.owners.entry(job.owner).or_default();
        if owner.waiting.is_empty() {
            self.turns.push_back(job.owner);
        }
        owner.waiting.push_front(Waiting { job, loaded_bytes: 0 });
    }

    /// The job that may start now, counted as running.
    pub(super) fn next(&mut self) -> Option<Arc<ActiveJob>> {
        if self.stopped || self.running >= self.limits.running {
            return None;
        }
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let owner = self.owners.get_mut(&id)?;
            let bytes = owner.waiting.front()?.job.document_bytes;
            // An owner's only job runs however large it is.
            let has_room = owner.running == 0
                || (owner.running < self.limits.running_of_owner
                    && owner.running_bytes + bytes <= self.limits.running_bytes / 2
                    && self.running_bytes + bytes <= self.limits.running_bytes);
            if !has_room {
                self.turns.push_back(id);
                continue;
            }
            let Waiting { job, loaded_bytes } = owner.waiting.pop_front()?;
            if !owner.waiting.is_empty() {
                self.turns.push_back(id);
            }
            owner.running += 1;
            owner.running_bytes += bytes;
            self.running += 1;
            self.running_bytes += bytes;
            self.waiting -= 1;
            self.loaded_bytes -= loaded_bytes;
            return Some(job);
        }
        None
    }

    /// Takes a job out that has not started.
    pub(super) fn remove_waiting(&mut self, job: &ActiveJob) -> bool {
        let Some(owner) = self.owners.get_mut(&job.owner) else { return false };
        let Some(index) = owner.waiting.iter().position(|other| other.job.id == job.id) else {
            return false;
        };
        let removed = owner.waiting.remove(index);
        if owner.waiting.is_empty() {
            self.turns.retain(|id| *id != job.owner);
        }
        self.waiting -= 1;
        self.loaded_bytes -= removed.map_or(0, |waiting| waiting.loaded_bytes);
        true
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Arc<ActiveJob>> {
        self.active.get(&id)
    }

    /// The store has all of it.
    pub(super) fn forget(&mut self, id: JobId) {
        self.active.remove(&id);
    }

    pub(super) fn all(&self) -> Vec<Arc<ActiveJob>> {
        self.active.values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether it was stopped, and nothing runs any more.
    pub(super) fn is_idle(&self) -> bool {
        self.stopped && self.running == 0
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }
}
