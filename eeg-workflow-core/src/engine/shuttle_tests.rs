//! The engine in random and adversarial orders of its threads:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p eeg-workflow-core --no-default-features --features jobs
//! --lib --release --target-dir target/shuttle shuttle_`. A run that never ends shows as a deadlock.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{Engine, EngineOptions, Keep, Report, RunOptions, RunStatus, nested};
use crate::block::{Block, BlockError, BlockSpec, Context, Execution, Inputs, Outputs, PortType};
use crate::block::{OwnerId, Value};
use crate::module::{Module, ModuleRegistry};
use crate::workflow::{NewBlock, OpenPlan, Plan, Workflow};

/// One more than the sum of its inputs; or what a plan inside it gives.
struct Node {
    spec: BlockSpec,
    inner: Option<OpenPlan>,
}

impl Node {
    fn new(name: &str, execution: Execution, inner: Option<OpenPlan>) -> Self {
        let spec = BlockSpec::new(name)
            .input("in", PortType::NUMBER, 0..=9)
            .output("out", PortType::NUMBER)
            .with_execution(execution);
        Self { spec, inner }
    }
}

impl Block for Node {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        if self.spec.name() == "Fail" {
            return Err(BlockError::new("as it should"));
        }
        if let Some(plan) = &self.inner {
            let report = nested::run(cx, plan, Vec::new(), Keep::All, None)?;
            let result = report.output_of(3, "out").map_err(BlockError::from_error)?;
            return Ok(Outputs::one(result.clone()));
        }
        let mut sum = 1;
        for value in inputs.take_all("in") {
            if let Value::Integer(integer) = value {
                sum += integer;
            }
        }
        Ok(Outputs::one(sum))
    }
}

/// A diamond: 0 before 1 and 2, both before 3.
fn diamond(registry: &ModuleRegistry, kinds: [&str; 4]) -> Plan {
    let mut workflow = Workflow::builder();
    for (id, kind) in (0..).zip(kinds) {
        workflow = workflow.block(NewBlock::new(id, "M", kind));
    }
    for (from, to) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        workflow = workflow.edge((from, "out"), (to, "in"));
    }
    workflow.build().unwrap().plan(registry).unwrap()
}

fn registry() -> ModuleRegistry {
    let plain = || {
        Module::new("M")
            .block(Node::new("Compute", Execution::Compute, None))
            .and_then(|module| module.block(Node::new("Wait", Execution::Wait, None)))
            .and_then(|module| module.block(Node::new("Fail", Execution::Compute, None)))
            .unwrap()
    };
    let mut inner = ModuleRegistry::new();
    inner.register(plain()).unwrap();
    let inner = diamond(&inner, ["Compute", "Wait", "Compute", "Compute"]);
    let mut registry = ModuleRegistry::new();
    let nested = Node::new("Nested", Execution::Wait, Some(inner.into()));
    registry.register(plain().block(nested).unwrap()).unwrap();
    registry
}

fn engine(threads: usize, max_runs: usize) -> Engine {
    let options = EngineOptions { max_runs, max_waiting: 1, ..EngineOptions::default() };
    Engine::new(EngineOptions { threads: Some(threads), ..options }).unwrap()
}

fn options(owner: i64) -> RunOptions {
    RunOptions { owner: OwnerId(owner), keep: Keep::All, ..RunOptions::default() }
}

fn result(report: &Report) -> Option<Value> {
    report.output_of(3, "out").ok().cloned()
}

/// Each in 10,000 random orders and 10,000 of those with few preemptions at the worst places.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    let random = Arc::clone(&model);
    shuttle::check_random(move || random(), 10_000);
    shuttle::check_pct(move || model(), 10_000, 3);
}

#[test]
fn shuttle_runs_of_two_owners_end_with_their_results() {
    let registry = registry();
    let plans = [
        diamond(&registry, ["Compute", "Compute", "Compute", "Compute"]),
        diamond(&registry, ["Compute", "Wait", "Wait", "Compute"]),
    ];
    check(move || {
        let engine = engine(2, 8);
        let runs = [0, 1].map(|at| engine.start(&plans[at], options(at as i64)));
        for run in runs {
            assert_eq!(result(&run.wait()), Some(Value::Integer(5)));
        }
        assert_eq!(engine.statistics().running, 0);
    });
}

#[test]
fn shuttle_runs_beyond_the_limit_have_their_turn() {
    let registry = registry();
    let plan = diamond(&registry, ["Compute", "Wait", "Compute", "Compute"]);
    check(move || {
        let engine = engine(1, 1);
        let runs = engine.start_all((0..3).map(|owner| (plan.clone(), options(owner))));
        for run in runs {
            assert_eq!(result(&run.wait()), Some(Value::Integer(5)));
        }
    });
}

#[test]
fn shuttle_a_run_inside_a_run_ends_though_there_is_one_thread_for_blocks_that_wait() {
    let registry = registry();
    let plan = diamond(&registry, ["Compute", "Nested", "Nested", "Compute"]);
    check(move || {
        let engine = engine(1, 2);
        let run = engine.start(&plan, options(0));
        assert_eq!(result(&run.wait()), Some(Value::Integer(11)));
    });
}

#[test]
fn shuttle_a_failed_block_ends_the_run_whichever_ends_first() {
    let registry = registry();
    let plan = diamond(&registry, ["Compute", "Fail", "Wait", "Compute"]);
    check(move || {
        let engine = engine(2, 2);
        let report = engine.start(&plan, options(0)).wait();
        assert_eq!(report.status(), RunStatus::Failed);
        assert_eq!(result(&report), None);
    });
}

#[test]
fn shuttle_a_cancelled_run_ends_wherever_it_is() {
    let registry = registry();
    let plan = diamond(&registry, ["Compute", "Wait", "Nested", "Compute"]);
    check(move || {
        let engine = engine(1, 1);
        let first = engine.start(&plan, options(0));
        let second = engine.start(&plan, options(1));
        second.cancel();
        let report = second.wait();
        assert!(matches!(report.status(), RunStatus::Cancelled | RunStatus::Completed));
        assert_eq!(first.wait().status(), RunStatus::Completed);
        assert_eq!(engine.statistics().running, 0);
    });
}
