//! A request on its way to its handler.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use eeg_workflow_core::block::OwnerId;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;

use crate::http::form::Form;
use crate::http::frames::{BodyLimits, Frames};
use crate::http::rejection::Rejection;
use crate::http::request_id::RequestId;
use crate::http::state::App;

/// Forms of up to this number of bytes are not counted.
const SMALL_FORM: u64 = 64 * 1024;

/// A request whose address has matched a route.
pub(crate) struct Call {
    pub(crate) head: Parts,
    body: Incoming,
    /// What the names in the route's pattern stand for, decoded, in their order.
    parameters: Vec<String>,
    /// Where it came from.
    pub(crate) client: IpAddr,
    /// Who made it, where that was checked.
    pub(crate) user: Option<OwnerId>,
    /// Names the request in logs and in the answer.
    pub(crate) id: RequestId,
}

impl Call {
    pub(crate) fn new(
        head: Parts,
        body: Incoming,
        parameters: Vec<String>,
        client: IpAddr,
        id: RequestId,
    ) -> Self {
        Self { head, body, parameters, client, user: None, id }
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

    /// Whether the first system's web page makes the request: it reads job list and details as
    /// text, and is known by two headers that no other client sends.
    pub(crate) fn wants_text(&self) -> bool {
        ["token", "email"].iter().all(|name| self.head.headers.contains_key(*name))
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

    /// Reads a body of at most `limit` bytes as a form, whatever of the known types it has.
    /// What comes of a large one is counted as its user's memory.
    pub(crate) async fn form(self, app: &App, limit: u64) -> Result<Form, Rejection> {
        let media_type = self.media_type();
        let content_type = self.header(hyper::header::CONTENT_TYPE).map(str::to_owned);
        let announced = self.body.size_hint().exact();
        let is_large = limit > SMALL_FORM && announced.is_none_or(|length| length > SMALL_FORM);
        let memory = self.user.filter(|_| is_large).map(|user| app.body_memory.body_of(user));
        let memory = memory.map(|memory| Arc::new(Mutex::new(memory)));
        let mut frames = self.frames(app, limit)?;
        if let Some(memory) = &memory {
            frames = frames.counted(Arc::clone(memory));
        }
        let form = Form::read(frames, media_type.as_deref(), content_type.as_deref()).await?;
        Ok(form.holding(memory))
    }

    /// The body as a stream that ends at this many bytes, or when it comes too slowly.
    pub(crate) fn frames(self, app: &App, limit: u64) -> Result<Frames, Rejection> {
        if self.body.size_hint().exact().is_some_and(|length| length > limit) {
            return Err(Rejection::TooLarge { what: "the body".into(), limit });
        }
        Ok(Frames::new(self.body, BodyLimits { bytes: limit, idle: app.limits.idle }))
    }
}
