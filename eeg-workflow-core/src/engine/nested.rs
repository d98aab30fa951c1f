//! Runs inside runs: for a block that is made of a plan.

use std::any::Any;
use std::sync::Arc;

use super::run::{Parent, RunState};
use super::{Keep, Listener, Report, Run, RunOptions};
use crate::block::{BlockError, Context, Execution, Value};
use crate::workflow::{BlockIndex, OpenPlan};

/// The maximum depth of nested plans.
const MAX_DEPTH: usize = 16;

/// Values for inputs that a plan leaves open: a block, the position of its input, the values.
pub type Feeds = Vec<(BlockIndex, usize, Vec<Value>)>;

/// Runs a plan inside the run that `cx` belongs to, and waits for it: with that run's
/// cancellation, deadline, files and log. The calling block must be declared as
/// [`Execution::Wait`], since it holds its thread meanwhile.
///
/// # Errors
/// The block is not declared to wait, plans are nested too deep, or the block's own run must
/// stop.
pub fn run(
    cx: &Context<'_>,
    plan: &OpenPlan,
    feeds: Feeds,
    keep: Keep,
    listener: Option<Arc<dyn Listener>>,
) -> Result<Report, BlockError> {
    let OpenPlan(plan) = plan;
    cx.check()?;
    if cx.spec.execution() != Execution::Wait {
        return Err(BlockError::new("only a block that is declared to wait can run a plan"));
    }
    let host: &dyn Any = cx.host;
    let Some(outer) = host.downcast_ref::<Arc<RunState>>() else {
        return Err(BlockError::new("a plan can be run only inside a run"));
    };
    let depth = outer.depth() + 1;
    if depth > MAX_DEPTH {
        return Err(BlockError::new(format!("workflows are nested more than {MAX_DEPTH} deep")));
    }
    let mut slots = Vec::new();
    for (block, port, values) in feeds {
        let range = plan.slots(block.0);
        let ports = plan.slot_ports(range.clone());
        let places = range.zip(ports).filter(|(_, at)| usize::from(**at) == port);
        slots.extend(places.map(|(slot, _)| slot).zip(values));
    }
    let deadline = cx.deadline.remaining();
    let owner = cx.owner();
    let options = RunOptions { keep, listener, deadline, owner, ..RunOptions::default() };
    let parent = Parent { run: Arc::clone(outer), block: cx.block, depth };
    let engine = Arc::clone(&outer.engine);
    let run = Arc::new(RunState::new(engine, plan.clone(), options, slots, Some(parent)));
    outer.engine.begin(&run);
    let report = Run(run).wait();
    cx.check()?;
    Ok(report)
}
