//! The blocks that give numbers.

use super::ArithmeticError;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Number, Outputs, PortType, PythonRepr,
    Value,
};

/// More decimal digits than this are not shown, as Python does not print them either: writing
/// them out takes quadratic time.
const SHOWN_DIGITS: u64 = 4300;

/// A number as it was typed: an integer or a float. What is shown is the text that was typed.
pub(super) struct Constant(BlockSpec);

impl Constant {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Constant").with_family("Constant").with_help("A number");
        let spec = spec
            .required_parameter("constant value", PortType::NUMBER, "10", "")
            .described("The number");
        Self(spec.output_with("output", PortType::NUMBER, 1..=1))
    }
}

impl Block for Constant {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        let typed = cx.value("constant value");
        let number = Number::from_value(typed)
            .ok_or_else(|| BlockError::parameter("constant value", "is not a number"))?;
        let value = match typed {
            Value::Text(_) => number.into(),
            typed => typed.clone(),
        };
        Ok(Outputs::one(value).show(display(typed)))
    }
}

type Apply = fn(&Number, &Number) -> Result<Number, ArithmeticError>;

/// An operation on two numbers.
pub(super) struct Operation {
    spec: BlockSpec,
    apply: Apply,
}

impl Operation {
    pub(super) fn new(name: &str, family: &str, help: &str, apply: Apply) -> Self {
        let spec = BlockSpec::new(name)
            .with_family(family)
            .with_help(help)
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
        let value = value.into();
        let shown = display(&value);
        Ok(Outputs::one(value).show(shown))
    }
}

/// The value as the map of outputs that Python prints.
fn display(value: &Value) -> Display {
    Display::text(match value {
        // log2(10) = 3.32…: an integer of more bits has more than the digits that are shown.
        Value::BigInteger(integer) if integer.bits() > SHOWN_DIGITS * 3322 / 1000 => {
            format!("{{'output': <integer of {} bits>}}", integer.bits())
        }
        value => format!("{{'output': {}}}", PythonRepr(value)),
    })
}
