//! What the file formats of models have in common: named tensors and named texts.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};

use crate::eeg::learn::network::{Activation, DenseLayer, Network, NetworkError, Real};
use crate::eeg::learn::{Model, ModelError, Weights};

pub(super) const CLASS_LABELS: &str = "class_labels";
pub(super) const INPUT_SHAPE: &str = "input_shape";
pub(super) const ACTIVATIONS: &str = "activations";

/// Why a model cannot be read from a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// Neither of the formats.
    #[error("neither a model in ONNX nor one in safetensors")]
    Format,
    /// The file is not a protocol buffer of ONNX.
    #[error("a damaged ONNX file")]
    Protobuf(#[from] prost::DecodeError),
    /// A JSON text in the file cannot be read.
    #[error("{what}: no JSON of the expected form")]
    Json {
        /// Where it stands.
        what: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The file ends early, or its parts lie outside of it.
    #[error("{what} is cut off or lies outside the file")]
    Truncated {
        /// What was looked for.
        what: String,
    },
    /// Something that such a model has is not there.
    #[error("there is no {what}: the file was not written as a model by this program")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// A tensor of another type or shape than it must have.
    #[error("tensor {name:?} has {found}, expected {expected}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// An activation function that is not known.
    #[error(transparent)]
    Activation(#[from] crate::eeg::network::UnknownActivation),
    /// The graph computes something else than its layers.
    #[error("the graph is not that of a chain of dense layers as this program writes it")]
    Graph,
    /// Layers that do not fit each other.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Labels that do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A float as files keep it.
pub(super) trait Stored: Real {
    /// Its number among the types of ONNX.
    const ONNX: i32;
    /// Its name in safetensors.
    const SAFETENSORS: &'static str;

    fn write(self, bytes: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Stored for f32 {
    const ONNX: i32 = 1;
    const SAFETENSORS: &'static str = "F32";

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl Stored for f64 {
    const ONNX: i32 = 11;
    const SAFETENSORS: &'static str = "F64";

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

/// The bytes of numbers, little-endian.
pub(super) fn bytes_of<'a, F: Stored>(values: impl Iterator<Item = &'a F>) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.for_each(|value| value.write(&mut bytes));
    bytes
}

/// A tensor in a file.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) double: bool,
    pub(super) shape: Vec<usize>,
    /// Little-endian, in standard layout.
    pub(super) bytes: &'a [u8],
}

/// The tensors of a network, in order: name, shape, bytes.
pub(super) fn tensors<F: Stored>(network: &Network<F>) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let layers = (1..).zip(network.layers());
    let both = |(number, layer): (usize, &DenseLayer<F>)| {
        let (inputs, units) = layer.weights.dim();
        [
            (weights_name(number), vec![inputs, units], bytes_of(layer.weights.iter())),
            (bias_name(number), vec![units], bytes_of(layer.bias.iter())),
        ]
    };
    layers.flat_map(both).collect()
}

/// The name of a layer's weights, layers counted from 1.
pub(super) fn weights_name(layer: usize) -> String {
    format!("dense_{layer}/weights")
}

/// The name of a layer's biases, layers counted from 1.
pub(super) fn bias_name(layer: usize) -> String {
    format!("dense_{layer}/bias")
}

/// The texts that go with a model.
pub(super) fn metadata(model: &Model) -> [(&'static str, String); 3] {
    fn activations<F: Real>(network: &Network<F>) -> Vec<&'static str> {
        network.layers().iter().map(|layer| layer.activation.name()).collect()
    }
    let activations = match &model.weights {
        Weights::Single(network) => activations(network),
        Weights::Double(network) => activations(network),
    };
    [
        (CLASS_LABELS, serde_json::json!(model.class_labels).to_string()),
        (INPUT_SHAPE, serde_json::json!([null, model.feature_count()]).to_string()),
        (ACTIVATIONS, serde_json::json!(activations).to_string()),
    ]
}

/// A model from what a file holds.
pub(super) fn assemble(
    metadata: &BTreeMap<&str, &str>,
    tensors: &BTreeMap<&str, Tensor<'_>>,
) -> Result<Model, ModelFileError> {
    let texts = |key: &'static str| -> Result<Vec<String>, ModelFileError> {
        let missing = || ModelFileError::Missing { what: format!("metadata entry {key:?}") };
        let text = metadata.get(key).ok_or_else(missing)?;
        serde_json::from_str(text).map_err(|source| ModelFileError::Json { what: key, source })
    };
    let activations = texts(ACTIVATIONS)?
        .iter()
        .map(|name| name.parse())
        .collect::<Result<Vec<Activation>, _>>()?;
    let first = weights_name(1);
    let missing = || ModelFileError::Missing { what: format!("tensor {first:?}") };
    let double = tensors.get(first.as_str()).ok_or_else(missing)?.double;
    let weights = if double {
        Weights::Double(network(&activations, tensors)?)
    } else {
        Weights::Single(network(&activations, tensors)?)
    };
    Ok(Model::new(weights, texts(CLASS_LABELS)?)?)
}

fn network<F: Stored>(
    activations: &[Activation],
    tensors: &BTreeMap<&str, Tensor<'_>>,
) -> Result<Network<F>, ModelFileError> {
    let layer = |(number, activation): (usize, &Activation)| {
        let (shape, values) = values::<F>(&weights_name(number), 2, tensors)?;
        let (rows, columns) = (shape.first().copied(), shape.get(1).copied());
        let shape = (rows.unwrap_or_default(), columns.unwrap_or_default());
        let (_, bias) = values_of_bias::<F>(number, tensors)?;
        // As many values as the shape says: `values` has checked it.
        let weights = Array2::from_shape_vec(shape, values).unwrap_or_default();
        Ok(DenseLayer { weights, bias, activation: *activation })
    };
    let layers = (1..).zip(activations).map(layer);
    Ok(Network::new(layers.collect::<Result<_, ModelFileError>>()?)?)
}

fn values_of_bias<F: Stored>(
    layer: usize,
    tensors: &BTreeMap<&str, Tensor<'_>>,
) -> Result<(Vec<usize>, Array1<F>), ModelFileError> {
    let (shape, values) = values(&bias_name(layer), 1, tensors)?;
    Ok((shape, values.into()))
}

/// Shape and values of a tensor of the given number of dimensions.
fn values<F: Stored>(
    name: &str,
    dimensions: usize,
    tensors: &BTreeMap<&str, Tensor<'_>>,
) -> Result<(Vec<usize>, Vec<F>), ModelFileError> {
    let missing = || ModelFileError::Missing { what: format!("tensor {name:?}") };
    let tensor = tensors.get(name).ok_or_else(missing)?;
    let wrong = |found: String, expected: String| {
        Err(ModelFileError::Tensor { name: name.to_owned(), found, expected })
    };
    let bits = |double: bool| format!("floats of {} bits", if double { 64 } else { 32 });
    let double = size_of::<F>() == size_of::<f64>();
    if tensor.double != double {
        return wrong(bits(tensor.double), bits(double));
    }
    if tensor.shape.len() != dimensions {
        let found = format!("{} dimensions", tensor.shape.len());
        return wrong(found, dimensions.to_string());
    }
    let sizes = tensor.shape.iter().chain([&size_of::<F>()]);
    let expected = sizes.copied().try_fold(1, usize::checked_mul);
    if expected != Some(tensor.bytes.len()) {
        let found = format!("{} bytes", tensor.bytes.len());
        return wrong(found, format!("the shape {:?}", tensor.shape));
    }
    let values = tensor.bytes.chunks_exact(size_of::<F>()).filter_map(F::read);
    Ok((tensor.shape.clone(), values.collect()))
}
