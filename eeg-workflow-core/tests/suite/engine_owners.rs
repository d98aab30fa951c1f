//! Owners share an engine: whoever keeps all its threads busy does not keep the others waiting.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use eeg_workflow_core::block::{
    BlockError, BlockSpec, Context, Execution, Inputs, Outputs, OwnerId, PortType,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, Run, RunOptions, RunStatus};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{Plan, Workflow};

use crate::support::common::Custom;

const GREEDY: OwnerId = OwnerId(1);
/// More than a loaded machine needs, far less than for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chain of blocks that end at once, or of one that ends when its run is cancelled.
fn plan(execution: Execution, kind: &str, blocks: usize) -> Plan {
    let spec = |name: &str| {
        BlockSpec::new(name)
            .input("in", PortType::NUMBER, 0..=1)
            .output("out", PortType::NUMBER)
            .with_execution(execution)
    };
    let endless = |cx: &Context<'_>, _: Inputs<'_>| -> Result<Outputs, BlockError> {
        loop {
            cx.check()?;
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let short = |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::one(1_i64));
    let module = Module::new("M")
        .block(Custom(spec("Endless"), endless))
        .and_then(|module| module.block(Custom(spec("Short"), short)))
        .unwrap();
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    let nodes: Vec<_> =
        (0..blocks).map(|id| serde_json::json!({"id": id, "type": kind, "module": "M"})).collect();
    let edges: Vec<_> = (1..blocks)
        .map(|id| {
            serde_json::json!({"block1": id - 1, "connector1": ["out", "output"],
                               "block2": id, "connector2": ["in", "input"]})
        })
        .collect();
    let text = serde_json::json!({"blocks": nodes, "edges": edges}).to_string();
    Workflow::from_json(&text).unwrap().plan(&registry).unwrap()
}

fn small_engine() -> Engine {
    let options = EngineOptions { threads: Some(2), max_waiting: 2, ..EngineOptions::default() };
    Engine::new(options).unwrap()
}

fn start(engine: &Engine, plan: &Plan, owner: OwnerId) -> Run {
    engine.start(plan, RunOptions { owner, ..RunOptions::default() })
}

fn is_over_soon(run: &Run) -> bool {
    let end = Instant::now() + PATIENCE;
    while !run.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    run.is_finished()
}

#[test]
fn endless_blocks_of_one_owner_do_not_keep_another_owners_run_waiting() {
    for execution in [Execution::Compute, Execution::Wait] {
        let engine = small_engine();
        let endless = plan(execution, "Endless", 1);
        let greedy: Vec<_> = (0..5).map(|_| start(&engine, &endless, GREEDY)).collect();
        std::thread::sleep(Duration::from_millis(50));
        let short = plan(execution, "Short", 20);
        for owner in 2..6 {
            let run = start(&engine, &short, OwnerId(owner));
            assert!(is_over_soon(&run), "{execution:?}: owner {owner} waits");
            assert_eq!(run.wait().status(), RunStatus::Completed);
        }
        assert!(greedy.iter().all(|run| !run.is_finished()));
        greedy.iter().for_each(Run::cancel);
        assert!(greedy.iter().all(is_over_soon));
    }
}

#[test]
fn several_owners_with_endless_blocks_leave_a_thread_for_one_more() {
    for execution in [Execution::Compute, Execution::Wait] {
        let engine = small_engine();
        let endless = plan(execution, "Endless", 1);
        let owners = (1..8).map(OwnerId);
        let greedy: Vec<_> = owners.map(|owner| start(&engine, &endless, owner)).collect();
        let run = start(&engine, &plan(execution, "Short", 3), OwnerId(9));
        assert!(is_over_soon(&run), "{execution:?}");
        greedy.iter().for_each(Run::cancel);
        assert!(greedy.iter().all(is_over_soon));
    }
}

#[test]
fn the_same_owners_further_runs_wait_for_a_thread() {
    let engine = small_engine();
    let endless = plan(Execution::Compute, "Endless", 1);
    let greedy: Vec<_> = (0..3).map(|_| start(&engine, &endless, GREEDY)).collect();
    let further = start(&engine, &plan(Execution::Compute, "Short", 1), GREEDY);
    std::thread::sleep(Duration::from_millis(100));
    assert!(!further.is_finished());
    greedy.iter().for_each(Run::cancel);
    assert!(is_over_soon(&further));
}
