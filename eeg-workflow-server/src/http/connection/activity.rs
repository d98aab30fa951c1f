//! What a connection is doing: answering a request, or waiting for one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::http::response::Body;

/// Nothing was asked for, or everything that was asked for is answered and sent.
const IDLE: u8 = 0;
/// A request is being read or answered.
const BUSY: u8 = 1;
/// The answer is complete, and may not be sent yet.
const ANSWERED: u8 = 2;

/// The state of one connection. All of it is changed by the connection's own task.
pub(super) struct Activity {
    state: AtomicU8,
    opened: Instant,
    /// When it became idle, in milliseconds since it was opened.
    idle_since: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { state: AtomicU8::new(IDLE), opened: Instant::now(), idle_since: AtomicU64::new(0) }
    }

    /// A request has come.
    pub(super) fn begin(&self) {
        self.state.store(BUSY, SeqCst);
    }

    /// Everything that was written is on its way.
    pub(super) fn flushed(&self) {
        if self.state.load(SeqCst) == ANSWERED {
            let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.idle_since.store(now, SeqCst);
            self.state.store(IDLE, SeqCst);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.load(SeqCst) == IDLE
    }

    /// Since when nothing was asked for; none while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let since = std::time::Duration::from_millis(self.idle_since.load(SeqCst));
        if self.is_idle() { self.opened.checked_add(since) } else { None }
    }
}

/// The body of an answer, which tells when it is complete or given up.
pub(super) struct WatchedBody {
    body: Body,
    activity: Arc<Activity>,
}

impl WatchedBody {
    pub(super) fn new(body: Body, activity: Arc<Activity>) -> Self {
        Self { body, activity }
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.activity.state.store(ANSWERED, SeqCst);
    }
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
