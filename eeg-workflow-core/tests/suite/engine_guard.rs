//! Somebody else's code that panics, wherever the engine calls it: that block fails, and nothing
//! else does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use eeg_workflow_core::block::{
    Block, BlockError, BlockErrorKind, BlockSpec, Context, Display, Execution, Inputs, Object,
    Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{Event, Keep, Outcome, Report, RunOptions, RunStatus};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{BlockIndex, Code, Plan, Workflow};

use crate::support::common::{Custom, engine};

/// Whether the value's size or its end panics.
#[derive(Debug)]
struct Trap {
    at_size: bool,
    at_drop: bool,
}

impl Object for Trap {
    fn type_name(&self) -> &'static str {
        "Trap"
    }

    fn byte_size(&self) -> usize {
        assert!(!self.at_size, "its size is not known");
        1
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        assert!(!self.at_drop, "it does not want to go");
    }
}

/// A block whose spec panics once it is armed.
pub(crate) struct Moody {
    pub(crate) spec: BlockSpec,
    pub(crate) armed: Arc<AtomicBool>,
}

impl Block for Moody {
    fn spec(&self) -> &BlockSpec {
        assert!(!self.armed.load(Ordering::SeqCst), "no spec today");
        &self.spec
    }

    fn run(&self, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        Ok(Outputs::one(1_i64))
    }
}

/// `Make` gives a trap, `Take` takes it or not, `Fail` fails with a trap among its inputs, `After`
/// counts what came through.
pub(crate) fn module(execution: Execution, at_size: bool, at_drop: bool) -> Module {
    let make = BlockSpec::new("Make").output("out", PortType::OBJECT).with_execution(execution);
    let end = |name: &str| BlockSpec::new(name).input("in", PortType::OBJECT, 0..=9);
    let end = |name: &str| end(name).output("out", PortType::NUMBER).with_execution(execution);
    let give = move |_: &Context<'_>, _: Inputs<'_>| {
        Ok(Outputs::one(Value::object(Trap { at_size, at_drop })).show(Display::text("made")))
    };
    let fail = |_: &Context<'_>, _: Inputs<'_>| Err(BlockError::new("it is broken"));
    let ignore = |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::one(1_i64));
    Module::new("M")
        .block(Custom(make, give))
        .and_then(|m| m.block(Custom(end("Fail"), fail)))
        .and_then(|m| m.block(Custom(end("Ignore"), ignore)))
        .and_then(|m| m.function("One", [], "out", || Ok(1_i64)))
        .unwrap()
}

fn plan_of(module: Module, blocks: &[&str], edges: &[(usize, usize)]) -> Plan {
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    let blocks: Vec<_> = (1..)
        .zip(blocks)
        .map(|(id, name)| serde_json::json!({"id": id, "type": name, "module": "M"}))
        .collect();
    let edges: Vec<_> = edges
        .iter()
        .map(|(from, to)| {
            serde_json::json!({"block1": from, "connector1": ["out", "output"],
                               "block2": to, "connector2": ["in", "input"]})
        })
        .collect();
    let text = serde_json::json!({"blocks": blocks, "edges": edges}).to_string();
    Workflow::from_json(&text).unwrap().plan(&registry).unwrap()
}

/// Runs it to its end, which must come.
#[track_caller]
fn finished(plan: &Plan, options: RunOptions) -> Report {
    let run = engine(2).start(plan, options);
    for _ in 0..3_000 {
        if run.is_finished() {
            return run.wait();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the run hangs");
}

#[track_caller]
fn assert_panicked(report: &Report, block: u32, said: &str) {
    let Some(Outcome::Failed(error)) = report.outcome(BlockIndex(block)) else {
        panic!("not failed")
    };
    assert_eq!(error.kind(), BlockErrorKind::Panicked);
    assert_eq!(error.to_string(), format!("the block panicked: {said}"));
}

const BOTH: [Execution; 2] = [Execution::Compute, Execution::Wait];

#[test]
fn a_size_that_panics_fails_the_block_whose_value_it_is() {
    // A value whose end panics too must not end while the first panic unwinds: that would abort.
    for (execution, at_drop) in BOTH.into_iter().flat_map(|it| [(it, false), (it, true)]) {
        let module = module(execution, true, at_drop);
        let plan = plan_of(module, &["Make", "Ignore", "One"], &[(1, 2)]);
        for listener in [None, Some(Arc::new(|_: Event| {}) as _)] {
            let report = finished(&plan, RunOptions { listener, ..RunOptions::default() });
            assert_eq!(report.status(), RunStatus::Failed);
            assert_panicked(&report, 0, "its size is not known");
            assert!(matches!(report.outcome(BlockIndex(1)), Some(Outcome::Skipped { .. })));
            assert!(matches!(report.outcome(BlockIndex(2)), Some(Outcome::Finished)));
        }
    }
}

#[test]
fn a_value_whose_end_panics_ends_the_block_that_dropped_it_and_no_other() {
    for execution in BOTH {
        // Left among the inputs of a block that finished, and of one that failed by itself.
        let module = || module(execution, false, true);
        let plan = plan_of(module(), &["Make", "Ignore", "One"], &[(1, 2)]);
        let report = finished(&plan, RunOptions::default());
        assert_panicked(&report, 1, "it does not want to go");
        assert!(matches!(report.outcome(BlockIndex(2)), Some(Outcome::Finished)));

        let plan = plan_of(module(), &["Make", "Fail", "Ignore"], &[(1, 2), (1, 3)]);
        let report = finished(&plan, RunOptions::default());
        let Some(Outcome::Failed(error)) = report.outcome(BlockIndex(1)) else {
            panic!("not failed")
        };
        assert!(error.to_string() == "it is broken" || error.to_string().contains("want to go"));

        // Taken by nobody, kept by nobody: nobody's fault.
        let plan = plan_of(module(), &["Make", "One"], &[]);
        let options = RunOptions { keep: Keep::None, ..RunOptions::default() };
        assert_eq!(finished(&plan, options).status(), RunStatus::Completed);
    }
}

#[test]
fn a_report_that_nobody_waits_for_is_dropped_without_harm() {
    let plan = plan_of(module(Execution::Compute, false, true), &["Make"], &[]);
    let engine = engine(1);
    for _ in 0..20 {
        drop(engine.start(&plan, RunOptions::default()));
    }
    let one = plan_of(module(Execution::Compute, false, false), &["One"], &[]);
    let report = engine.start(&one, RunOptions::default()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
}

#[test]
fn a_spec_that_panics_fails_its_block() {
    for execution in BOTH {
        let armed = Arc::new(AtomicBool::new(false));
        let spec =
            BlockSpec::new("Moody").output("out", PortType::OBJECT).with_execution(execution);
        let moody = Moody { spec, armed: Arc::clone(&armed) };
        let module = module(execution, false, false).block(moody).unwrap();
        let plan = plan_of(module, &["Moody", "One", "Ignore"], &[(1, 3)]);
        armed.store(true, Ordering::SeqCst);
        let report = finished(&plan, RunOptions::default());
        assert_panicked(&report, 0, "no spec today");
        assert!(matches!(report.outcome(BlockIndex(1)), Some(Outcome::Finished)));
        assert!(matches!(report.outcome(BlockIndex(2)), Some(Outcome::Skipped { .. })));
    }
}

#[test]
fn a_spec_that_panics_while_planning_is_a_diagnostic() {
    let armed = Arc::new(AtomicBool::new(false));
    let moody = Moody { spec: BlockSpec::new("Moody"), armed: Arc::clone(&armed) };
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("M").block(moody).unwrap()).unwrap();
    let text = r#"{"blocks": [{"id": 1, "type": "Moody", "module": "M"}]}"#;
    let workflow = Workflow::from_json(text).unwrap();
    armed.store(true, Ordering::SeqCst);
    let invalid = workflow.plan(&registry).unwrap_err();
    let [diagnostic] = &invalid.diagnostics[..] else { panic!("{invalid:?}") };
    assert_eq!(diagnostic.code, Code::Internal);
    assert!(diagnostic.message.contains("no spec today"), "{}", diagnostic.message);
}

#[test]
fn a_listener_that_panics_at_every_event_changes_nothing() {
    for execution in BOTH {
        let plan = plan_of(module(execution, false, false), &["Make", "Ignore"], &[(1, 2)]);
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let listener = move |_: Event| {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("not interested");
        };
        let options = RunOptions { listener: Some(Arc::new(listener)), ..RunOptions::default() };
        let report = finished(&plan, options);
        assert_eq!(report.status(), RunStatus::Completed);
        assert_eq!(told.load(Ordering::SeqCst), 6);
    }
}

#[test]
fn a_payload_whose_end_panics_too_is_survived() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("twice");
        }
    }
    let run = |_: &Context<'_>, _: Inputs<'_>| std::panic::panic_any(Bomb);
    let block = Custom(BlockSpec::new("Bomb"), run);
    let plan = plan_of(Module::new("M").block(block).unwrap(), &["Bomb"], &[]);
    assert_panicked(&finished(&plan, RunOptions::default()), 0, "with no message");
}

#[test]
fn deadlines_that_no_clock_can_express_are_none() {
    let far = Some(Duration::from_secs(u64::MAX));
    let sleep = |cx: &Context<'_>, _: Inputs<'_>| {
        cx.sleep(Duration::from_millis(5)).map(|()| Outputs::one(1_i64))
    };
    let for_ever =
        |cx: &Context<'_>, _: Inputs<'_>| cx.sleep(Duration::MAX).map(|()| Outputs::one(1_i64));
    for execution in BOTH {
        let spec = |name: &str| {
            BlockSpec::new(name).output("out", PortType::NUMBER).with_execution(execution)
        };
        let module = Module::new("M")
            .block(Custom(spec("Sleep"), sleep))
            .and_then(|m| m.block(Custom(spec("ForEver"), for_ever)))
            .unwrap();
        let mut registry = ModuleRegistry::new();
        registry.register(module).unwrap();
        let plan = |name: &str| {
            let text = format!(r#"{{"blocks": [{{"id": 1, "type": "{name}", "module": "M"}}]}}"#);
            Workflow::from_json(&text).unwrap().plan(&registry).unwrap()
        };
        let options = || RunOptions { deadline: far, block_deadline: far, ..RunOptions::default() };
        let report = finished(&plan("Sleep"), options());
        assert_eq!(report.status(), RunStatus::Completed);

        // And what sleeps for ever is woken by cancelling.
        let run = engine(1).start(&plan("ForEver"), options());
        std::thread::sleep(Duration::from_millis(50));
        run.cancel();
        assert_eq!(run.wait().status(), RunStatus::Cancelled);
    }
}
