//! Work that waits for a thread, in turns by owner.
//!
//! Whoever has the fewest threads is next, and the owners who have equally many take turns; so
//! an owner with a thousand runs is never before one with a single run. Since a block cannot be
//! interrupted, threads may still all be taken by one owner's long blocks: whoever uses this
//! lets an owner who has no thread have one beyond the limit ([`Turns::pop_unserved`]).

use std::collections::VecDeque;

use foldhash::HashMap;

use crate::block::OwnerId;

/// At most this many threads beyond the limit are given to owners who have none.
pub(super) const MAX_EXTRA: usize = 32;

pub(super) struct Turns<T> {
    /// Those who have work that waits, or threads.
    owners: HashMap<OwnerId, Share<T>>,
    /// Those who have work that waits, each once.
    order: VecDeque<OwnerId>,
    len: usize,
}

struct Share<T> {
    waiting: VecDeque<T>,
    threads: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { owners: HashMap::default(), order: VecDeque::new(), len: 0 }
    }
}

impl<T> Turns<T> {
    /// How much work waits.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, owner: OwnerId, work: T) {
        let share = self
            .owners
            .entry(owner)
            .or_insert_with(|| Share { waiting: VecDeque::new(), threads: 0 });
        if share.waiting.is_empty() {
            self.order.push_back(owner);
        }
        share.waiting.push_back(work);
        self.len += 1;
    }

    /// Takes the work that is next. Its owner has one thread more, until [`Self::release`].
    pub(super) fn pop(&mut self) -> Option<T> {
        let place = match self.order.len() {
            0 => return None,
            1 => 0,
            // The first of those with the fewest.
            _ => (0..).zip(&self.order).min_by_key(|(_, owner)| self.threads_of(**owner))?.0,
        };
        self.take(place)
    }

    /// Takes work of an owner who has no thread.
    pub(super) fn pop_unserved(&mut self) -> Option<T> {
        let place = self.order.iter().position(|owner| self.threads_of(*owner) == 0)?;
        self.take(place)
    }

    /// Whether an owner with work has no thread.
    pub(super) fn has_unserved(&self) -> bool {
        self.order.iter().any(|owner| self.threads_of(*owner) == 0)
    }

    /// The owner has one thread less.
    pub(super) fn release(&mut self, owner: OwnerId) {
        let Some(share) = self.owners.get_mut(&owner) else {
            debug_assert!(false, "a thread is given back by an owner who has none");
            return;
        };
        debug_assert!(share.threads > 0, "more threads are given back than were taken");
        share.threads = share.threads.saturating_sub(1);
        if share.threads == 0 && share.waiting.is_empty() {
            self.owners.remove(&owner);
        }
    }

    fn threads_of(&self, owner: OwnerId) -> usize {
        self.owners.get(&owner).map_or(0, |share| share.threads)
    }

    fn take(&mut self, place: usize) -> Option<T> {
        let owner = self.order.remove(place)?;
        let share = self.owners.get_mut(&owner)?;
        let work = share.waiting.pop_front();
        debug_assert!(work.is_some(), "an owner has a turn and no work");
        share.threads += 1;
        if !share.waiting.is_empty() {
            self.order.push_back(owner);
        }
        self.len -= 1;
        work
    }
}
