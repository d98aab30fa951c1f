//! The engine: order, parallelism, failures, cancellation, deadlines, memory, fairness.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Custom, Log, document, engine, plan, registry};
use eeg_workflow_core::block::{
    BlockErrorKind, BlockSpec, Context, Inputs, Object, Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{
    Engine, EngineOptions, Event, Keep, Outcome, Run, RunOptions, RunStatus,
};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{BlockIndex, Workflow};
use ndarray::ArrayD;
use proptest::prelude::*;

fn logged(log: &Arc<Log>) -> RunOptions {
    RunOptions { listener: Some(log.clone()), ..RunOptions::default() }
}

#[test]
fn the_events_of_a_chain_come_in_order() {
    let log = Log::new();
    let plan = plan(&["One", "Shout"], &[(1, "out", 2, "in")]);
    let report = engine(2).start(&plan, logged(&log)).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    assert_eq!(
        log.lines(),
        [
            "run",
            "start 1",
            "done 1",
            "start 2",
            "at 0.5 2",
            "log 2: half way",
            "done 2",
            "end Completed"
        ]
    );
}

#[test]
fn a_block_gets_the_values_of_all_edges_into_an_input_in_the_order_of_the_document() {
    let order = Custom(
        BlockSpec::new("Order")
            .input("in", PortType::NUMBER, 0..=9)
            .output("out", PortType::STRING),
        |_: &Context<'_>, mut inputs: Inputs<'_>| {
            Ok(Outputs::one(Value::from(inputs.take_all("in"))))
        },
    );
    let module = Module::new("M")
        .block(order)
        .unwrap()
        .function("A", [], "out", || Ok(1_i64))
        .unwrap()
        .function("B", [], "out", || Ok(2_i64))
        .unwrap();
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    let text = r#"{"blocks": [
        {"id": "o", "type": "Order", "module": "M"},
        {"id": "a", "type": "A", "module": "M"}, {"id": "b", "type": "B", "module": "M"}],
      "edges": [
        {"block1": "o", "connector1": ["in", "input"], "block2": "b", "connector2": ["out", "output"]},
        {"block1": "a", "connector1": ["out", "output"], "block2": "o", "connector2": ["in", "input"]},
        {"block1": "b", "connector1": ["out", "output"], "block2": "o", "connector2": ["in", "input"]}]}"#;
    let plan = Workflow::from_json(text).unwrap().plan(&registry).unwrap();
    let report = engine(2).start(&plan, RunOptions::default()).wait();
    let expected: Value = vec![2_i64.into(), 1_i64.into(), 2_i64.into()].into();
    assert_eq!(report.output(BlockIndex(0), 0), Some(&expected));
}

#[test]
fn four_blocks_that_wait_wait_at_the_same_time() {
    let plan = plan(&["Sleep 1", "Sleep 1", "Sleep 1", "Sleep 1"], &[]);
    let start = Instant::now();
    let report = engine(1).start(&plan, RunOptions::default()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    // One after the other they take four.
    assert!(start.elapsed() < Duration::from_secs_f64(3.9), "{:?}", start.elapsed());
}

#[test]
fn a_waiting_block_does_not_hold_a_thread_of_the_pool() {
    // One thread: the computing block can finish only if the waiting ones do not hold it.
    let log = Log::new();
    let plan = plan(&["Sleep 0.3", "One"], &[]);
    engine(1).start(&plan, logged(&log)).wait();
    let lines = log.lines();
    let at = |line: &str| lines.iter().position(|l| l == line).unwrap();
    assert!(at("done 2") < at("done 1"), "{lines:?}");
}

#[test]
fn a_failed_block_skips_what_is_behind_it_and_nothing_else() {
    let log = Log::new();
    let plan = plan(
        &["One", "Fail", "Add", "Shout", "Sum", "One"],
        &[
            (1, "out", 2, "in"),
            (2, "out", 3, "a"),
            (1, "out", 3, "b"),
            (1, "out", 4, "in"),
            (3, "out", 5, "in"),
            (6, "out", 5, "in"),
        ],
    );
    let report = engine(2).start(&plan, logged(&log)).wait();
    assert_eq!(report.status(), RunStatus::Failed);
    let outcome = |block| report.outcome(BlockIndex(block)).unwrap();
    assert!(matches!(outcome(1), Outcome::Failed(error) if error.to_string() == "it is broken"));
    assert!(matches!(outcome(2), Outcome::Skipped { cause: BlockIndex(1) }));
    assert!(matches!(outcome(4), Outcome::Skipped { cause: BlockIndex(1) }));
    for finished in [0, 3, 5] {
        assert!(matches!(outcome(finished), Outcome::Finished));
    }
    let lines = log.lines();
    for line in
        ["failed 2: it is broken", "skipped 3 because of 2", "skipped 5 because of 2", "done 4"]
    {
        assert!(lines.iter().any(|l| l == line), "{line} in {lines:?}");
    }
    assert_eq!(lines.last().unwrap(), "end Failed");
}

#[test]
fn a_panic_is_the_error_of_its_block() {
    let plan = plan(&["Panic", "One"], &[]);
    let report = engine(2).start(&plan, RunOptions::default()).wait();
    let Some(Outcome::Failed(error)) = report.outcome(BlockIndex(0)) else { panic!("not failed") };
    assert_eq!(error.kind(), BlockErrorKind::Panicked);
    assert_eq!(error.to_string(), "the block panicked: it blew up");
    assert!(matches!(report.outcome(BlockIndex(1)), Some(Outcome::Finished)));
}

#[test]
fn a_block_that_gives_too_few_outputs_fails() {
    let spec = BlockSpec::new("Liar").output("out", PortType::NUMBER);
    let liar = Custom(spec, |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::none()));
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("M").block(liar).unwrap()).unwrap();
    let text = r#"{"blocks": [{"id": 1, "type": "Liar", "module": "M"}]}"#;
    let plan = Workflow::from_json(text).unwrap().plan(&registry).unwrap();
    let report = engine(1).start(&plan, RunOptions::default()).wait();
    let failures = report.failures();
    assert_eq!(failures[0].1.to_string(), "the block gave 0 outputs and declares 1");
}

#[test]
fn a_cancelled_run_stops_its_blocks_and_starts_no_others() {
    let plan = plan(&["Sleep 60", "Sum", "Spin 60"], &[(1, "out", 2, "in")]);
    let log = Log::new();
    let run = engine(1).start(&plan, logged(&log));
    std::thread::sleep(Duration::from_millis(100));
    run.cancel();
    let report = run.wait();
    assert_eq!(report.status(), RunStatus::Cancelled);
    assert!(report.elapsed() < Duration::from_secs(5));
    assert_eq!(log.lines().last().unwrap(), "end Cancelled");
}

#[test]
fn a_listener_that_panics_does_not_stop_the_run() {
    let plan = plan(&["One", "Sum"], &[(1, "out", 2, "in")]);
    let listener = |_: Event| panic!("the listener blew up");
    let options = RunOptions { listener: Some(Arc::new(listener)), ..RunOptions::default() };
    assert_eq!(engine(2).start(&plan, options).wait().status(), RunStatus::Completed);
}

#[test]
fn a_run_past_its_deadline_fails() {
    let plan = plan(&["Spin 60", "Sleep 60", "Sum"], &[(1, "out", 3, "in")]);
    let options =
        RunOptions { deadline: Some(Duration::from_millis(100)), ..RunOptions::default() };
    let report = engine(2).start(&plan, options).wait();
    assert_eq!(report.status(), RunStatus::Failed);
    let Some(Outcome::Failed(error)) = report.outcome(BlockIndex(0)) else { panic!("not failed") };
    assert_eq!(error.to_string(), "timed out after 0.1 s");
}

#[test]
fn a_block_past_its_deadline_fails_and_the_others_go_on() {
    let plan = plan(&["Sleep 60", "One"], &[]);
    let options =
        RunOptions { block_deadline: Some(Duration::from_millis(50)), ..RunOptions::default() };
    let report = engine(1).start(&plan, options).wait();
    let Some(Outcome::Failed(error)) = report.outcome(BlockIndex(0)) else { panic!("not failed") };
    assert_eq!(error.kind(), BlockErrorKind::TimedOut);
    assert!(matches!(report.outcome(BlockIndex(1)), Some(Outcome::Finished)));
}

#[test]
fn a_chain_of_a_million_blocks_runs() {
    const N: usize = 1_000_000;
    let mut text = String::from(r#"{"blocks":["#);
    for id in 0..N {
        let comma = if id == 0 { "" } else { "," };
        text.push_str(&format!(r#"{comma}{{"id":{id},"type":"Sum","module":"Test"}}"#));
    }
    text.push_str(r#"],"edges":["#);
    for id in 1..N {
        let (from, comma) = (id - 1, if id == 1 { "" } else { "," });
        text.push_str(&format!(
            r#"{comma}{{"block1":{from},"connector1":["out","output"],"block2":{id},"connector2":["in","input"]}}"#
        ));
    }
    text.push_str("]}");
    let plan = Workflow::from_json(&text).unwrap().plan(&registry()).unwrap();
    let report = engine(2).start(&plan, RunOptions::default()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    assert_eq!(report.output(BlockIndex(N as u32 - 1), 0), Some(&0_i64.into()));
}

#[test]
fn a_small_run_is_not_stuck_behind_a_large_one() {
    let blocks = vec!["Spin 0.002"; 2_000];
    let large = plan(&blocks, &[]);
    let small = plan(&["One", "One", "Add"], &[(1, "out", 3, "a"), (2, "out", 3, "b")]);
    let engine = engine(1);
    let first = engine.start(&large, RunOptions::default());
    std::thread::sleep(Duration::from_millis(50));
    let report = engine.start(&small, RunOptions::default()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    assert!(!first.is_finished(), "the small run waited for the large one");
    first.cancel();
    first.wait();
}

#[test]
fn runs_over_the_limit_wait_for_their_turn() {
    let options = EngineOptions { threads: Some(2), max_runs: 1, ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    let first = engine.start(&plan(&["Sleep 0.2"], &[]), RunOptions::default());
    let second = engine.start(&plan(&["One"], &[]), RunOptions::default());
    let third = engine.start(&plan(&["One"], &[]), RunOptions::default());
    assert_eq!(engine.statistics().queued, 2);
    third.cancel();
    assert_eq!(third.wait().status(), RunStatus::Cancelled);
    assert!(!first.is_finished());
    assert_eq!(second.wait().status(), RunStatus::Completed);
    assert!(first.is_finished());
    assert_eq!(engine.statistics().running, 0);
}

#[test]
fn an_empty_plan_completes() {
    let log = Log::new();
    let report = engine(1).start(&plan(&[], &[]), logged(&log)).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    assert_eq!(log.lines(), ["run", "end Completed"]);
}

/// An object that counts the copies made of it.
#[derive(Debug)]
struct Buffer {
    numbers: Vec<f64>,
    copies: Arc<AtomicUsize>,
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self { numbers: self.numbers.clone(), copies: Arc::clone(&self.copies) }
    }
}

impl Object for Buffer {
    fn type_name(&self) -> &'static str {
        "Buffer"
    }

    fn byte_size(&self) -> usize {
        self.numbers.len() * 8
    }
}

/// Source → Scale (in place) …, and Look, which only reads.
fn buffers(copies: &Arc<AtomicUsize>) -> ModuleRegistry {
    let copies = Arc::clone(copies);
    let source = Custom(
        BlockSpec::new("Source").output("out", PortType::OBJECT),
        move |_: &Context<'_>, _: Inputs<'_>| {
            let buffer = Buffer { numbers: vec![1.0; 1 << 17], copies: Arc::clone(&copies) };
            Ok(Outputs::one(Value::object(buffer)))
        },
    );
    let scale = Custom(
        BlockSpec::new("Scale")
            .input("in", PortType::OBJECT, 1..=1)
            .output("out", PortType::OBJECT),
        |_: &Context<'_>, mut inputs: Inputs<'_>| {
            let mut buffer = inputs.object::<Buffer>("in")?;
            Arc::make_mut(&mut buffer).numbers.iter_mut().for_each(|x| *x *= 2.0);
            Ok(Outputs::one(buffer))
        },
    );
    let look = Custom(
        BlockSpec::new("Look").input("in", PortType::OBJECT, 1..=1).output("out", PortType::NUMBER),
        |_: &Context<'_>, mut inputs: Inputs<'_>| {
            Ok(Outputs::one(inputs.object::<Buffer>("in")?.numbers[0]))
        },
    );
    let mut registry = ModuleRegistry::new();
    let module = Module::new("Test").block(source).unwrap();
    registry.register(module.block(scale).unwrap().block(look).unwrap()).unwrap();
    registry
}

fn run_buffers(
    blocks: &[&str],
    edges: &[(usize, &str, usize, &str)],
    options: RunOptions,
) -> (eeg_workflow_core::engine::Report, usize, usize) {
    let copies = Arc::new(AtomicUsize::new(0));
    let workflow = Workflow::from_json(&document(blocks, edges)).unwrap();
    let engine = engine(1);
    let report = engine.start(&workflow.plan(&buffers(&copies)).unwrap(), options).wait();
    (report, copies.load(Ordering::SeqCst), engine.statistics().memory_peak)
}

#[test]
fn a_chain_changes_its_data_in_place_and_holds_it_once() {
    let blocks = ["Source", "Scale", "Scale", "Scale", "Scale", "Look"];
    let edges: Vec<_> = (1..6).map(|i| (i, "out", i + 1, "in")).collect();
    let (report, copies, peak) = run_buffers(&blocks, &edges, RunOptions::default());
    assert_eq!(report.output(BlockIndex(5), 0), Some(&16.0.into()));
    assert_eq!(copies, 0);
    assert_eq!(peak, 8 << 17, "one buffer at a time");
}

#[test]
fn a_branch_never_sees_another_branchs_changes() {
    let blocks = ["Source", "Scale", "Look", "Look", "Scale", "Look"];
    let edges = [
        (1, "out", 2, "in"),
        (2, "out", 3, "in"),
        (1, "out", 4, "in"),
        (1, "out", 5, "in"),
        (5, "out", 6, "in"),
    ];
    for threads in 1..=4 {
        let copies = Arc::new(AtomicUsize::new(0));
        let workflow = Workflow::from_json(&document(&blocks, &edges)).unwrap();
        let plan = workflow.plan(&buffers(&copies)).unwrap();
        let report = engine(threads).start(&plan, RunOptions::default()).wait();
        for (block, expected) in [(2, 2.0), (3, 1.0), (5, 2.0)] {
            assert_eq!(report.output(BlockIndex(block), 0), Some(&expected.into()));
        }
    }
}

#[test]
fn an_output_that_is_kept_is_not_changed_by_the_next_block() {
    let options = RunOptions { keep: Keep::All, ..RunOptions::default() };
    let edges = [(1, "out", 2, "in"), (2, "out", 3, "in")];
    let (report, copies, _) = run_buffers(&["Source", "Scale", "Look"], &edges, options);
    let source = report.output(BlockIndex(0), 0).unwrap().downcast_ref::<Buffer>().unwrap();
    assert_eq!(source.numbers[0], 1.0);
    assert_eq!(copies, 1);
}

#[test]
fn a_block_whose_output_exceeds_the_memory_limit_fails() {
    let options = RunOptions { memory_limit: Some(1 << 20), ..RunOptions::default() };
    let edges = [(1, "out", 2, "in"), (3, "out", 4, "in")];
    let blocks = ["Source", "Look", "Source", "Look"];
    let copies = Arc::new(AtomicUsize::new(0));
    let workflow = Workflow::from_json(&document(&blocks, &edges)).unwrap();
    let plan = workflow.plan(&buffers(&copies)).unwrap();
    let engine = engine(1);
    // One buffer fits exactly; a limit one byte lower does not.
    assert_eq!(engine.start(&plan, options).wait().status(), RunStatus::Completed);
    let options = RunOptions { memory_limit: Some((1 << 20) - 1), ..RunOptions::default() };
    let report = engine.start(&plan, options).wait();
    let failures = report.failures();
    assert_eq!(failures.len(), 2);
    assert_eq!(failures[0].1.kind(), BlockErrorKind::Memory);
    assert_eq!(engine.statistics().memory_held, 0);
}

#[test]
fn an_array_is_handed_on_without_a_copy() {
    let module = Module::new("Test")
        .function("Zeros", [], "out", || Ok(Value::from(ArrayD::<f64>::zeros(vec![4, 1000]))))
        .unwrap()
        .function("Sole", ["in"], "out", |value: Value| match value {
            Value::Array(array) => Ok(Arc::strong_count(&array) == 1),
            _ => Ok(false),
        })
        .unwrap();
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    let workflow =
        Workflow::from_json(&document(&["Zeros", "Sole"], &[(1, "out", 2, "in")])).unwrap();
    let plan = workflow.plan(&registry).unwrap();
    let report = engine(2).start(&plan, RunOptions::default()).wait();
    assert_eq!(report.output(BlockIndex(1), 0), Some(&true.into()));
}

#[test]
fn restored_blocks_are_not_run_again() {
    let plan = plan(
        &["Fail", "One", "Add", "Shout"],
        &[(1, "out", 3, "a"), (2, "out", 3, "b"), (3, "out", 4, "in")],
    );
    let log = Log::new();
    let options = RunOptions {
        restored: vec![(BlockIndex(0), vec![41_i64.into()])],
        keep: Keep::All,
        ..logged(&log)
    };
    let report = engine(2).start(&plan, options).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    assert_eq!(report.output(BlockIndex(2), 0), Some(&42_i64.into()));
    assert!(!log.lines().contains(&"start 1".to_owned()));
    let everything = plan.indices().map(|block| (block, vec![1_i64.into()])).collect();
    let options = RunOptions { restored: everything, ..RunOptions::default() };
    assert_eq!(engine(2).start(&plan, options).wait().status(), RunStatus::Completed);
}

#[test]
fn a_batch_of_runs_all_complete() {
    let plan = plan(&["One", "One", "Add"], &[(1, "out", 3, "a"), (2, "out", 3, "b")]);
    let engine = engine(2);
    let runs = engine.start_all((0..10_000).map(|_| (plan.clone(), RunOptions::default())));
    for run in runs {
        assert_eq!(run.wait().output(BlockIndex(2), 0), Some(&2_i64.into()));
    }
}

#[test]
fn blocks_may_use_the_pool_themselves() {
    let spec = BlockSpec::new("Wide").output("out", PortType::NUMBER);
    let wide = Custom(spec, |_: &Context<'_>, _: Inputs<'_>| {
        fn sum(n: u64) -> u64 {
            if n < 2 {
                return n;
            }
            let (a, b) = rayon::join(|| sum(n - 1), || sum(n - 2));
            a + b
        }
        Ok(Outputs::one(sum(15) as i64))
    });
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("Test").block(wide).unwrap()).unwrap();
    let workflow = Workflow::from_json(&document(&["Wide"; 50], &[])).unwrap();
    let plan = workflow.plan(&registry).unwrap();
    let engine = engine(3);
    let runs: Vec<Run> = (0..20).map(|_| engine.start(&plan, RunOptions::default())).collect();
    for run in runs {
        let report = run.wait();
        assert!(plan.indices().all(|block| report.output(block, 0) == Some(&610_i64.into())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any graph, on any number of threads: each block runs once, after those before it, and
    /// gets the sum that a sequential walk gives.
    #[test]
    fn any_graph_gives_what_a_sequential_walk_gives(
        edges in prop::collection::vec((0_usize..40, 0_usize..40), 0..160),
        threads in 1_usize..5,
    ) {
        let edges: Vec<_> = edges.into_iter().filter(|(a, b)| a < b).collect();
        let mut expected = [0_i64; 40];
        for block in 0..40 {
            let before = edges.iter().filter(|(_, to)| *to == block);
            let sum: i64 = before.map(|(from, _)| expected[*from]).fold(0, |a, b| a.wrapping_add(b));
            expected[block] = sum.wrapping_mul(3).wrapping_add(1);
        }
        let spec = BlockSpec::new("Node").input("in", PortType::NUMBER, 0..=1000).output("out", PortType::NUMBER);
        let node = Custom(spec, |_: &Context<'_>, mut inputs: Inputs<'_>| {
            let sum = inputs.take_all("in").into_iter().fold(0_i64, |sum, value| match value {
                Value::Integer(n) => sum.wrapping_add(n),
                _ => 0,
            });
            Ok(Outputs::one(sum.wrapping_mul(3).wrapping_add(1)))
        });
        let mut registry = ModuleRegistry::new();
        registry.register(Module::new("Test").block(node).unwrap()).unwrap();
        let edges: Vec<_> = edges.iter().map(|(a, b)| (a + 1, "out", b + 1, "in")).collect();
        let workflow = Workflow::from_json(&document(&["Node"; 40], &edges)).unwrap();
        let plan = workflow.plan(&registry).unwrap();
        let log = Log::new();
        let options = RunOptions { keep: Keep::All, ..logged(&log) };
        let report = engine(threads).start(&plan, options).wait();
        for block in plan.indices() {
            let value = expected[block.0 as usize];
            prop_assert_eq!(report.output(block, 0), Some(&Value::Integer(value)));
        }
        let lines = log.lines();
        for (from, _, to, _) in edges {
            let at = |line: String| lines.iter().position(|l| *l == line).unwrap();
            let (done, start) = (at(format!("done {from}")), at(format!("start {to}")));
            prop_assert!(done < start);
        }
        prop_assert_eq!(lines.len(), 2 + 2 * 40);
    }
}
