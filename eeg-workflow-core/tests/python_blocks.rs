//! Blocks in Python: what they get, what they give, and what they show. Needs a `python3`.
#![cfg(all(feature = "python", feature = "builtin", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use eeg_workflow_core::block::{PythonRepr, Value};
use serde_json::json;

mod python_lab;
mod zips;

use python_lab::{Lab, workflow};

const ECHO: &str = r#"
class Echo(Block):
    family = "Data"
    name = "Echo"
    description = "Says what it gets"

    def __init__(self):
        self.inp = BlockInput("in", 0, 100, ParameterType.OBJECT)
        self.text = BlockParameter("text", ParameterType.STRING, "hello", "Any text")
        self.number = BlockParameter("number", ParameterType.NUMBER, 1)
        self.items = BlockParameter("items", ParameterType.STRING_ARRAY, "")
        self.flag = BlockParameter("flag", ParameterType.BOOLEAN, True)
        self.plain = 3
        self.output = BlockOutput("output", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.data = data

    def execute(self):
        print("echo runs")
        self.output.set_value(self.data)
        return (sorted(self.data.items()), "STRING")
"#;

#[test]
fn a_block_gets_its_parameters_as_the_document_has_them_and_defaults_as_texts() {
    let lab = Lab::new();
    lab.blocks(&["Echo"], ECHO);
    let done = lab.run_block("Echo", json!({"text": "hi", "items": ["a", "b"]})).completed();
    assert_eq!(
        done.text(0),
        "[('flag', 'True'), ('items', ['a', 'b']), ('number', '1'), ('text', 'hi')]"
    );
    assert_eq!(done.lines(0), ["echo runs"]);
    let value = PythonRepr(&done.value(0)).to_string();
    assert_eq!(value, "{'text': 'hi', 'number': '1', 'items': ['a', 'b'], 'flag': 'True'}");
}

#[test]
fn one_value_at_an_input_comes_as_itself_and_several_as_a_list() {
    let lab = Lab::new();
    lab.blocks(&["Echo"], ECHO);
    let constant = "Arithmetic.zip:Arithmetic/Constant";
    let one = workflow(
        &[(1, constant, json!({"constant value": "3"})), (2, "Echo", json!({}))],
        &[(1, "output", 2, "in")],
    );
    assert!(lab.run(&one).completed().text(1).contains("('in', '3')"));
    let several = workflow(
        &[
            (1, constant, json!({"constant value": "3"})),
            (2, constant, json!({"constant value": "4.5"})),
            (3, "Echo", json!({})),
        ],
        &[(2, "output", 3, "in"), (1, "output", 3, "in")],
    );
    let text = lab.run(&several).completed().text(2);
    assert!(text.contains("('in', ['4.5', '3'])"), "{text}");
}

#[test]
fn plain_values_go_there_and_back_unchanged() {
    let lab = Lab::new();
    lab.blocks(
        &["Make", "Repr"],
        r#"
class Make(Block):
    def __init__(self):
        self.output = BlockOutput("output", ParameterType.OBJECT, 1, 100)

    def execute(self):
        self.output.set_value([
            None, True, -1, 2**63, -2**80, 0.1, 1e300, float("inf"), -0.0, "h\u00e9\U0001f9e0\n\x00",
            [], {}, {1: "one", "two": [2.5], None: False},
        ])

class Repr(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.OBJECT)

    def input_params(self, data):
        self.data = data["in"]

    def execute(self):
        return repr(self.data), "STRING"
"#,
    );
    let document =
        workflow(&[(1, "Make", json!({})), (2, "Repr", json!({}))], &[(1, "output", 2, "in")]);
    let done = lab.run(&document).completed();
    let expected = "[None, True, -1, 9223372036854775808, -1208925819614629174706176, 0.1, 1e+300, \
                    inf, -0.0, 'h\u{e9}\u{1f9e0}\\n\\x00', [], {}, {1: 'one', 'two': [2.5], None: \
                    False}]";
    assert_eq!(done.text(1), expected);
    assert_eq!(PythonRepr(&done.value(0)).to_string(), expected);
}

#[test]
fn branches_that_share_a_value_never_see_each_others_changes() {
    let lab = Lab::new();
    lab.blocks(
        &["Make", "Append"],
        r#"
class Thing:
    def __init__(self):
        self.items = []

class Make(Block):
    def __init__(self):
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)

    def execute(self):
        self.output.set_value(Thing())

class Append(Block):
    def __init__(self):
        self.inp = BlockInput("thing", 1, 1, ParameterType.OBJECT)
        self.item = BlockParameter("item", ParameterType.STRING, "x")
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.thing = data["thing"]
        self.value = data["item"]

    def execute(self):
        self.thing.items.append(self.value)
        self.output.set_value(self.thing)
        return " ".join(self.thing.items), "STRING"
"#,
    );
    let item = |id, text: &str| (id, "Append", json!({"item": text}));
    let document = workflow(
        &[(1, "Make", json!({})), item(2, "a"), item(3, "b"), item(4, "c"), item(5, "a2")],
        &[
            (1, "thing", 2, "thing"),
            (1, "thing", 3, "thing"),
            (1, "thing", 4, "thing"),
            (2, "thing", 5, "thing"),
        ],
    );
    let done = lab.run_with(&document, |options| options.keep = Default::default()).completed();
    let texts: Vec<String> = (1..5).map(|block| done.text(block)).collect();
    assert_eq!(texts, ["a", "b", "c", "a a2"]);
}

#[test]
fn an_exception_is_the_blocks_error_with_its_traceback() {
    let lab = Lab::new();
    lab.blocks(
        &["Fails"],
        r#"
class Fails(Block):
    def execute(self):
        raise RuntimeError('h\u00e9llo "quoted"')
"#,
    );
    let done = lab.run_block("Fails", json!({}));
    assert_eq!(done.error(), "RuntimeError: h\u{e9}llo \"quoted\"");
    let details = done.details();
    assert!(details.starts_with("Traceback (most recent call last):\n"), "{details}");
    assert!(details.ends_with("RuntimeError: h\u{e9}llo \"quoted\""), "{details}");
    assert!(details.contains("Lab/__init__.py\", line") && !details.contains("runner.py"));
    let none: Option<&Value> = done.report.output(eeg_workflow_core::workflow::BlockIndex(0), 0);
    assert!(none.is_none());
}
