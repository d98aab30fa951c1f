//! What threads sleep on until a run ends or is cancelled.

use crate::deadline::Deadline;
use crate::sync::{Condvar, Mutex};

/// Wakes those who wait for a run to end or to be cancelled.
#[derive(Default)]
pub(super) struct Bell {
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        drop(self.lock.lock());
        self.rung.notify_all();
    }

    /// Waits until there is something, but not beyond the deadline.
    pub(super) fn wait_until<T>(
        &self,
        mut check: impl FnMut() -> Option<T>,
        end: Deadline,
    ) -> Option<T> {
        // Under the lock, so that no ring is missed between the check and the waiting.
        let mut guard = self.lock.lock();
        loop {
            let found = check();
            if found.is_some() || end.has_passed() {
                return found;
            }
            guard = self.rung.wait_until(guard, end);
        }
    }

    pub(super) fn wait<T>(&self, mut check: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = self.wait_until(&mut check, Deadline::NEVER) {
                return found;
            }
        }
    }
}
