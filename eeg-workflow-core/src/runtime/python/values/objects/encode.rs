//! Objects of the EEG library as their kinds and fields.

use std::any::Any;
use std::io;

use serde_json::{Value as Json, json};

use super::super::arrays::{ArrayWriter, Arrays};
use crate::block::Object;
#[cfg(feature = "learn")]
use crate::eeg::FeatureVectors;
use crate::eeg::{Channel, DropLogEntry, Epochs, EventNumbering, Evoked, Recording};
use crate::runtime::python::memory::in_parallel;

/// Bytes of samples that are converted at a time: few enough to stay in a core's cache.
const CACHED: usize = 512 << 10;

/// The fields of an object if it is a `T`.
fn of<T: Object>(
    object: &dyn Object,
    arrays: &mut Arrays,
    fields: impl FnOnce(&T, &mut Arrays) -> io::Result<Json>,
) -> Option<io::Result<Json>> {
    (object as &dyn Any).downcast_ref().map(|object| fields(object, arrays))
}

pub(super) fn recording(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    of(object, arrays, of_recording)
}

pub(super) fn epochs(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    of(object, arrays, of_epochs)
}

pub(super) fn evoked(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    of(object, arrays, of_evoked)
}

#[cfg(feature = "learn")]
pub(super) fn features(object: &dyn Object, arrays: &mut Arrays) -> Option<io::Result<Json>> {
    of(object, arrays, of_features)
}

#[cfg(feature = "learn")]
fn of_features(vectors: &FeatureVectors, arrays: &mut Arrays) -> io::Result<Json> {
    let shape = [vectors.len(), vectors.feature_count()];
    let values = vectors.values();
    let data = arrays.add(&shape, |write| write(0, values.as_slice().unwrap_or_default()))?;
    Ok(json!({
        "data": data,
        "event_ids": vectors.event_ids(),
        "classes": vectors.classes(),
        "labels": vectors.class_labels(),
    }))
}

fn of_recording(recording: &Recording, arrays: &mut Arrays) -> io::Result<Json> {
    let info = recording.info();
    let (channels, samples) = recording.shape();
    let data = arrays.add(&[channels, samples], |write| {
        let block = (CACHED / 8 / channels.max(1)).max(512);
        // All channels of a stretch of time, then the next: in most files they lie together.
        in_parallel(samples.div_ceil(block), |stretch| {
            let first = stretch * block;
            let mut volts = vec![0.0; block.min(samples - first)];
            for channel in 0..channels {
                recording.read(channel, first, &mut volts);
                write(channel * samples + first, &volts)?;
            }
            Ok(())
        })
    })?;
    // Whoever takes it reads a trigger line by itself.
    let annotations = recording.annotations_beside_triggers();
    let list = |field: fn(&crate::eeg::Annotation) -> Json| -> Json {
        annotations.iter().map(|annotation| field(annotation)).collect()
    };
    Ok(json!({
        "ch_names": names(&info.channels),
        "ch_types": kinds(&info.channels),
        "sfreq": info.sfreq,
        "meas_date": info.meas_date.map(crate::eeg::Timestamp::micros),
        "annotations": [
            list(|annotation| annotation.onset.into()),
            list(|annotation| annotation.duration.into()),
            list(|annotation| annotation.description.as_str().into()),
        ],
        "numbering": numbering(info.numbering),
        "highpass": info.highpass,
        "lowpass": info.lowpass,
        "data": data,
    }))
}

fn of_epochs(epochs: &Epochs, arrays: &mut Arrays) -> io::Result<Json> {
    let (count, channels, samples) = epochs.shape();
    let data = arrays.add(&[count, channels, samples], |write| write_epochs(epochs, write))?;
    let events = epochs.events().iter();
    let events: Vec<Json> = events.map(|event| json!([event.sample, 0, event.id])).collect();
    let log = |entry: &DropLogEntry| json!(entry.reasons);
    Ok(json!({
        "ch_names": names(epochs.channels()),
        "ch_types": kinds(epochs.channels()),
        "sfreq": epochs.sfreq(),
        "first": epochs.info().first,
        "events": events,
        "event_id": epochs.info().ids,
        "baseline": epochs.baseline().map(|(start, end)| [start, end]),
        "drop_log": epochs.drop_log().iter().map(log).collect::<Vec<Json>>(),
        "data": data,
    }))
}

fn write_epochs(epochs: &Epochs, write: &ArrayWriter<'_>) -> io::Result<()> {
    let (count, channels, samples) = epochs.shape();
    let mut volts = vec![0.0; channels * samples];
    for epoch in 0..count {
        for (channel, row) in volts.chunks_mut(samples.max(1)).enumerate() {
            epochs.read(epoch, channel, row);
        }
        write(epoch * volts.len(), &volts)?;
    }
    Ok(())
}

fn of_evoked(evoked: &Evoked, arrays: &mut Arrays) -> io::Result<Json> {
    let volts = evoked.data.as_standard_layout();
    let (channels, samples) = volts.dim();
    let data =
        arrays.add(&[channels, samples], |write| write(0, volts.as_slice().unwrap_or_default()))?;
    Ok(json!({
        "ch_names": names(&evoked.channels),
        "ch_types": kinds(&evoked.channels),
        "sfreq": evoked.sfreq,
        "first": evoked.first,
        "nave": evoked.nave,
        "comment": evoked.comment,
        "data": data,
    }))
}

fn names(channels: &[Channel]) -> Vec<&str> {
    channels.iter().map(|channel| channel.name.as_str()).collect()
}

fn kinds(channels: &[Channel]) -> Vec<&str> {
    channels.iter().map(|channel| channel.kind.as_str()).collect()
}

fn numbering(numbering: EventNumbering) -> &'static str {
    match numbering {
        EventNumbering::Ordinal => "ordinal",
        EventNumbering::BrainVision => "brainvision",
        EventNumbering::Trigger => "trigger",
    }
}
