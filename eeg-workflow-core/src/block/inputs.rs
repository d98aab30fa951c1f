//! What a block is given, and what it gives back.

use std::sync::Arc;

use smallvec::SmallVec;

use super::ledger::Charge;
use super::{BlockError, BlockSpec, Display, Number, Object, Value};

/// The place of one value on its way along one edge.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) value: Value,
    /// Gives the value's memory back when the last place that holds it is cleared.
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) charge: Option<Arc<Charge>>,
}

/// The values at a block's inputs. Taking a value out hands over this branch's share of it:
/// when no other branch needs it, the block holds it alone and may change it in place.
///
/// An input that the block does not declare is an error where there can be one; otherwise it is
/// empty, and panics with debug assertions.
#[derive(Debug)]
pub struct Inputs<'a> {
    spec: &'a BlockSpec,
    slots: &'a mut [Slot],
    /// The input port of each slot.
    ports: &'a [u16],
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(spec: &'a BlockSpec, slots: &'a mut [Slot], ports: &'a [u16]) -> Self {
        Self { spec, slots, ports }
    }

    /// The position of this input.
    fn index(&self, port: &str) -> Option<usize> {
        let index = self.spec.input_index(port);
        debug_assert!(index.is_some(), "block \"{}\" has no input \"{port}\"", self.spec.name());
        index
    }

    fn slots_of(&mut self, port: &str) -> impl Iterator<Item = &mut Slot> {
        let index = self.index(port);
        let ports = self.ports;
        self.slots
            .iter_mut()
            .zip(ports)
            .filter(move |(_, at)| index == Some(usize::from(**at)))
            .map(|(slot, _)| slot)
    }

    /// How many values are at this input.
    pub fn count(&self, port: &str) -> usize {
        let index = self.index(port);
        self.ports.iter().filter(|at| index == Some(usize::from(**at))).count()
    }

    /// Takes the first value at this input, if an edge joins it.
    pub fn take_optional(&mut self, port: &str) -> Option<Value> {
        self.slots_of(port).next().map(|slot| slot.value.take_native())
    }

    /// Takes the first value at this input.
    ///
    /// # Errors
    /// No edge joins the input, or the block does not declare it.
    pub fn take(&mut self, port: &str) -> Result<Value, BlockError> {
        if self.spec.input_index(port).is_none() {
            return Err(BlockError::input(port, "the block does not declare it"));
        }
        self.take_optional(port).ok_or_else(|| BlockError::input(port, "nothing is connected"))
    }

    /// Takes all values at this input, in the order of the workflow's edges.
    pub fn take_all(&mut self, port: &str) -> Vec<Value> {
        self.slots_of(port).map(|slot| slot.value.take_native()).collect()
    }

    /// Takes every value, with the name of its input, in the order of ports and edges. Objects
    /// that live in another process are handed over as they are, to be passed on.
    pub fn take_every(self) -> impl Iterator<Item = (&'a str, Value)> {
        let inputs = self.spec.inputs();
        self.slots.iter_mut().zip(self.ports).filter_map(move |(slot, at)| {
            let port = inputs.get(usize::from(*at))?;
            Some((port.name.as_str(), std::mem::take(&mut slot.value)))
        })
    }

    /// Takes the number at this input (a string that Python reads as a number is one).
    ///
    /// # Errors
    /// Nothing is connected, or what is there is not a number.
    pub fn number(&mut self, port: &str) -> Result<Number, BlockError> {
        let value = self.take(port)?;
        Number::from_value(&value).ok_or_else(|| wrong_type(port, "a number", &value))
    }

    /// Takes the number at this input as a float.
    ///
    /// # Errors
    /// As [`Inputs::number`].
    pub fn float(&mut self, port: &str) -> Result<f64, BlockError> {
        if let Some(Slot { value: Value::Float(float), .. }) = self.slots_of(port).next() {
            return Ok(*float);
        }
        Ok(self.number(port)?.to_f64())
    }

    /// Takes the object of type `T` at this input.
    ///
    /// # Errors
    /// Nothing is connected, or what is there is something else.
    pub fn object<T: Object>(&mut self, port: &str) -> Result<Arc<T>, BlockError> {
        let expected = std::any::type_name::<T>().rsplit("::").next().unwrap_or("object");
        self.take(port)?.downcast().map_err(|value| wrong_type(port, expected, &value))
    }
}

fn wrong_type(port: &str, expected: &str, value: &Value) -> BlockError {
    BlockError::input(port, format_args!("expected {expected}, got {}", value.type_name()))
}

/// A block's outputs, one value for each output port in the order of the spec, and what it
/// displays.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    pub(crate) values: SmallVec<[Value; 1]>,
    pub(crate) display: Option<Box<Display>>,
}

impl Outputs {
    /// No outputs: for a block that has no output ports.
    pub fn none() -> Self {
        Self::default()
    }

    /// The value of a block's only output.
    pub fn one(value: impl Into<Value>) -> Self {
        Self { values: SmallVec::from_buf([value.into()]), display: None }
    }

    /// The values of all outputs, in the order of the spec.
    pub fn all(values: impl IntoIterator<Item = Value>) -> Self {
        Self { values: values.into_iter().collect(), display: None }
    }

    /// Shows this beside the outputs.
    pub fn show(mut self, display: Display) -> Self {
        self.display = Some(Box::new(display));
        self
    }
}
