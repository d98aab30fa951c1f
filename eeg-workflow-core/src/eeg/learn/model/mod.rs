//! Trained models: what predicts, and the files that keep it.

mod onnx;
mod parts;
mod proto;
mod safetensors;

use std::sync::Arc;

use ndarray::Array2;

use crate::eeg::learn::network::{EpochMetrics, Layer, Network, NetworkError};
use crate::eeg::learn::validation::arg_max;
use crate::eeg::learn::{FeatureVectors, Lda};
pub use parts::ModelFileError;

/// A trained classifier of feature vectors, with the names of its classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    weights: Weights,
    class_labels: Vec<String>,
    history: Vec<EpochMetrics>,
    layers: Arc<[Layer]>,
}

/// The network behind a model, in the precision that it was trained in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Weights {
    /// 32 bits, as networks are trained.
    Single(Network<f32>),
    /// 64 bits, as linear classifiers are fitted.
    Double(Network<f64>),
}

/// What a model says of feature vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// The class of each vector: that of the greatest output.
    pub classes: Vec<usize>,
    /// The outputs of the last layer, vectors x classes: probabilities when it is a softmax.
    pub probabilities: Array2<f64>,
}

/// Why a model cannot be, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is not a label for each class.
    #[error("{labels} class labels for {classes} classes")]
    Labels {
        /// How many labels there are.
        labels: usize,
        /// How many classes the network tells apart.
        classes: usize,
    },
    /// The vectors have another number of features than the model was trained on.
    #[error("the vectors have {found} features, but the model was trained on {expected}")]
    Features {
        /// What the model takes.
        expected: usize,
        /// What the vectors have.
        found: usize,
    },
    /// The layers do not fit each other.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl Model {
    /// A model, with a label for each unit of the last layer.
    ///
    /// # Errors
    /// [`ModelError::Labels`].
    pub fn new(weights: Weights, class_labels: Vec<String>) -> Result<Self, ModelError> {
        let (labels, classes) = (class_labels.len(), weights.outputs());
        if labels != classes {
            return Err(ModelError::Labels { labels, classes });
        }
        Ok(Self { weights, class_labels, history: Vec::new(), layers: Arc::default() })
    }

    /// A linear classifier as a model.
    ///
    /// # Errors
    /// There is not a label for each class.
    pub fn from_lda(lda: Lda, class_labels: Vec<String>) -> Result<Self, ModelError> {
        Self::new(Weights::Double(lda.into_network()?), class_labels)
    }

    /// The same model, which remembers how it was trained.
    #[must_use]
    pub fn with_history(self, history: Vec<EpochMetrics>) -> Self {
        Self { history, ..self }
    }

    /// What each epoch of training came to; empty when the model was fitted at once, or read
    /// from a file.
    pub fn history(&self) -> &[EpochMetrics] {
        &self.history
    }

    /// The same model, which remembers the layers that it was trained from.
    #[must_use]
    pub fn with_layers(self, layers: &[Layer]) -> Self {
        Self { layers: layers.into(), ..self }
    }

    /// The layers that it was trained from, with their dropout; empty when it was not trained as
    /// a network, or was read from a file.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The network.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The name of each class.
    pub fn class_labels(&self) -> &[String] {
        &self.class_labels
    }

    /// How many features it takes.
    pub fn feature_count(&self) -> usize {
        match &self.weights {
            Weights::Single(network) => network.inputs(),
            Weights::Double(network) => network.inputs(),
        }
    }

    /// Classifies feature vectors (`keras.Model.predict`, or `predict_proba` of scikit-learn).
    ///
    /// # Errors
    /// [`ModelError::Features`].
    pub fn predict(&self, vectors: &FeatureVectors) -> Result<Predictions, ModelError> {
        let (expected, found) = (self.feature_count(), vectors.feature_count());
        if expected != found {
            return Err(ModelError::Features { expected, found });
        }
        let probabilities = match &self.weights {
            Weights::Single(network) => {
                let single = vectors.values().mapv(|v| v as f32);
                network.predict(single.view())?.mapv(f64::from)
            }
            Weights::Double(network) => network.predict(vectors.values())?,
        };
        let rows = probabilities.rows().into_iter();
        let classes = rows.map(|row| arg_max(row.iter().copied()).unwrap_or(0)).collect();
        Ok(Predictions { classes, probabilities })
    }

    /// The model as an ONNX file (opset 13, IR version 7), which onnxruntime opens: the input
    /// `features` (samples x features), the outputs `probabilities` (samples x classes: the
    /// outputs of the last layer) and `class` (the place of the greatest). Float tensors for
    /// [`Weights::Single`], double ones for [`Weights::Double`]. Its metadata hold `class_labels`
    /// and `input_shape` as JSON.
    pub fn to_onnx(&self) -> Vec<u8> {
        onnx::write(self)
    }

    /// The model as a safetensors file: `dense_1/weights` (inputs x units), `dense_1/bias` and so
    /// on, with the metadata of [`Self::to_onnx`].
    pub fn to_safetensors(&self) -> Vec<u8> {
        safetensors::write(self)
    }

    /// Reads what [`Self::to_onnx`] or [`Self::to_safetensors`] wrote; which of them is seen from
    /// the content. Memory is taken for what the file holds, never for what it announces.
    ///
    /// # Errors
    /// [`ModelFileError`]: the file is damaged, or from another program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelFileError> {
        // A safetensors file starts with the length of its header, and that with a brace.
        if bytes.get(8) == Some(&b'{') { safetensors::read(bytes) } else { onnx::read(bytes) }
    }

    /// Bytes of memory.
    pub fn byte_size(&self) -> usize {
        match &self.weights {
            Weights::Single(network) => network.byte_size(),
            Weights::Double(network) => network.byte_size(),
        }
    }
}

impl Weights {
    fn outputs(&self) -> usize {
        match self {
            Self::Single(network) => network.outputs(),
            Self::Double(network) => network.outputs(),
        }
    }
}
