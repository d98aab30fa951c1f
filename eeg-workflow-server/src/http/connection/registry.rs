//! Which connections are open, how many there may be, and which one goes when there are more.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::activity::Activity;
use crate::http::network::Network;
use crate::sync::lock;

/// The open connections. One that waits for a request gives way to a new one: first the network
/// that has the most of them loses the one that has waited longest.
pub(super) struct Connections {
    max: usize,
    max_per_network: usize,
    state: Mutex<State>,
    /// Notified whenever one ends.
    changed: Notify,
}

#[derive(Default)]
struct State {
    last: u64,
    open: HashMap<u64, Open>,
    of_network: HashMap<Network, usize>,
}

struct Open {
    network: Network,
    activity: Arc<Activity>,
    close: Arc<Notify>,
}

/// The place of an open connection, until it is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
    pub(super) activity: Arc<Activity>,
    /// Notified when it must give way.
    pub(super) close: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(max: usize, max_per_network: usize) -> Arc<Self> {
        Arc::new(Self { max, max_per_network, state: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a connection from this network, if there is one or can be made.
    pub(super) fn admit(self: &Arc<Self>, network: Network) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.of_network.get(&network).is_some_and(|count| *count >= self.max_per_network) {
            state.evict(|open| open.network == network)?;
        } else if state.open.len() >= self.max {
            state.evict(|_| true)?;
        }
        state.last += 1;
        let id = state.last;
        let (activity, close) = (Arc::new(Activity::new()), Arc::new(Notify::new()));
        let open = Open { network, activity: activity.clone(), close: close.clone() };
        state.open.insert(id, open);
        *state.of_network.entry(network).or_default() += 1;
        Some(Place { connections: self.clone(), id, activity, close })
    }

    /// Closes a connection that waits for a request, if there is one.
    pub(super) fn evict_one(&self) -> bool {
        lock(&self.state).evict(|_| true).is_some()
    }

    /// Resolves when a connection has ended after this was enabled.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Resolves when there are no connections.
    pub(super) async fn all_ended(&self) {
        loop {
            let mut changed = pin!(self.changed());
            changed.as_mut().enable();
            if lock(&self.state).open.is_empty() {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// Tells an idle connection of those chosen to close, and frees its place.
    fn evict(&mut self, is_chosen: impl Fn(&Open) -> bool) -> Option<()> {
        let idle = self.open.iter().filter(|(_, open)| is_chosen(open));
        let idle = idle.filter_map(|(id, open)| Some((id, open, open.activity.idle_since()?)));
        let (id, ..) = idle.max_by_key(|(_, open, since)| {
            (self.of_network.get(&open.network).copied(), std::cmp::Reverse(*since))
        })?;
        let open = self.remove(*id)?;
        open.close.notify_one();
        Some(())
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(count) = self.of_network.get_mut(&open.network) {
            *count -= 1;
            if *count == 0 {
                self.of_network.remove(&open.network);
            }
        }
        Some(open)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is not there any more if it gave way.
        lock(&self.connections.state).remove(self.id);
        self.connections.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn network(last: u8) -> Network {
        Network::of(IpAddr::from([192, 0, 2, last]))
    }

    async fn was_closed(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.close.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn the_connection_that_waited_longest_gives_way_and_busy_ones_stay()
    -> Result<(), &'static str> {
        let connections = Connections::new(3, 3);
        let mut places = Vec::new();
        for _ in 0..3 {
            places.push(connections.admit(network(1)).ok_or("there is a place")?);
            std::thread::sleep(Duration::from_millis(2));
        }
        places[0].activity.begin();
        let fourth = connections.admit(network(2)).ok_or("one gives way")?;
        assert!(was_closed(&places[1]).await);
        assert!(!was_closed(&places[2]).await);
        // The network that has more of them gives way, though the other one is idle as well.
        places[0].activity.flushed();
        let fifth = connections.admit(network(2)).ok_or("one gives way")?;
        assert!(was_closed(&places[2]).await && !was_closed(&fourth).await);
        fourth.activity.begin();
        fifth.activity.begin();
        assert!(connections.admit(network(3)).is_none(), "all are busy");
        drop(places);
        assert!(connections.admit(network(3)).is_some());
        Ok(())
    }

    #[tokio::test]
    async fn a_network_has_a_limit_of_its_own() -> Result<(), &'static str> {
        let connections = Connections::new(10, 2);
        let places = [1, 1, 2].map(|last| connections.admit(network(last)));
        let [Some(first), Some(second), Some(other)] = places else { return Err("no place") };
        first.activity.begin();
        let _third = connections.admit(network(1)).ok_or("one gives way")?;
        assert!(was_closed(&second).await && !was_closed(&other).await);
        Ok(())
    }
}
