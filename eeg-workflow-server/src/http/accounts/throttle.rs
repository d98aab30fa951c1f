//! Slows down guessing at one account from one network: each failure beyond the first few
//! doubles the wait. Others' failures keep nobody out of an account.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::account_store::email_key;
use crate::http::network::Network;
use crate::http::rejection::Rejection;
use crate::sync::lock;

/// Failures that cost no waiting.
const FREE: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Failures are forgotten after this time without another one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
/// With more pairs than this, old ones are dropped.
const MAX_PAIRS: usize = 50_000;

/// An account and a network from which somebody tries to log in to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    email_key: String,
    network: Network,
}

impl Pair {
    pub(crate) fn new(email: &str, network: Network) -> Self {
        Self { email_key: email_key(email), network }
    }

    pub(crate) fn network(&self) -> Network {
        self.network
    }
}

/// The failed attempts of each pair.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Pair, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// How long to wait from the last failure.
    fn wait(self) -> Duration {
        match self.count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1 << beyond.min(10)).min(LONGEST_WAIT),
        }
    }
}

impl Throttle {
    /// Refuses an attempt while its pair must wait.
    pub(crate) fn check(&self, pair: &Pair) -> Result<(), Rejection> {
        let failures = lock(&self.0).get(pair).copied();
        let left = failures.map(|failures| failures.wait().saturating_sub(failures.last.elapsed()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(Rejection::TooManyAttempts(left)),
            None => Ok(()),
        }
    }

    pub(crate) fn failed(&self, pair: Pair) {
        let mut pairs = lock(&self.0);
        if pairs.len() >= MAX_PAIRS {
            pairs.retain(|_, failures| failures.last.elapsed() < FORGOTTEN_AFTER);
        }
        if pairs.len() >= MAX_PAIRS {
            pairs.clear();
        }
        let now = Instant::now();
        let failures = pairs.entry(pair).or_insert(Failures { count: 0, last: now });
        if failures.last.elapsed() > FORGOTTEN_AFTER {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }

    pub(crate) fn succeeded(&self, pair: &Pair) {
        lock(&self.0).remove(pair);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn the_wait_doubles_with_each_failure_and_has_an_end() {
        let wait = |count| Failures { count, last: Instant::now() }.wait().as_secs();
        assert_eq!([4, 5, 6, 7, 20, u32::MAX].map(wait), [0, 1, 2, 4, 60, 60]);
    }

    #[test]
    fn failures_from_one_network_concern_that_account_and_network_only() {
        let throttle = Throttle::default();
        let [here, there] = [1, 2].map(|last| Network::of(IpAddr::from([192, 0, 2, last])));
        let pair = Pair::new("A@example.org ", here);
        for _ in 0..FREE {
            throttle.failed(pair.clone());
        }
        assert!(throttle.check(&Pair::new("a@EXAMPLE.org", here)).is_err());
        assert!(throttle.check(&Pair::new("a@example.org", there)).is_ok());
        assert!(throttle.check(&Pair::new("b@example.org", here)).is_ok());
        throttle.succeeded(&pair);
        assert!(throttle.check(&pair).is_ok());
    }
}
