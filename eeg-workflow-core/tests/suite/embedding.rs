//! What an embedder uses: workflows built in the program, results by the names of blocks and
//! ports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common::{Custom, engine};

use eeg_workflow_core::block::{
    BlockError, BlockErrorKind, BlockSpec, Context, Inputs, Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{NoOutput, Outcome, Report, RunOptions, RunStatus};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{BlockIndex, NewBlock, Workflow};
use serde_json::json;

const LAB: &str = "Lab.zip:Lab";

fn registry() -> ModuleRegistry {
    let lab = Module::new(LAB)
        .function("Two", [], "n", || Ok(2_i64))
        .and_then(|lab| lab.function("Square", ["n"], "square", |n: i64| Ok(n * n)))
        .and_then(|lab| {
            lab.function("Fail", ["n"], "n", |_: i64| {
                Err::<i64, _>(BlockError::new("it is broken"))
            })
        });
    let mut registry = ModuleRegistry::new();
    registry.register(lab.unwrap()).unwrap();
    registry
}

fn run(workflow: &Workflow) -> Report {
    let plan = workflow.plan(&registry()).unwrap();
    engine(2).start(&plan, RunOptions::default()).wait()
}

#[test]
fn a_workflow_built_in_the_program_is_the_document_that_others_read() {
    let workflow = Workflow::builder()
        .edge((1, "out \"put\""), ("b/ü", "in"))
        .block(NewBlock::new(1, LAB, "Two").with_value("list", json!([1, null])))
        .block(NewBlock::new("b/ü", LAB, "Square").with_value("n", "3").with_value("n", "4"))
        .build()
        .unwrap();
    let document: serde_json::Value = serde_json::from_str(workflow.as_json()).unwrap();
    let expected = json!({
        "blocks": [{"id": 1, "type": "Two", "module": LAB, "values": {"list": [1, null]}},
                   {"id": "b/ü", "type": "Square", "module": LAB, "values": {"n": "4"}}],
        "edges": [{"block1": 1, "connector1": ["out \"put\"", "output"],
                   "block2": "b/ü", "connector2": ["in", "input"]}]});
    assert_eq!(document, expected);
    assert_eq!(Workflow::from_json(workflow.as_json()).unwrap().block_count(), 2);
}

#[test]
fn mistakes_in_a_built_workflow_are_told_by_the_plan() {
    let workflow = Workflow::builder()
        .block(NewBlock::new(1, LAB, "Two"))
        .block(NewBlock::new(1, LAB, "Cube"))
        .edge((1, "n"), (3, "n"))
        .build()
        .unwrap();
    let invalid = workflow.plan(&registry()).unwrap_err();
    let places: Vec<_> = invalid.diagnostics.iter().map(|d| d.pointer.as_str()).collect();
    assert_eq!(places, ["/blocks/1/id", "/blocks/1/type", "/edges/0/block2"]);
}

#[test]
fn results_are_found_by_the_id_of_a_block_and_the_name_of_a_port() {
    let workflow = Workflow::builder()
        .block(NewBlock::new(1, LAB, "Two"))
        .block(NewBlock::new("square", LAB, "Square"))
        .block(NewBlock::new("bad", LAB, "Fail"))
        .edge((1, "n"), ("square", "n"))
        .edge((1, "n"), ("bad", "n"))
        .build()
        .unwrap();
    let report = run(&workflow);
    assert_eq!(report.status(), RunStatus::Failed);
    assert_eq!(report.output_of("square", "square"), Ok(&Value::Integer(4)));
    let error = |block: &str, port| report.output_of(block, port).unwrap_err().to_string();
    assert_eq!(error("nowhere", "n"), "the workflow has no block nowhere");
    assert_eq!(error("square", "n"), "block square has no output \"n\"");
    assert_eq!(error("bad", "n"), "block bad did not finish");
    let not_kept = NoOutput::NotKept { block: 1.into(), port: "n".to_owned() };
    assert_eq!(report.output_of(1, "n"), Err(not_kept));
    assert!(matches!(report.outcome_of("square"), Some(Outcome::Finished)));
    let Some(Outcome::Failed(error)) = report.outcome_of("bad") else { panic!("not failed") };
    assert_eq!(error.to_string(), "it is broken");
    assert!(report.display_of("square").is_none());
}

#[test]
fn nothing_is_told_of_a_block_that_does_not_exist() {
    let workflow = Workflow::builder().block(NewBlock::new(1, LAB, "Two")).build().unwrap();
    let report = run(&workflow);
    assert!(report.outcome(BlockIndex(0)).is_some());
    assert!(report.outcome(BlockIndex(999)).is_none());
    assert!(report.outcome_of("1").is_none(), "the id is an integer");
    assert!(report.output(BlockIndex(999), 0).is_none());
}

#[test]
fn a_block_type_that_declares_a_name_twice_is_refused() {
    let refused = |spec: BlockSpec| {
        let block = Custom(spec, |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::none()));
        Module::new(LAB).block(block).unwrap_err().to_string()
    };
    let spec = || BlockSpec::new("Odd").output("a", PortType::NUMBER);
    let input = |spec: BlockSpec| spec.input("a", PortType::NUMBER, 0..=1);
    let parameter = |spec: BlockSpec| spec.parameter("a", PortType::NUMBER, "1", "");
    let message = |field| format!("block \"Odd\" of module \"Lab.zip:Lab\" declares {field} twice");
    assert_eq!(refused(input(input(spec()))), message("input \"a\""));
    assert_eq!(refused(spec().output("a", PortType::OBJECT)), message("output \"a\""));
    let twice = parameter(spec()).required_parameter("a", PortType::STRING, "", "");
    assert_eq!(refused(twice), message("parameter \"a\""));
    let each_once = input(parameter(spec()));
    let block = Custom(each_once, |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::none()));
    assert!(Module::new(LAB).block(block).is_ok(), "each kind has names of its own");
}

#[test]
fn what_a_block_does_not_declare_is_an_error_that_names_it() {
    let ask = |read: fn(&Context<'_>, Inputs<'_>) -> Result<Outputs, BlockError>| {
        let spec = BlockSpec::new("Ask").parameter("p", PortType::NUMBER, "1", "");
        let module = Module::new(LAB).block(Custom(spec, read)).unwrap();
        let mut registry = ModuleRegistry::new();
        registry.register(module).unwrap();
        let workflow = Workflow::builder().block(NewBlock::new(1, LAB, "Ask")).build().unwrap();
        let plan = workflow.plan(&registry).unwrap();
        let report = engine(1).start(&plan, RunOptions::default()).wait();
        let Some(Outcome::Failed(error)) = report.outcome_of(1) else { panic!("not failed") };
        (error.kind(), error.to_string())
    };
    let (kind, message) = ask(|cx, _| cx.number("q").map(|_| Outputs::none()));
    assert_eq!(kind, BlockErrorKind::Parameter);
    assert_eq!(message, "parameter \"q\": the block does not declare it");
    let (kind, message) = ask(|_, mut inputs| inputs.take("x").map(|_| Outputs::none()));
    assert_eq!(kind, BlockErrorKind::Input);
    assert_eq!(message, "input \"x\": the block does not declare it");
    if cfg!(debug_assertions) {
        let (kind, message) = ask(|cx, _| Ok(Outputs::one(cx.text("q"))));
        assert_eq!(kind, BlockErrorKind::Panicked);
        assert!(message.contains("has no parameter \"q\""), "{message}");
    }
}
