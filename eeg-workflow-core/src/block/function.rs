//! Closures as blocks.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{
    Block, BlockError, BlockSpec, Context, Inputs, Number, Object, Outputs, PortType, Value,
};

/// A type that a closure block can take from an input.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken from an input of a block",
    note = "use `f64`, `i64`, `bool`, `String`, `Value`, `Arc<T>` of an object, or `Option` of one"
)]
pub trait FromInput: Sized {
    /// The declared type of the input.
    fn port_type() -> PortType;

    /// Whether an edge must join the input.
    const REQUIRED: bool = true;

    /// The value as this type.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_input(value: Option<Value>) -> Result<Self, String>;
}

/// A type that a closure block can give as its output.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an output of a block",
    note = "use a type that converts into `Value`"
)]
pub trait IntoOutput {
    /// The declared type of the output.
    fn port_type() -> PortType;

    /// The value.
    fn into_output(self) -> Value;
}

macro_rules! scalars {
    ($($type:ty, $port:ident, $expected:literal, |$v:ident| $read:expr;)*) => {$(
        impl FromInput for $type {
            fn port_type() -> PortType {
                PortType::$port
            }

            fn from_input(value: Option<Value>) -> Result<Self, String> {
                let $v = value.unwrap_or_default();
                let read: Option<$type> = $read;
                read.ok_or_else(|| format!("expected {}, got {}", $expected, $v.type_name()))
            }
        }

        impl IntoOutput for $type {
            fn port_type() -> PortType {
                PortType::$port
            }

            fn into_output(self) -> Value {
                self.into()
            }
        }
    )*};
}

scalars! {
    f64, NUMBER, "a number", |v| Number::from_value(&v).map(|number| number.to_f64());
    i64, NUMBER, "an integer of 64 bits", |v| match Number::from_value(&v) {
        Some(Number::Integer(integer)) => i64::try_from(&integer).ok(),
        _ => None,
    };
    bool, BOOLEAN, "a boolean", |v| super::parameters::boolean(&v);
    String, STRING, "a string", |v| super::parameters::text(&v);
}

impl FromInput for Value {
    fn port_type() -> PortType {
        PortType::OBJECT
    }

    fn from_input(value: Option<Value>) -> Result<Self, String> {
        Ok(value.unwrap_or_default())
    }
}

impl IntoOutput for Value {
    fn port_type() -> PortType {
        PortType::OBJECT
    }

    fn into_output(self) -> Value {
        self
    }
}

impl<T: Object> FromInput for Arc<T> {
    fn port_type() -> PortType {
        T::port_type()
    }

    fn from_input(value: Option<Value>) -> Result<Self, String> {
        let expected = std::any::type_name::<T>();
        let value = value.unwrap_or_default();
        value.downcast().map_err(|value| format!("expected {expected}, got {}", value.type_name()))
    }
}

impl<T: Object> IntoOutput for Arc<T> {
    fn port_type() -> PortType {
        T::port_type()
    }

    fn into_output(self) -> Value {
        Value::Object(self)
    }
}

impl<T: FromInput> FromInput for Option<T> {
    fn port_type() -> PortType {
        T::port_type()
    }

    const REQUIRED: bool = false;

    fn from_input(value: Option<Value>) -> Result<Self, String> {
        value.map(|value| T::from_input(Some(value))).transpose()
    }
}

/// A closure as a block, with one input for each of its arguments and one output.
///
/// ```
/// use eeg_workflow_core::block::FunctionBlock;
/// let add = FunctionBlock::new("Add", ["a", "b"], "sum", |a: f64, b: f64| Ok(a + b));
/// ```
pub struct FunctionBlock<F, A, const N: usize> {
    spec: BlockSpec,
    function: F,
    arguments: PhantomData<fn(A)>,
}

/// A closure of some arguments that a [`FunctionBlock`] can call.
pub trait BlockFunction<Arguments, const N: usize>: Send + Sync + 'static {
    /// The declared types of the inputs, and whether they are required.
    fn inputs() -> [(PortType, bool); N];

    /// The declared type of the output.
    fn output() -> PortType;

    /// Calls the closure with the values of these inputs.
    ///
    /// # Errors
    /// The closure's, or an input of the wrong type.
    fn call(&self, inputs: &mut Inputs<'_>, names: &BlockSpec) -> Result<Value, BlockError>;
}

macro_rules! functions {
    ($($count:literal: $($argument:ident)*;)*) => {$(
        impl<F, R, $($argument),*> BlockFunction<(R, $($argument,)*), $count> for F
        where
            F: Fn($($argument),*) -> Result<R, BlockError> + Send + Sync + 'static,
            R: IntoOutput,
            $($argument: FromInput,)*
        {
            fn inputs() -> [(PortType, bool); $count] {
                [$(($argument::port_type(), $argument::REQUIRED)),*]
            }

            fn output() -> PortType {
                R::port_type()
            }

            #[allow(unused_variables, unused_mut, non_snake_case, reason = "the case of no arguments")]
            fn call(&self, inputs: &mut Inputs<'_>, spec: &BlockSpec) -> Result<Value, BlockError> {
                let mut ports = spec.inputs().iter();
                $(
                    let name = ports.next().map_or("", |port| port.name.as_str());
                    let $argument = $argument::from_input(inputs.take_optional(name))
                        .map_err(|problem| BlockError::input(name, problem))?;
                )*
                self($($argument),*).map(R::into_output)
            }
        }
    )*};
}

functions! {
    0: ;
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E G;
}

impl<F: BlockFunction<A, N>, A, const N: usize> FunctionBlock<F, A, N> {
    /// A block of this name whose inputs and output have these names; their types are those
    /// of the closure's arguments and result.
    pub fn new(name: impl Into<String>, inputs: [&str; N], output: &str, function: F) -> Self {
        let mut spec = BlockSpec::new(name);
        for (name, (port_type, required)) in inputs.into_iter().zip(F::inputs()) {
            spec = spec.input(name, port_type, u32::from(required)..=1);
        }
        Self { spec: spec.output(output, F::output()), function, arguments: PhantomData }
    }
}

impl<F: BlockFunction<A, N>, A: 'static, const N: usize> Block for FunctionBlock<F, A, N> {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        self.function.call(&mut inputs, &self.spec).map(Outputs::one)
    }
}
