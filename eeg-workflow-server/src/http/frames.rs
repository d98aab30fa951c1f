//! Bodies of requests as streams that end at the limits on size and time.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::body_memory::{HeldMemory, NoMemory};
use crate::http::rejection::Rejection;
use crate::sync::lock;

/// The lowest rate of a whole body.
const MIN_BYTES_PER_SECOND: u64 = 4096;

/// How much of a body is taken, and how slowly it may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: u64,
    pub(crate) idle: Duration,
}

/// A body as it comes in: no longer than its limit, and no slower.
pub(crate) struct Frames {
    body: Incoming,
    limits: BodyLimits,
    received: u64,
    started: Instant,
    /// Counts what is held in memory of a body that is read whole.
    memory: Option<Arc<Mutex<HeldMemory>>>,
    /// Armed only while the client is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("too large")]
    TooLarge(u64),
    #[error("too slow")]
    TooSlow,
    #[error("cut off")]
    CutOff,
    #[error("not in parts")]
    NotInParts(u64),
    #[error("no memory")]
    NoMemory(NoMemory),
}

impl Frames {
    pub(crate) fn new(body: Incoming, limits: BodyLimits) -> Self {
        Self { body, limits, received: 0, started: Instant::now(), memory: None, timer: None }
    }

    /// The same body, of which all that comes is counted here.
    pub(crate) fn counted(self, memory: Arc<Mutex<HeldMemory>>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// The most bytes that are taken.
    pub(crate) fn limit(&self) -> u64 {
        self.limits.bytes
    }

    /// The next bytes, or none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Rejection> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await;
        Ok(frame.transpose()?)
    }

    /// All of it.
    pub(crate) async fn collect(mut self) -> Result<Bytes, Rejection> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(more) = self.next().await? {
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }

    /// Until when the next bytes must come: soon after the last ones, and soon enough for the
    /// whole to keep the least rate.
    fn deadline(&self) -> Instant {
        let whole = Duration::from_secs(self.received / MIN_BYTES_PER_SECOND);
        (self.started + self.limits.idle + whole).min(Instant::now() + self.limits.idle)
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(BodyError::CutOff))),
                Poll::Ready(Some(Ok(frame))) => {
                    this.timer = None;
                    let Ok(bytes) = frame.into_data() else { continue };
                    this.received += bytes.len() as u64;
                    if this.received > this.limits.bytes {
                        return Poll::Ready(Some(Err(BodyError::TooLarge(this.limits.bytes))));
                    }
                    if let Some(memory) = &this.memory
                        && let Err(error) = lock(memory).grow(bytes.len() as u64)
                    {
                        return Poll::Ready(Some(Err(BodyError::NoMemory(error))));
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Pending => {
                    let deadline = this.deadline();
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                    return timer.as_mut().poll(cx).map(|()| Some(Err(BodyError::TooSlow)));
                }
            }
        }
    }
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => Self::TooLarge { what: "the body".into(), limit },
            BodyError::TooSlow => Self::TooSlow,
            BodyError::CutOff => Self::BodyCutOff,
            BodyError::NotInParts(limit) => Self::BadBody(format!(
                "the multipart body has over {limit} bytes outside of the contents of its parts"
            )),
            BodyError::NoMemory(NoMemory::OfUser) => Self::TooMuchMemory,
            BodyError::NoMemory(NoMemory::OfAll) => Self::Busy(Duration::from_secs(10)),
        }
    }
}
