//! The way of a request: what is checked of it, what answers it, what is logged and counted.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};

use crate::account_store::User;
use crate::http::lookup::{Found, find};
use crate::http::per_user::{AllTaken, UserPlace};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::request_id::RequestId;
use crate::http::response::{self, Response};
use crate::http::routes::{HEALTH, Handler, METRICS, Route};
use crate::http::state::App;
use crate::text::bounded;

/// Bytes of a path or a reason in the log.
const MAX_LOGGED: usize = 1024;

/// Which of the server's listeners a request has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    /// Everything is served, but for metrics where they are served elsewhere.
    Main,
    /// Metrics and health.
    Metrics,
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(
    app: Arc<App>,
    kind: ListenerKind,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response {
    let started = Instant::now();
    let id = app.request_ids.next();
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let path = head.uri.path().to_owned();
    let client = app.site.client_address(&head.headers, peer);

    let (route, answer) = match find(&method, &path) {
        _ if !has_one_host(&head) => (None, Err(Rejection::BadHost)),
        _ if !is_plainly_coded(&head) => (None, Err(Rejection::UnknownCoding)),
        Found::Route(_, route, _) if !is_served(&app, kind, route) => {
            (None, Err(Rejection::NoSuchPath))
        }
        Found::Route(index, route, parameters) => {
            let call = Call::new(head, body, parameters, client, id);
            (Some(index), caught(call_handler(&app, kind, route, call)).await)
        }
        Found::Options(allow) => (None, Ok(options(&allow))),
        Found::Rejected(rejection) => (None, Err(rejection)),
    };
    let mut response = match answer {
        Ok(response) => {
            tracing::debug!(request = %id, %client, %method, path, status = response.status().as_u16(), "answered");
            response
        }
        Err(rejection) => {
            log(&rejection, id, client, &method, &path);
            rejection.into_response()
        }
    };
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    app.metrics.answered(route, response.status(), started.elapsed());
    response
}

async fn call_handler(
    app: &Arc<App>,
    kind: ListenerKind,
    route: &Route,
    mut call: Call,
) -> Result<Response, Rejection> {
    if kind == ListenerKind::Main {
        app.site.check_host(&call.head)?;
    }
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        app.site.check_origin(&call.head.headers)?;
    }
    match route.handler {
        Handler::Open(handler) => handler(app.clone(), call).await,
        Handler::User(handler) => {
            let user = app.accounts.authenticate(&call.head.headers)?;
            let _place = place_for(app, &user)?;
            call.user = Some(user.id);
            handler(app.clone(), user, call).await
        }
        Handler::Admin(handler) => {
            let user = app.accounts.authenticate(&call.head.headers)?;
            if !user.is_admin {
                return Err(Rejection::NotAdmin);
            }
            let _place = place_for(app, &user)?;
            call.user = Some(user.id);
            handler(app.clone(), user, call).await
        }
    }
}

/// A place for one more request of this user at the same time.
fn place_for(app: &App, user: &User) -> Result<UserPlace, Rejection> {
    let place = app.requests.take(user.id);
    place.map_err(|AllTaken(requests)| Rejection::TooManyRequests(requests))
}

/// Whether a request says once for which host it is, as HTTP/1.1 demands.
fn has_one_host(head: &Parts) -> bool {
    let hosts = head.headers.get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && head.version < Version::HTTP_11)
}

/// Whether the body is coded in no other way than in chunks.
fn is_plainly_coded(head: &Parts) -> bool {
    let codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let codings: Vec<&str> = codings.map(|value| value.to_str().unwrap_or("?")).collect();
    codings.is_empty() || codings.join(",").trim().eq_ignore_ascii_case("chunked")
}

/// Whether a route is served by this listener.
fn is_served(app: &App, kind: ListenerKind, route: &Route) -> bool {
    match kind {
        ListenerKind::Main => route.pattern != METRICS || !app.has_metrics_listener,
        ListenerKind::Metrics => matches!(route.pattern, METRICS | HEALTH),
    }
}

/// A panic is the server's own failure, and neither the end of the connection nor silent.
async fn caught(
    handler: impl Future<Output = Result<Response, Rejection>>,
) -> Result<Response, Rejection> {
    let mut handler = pin!(handler);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(Rejection::Unavailable("it panicked".into()))))
    })
    .await
}

fn log(rejection: &Rejection, id: RequestId, client: IpAddr, method: &Method, path: &str) {
    let status = rejection.status().as_u16();
    let path = bounded(path, MAX_LOGGED);
    match rejection {
        Rejection::Unavailable(cause) => {
            tracing::error!(request = %id, %client, %method, %path, status, cause, "failed");
        }
        _ => {
            let rejection = rejection.to_string();
            let rejection = bounded(&rejection, MAX_LOGGED);
            tracing::info!(request = %id, %client, %method, %path, status, %rejection, "refused");
        }
    }
}

fn options(allow: &str) -> Response {
    let mut response = response::empty(StatusCode::OK);
    if let Ok(value) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
