//! Requests that another site's page makes in the name of a user.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

use crate::http::rejection::Rejection;

/// The origins whose pages may change something: the server's own, and those that the
/// operator names (the address of a proxy in front of it).
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    pub(crate) fn new(named: &[String]) -> Self {
        Self(named.iter().map(|origin| origin.trim_end_matches('/').to_lowercase()).collect())
    }

    /// Whether pages are reached by HTTPS, so that cookies may be marked so.
    pub(crate) fn are_secure(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|origin| origin.starts_with("https://"))
    }

    /// Refuses a request whose `Origin`, or `Sec-Fetch-Site`, tells of another site. Programs
    /// send neither of them.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Some(origin) = headers.get(ORIGIN) else {
            let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
            return match site {
                Some(b"cross-site" | b"same-site") => Err(Rejection::ForeignOrigin),
                _ => Ok(()),
            };
        };
        let origin = origin.to_str().map_err(|_| Rejection::ForeignOrigin)?.to_lowercase();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.0.contains(&origin) || authority(&origin) == Some(without_port(&origin, host)) {
            return Ok(());
        }
        Err(Rejection::ForeignOrigin)
    }
}

/// The host and port of an origin, the scheme's own port left out.
fn authority(origin: &str) -> Option<String> {
    let (_, authority) = origin.split_once("://")?;
    Some(without_port(origin, authority))
}

fn without_port(origin: &str, authority: &str) -> String {
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, origin: &str, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap_or_else(|_| unreachable!()));
        headers.insert(HOST, host.parse().unwrap_or_else(|_| unreachable!()));
        origins.check(&headers).is_ok()
    }

    #[test]
    fn only_the_servers_own_origin_and_named_ones_are_taken() {
        let origins = Origins::new(&["https://lab.example.org/".into()]);
        assert!(check(&origins, "http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(check(&origins, "http://Host.example", "host.example:80"));
        assert!(check(&origins, "https://lab.example.org", "127.0.0.1:8080"));
        assert!(!check(&origins, "http://127.0.0.1:9090", "127.0.0.1:8080"));
        assert!(!check(&origins, "null", "127.0.0.1:8080"));
        assert!(!check(&origins, "http://evil.example", "127.0.0.1:8080"));
    }
}
