//! Which jobs are in memory, and whose turn it is.
//!
//! Jobs start in the order in which they came, but owners take turns: whoever submits a
//! thousand jobs does not keep another one's first job waiting.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

use super::live::Live;
use super::{JobId, SubmitError};
use crate::block::OwnerId;

#[derive(Debug)]
pub(super) struct Queue {
    /// Every job that has not ended, or whose end is not durable yet.
    live: HashMap<JobId, Arc<Live>>,
    owners: HashMap<OwnerId, Owner>,
    /// Owners with waiting jobs, the one whose turn it is in front.
    turns: VecDeque<OwnerId>,
    running: usize,
    waiting: usize,
    limits: Limits,
    /// Nothing starts any more.
    stopped: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) running: usize,
    pub(super) running_of_owner: usize,
    pub(super) unfinished_of_owner: usize,
}

#[derive(Debug, Default)]
struct Owner {
    /// Jobs that have not ended, those that are being stored among them.
    unfinished: usize,
    running: usize,
    waiting: VecDeque<Arc<Live>>,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            live: HashMap::default(),
            owners: HashMap::default(),
            turns: VecDeque::new(),
            running: 0,
            waiting: 0,
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

    /// Counts a job that was accepted in an earlier life: whatever the limits are.
    pub(super) fn reserve_resumed(&mut self, owner: OwnerId) {
        self.owners.entry(owner).or_default().unfinished += 1;
    }

    /// A reserved job has ended, or could not be stored.
    pub(super) fn release(&mut self, owner: OwnerId, was_running: bool) {
        self.running -= usize::from(was_running);
        if let Some(state) = self.owners.get_mut(&owner) {
            state.unfinished -= 1;
            state.running -= usize::from(was_running);
            if state.unfinished == 0 {
                self.owners.remove(&owner);
            }
        }
    }

    /// Puts a reserved job at its owner's end of the queue.
    pub(super) fn push(&mut self, job: Arc<Live>) {
        self.live.insert(job.id, Arc::clone(&job));
        let owner = self.owners.entry(job.owner).or_default();
        if owner.waiting.is_empty() {
            self.turns.push_back(job.owner);
        }
        owner.waiting.push_back(job);
        self.waiting += 1;
    }

    /// The job that may start now, counted as running.
    pub(super) fn next(&mut self) -> Option<Arc<Live>> {
        if self.stopped || self.running >= self.limits.running {
            return None;
        }
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let owner = self.owners.get_mut(&id)?;
            if owner.running >= self.limits.running_of_owner {
                self.turns.push_back(id);
                continue;
            }
            let job = owner.waiting.pop_front()?;
            if !owner.waiting.is_empty() {
                self.turns.push_back(id);
            }
            owner.running += 1;
            self.running += 1;
            self.waiting -= 1;
            return Some(job);
        }
        None
    }

    /// Takes a job out that has not started.
    pub(super) fn remove_waiting(&mut self, job: &Live) -> bool {
        let Some(owner) = self.owners.get_mut(&job.owner) else { return false };
        let Some(index) = owner.waiting.iter().position(|other| other.id == job.id) else {
            return false;
        };
        owner.waiting.remove(index);
        if owner.waiting.is_empty() {
            self.turns.retain(|id| *id != job.owner);
        }
        self.waiting -= 1;
        true
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Arc<Live>> {
        self.live.get(&id)
    }

    /// The store has all of it.
    pub(super) fn forget(&mut self, id: JobId) {
        self.live.remove(&id);
    }

    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.live.values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether it was stopped, and nothing runs any more.
    pub(super) fn is_idle(&self) -> bool {
        self.stopped && self.running == 0
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }
}
