//! The block that trains a network.

use std::fmt::Write;

use ndarray::{Array2, Axis};

use super::{FEATURE_VECTOR, MODEL, classes, float, whole};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::network::{
    self, Examples, FitOptions, LayerChain, NetworkError, Optimizer, Progress, Rule, TrainError,
};
use crate::eeg::{
    FeatureVectors, Model, Split, SplitError, Standardization, Weights, confusion_matrix,
    train_test_split,
};

const OPTIMIZER: &str = "Optimizer";
const TEST_SIZE: &str = "Test Size";
const EPOCHS: &str = "Number of Epochs";
const CLASSES: &str = "Number of Classes";
const LEARNING_RATE: &str = "Learning Rate";
const BATCH_SIZE: &str = "Batch Size";
const SEED: &str = "Seed";
const STANDARDIZE: &str = "Standardize";
/// The maximum number of epochs that the log tells of, evenly spread over all of them.
const LINES: usize = 200;
/// Of the split, as in scikit-learn's examples and the Python module.
const SPLIT_SEED: u32 = 42;

/// Splits labelled vectors, trains a network of the connected layers on one part and tests it
/// on the other.
pub(super) struct NeuralNetworkClassifier(BlockSpec);

impl NeuralNetworkClassifier {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("NeuralNetworkClassifier")
            .with_family("Classification")
            .with_help(
                "Trains the network on feature vectors and tests it on those that are left out",
            )
            .input(MODEL, PortType::MODEL, 0..=1)
            .input(FEATURE_VECTOR, PortType::FEATURE_VECTOR, 0..=1)
            .parameter(OPTIMIZER, PortType::STRING, "adam", "Either, 'adam', 'adagrad', 'rmsprop'")
            .parameter(TEST_SIZE, PortType::NUMBER, "0.33", "Test Train Split. Ratio of test size")
            .parameter(EPOCHS, PortType::NUMBER, "100", "")
            .described("How often training goes through all vectors")
            .parameter(CLASSES, PortType::NUMBER, "", "Number of Classification classes")
            .output(MODEL, PortType::MODEL)
            .parameter(
                LEARNING_RATE,
                PortType::NUMBER,
                "",
                "If left empty, that of Keras: 0.01 for sgd, else 0.001",
            )
            .parameter(BATCH_SIZE, PortType::NUMBER, "32", "Vectors that make one step")
            .parameter(
                SEED,
                PortType::NUMBER,
                "0",
                "What weights, order and dropout depend on; the same seed gives the same model",
            )
            .parameter(
                STANDARDIZE,
                PortType::BOOLEAN,
                "",
                "Whether features are scaled to mean 0 and standard deviation 1; the model does it \
                 with what it is given later",
            );
        Self(spec)
    }
}

impl Block for NeuralNetworkClassifier {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let layers = inputs.take_optional(MODEL).ok_or_else(|| {
            BlockError::input(MODEL, "no layers are connected: NeuralNetworkLayer blocks make them")
        })?;
        let layers = layers.downcast::<LayerChain>().map_err(|value| {
            let what = value.type_name();
            BlockError::input(MODEL, format_args!("expected layers to train, got {what}"))
        })?;
        let vectors = inputs.object::<FeatureVectors>(FEATURE_VECTOR)?;
        let classes = classes(&vectors)?;
        let labels = class_labels(cx, &layers, &vectors)?;
        let options = options(cx)?;
        let split = split(cx, vectors.len())?;

        let part = |samples: &[usize]| -> (Array2<f32>, Vec<usize>) {
            let features = vectors.values().select(Axis(0), samples).mapv(|v| v as f32);
            (features, samples.iter().filter_map(|i| classes.get(*i).copied()).collect())
        };
        let (mut train, mut test) = (part(&split.train), part(&split.test));
        let scale = cx.boolean(STANDARDIZE).then(|| Standardization::of(train.0.view()));
        if let Some(scale) = &scale {
            scale.apply(train.0.view_mut());
            scale.apply(test.0.view_mut());
        }
        let train = Examples { features: train.0.view(), classes: &train.1 };
        let test = Examples { features: test.0.view(), classes: &test.1 };
        if layers.layers().last().is_some_and(|last| last.dropout() > 0.0) {
            cx.log("the dropout of the last layer is left out: it would change the probabilities");
        }
        let step = |progress: Progress| -> Result<(), Stopped> {
            report(cx, &options, progress);
            cx.check().map_err(Stopped)
        };
        let (network, history) = network::fit(&layers, train, Some(test), &options, step)
            .map_err(|Stopped(error)| error)?;

        let accuracy = |examples| {
            network::accuracy(&network, examples).map_err(|error| Stopped::from(error).0)
        };
        let mut text = format!(
            "Training Accuracy: {}\nValidation Accuracy: {}\nNo. of Training Samples: {}\n",
            float(accuracy(train)?),
            float(accuracy(test)?),
            split.train.len(),
        );
        if let Some(last) = history.last() {
            tell_chance(cx, train, last.loss);
        }
        let network = match scale {
            Some(scale) => scale.undone_by(&network).map_err(BlockError::from_error)?,
            None => network,
        };
        let model = Model::new(Weights::Single(network), labels).map_err(BlockError::from_error)?;
        let (features, truth) = part(&split.test);
        text.push_str(&confusion(&model, features, &truth)?);
        let model = model.with_history(history).with_layers(layers.layers());
        Ok(Outputs::one(Value::object(model)).show(Display::text(text)))
    }
}

/// An error of training, or the reason to stop it.
struct Stopped(BlockError);

impl From<TrainError> for Stopped {
    fn from(error: TrainError) -> Self {
        Self(match &error {
            TrainError::LastActivation { .. }
            | TrainError::Network(NetworkError::TooLarge { .. } | NetworkError::NoLayers) => {
                BlockError::input(MODEL, error)
            }
            TrainError::NoExamples => BlockError::input(FEATURE_VECTOR, error),
            TrainError::BatchSize => BlockError::parameter(BATCH_SIZE, error),
            TrainError::Diverged { .. } => BlockError::parameter(LEARNING_RATE, error),
            _ => BlockError::from_error(error),
        })
    }
}

/// A label for each class, once the classes fit the layers and the vectors.
fn class_labels(
    cx: &Context<'_>,
    layers: &LayerChain,
    vectors: &FeatureVectors,
) -> Result<Vec<String>, BlockError> {
    let mut labels = vectors.class_labels().to_vec();
    let labelled = labels.len();
    let count = whole(cx, CLASSES, 1)?.map_or(labelled, |count| count as usize);
    let refused = |problem: String| Err(BlockError::parameter(CLASSES, problem));
    if count < 2 {
        return refused(format!("{count} class: there is nothing to tell apart"));
    }
    if count < labelled {
        return refused(format!("{count} classes, but the vectors are labelled as {labelled}"));
    }
    if let Some(last) = layers.layers().last()
        && last.units() != count
    {
        let units = last.units();
        return refused(format!("{count} classes, but the last layer has {units} units"));
    }
    // Classes that no label names and no vector belongs to.
    labels.extend((labelled..count).map(|class| format!("class {class}")));
    Ok(labels)
}

fn options(cx: &Context<'_>) -> Result<FitOptions, BlockError> {
    let name = cx.text(OPTIMIZER);
    let rule = match name.trim() {
        "" | "None" => Ok(Rule::Adam),
        name => name.parse(),
    };
    let rule = rule.map_err(|error| BlockError::parameter(OPTIMIZER, error))?;
    let learning_rate = cx.float(LEARNING_RATE)?.unwrap_or(rule.learning_rate());
    if !(learning_rate > 0.0 && learning_rate.is_finite()) {
        let problem = format!("{learning_rate} is not above 0");
        return Err(BlockError::parameter(LEARNING_RATE, problem));
    }
    Ok(FitOptions {
        optimizer: Optimizer { rule, learning_rate },
        epochs: whole(cx, EPOCHS, 1)?.unwrap_or(100) as usize,
        batch_size: whole(cx, BATCH_SIZE, 1)?.unwrap_or(32) as usize,
        seed: whole(cx, SEED, 0)?.unwrap_or(0).into(),
    })
}

fn split(cx: &Context<'_>, samples: usize) -> Result<Split, BlockError> {
    let test_size = cx.float(TEST_SIZE)?.unwrap_or(0.33);
    train_test_split(samples, test_size, SPLIT_SEED)
        .map_err(|error: SplitError| BlockError::parameter(TEST_SIZE, error))
}

/// Reports the hundredths of the training, and what (at most [`LINES`]) epochs came to.
fn report(cx: &Context<'_>, options: &FitOptions, progress: Progress) {
    let Progress { batches, of, finished } = progress;
    let hundredths = |batches: usize| (batches as f64 / of as f64 * 100.0) as u32;
    if batches == of || hundredths(batches) > hundredths(batches.saturating_sub(1)) {
        cx.progress(batches as f64 / of as f64);
    }
    let every = options.epochs.div_ceil(LINES).max(1);
    let told = |(epoch, _): &(usize, _)| epoch % every == 0 || *epoch == options.epochs;
    if let Some((epoch, metrics)) = finished.filter(told) {
        let mut line = format!(
            "epoch {epoch}/{}: loss {:.4}, accuracy {:.4}",
            options.epochs, metrics.loss, metrics.accuracy
        );
        if let Some((loss, accuracy)) = metrics.validation {
            let _ = write!(line, ", validation loss {loss:.4}, validation accuracy {accuracy:.4}");
        }
        cx.log(line);
    }
}

/// Says when the network learnt nothing: the loss is that of guessing by how frequent the classes
/// are.
fn tell_chance(cx: &Context<'_>, train: Examples<'_, f32>, loss: f64) {
    let classes = train.classes;
    let mut counts = vec![0_usize; classes.iter().max().map_or(0, |most| most + 1)];
    for class in classes {
        if let Some(count) = counts.get_mut(*class) {
            *count += 1;
        }
    }
    let share = |count: usize| count as f64 / classes.len().max(1) as f64;
    let chance: f64 = counts.iter().filter(|n| **n > 0).map(|n| -share(*n) * share(*n).ln()).sum();
    if chance > 0.0 && loss > 0.95 * chance {
        let hint = match Standardization::of(train.features).largest_deviation() {
            small if small < 1e-2 => format!(
                "; the features deviate from their means by no more than {small:.0e}, which a \
                 network hardly notices: {STANDARDIZE} scales them"
            ),
            _ => String::new(),
        };
        cx.log(format!(
            "the loss stayed at chance, {loss:.4} where guessing has {chance:.4}{hint}"
        ));
    }
}

/// How often test vectors of each class were taken for each class.
fn confusion(model: &Model, features: Array2<f32>, truth: &[usize]) -> Result<String, BlockError> {
    let features = FeatureVectors::new(features.mapv(f64::from), vec![0; truth.len()]);
    let features = features.map_err(BlockError::from_error)?;
    let predicted = model.predict(&features).map_err(BlockError::from_error)?;
    let labels = model.class_labels();
    let matrix = confusion_matrix(truth, &predicted.classes, labels.len());
    Ok(format!("Confusion Matrix:\n{}", table(labels, &matrix)))
}

/// The matrix with the classes as headings of its rows and columns, which are aligned.
fn table(labels: &[String], matrix: &Array2<u64>) -> String {
    const CORNER: &str = "true \\ predicted";
    let width = |text: &str| text.chars().count();
    let first = labels.iter().map(|label| width(label)).chain([width(CORNER)]).max();
    let first = first.unwrap_or_default();
    let mut lines = vec![format!("{CORNER:<first$}")];
    lines.extend(labels.iter().map(|label| format!("{label:<first$}")));
    for (label, column) in labels.iter().zip(matrix.columns()) {
        let cells: Vec<String> =
            [label.clone()].into_iter().chain(column.iter().map(u64::to_string)).collect();
        let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or_default();
        for (line, cell) in lines.iter_mut().zip(cells) {
            let _ = write!(line, "  {cell:>widest$}");
        }
    }
    lines.join("\n")
}
