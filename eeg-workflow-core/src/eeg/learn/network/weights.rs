//! A network with weights: what it computes of its inputs.

use ndarray::{Array1, Array2, ArrayView2, Axis, linalg::general_mat_mul, s};
use rayon::prelude::*;

use super::random::Random;
use super::{Activation, LayerChain, Real};
use crate::huge_pages;

/// How many weights, about 256 KiB, are worked on at once: they stay in a core's cache between
/// the steps. Not dependent on the number of threads, so that sums are always made in one order.
const CHUNK: usize = 1 << 16;
/// There are no more pieces than this, because each has sums of its own.
const MAX_CHUNKS: usize = 64;
/// How many samples are sent through the network at once.
const ROWS: usize = 256;

/// 256 MiB of f32; training takes three times as much.
const MAX_WEIGHTS: usize = 1 << 26;

/// A dense layer: `activation(x · weights + bias)`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer<F> {
    /// Inputs x units.
    pub weights: Array2<F>,
    /// One for each unit.
    pub bias: Array1<F>,
    /// What is done to the sums.
    pub activation: Activation,
}

/// Dense layers one after the other (`keras.Sequential` of `keras.layers.Dense`).
#[derive(Debug, Clone, PartialEq)]
pub struct Network<F> {
    layers: Vec<DenseLayer<F>>,
}

/// Layers that do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A network without layers.
    #[error("the network has no layers")]
    NoLayers,
    /// A layer without inputs or without units.
    #[error("layer {layer} has {inputs} inputs and {units} units")]
    Empty {
        /// The layer, counted from 1.
        layer: usize,
        /// Its inputs.
        inputs: usize,
        /// Its units.
        units: usize,
    },
    /// A layer needs another number of inputs than the one before has units.
    #[error("layer {layer} takes {inputs} inputs, but there are {given}")]
    Inputs {
        /// The layer, counted from 1.
        layer: usize,
        /// What it takes.
        inputs: usize,
        /// What there is.
        given: usize,
    },
    /// More weights than memory should hold.
    #[error("{weights} weights: a network may have {} of them", MAX_WEIGHTS)]
    TooLarge {
        /// How many weights there would be.
        weights: usize,
    },
    /// There is not one bias for each unit.
    #[error("layer {layer} has {units} units and {biases} biases")]
    Bias {
        /// The layer, counted from 1.
        layer: usize,
        /// Its units.
        units: usize,
        /// Its biases.
        biases: usize,
    },
}

impl<F: Real> Network<F> {
    /// A network of these layers.
    ///
    /// # Errors
    /// There are none, or they do not fit each other.
    pub fn new(layers: Vec<DenseLayer<F>>) -> Result<Self, NetworkError> {
        let Some(first) = layers.first() else {
            return Err(NetworkError::NoLayers);
        };
        let mut given = first.weights.nrows();
        for (layer, dense) in (1..).zip(&layers) {
            let ((inputs, units), biases) = (dense.weights.dim(), dense.bias.len());
            if inputs == 0 || units == 0 {
                return Err(NetworkError::Empty { layer, inputs, units });
            }
            if inputs != given {
                return Err(NetworkError::Inputs { layer, inputs, given });
            }
            if biases != units {
                return Err(NetworkError::Bias { layer, units, biases });
            }
            given = units;
        }
        let standard = |dense: DenseLayer<F>| DenseLayer {
            weights: dense.weights.as_standard_layout().into_owned(),
            ..dense
        };
        Ok(Self { layers: layers.into_iter().map(standard).collect() })
    }

    /// A network to be trained: weights drawn evenly from `±sqrt(6 / (inputs + units))`
    /// (`keras.initializers.GlorotUniform`; Glorot and Bengio 2010), biases of 0.
    ///
    /// # Errors
    /// No inputs or no layers, or more than 2^26 weights.
    pub fn glorot_uniform(
        inputs: usize,
        chain: &LayerChain,
        seed: u64,
    ) -> Result<Self, NetworkError> {
        let units = chain.layers().iter().map(|layer| layer.units());
        let sizes = [inputs].into_iter().chain(units.clone()).zip(units);
        let weights = sizes.fold(0_usize, |sum, (a, b)| sum.saturating_add(a.saturating_mul(b)));
        if weights > MAX_WEIGHTS {
            return Err(NetworkError::TooLarge { weights });
        }
        let mut random = Random::new(seed, 0);
        let mut inputs = inputs;
        let dense = |layer: &super::Layer| {
            let units = layer.units();
            let limit = (6.0 / (inputs + units) as f64).sqrt();
            let mut weights = Array2::zeros((inputs, units));
            huge_pages::advise(weights.as_slice_mut().unwrap_or_default());
            weights.mapv_inplace(|_: F| F::of((2.0 * random.uniform() - 1.0) * limit));
            inputs = units;
            DenseLayer { weights, bias: Array1::zeros(units), activation: layer.activation() }
        };
        Self::new(chain.layers().iter().map(dense).collect())
    }

    /// The same network in other floats.
    pub fn convert<G: Real>(&self) -> Network<G> {
        let convert = |value: &F| G::of(value.wide());
        let layer = |layer: &DenseLayer<F>| DenseLayer {
            weights: layer.weights.map(convert),
            bias: layer.bias.map(convert),
            activation: layer.activation,
        };
        Network { layers: self.layers.iter().map(layer).collect() }
    }

    /// Bytes of memory.
    pub fn byte_size(&self) -> usize {
        let parameters = |layer: &DenseLayer<F>| layer.weights.len() + layer.bias.len();
        self.layers.iter().map(parameters).sum::<usize>() * size_of::<F>()
    }

    /// The layers, from the input on.
    pub fn layers(&self) -> &[DenseLayer<F>] {
        &self.layers
    }

    pub(super) fn layers_mut(&mut self) -> &mut [DenseLayer<F>] {
        &mut self.layers
    }

    /// How many features it takes.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weights.nrows())
    }

    /// How many units the last layer has.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weights.ncols())
    }

    /// The outputs of the last layer, samples x units (`keras.Model.predict`), for features
    /// samples x features.
    ///
    /// # Errors
    /// [`NetworkError::Inputs`] when the features are not as many as the first layer takes.
    pub fn predict(&self, features: ArrayView2<'_, F>) -> Result<Array2<F>, NetworkError> {
        let (inputs, given) = (self.inputs(), features.ncols());
        if inputs != given {
            return Err(NetworkError::Inputs { layer: 1, inputs, given });
        }
        let mut out = Array2::zeros((features.nrows(), self.outputs()));
        for (rows, mut out) in
            features.axis_chunks_iter(Axis(0), ROWS).zip(out.axis_chunks_iter_mut(Axis(0), ROWS))
        {
            let mut values: Option<Array2<F>> = None;
            for layer in &self.layers {
                let input = values.as_ref().map_or(rows, |values| values.view());
                let mut sums = affine(input, layer);
                layer.activation.apply(sums.view_mut());
                values = Some(sums);
            }
            if let Some(values) = values {
                out.assign(&values);
            }
        }
        Ok(out)
    }
}

/// How many rows of a layer's weights are one piece of work.
pub(super) fn chunk_rows(inputs: usize, units: usize) -> usize {
    (CHUNK / units.max(1)).max(inputs.div_ceil(MAX_CHUNKS)).max(1)
}

/// `input · weights + bias`, samples x units. The parts of the product are made in parallel and
/// added in their order.
pub(super) fn affine<F: Real>(input: ArrayView2<'_, F>, layer: &DenseLayer<F>) -> Array2<F> {
    let mut sums = Array2::zeros((input.nrows(), layer.bias.len()));
    sums += &layer.bias;
    let rows = chunk_rows(layer.weights.nrows(), layer.bias.len());
    if layer.weights.nrows() <= rows {
        general_mat_mul(F::one(), &input, &layer.weights, F::one(), &mut sums);
        return sums;
    }
    let starts: Vec<usize> = (0..layer.weights.nrows()).step_by(rows).collect();
    let parts: Vec<Array2<F>> = starts
        .into_par_iter()
        .map(|start| {
            let end = (start + rows).min(layer.weights.nrows());
            input.slice(s![.., start..end]).dot(&layer.weights.slice(s![start..end, ..]))
        })
        .collect();
    for part in parts {
        sums += &part;
    }
    sums
}
