//! Activation functions, with the formulas of `keras.activations`.

use std::f64::consts::{FRAC_1_SQRT_2, PI};
use std::fmt;
use std::str::FromStr;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::real::{Real, erf};

/// What a layer does to its weighted sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `max(x, 0)`
    Relu,
    /// `e^x / Σ e^x` over the units of the layer.
    Softmax,
    /// `x` above 0, below it `e^x - 1`.
    Elu,
    /// `x` above 0, below it `0.2 x` (the slope of Keras 3; Keras 2 had 0.3).
    LeakyRelu,
    /// Elu, scaled so that means and variances hold through layers (Klambauer et al. 2017).
    Selu,
    /// `x Φ(x)` with the exact normal distribution (Hendrycks and Gimpel 2016).
    Gelu,
    /// `tanh x`
    Tanh,
    /// `x`
    Linear,
}

/// A name that no activation function has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no activation function {name:?}; there are {}", names())]
pub struct UnknownActivation {
    /// The name that was asked for.
    pub name: String,
}

fn names() -> String {
    Activation::ALL.map(Activation::name).join(", ")
}

impl Activation {
    /// All of them, in the order in which designers list them.
    pub const ALL: [Self; 9] = [
        Self::Sigmoid,
        Self::Relu,
        Self::Softmax,
        Self::Elu,
        Self::LeakyRelu,
        Self::Selu,
        Self::Gelu,
        Self::Tanh,
        Self::Linear,
    ];
    /// The slope of leaky-relu below 0.
    pub const LEAKY_SLOPE: f64 = 0.2;
    /// What elu is multiplied by below 0 to give selu, before [`Self::SELU_SCALE`].
    pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
    /// What selu multiplies everything by.
    pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

    /// The name in workflows, such as `leaky-relu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Softmax => "softmax",
            Self::Elu => "elu",
            Self::LeakyRelu => "leaky-relu",
            Self::Selu => "selu",
            Self::Gelu => "gelu",
            Self::Tanh => "tanh",
            Self::Linear => "linear",
        }
    }

    /// Applies the function to weighted sums, samples x units, in place.
    pub fn apply<F: Real>(self, mut sums: ArrayViewMut2<'_, F>) {
        if self == Self::Softmax {
            for mut row in sums.rows_mut() {
                let largest = row.iter().copied().fold(F::neg_infinity(), F::max);
                row.mapv_inplace(|x| (x - largest).exp());
                let total = row.sum();
                row.mapv_inplace(|x| x / total);
            }
        } else {
            sums.mapv_inplace(|x| self.value(x));
        }
    }

    /// Multiplies `delta`, the gradient by the outputs, by the function's derivative at the
    /// weighted sums: the gradient by the sums, samples x units, in place. `outputs` is what
    /// [`Self::apply`] made of the sums.
    pub(super) fn pull_back<F: Real>(
        self,
        sums: ArrayView2<'_, F>,
        outputs: ArrayView2<'_, F>,
        mut delta: ArrayViewMut2<'_, F>,
    ) {
        if self == Self::Softmax {
            for (mut delta, p) in delta.rows_mut().into_iter().zip(outputs.rows()) {
                let mean = delta.dot(&p);
                delta.zip_mut_with(&p, |d, p| *d = *p * (*d - mean));
            }
        } else {
            delta.zip_mut_with(&sums, |d, x| *d *= self.slope(*x));
        }
    }

    fn value<F: Real>(self, x: F) -> F {
        let (zero, one) = (F::zero(), F::one());
        match self {
            Self::Sigmoid => one / (one + (-x).exp()),
            // A NaN stays one, unlike through `max`.
            Self::Relu if x < zero => zero,
            Self::LeakyRelu if x < zero => x * F::of(Self::LEAKY_SLOPE),
            Self::Elu if x < zero => x.exp_m1(),
            Self::Selu if x < zero => x.exp_m1() * F::of(Self::SELU_SCALE * Self::SELU_ALPHA),
            Self::Selu => x * F::of(Self::SELU_SCALE),
            Self::Gelu => F::of(x.wide() * normal(x.wide())),
            Self::Tanh => x.tanh(),
            Self::Relu | Self::LeakyRelu | Self::Elu | Self::Softmax | Self::Linear => x,
        }
    }

    fn slope<F: Real>(self, x: F) -> F {
        let (zero, one) = (F::zero(), F::one());
        match self {
            Self::Sigmoid => {
                let y = self.value(x);
                y * (one - y)
            }
            Self::Relu if x <= zero => zero,
            Self::LeakyRelu if x <= zero => F::of(Self::LEAKY_SLOPE),
            Self::Elu if x < zero => x.exp(),
            Self::Selu if x < zero => x.exp() * F::of(Self::SELU_SCALE * Self::SELU_ALPHA),
            Self::Selu => F::of(Self::SELU_SCALE),
            Self::Gelu => {
                let x = x.wide();
                F::of(normal(x) + x * (-x * x / 2.0).exp() / (2.0 * PI).sqrt())
            }
            Self::Tanh => {
                let y = x.tanh();
                one - y * y
            }
            Self::Relu | Self::LeakyRelu | Self::Elu | Self::Softmax | Self::Linear => one,
        }
    }
}

/// The normal distribution's cumulative function.
fn normal(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * FRAC_1_SQRT_2))
}

impl FromStr for Activation {
    type Err = UnknownActivation;

    /// Reads a name in any case; `leaky_relu`, as Keras 3 spells it, is read too.
    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        let wanted = name.trim().to_ascii_lowercase().replace('_', "-");
        let found = Self::ALL.into_iter().find(|activation| activation.name() == wanted);
        found.ok_or_else(|| UnknownActivation { name: name.to_owned() })
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
