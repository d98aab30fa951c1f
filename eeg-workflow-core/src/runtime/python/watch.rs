//! Who waits for a worker, and how long.

use std::time::{Duration, Instant};

use crate::block::Stop;

/// Whoever waits for an answer: may stop it, and is told what the worker prints.
pub(super) trait Watch {
    fn stop(&self) -> Option<Stop>;
    fn log(&self, line: &str);
}

/// For a worker that is started for nobody in particular.
pub(super) struct Deadline {
    after: Duration,
    at: Instant,
}

impl Deadline {
    pub(super) fn after(after: Duration) -> Self {
        Self { after, at: Instant::now() + after }
    }
}

impl Watch for Deadline {
    fn stop(&self) -> Option<Stop> {
        (Instant::now() >= self.at).then_some(Stop::TimedOut(self.after))
    }

    fn log(&self, _: &str) {}
}
