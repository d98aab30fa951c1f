//! The blocks that give numbers.

use super::ArithmeticError;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Number, Outputs, PortType, PythonRepr,
    Value,
};

/// More decimal digits than this are not shown, as Python does not print them either: writing
/// them out takes quadratic time.
const SHOWN_DIGITS: u64 = 4300;

/// A number as a workflow has it. A text stays the text that was typed.
pub(super) struct Constant(BlockSpec);

impl Constant {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Constant").with_family("Constant");
        let spec = spec.required_parameter("constant value", PortType::NUMBER, "10", "");
        Self(spec.output_with("output", PortType::NUMBER, 1..=1))
    }
}

impl Block for Constant {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        Ok(shown(cx.value("constant value").clone()))
    }
}

type Apply = fn(&Number, &Number) -> Result<Number, ArithmeticError>;

/// An operation on two numbers.
pub(super) struct Operation {
    spec: BlockSpec,
    apply: Apply,
}

impl Operation {
    pub(super) fn new(name: &str, family: &str, apply: Apply) -> Self {
        let spec = BlockSpec::new(name)
            .with_family(family)
            .input("num1", PortType::NUMBER, 1..=1)
            .input("num2", PortType::NUMBER, 1..=1)
            .output_with("output", PortType::NUMBER, 1..=1);
        Self { spec, apply }
    }
}

impl Block for Operation {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let (a, b) = (inputs.number("num1")?, inputs.number("num2")?);
        let value = (self.apply)(&a, &b).map_err(BlockError::from_error)?;
        Ok(shown(value.into()))
    }
}

/// The value as the output, shown as the map of outputs that Python prints.
fn shown(value: Value) -> Outputs {
    let text = match &value {
        // log2(10) = 3.32…: so many bits have more than the digits that are shown.
        Value::BigInteger(integer) if integer.bits() > SHOWN_DIGITS * 3322 / 1000 => {
            format!("{{'output': <integer of {} bits>}}", integer.bits())
        }
        value => format!("{{'output': {}}}", PythonRepr(value)),
    };
    Outputs::one(value).show(Display::text(text))
}
