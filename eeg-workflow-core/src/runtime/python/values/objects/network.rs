//! Networks as the fields that cross: their layers, and the weights if they have any.
//! `networks.py` makes models of Keras of them.

use std::any::Any;
use std::io;

use ndarray::{Ix1, Ix2};
use serde_json::{Value as Json, json};

use super::super::arrays::Arrays;
use super::FieldMap;
use super::decode::{Fields, list, wrong};
use crate::block::{Object, Value};
use crate::eeg::network::{Activation, DenseLayer, Layer, LayerChain, Network, Real};
use crate::eeg::{Model, Weights};

/// Layers to be trained.
pub(super) fn of_layers(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    let chain: &LayerChain = (object as &dyn Any).downcast_ref()?;
    let layers = described(chain.layers());
    Some(match chain.weights() {
        Some(network) => with_weights(layers, network, arrays),
        None => Ok(json!({ "layers": layers })),
    })
}

/// A trained model.
pub(super) fn of_model(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    let model: &Model = (object as &dyn Any).downcast_ref()?;
    Some(match model.weights() {
        Weights::Single(network) => fields(model, network, false, arrays),
        Weights::Double(network) => fields(model, network, true, arrays),
    })
}

/// Units, activation and dropout of each.
fn described(layers: &[Layer]) -> Json {
    let layer = |l: &Layer| json!([l.units(), l.activation().name(), l.dropout()]);
    layers.iter().map(layer).collect()
}

fn fields<F: Real>(
    model: &Model,
    network: &Network<F>,
    double: bool,
    arrays: &mut Arrays,
) -> io::Result<Json> {
    let layers = match model.layers() {
        // It was not made of such layers, which have a dropout.
        [] => {
            let layer = |l: &DenseLayer<F>| json!([l.bias.len(), l.activation.name(), Json::Null]);
            network.layers().iter().map(layer).collect()
        }
        layers => described(layers),
    };
    let mut fields = with_weights(layers, network, arrays)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("labels".to_owned(), model.class_labels().into());
        fields.insert("double".to_owned(), double.into());
    }
    Ok(fields)
}

fn with_weights<F: Real>(
    layers: Json,
    network: &Network<F>,
    arrays: &mut Arrays,
) -> io::Result<Json> {
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for layer in network.layers() {
        let (inputs, units) = layer.weights.dim();
        let wide: Vec<f64> = layer.weights.iter().map(|weight| weight.wide()).collect();
        weights.push(arrays.add(&[inputs, units], |write| write(0, &wide))?);
        let wide: Vec<f64> = layer.bias.iter().map(|bias| bias.wide()).collect();
        biases.push(arrays.add(&[units], |write| write(0, &wide))?);
    }
    Ok(json!({ "layers": layers, "weights": weights, "biases": biases }))
}

/// Layers; a model where it was one before it went to Python, and so has names of classes.
pub(super) fn decode(fields: FieldMap) -> Result<Value, String> {
    let mut fields = Fields(fields);
    let layers = fields.take("layers")?;
    let layers: Vec<Layer> =
        list("layers", &layers)?.iter().map(layer).collect::<Result<_, _>>()?;
    let chain = layers.iter().fold(LayerChain::default(), |chain, layer| chain.with(*layer));
    let weights = match fields.take("weights")? {
        Value::None => return Ok(Value::object(chain)),
        weights => list("weights", &weights)?,
    };
    let biases = fields.take("biases")?;
    let biases = list("biases", &biases)?;
    let (count, w, b) = (layers.len(), weights.len(), biases.len());
    if count != w || count != b {
        return Err(format!("{count} layers, but {w} weights and {b} biases"));
    }
    let parts = || layers.iter().zip(weights.iter()).zip(biases.iter());
    let double = fields.take("double")? == Value::Bool(true);
    let labels = match fields.take("labels")? {
        Value::None => {
            let network = network(parts(), |value| value as f32)?;
            return Ok(Value::object(chain.with_weights(network)));
        }
        labels => list("labels", &labels)?,
    };
    let weights = if double {
        Weights::Double(network(parts(), |value| value)?)
    } else {
        Weights::Single(network(parts(), |value| value as f32)?)
    };
    let text = |label: &Value| match label {
        Value::Text(text) => Ok(text.to_string()),
        other => Err(wrong("label", other)),
    };
    let labels = labels.iter().map(text).collect::<Result<_, _>>()?;
    let model = Model::new(weights, labels).map_err(|error| error.to_string())?;
    Ok(Value::object(model.with_layers(&layers)))
}

fn layer(value: &Value) -> Result<Layer, String> {
    let parts = list("layer", value)?;
    let [Value::Integer(units), Value::Text(activation), dropout] = parts.as_slice() else {
        return Err(wrong("layer", value));
    };
    let dropout = match dropout {
        Value::Integer(0) => 0.0,
        Value::Integer(1) => 1.0,
        Value::Float(dropout) => *dropout,
        other => return Err(wrong("dropout", other)),
    };
    let activation: Activation = activation.parse().map_err(|error| format!("{error}"))?;
    let units = usize::try_from(*units).unwrap_or_default();
    Layer::new(units, activation, dropout).map_err(|error| error.to_string())
}

/// A network of layers, weights and biases, their floats converted.
fn network<'a, F: Real>(
    parts: impl Iterator<Item = ((&'a Layer, &'a Value), &'a Value)>,
    convert: impl Fn(f64) -> F,
) -> Result<Network<F>, String> {
    let dense = |((layer, weights), bias): ((&Layer, &Value), &Value)| {
        let (Value::Array(weights), Value::Array(bias)) = (weights, bias) else {
            return Err(wrong("weights", weights));
        };
        let weights = weights.view().into_dimensionality::<Ix2>();
        let bias = bias.view().into_dimensionality::<Ix1>();
        let (Ok(weights), Ok(bias)) = (weights, bias) else {
            return Err("weights of another shape than inputs x units, or biases".to_owned());
        };
        if weights.ncols() != layer.units() {
            let (units, found) = (layer.units(), weights.ncols());
            return Err(format!("weights of {found} units in a layer of {units}"));
        }
        let (weights, bias) = (weights.mapv(&convert), bias.mapv(&convert));
        Ok(DenseLayer { weights, bias, activation: layer.activation() })
    };
    Network::new(parts.map(dense).collect::<Result<_, _>>()?).map_err(|error| error.to_string())
}
