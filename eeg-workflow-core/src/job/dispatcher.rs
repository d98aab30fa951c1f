//! The thread that starts jobs, so that no caller and no thread of the store does.

use std::sync::Weak;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::JobError;
use super::service::Inner;

/// Wakes the thread; once it is dropped, the thread ends.
#[derive(Debug)]
pub(super) struct Dispatcher(Sender<()>);

impl Dispatcher {
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), receiver)
    }

    /// A job waits, or there is room for one.
    pub(super) fn wake(&self) {
        // Without the thread the service is being dropped.
        let _ = self.0.send(());
    }
}

/// Starts the thread, which does not keep the service.
pub(super) fn run(service: Weak<Inner>, wakes: Receiver<()>) -> Result<(), JobError> {
    let work = move || {
        while wakes.recv().is_ok() {
            // One look at the queue answers all that were sent before it.
            wakes.try_iter().for_each(drop);
            let Some(service) = service.upgrade() else { return };
            service.start_waiting();
        }
    };
    thread::Builder::new()
        .name("job-dispatcher".to_owned())
        .spawn(work)
        .map(drop)
        .map_err(JobError::Thread)
}
