//! A budget of each network for something costly: some at once, then one at a time.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::http::network::Network;
use crate::sync::lock;

/// With more networks than this, those whose budget is whole again are forgotten.
const MANY: usize = 50_000;

/// How often each network may do something: `burst` times at once, and again every `interval`.
///
/// Of each network one moment is known, when its budget will be whole again (the generic cell
/// rate algorithm): each use moves that moment by the interval.
pub(crate) struct Budget {
    burst: u32,
    interval: Duration,
    whole_at: Mutex<HashMap<Network, Instant>>,
}

impl Budget {
    pub(crate) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, whole_at: Mutex::default() }
    }

    /// Uses the budget once, and says how long to wait before.
    ///
    /// # Errors
    /// The wait would be longer than `patience`: nothing is used.
    pub(crate) fn spend(&self, network: Network, patience: Duration) -> Result<Duration, Duration> {
        let now = Instant::now();
        let mut networks = lock(&self.whole_at);
        if networks.len() >= MANY {
            networks.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = networks.get(&network).copied().unwrap_or(now).max(now) + self.interval;
        let wait = (whole_at - now).saturating_sub(self.interval * self.burst);
        if wait > patience {
            return Err(wait);
        }
        networks.insert(network, whole_at);
        Ok(wait)
    }

    /// Takes a use back.
    pub(crate) fn refund(&self, network: Network) {
        if let Some(whole_at) = lock(&self.whole_at).get_mut(&network) {
            *whole_at = whole_at.checked_sub(self.interval).unwrap_or(*whole_at);
        }
    }

    /// How long it takes until the budget can be used without a wait.
    pub(crate) fn wait(&self, network: Network) -> Duration {
        let Some(whole_at) = lock(&self.whole_at).get(&network).copied() else {
            return Duration::ZERO;
        };
        let left = whole_at.saturating_duration_since(Instant::now()) + self.interval;
        left.saturating_sub(self.interval * self.burst)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn some_uses_are_free_then_they_are_spaced_and_a_refund_gives_one_back() {
        let budget = Budget::new(3, Duration::from_secs(100));
        let [one, other] = [1, 2].map(|last| Network::of(IpAddr::from([192, 0, 2, last])));
        for _ in 0..3 {
            assert_eq!(budget.spend(one, Duration::ZERO), Ok(Duration::ZERO));
        }
        let refused = budget.spend(one, Duration::from_secs(10));
        assert!(refused.is_err_and(|wait| (90..=100).contains(&wait.as_secs())), "{refused:?}");
        assert!((90..=100).contains(&budget.wait(one).as_secs()));
        assert_eq!(budget.spend(other, Duration::ZERO), Ok(Duration::ZERO));
        budget.refund(one);
        assert_eq!(budget.wait(one), Duration::ZERO);
        assert_eq!(budget.spend(one, Duration::ZERO), Ok(Duration::ZERO));
        let waited = budget.spend(one, Duration::from_secs(100));
        assert!(waited.is_ok_and(|wait| wait > Duration::from_secs(90)), "{waited:?}");
    }
}
