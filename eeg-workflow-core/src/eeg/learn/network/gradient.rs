//! Back-propagation: the cross-entropy of a batch, its gradient, and what is done with it.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::random::Random;
use super::weights::{affine, chunk_rows};
use super::{Activation, Network, NetworkError, Optimizer, Real};
use crate::huge_pages;

/// Probabilities are kept this far from 0 and 1, as in Keras.
const CLIP: f64 = 1e-7;

/// The gradient of the loss by the parameters of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseGradient<F> {
    /// By the weights, inputs x units.
    pub weights: Array2<F>,
    /// By the biases.
    pub bias: Array1<F>,
}

/// The mean cross-entropy of a batch (`keras.losses.CategoricalCrossentropy`: the outputs of a
/// sample are divided by their sum and kept within 1e-7 of 0 and 1) and its gradient by all
/// parameters, without dropout. `features` are samples x features, `classes` one for each
/// sample. A class that the network has no unit for counts as certain.
///
/// # Errors
/// [`NetworkError::Inputs`] when the features are not as many as the first layer takes.
pub fn loss_and_gradient<F: Real>(
    network: &Network<F>,
    features: ArrayView2<'_, F>,
    classes: &[usize],
) -> Result<(f64, Vec<DenseGradient<F>>), NetworkError> {
    let (inputs, given) = (network.inputs(), features.ncols());
    if inputs != given {
        return Err(NetworkError::Inputs { layer: 1, inputs, given });
    }
    let pass = Pass::forward(network, features, None);
    let outputs = pass.outputs();
    let losses = classes.iter().zip(outputs.rows()).map(|(class, row)| loss(row.iter(), *class));
    let loss = losses.sum::<f64>() / classes.len() as f64;
    let mut states = States::new(network, F::zero());
    pass.backward(&mut network.clone(), classes, &mut states, &Then::Keep);
    let gradients = states.0.into_iter().zip(network.layers()).map(|(state, layer)| {
        let weights = Array2::from_shape_vec(layer.weights.dim(), state.weights.first);
        // The shape is that of the layer.
        DenseGradient { weights: weights.unwrap_or_default(), bias: state.bias.first.into() }
    });
    Ok((loss, gradients.collect()))
}

/// The cross-entropy of one sample.
pub(super) fn loss<'a, F: Real>(outputs: impl Iterator<Item = &'a F>, class: usize) -> f64 {
    let (mut total, mut own) = (0.0, None);
    for (unit, output) in outputs.enumerate() {
        total += output.wide();
        if unit == class {
            own = Some(output.wide());
        }
    }
    let share = own.map_or(1.0, |own| own / total);
    // A NaN stays one.
    -share.clamp(CLIP, 1.0 - CLIP).ln()
}

/// What an optimiser remembers of every parameter.
pub(super) struct States<F>(Vec<LayerStates<F>>);

struct LayerStates<F> {
    weights: Pair<F>,
    bias: Pair<F>,
}

struct Pair<F> {
    first: Vec<F>,
    second: Vec<F>,
}

impl<F: Real> States<F> {
    pub(super) fn new(network: &Network<F>, second: F) -> Self {
        let filled = |n, value| {
            let mut all = Vec::with_capacity(n);
            huge_pages::advise(all.spare_capacity_mut());
            all.resize(n, value);
            all
        };
        let pair = |n| Pair { first: filled(n, F::zero()), second: filled(n, second) };
        let layer = |layer: &super::DenseLayer<F>| LayerStates {
            weights: pair(layer.weights.len()),
            bias: pair(layer.bias.len()),
        };
        Self(network.layers().iter().map(layer).collect())
    }
}

/// What becomes of a gradient.
pub(super) enum Then {
    /// It is kept as the first state.
    Keep,
    /// The optimiser makes its step of this number.
    Step(Optimizer, u64),
}

impl Then {
    fn apply<F: Real>(&self, weights: &mut [F], gradient: &[F], first: &mut [F], second: &mut [F]) {
        match self {
            Self::Keep => first.iter_mut().zip(gradient).for_each(|(kept, g)| *kept = *g),
            Self::Step(optimizer, step) => optimizer.step(*step, weights, gradient, first, second),
        }
    }
}

/// What a batch was on its way through the network.
pub(super) struct Pass<'a, F> {
    features: ArrayView2<'a, F>,
    layers: Vec<Passed<F>>,
}

struct Passed<F> {
    sums: Array2<F>,
    /// Before dropout.
    outputs: Array2<F>,
    /// After dropout, with the factors that made them; None without dropout.
    dropped: Option<(Array2<F>, Array2<F>)>,
}

impl<F: Real> Passed<F> {
    fn next_input(&self) -> ArrayView2<'_, F> {
        self.dropped.as_ref().map_or(self.outputs.view(), |(outputs, _)| outputs.view())
    }
}

impl<'a, F: Real> Pass<'a, F> {
    /// Sends a batch, samples x features, through the network; with dropout of these shares, one
    /// a layer, when they are given.
    pub(super) fn forward(
        network: &Network<F>,
        features: ArrayView2<'a, F>,
        mut dropout: Option<(&[f64], &mut Random)>,
    ) -> Self {
        let mut layers: Vec<Passed<F>> = Vec::with_capacity(network.layers().len());
        for (place, layer) in network.layers().iter().enumerate() {
            let input = layers.last().map_or(features, Passed::next_input);
            let sums = affine(input, layer);
            let mut outputs = sums.clone();
            layer.activation.apply(outputs.view_mut());
            let dropped = dropout.as_mut().and_then(|(shares, random)| {
                let share = shares.get(place).copied().filter(|share| *share > 0.0)?;
                let factors = dropout_factors(outputs.dim(), share, random);
                Some((&outputs * &factors, factors))
            });
            layers.push(Passed { sums, outputs, dropped });
        }
        Self { features, layers }
    }

    /// The outputs of the last layer, samples x units.
    pub(super) fn outputs(&self) -> ArrayView2<'_, F> {
        self.layers.last().map_or(self.features, |last| last.outputs.view())
    }

    /// Goes back from the last layer to the first. Each piece of the weights is multiplied for
    /// the layer before, its gradient made and used at once, so that weights, gradient and
    /// states are in the cache together; pieces are independent of each other.
    pub(super) fn backward(
        &self,
        network: &mut Network<F>,
        classes: &[usize],
        states: &mut States<F>,
        then: &Then,
    ) {
        let last = network.layers().last().map(|layer| layer.activation);
        let mut delta = self.gradient_of_loss(classes, last);
        // Through softmax and cross-entropy together it comes out by the sums at once.
        let mut by_sums = last == Some(Activation::Softmax);
        let layers = network.layers_mut().iter_mut().zip(&mut states.0).zip(&self.layers);
        for (place, ((layer, state), passed)) in layers.enumerate().rev() {
            if !by_sums {
                let (sums, outputs) = (passed.sums.view(), passed.outputs.view());
                layer.activation.pull_back(sums, outputs, delta.view_mut());
            }
            by_sums = false;
            let before = place.checked_sub(1).and_then(|before| self.layers.get(before));
            let input = before.map_or(self.features, Passed::next_input);
            let (inputs, units) = layer.weights.dim();
            let rows = chunk_rows(inputs, units);
            let Some(weights) = layer.weights.as_slice_mut() else {
                return; // Weights are in standard layout: `Network::new` makes them so.
            };
            let pieces = weights
                .par_chunks_mut(rows * units)
                .zip(state.weights.first.par_chunks_mut(rows * units))
                .zip(state.weights.second.par_chunks_mut(rows * units));
            let parts: Vec<Option<Array2<F>>> = pieces
                .enumerate()
                .map(|(piece, ((weights, first), second))| {
                    let start = piece * rows;
                    let end = start + weights.len() / units;
                    let part = before.and_then(|_| {
                        let chunk = ArrayView2::from_shape((end - start, units), &*weights).ok()?;
                        Some(delta.dot(&chunk.t()))
                    });
                    let gradient = input.slice(s![.., start..end]).t().dot(&delta);
                    // `dot` may choose the other layout for its result.
                    let gradient = gradient.as_standard_layout();
                    then.apply(weights, gradient.as_slice().unwrap_or_default(), first, second);
                    part
                })
                .collect();
            let of_bias = delta.sum_axis(Axis(0));
            if let (Some(bias), Some(gradient)) = (layer.bias.as_slice_mut(), of_bias.as_slice()) {
                then.apply(bias, gradient, &mut state.bias.first, &mut state.bias.second);
            }
            if let Some(before) = before {
                delta = Array2::zeros((delta.nrows(), inputs));
                let columns = delta.axis_chunks_iter_mut(Axis(1), rows);
                for (mut columns, part) in columns.zip(parts.iter().flatten()) {
                    columns.assign(part);
                }
                if let Some((_, factors)) = &before.dropped {
                    delta *= factors;
                }
            }
        }
    }

    /// The gradient of the mean loss by the last layer's outputs; by its sums if it is a softmax.
    fn gradient_of_loss(&self, classes: &[usize], last: Option<Activation>) -> Array2<F> {
        let mut delta = self.outputs().to_owned();
        let share = F::one() / F::of(classes.len() as f64);
        for (mut row, class) in delta.rows_mut().into_iter().zip(classes) {
            if last == Some(Activation::Softmax) {
                // p - y
                if let Some(own) = row.get_mut(*class) {
                    *own -= F::one();
                }
                row.mapv_inplace(|d| d * share);
                continue;
            }
            // -ln(o_y / Σ o): 1 / Σ o, and for the own class - 1 / o_y more; nothing where
            // the probability was clipped.
            let total = row.sum();
            let own = row.get(*class).copied().unwrap_or(total);
            let clipped = !(CLIP..=1.0 - CLIP).contains(&(own / total).wide());
            let each = if clipped { F::zero() } else { share / total };
            row.fill(each);
            if let (Some(of_own), false) = (row.get_mut(*class), clipped) {
                *of_own -= share / own;
            }
        }
        delta
    }
}

/// 0 for a share of the units, for the others what makes up for them (inverted dropout).
fn dropout_factors<F: Real>(shape: (usize, usize), share: f64, random: &mut Random) -> Array2<F> {
    let kept = F::of(1.0 / (1.0 - share));
    Array2::from_shape_fn(shape, |_| if random.uniform() < share { F::zero() } else { kept })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::eeg::learn::network::DenseLayer;

    #[test]
    fn dropout_drops_its_share_and_keeps_the_mean_forward_and_back() {
        let factors: Array2<f64> = dropout_factors((500, 400), 0.2, &mut Random::new(7, 2));
        assert!(factors.iter().all(|f| *f == 0.0 || *f == 1.25));
        let mean = factors.sum() / factors.len() as f64;
        assert!((mean - 1.0).abs() < 0.005, "{mean}");

        // A unit that was dropped has no gradient, one that was kept has it multiplied.
        let first = DenseLayer {
            weights: Array2::from_elem((1, 20), 0.5),
            bias: Array1::zeros(20),
            activation: Activation::Relu,
        };
        let last = DenseLayer {
            weights: Array2::from_shape_fn((20, 2), |(i, j)| (i + j * 20) as f64 * 0.01),
            bias: Array1::zeros(2),
            activation: Activation::Softmax,
        };
        let mut network = Network::new(vec![first, last]).unwrap();
        let features = Array2::from_elem((1, 1), 2.0);
        let shares = [0.5, 0.0];
        let random = &mut Random::new(3, 2);
        let pass = Pass::forward(&network, features.view(), Some((&shares, random)));
        let (outputs, factors) = pass.layers[0].dropped.clone().unwrap();
        assert_eq!(outputs, factors);
        let p = pass.outputs()[(0, 0)];
        let mut states = States::new(&network, 0.0);
        pass.backward(&mut network, &[0], &mut states, &Then::Keep);
        for (unit, gradient) in states.0[0].weights.first.iter().enumerate() {
            let weights = network.layers()[1].weights.row(unit);
            let expected = 2.0 * factors[(0, unit)] * (p - 1.0) * (weights[0] - weights[1]);
            assert!((gradient - expected).abs() < 1e-12, "{gradient} {expected}");
        }
    }
}
