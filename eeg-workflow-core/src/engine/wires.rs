//! The values on their way along a plan's edges, and the counters that say when a block has
//! all of its inputs.
//!
//! One of the two modules with `unsafe` code. Behind locks (a `Mutex<Slot>` an edge) a
//! layered graph with three inputs a block cost 1.6 times the CPU time (bench `engine`, W3).
//!
//! # Why it is sound
//! A [`Claim`] is the right to run one block. It can be neither copied nor made outside this
//! module, and each block's is made once: for a root by the cursor's `fetch_add`, for another
//! block by the arrival that finds its counter at one. The wires own their [`Plan`], which is
//! immutable and whose rows were checked when they were made (`workflow/rows.rs`): each edge has
//! one slot and one delivery, and a block waits for as many values as are delivered to it. So:
//! - a slot is written only in [`Wires::deliver`], by the holder of its source's claim, which
//!   consumes the claim: once;
//! - it is read only in [`Wires::inputs`], by the holder of its target's claim, which exists
//!   only after all arrivals: the counter's release–acquire chain puts the writes before it.
//!
//! - a block that was restored from an earlier run delivers before the run starts, through
//!   `&mut`, and never again.
//!
//! Claims of one run must not meet the wires of another: they live in the run itself, beside it
//! in a waiting thread's queue, or in a `Session`, which owns its run and hands the rest back.
#![expect(unsafe_code, reason = "measured; the argument is above")]

use std::cell::UnsafeCell;

use foldhash::HashSet;

use crate::block::{Slot, Value};
use crate::sync::Witness;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::workflow::{Delivery, Plan};

/// The state of a run's edges.
pub(super) struct Wires {
    plan: Plan,
    slots: Box<[UnsafeCell<Slot>]>,
    witnesses: Box<[Witness]>,
    /// How many inputs each block waits for.
    pending: Box<[AtomicU32]>,
    /// How many roots have been claimed.
    cursor: AtomicUsize,
    restored: HashSet<u32>,
}

// SAFETY: a slot is touched by one claim's holder at a time, in an order that the counters
// establish (see above); a `Slot` may be sent between threads.
unsafe impl Sync for Wires {}

/// The right to run one block, once.
#[derive(Debug)]
pub(super) struct Claim(u32);

impl Claim {
    pub(super) fn block(&self) -> u32 {
        self.0
    }
}

impl Wires {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            slots: (0..plan.slot_count()).map(|_| UnsafeCell::default()).collect(),
            witnesses: (0..plan.slot_count()).map(|_| Witness::new()).collect(),
            pending: plan.in_degrees().iter().map(|degree| AtomicU32::new(*degree)).collect(),
            cursor: AtomicUsize::new(0),
            restored: HashSet::default(),
            plan,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether roots are left to claim.
    pub(super) fn has_roots(&self) -> bool {
        self.cursor.load(Ordering::Relaxed) < self.plan.roots().len()
    }

    /// Claims the next `most` of the blocks that wait for nothing.
    pub(super) fn claim_roots(&self, most: usize, claims: &mut Vec<Claim>) {
        if !self.has_roots() {
            return;
        }
        let start = self.cursor.fetch_add(most, Ordering::Relaxed);
        let roots = self.plan.roots();
        let end = start.saturating_add(most).min(roots.len());
        let claimed = roots.get(start..end).unwrap_or_default();
        claims.extend(claimed.iter().rev().map(|block| Claim(*block)));
    }

    /// Puts a value into a slot before the run starts.
    pub(super) fn feed(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place.get_mut() = slot;
        }
    }

    /// Hands on the outputs of a block that is not run, before the run starts, and gives the
    /// claims of blocks that now have all inputs.
    pub(super) fn restore(&mut self, block: u32, values: &[Value]) -> Vec<Claim> {
        let mut ready = Vec::new();
        if !self.restored.insert(block) {
            return ready;
        }
        let plan = self.plan.clone();
        for delivery in plan.deliveries(block) {
            let value = values.get(usize::from(delivery.output)).cloned().unwrap_or_default();
            self.feed(delivery.slot as usize, Slot { value, charge: None });
            if self.arrive(delivery.target) {
                ready.push(Claim(delivery.target));
            }
        }
        ready
    }

    /// Whether the block was restored, and is not to be run.
    pub(super) fn is_restored(&self, claim: &Claim) -> bool {
        !self.restored.is_empty() && self.restored.contains(&claim.0)
    }

    /// The inputs of the claimed block.
    pub(super) fn inputs<'a>(&'a self, claim: &'a mut Claim) -> &'a mut [Slot] {
        let row = self.plan.slots(claim.0);
        debug_assert!(row.end <= self.slots.len(), "a claim of another run");
        self.witnesses.get(row.clone()).unwrap_or_default().iter().for_each(Witness::touch);
        let cells = self.slots.get(row).unwrap_or_default();
        // SAFETY: `UnsafeCell<Slot>` has the layout of `Slot`. The claim is borrowed for as
        // long as the slice, so there is no other slice of these slots, and their writers are
        // done (see above).
        unsafe {
            std::slice::from_raw_parts_mut(cells.as_ptr().cast::<Slot>().cast_mut(), cells.len())
        }
    }

    /// Hands the outputs of the claimed block on, and gives the claims of blocks that now have
    /// all inputs. `slot` makes the value for a delivery; its second argument says whether
    /// further deliveries take the same output.
    pub(super) fn deliver(
        &self,
        claim: Claim,
        mut slot: impl FnMut(&Delivery, bool) -> Option<Slot>,
        mut ready: impl FnMut(Claim),
    ) {
        if self.is_restored(&claim) {
            return;
        }
        let deliveries = self.plan.deliveries(claim.0);
        for (i, delivery) in deliveries.iter().enumerate() {
            let more = deliveries.get(i + 1).is_some_and(|next| next.output == delivery.output);
            if let Some(slot) = slot(delivery, more)
                && let Some(cell) = self.slots.get(delivery.slot as usize)
            {
                self.witnesses.get(delivery.slot as usize).into_iter().for_each(Witness::touch);
                // SAFETY: the delivery is this block's only one into this slot, the claim is
                // consumed, and the target's claim does not exist before the arrival below.
                unsafe { *cell.get() = slot };
            }
            if self.arrive(delivery.target) {
                ready(Claim(delivery.target));
            }
        }
    }

    /// Counts an input of a block as there. Whether it was the last: the last arrival sees
    /// itself alone and need not write.
    fn arrive(&self, block: u32) -> bool {
        self.pending.get(block as usize).is_some_and(|pending| {
            debug_assert!(pending.load(Ordering::Relaxed) > 0, "more arrivals than edges");
            pending.load(Ordering::Acquire) == 1 || pending.fetch_sub(1, Ordering::AcqRel) == 1
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    //! Run by Miri too: `cargo +nightly miri test -p eeg-workflow-core --no-default-features
    //! --lib wires`; under loom by `RUSTFLAGS="--cfg loom" cargo test -p eeg-workflow-core
    //! --no-default-features --lib --release --target-dir target/loom loom_`.
    #![cfg_attr(loom, allow(dead_code, unused_imports, reason = "loom has tests of its own"))]

    use std::sync::Mutex;

    use super::*;
    use crate::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType};
    use crate::module::{Module, ModuleRegistry};
    use crate::workflow::Workflow;

    struct Node(BlockSpec);

    impl Block for Node {
        fn spec(&self) -> &BlockSpec {
            &self.0
        }

        fn run(&self, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
            Ok(Outputs::one(1))
        }
    }

    /// Layers of `width` blocks, each of which takes all of the layer before.
    fn plan(layers: usize, width: usize) -> Plan {
        let blocks: Vec<_> = (0..layers * width)
            .map(|id| serde_json::json!({"id": id, "type": "Node", "module": "M"}))
            .collect();
        let mut edges = Vec::new();
        for to in width..layers * width {
            let before = (to / width - 1) * width;
            for from in before..before + width {
                edges.push(serde_json::json!({"block1": from, "connector1": ["out", "output"],
                                              "block2": to, "connector2": ["in", "input"]}));
            }
        }
        let spec = BlockSpec::new("Node")
            .input("in", PortType::NUMBER, 0..=100)
            .output("out", PortType::NUMBER);
        let mut registry = ModuleRegistry::new();
        registry.register(Module::new("M").block(Node(spec)).unwrap()).unwrap();
        let text = serde_json::json!({"blocks": blocks, "edges": edges}).to_string();
        Workflow::from_json(&text).unwrap().plan(&registry).unwrap()
    }

    /// Each block's value is one more than the sum of its inputs.
    fn run(wires: &Wires, shared: &Mutex<Vec<Claim>>, sums: &Mutex<Vec<(u32, i64)>>) {
        loop {
            let mut claims = Vec::new();
            wires.claim_roots(1, &mut claims);
            claims.extend(shared.lock().unwrap().pop());
            if claims.is_empty() {
                if sums.lock().unwrap().len() == wires.plan().len() {
                    return;
                }
                std::thread::yield_now();
            }
            for mut claim in claims {
                let mut sum = 1;
                for slot in wires.inputs(&mut claim).iter_mut() {
                    if let Value::Text(text) = std::mem::take(&mut slot.value) {
                        sum += text.parse::<i64>().unwrap();
                    }
                }
                sums.lock().unwrap().push((claim.block(), sum));
                let slot =
                    |_: &Delivery, _| Some(Slot { value: sum.to_string().into(), charge: None });
                wires.deliver(claim, slot, |ready| shared.lock().unwrap().push(ready));
            }
        }
    }

    #[cfg(not(loom))]
    #[test]
    fn threads_hand_values_on_without_a_race() {
        let plan = plan(4, 3);
        for threads in 1..=3 {
            let wires = Wires::new(plan.clone());
            let (shared, sums) = (Mutex::default(), Mutex::default());
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| run(&wires, &shared, &sums));
                }
            });
            let mut sums = sums.into_inner().unwrap();
            sums.sort_unstable();
            let expected: Vec<_> = (0..).zip([1, 1, 1, 4, 4, 4, 13, 13, 13, 40, 40, 40]).collect();
            assert_eq!(sums, expected);
        }
    }

    #[cfg(not(loom))]
    #[test]
    fn values_that_nobody_takes_are_dropped_with_the_wires() {
        let plan = plan(2, 2);
        let wires = Wires::new(plan.clone());
        let mut claims = Vec::new();
        wires.claim_roots(9, &mut claims);
        let text: std::sync::Arc<str> = "a".into();
        for claim in claims {
            let slot = |_: &Delivery, _| {
                Some(Slot { value: std::sync::Arc::clone(&text).into(), charge: None })
            };
            wires.deliver(claim, slot, drop);
        }
        assert_eq!(std::sync::Arc::strong_count(&text), 5);
        drop(wires);
        assert_eq!(std::sync::Arc::strong_count(&text), 1);
    }

    /// All orders in which threads may serve layers of blocks: each block is claimed once, and
    /// sees all of its inputs. Returns how many there are.
    #[cfg(loom)]
    fn explore(layers: usize, width: usize, threads: usize, preemptions: Option<usize>) -> usize {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        let plan = plan(layers, width);
        let expected: Vec<_> = (0..layers)
            .scan(1, |sum, _| Some(std::mem::replace(sum, 1 + *sum * width as i64)))
            .flat_map(|sum| std::iter::repeat_n(sum, width))
            .collect();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let mut model = loom::model::Builder::new();
        model.preemption_bound = preemptions;
        model.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let wires = Arc::new(Wires::new(plan.clone()));
            let others: Vec<_> = (1..threads)
                .map(|_| Arc::clone(&wires))
                .map(|wires| loom::thread::spawn(move || serve(&wires)))
                .collect();
            let mut sums = serve(&wires);
            sums.extend(others.into_iter().flat_map(|other| other.join().unwrap()));
            sums.sort_unstable();
            let sums: Vec<_> = sums.into_iter().map(|(_, sum)| sum).collect();
            assert_eq!(sums, expected);
        });
        count.load(Ordering::Relaxed)
    }

    /// Serves what it claims and what becomes ready by that.
    #[cfg(loom)]
    fn serve(wires: &Wires) -> Vec<(u32, i64)> {
        let (mut claims, mut sums) = (Vec::new(), Vec::new());
        loop {
            if claims.is_empty() {
                wires.claim_roots(1, &mut claims);
            }
            let Some(mut claim) = claims.pop() else { return sums };
            let mut sum = 1;
            for slot in wires.inputs(&mut claim).iter_mut() {
                if let Value::Text(text) = std::mem::take(&mut slot.value) {
                    sum += text.parse::<i64>().unwrap();
                }
            }
            sums.push((claim.block(), sum));
            let slot = |_: &Delivery, _| Some(Slot { value: sum.to_string().into(), charge: None });
            wires.deliver(claim, slot, |ready| claims.push(ready));
        }
    }

    #[cfg(loom)]
    #[test]
    fn loom_two_threads_hand_values_on_in_every_order() {
        for (layers, preemptions) in [(2, None), (3, Some(3))] {
            let count = explore(layers, 2, 2, preemptions);
            println!("{layers} layers of 2 blocks, 2 threads: {count} executions");
            assert!(count > 100);
        }
    }

    #[cfg(loom)]
    #[test]
    fn loom_three_threads_hand_values_on_in_every_order() {
        let count = explore(2, 3, 3, Some(2));
        println!("2 layers of 3 blocks, 3 threads: {count} executions");
        assert!(count > 100);
    }
}
