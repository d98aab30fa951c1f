//! The block that uses a trained model.

use super::{FEATURE_VECTOR, MODEL, trained};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{FeatureVectors, Model, Predictions};

const CLASSES: &str = "Classes";
const PROBABILITIES: &str = "Probabilities";

/// Classifies feature vectors with a trained model.
pub(super) struct Predict(BlockSpec);

impl Predict {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Predict")
            .with_family("Classification")
            .with_description("Class and probabilities of each vector")
            .input(MODEL, PortType::MODEL, 1..=1)
            .input(FEATURE_VECTOR, PortType::FEATURE_VECTOR, 1..=1)
            .output(CLASSES, PortType::NUMBER_ARRAY)
            .output(PROBABILITIES, PortType::OBJECT);
        Self(spec)
    }
}

impl Block for Predict {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let model = trained(&mut inputs)?;
        let vectors = inputs.object::<FeatureVectors>(FEATURE_VECTOR)?;
        let predictions = model.predict(&vectors);
        let predictions = predictions.map_err(|error| BlockError::input(FEATURE_VECTOR, error))?;
        if vectors.class_labels() == model.class_labels()
            && let Some(truth) = vectors.classes()
        {
            let right = truth.iter().zip(&predictions.classes).filter(|(a, b)| a == b).count();
            cx.log(format!("{right} of {} vectors were recognised", vectors.len()));
        }
        let table = table(&model, &vectors, &predictions);
        let class = |class: &usize| Value::Integer(i64::try_from(*class).unwrap_or(i64::MAX));
        let classes: Vec<Value> = predictions.classes.iter().map(class).collect();
        let outputs = [classes.into(), predictions.probabilities.into_dyn().into()];
        Ok(Outputs::all(outputs).show(table))
    }
}

fn table(model: &Model, vectors: &FeatureVectors, predictions: &Predictions) -> Display {
    let labels = model.class_labels();
    let known = vectors.classes();
    let mut columns = vec!["Vector".to_owned(), "Event Id".to_owned()];
    if known.is_some() {
        columns.push("Class".to_owned());
    }
    columns.push("Predicted".to_owned());
    columns.extend(labels.iter().map(|label| format!("P({label})")));
    let each = vectors.event_ids().iter().zip(&predictions.classes);
    let rows = each.zip(predictions.probabilities.rows()).enumerate();
    let rows = rows.map(|(vector, ((id, predicted), probabilities))| {
        let name = |labels: &[String], class: usize| {
            labels.get(class).map_or_else(|| class.to_string(), String::clone)
        };
        let mut row = vec![(vector + 1).to_string(), id.to_string()];
        if let Some(class) = known.and_then(|classes| classes.get(vector)) {
            row.push(name(vectors.class_labels(), *class));
        }
        row.push(name(labels, *predicted));
        row.extend(probabilities.iter().map(|p| format!("{p:.6}")));
        row
    });
    Display::Table { columns: columns.into(), rows: rows.collect() }
}
