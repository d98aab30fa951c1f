//! A few places that claimants take in turn: whoever asks a thousand times keeps nobody else
//! waiting for more than one turn.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::sync::lock;

/// Places, and those who wait for one, by claimant.
pub(crate) struct Turns<K: Clone + Eq + Hash> {
    max_waiting: usize,
    max_waiting_per_claimant: usize,
    state: Mutex<State<K>>,
}

struct State<K: Clone + Eq + Hash> {
    free: usize,
    waiting: usize,
    claimants: HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>,
    /// Those who wait, the one whose turn it is in front.
    order: VecDeque<K>,
}

/// A place, until it is dropped.
pub(crate) struct Turn<K: Clone + Eq + Hash> {
    turns: Option<Arc<Turns<K>>>,
}

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyWaiting;

impl<K: Clone + Eq + Hash> Turns<K> {
    /// At most `max_waiting_per_claimant` claims of one claimant wait, and `max_waiting` in all.
    pub(crate) fn new(
        places: usize,
        max_waiting: usize,
        max_waiting_per_claimant: usize,
    ) -> Arc<Self> {
        let state =
            State { free: places, waiting: 0, claimants: HashMap::new(), order: VecDeque::new() };
        Arc::new(Self { max_waiting, max_waiting_per_claimant, state: Mutex::new(state) })
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>, claimant: K) -> Result<Turn<K>, TooManyWaiting> {
        let receiver = {
            let mut state = lock(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn { turns: Some(Arc::clone(self)) });
            }
            let of_one = state.claimants.get(&claimant).map_or(0, VecDeque::len);
            if state.waiting >= self.max_waiting || of_one >= self.max_waiting_per_claimant {
                return Err(TooManyWaiting);
            }
            let (sender, receiver) = oneshot::channel();
            state.push(claimant, sender);
            receiver
        };
        receiver.await.map_err(|_| TooManyWaiting)
    }

    /// Gives a place to whoever's turn it is, or keeps it free.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = lock(&self.state);
                let next = state.pop();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Turn { turns: Some(Arc::clone(self)) }) {
                Ok(()) => return,
                // It has gone away: the place is for the next one.
                Err(mut turn) => turn.turns = None,
            }
        }
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn push(&mut self, claimant: K, sender: oneshot::Sender<Turn<K>>) {
        let queue = self.claimants.entry(claimant.clone()).or_default();
        // Those who have gone away do not count.
        let before = queue.len();
        queue.retain(|sender| !sender.is_closed());
        self.waiting -= before - queue.len();
        if before == 0 {
            self.order.push_back(claimant);
        }
        queue.push_back(sender);
        self.waiting += 1;
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Turn<K>>> {
        let claimant = self.order.pop_front()?;
        let queue = self.claimants.get_mut(&claimant)?;
        let next = queue.pop_front();
        self.waiting -= usize::from(next.is_some());
        if queue.is_empty() {
            self.claimants.remove(&claimant);
        } else {
            self.order.push_back(claimant);
        }
        next
    }
}

impl<K: Clone + Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Taken = Result<Turn<&'static str>, TooManyWaiting>;

    fn poll(future: std::pin::Pin<&mut impl Future<Output = Taken>>) -> Poll<Taken> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn claimants_take_turns_however_often_one_of_them_asks() {
        let turns = Turns::new(1, 10, 5);
        let mut first = pin!(turns.take("flood"));
        let Poll::Ready(Ok(held)) = poll(first.as_mut()) else { panic!("there is a place") };
        let mut flood: Vec<_> = (0..5).map(|_| Box::pin(turns.take("flood"))).collect();
        assert!(flood.iter_mut().all(|one| poll(one.as_mut()).is_pending()));
        let mut too_many = pin!(turns.take("flood"));
        assert!(matches!(poll(too_many.as_mut()), Poll::Ready(Err(TooManyWaiting))));
        let mut other = pin!(turns.take("other"));
        assert!(poll(other.as_mut()).is_pending());
        // The flood's first, then the other one, before the flood's second.
        drop(held);
        let Poll::Ready(Ok(held)) = poll(flood.remove(0).as_mut()) else { panic!("not its turn") };
        assert!(poll(other.as_mut()).is_pending());
        drop(held);
        assert!(poll(flood[0].as_mut()).is_pending());
        assert!(matches!(poll(other.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn whoever_goes_away_gives_the_turn_to_the_next() {
        let turns = Turns::new(1, 10, 5);
        let mut first = pin!(turns.take("a"));
        let Poll::Ready(Ok(held)) = poll(first.as_mut()) else { panic!("there is a place") };
        let mut gone = Box::pin(turns.take("b"));
        let mut next = pin!(turns.take("c"));
        assert!(poll(gone.as_mut()).is_pending() && poll(next.as_mut()).is_pending());
        drop(gone);
        drop(held);
        let Poll::Ready(Ok(held)) = poll(next.as_mut()) else { panic!("not its turn") };
        drop(held);
        let mut last = pin!(turns.take("d"));
        assert!(matches!(poll(last.as_mut()), Poll::Ready(Ok(_))));
    }
}
