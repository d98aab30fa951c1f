//! Secrets that the server hands out: login tokens, invitations, the administrator's token.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// A random secret as its holder has it. It is never logged; databases keep its hash.
pub(crate) struct Secret(String);

/// What is kept of a secret.
pub(crate) type SecretHash = [u8; 32];

impl Secret {
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

    /// One that a client has sent.
    pub(crate) fn received(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash needs no salt and no cost: nobody guesses 256 random bits.
    pub(crate) fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }
}
