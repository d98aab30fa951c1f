//! Who waits for a worker, and how long.

use std::time::Duration;

use crate::block::Stop;
use crate::deadline::Deadline;

/// Whoever waits for an answer: may stop it, and is told what the worker prints.
pub(crate) trait Waiter {
    fn stop(&self) -> Option<Stop>;
    fn log(&self, line: &str);
}

/// For a worker that is started for nobody in particular.
pub(crate) struct Limit(Deadline);

impl Limit {
    pub(crate) fn new(length: Duration) -> Self {
        Self(Deadline::after(length))
    }
}

impl Waiter for Limit {
    fn stop(&self) -> Option<Stop> {
        self.0.passed().map(Stop::TimedOut)
    }

    fn log(&self, _: &str) {}
}
