//! The blocks of Arithmetic, each native or in Python, in every combination. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use eeg_workflow_core::block::PythonRepr;
use serde_json::json;

use python_lab::{Lab, workflow};

/// The blocks as a laboratory writes them: they calculate with what they get.
const BLOCKS: &str = r#"
def typed(text):
    try:
        return int(text)
    except ValueError:
        return float(text)

class Constant(Block):
    family = "Constant"
    name = "Constant"

    def __init__(self):
        self.value = BlockParameter("constant value", ParameterType.NUMBER, 10)
        self.output = BlockOutput("output", ParameterType.NUMBER, 1, 1)

    def input_params(self, data):
        self.typed = data["constant value"]

    def execute(self):
        self.output.set_value(typed(self.typed))
        return ({"output": self.typed}, "STRING")

class Operation(Block):
    family = "AddSub"

    def __init__(self):
        self.num1 = BlockInput("num1", 1, 1, ParameterType.NUMBER)
        self.num2 = BlockInput("num2", 1, 1, ParameterType.NUMBER)
        self.output = BlockOutput("output", ParameterType.NUMBER, 1, 1)

    def input_params(self, data):
        self.a, self.b = data["num1"], data["num2"]

    def execute(self):
        result = self.apply(self.a, self.b)
        self.output.set_value(result)
        return ({"output": result}, "STRING")

class Addition(Operation):
    name = "Addition"
    def apply(self, a, b):
        return a + b

class Subtraction(Operation):
    name = "Subtraction"
    def apply(self, a, b):
        return a - b

class Multiplication(Operation):
    name = "Multiplication"
    def apply(self, a, b):
        return a * b

class Division(Operation):
    name = "Division"
    def apply(self, a, b):
        return a / b
"#;

#[test]
fn every_combination_of_native_and_python_blocks_gives_the_same() {
    let lab = Lab::new();
    lab.blocks(&["Constant", "Addition", "Subtraction", "Multiplication", "Division"], BLOCKS);
    let expected = [
        ("Addition", [("40", "30", "70"), ("1.5", "2", "3.5"), ("40.0", "30", "70.0")]),
        ("Subtraction", [("40", "30", "10"), ("1.5", "2", "-0.5"), ("-1", "-1", "0")]),
        (
            "Multiplication",
            [
                ("40", "30", "1200"),
                ("1e3", "2", "2000.0"),
                ("99999999999", "99999999999", "9999999999800000000001"),
            ],
        ),
        ("Division", [("7", "2", "3.5"), ("4", "2", "2.0"), ("1_000", " 8 ", "125.0")]),
    ];
    let mut combinations = 0;
    for (operation, cases) in expected {
        for (a, b, result) in cases {
            // Each bit says whether one of the three blocks is native.
            for native in 0..8 {
                let block = |bit: u32, name: &str| match native >> bit & 1 {
                    1 => format!("Arithmetic.zip:Arithmetic/{name}"),
                    _ => name.to_owned(),
                };
                let (one, two) = (block(0, "Constant"), block(1, "Constant"));
                let three = block(2, operation);
                let document = workflow(
                    &[
                        (1, &one, json!({"constant value": a})),
                        (2, &two, json!({"constant value": b})),
                        (3, &three, json!({})),
                    ],
                    &[(1, "output", 3, "num1"), (2, "output", 3, "num2")],
                );
                let done = lab.run(&document).completed();
                let place = format!("{a} {operation} {b}, {native:03b}");
                assert_eq!(done.text(0), format!("{{'output': '{a}'}}"), "{place}");
                assert_eq!(done.text(2), format!("{{'output': {result}}}"), "{place}");
                assert_eq!(PythonRepr(&done.value(2)).to_string(), result, "{place}");
                combinations += 1;
            }
        }
    }
    assert_eq!(combinations, 96);
}
