//! Locks without poison.
//!
//! A panic while a lock is held is always somebody else's code inside a guard that reports it;
//! the data are whole, and others must be able to go on. So a lock here is given in any case.

use std::sync::PoisonError;
use std::time::Duration;

use crate::deadline::Deadline;

/// Atomics of code that loom checks: its own while it does (`--cfg loom`).
pub(crate) mod atomic {
    #[cfg(all(loom, test))]
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
    #[cfg(not(all(loom, test)))]
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
}

/// Stands beside memory that is touched without a lock, so that loom sees it touched. Without
/// loom it is nothing.
pub(crate) struct Witness(#[cfg(all(loom, test))] loom::cell::UnsafeCell<()>);

impl Witness {
    pub(crate) fn new() -> Self {
        Self(
            #[cfg(all(loom, test))]
            loom::cell::UnsafeCell::new(()),
        )
    }

    /// The memory is read or written here, by nobody else at the same time.
    #[inline]
    pub(crate) fn touch(&self) {
        #[cfg(all(loom, test))]
        self.0.with_mut(|_| ());
    }
}

pub(crate) use std::sync::MutexGuard;
pub(crate) use std::sync::{RwLockReadGuard, RwLockWriteGuard};

/// [`std::sync::Mutex`] without poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`std::sync::Condvar`] without poison.
#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not beyond the deadline.
    pub(crate) fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
    ) -> MutexGuard<'a, T> {
        match deadline.remaining() {
            None => self.wait(guard),
            Some(left) => self.wait_timeout(guard, left).0,
        }
    }

    /// Waits, and says whether the time was over first.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let waited = self.0.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner);
        (waited.0, waited.1.timed_out())
    }
}

/// [`std::sync::RwLock`] without poison.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(std::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
