//! A worker's turn with one run.

use std::sync::Arc;

use super::run::RunState;
use super::scheduler::Shared;
use super::wires::Claim;

/// At most this many blocks of one run are run while another run waits for its turn.
const TURN: usize = 8;
/// At most this many roots are claimed at once.
const LOT: usize = 64;

/// Runs blocks of one run until it has none to claim or its turn is over. It owns the run and the
/// claims on its blocks, so that a claim cannot meet another run.
pub(super) struct Session<'a> {
    engine: &'a Arc<Shared>,
    run: Arc<RunState>,
    claims: Vec<Claim>,
}

impl<'a> Session<'a> {
    /// `room` is an empty list, used again from session to session.
    pub(super) fn new(engine: &'a Arc<Shared>, run: Arc<RunState>, room: Vec<Claim>) -> Self {
        debug_assert!(room.is_empty(), "claims of another run");
        Self { engine, run, claims: room }
    }

    /// Serves the run, and gives it back with the empty list.
    pub(super) fn serve(mut self) -> (Arc<RunState>, Vec<Claim>) {
        let mut over = 0;
        let mut turn = 0;
        self.claim();
        while let Some(claim) = self.claims.pop() {
            let mut next = Some(claim);
            while let Some(claim) = next.take() {
                if self.run.plan().node(claim.block()).is_some_and(|node| node.waits) {
                    self.engine.waiting.submit(Arc::clone(&self.run), claim);
                    continue;
                }
                let claims = &mut self.claims;
                self.run.execute(claim, |ready| {
                    if next.is_none() {
                        next = Some(ready);
                    } else {
                        claims.push(ready);
                    }
                });
                over += 1;
                turn += 1;
                if turn >= TURN {
                    turn = 0;
                    if self.engine.has_tickets() {
                        self.claims.extend(next.take());
                        self.hand_back();
                        self.run.count_over(over);
                        return (self.run, self.claims);
                    }
                }
                if !self.claims.is_empty() && self.engine.has_idle_thread() {
                    self.share();
                }
            }
            if self.claims.is_empty() {
                self.claim();
            }
        }
        self.run.count_over(over);
        (self.run, self.claims)
    }

    /// Claims blocks that are offered, or else roots, and tells others if there are more.
    fn claim(&mut self) {
        let mut offered = self.run.offered.lock();
        let half = offered.len().div_ceil(2);
        let rest = offered.len() - half;
        self.claims.extend(offered.drain(rest..));
        let mut more = rest > 0;
        drop(offered);
        let idle = self.engine.has_idle_thread();
        if self.claims.is_empty() {
            let roots = self.run.plan().roots().len();
            let lot = (roots / (4 * self.engine.threads)).clamp(if idle { 1 } else { TURN }, LOT);
            self.run.wires.claim_roots(lot, &mut self.claims);
            more = false;
        }
        more |= self.run.wires.has_roots();
        if more && idle {
            self.engine.offer(&self.run);
        }
    }

    /// Offers the older half of the claims to an idle worker.
    #[cold]
    fn share(&mut self) {
        let half = self.claims.len().div_ceil(2);
        self.run.offered.lock().extend(self.claims.drain(..half));
        self.engine.offer(&self.run);
    }

    /// Ends the turn: the run goes to the back of the queue with all its claims.
    #[cold]
    fn hand_back(&mut self) {
        let mut offered = self.run.offered.lock();
        offered.append(&mut self.claims);
        let any = !offered.is_empty();
        drop(offered);
        if any || self.run.wires.has_roots() {
            self.engine.offer(&self.run);
        }
    }
}
