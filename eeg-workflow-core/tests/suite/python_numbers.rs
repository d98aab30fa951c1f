//! Numbers and strings of any class, as Python blocks give them to native ones. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use python_lab::{Done, Lab, workflow};
use serde_json::json;

const GIVE: &str = r#"
import collections, decimal, enum, fractions, numbers
from decimal import Decimal
from fractions import Fraction

class Level(enum.IntEnum):
    HIGH = 40

class Volts(float):
    def __repr__(self):
        return f"{float(self)} V"

class Typed(str):
    pass

class Items(list):
    pass

Pair = collections.namedtuple("Pair", "a b")

class Give(Block):
    """Gives what its code calculates."""

    def __init__(self):
        self.code = BlockParameter("code", ParameterType.STRING, "")
        self.out = BlockOutput("out", ParameterType.NUMBER, 1, 100)

    def input_params(self, data):
        self.code.value = data["code"]

    def execute(self):
        self.out.set_value(eval(self.code.value))

class See(Block):
    """Shows what it gets."""

    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.OBJECT)

    def input_params(self, data):
        self.inp.value = data["in"]

    def execute(self):
        return repr(self.inp.value), "STRING"
"#;

/// What the code gives, at a native block that adds it to 1 and at one in Python that shows it.
fn given(lab: &Lab, code: &str) -> Done {
    let blocks = [
        (1, "Give", json!({ "code": code })),
        (2, "Arithmetic.zip:Arithmetic/Constant", json!({ "constant value": "1" })),
        (3, "Arithmetic.zip:Arithmetic/Addition", json!({})),
        (4, "See", json!({})),
    ];
    let edges = [(1, "out", 3, "num1"), (2, "output", 3, "num2"), (1, "out", 4, "in")];
    lab.run(&workflow(&blocks, &edges))
}

#[test]
fn numbers_of_any_class_are_numbers_at_native_ports_and_themselves_at_others() {
    let lab = Lab::new();
    lab.blocks(&["Give", "See"], GIVE);
    let cases = [
        ("Decimal('40')", "41", "Decimal('40')"),
        ("Decimal('40.0')", "41.0", "Decimal('40.0')"),
        ("Decimal('4E+1')", "41.0", "Decimal('4E+1')"),
        ("Decimal('Infinity')", "inf", "Decimal('Infinity')"),
        ("Fraction(80, 2)", "41", "Fraction(40, 1)"),
        ("Fraction(1, 2)", "1.5", "Fraction(1, 2)"),
        ("Level.HIGH", "41", "<Level.HIGH: 40>"),
        ("Volts(1.5)", "2.5", "1.5 V"),
        ("Typed('40')", "41", "'40'"),
        ("True", "2", "True"),
        ("Decimal(2) ** 70", "1180591620717411303425", "Decimal('1180591620717411303424')"),
    ];
    for (code, sum, seen) in cases {
        let done = given(&lab, code).completed();
        assert_eq!(done.text(2), format!("{{'output': {sum}}}"), "{code}");
        assert_eq!(done.text(3), seen, "{code}");
    }
}

#[test]
fn what_only_pretends_to_be_a_number_is_refused_by_its_class() {
    let lab = Lab::new();
    lab.blocks(&["Give", "See"], GIVE);
    for (code, kind) in [
        ("Decimal('sNaN')", "decimal.Decimal"),
        ("Fraction(10 ** 400, 3)", "fractions.Fraction"),
        ("numbers.Real", "abc.ABCMeta"),
        ("1j", "complex"),
    ] {
        let done = given(&lab, code);
        assert!(done.error().contains(kind), "{code}: {}", done.error());
        assert!(done.error().starts_with("input \"num1\""), "{code}: {}", done.error());
    }
}

#[test]
fn sequences_of_any_class_are_lists_and_maps_are_maps_at_native_ports() {
    let lab = Lab::new();
    lab.blocks(&["Give", "See"], GIVE);
    for (code, native) in [
        ("Items([Decimal(1), Fraction(1, 2), Level.HIGH])", "[1, 0.5, 40]"),
        ("Pair(1, Items())", "[1, []]"),
        ("collections.OrderedDict(a=Volts(2))", "{'a': 2.0}"),
    ] {
        let value = given(&lab, code).value(0);
        let shown = eeg_workflow_core::block::PythonRepr(value.native()).to_string();
        assert_eq!(shown, native, "{code}");
    }
}
