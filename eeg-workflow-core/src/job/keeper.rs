//! The thread that stores the progress of running jobs, and what could not be stored before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::JobError;
use super::service::Inner;
use crate::sync::{Condvar, Mutex};

/// Wakes up every `save_interval` while there are jobs in memory, and sleeps otherwise.
#[derive(Debug)]
pub(super) struct Keeper {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes the keeper.
#[derive(Clone, Debug)]
pub(super) struct KeeperHandle(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    awake: AtomicBool,
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Keeper {
    pub(super) fn start(service: &Arc<Inner>) -> Result<Self, JobError> {
        let signal = Arc::new(Signal::default());
        let (shared, service) = (Arc::clone(&signal), Arc::downgrade(service));
        let thread = thread::Builder::new()
            .name("job-keeper".to_owned())
            .spawn(move || shared.run(&service))
            .map_err(JobError::Thread)?;
        Ok(Self { signal, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn handle(&self) -> KeeperHandle {
        KeeperHandle(Arc::clone(&self.signal))
    }

    /// There are jobs in memory.
    pub(super) fn wake(&self) {
        self.signal.wake();
    }

    pub(super) fn stop(&self) {
        *self.signal.stopped.lock() = true;
        self.signal.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic there ends nothing but the thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl KeeperHandle {
    pub(super) fn wake(&self) {
        self.0.wake();
    }
}

impl Signal {
    fn wake(&self) {
        // One load a job: the flag is down only while the keeper sleeps.
        if !self.awake.load(Ordering::SeqCst) {
            let stopped = self.stopped.lock();
            self.awake.store(true, Ordering::SeqCst);
            drop(stopped);
            self.changed.notify_all();
        }
    }

    fn run(&self, service: &Weak<Inner>) {
        let mut stopped = self.stopped.lock();
        while !*stopped {
            if !self.awake.load(Ordering::SeqCst) {
                stopped = self.changed.wait(stopped);
                continue;
            }
            let Some(service) = service.upgrade() else { return };
            let interval = service.options.save_interval;
            (stopped, _) = self.changed.wait_timeout(stopped, interval);
            if *stopped {
                return;
            }
            drop(stopped);
            service.save_progress();
            // Lowered before it looks: a job that comes after the look raises it again.
            self.awake.store(false, Ordering::SeqCst);
            if !service.queue.lock().is_empty() {
                self.awake.store(true, Ordering::SeqCst);
            }
            drop(service);
            stopped = self.stopped.lock();
        }
    }
}

impl Inner {
    fn save_progress(self: &Arc<Self>) {
        let jobs = self.queue.lock().all();
        for job in jobs {
            if let Some(save) = job.save_progress(self.options.save_interval, &*self.store) {
                self.follow(job, save);
            }
        }
    }
}
