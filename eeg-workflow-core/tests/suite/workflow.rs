//! Documents and plans: what is kept to the letter, and what is refused and where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use common::{Custom, document, registry};
use eeg_workflow_core::block::{BlockSpec, Context, Inputs, Outputs, PortType};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{
    BlockId, BlockIndex, Code, Diagnostic, InvalidWorkflow, Severity, Workflow,
};
use proptest::prelude::*;
use serde_json::json;

fn problems(text: &str) -> Vec<Diagnostic> {
    match Workflow::from_json(text).and_then(|workflow| workflow.plan(&registry())) {
        Ok(plan) => plan.warnings().to_vec(),
        Err(InvalidWorkflow { diagnostics }) => diagnostics,
    }
}

fn codes(text: &str) -> Vec<(Code, String)> {
    problems(text).into_iter().map(|d| (d.code, d.pointer)).collect()
}

fn block(id: serde_json::Value, block_type: &str) -> serde_json::Value {
    json!({"id": id, "type": block_type, "module": "Test", "values": {}})
}

#[test]
fn a_document_comes_back_to_the_letter() {
    let text = r#"{"edges":[{"id":7,"block1":"a","connector1":["out","output"],"block2":2,"connector2":["in","input"],"color":"red"}],"zoom":1.50,
      "blocks":[{"id":"a","x":-420.0000061035156,"y":-209,"type":"One","module":"Test","values":{},"ui":{"a":[1,2e3]}},
                {"id":2,"x":1.0,"y":1e2,"type":"Sum","module":"Test"}]}"#;
    let workflow = Workflow::from_json(text).unwrap();
    assert_eq!(workflow.as_json(), text);
    let blocks = serde_json::to_string(&workflow.block_objects()).unwrap();
    assert_eq!(
        blocks,
        r#"[{"id":"a","x":-420.0000061035156,"y":-209,"type":"One","module":"Test","values":{},"ui":{"a":[1,2e3]}},{"id":2,"x":1.0,"y":1e2,"type":"Sum","module":"Test"}]"#
    );
    let plan = workflow.plan(&registry()).unwrap();
    assert_eq!(plan.id(BlockIndex(0)), Some(&BlockId::Text("a".into())));
    assert_eq!(plan.index_of(&BlockId::Integer(2)), Some(BlockIndex(1)));
    let again: Workflow = serde_json::from_str(&serde_json::to_string(&workflow).unwrap()).unwrap();
    assert_eq!(again.block_count(), 2);
}

#[test]
fn white_space_between_the_parts_of_a_document_can_be_left_out() {
    let text = "{\"a b\" : \"c \\\" \\\\\",\n\t\"blocks\": [ ],\r\n \"n\": -420.0000061035156 }";
    let workflow = Workflow::from_json(text).unwrap().compact();
    let expected = r#"{"a b":"c \" \\","blocks":[],"n":-420.0000061035156}"#;
    assert_eq!(workflow.as_json(), expected);
    assert_eq!(workflow.clone().compact().as_json(), workflow.as_json());
}

#[test]
fn a_wrapped_document_is_unwrapped() {
    let inner = document(&["One"], &[]);
    for text in
        [format!(r#"{{"workflow": {inner}}}"#), format!(r#"{{"workflow":{{"workflow":{inner}}}}}"#)]
    {
        let workflow = Workflow::from_json(&text).unwrap();
        assert_eq!(workflow.as_json(), inner);
    }
}

#[test]
fn edges_may_be_drawn_from_either_end() {
    let text = r#"{"blocks": [{"id": 1, "type": "One", "module": "Test"}, {"id": 2, "type": "Sum", "module": "Test"}],
        "edges": [{"block1": 2, "connector1": ["in", "input"], "block2": 1, "connector2": ["out", "output"]}]}"#;
    let plan = Workflow::from_json(text).unwrap().plan(&registry()).unwrap();
    assert_eq!(plan.successors(BlockIndex(0)).collect::<Vec<_>>(), [BlockIndex(1)]);
    assert_eq!(plan.predecessors(BlockIndex(1)).collect::<Vec<_>>(), [BlockIndex(0)]);
}

#[test]
fn text_that_is_no_json_is_refused_with_its_position() {
    let problems = problems(r#"{"blocks": [}"#);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::InvalidJson);
    assert!(problems[0].message.contains("line 1 column 13"), "{}", problems[0].message);
}

#[test]
fn documents_of_another_shape_are_refused() {
    assert_eq!(codes("[]"), [(Code::WrongType, String::new())]);
    assert_eq!(codes("null"), [(Code::WrongType, String::new())]);
    assert_eq!(codes(r#"{"edges": []}"#), [(Code::MissingField, "/blocks".into())]);
    assert_eq!(codes(r#"{"blocks": 3}"#), [(Code::WrongType, "/blocks".into())]);
    assert_eq!(codes(r#"{"blocks": [], "blocks": []}"#), [(Code::InvalidJson, String::new())]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = json!({
        "blocks": [
            block(json!(1), "One"),
            block(json!(1), "One"),
            block(json!(2), "Nope"),
            {"id": 3, "type": "One", "module": "Nope.zip:Nope"},
            {"id": 4, "type": "Sleep", "module": "Test", "values": {"seconds": "soon", "speed": 3}},
            block(json!(5), "Add"),
            {"id": 6.5, "type": "One", "module": "Test"},
            {"id": 7, "module": "Test", "values": []},
        ],
        "edges": [
            {"block1": 1, "connector1": ["out", "output"], "block2": 99, "connector2": ["in", "input"]},
            {"block1": 1, "connector1": ["zzz", "output"], "block2": 5, "connector2": ["a", "input"]},
            {"block1": 1, "connector1": ["out", "output"], "block2": 5, "connector2": ["b", "input"]},
            {"block1": 4, "connector1": ["out", "output"], "block2": 5, "connector2": ["b", "input"]},
            {"block1": 5, "connector1": ["a", "input"], "block2": 5, "connector2": ["b", "input"]},
            {"block1": 5, "block2": 1},
            {"block1": 5, "connector1": ["out", "sideways"], "block2": 1, "connector2": ["x", "input"]},
        ]
    });
    let expected = [
        (Code::WrongType, "/blocks/6/id"),
        (Code::WrongType, "/blocks/7/values"),
        (Code::MissingField, "/blocks/7/type"),
        (Code::MissingField, "/edges/5/connector1"),
        (Code::MissingField, "/edges/5/connector2"),
        (Code::WrongType, "/edges/6/connector1"),
        (Code::DuplicateBlockId, "/blocks/1/id"),
        (Code::UnknownBlockType, "/blocks/2/type"),
        (Code::UnknownModule, "/blocks/3/module"),
        (Code::InvalidParameter, "/blocks/4/values/seconds"),
        (Code::DanglingEdge, "/edges/0/block2"),
        (Code::UnknownPort, "/edges/1/connector1"),
        (Code::EdgeDirection, "/edges/4"),
        (Code::TooFewEdges, "/blocks/5"),
        (Code::TooManyEdges, "/blocks/5"),
        (Code::UnknownParameter, "/blocks/4/values/speed"),
    ];
    let found = codes(&text.to_string());
    let expected: Vec<_> = expected.into_iter().map(|(code, at)| (code, at.to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_diagnostic_names_block_port_and_parameter_on_the_wire() {
    let text = json!({"blocks": [{"id": "s", "type": "Sleep", "module": "Test", "values": {"seconds": "soon"}},
                                 block(json!(2), "Add")]});
    insta::assert_json_snapshot!(problems(&text.to_string()));
}

#[test]
fn a_cycle_is_refused_with_its_path() {
    let edges =
        [(1, "out", 2, "in"), (2, "out", 3, "in"), (3, "out", 4, "in"), (4, "out", 2, "in")];
    let found = problems(&document(&["One", "Sum", "Sum", "Sum"], &edges));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, Code::Cycle);
    assert_eq!(found[0].message, "blocks wait for each other: 2 → 3 → 4 → 2");
    assert_eq!(found[0].block, Some(BlockId::Integer(2)));
}

#[test]
fn every_cycle_is_reported() {
    let edges = [(1, "out", 1, "in"), (2, "out", 3, "in"), (3, "out", 2, "in")];
    let found = problems(&document(&["Sum", "Sum", "Sum"], &edges));
    let mut messages: Vec<_> = found.iter().map(|d| d.message.as_str()).collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        ["blocks wait for each other: 1 → 1", "blocks wait for each other: 2 → 3 → 2"]
    );
}

#[test]
fn a_cycle_of_many_blocks_is_found_without_deep_recursion() {
    const N: usize = 200_000;
    let edges: Vec<_> = (0..N).map(|i| (i + 1, "out", (i + 1) % N + 1, "in")).collect();
    let found = problems(&document(&vec!["Sum"; N], &edges));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("more"), "{}", found[0].message);
}

#[test]
fn types_are_compared_without_case_and_scalars_fit_each_other() {
    let named = |name: &'static str| PortType::named(name);
    for (output, input, fits) in [
        (named("EEGDATA"), PortType::EEG_DATA, true),
        (PortType::NUMBER, PortType::STRING, true),
        (PortType::BOOLEAN, PortType::NUMBER, true),
        (PortType::NUMBER, PortType::NUMBER_ARRAY, false),
        (PortType::EPOCHS, PortType::EEG_DATA, false),
        (named("Spectrum"), named("spectrum"), true),
        (named("Spectrum"), PortType::OBJECT, false),
    ] {
        let source = BlockSpec::new("Source").output("out", output);
        let sink = BlockSpec::new("Sink").input("in", input, 1..=1);
        let careful = sink.clone().with_own_checks();
        for (sink, severity) in [(sink, Severity::Error), (careful, Severity::Warning)] {
            let run = |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::one(1_i64));
            let module = Module::new("Test").block(Custom(source.clone(), run)).unwrap();
            let mut registry = ModuleRegistry::new();
            registry.register(module.block(Custom(sink, run)).unwrap()).unwrap();
            let text = document(&["Source", "Sink"], &[(1, "out", 2, "in")]);
            let found = match Workflow::from_json(&text).unwrap().plan(&registry) {
                Ok(plan) => plan.warnings().to_vec(),
                Err(invalid) => invalid.diagnostics,
            };
            let expected = if fits { vec![] } else { vec![(Code::TypeMismatch, severity)] };
            assert_eq!(found.iter().map(|d| (d.code, d.severity)).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn a_parameter_left_out_takes_its_default_and_a_required_one_must_be_filled() {
    let spec = BlockSpec::new("P")
        .parameter("n", PortType::NUMBER, "7", "")
        .output("out", PortType::NUMBER);
    let required = BlockSpec::new("R").required_parameter("n", PortType::NUMBER, "", "");
    let p = Custom(spec, |cx: &Context<'_>, _: Inputs<'_>| {
        Ok(Outputs::one(cx.float("n")?.unwrap_or(-1.0)))
    });
    let r = Custom(required, |_: &Context<'_>, _: Inputs<'_>| Ok(Outputs::none()));
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("M").block(p).unwrap().block(r).unwrap()).unwrap();
    let run = |values: serde_json::Value| {
        let text = json!({"blocks": [{"id": 1, "type": "P", "module": "M", "values": values}]});
        let plan = Workflow::from_json(&text.to_string()).unwrap().plan(&registry).unwrap();
        let report = common::engine(1).start(&plan, Default::default()).wait();
        report.output(BlockIndex(0), 0).cloned().unwrap()
    };
    assert_eq!(run(json!({})), 7.0.into());
    assert_eq!(run(json!({"n": "None"})), (-1.0).into());
    assert_eq!(run(json!({"n": 2.5})), 2.5.into());
    let text = json!({"blocks": [{"id": 1, "type": "R", "module": "M"}]});
    let invalid = Workflow::from_json(&text.to_string()).unwrap().plan(&registry).unwrap_err();
    assert_eq!(invalid.to_string(), "block 1 (R): parameter \"n\": a value is required");
}

#[test]
fn a_parameter_is_replaced_and_the_rest_is_kept() {
    let text = r#"{"blocks":[{"id":"a","x":1.50,"type":"Sleep","module":"Test","values":{"seconds":"5","k":1e3}},{"id":2,"type":"Sleep","module":"Test"}],"zoom":2.0}"#;
    let workflow = Workflow::from_json(text).unwrap();
    let changed = workflow.set_parameter("a", "seconds", "0").unwrap();
    assert_eq!(changed.as_json(), text.replace(r#""5""#, r#""0""#));
    let changed = workflow.set_parameter("2", "seconds", r#"["a", "b"]"#).unwrap();
    assert!(changed.as_json().contains(r#""module":"Test","values":{"seconds":["a","b"]}"#));
    assert!(workflow.set_parameter("3", "seconds", "0").is_err());
}

#[test]
fn escaped_names_are_understood() {
    let text = r#"{"blocks":[{"id":"\u00e4","type":"O\u006ee","module":"T\u0065st"},{"id":2,"type":"Sum","module":"Test"}],
        "edges":[{"block1":"ä","connector1":["o\u0075t","output"],"block2":2,"connector2":["in","input"]}]}"#;
    let plan = Workflow::from_json(text).unwrap().plan(&registry()).unwrap();
    assert_eq!(plan.id(BlockIndex(0)), Some(&BlockId::Text("ä".into())));
}

#[test]
fn ids_far_apart_are_found_too() {
    let text = format!(
        r#"{{"blocks":[{{"id":{},"type":"One","module":"Test"}},{{"id":{},"type":"Sum","module":"Test"}}],
        "edges":[{{"block1":{0},"connector1":["out","output"],"block2":{1},"connector2":["in","input"]}}]}}"#,
        i64::MIN,
        i64::MAX
    );
    let plan = Workflow::from_json(&text).unwrap().plan(&registry()).unwrap();
    assert_eq!(plan.index_of(&BlockId::Integer(i64::MAX)), Some(BlockIndex(1)));
}

#[test]
fn a_workflow_of_100_000_blocks_plans() {
    const N: usize = 100_000;
    let edges: Vec<_> = (1..N).map(|i| (i / 2 + 1, "out", i + 1, "in")).collect();
    let workflow = Workflow::from_json(&document(&vec!["Sum"; N], &edges)).unwrap();
    let plan = workflow.plan(&registry()).unwrap();
    assert_eq!(plan.len(), N);
    assert_eq!(plan.graph().edge_count(), N - 1);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = Workflow::from_json(&text).and_then(|workflow| workflow.plan(&registry()));
    }

    /// Documents that are nearly right: any value in any place.
    #[test]
    fn any_damage_to_a_document_is_reported(
        place in 0_usize..14,
        damage in prop_oneof![
            Just(json!(null)), Just(json!(1.5)), Just(json!(-1)), Just(json!("x")), Just(json!([])),
            Just(json!({})), Just(json!(["out", "output"])), Just(json!(true)), Just(json!(1e300)),
        ],
    ) {
        let mut document: serde_json::Value =
            serde_json::from_str(&document(&["One", "Sum"], &[(1, "out", 2, "in")])).unwrap();
        let places = [
            "", "/blocks", "/edges", "/blocks/0", "/blocks/0/id", "/blocks/0/type", "/blocks/1/module",
            "/blocks/1/values", "/edges/0", "/edges/0/block1", "/edges/0/connector1", "/edges/0/connector2",
            "/edges/0/connector1/0", "/edges/0/connector2/1",
        ];
        *document.pointer_mut(places[place]).unwrap() = damage;
        let result = Workflow::from_json(&document.to_string()).and_then(|w| w.plan(&registry()));
        if let Err(invalid) = result {
            prop_assert!(!invalid.diagnostics.is_empty());
            prop_assert!(!invalid.to_string().is_empty());
        }
    }

    /// A random graph has a plan exactly if it has no cycle.
    #[test]
    fn a_graph_has_a_plan_exactly_if_it_has_no_cycle(
        edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..24),
    ) {
        let wires: Vec<_> = edges.iter().map(|(a, b)| (a + 1, "out", b + 1, "in")).collect();
        let text = document(&["Sum"; 12], &wires);
        let mut graph = petgraph::graphmap::DiGraphMap::<usize, ()>::new();
        for (a, b) in &edges {
            graph.add_edge(*a, *b, ());
        }
        let cyclic = petgraph::algo::is_cyclic_directed(&graph);
        prop_assert_eq!(Workflow::from_json(&text).unwrap().plan(&registry()).is_err(), cyclic);
    }
}
