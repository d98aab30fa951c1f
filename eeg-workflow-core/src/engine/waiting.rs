//! Threads for blocks that wait for something outside.

use std::sync::Arc;
use std::time::Duration;

use super::run::RunState;
use super::scheduler::execute_waiting;
use super::turns::{MAX_EXTRA, Turns};
use super::wires::Claim;
use crate::guard;
use crate::sync::{Condvar, Mutex, thread};

/// A thread that has been idle for this long ends.
const IDLE: Duration = Duration::from_secs(10);

/// Pools of such threads, one for each depth of nesting: a block that waits for a nested run
/// holds a thread while blocks of that run need one, so they must not compete.
pub(super) struct Waiting {
    most: usize,
    pools: Mutex<Vec<Arc<Pool>>>,
}

struct Pool {
    most: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Turns<(Arc<RunState>, Claim)>,
    threads: usize,
    idle: usize,
}

impl Waiting {
    /// At most this many threads at each depth, and a few more for owners who have none of them.
    pub(super) fn new(most: usize) -> Self {
        Self { most, pools: Mutex::default() }
    }

    /// Runs the claimed block on a thread of its own as soon as there is one.
    pub(super) fn submit(&self, run: Arc<RunState>, claim: Claim) {
        let depth = run.depth();
        let mut pools = self.pools.lock();
        while pools.len() <= depth {
            let pool = Pool { most: self.most, state: Mutex::default(), work: Condvar::new() };
            pools.push(Arc::new(pool));
        }
        let Some(pool) = pools.get(depth).map(Arc::clone) else { return };
        drop(pools);

        let mut state = pool.state.lock();
        state.jobs.push(run.owner(), (run, claim));
        if state.jobs.len() > state.idle && pool.has_room(&state) {
            let worker = Arc::clone(&pool);
            let thread = thread::Builder::new().name("engine-wait".to_owned());
            let spawned = thread.spawn(move || worker.work());
            if spawned.is_ok() {
                state.threads += 1;
                return;
            }
            // No thread to be had: one that is there will come to it. If there is none, run it
            // here: late is better than never.
            if state.threads == 0
                && let Some((run, claim)) = state.jobs.pop()
            {
                drop(state);
                execute_waiting(&run, claim);
                pool.state.lock().jobs.release(run.owner());
                return;
            }
        }
        drop(state);
        pool.work.notify_one();
    }
}

impl Pool {
    fn has_room(&self, state: &State) -> bool {
        state.threads < self.most
            || (state.threads < self.most.saturating_add(MAX_EXTRA) && state.jobs.has_unserved())
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            let extra = state.threads > self.most;
            let job = if extra { state.jobs.pop_unserved() } else { state.jobs.pop() };
            if let Some((run, claim)) = job {
                drop(state);
                let owner = run.owner();
                execute_waiting(&run, claim);
                guard::discard(run);
                state = self.state.lock();
                state.jobs.release(owner);
                continue;
            }
            if extra {
                state.threads -= 1;
                return;
            }
            state.idle += 1;
            let timed_out;
            (state, timed_out) = self.work.wait_timeout(state, IDLE);
            state.idle -= 1;
            if timed_out && state.jobs.len() == 0 {
                state.threads -= 1;
                return;
            }
        }
    }
}
