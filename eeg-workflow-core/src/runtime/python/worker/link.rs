//! The end of a worker that the values which live in it know.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::runtime::python::worker::channel;
use crate::sync::Mutex;

/// What a worker has and others may know: its number, and how many values it holds for them.
#[derive(Debug)]
pub(crate) struct WorkerLink {
    pub(crate) id: u64,
    socket: OwnedFd,
    held: AtomicUsize,
    /// Values to be released that there was no room to tell of.
    released: Mutex<Vec<u64>>,
    is_gone: AtomicBool,
}

impl WorkerLink {
    pub(crate) fn new(id: u64, socket: OwnedFd) -> Self {
        Self {
            id,
            socket,
            held: AtomicUsize::new(0),
            released: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The worker ends, and its values with it.
    pub(crate) fn leave(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// The values that the worker is to be told to release with its next request.
    pub(crate) fn take_released(&self) -> Vec<u64> {
        std::mem::take(&mut *self.released.lock())
    }

    /// How many values are held there for this process.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the worker has ended, and its values with it.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// A value is not needed any more. (`taken`: the worker has given it away itself.)
    pub(crate) fn release(&self, handle: u64, taken: bool) {
        self.held.fetch_sub(1, Ordering::AcqRel);
        if taken || self.is_gone() {
            return;
        }
        let message = json!({ "op": "release", "handles": [handle] });
        if channel::send(&self.socket, &message, &[], false).is_err() {
            self.released.lock().push(handle);
        }
    }
}
