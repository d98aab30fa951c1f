//! An embedder's whole program: builds a workflow, registers a block, watches its events,
//! cancels it, and reads the results by name.
//!
//! `cargo run -p examples --example embedder`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use eeg_workflow_core::block::{
    Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType, PythonRepr,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, Keep, RunOptions};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{NewBlock, Workflow};

const LAB: &str = "Lab.zip:Lab";

/// Hands a number on after a while.
struct Wait(BlockSpec);

impl Block for Wait {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let seconds = cx.float("seconds")?.unwrap_or(0.0);
        let pause = Duration::try_from_secs_f64(seconds)
            .map_err(|error| BlockError::parameter("seconds", error))?;
        cx.sleep(pause)?; // ends early when the run is cancelled
        Ok(Outputs::one(inputs.take("n")?))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let wait = BlockSpec::new("Wait")
        .input("n", PortType::NUMBER, 1..=1)
        .required_parameter("seconds", PortType::NUMBER, "1", "How long to wait")
        .output("n", PortType::NUMBER);
    let lab = Module::new(LAB)
        .function("Two", [], "n", || Ok(2_i64))?
        .function("Square", ["n"], "square", |n: i64| Ok(n * n))?
        .block(Wait(wait))?;
    let mut registry = ModuleRegistry::new();
    registry.register(lab)?;

    let workflow = Workflow::builder()
        .block(NewBlock::new(1, LAB, "Two"))
        .block(NewBlock::new("square", LAB, "Square"))
        .block(NewBlock::new("slow", LAB, "Wait").with_value("seconds", 60))
        .edge((1, "n"), ("square", "n"))
        .edge(("square", "square"), ("slow", "n"))
        .build()?;
    let plan = workflow.plan(&registry)?;

    let engine = Engine::new(EngineOptions::default())?;
    let (sender, events) = mpsc::channel();
    let options =
        RunOptions { listener: Some(Arc::new(sender)), keep: Keep::All, ..RunOptions::default() };
    let run = engine.start(&plan, options);
    for event in events {
        println!("{event:?}");
        match event {
            Event::BlockStarted { block } if plan.id(block) == Some(&"slow".into()) => run.cancel(),
            Event::RunFinished { .. } => break,
            _ => {}
        }
    }

    let report = run.wait();
    println!("{:?}; slow: {:?}", report.status(), report.outcome_of("slow"));
    println!("square = {}", PythonRepr(report.output_of("square", "square")?));
    Ok(())
}
