//! Slows down the guessing of passwords: each failure beyond the first few doubles the time
//! that the account, and the address that guesses, must wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::http::rejection::Rejection;
use crate::sync::lock;

/// Failures that cost no waiting.
const FREE_PER_ACCOUNT: u32 = 5;
const FREE_PER_ADDRESS: u32 = 20;
/// Short enough that nobody can lock another one's account for long.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Failures are forgotten after this time without another one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
/// When so many accounts and addresses are known, old ones are dropped.
const MAX_ENTRIES: usize = 50_000;

/// What attempts are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Account(String),
    Address(IpAddr),
}

/// The keys of an attempt on this account from this address.
pub(crate) fn keys(email: &str, client: IpAddr) -> [Key; 2] {
    let address = match client.to_canonical() {
        // Whoever has one IPv6 address has a whole network of them.
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    };
    [Key::Account(super::store::email_key(email)), Key::Address(address)]
}

#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Key, Failures>>);

struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// How long to wait from the last failure.
    fn wait(&self, key: &Key) -> Duration {
        let free = match key {
            Key::Account(_) => FREE_PER_ACCOUNT,
            Key::Address(_) => FREE_PER_ADDRESS,
        };
        match self.count.checked_sub(free) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1 << beyond.min(10)).min(LONGEST_WAIT),
        }
    }
}

impl Throttle {
    /// Refuses the attempt while one of its keys must wait.
    pub(crate) fn check(&self, keys: &[Key; 2]) -> Result<(), Rejection> {
        let entries = lock(&self.0);
        let left = |key: &Key| {
            let failures = entries.get(key)?;
            failures.wait(key).checked_sub(failures.last.elapsed()).filter(|left| !left.is_zero())
        };
        match keys.iter().filter_map(left).max() {
            Some(left) => Err(Rejection::TooManyAttempts(left)),
            None => Ok(()),
        }
    }

    pub(crate) fn failed(&self, keys: &[Key; 2]) {
        let now = Instant::now();
        let mut entries = lock(&self.0);
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, failures| failures.last.elapsed() < FORGOTTEN_AFTER);
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        for key in keys {
            let failures = entries.entry(key.clone()).or_insert(Failures { count: 0, last: now });
            if failures.last.elapsed() > FORGOTTEN_AFTER {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
    }

    /// Forgets the account's failures; the address may be guessing at other accounts.
    pub(crate) fn succeeded(&self, keys: &[Key; 2]) {
        let mut entries = lock(&self.0);
        entries.retain(|key, _| !(matches!(key, Key::Account(_)) && keys.contains(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waiting_doubles_with_each_failure_and_has_an_end() {
        let account = Key::Account("a".into());
        let wait = |count| Failures { count, last: Instant::now() }.wait(&account).as_secs();
        assert_eq!([4, 5, 6, 7, 20, u32::MAX].map(wait), [0, 1, 2, 4, 60, 60]);
    }

    #[test]
    fn a_success_forgets_the_account_but_not_the_address() {
        let throttle = Throttle::default();
        let keys = keys("A@example.org ", IpAddr::from([127, 0, 0, 1]));
        for _ in 0..FREE_PER_ADDRESS {
            throttle.failed(&keys);
        }
        assert!(throttle.check(&keys).is_err());
        throttle.succeeded(&keys);
        assert!(throttle.check(&[keys[0].clone(), keys[0].clone()]).is_ok());
        assert!(throttle.check(&keys).is_err());
    }
}
