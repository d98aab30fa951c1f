//! Numbers that tell requests apart in logs and answers.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a request: in its `x-request-id` and in every log line about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    server: u32,
    number: u64,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.server, self.number)
    }
}

/// Gives each request its number.
pub(crate) struct RequestIds {
    /// Random, so that requests of two runs of the server are told apart.
    server: u32,
    last: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { server: getrandom::u32()?, last: AtomicU64::new(0) })
    }

    pub(crate) fn next(&self) -> RequestId {
        RequestId { server: self.server, number: self.last.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}
