//! Threads of the job service. They know nothing of it but what they are to call.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::guard;
use crate::sync::{Condvar, Mutex};

/// Sends tasks to a thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker<T>(Sender<T>);

/// What was sent to a [`Worker`] that has no thread yet.
#[derive(Debug)]
pub(super) struct Tasks<T>(Receiver<T>);

impl<T: Send + 'static> Worker<T> {
    pub(super) fn new() -> (Self, Tasks<T>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), Tasks(receiver))
    }

    pub(super) fn send(&self, task: T) {
        // Without the thread the service is being dropped.
        let _ = self.0.send(task);
    }
}

impl<T: Send + 'static> Tasks<T> {
    /// Starts the thread: `work` is given everything that waits, and says whether to go on.
    pub(super) fn start(
        self,
        name: &str,
        work: impl Fn(Vec<T>) -> bool + Send + 'static,
    ) -> std::io::Result<()> {
        let run = move || {
            while let Ok(first) = self.0.recv() {
                let all = std::iter::once(first).chain(self.0.try_iter()).collect();
                // A panic was reported; the next tasks are served all the same.
                if let Ok(false) = guard::call(|| work(all)) {
                    return;
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }
}

/// A thread that does the same again and again, as long as there is anything to do.
#[derive(Debug)]
pub(super) struct Ticker {
    waker: TickerWaker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes a [`Ticker`].
#[derive(Clone, Debug, Default)]
pub(super) struct TickerWaker(Arc<Signal>);

/// What a [`Ticker`] is to do after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// Tick again after the interval.
    Again,
    /// Sleep until it is woken.
    Sleep,
    /// End the thread.
    End,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<TickerState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct TickerState {
    awake: bool,
    stopped: bool,
}

impl Ticker {
    /// A thread that ticks every `interval` while there is anything to do, and else when it is
    /// woken or `idle` has passed.
    pub(super) fn start(
        name: &str,
        waker: TickerWaker,
        interval: Duration,
        idle: Duration,
        tick: impl Fn() -> Tick + Send + 'static,
    ) -> std::io::Result<Self> {
        let signal = Arc::clone(&waker.0);
        let run = move || signal.run(interval, idle, &tick);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { waker, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread and waits for that.
    pub(super) fn stop(&self) {
        self.waker.0.state.lock().stopped = true;
        self.waker.0.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != thread::current().id()) {
            // A panic there ends nothing but the thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl TickerWaker {
    /// There is something to do.
    pub(super) fn wake(&self) {
        let mut state = self.0.state.lock();
        if !std::mem::replace(&mut state.awake, true) {
            self.0.changed.notify_all();
        }
    }
}

impl Signal {
    fn run(&self, interval: Duration, idle: Duration, tick: &impl Fn() -> Tick) {
        let mut state = self.state.lock();
        while !state.stopped {
            if !state.awake {
                let (next, is_late) = self.changed.wait_timeout(state, idle);
                state = next;
                state.awake |= is_late;
                continue;
            }
            (state, _) = self.changed.wait_timeout(state, interval);
            if state.stopped {
                return;
            }
            // Lowered before it looks: what comes after the look raises it again.
            state.awake = false;
            drop(state);
            let next = guard::call(tick).unwrap_or(Tick::Again);
            state = self.state.lock();
            match next {
                Tick::Again => state.awake = true,
                Tick::Sleep => {}
                Tick::End => return,
            }
        }
    }
}
