//! The events of a job as they happen: server-sent events that can be resumed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use eeg_workflow_core::job::{JobEvent, Subscription};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::time::{Instant, Sleep, sleep};

use super::jobs;
use crate::account_store::User;
use crate::http::per_user::{AllTaken, UserPlace};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{Body, ChunkSource, Response};
use crate::http::state::{App, blocking};

/// A comment is sent when nothing has happened for this time, so that proxies and clients know
/// that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that are ready are sent together, up to this number of bytes.
const TOGETHER: usize = 16 * 1024;

/// All events of a job after the one that `Last-Event-ID` names, then those to come.
pub(crate) async fn events(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let job = jobs::in_path(&call)?;
    let after = match call.header("last-event-id") {
        Some(text) => text.trim().parse().map_err(|_| Rejection::BadField {
            field: "Last-Event-ID",
            problem: "is not a number".into(),
        })?,
        None => 0,
    };
    let place = app.streams.take(user.id);
    let place = place.map_err(|AllTaken(open)| Rejection::TooManyStreams(open))?;
    let subscription = blocking(&app, move |app| {
        let subscription = app.jobs.subscribe(user.id, job, after).map_err(jobs::rejected)?;
        subscription.ok_or(Rejection::NoSuchJob)
    })
    .await?;
    let stream = EventStream {
        subscription,
        quiet: Box::pin(sleep(KEEP_ALIVE)),
        stopped: Box::pin(app.stopped()),
        has_ended: false,
        _place: place,
    };
    let mut response = hyper::Response::new(Body::streamed(stream));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Tells nginx not to hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The body of such an answer.
struct EventStream {
    subscription: Subscription,
    quiet: Pin<Box<Sleep>>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    has_ended: bool,
    _place: UserPlace,
}

impl ChunkSource for EventStream {
    fn remaining(&self) -> Option<u64> {
        None
    }

    fn poll_chunk(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let mut text = String::new();
        while text.len() < TOGETHER {
            match self.subscription.poll_next(cx) {
                Poll::Ready(Some(event)) => write(&mut text, &event),
                Poll::Ready(None) => {
                    self.has_ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if !text.is_empty() {
            self.quiet.as_mut().reset(Instant::now() + KEEP_ALIVE);
            return Poll::Ready(Some(Ok(text.into())));
        }
        if self.has_ended || self.stopped.as_mut().poll(cx).is_ready() {
            self.has_ended = true;
            return Poll::Ready(None);
        }
        if self.quiet.as_mut().poll(cx).is_ready() {
            self.quiet.as_mut().reset(Instant::now() + KEEP_ALIVE);
            // The timer must know whom to wake the next time.
            let _ = self.quiet.as_mut().poll(cx);
            return Poll::Ready(Some(Ok(Bytes::from_static(b": still here\n\n"))));
        }
        Poll::Pending
    }
}

/// One event in the wire format: JSON has no line breaks in it, so that one `data` line does.
fn write(text: &mut String, event: &JobEvent) {
    use std::fmt::Write;
    // Writing to a string cannot fail.
    let _ = write!(text, "id: {}\nevent: {}\n", event.number, event.name);
    for line in event.data.lines() {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}
