//! What happens around one block of a run: whether it is run at all, its call, and where its
//! outputs go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RunState;
use crate::block::ledger::Charge;
use crate::block::{
    BlockError, BlockErrorKind, BlockSpec, Context, Inputs, Outputs, Slot, Stop, Value,
};
use crate::deadline::Deadline;
use crate::engine::report::Trouble;
use crate::engine::wires::Claim;
use crate::engine::{Event, Keep};
use crate::guard;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::workflow::{BlockIndex, Delivery, Node};

/// Plain outputs beyond this size are not put into events.
const LARGE: usize = 64 << 10;
/// Values smaller than this are not accounted for.
const SMALL: usize = 1 << 10;

const NO_CAUSE: u32 = u32::MAX;

/// What each output holds of the memory; empty where all are small.
type Charges = Vec<Option<Arc<Charge>>>;

/// What came of a block that did its work.
struct Done {
    outputs: Outputs,
    charges: Charges,
    /// What its display holds of the memory.
    display: Option<Charge>,
    /// The outputs for an event.
    plain: Option<Arc<[Value]>>,
}

impl RunState {
    /// Runs the claimed block, or finds that it is not to be run, and hands its outputs on.
    pub(in crate::engine) fn execute(self: &Arc<Self>, mut claim: Claim, ready: impl FnMut(Claim)) {
        let block = claim.block();
        let Some(node) = self.plan().node(block) else { return };
        if self.wires.is_restored(&claim) {
            return;
        }
        if self.troubled.load(Ordering::Relaxed)
            && let Some(cause) = self.cause_of(block)
        {
            self.emit(|| Event::BlockSkipped {
                block: BlockIndex(block),
                cause: BlockIndex(cause),
            });
            self.give_up(claim, Trouble::Skipped { cause }, ready);
            return;
        }
        if let Some(stop) = self.stop() {
            self.emit(|| Event::BlockCancelled { block: BlockIndex(block), stop });
            self.give_up(claim, Trouble::Cancelled(stop), ready);
            return;
        }

        self.emit(|| Event::BlockStarted { block: BlockIndex(block) });
        let timed = self.listener.is_some() || self.block_deadline.is_some();
        let start = timed.then(Instant::now);
        let result = guard::call(|| self.attempt(node, &mut claim, start));
        let elapsed = || start.map_or(Duration::ZERO, |start| start.elapsed());
        match result {
            Ok(Ok(done)) => self.hand_on(claim, done, elapsed, ready),
            Ok(Err(error)) => self.fail(claim, error, elapsed(), ready),
            Err(panic) => self.fail(claim, panic.into_error(), elapsed(), ready),
        }
    }

    /// All that is somebody else's code: the block's own, and its values'.
    fn attempt(
        self: &Arc<Self>,
        node: &Node,
        claim: &mut Claim,
        start: Option<Instant>,
    ) -> Result<Done, BlockError> {
        let block = claim.block();
        let deadline = start
            .zip(self.block_deadline)
            .map_or(Deadline::NEVER, |(start, length)| Deadline::from_start(start, length));
        let spec = node.block.spec();
        let slots = self.wires.inputs(claim);
        let plan = self.plan();
        let inputs = Inputs::new(spec, slots, plan.slot_ports(plan.slots(block)));
        let cx = Context { spec, parameters: &node.parameters, host: self, block, deadline };
        let outputs = node.block.run(&cx, inputs)?;
        let accepted = guard::call(|| {
            // What the block left of its inputs is given back before its outputs are counted.
            self.wires.inputs(claim).fill_with(Slot::default);
            let charges = self.accept(block, &outputs, spec, deadline)?;
            let display = outputs.display.as_ref().map_or(0, |display| display.byte_size());
            let display = self.charge_large("a display", display)?;
            let told = self.listener.is_some();
            let plain = if told { small_and_plain(&outputs.values) } else { None };
            Ok((charges, display, plain))
        });
        match accepted.unwrap_or_else(|panic| Err(panic.into_error())) {
            Ok((charges, display, plain)) => Ok(Done { outputs, charges, display, plain }),
            Err(error) => {
                guard::discard_each(outputs.values);
                Err(error)
            }
        }
    }

    #[cold]
    fn fail(&self, claim: Claim, error: BlockError, elapsed: Duration, ready: impl FnMut(Claim)) {
        let error = Arc::new(error);
        self.emit(|| Event::BlockFailed {
            block: BlockIndex(claim.block()),
            error: Arc::clone(&error),
            elapsed,
        });
        self.give_up(claim, Trouble::Failed(error), ready);
    }

    /// Whether the outputs are in time, as many as declared, and fit into memory.
    fn accept(
        &self,
        block: u32,
        outputs: &Outputs,
        spec: &BlockSpec,
        deadline: Deadline,
    ) -> Result<Charges, BlockError> {
        if let Some(length) = deadline.passed() {
            return Err(Stop::TimedOut(length).into());
        }
        let (given, declared) = (outputs.values.len(), spec.outputs().len());
        if given != declared {
            return Err(BlockError::new(format!(
                "the block gave {given} outputs and declares {declared}"
            )));
        }
        let mut charges = Vec::new();
        for (at, value) in outputs.values.iter().enumerate() {
            let bytes = value.byte_size();
            if !(self.is_taken(block, at) || self.keeps(block, at)) {
                continue;
            }
            if let Some(charge) = self.charge_large("an output", bytes)? {
                charges.resize_with(at, || None);
                charges.push(Some(Arc::new(charge)));
            }
        }
        Ok(charges)
    }

    /// Counts what is large against the limits on memory.
    fn charge_large(&self, what: &str, bytes: usize) -> Result<Option<Charge>, BlockError> {
        if bytes < SMALL {
            return Ok(None);
        }
        let ledger = self.ledger.as_ref().unwrap_or(&self.engine.ledger);
        ledger.charge(bytes).map(Some).map_err(|exceeded| {
            let message = format!(
                "{what} of {bytes} bytes would exceed the limit on memory ({} of {} bytes are held)",
                exceeded.held, exceeded.limit
            );
            BlockError::of(BlockErrorKind::Memory, message)
        })
    }

    /// Whether an edge takes the output.
    fn is_taken(&self, block: u32, output: usize) -> bool {
        self.plan().deliveries(block).iter().any(|delivery| usize::from(delivery.output) == output)
    }

    pub(super) fn keeps(&self, block: u32, output: usize) -> bool {
        match &self.keep {
            Keep::None => false,
            Keep::All => true,
            Keep::Leaves => !self.is_taken(block, output),
            Keep::Outputs(kept) => kept.contains(&(BlockIndex(block), output)),
        }
    }

    fn hand_on(
        &self,
        claim: Claim,
        Done { mut outputs, charges, display: held, plain }: Done,
        elapsed: impl FnOnce() -> Duration,
        ready: impl FnMut(Claim),
    ) {
        let block = claim.block();
        let display = outputs.display.take().map(|display| Arc::new(*display));
        if let Some(display) = &display {
            self.notes().displays.insert(block, (Arc::clone(display), held));
        }
        if self.keep != Keep::None {
            for (at, value) in (0..).zip(&outputs.values) {
                if self.keeps(block, usize::from(at)) {
                    self.notes().outputs.insert((block, at), value.clone());
                }
            }
        }
        self.emit(|| Event::BlockFinished {
            block: BlockIndex(block),
            display,
            outputs: plain,
            elapsed: elapsed(),
        });
        let slot = |delivery: &Delivery, more: bool| {
            let at = usize::from(delivery.output);
            let value = outputs.values.get_mut(at)?;
            let value = if more { value.clone() } else { std::mem::take(value) };
            Some(Slot { value, charge: charges.get(at).cloned().flatten() })
        };
        self.wires.deliver(claim, slot, ready);
        guard::discard_each(outputs.values);
    }

    /// Notes that a block did not finish, and marks those behind it.
    #[cold]
    fn give_up(&self, mut claim: Claim, trouble: Trouble, ready: impl FnMut(Claim)) {
        let block = claim.block();
        let cause = match trouble {
            Trouble::Failed(_) => block,
            Trouble::Skipped { cause } => cause,
            // Those behind it find the reason to stop by themselves.
            Trouble::Cancelled(_) => NO_CAUSE,
        };
        guard::discard_each(self.wires.inputs(&mut claim).iter_mut().map(std::mem::take));
        self.notes().troubles.insert(block, trouble);
        if cause != NO_CAUSE {
            let causes = self
                .causes
                .get_or_init(|| (0..self.plan().len()).map(|_| AtomicU32::new(NO_CAUSE)).collect());
            for delivery in self.plan().deliveries(block) {
                if let Some(at) = causes.get(delivery.target as usize) {
                    at.fetch_min(cause, Ordering::Relaxed);
                }
            }
        }
        // The arrivals that follow make both visible to the blocks behind.
        self.troubled.store(true, Ordering::Release);
        self.wires.deliver(claim, |_, _| None, ready);
    }

    fn cause_of(&self, block: u32) -> Option<u32> {
        let cause = self.causes.get()?.get(block as usize)?.load(Ordering::Relaxed);
        (cause != NO_CAUSE).then_some(cause)
    }
}

/// The outputs for an event, if a listener may keep them without harm.
fn small_and_plain(values: &[Value]) -> Option<Arc<[Value]>> {
    let fine = |value: &Value| value.is_plain() && value.byte_size() <= LARGE;
    values.iter().all(fine).then(|| values.into())
}
