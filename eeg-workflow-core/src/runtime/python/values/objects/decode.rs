//! Objects of the EEG library from fields that a worker sent: the work of uploaded code, of which
//! nothing is believed.

use std::collections::HashSet;
use std::sync::Arc;

use ndarray::{Array, Dimension};

use super::FieldMap;
use crate::block::Value;
#[cfg(feature = "learn")]
use crate::eeg::FeatureVectors;
use crate::eeg::formats::EventOptions;
use crate::eeg::{
    Annotation, Channel, ChannelKind, Epochs, EpochsInfo, Event, EventNumbering, Evoked, Info,
    Recording, Timestamp,
};

/// Samples before or after an event at most.
const FARTHEST: f64 = 9.0e15;

pub(super) fn recording(fields: FieldMap) -> Result<Value, String> {
    to_recording(&mut Fields(fields)).map(Value::object)
}

pub(super) fn epochs(fields: FieldMap) -> Result<Value, String> {
    to_epochs(&mut Fields(fields)).map(Value::object)
}

pub(super) fn evoked(fields: FieldMap) -> Result<Value, String> {
    to_evoked(&mut Fields(fields)).map(Value::object)
}

#[cfg(feature = "learn")]
pub(super) fn features(fields: FieldMap) -> Result<Value, String> {
    to_features(&mut Fields(fields)).map(Value::object)
}

fn to_recording(fields: &mut Fields) -> Result<Recording, String> {
    let channels = fields.channels()?;
    let sfreq = fields.sfreq()?;
    let data = fields.array::<ndarray::Ix2>("data")?;
    not_empty(&channels, data.ncols())?;
    let meas_date = match fields.take("meas_date")? {
        Value::None => None,
        // Dates that only datetime knows are none that a recording has.
        Value::Integer(micros) => Timestamp::from_micros(micros),
        other => return Err(wrong("meas_date", &other)),
    };
    let numbering = match fields.text("numbering")?.as_ref() {
        "ordinal" => EventNumbering::Ordinal,
        "brainvision" => EventNumbering::BrainVision,
        "trigger" => EventNumbering::Trigger,
        other => return Err(format!("numbering {other:?}")),
    };
    let cutoff = |value: f64| (value.is_finite() && value >= 0.0).then_some(value);
    let info = Info {
        channels,
        sfreq,
        meas_date,
        annotations: fields.annotations()?,
        numbering,
        highpass: cutoff(fields.number("highpass")?).unwrap_or(0.0),
        lowpass: cutoff(fields.number("lowpass")?).unwrap_or(sfreq / 2.0),
    };
    let recording = Recording::from_volts(info, data).map_err(|error| error.to_string())?;
    // The events of trigger lines beside the annotations, as the readers have it.
    Ok(EventOptions::default().of(recording))
}

fn to_epochs(fields: &mut Fields) -> Result<Epochs, String> {
    let channels = fields.channels()?;
    let sfreq = fields.sfreq()?;
    let first = fields.first()?;
    let data = fields.array::<ndarray::Ix3>("data")?;
    not_empty(&channels, data.dim().2)?;
    let event = |event: &Value| {
        let parts = list("events", event)?;
        match parts.as_slice() {
            [Value::Integer(sample), _, id] if sample.unsigned_abs() as f64 <= FARTHEST => {
                Ok(Event { sample: *sample, id: event_id(id)? })
            }
            _ => Err(format!("events: {event:?} is not a (sample, 0, id)")),
        }
    };
    let events = list("events", &fields.take("events")?)?;
    let events = events.iter().map(event).collect::<Result<Vec<Event>, String>>()?;
    let named = |pair: &Value| {
        let pair = list("event_id", pair)?;
        match pair.as_slice() {
            [Value::Text(name), id] => Ok((name.to_string(), event_id(id)?)),
            _ => Err("event_id: not a pair of a name and an id".to_owned()),
        }
    };
    let ids = list("event_id", &fields.take("event_id")?)?;
    let mut ids = ids.iter().map(named).collect::<Result<Vec<(String, i32)>, String>>()?;
    ids.sort_by(|(a_name, a), (b_name, b)| (a, a_name).cmp(&(b, b_name)));
    let mut seen = HashSet::new();
    if let Some((twice, _)) = ids.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(format!("event_id: {twice:?} twice"));
    }
    let baseline = match fields.take("baseline")? {
        Value::None => None,
        value => match list("baseline", &value)?.as_slice() {
            [start, end] => Some((number("baseline", start)?, number("baseline", end)?)),
            _ => return Err(wrong("baseline", &value)),
        },
    };
    let info = EpochsInfo { sfreq, first, ids, baseline };
    Epochs::from_data(info, channels, events, data).map_err(|error| error.to_string())
}

fn to_evoked(fields: &mut Fields) -> Result<Evoked, String> {
    let channels = fields.channels()?;
    let sfreq = fields.sfreq()?;
    let first = fields.first()?;
    let data = fields.array::<ndarray::Ix2>("data")?;
    not_empty(&channels, data.ncols())?;
    if data.nrows() != channels.len() {
        let (described, found) = (channels.len(), data.nrows());
        return Err(format!("{described} channels are described, but the data have {found}"));
    }
    let nave = match fields.take("nave")? {
        Value::Integer(nave) => usize::try_from(nave).map_err(|_| format!("nave {nave}"))?,
        other => return Err(wrong("nave", &other)),
    };
    let comment = fields.text("comment")?.to_string();
    Ok(Evoked { channels: channels.into(), sfreq, first, nave, comment, data: Arc::new(data) })
}

#[cfg(feature = "learn")]
fn to_features(fields: &mut Fields) -> Result<FeatureVectors, String> {
    let data = fields.array::<ndarray::Ix2>("data")?;
    let ids = fields.take("event_ids")?;
    let ids: Result<Vec<i32>, String> = list("event_ids", &ids)?.iter().map(event_id).collect();
    let vectors = FeatureVectors::new(data, ids?).map_err(|error| error.to_string())?;
    let classes = match fields.take("classes")? {
        Value::None => return Ok(vectors),
        value => list("classes", &value)?,
    };
    let class = |class: &Value| match class {
        Value::Integer(class) => usize::try_from(*class).map_err(|_| format!("class {class}")),
        other => Err(wrong("class", other)),
    };
    let classes: Vec<usize> = classes.iter().map(class).collect::<Result<_, String>>()?;
    let labels = fields.texts("labels")?.iter().map(|label| label.to_string()).collect();
    vectors.with_classes(classes, labels).map_err(|error| error.to_string())
}

/// The fields that came, each taken once.
pub(super) struct Fields(pub(super) FieldMap);

impl Fields {
    pub(super) fn take(&mut self, name: &str) -> Result<Value, String> {
        self.0.remove(name).ok_or_else(|| format!("it has no {name}"))
    }

    fn text(&mut self, name: &str) -> Result<Arc<str>, String> {
        match self.take(name)? {
            Value::Text(text) => Ok(text),
            other => Err(wrong(name, &other)),
        }
    }

    fn number(&mut self, name: &str) -> Result<f64, String> {
        match self.take(name)? {
            Value::None => Ok(f64::NAN),
            Value::Float(float) => Ok(float),
            other => number(name, &other),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<Arc<str>>, String> {
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(Arc::clone(text)),
            other => Err(wrong(name, other)),
        };
        list(name, &self.take(name)?)?.iter().map(text).collect()
    }

    fn array<D: Dimension>(&mut self, name: &str) -> Result<Array<f64, D>, String> {
        match self.take(name)? {
            Value::Array(array) => {
                let found = array.shape().to_vec();
                let array = Arc::unwrap_or_clone(array).into_dimensionality::<D>();
                array.map_err(|_| format!("{name} of the shape {found:?}"))
            }
            other => Err(wrong(name, &other)),
        }
    }

    /// The channels, each name once.
    fn channels(&mut self) -> Result<Vec<Channel>, String> {
        let (names, kinds) = (self.texts("ch_names")?, self.texts("ch_types")?);
        if names.len() != kinds.len() {
            return Err(format!("{} ch_names, but {} ch_types", names.len(), kinds.len()));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(Arc::clone(name))) {
            return Err(format!("channel {twice:?} is named twice"));
        }
        let channel = |(name, kind): (&Arc<str>, &Arc<str>)| {
            let kind = kind_named(kind);
            let unit = if matches!(kind, ChannelKind::Stim | ChannelKind::Misc) { "" } else { "V" };
            Channel { name: name.to_string(), kind, unit: unit.to_owned() }
        };
        Ok(names.iter().zip(&kinds).map(channel).collect())
    }

    fn sfreq(&mut self) -> Result<f64, String> {
        let sfreq = self.number("sfreq")?;
        if sfreq.is_finite() && sfreq > 0.0 {
            return Ok(sfreq);
        }
        Err(format!("sampling rate {sfreq} Hz is not a positive number"))
    }

    fn first(&mut self) -> Result<i64, String> {
        match self.take("first")? {
            Value::Integer(first) if first.unsigned_abs() as f64 <= FARTHEST => Ok(first),
            other => Err(wrong("first", &other)),
        }
    }

    fn annotations(&mut self) -> Result<Vec<Annotation>, String> {
        let name = "annotations";
        let value = self.take(name)?;
        let columns = list(name, &value)?;
        let [onsets, durations, descriptions] = columns.as_slice() else {
            return Err(wrong(name, &value));
        };
        let (onsets, durations) = (list(name, onsets)?, list(name, durations)?);
        let descriptions = list(name, descriptions)?;
        let (n, m, k) = (onsets.len(), durations.len(), descriptions.len());
        if n != m || n != k {
            return Err(format!("{n} onsets, {m} durations and {k} descriptions of annotations"));
        }
        let rows = onsets.iter().zip(durations.iter()).zip(descriptions.iter());
        rows.map(|((onset, duration), description)| {
            let (onset, duration) = (number(name, onset)?, number(name, duration)?);
            let Value::Text(description) = description else {
                return Err(wrong(name, description));
            };
            if duration < 0.0 {
                return Err(format!("annotation {description:?} lasts {duration} s"));
            }
            Ok(Annotation { onset, duration, description: description.to_string() })
        })
        .collect()
    }
}

pub(super) fn list(name: &str, value: &Value) -> Result<Arc<Vec<Value>>, String> {
    match value {
        Value::List(items) => Ok(Arc::clone(items)),
        other => Err(wrong(name, other)),
    }
}

/// A finite number.
fn number(name: &str, value: &Value) -> Result<f64, String> {
    match value {
        Value::Integer(integer) => Ok(*integer as f64),
        Value::Float(float) if float.is_finite() => Ok(*float),
        Value::Float(float) => Err(format!("{name}: {float} is not finite")),
        other => Err(wrong(name, other)),
    }
}

fn event_id(value: &Value) -> Result<i32, String> {
    match value {
        Value::Integer(id) => i32::try_from(*id).map_err(|_| format!("event id {id} is too large")),
        other => Err(wrong("event id", other)),
    }
}

fn kind_named(kind: &str) -> ChannelKind {
    match kind {
        "eeg" => ChannelKind::Eeg,
        "eog" => ChannelKind::Eog,
        "ecg" => ChannelKind::Ecg,
        "emg" => ChannelKind::Emg,
        "stim" => ChannelKind::Stim,
        _ => ChannelKind::Misc,
    }
}

/// Whoever works on signals counts on there being some.
fn not_empty(channels: &[Channel], samples: usize) -> Result<(), String> {
    if channels.is_empty() || samples == 0 {
        return Err(format!("{} channels of {samples} samples", channels.len()));
    }
    Ok(())
}

/// With its article; a number that is too large or has a fraction by itself.
fn in_words(value: &Value) -> String {
    match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float.to_string(),
        other => format!("a {}", other.type_name()),
    }
}

pub(super) fn wrong(name: &str, value: &Value) -> String {
    format!("{name} is {}", in_words(value))
}
