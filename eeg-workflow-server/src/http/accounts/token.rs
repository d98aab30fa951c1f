//! Tokens: opaque random values. The store knows only their hashes.

use std::fmt::Write;
use std::time::Duration;

use cookie::Cookie;
use hyper::HeaderMap;
use hyper::header::COOKIE;
use sha2::{Digest, Sha256};

use crate::http::rejection::Rejection;

/// The cookie's name.
const NAME: &str = "token";

/// A token as its owner has it. It is never logged.
pub(crate) struct Token(String);

/// What the store keeps of a token.
pub(crate) type TokenHash = [u8; 32];

impl Token {
    /// A new one, from the operating system's random numbers.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash needs no salt and no cost: nobody guesses 256 random bits.
    pub(crate) fn hash(&self) -> TokenHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The value of `Set-Cookie`.
    pub(crate) fn cookie(&self, lifetime: Duration, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        let age = lifetime.as_secs();
        format!("{NAME}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age={age}{secure}", self.0)
    }
}

/// The token that a request carries.
pub(crate) fn from_cookies(headers: &HeaderMap) -> Result<Token, Rejection> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    for cookie in values.flat_map(Cookie::split_parse).flatten() {
        if cookie.name() == NAME {
            return Ok(Token(cookie.value().to_owned()));
        }
    }
    Err(Rejection::NoToken)
}
