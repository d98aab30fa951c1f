//! Who waits for a worker, and how long.

use std::time::{Duration, Instant};

use crate::block::Stop;

/// Whoever waits for an answer: may stop it, and is told what the worker prints.
pub(crate) trait Waiter {
    fn stop(&self) -> Option<Stop>;
    fn log(&self, line: &str);
}

/// For a worker that is started for nobody in particular.
pub(crate) struct Deadline {
    after: Duration,
    at: Instant,
}

impl Deadline {
    pub(crate) fn after(after: Duration) -> Self {
        Self { after, at: Instant::now() + after }
    }
}

impl Waiter for Deadline {
    fn stop(&self) -> Option<Stop> {
        (Instant::now() >= self.at).then_some(Stop::TimedOut(self.after))
    }

    fn log(&self, _: &str) {}
}
