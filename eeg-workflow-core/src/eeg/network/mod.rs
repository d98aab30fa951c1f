//! Feed-forward networks: layers, gradients, optimisers, training.
//!
//! A network is described by a [`LayerChain`], a value that is built up layer by layer, and
//! trained by [`fit`] into a [`Network`]. The formulas and the defaults are those of Keras 3;
//! they are written for `f32` (what Keras computes in, and twice as fast) and `f64` alike.
//! One seed gives the same bits on any number of threads.

mod activation;
mod gradient;
mod layers;
mod optimizer;
mod random;
mod real;
mod train;
mod weights;

pub use activation::{Activation, UnknownActivation};
pub use gradient::{DenseGradient, loss_and_gradient};
pub use layers::{Layer, LayerChain, LayerError};
pub use optimizer::{Optimizer, Rule, UnknownOptimizer};
pub use real::Real;
pub use train::{EpochMetrics, Examples, FitOptions, History, Progress, TrainError, accuracy, fit};
pub use weights::{DenseLayer, Network, NetworkError};
