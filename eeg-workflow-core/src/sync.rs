//! Locks without poison.
//!
//! A panic while a lock is held is always somebody else's code inside a guard that reports it;
//! the data are whole, and others must be able to go on. So a lock here is given in any case.
//!
//! Model checkers put their own in place of the standard library's: loom the atomics
//! (`--cfg loom`), shuttle everything (`--cfg shuttle`).

#[cfg(not(all(shuttle, test)))]
use std::sync as primitive;
use std::sync::PoisonError;
use std::time::Duration;

#[cfg(all(shuttle, test))]
use shuttle::sync as primitive;

use crate::deadline::Deadline;

pub(crate) mod atomic {
    #[cfg(all(loom, test))]
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
    #[cfg(all(shuttle, test))]
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
    #[cfg(not(any(all(loom, test), all(shuttle, test))))]
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    #[cfg(all(shuttle, test))]
    pub(crate) use shuttle::{thread::Builder, thread_local};
    #[cfg(not(all(shuttle, test)))]
    pub(crate) use std::{thread::Builder, thread_local};
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

pub(crate) use primitive::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// [`std::sync::Mutex`] without poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(primitive::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(primitive::Mutex::new(value))
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
pub(crate) struct Condvar(primitive::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(primitive::Condvar::new())
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
            Some(_) if cfg!(all(shuttle, test)) => self.wait(guard),
            Some(left) => self.wait_timeout(guard, left).0,
        }
    }

    /// Waits, and says whether the time was over first.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        // Shuttle knows no time: it is over at once.
        if cfg!(all(shuttle, test)) {
            return (guard, true);
        }
        let waited = self.0.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner);
        (waited.0, waited.1.timed_out())
    }
}

/// [`std::sync::RwLock`] without poison.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(primitive::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(primitive::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
