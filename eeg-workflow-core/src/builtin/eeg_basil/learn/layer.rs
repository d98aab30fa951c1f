//! The block that adds a layer to a network.

use super::{MODEL, whole};
use crate::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType, Value};
use crate::builtin::eeg_basil::float_in_text;
use crate::eeg::network::{Activation, Layer, LayerChain, LayerError};

const UNITS: &str = "Number of Units";
const ACTIVATION: &str = "Activation Function";
const DROPOUT: &str = "Dropout";

/// Adds a dense layer, with the dropout after it, to the layers before.
pub(super) struct NeuralNetworkLayer(BlockSpec);

impl NeuralNetworkLayer {
    pub(super) fn new() -> Self {
        let activations =
            "Either, 'sigmoid', 'relu', 'softmax', 'elu', 'leaky-relu', 'selu' or 'gelu'";
        let spec = BlockSpec::new("NeuralNetworkLayer")
            .with_family("Classification")
            .with_help("Adds a fully connected layer to a network, with a dropout before it")
            .input(MODEL, PortType::MODEL, 0..=1)
            .parameter(UNITS, PortType::NUMBER, "", "Must be an Integer")
            .parameter(ACTIVATION, PortType::STRING, "relu", activations)
            .parameter(DROPOUT, PortType::STRING, "0", "Fraction of the input units to drop")
            .output(MODEL, PortType::MODEL);
        Self(spec)
    }
}

impl Block for NeuralNetworkLayer {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let before = match inputs.take_optional(MODEL) {
            None => LayerChain::default(),
            Some(value) => {
                let problem = |value: Value| format!("expected layers, got {}", value.type_name());
                let layers = value.downcast::<LayerChain>();
                let layers = layers.map_err(|value| BlockError::input(MODEL, problem(value)))?;
                if layers.weights().is_some() {
                    cx.log("the layers before have weights, which are not kept with one more");
                }
                LayerChain::clone(&layers)
            }
        };
        let missing = || BlockError::parameter(UNITS, "a number of units is needed");
        let units = whole(cx, UNITS, 1)?.ok_or_else(missing)?;
        let name = cx.text(ACTIVATION);
        let activation = match name.trim() {
            "" | "None" => Ok(Activation::Relu),
            name => name.parse(),
        };
        let activation = activation.map_err(|error| BlockError::parameter(ACTIVATION, error))?;
        let dropout = float_in_text(cx, DROPOUT)?.unwrap_or(0.0);
        let layer = Layer::new(units as usize, activation, dropout);
        let layer = layer.map_err(|error| match error {
            LayerError::Dropout { .. } => BlockError::parameter(DROPOUT, error),
            _ => BlockError::parameter(UNITS, error),
        })?;
        Ok(Outputs::one(Value::object(before.with(layer))))
    }
}
