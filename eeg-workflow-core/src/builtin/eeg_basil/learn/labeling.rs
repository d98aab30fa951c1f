//! The block that says which events make up which class.

use super::FEATURE_VECTOR;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, PythonRepr, Value,
};
use crate::eeg::{FeatureVectors, LabelError, Labels};

const LABELS: &str = "Labels";

/// Gives feature vectors their classes and drops those of events that no class lists.
pub(super) struct FeatureLabeling(BlockSpec);

impl FeatureLabeling {
    pub(super) fn new() -> Self {
        let hint = "All comma separated event ids are considered as one class.<br>Event id will \
                    not be considered if not added";
        let spec = BlockSpec::new("FeatureLabeling")
            .with_family("FeatureExtraction")
            .with_help("Gives feature vectors their classes, by the ids of their events")
            // Designers know the port by the first type; what comes in are vectors.
            .input(FEATURE_VECTOR, PortType::EPOCHS, 1..=1)
            .or_type(PortType::FEATURE_VECTOR)
            .described("Feature vectors, one for each epoch")
            .parameter(LABELS, PortType::STRING_ARRAY, "", hint)
            .output(FEATURE_VECTOR, PortType::FEATURE_VECTOR)
            .with_own_checks();
        Self(spec)
    }
}

impl Block for FeatureLabeling {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let vectors = inputs.object::<FeatureVectors>(FEATURE_VECTOR)?;
        let refused = |error: LabelError| BlockError::parameter(LABELS, error);
        let mut entries = cx.texts(LABELS);
        if entries.is_empty() {
            // One class need not be a list: 12, or "1,2".
            entries.push(cx.text(LABELS));
        }
        let labels = Labels::parse(&entries).map_err(refused)?;
        let labelled = vectors.labelled(&labels).map_err(refused)?;
        let dropped = vectors.len() - labelled.len();
        if dropped > 0 {
            cx.log(format!("{dropped} vectors were dropped: no class lists their event ids"));
        }
        for (id, _) in labels.mapping().iter().filter(|(id, _)| !vectors.event_ids().contains(id)) {
            cx.log(format!("no vector has the listed event id {id}"));
        }
        let class = |class: usize| i64::try_from(class).unwrap_or(i64::MAX);
        let mapping: Value = labels.mapping().iter().map(|(id, c)| (*id, class(*c))).collect();
        let text = PythonRepr(&mapping).to_string();
        Ok(Outputs::one(Value::object(labelled)).show(Display::text(text)))
    }
}
