//! Optimisers, with the formulas and the defaults of `keras.optimizers` (Keras 3).

use std::fmt;
use std::str::FromStr;

use super::Real;

/// How weights follow their gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// `keras.optimizers.Adam` (Kingma and Ba 2014): β₁ 0.9, β₂ 0.999, ε 1e-7.
    Adam,
    /// `keras.optimizers.Adagrad` (Duchi et al. 2011): sums start at 0.1, ε 1e-7.
    Adagrad,
    /// `keras.optimizers.RMSprop` (Tieleman and Hinton 2012): ρ 0.9, ε 1e-7.
    Rmsprop,
    /// `keras.optimizers.SGD` without momentum.
    Sgd,
}

/// A name that no optimiser has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no optimizer {name:?}; there are adam, adagrad, rmsprop, sgd")]
pub struct UnknownOptimizer {
    /// The name that was asked for.
    pub name: String,
}

/// A rule with its learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// What the size of the steps is proportional to; see [`Rule::learning_rate`].
    pub learning_rate: f64,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const RHO: f64 = 0.9;
const EPSILON: f64 = 1e-7;

impl Optimizer {
    /// The rule with the learning rate of Keras.
    pub fn new(rule: Rule) -> Self {
        Self { rule, learning_rate: rule.learning_rate() }
    }

    /// What the second state of each weight is before the first step; the first state is 0.
    pub fn initial(self) -> f64 {
        if self.rule == Rule::Adagrad { 0.1 } else { 0.0 }
    }

    /// One step, numbered from 1: changes `weights` by their `gradient` and the two states that
    /// the optimiser keeps for each weight.
    ///
    /// - adam: `m += (g - m)(1 - β₁)`, `v += (g² - v)(1 - β₂)`,
    ///   `w -= m · lr · sqrt(1 - β₂ᵗ) / (1 - β₁ᵗ) / (sqrt(v) + ε)`; first is m, second v
    /// - adagrad: `a += g²`, `w -= lr · g / sqrt(a + ε)`; second is a
    /// - rmsprop: `v = ρ v + (1 - ρ) g²`, `w -= lr · g / sqrt(v + ε)`; second is v
    /// - sgd: `w -= lr · g`
    ///
    /// What is longer than `weights` is not looked at.
    pub fn step<F: Real>(
        self,
        step: u64,
        weights: &mut [F],
        gradient: &[F],
        first: &mut [F],
        second: &mut [F],
    ) {
        let epsilon = F::of(EPSILON);
        let rate = F::of(self.learning_rate);
        let each = weights.iter_mut().zip(gradient).zip(second);
        match self.rule {
            Rule::Adam => {
                let t = i32::try_from(step).unwrap_or(i32::MAX);
                let corrections = (1.0 - BETA_2.powi(t)).sqrt() / (1.0 - BETA_1.powi(t));
                let alpha = F::of(self.learning_rate * corrections);
                let (rest_1, rest_2) = (F::of(1.0 - BETA_1), F::of(1.0 - BETA_2));
                for (((w, g), v), m) in each.zip(first) {
                    *m += (*g - *m) * rest_1;
                    *v += (*g * *g - *v) * rest_2;
                    *w -= *m * alpha / (v.sqrt() + epsilon);
                }
            }
            Rule::Adagrad => {
                for ((w, g), a) in each {
                    *a += *g * *g;
                    *w -= rate * *g / (*a + epsilon).sqrt();
                }
            }
            Rule::Sgd => {
                for ((w, g), _) in each {
                    *w -= rate * *g;
                }
            }
            Rule::Rmsprop => {
                let (rho, rest) = (F::of(RHO), F::of(1.0 - RHO));
                for ((w, g), v) in each {
                    *v = rho * *v + rest * (*g * *g);
                    *w -= rate * *g / (*v + epsilon).sqrt();
                }
            }
        }
    }
}

impl Rule {
    /// The learning rate that Keras starts with: 0.01 for sgd, 0.001 for the others.
    pub fn learning_rate(self) -> f64 {
        if self == Self::Sgd { 1e-2 } else { 1e-3 }
    }
}

impl FromStr for Rule {
    type Err = UnknownOptimizer;

    fn from_str(name: &str) -> Result<Self, UnknownOptimizer> {
        match name.trim().to_ascii_lowercase().as_str() {
            "adam" => Ok(Self::Adam),
            "adagrad" => Ok(Self::Adagrad),
            "rmsprop" => Ok(Self::Rmsprop),
            "sgd" => Ok(Self::Sgd),
            _ => Err(UnknownOptimizer { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adam => "adam",
            Self::Adagrad => "adagrad",
            Self::Rmsprop => "rmsprop",
            Self::Sgd => "sgd",
        })
    }
}
