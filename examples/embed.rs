//! Runs a workflow inside a program: document → plan → run → report.
//!
//! `cargo run -p examples --example embed`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use eeg_workflow_core::block::{Display, PythonRepr};
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions, Outcome, RunOptions};
use eeg_workflow_core::workflow::Workflow;

fn main() -> Result<(), Box<dyn Error>> {
    let registry = builtin::registry()?;
    let workflow = Workflow::from_json(include_str!("workflows/arithmetic.json"))?;
    let plan = workflow.plan(&registry)?;

    let engine = Engine::new(EngineOptions::default())?;
    let report = engine.start(&plan, RunOptions::default()).wait();

    println!("{:?} in {:?}", report.status(), report.elapsed());
    for block in plan.indices() {
        let (Some(id), Some(implementation)) = (plan.id(block), plan.block(block)) else {
            continue;
        };
        let name = implementation.spec().name();
        match report.outcome(block) {
            Some(Outcome::Failed(error)) => println!("block {id} ({name}) failed: {error}"),
            outcome => match report.display(block).map(AsRef::as_ref) {
                Some(Display::Text(text)) => println!("block {id} ({name}): {text}"),
                Some(Display::Graph(file)) => {
                    println!("block {id} ({name}): picture {}", file.name)
                }
                _ => println!("block {id} ({name}): {outcome:?}"),
            },
        }
        // Outputs that no other block takes are kept for the caller.
        if let Some(value) = report.output(block, 0) {
            println!("  its output: {}", PythonRepr(value));
        }
    }
    Ok(())
}
