//! The cookie that carries the token of a session.

use std::time::Duration;

use cookie::Cookie;
use hyper::HeaderMap;
use hyper::header::COOKIE;

use crate::http::rejection::Rejection;
use crate::secret::Secret;

/// The cookie's name.
const NAME: &str = "token";

/// The value of `Set-Cookie` that gives a browser this token.
pub(crate) fn holding(token: &Secret, lifetime: Duration, is_secure: bool) -> String {
    write(token.as_str(), lifetime.as_secs(), is_secure)
}

/// The value of `Set-Cookie` that takes the token away.
pub(crate) fn removed(is_secure: bool) -> String {
    write("", 0, is_secure)
}

fn write(value: &str, age: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{NAME}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={age}{secure}")
}

/// The token that a request carries.
pub(crate) fn token(headers: &HeaderMap) -> Result<Secret, Rejection> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    for cookie in values.flat_map(Cookie::split_parse).flatten() {
        if cookie.name() == NAME {
            return Ok(Secret::received(cookie.value()));
        }
    }
    Err(Rejection::NoToken)
}
