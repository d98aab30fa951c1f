//! Memory for bodies of requests that are held whole, shared by users.
//!
//! What counts is what has come, not what was announced: a body that drips in holds next to
//! nothing, so that nobody can take the memory of others by being slow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eeg_workflow_core::block::OwnerId;

use crate::sync::lock;

/// The memory, and who holds how much of it.
pub(crate) struct BodyMemory {
    max_bytes: u64,
    max_per_user: u64,
    held: Mutex<HashMap<OwnerId, u64>>,
}

/// What one body holds, until this is dropped.
pub(crate) struct HeldMemory {
    memory: Arc<BodyMemory>,
    user: OwnerId,
    bytes: u64,
}

/// There is not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMemory {
    /// The user holds as much as one user may.
    OfUser,
    /// All users together hold as much as there is.
    OfAll,
}

impl BodyMemory {
    pub(crate) fn new(max_bytes: u64, max_per_user: u64) -> Arc<Self> {
        Arc::new(Self { max_bytes, max_per_user, held: Mutex::default() })
    }

    /// The memory of a new body of this user, which holds nothing yet.
    pub(crate) fn body_of(self: &Arc<Self>, user: OwnerId) -> HeldMemory {
        HeldMemory { memory: Arc::clone(self), user, bytes: 0 }
    }

    /// The bytes that all users hold together.
    pub(crate) fn held(&self) -> u64 {
        lock(&self.held).values().sum()
    }
}

impl HeldMemory {
    /// Holds this many bytes more.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), NoMemory> {
        let mut held = lock(&self.memory.held);
        let of_user = held.get(&self.user).copied().unwrap_or(0).saturating_add(bytes);
        let of_all = held.values().sum::<u64>().saturating_add(bytes);
        if of_user > self.memory.max_per_user {
            return Err(NoMemory::OfUser);
        }
        if of_all > self.memory.max_bytes {
            return Err(NoMemory::OfAll);
        }
        held.insert(self.user, of_user);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        let mut held = lock(&self.memory.held);
        if let Some(of_user) = held.get_mut(&self.user) {
            *of_user = of_user.saturating_sub(self.bytes);
            if *of_user == 0 {
                held.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_the_memory_of_others() {
        let memory = BodyMemory::new(100, 60);
        let (mut first, mut second) = (memory.body_of(OwnerId(1)), memory.body_of(OwnerId(1)));
        let mut other = memory.body_of(OwnerId(2));
        assert_eq!(first.grow(40), Ok(()));
        assert_eq!(second.grow(30), Err(NoMemory::OfUser));
        assert_eq!(second.grow(20), Ok(()));
        assert_eq!(other.grow(50), Err(NoMemory::OfAll));
        assert_eq!(other.grow(40), Ok(()));
        drop(first);
        assert_eq!(other.grow(20), Ok(()));
        drop((second, other));
        assert_eq!(memory.held(), 0);
    }
}
