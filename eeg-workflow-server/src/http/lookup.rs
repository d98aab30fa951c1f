//! From the path of a request to its route.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::http::rejection::Rejection;
use crate::http::routes::{ROUTES, Route};

/// What there is at an address.
pub(super) enum Found {
    Route(usize, &'static Route, Vec<String>),
    Options(String),
    Rejected(Rejection),
}

/// What answers this method at this path.
pub(super) fn find(method: &Method, path: &str) -> Found {
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
