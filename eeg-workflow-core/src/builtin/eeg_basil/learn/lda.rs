//! The block that fits and tests a linear classifier.

use super::{FEATURE_VECTOR, MODEL, classes, whole};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::builtin::eeg_basil::float_in_text;
use crate::eeg::{FeatureVectors, FoldScore, Lda, LdaError, Model, Shrinkage, SplitError};

const SHRINKAGE: &str = "Shrinkage";
const FOLDS: &str = "Number of Folds";
const SEED: &str = "Shuffle Seed";

/// Linear discriminant analysis with shrinkage, tested by stratified folds, then fitted to all
/// vectors.
pub(super) struct LdaBlock(BlockSpec);

impl LdaBlock {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("LDA")
            .with_family("Classification")
            .with_description("Linear discriminant analysis with shrinkage")
            .input(FEATURE_VECTOR, PortType::FEATURE_VECTOR, 1..=1)
            .parameter(
                SHRINKAGE,
                PortType::STRING,
                "auto",
                "'auto' (Ledoit and Wolf), a number from 0 to 1, or None, which is 0: no shrinkage",
            )
            .parameter(
                FOLDS,
                PortType::NUMBER,
                "5",
                "Parts of equal shares of the classes, each tested once",
            )
            .parameter(
                SEED,
                PortType::NUMBER,
                "42",
                "What the order of the vectors depends on; 'None' leaves them in order",
            )
            .output(MODEL, PortType::MODEL);
        Self(spec)
    }
}

impl Block for LdaBlock {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let vectors = inputs.object::<FeatureVectors>(FEATURE_VECTOR)?;
        let classes = classes(&vectors)?;
        let shrinkage = match cx.text(SHRINKAGE).trim().to_ascii_lowercase().as_str() {
            "" | "auto" => Shrinkage::Auto,
            "none" => Shrinkage::Fixed(0.0),
            _ => Shrinkage::Fixed(float_in_text(cx, SHRINKAGE)?.unwrap_or(0.0)),
        };
        let folds = whole(cx, FOLDS, 2)?.unwrap_or(5) as usize;
        let seed = whole(cx, SEED, 0)?;
        let labels = vectors.class_labels().to_vec();
        let (values, count) = (vectors.values(), labels.len());
        let scores = Lda::cross_validate(values, classes, count, shrinkage, folds, seed);
        let culprit = |error| culprit(error, classes, &labels);
        let scores = scores.map_err(culprit)?;
        cx.check()?;
        let fitted = Lda::fit(values, classes, count, shrinkage);
        let fitted = fitted.map_err(culprit)?;
        let model = Model::from_lda(fitted, labels).map_err(BlockError::from_error)?;
        Ok(Outputs::one(Value::object(model)).show(table(&scores)))
    }
}

/// The error with the field that it is about, and classes by their labels.
fn culprit(error: LdaError, classes: &[usize], labels: &[String]) -> BlockError {
    let label = |class: usize| labels.get(class).map_or("?", String::as_str);
    match error {
        LdaError::Shrinkage { .. } | LdaError::Singular => BlockError::parameter(SHRINKAGE, error),
        LdaError::Split(SplitError::ClassTooSmall { folds, class, members }) => {
            let ids = label(class);
            let problem =
                format!("{folds} folds, but only {members} vectors are of class \"{ids}\"");
            BlockError::parameter(FOLDS, problem)
        }
        LdaError::Split(_) => BlockError::parameter(FOLDS, error),
        LdaError::EmptyClass { class } if classes.contains(&class) => {
            let problem = format!("no vector of class \"{}\" is left to train on", label(class));
            BlockError::parameter(FOLDS, problem)
        }
        LdaError::EmptyClass { class } => {
            let problem = format!("no vector is of class \"{}\"", label(class));
            BlockError::input(FEATURE_VECTOR, problem)
        }
        error => BlockError::input(FEATURE_VECTOR, error),
    }
}

fn table(scores: &[FoldScore]) -> Display {
    let columns = ["Fold", "Training Samples", "Test Samples", "Accuracy", "AUC"];
    let row = |name: String, samples: [String; 2], accuracy: f64, auc: f64| {
        let [train, test] = samples;
        vec![name, train, test, format!("{accuracy:.4}"), format!("{auc:.4}")]
    };
    let each = scores.iter().enumerate().map(|(fold, score)| {
        let samples = [score.train.to_string(), score.test.to_string()];
        row((fold + 1).to_string(), samples, score.accuracy, score.auc)
    });
    let mean = |of: fn(&FoldScore) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
    let last = row("Mean".to_owned(), Default::default(), mean(|s| s.accuracy), mean(|s| s.auc));
    Display::Table {
        columns: columns.map(str::to_owned).into(),
        rows: each.chain([last]).collect(),
    }
}
