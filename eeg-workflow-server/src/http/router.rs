//! The one table of what is served where, and the way of a request through it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use percent_encoding::percent_decode_str;

use crate::http::accounts::User;
use crate::http::metrics::RouteLabel;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::request_id::RequestId;
use crate::http::resources::{
    archives, artifacts, events, files, jobs, modules, openapi, schedule, service, users,
};
use crate::http::response::{self, Response};
use crate::http::state::App;
use crate::text::bounded;

/// Bytes of a path or a reason in the log.
const MAX_LOGGED: usize = 1024;

type Answer = Pin<Box<dyn Future<Output = Result<Response, Rejection>> + Send>>;

/// What answers a request.
#[derive(Clone, Copy)]
enum Handler {
    /// Anybody.
    Open(fn(Arc<App>, Call) -> Answer),
    /// Whoever is logged in: the router checks the token before.
    User(fn(Arc<App>, User, Call) -> Answer),
}

/// A method and an address, and what answers there.
struct Route {
    method: Method,
    /// `{name}` stands for one segment of the path, a last `{name...}` for one or more.
    pattern: &'static str,
    handler: Handler,
}

macro_rules! open {
    ($method:ident $pattern:literal => $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Open(|app, call| Box::pin($handler(app, call))),
        }
    };
}

macro_rules! user {
    ($method:ident $pattern:literal => $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::User(|app, user, call| Box::pin($handler(app, user, call))),
        }
    };
}

/// Everything that is served. `HEAD` is answered wherever `GET` is, `OPTIONS` everywhere.
static ROUTES: &[Route] = &[
    open!(POST "/api/users/register" => users::register),
    open!(POST "/api/users/login" => users::login),
    user!(POST "/api/users/reset" => users::reset),
    user!(PUT "/api/users/reset" => users::reset),
    user!(GET "/api/users/details" => users::details),
    user!(POST "/api/workflow/schedule" => schedule::schedule),
    user!(GET "/api/workflow/schedule" => schedule::list),
    user!(DELETE "/api/workflow/schedule" => schedule::delete_finished),
    user!(POST "/api/workflow/validate" => schedule::validate),
    user!(POST "/api/workflow/jobs" => jobs::details_by_form),
    user!(GET "/api/workflow/jobs/{id}" => jobs::details),
    user!(DELETE "/api/workflow/jobs/{id}" => jobs::delete),
    user!(POST "/api/workflow/jobs/{id}/cancel" => jobs::cancel),
    user!(GET "/api/workflow/jobs/{id}/events" => events::events),
    user!(GET "/api/workflow/file/{job}/{name}" => artifacts::artifact),
    user!(POST "/api/workflow/upload" => modules::upload),
    user!(POST "/api/workflow/initialize" => modules::initialize),
    user!(GET "/api/workflow/initialize" => modules::initialize),
    user!(GET "/api/workflow/modules" => archives::list),
    user!(GET "/api/workflow/modules/{archive}" => archives::describe),
    user!(PUT "/api/workflow/modules/{archive}" => modules::replace),
    user!(DELETE "/api/workflow/modules/{archive}" => archives::remove),
    user!(GET "/api/files" => files::list),
    user!(POST "/api/files" => files::upload_many),
    user!(GET "/api/files/{path...}" => files::download),
    user!(PUT "/api/files/{path...}" => files::upload),
    user!(POST "/api/files/{path...}" => files::upload),
    user!(DELETE "/api/files/{path...}" => files::delete),
    open!(GET "/" => service::about),
    open!(GET "/healthz" => service::health),
    open!(GET "/metrics" => service::metrics),
    open!(GET "/api/openapi.json" => openapi::openapi),
];

/// The names of all routes, for the counters of requests.
pub(crate) fn labels() -> Vec<RouteLabel> {
    ROUTES
        .iter()
        .map(|route| RouteLabel { method: route.method.as_str(), pattern: route.pattern })
        .collect()
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(app: Arc<App>, request: Request<Incoming>, peer: IpAddr) -> Response {
    let started = Instant::now();
    let id = app.request_ids.next();
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let path = head.uri.path().to_owned();
    let client = app.client_address(&head.headers, peer);

    let (route, answer) = match find(&method, &path) {
        _ if !has_one_host(&head) => (None, Err(Rejection::BadHost)),
        Found::Route(index, route, parameters) => {
            let call = Call::new(head, body, parameters, client, id);
            (Some(index), caught(call_handler(&app, route, call)).await)
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

async fn call_handler(app: &Arc<App>, route: &Route, call: Call) -> Result<Response, Rejection> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        app.origins.check(&call.head.headers)?;
    }
    match route.handler {
        Handler::Open(handler) => handler(app.clone(), call).await,
        Handler::User(handler) => {
            let user = app.accounts.authenticate(&call.head.headers)?;
            handler(app.clone(), user, call).await
        }
    }
}

/// Whether a request says once for which host it is, as HTTP/1.1 demands.
fn has_one_host(head: &Parts) -> bool {
    let hosts = head.headers.get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && head.version < Version::HTTP_11)
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

enum Found {
    Route(usize, &'static Route, Vec<String>),
    Options(String),
    Rejected(Rejection),
}

fn find(method: &Method, path: &str) -> Found {
    if method == Method::OPTIONS && path == "*" {
        return Found::Options("GET, HEAD, POST, PUT, DELETE, OPTIONS".to_owned());
    }
    let Some(segments) = segments(path) else {
        return Found::Rejected(Rejection::NoSuchPath);
    };
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let mut allow: Vec<&str> = Vec::new();
    for (index, route) in ROUTES.iter().enumerate() {
        let Some(parameters) = matches(route.pattern, &segments) else { continue };
        if route.method == *wanted {
            return Found::Route(index, route, parameters);
        }
        allow.push(route.method.as_str());
        if route.method == Method::GET {
            allow.push("HEAD");
        }
    }
    if allow.is_empty() {
        return Found::Rejected(Rejection::NoSuchPath);
    }
    allow.push("OPTIONS");
    let allow = allow.join(", ");
    if method == Method::OPTIONS {
        return Found::Options(allow);
    }
    Found::Rejected(Rejection::MethodNotAllowed { method: method.to_string(), allow })
}

/// The segments of a path, decoded once. None for a path that names nothing here: with empty
/// or dot segments inside, with a separator or a control character in a segment, or not UTF-8.
fn segments(path: &str) -> Option<Vec<String>> {
    if path == "/" {
        return Some(Vec::new());
    }
    let inner = path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    inner.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Option<String> {
    let segment = percent_decode_str(raw).decode_utf8().ok()?;
    let is_separator = |c: char| matches!(c, '/' | '\\') || c.is_control();
    let names_nothing = matches!(&*segment, "" | "." | "..") || segment.contains(is_separator);
    (!names_nothing).then(|| segment.into_owned())
}

/// What the pattern's names stand for, if the pattern matches.
fn matches(pattern: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut rest = segments.iter();
    for expected in pattern.split('/').filter(|part| !part.is_empty()) {
        let segment = rest.next()?;
        if expected.ends_with("...}") {
            parameters.push(segment.clone());
            parameters.extend(rest.by_ref().cloned());
        } else if expected.starts_with('{') {
            parameters.push(segment.clone());
        } else if expected != segment {
            return None;
        }
    }
    rest.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
        match find(&Method::from_bytes(method.as_bytes()).ok()?, path) {
            Found::Route(_, route, parameters) => Some((route.pattern, parameters)),
            _ => None,
        }
    }

    #[test]
    fn a_trailing_slash_changes_nothing() {
        assert_eq!(parameters("GET", "/api/files/"), parameters("GET", "/api/files"));
        assert_eq!(parameters("GET", "/").map(|found| found.0), Some("/"));
    }

    #[test]
    fn names_are_decoded_once_and_cannot_hold_separators() {
        let found = parameters("GET", "/api/workflow/file/7/a%20b%2525.png");
        assert_eq!(found.map(|f| f.1), Some(vec!["7".to_owned(), "a b%25.png".to_owned()]));
        for path in ["1/..%2fx", "1/%2e%2e", "../x", "1/a%5cb", "1/x%00.png", "/x", "1/%ff"] {
            assert_eq!(parameters("GET", &format!("/api/workflow/file/{path}")), None, "{path}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_what_is_allowed() {
        match find(&Method::PATCH, "/api/users/reset") {
            Found::Rejected(Rejection::MethodNotAllowed { allow, .. }) => {
                assert_eq!(allow, "POST, PUT, OPTIONS");
            }
            _ => panic!("not refused"),
        }
        assert!(
            matches!(find(&Method::OPTIONS, "/healthz"), Found::Options(a) if a == "GET, HEAD, OPTIONS")
        );
        assert!(matches!(
            find(&Method::GET, "/api/nothing"),
            Found::Rejected(Rejection::NoSuchPath)
        ));
    }
}

#[cfg(test)]
mod description_tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{Handler, ROUTES};
    use crate::http::resources::openapi::DESCRIPTION;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap_or_default()
    }

    #[test]
    fn the_description_names_exactly_the_routes_and_who_may_use_them() {
        let served: BTreeSet<(String, String, bool)> = ROUTES
            .iter()
            .map(|route| {
                let path = route.pattern.replace("...}", "}");
                (
                    path,
                    route.method.as_str().to_lowercase(),
                    matches!(route.handler, Handler::User(_)),
                )
            })
            .collect();
        let description = description();
        let paths = description["paths"].as_object().into_iter().flatten();
        let described = paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| {
                let needs_user = operation["security"].as_array().is_some_and(|s| !s.is_empty());
                (path.clone(), method.clone(), needs_user)
            })
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), served);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let description = description();
        let (mut references, mut names) = (Vec::new(), Vec::new());
        visit(&description, &mut |key, value| match (key, value) {
            ("$ref", Value::String(target)) => references.push(target.clone()),
            ("operationId", Value::String(name)) => names.push(name.clone()),
            _ => {}
        });
        assert!(!references.is_empty());
        for target in references {
            assert!(description.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                see(key, value);
                visit(value, see);
            }),
            Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
            _ => {}
        }
    }
}
