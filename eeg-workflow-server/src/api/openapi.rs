//! The description of the interface, for programs.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use crate::app::App;
use crate::error::Rejection;
use crate::request::Call;
use crate::response::{self, Response};

const DESCRIPTION: &str = include_str!("openapi.json");

/// The description as OpenAPI 3.1.
pub(crate) async fn openapi(_: Arc<App>, _: Call) -> Result<Response, Rejection> {
    let text = Bytes::from_static(DESCRIPTION.as_bytes());
    Ok(response::json_text(StatusCode::OK, text))
}
