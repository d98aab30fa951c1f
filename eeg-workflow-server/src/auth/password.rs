//! Password hashes: Argon2id, on threads that may take their time, and few at once.

use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Rejection;

/// What OWASP recommends: 19 MiB of memory, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// So many hashes are computed at once.
const AT_ONCE: usize = 2;
/// So many more wait for their turn; others are told to come again.
const WAITING: usize = 64;

/// Computes and checks password hashes.
pub(crate) struct Passwords {
    slots: Semaphore,
    queue: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { slots: Semaphore::new(AT_ONCE), queue: Semaphore::new(AT_ONCE + WAITING) }
    }

    /// The hash of a password, with a salt of its own, in the PHC text form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Rejection> {
        let _turn = self.turn().await?;
        let task = tokio::task::spawn_blocking(move || hash(&password));
        task.await.map_err(Rejection::unavailable)?
    }

    /// Whether the password is the one of this hash. Without a hash it takes as long, so that
    /// the time does not tell whether there is such a user. `check` is asked once more when
    /// the turn has come.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        check: impl FnOnce() -> Result<(), Rejection>,
    ) -> Result<bool, Rejection> {
        let _turn = self.turn().await?;
        check()?;
        let task = tokio::task::spawn_blocking(move || match hash {
            Some(hash) => Ok(argon2()?.verify_password(password.as_bytes(), hash.as_str()).is_ok()),
            None => self::hash(&password).map(|_| false),
        });
        task.await.map_err(Rejection::unavailable)?
    }

    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), Rejection> {
        let place = self.queue.try_acquire();
        let place = place.map_err(|_| Rejection::Busy(Duration::from_secs(5)))?;
        let slot = self.slots.acquire().await.map_err(Rejection::unavailable)?;
        Ok((place, slot))
    }
}

fn argon2() -> Result<Argon2<'static>, Rejection> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Rejection::unavailable)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, Rejection> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(Rejection::unavailable)?;
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(Rejection::unavailable)
}
