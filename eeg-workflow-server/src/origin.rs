//! Origins of web pages: a scheme, a host and a port.

use std::fmt;
use std::str::FromStr;

/// An origin such as `https://lab.example.org`, in lower case and without the port that its
/// scheme has anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    authority: String,
}

/// A text that is not an origin.
#[derive(Debug, thiserror::Error)]
#[error("not an origin such as https://lab.example.org or http://10.0.0.5:8080")]
pub(crate) struct NotAnOrigin;

impl Origin {
    /// The origin of the pages at this scheme and authority (a host, and a port if it is not the
    /// scheme's own).
    pub(crate) fn new(scheme: &str, authority: &str) -> Self {
        let scheme = scheme.to_ascii_lowercase();
        let own_port = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(own_port).unwrap_or(authority);
        Self { authority: authority.to_ascii_lowercase(), scheme }
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The host, without the port.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.authority)
    }
}

/// The host of an authority, without the port; of an IPv6 address with its brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(NotAnOrigin)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let is_scheme = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let is_authority = !host_of(authority).is_empty()
            && !authority
                .contains(|c: char| matches!(c, '/' | '?' | '#' | '@') || c.is_whitespace());
        if is_scheme && is_authority { Ok(Self::new(scheme, authority)) } else { Err(NotAnOrigin) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        text.parse::<Origin>().ok().map(|origin| origin.to_string())
    }

    #[test]
    fn origins_are_compared_without_case_and_default_ports() {
        assert_eq!(
            parse("HTTPS://Lab.Example.org:443/").as_deref(),
            Some("https://lab.example.org")
        );
        assert_eq!(parse("http://h:80").as_deref(), Some("http://h"));
        assert_eq!(parse("http://h:443").as_deref(), Some("http://h:443"));
        assert_eq!(parse("http://[::1]:8080").as_deref(), Some("http://[::1]:8080"));
        for wrong in
            ["lab.example.org", "ftp://x", "http://", "http://x/path", "http://a@b", "null"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_host_is_without_the_port() {
        for (authority, host) in
            [("a.b:1", "a.b"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
