//! Watches a run through its events, with a bar that moves as blocks finish.
//!
//! `cargo run -p examples --example events`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use eeg_workflow_core::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, RunOptions};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::Workflow;
use indicatif::ProgressBar;
use serde_json::json;

/// A block that takes its time and says how far it is.
struct Step(BlockSpec);

impl Block for Step {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        for tenth in 1..=10_u8 {
            cx.sleep(Duration::from_millis(10))?;
            cx.progress(f64::from(tenth) / 10.0);
        }
        Ok(Outputs::one(true))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let spec = BlockSpec::new("Step")
        .input("after", PortType::BOOLEAN, 0..=1)
        .output("done", PortType::BOOLEAN);
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("Lab.zip:Lab").block(Step(spec))?)?;

    let blocks: Vec<_> =
        (0..12).map(|id| json!({"id": id, "type": "Step", "module": "Lab.zip:Lab"})).collect();
    let edges: Vec<_> = (3..12)
        .map(|id| {
            json!({"block1": id - 3, "connector1": ["done", "output"],
                   "block2": id, "connector2": ["after", "input"]})
        })
        .collect();
    let workflow = Workflow::from_json(&json!({"blocks": blocks, "edges": edges}).to_string())?;
    let plan = workflow.plan(&registry)?;

    let (sender, events) = mpsc::channel::<Event>();
    let options = RunOptions { listener: Some(Arc::new(sender)), ..RunOptions::default() };
    let run = Engine::new(EngineOptions::default())?.start(&plan, options);

    let bar = ProgressBar::new(plan.len() as u64);
    for event in events {
        match event {
            Event::BlockFinished { block, elapsed, .. } => {
                bar.inc(1);
                bar.println(format!("block {} took {elapsed:.0?}", block.0));
            }
            Event::BlockFailed { block, error, .. } => {
                bar.println(format!("block {} failed: {error}", block.0));
            }
            Event::RunFinished { status } => {
                bar.finish();
                println!("{status:?}");
                break;
            }
            _ => {}
        }
    }
    println!("{:?}", run.wait());
    Ok(())
}
