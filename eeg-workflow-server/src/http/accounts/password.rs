//! Password hashes: Argon2id, on threads that may take their time, few at once, in turn.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use eeg_workflow_core::block::OwnerId;

use crate::http::network::Network;
use crate::http::rejection::Rejection;
use crate::http::turns::{Turn, Turns};

/// What OWASP recommends: 19 MiB of memory, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes that are computed at once.
const AT_ONCE: usize = 2;
/// Requests that wait for a hash; others are told to come again.
const MAX_WAITING: usize = 512;
const MAX_WAITING_PER_CLAIMANT: usize = 32;

/// Who has a hash computed: each of these has a turn of its own, so that a flood of one sort, or
/// from one network, keeps nobody else waiting for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claimant {
    /// Somebody who wants an account.
    Newcomer(Network),
    /// Somebody who names an account that was never used from this network, or does not exist.
    Stranger(Network),
    /// Somebody who names an account that was used from this network before.
    Regular(Network, OwnerId),
}

/// Computes and checks password hashes.
pub(crate) struct Passwords {
    turns: Arc<Turns<Claimant>>,
}

/// The right to compute one hash.
pub(crate) struct HashTurn(#[expect(dead_code, reason = "held for its drop")] Turn<Claimant>);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { turns: Turns::new(AT_ONCE, MAX_WAITING, MAX_WAITING_PER_CLAIMANT) }
    }

    /// Waits for the right to compute a hash.
    pub(crate) async fn turn(&self, claimant: Claimant) -> Result<HashTurn, Rejection> {
        let turn = self.turns.take(claimant).await;
        turn.map(HashTurn).map_err(|_| Rejection::Busy(Duration::from_secs(5)))
    }
}

impl HashTurn {
    /// The hash of a password, with a salt of its own, in the PHC text form.
    pub(crate) async fn hash(self, password: String) -> Result<String, Rejection> {
        self.compute(move || hash(&password)).await
    }

    /// Whether the password is the one of this hash. Without a hash it takes as long, so that
    /// the time does not tell whether there is such a user.
    pub(crate) async fn verify(
        self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Rejection> {
        self.compute(move || match hash {
            Some(hash) => is_right(&password, &hash),
            None => self::hash(&password).map(|_| false),
        })
        .await
    }

    /// The turn lasts as long as the computation, also when nobody waits for it any more.
    async fn compute<T: Send + 'static>(
        self,
        task: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        let task = tokio::task::spawn_blocking(move || {
            let result = task();
            drop(self);
            result
        });
        task.await.map_err(Rejection::unavailable)?
    }
}

fn hash(password: &str) -> Result<String, Rejection> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(Rejection::unavailable)?;
    let salt = Salt::new(&salt).map_err(Rejection::unavailable)?;
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Rejection::unavailable)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(Rejection::unavailable)?,
        salt: Some(salt),
        hash: Some(compute(password, &salt, params)?),
    };
    Ok(hash.to_string())
}

/// Whether the password is the one of this hash, which says with what it was made.
fn is_right(password: &str, hash: &str) -> Result<bool, Rejection> {
    let hash = PasswordHash::new(hash).map_err(Rejection::unavailable)?;
    let params = Params::try_from(&hash).map_err(Rejection::unavailable)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        let problem = std::io::Error::other("a password hash has no salt or no hash");
        return Err(Rejection::unavailable(problem));
    };
    // Outputs are compared in constant time.
    Ok(compute(password, &salt, params)? == expected)
}

/// Its memory is larger than what is used of it: memory beyond 32 MiB always goes back to the
/// system, where glibc would keep the 19 MiB of a login in the heap of each thread.
fn compute(password: &str, salt: &Salt, params: Params) -> Result<Output, Rejection> {
    const GOES_BACK: usize = 33 << 20;
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(GOES_BACK / Block::SIZE));
    memory.resize(blocks, Block::default());
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory)
        .map_err(Rejection::unavailable)?;
    Output::new(&output).map_err(Rejection::unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_one_is_not() -> Result<(), Rejection> {
        let hash = hash("correct horse")?;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_right("correct horse", &hash)?);
        assert!(!is_right("wrong horse", &hash)?);
        Ok(())
    }

    #[test]
    fn a_hash_of_the_argon2_crate_itself_is_known() -> Result<(), Rejection> {
        use argon2::password_hash::PasswordHasher;
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Rejection::unavailable)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(b"correct horse", b"0123456789abcdef");
        let hash = hash.map_err(Rejection::unavailable)?.to_string();
        assert!(is_right("correct horse", &hash)?);
        Ok(())
    }
}
