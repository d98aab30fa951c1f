//! The description of a network before it is trained.

use std::sync::Arc;

use super::{Activation, Network};

/// A dense layer and the dropout after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    units: usize,
    activation: Activation,
    dropout: f64,
}

/// A layer that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// No units, or more than any network here has.
    #[error("{units} units: a layer has 1 to {}", Layer::MAX_UNITS)]
    Units {
        /// How many were asked for.
        units: usize,
    },
    /// The share of dropped units is not from 0 to 1.
    #[error("a dropout of {dropout}: it is a fraction from 0 to 1")]
    Dropout {
        /// The share that was asked for.
        dropout: f64,
    },
}

impl Layer {
    /// The greatest number of units.
    pub const MAX_UNITS: usize = 65_536;

    /// `units` units; in training a share `dropout` of their outputs is set to 0 and the others
    /// are divided by `1 - dropout` (`keras.layers.Dense` and `keras.layers.Dropout`); a dropout
    /// of 1 drops all of them, as in Keras.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn new(units: usize, activation: Activation, dropout: f64) -> Result<Self, LayerError> {
        if !(1..=Self::MAX_UNITS).contains(&units) {
            return Err(LayerError::Units { units });
        }
        if !(0.0..=1.0).contains(&dropout) {
            return Err(LayerError::Dropout { dropout });
        }
        Ok(Self { units, activation, dropout })
    }

    /// How many units it has.
    pub fn units(self) -> usize {
        self.units
    }

    /// Its activation function.
    pub fn activation(self) -> Activation {
        self.activation
    }

    /// The share of outputs that training drops.
    pub fn dropout(self) -> f64 {
        self.dropout
    }
}

/// Layers one after the other: a value. Adding a layer makes a new chain and leaves the old one
/// as it was, so that one chain can be the start of several.
///
/// ```
/// use eeg_workflow_core::eeg::network::{Activation, Layer, LayerChain};
///
/// let start = LayerChain::default().with(Layer::new(64, Activation::Relu, 0.2)?);
/// let two = start.with(Layer::new(2, Activation::Softmax, 0.0)?);
/// let three = start.with(Layer::new(3, Activation::Softmax, 0.0)?);
/// assert_eq!(start.layers().len(), 1);
/// assert_eq!(two.layers()[1].units(), 2);
/// assert_eq!(three.layers()[1].units(), 3);
/// # Ok::<(), eeg_workflow_core::eeg::network::LayerError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerChain {
    layers: Arc<[Layer]>,
    weights: Option<Arc<Network<f32>>>,
}

impl LayerChain {
    /// This chain with one more layer; without weights, which would be those of another network.
    #[must_use]
    pub fn with(&self, layer: Layer) -> Self {
        Self { layers: self.layers.iter().copied().chain([layer]).collect(), weights: None }
    }

    /// This chain with weights for its layers to start from: those of a network that was built or
    /// trained elsewhere.
    #[must_use]
    pub fn with_weights(self, weights: Network<f32>) -> Self {
        Self { weights: Some(Arc::new(weights)), ..self }
    }

    /// The layers, from the input on.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The weights that training starts from; none where they are to be drawn.
    pub fn weights(&self) -> Option<&Network<f32>> {
        self.weights.as_deref()
    }

    /// Bytes of memory.
    pub fn byte_size(&self) -> usize {
        let weights = self.weights.as_ref().map_or(0, |network| network.byte_size());
        size_of_val(&*self.layers) + weights
    }
}
