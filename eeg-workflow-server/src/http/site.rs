//! Whether a request is meant for this server, and made by a page of its own.
//!
//! A page of another site can have its own name resolved to this server's address (DNS
//! rebinding); to the browser it then is a page of this server. So names are checked: requests
//! by an address cannot be of that kind, nor those by a name without a dot, which the
//! public name system does not have.

use std::net::{IpAddr, Ipv4Addr};

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

use crate::cli::access::SiteOptions;
use crate::http::rejection::Rejection;
use crate::origin::{Origin, host_of};

/// The names and origins of the server.
pub(crate) struct Site {
    origins: Vec<Origin>,
    /// Hosts in lower case.
    hosts: Vec<String>,
    behind_proxy: bool,
}

impl Site {
    pub(crate) fn new(options: &SiteOptions) -> Self {
        let named = options.allowed_host.iter().map(|name| normal(name));
        let hosts = named.chain(options.origin.iter().map(|origin| normal(origin.host())));
        Self {
            hosts: hosts.collect(),
            origins: options.origin.clone(),
            behind_proxy: options.behind_proxy,
        }
    }

    /// Whether pages are reached by HTTPS, so that cookies may be marked so.
    pub(crate) fn is_secure(&self) -> bool {
        !self.origins.is_empty() && self.origins.iter().all(Origin::is_secure)
    }

    /// Where a request comes from.
    pub(crate) fn client_address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let address = self.forwarded(headers, "x-forwarded-for");
        address.and_then(|address| address.parse().ok()).unwrap_or(peer)
    }

    /// Refuses a request that names another host, in its target or in `Host`. A request of
    /// HTTP/1.0 need not name any.
    pub(crate) fn check_host(&self, head: &Parts) -> Result<(), Rejection> {
        if let Some(target) = head.uri.authority() {
            self.check_authority(target)?;
        }
        let Some(host) = head.headers.get(HOST) else { return Ok(()) };
        let host = Authority::try_from(host.as_bytes()).map_err(|_| Rejection::BadHost)?;
        self.check_authority(&host)
    }

    fn check_authority(&self, authority: &Authority) -> Result<(), Rejection> {
        if authority.as_str().contains('@') {
            return Err(Rejection::BadHost);
        }
        let host = normal(host_of(authority.as_str()));
        let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        let is_local = !host.contains('.') || host.ends_with(".localhost");
        if is_address || is_local || self.hosts.contains(&host) {
            return Ok(());
        }
        Err(Rejection::UnknownHost(host))
    }

    /// Refuses a request whose `Origin`, or `Sec-Fetch-Site`, tells of another site. Programs
    /// send neither of them.
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Some(origin) = headers.get(ORIGIN) else {
            let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
            return match site {
                Some(b"cross-site" | b"same-site") => Err(Rejection::ForeignOrigin),
                _ => Ok(()),
            };
        };
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Origin>().ok());
        let origin = origin.ok_or(Rejection::ForeignOrigin)?;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.origins.contains(&origin) || self.own(headers, host) == Some(origin) {
            return Ok(());
        }
        Err(Rejection::ForeignOrigin)
    }

    /// The origin of the pages at this host, unless it was named, and then by its scheme too.
    fn own(&self, headers: &HeaderMap, host: &str) -> Option<Origin> {
        let scheme = self.forwarded(headers, "x-forwarded-proto").unwrap_or("http");
        let own = Origin::new(scheme, host);
        let is_named = self.origins.iter().any(|named| named.host() == own.host());
        (!is_named).then_some(own)
    }

    /// What the proxy in front says in this header; of several values the last is the proxy's.
    fn forwarded<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let last = headers.get_all(name).iter().next_back().filter(|_| self.behind_proxy)?;
        last.to_str().ok()?.rsplit(',').next().map(str::trim)
    }
}

/// A host as it is compared.
fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn site(origins: &[&str], hosts: &[&str], behind_proxy: bool) -> Site {
        Site::new(&SiteOptions {
            origin: origins.iter().filter_map(|origin| origin.parse().ok()).collect(),
            allowed_host: hosts.iter().map(|&host| host.to_owned()).collect(),
            behind_proxy,
        })
    }

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).map(|request| request.into_parts().0).unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn addresses_names_without_dots_and_named_hosts_are_the_servers() {
        let site = site(&["https://lab.example.org/"], &["Other.example.org"], false);
        let check = |host: &str| site.check_host(&head("/", &[("host", host)]));
        for own in [
            "127.0.0.1:8080",
            "192.0.2.7",
            "[::1]:8080",
            "localhost:1",
            "LocalHost.",
            "eeg.localhost",
            "labserver:8080",
            "lab.example.org",
            "LAB.example.org:8443",
            "other.example.org.",
        ] {
            assert!(check(own).is_ok(), "{own}");
        }
        for foreign in
            ["evil.example", "127.0.0.1.evil.example", "xlab.example.org", "localhost.evil"]
        {
            assert!(matches!(check(foreign), Err(Rejection::UnknownHost(_))), "{foreign}");
        }
        for wrong in ["", "a b", "lab.example.org@evil.example", "a/b"] {
            assert!(matches!(check(wrong), Err(Rejection::BadHost)), "{wrong}");
        }
        let target = head("http://evil.example/", &[("host", "127.0.0.1")]);
        assert!(site.check_host(&target).is_err());
    }

    #[test]
    fn only_the_servers_own_origin_and_named_ones_are_taken() {
        let site = site(&["https://lab.example.org/"], &[], false);
        let check = |origin: &str, host: &str| {
            site.check_origin(&head("/", &[("origin", origin), ("host", host)]).headers).is_ok()
        };
        assert!(check("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(check("http://Host.example", "host.example:80"));
        assert!(check("https://lab.example.org", "127.0.0.1:8080"));
        assert!(!check("http://127.0.0.1:9090", "127.0.0.1:8080"));
        assert!(!check("null", "127.0.0.1:8080"));
        assert!(!check("http://evil.example", "127.0.0.1:8080"));
    }

    #[test]
    fn the_scheme_of_an_origin_counts_too() {
        let direct = [("origin", "https://10.0.0.5"), ("host", "10.0.0.5")];
        let forwarded = [direct[0], direct[1], ("x-forwarded-proto", "https")];
        let check = |site: &Site, headers: &[(&str, &str)]| {
            site.check_origin(&head("/", headers).headers).is_ok()
        };
        assert!(!check(&site(&[], &[], false), &direct));
        assert!(!check(&site(&[], &[], false), &forwarded));
        assert!(check(&site(&[], &[], true), &forwarded));
        let named = site(&["https://lab.example.org"], &[], true);
        let downgraded =
            [("origin", "http://lab.example.org"), ("host", "lab.example.org"), forwarded[2]];
        assert!(!check(&named, &downgraded));
        assert!(!check(&named, &downgraded[..2]));
    }
}
