//! Training: batches, epochs, what is measured on the way.

use ndarray::{Array2, ArrayView2, Axis};

use super::gradient::{Pass, States, Then, loss};
use super::random::Random;
use super::{Activation, LayerChain, Network, NetworkError, Optimizer, Real};

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// The optimiser.
    pub optimizer: Optimizer,
    /// How often all examples are gone through.
    pub epochs: usize,
    /// How many examples make one step; 32 in Keras. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// What the initial weights, the order of the examples and dropout depend on.
    pub seed: u64,
}

/// Features, samples x features, and the class of each sample.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a, F> {
    /// Samples x features.
    pub features: ArrayView2<'a, F>,
    /// The class of each sample, counted from 0.
    pub classes: &'a [usize],
}

/// What one epoch of training came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochMetrics {
    /// The mean cross-entropy of the training examples, as they were met: with dropout, and
    /// while the weights changed.
    pub loss: f64,
    /// The share of training examples recognised, as they were met.
    pub accuracy: f64,
    /// Mean cross-entropy and accuracy of the validation examples after the epoch, if there are
    /// such examples.
    pub validation: Option<(f64, f64)>,
}

/// The metrics of the epochs, in order.
pub type History = Vec<EpochMetrics>;

/// How far training is. Given after each batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Batches done of all epochs.
    pub batches: usize,
    /// Batches there will be.
    pub of: usize,
    /// The epoch that this batch finished, counted from 1, and what it came to.
    pub finished: Option<(usize, EpochMetrics)>,
}

/// Why a network cannot be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The layers do not fit each other or the features.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// There is nothing to learn from.
    #[error("there are no examples to train on")]
    NoExamples,
    /// There is not one class for each sample.
    #[error("{samples} samples, but {classes} classes")]
    Examples {
        /// How many samples there are.
        samples: usize,
        /// How many classes are given.
        classes: usize,
    },
    /// A class that the network has no unit for.
    #[error(
        "class {class} of the examples (counted from 0) has no unit in the last layer, which has {units}"
    )]
    Class {
        /// The class.
        class: usize,
        /// Units of the last layer.
        units: usize,
    },
    /// A batch of no examples.
    #[error("a batch size of 0")]
    BatchSize,
    /// The last layer does not give probabilities.
    #[error(
        "the last layer's activation is {activation}: it must be softmax (or sigmoid) to give probabilities of classes"
    )]
    LastActivation {
        /// Its activation function.
        activation: Activation,
    },
    /// The loss is no longer a number.
    #[error(
        "the loss is {loss} in epoch {epoch}: a lower learning rate or scaled features may help"
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The mean loss of the batch.
        loss: f64,
    },
}

/// Trains a network of these layers by the cross-entropy of its outputs
/// (`keras.Model.fit(…, loss="categorical_crossentropy", shuffle=True)`), with initial weights
/// as [`Network::glorot_uniform`], or those that the layers bring along. Examples are put in a new order for each epoch. The dropout of
/// the last layer is left out: it would change the probabilities.
///
/// `step` is called after each batch; its error ends the training. The same options give the
/// same bits on any number of threads of the rayon pool that it runs in.
///
/// ```
/// use eeg_workflow_core::eeg::network::*;
/// use ndarray::array;
///
/// let features = array![[0.0, 1.0], [0.2, 0.9], [1.0, 0.1], [0.9, 0.0]];
/// let train = Examples { features: features.view(), classes: &[0, 0, 1, 1] };
/// let layers = LayerChain::default().with(Layer::new(2, Activation::Softmax, 0.0)?);
/// let optimizer = Optimizer { rule: Rule::Adam, learning_rate: 0.1 };
/// let options = FitOptions { optimizer, epochs: 50, batch_size: 32, seed: 1 };
/// let (network, history) = fit::<f64, TrainError>(&layers, train, None, &options, |_| Ok(()))?;
/// assert_eq!(history.len(), 50);
/// assert_eq!(accuracy(&network, train)?, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`TrainError`], and whatever `step` returns.
pub fn fit<F: Real, E: From<TrainError>>(
    layers: &LayerChain,
    train: Examples<'_, F>,
    validation: Option<Examples<'_, F>>,
    options: &FitOptions,
    mut step: impl FnMut(Progress) -> Result<(), E>,
) -> Result<(Network<F>, History), E> {
    let samples = train.classes.len();
    let batch_size = options.batch_size;
    check(layers, train, batch_size)?;
    let inputs = train.features.ncols();
    let mut network = match layers.weights() {
        Some(start) => start.convert(),
        None => Network::glorot_uniform(inputs, layers, options.seed).map_err(TrainError::from)?,
    };
    train.check(&network)?;
    validation.map_or(Ok(()), |examples| examples.check(&network))?;
    let mut dropout: Vec<f64> = layers.layers().iter().map(|layer| layer.dropout()).collect();
    dropout.pop();
    let mut states = States::new(&network, F::of(options.optimizer.initial()));
    let (mut order_random, mut dropout_random) =
        (Random::new(options.seed, 1), Random::new(options.seed, 2));
    let mut order: Vec<usize> = (0..samples).collect();
    let of = samples.div_ceil(batch_size).saturating_mul(options.epochs);
    let (mut batches, mut history) = (0, History::new());
    for epoch in 1..=options.epochs {
        order_random.shuffle(&mut order);
        let (mut lost, mut right, mut seen) = (0.0, 0, 0);
        for batch in order.chunks(batch_size) {
            let features = train.features.select(Axis(0), batch);
            let classes: Vec<usize> =
                batch.iter().filter_map(|i| train.classes.get(*i).copied()).collect();
            let drop = Some((&*dropout, &mut dropout_random));
            let pass = Pass::forward(&network, features.view(), drop);
            let (batch_loss, batch_right) = score(pass.outputs(), &classes);
            if !batch_loss.is_finite() {
                return Err(TrainError::Diverged { epoch, loss: batch_loss }.into());
            }
            batches += 1;
            let then = Then::Step(options.optimizer, batches as u64);
            pass.backward(&mut network, &classes, &mut states, &then);
            lost += batch_loss;
            right += batch_right;
            seen += classes.len();
            if seen < samples {
                step(Progress { batches, of, finished: None })?;
            }
        }
        let validation = match validation.filter(|examples| !examples.classes.is_empty()) {
            Some(examples) => {
                let outputs = network.predict(examples.features).map_err(TrainError::from)?;
                let (loss, right) = score(outputs.view(), examples.classes);
                let count = examples.classes.len() as f64;
                Some((loss / count, right as f64 / count))
            }
            None => None,
        };
        let count = samples as f64;
        let metrics =
            EpochMetrics { loss: lost / count, accuracy: right as f64 / count, validation };
        history.push(metrics);
        step(Progress { batches, of, finished: Some((epoch, metrics)) })?;
    }
    Ok((network, history))
}

fn check<F: Real>(
    layers: &LayerChain,
    train: Examples<'_, F>,
    batch_size: usize,
) -> Result<(), TrainError> {
    let last = layers.layers().last().ok_or(NetworkError::NoLayers)?;
    let activation = last.activation();
    if !matches!(activation, Activation::Softmax | Activation::Sigmoid) {
        return Err(TrainError::LastActivation { activation });
    }
    if train.classes.is_empty() {
        return Err(TrainError::NoExamples);
    }
    if batch_size == 0 { Err(TrainError::BatchSize) } else { Ok(()) }
}

impl<F: Real> Examples<'_, F> {
    fn check(self, network: &Network<F>) -> Result<(), TrainError> {
        let (samples, classes) = (self.features.nrows(), self.classes.len());
        if samples != classes {
            return Err(TrainError::Examples { samples, classes });
        }
        let (inputs, given) = (network.inputs(), self.features.ncols());
        if inputs != given {
            return Err(NetworkError::Inputs { layer: 1, inputs, given }.into());
        }
        let units = network.outputs();
        match self.classes.iter().copied().find(|class| *class >= units) {
            Some(class) => Err(TrainError::Class { class, units }),
            None => Ok(()),
        }
    }
}

/// The share of examples whose class is that of the unit with the greatest output; NaN without
/// examples.
///
/// # Errors
/// The examples do not fit the network.
pub fn accuracy<F: Real>(
    network: &Network<F>,
    examples: Examples<'_, F>,
) -> Result<f64, TrainError> {
    examples.check(network)?;
    let outputs: Array2<F> = network.predict(examples.features)?;
    let (_, right) = score(outputs.view(), examples.classes);
    Ok(right as f64 / examples.classes.len() as f64)
}

/// The sum of the losses, and how many classes were recognised.
fn score<F: Real>(outputs: ArrayView2<'_, F>, classes: &[usize]) -> (f64, usize) {
    let each = outputs.rows().into_iter().zip(classes).map(|(row, class)| {
        let right = super::super::validation::arg_max(row.iter().copied()) == Some(*class);
        (loss(row.iter(), *class), usize::from(right))
    });
    each.fold((0.0, 0), |(lost, right), (loss, own)| (lost + loss, right + own))
}
