//! The words in which a workflow's problems are told: they are part of the interface.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use eeg_workflow_core::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::Workflow;
use serde_json::{Value, json};

struct Node(BlockSpec);

impl Block for Node {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        Ok(Outputs::one(0))
    }
}

/// What planning says, one problem a line.
fn told(document: &str) -> String {
    let filter = BlockSpec::new("Filter")
        .input("EEGData", PortType::EEG_DATA, 1..=1)
        .output("EEGData", PortType::EEG_DATA)
        .parameter("Low", PortType::NUMBER, "1", "Hz");
    let source = BlockSpec::new("Source").output("n", PortType::NUMBER);
    let module =
        Module::new("Lab.zip:Lab").block(Node(filter)).unwrap().block(Node(source)).unwrap();
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    let error = match Workflow::from_json(document).map(|workflow| workflow.plan(&registry)) {
        Ok(Ok(_)) => return "no problem".to_owned(),
        Ok(Err(error)) | Err(error) => error,
    };
    error.diagnostics.iter().fold(String::new(), |mut lines, diagnostic| {
        writeln!(lines, "{diagnostic}").unwrap();
        lines
    })
}

fn block(id: Value, module: &str, kind: &str, values: Value) -> Value {
    json!({"id": id, "module": module, "type": kind, "values": values})
}

fn edge(from: (Value, &str, &str), to: (Value, &str, &str)) -> Value {
    json!({"block1": from.0, "connector1": [from.1, from.2],
           "block2": to.0, "connector2": [to.1, to.2]})
}

const LAB: &str = "Lab.zip:Lab";

#[test]
fn a_text_that_is_not_a_workflow_is_told_in_these_words() {
    let texts = ["", "{\"blocks\": [}", "[]", "{}", "{\"blocks\": 7}", "{\"blocks\": [3]}"];
    let told: Vec<String> = texts.iter().map(|text| format!("{text}\n{}", told(text))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_wrong_with_blocks_is_told_in_these_words() {
    let document = json!({"blocks": [
        block(json!(1), "Lob.zip:Lab", "Filter", json!({})),
        block(json!(2), LAB, "Fitler", json!({})),
        block(json!(3), LAB, "Filter", json!({"Low": "low", "High": 3})),
        block(json!(3), LAB, "Source", json!({})),
        block(json!(true), LAB, "Source", json!([])),
        json!({"id": "a", "module": LAB}),
    ]});
    insta::assert_snapshot!(told(&document.to_string()));
}

#[test]
fn what_is_wrong_with_edges_is_told_in_these_words() {
    let blocks = [
        block(json!(1), LAB, "Source", json!({})),
        block(json!("b"), LAB, "Filter", json!({})),
        block(json!("c"), LAB, "Filter", json!({})),
        block(json!(4), LAB, "Filter", json!({})),
    ];
    let document = json!({"blocks": blocks, "edges": [
        edge((json!(1), "n", "output"), (json!("b"), "EEGData", "input")),
        edge((json!("b"), "EEGData", "output"), (json!("c"), "EEGData", "input")),
        edge((json!("c"), "EEGData", "output"), (json!("b"), "EEGData", "input")),
        edge((json!(1), "n", "output"), (json!("c"), "EEGData", "output")),
        edge((json!(1), "m", "output"), (json!(9), "EEGData", "input")),
        json!({"block1": 1, "connector1": ["n"], "block2": "b"}),
        json!("edge"),
    ]});
    insta::assert_snapshot!(told(&document.to_string()));
}
