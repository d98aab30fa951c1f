//! The description of the interface, for programs.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::App;

pub(crate) const DESCRIPTION: &str = include_str!("openapi.json");

/// The description as OpenAPI 3.1.
pub(crate) async fn openapi(_: Arc<App>, _: Call) -> Result<Response, Rejection> {
    let text = Bytes::from_static(DESCRIPTION.as_bytes());
    Ok(response::json_text(StatusCode::OK, text))
}
