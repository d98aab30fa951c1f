//! A request on its way to its handler.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::body::Incoming;
use hyper::http::request::Parts;

use crate::body::{BodyLimits, Form, Frames};
use crate::error::Rejection;

/// A request whose address has matched a route.
pub(crate) struct Call {
    pub(crate) head: Parts,
    body: Incoming,
    /// What the names in the route's pattern stand for, decoded, in their order.
    parameters: Vec<String>,
    /// Where it came from.
    pub(crate) client: IpAddr,
    /// Names the request in logs and in the answer.
    pub(crate) id: RequestId,
}

/// The number of a request: in its `x-request-id` and in every log line about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    pub(crate) server: u32,
    pub(crate) number: u64,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.server, self.number)
    }
}

impl Call {
    pub(crate) fn new(
        head: Parts,
        body: Incoming,
        parameters: Vec<String>,
        client: IpAddr,
        id: RequestId,
    ) -> Self {
        Self { head, body, parameters, client, id }
    }

    /// The `index`-th name of the route's pattern.
    pub(crate) fn parameter(&self, index: usize) -> &str {
        self.parameters.get(index).map_or("", String::as_str)
    }

    /// All names of the route's pattern, as one relative path.
    pub(crate) fn rest(&self) -> &[String] {
        &self.parameters
    }

    /// A header as text.
    pub(crate) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A parameter of the query, if it is given.
    pub(crate) fn query<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Rejection> {
        let query = self.head.uri.query().unwrap_or_default();
        let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        let Some((_, value)) = found else { return Ok(None) };
        let parsed = value.trim().parse();
        parsed.map(Some).map_err(|_| Rejection::BadQuery { name, problem: "is not a number" })
    }

    /// The media type of the body, in lower case, without its parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header(hyper::header::CONTENT_TYPE)?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }

    /// Reads the body as a form, whatever of the known types it has.
    pub(crate) async fn form(self, limits: BodyLimits) -> Result<Form, Rejection> {
        let media_type = self.media_type();
        let content_type = self.header(hyper::header::CONTENT_TYPE).map(str::to_owned);
        Form::read(self.frames(limits)?, media_type.as_deref(), content_type.as_deref()).await
    }

    /// The body as a stream of bytes that ends at the limits.
    pub(crate) fn frames(self, limits: BodyLimits) -> Result<Frames, Rejection> {
        let announced = hyper::body::Body::size_hint(&self.body).exact();
        if announced.is_some_and(|length| length > limits.bytes) {
            return Err(Rejection::TooLarge { what: "the body".into(), limit: limits.bytes });
        }
        Ok(Frames::new(self.body, limits))
    }
}
