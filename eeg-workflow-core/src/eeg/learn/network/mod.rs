//! Feed-forward networks: layers, gradients, optimisers, training.
//!
//! A network is described by a [`LayerChain`], a value that is built up layer by layer, and
//! trained by [`fit`] into a [`Network`]. The formulas and the defaults are those of Keras 3;
//! they are written for `f32` (what Keras computes in, and twice as fast) and `f64` alike.
//! One seed gives the same bits on any number of threads.
//!
//! # Agreement
//! The worst deviations found by the tests, relative to the largest number of each comparison:
//!
//! | what | beside | worst |
//! |---|---|---|
//! | gradients, all activations | finite differences of the fourth order | 3e-11 |
//! | activations | Keras 3 in f64 | 2e-16 |
//! | five steps of each optimiser | Keras 3 in f64 | 0 |
//! | outputs of a network of two layers | Keras 3 in f64 | 2e-16 |
//! | accuracy of ten seeds after training | Keras 3 in f32 | 0.02 |
//! | wavelet features of the recordings | PyWavelets | 2e-16 |
//! | linear discriminants (coefficients, intercepts, probabilities) | scikit-learn | 1.4e-13 |
//! | means in time windows | MNE-Python | 1e-16 |
//! | splits, folds, labels | scikit-learn | equal |

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
