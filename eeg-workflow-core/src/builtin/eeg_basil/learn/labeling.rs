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
        let entries = entries(cx, &vectors);
        let (ids, names) = (vectors.event_ids(), vectors.event_names());
        let labels = Labels::of_events(&entries, ids, names).map_err(refused)?;
        tell_ambiguous(cx, &entries, &vectors);
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

/// The entries of the parameter. To the Python system a string of digits is a list of them, one
/// class each: so it is here, unless the whole of it is an event.
fn entries(cx: &Context<'_>, vectors: &FeatureVectors) -> Vec<String> {
    let entries = cx.texts(LABELS);
    let [only] = entries.as_slice() else { return entries };
    let is_event = |text: &str| {
        let id = text.parse::<i32>().ok();
        id.is_some_and(|id| vectors.event_ids().contains(&id))
            || vectors.event_names().iter().any(|(name, _)| name == text)
    };
    let digits: Vec<String> = only.chars().map(String::from).collect();
    let is_string = !matches!(cx.value(LABELS), Value::List(_));
    if is_string && digits.len() > 1 && !is_event(only) && digits.iter().all(|d| is_event(d)) {
        cx.log(format!("{LABELS} \"{only}\" is not an event: each of its digits is a class"));
        return digits;
    }
    entries
}

/// Says where a number that was asked for is an id, but also what another event is called.
fn tell_ambiguous(cx: &Context<'_>, entries: &[String], vectors: &FeatureVectors) {
    for part in entries.iter().flat_map(|entry| entry.split(',')).map(str::trim) {
        let id = part.parse::<i32>().ok().filter(|id| vectors.event_ids().contains(id));
        let named = vectors.event_names().iter().find(|(name, _)| name == part);
        if let (Some(id), Some((name, other))) = (id, named)
            && id != *other
        {
            cx.log(format!(
                "{LABELS} {id} is the event with this id, not the event \"{name}\", whose id is \
                 {other}"
            ));
        }
    }
}
