//! Answers and their bodies.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use serde::Serialize;

pub(crate) type Response = hyper::Response<Body>;

/// A body that is there already, or one that is made as it is sent.
pub(crate) enum Body {
    Full(Option<Bytes>),
    Streamed(Pin<Box<dyn ChunkSource>>),
}

/// Where a body comes from that is made as it is sent.
pub(crate) trait ChunkSource: Send {
    /// The next bytes, or none at the end.
    fn poll_chunk(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, io::Error>>>;

    /// How many bytes are still to come, if that is known.
    fn remaining(&self) -> Option<u64>;
}

impl Body {
    pub(crate) fn streamed(source: impl ChunkSource + 'static) -> Self {
        Self::Streamed(Box::pin(source))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(source) => source.as_mut().poll_chunk(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streamed(source) => {
                source.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

/// An answer of this type and body.
pub(crate) fn full(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let length = HeaderValue::from(body.len());
    let mut response = hyper::Response::new(Body::Full((!body.is_empty()).then_some(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// JSON text that is there already.
pub(crate) fn json_text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    full(status, "application/json", text.into())
}

/// A value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_text(status, text),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            json_text(StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"the answer has no JSON"}"#)
        }
    }
}

/// The same answer, called plain text if that is wanted.
pub(crate) fn as_text(mut response: Response, is_wanted: bool) -> Response {
    if is_wanted {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
    }
    response
}

/// `{"success": what}`.
pub(crate) fn success(status: StatusCode, what: &str) -> Response {
    json(status, &serde_json::json!({ "success": what }))
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = hyper::Response::new(Body::Full(None));
    *response.status_mut() = status;
    response
}
