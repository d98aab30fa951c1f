//! A continuous recording: channels, samples, annotations.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::annotation::fit_into_recording;
use super::samples::envelope_of_volts;
use super::{
    Annotation, EventError, EventNumbering, Events, StoredSamples, Timestamp,
    events_from_annotations,
};

/// What a channel measures; decides which steps touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelKind {
    /// Electroencephalogram.
    Eeg,
    /// Eye movement.
    Eog,
    /// Heart.
    Ecg,
    /// Muscle.
    Emg,
    /// Trigger line.
    Stim,
    /// Anything else: temperature, skin conductance, an electrode without a place …
    Misc,
}

impl ChannelKind {
    /// The name that MNE uses: `eeg`, `eog`, `ecg`, `emg`, `stim`, `misc`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eeg => "eeg",
            Self::Eog => "eog",
            Self::Ecg => "ecg",
            Self::Emg => "emg",
            Self::Stim => "stim",
            Self::Misc => "misc",
        }
    }
}

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Unique in its recording.
    pub name: String,
    /// What it measures.
    pub kind: ChannelKind,
    /// The unit in which the file holds it, such as `µV`. The samples that this library hands
    /// out are in the SI unit (volts).
    pub unit: String,
}

/// What is known of a recording beside its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The channels, in order.
    pub channels: Vec<Channel>,
    /// Samples a second, in Hz.
    pub sfreq: f64,
    /// When the first sample was taken.
    pub meas_date: Option<Timestamp>,
    /// Ordered by onset, all within the recording.
    pub annotations: Vec<Annotation>,
    /// How annotations turn into event ids.
    pub numbering: EventNumbering,
    /// Cut-off of the high-pass that the data went through, in Hz; 0 for none.
    pub highpass: f64,
    /// Cut-off of the low-pass that the data went through, in Hz; half of `sfreq` for none.
    pub lowpass: f64,
}

/// A recording that cannot be as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// Channels were asked for that are not there.
    #[error("no channel {} in the recording, which has {}", quoted(missing), quoted(present))]
    NoSuchChannel {
        /// The names that are not there.
        missing: Vec<String>,
        /// All names that are.
        present: Vec<String>,
    },
    /// Two channels have, or one asks for, the same name.
    #[error("channel {name:?} is named twice")]
    DuplicateChannel {
        /// The name.
        name: String,
    },
    /// The array does not fit the channels.
    #[error("{channels} channels are described, but the data have {rows}")]
    ChannelCount {
        /// Channels in the info.
        channels: usize,
        /// Channels in the data.
        rows: usize,
    },
    /// The sampling rate is not a positive number.
    #[error("sampling rate {sfreq} Hz is not a positive number")]
    SamplingRate {
        /// The rate in Hz.
        sfreq: f64,
    },
}

/// Names for a message, the first ones when there are many.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("{n:?}")).collect();
    let rest = names.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    shown.join(", ") + &more
}

/// A continuous recording of some channels, all sampled at once.
///
/// Cloning is cheap and shares the samples; nothing that is done with one clone is seen by
/// another. Samples from a file stay as the file stores them until a step asks for volts, so a
/// recording of 16-bit integers takes a quarter of the room that its volts would.
#[derive(Clone)]
pub struct Recording {
    info: Arc<Info>,
    samples: Samples,
}

#[derive(Clone)]
enum Samples {
    Stored(Arc<StoredSamples>),
    Volts(Arc<Array2<f64>>),
}

impl Recording {
    /// A recording over samples as a file stores them. Annotations are sorted and cut to the
    /// recording's length.
    ///
    /// # Errors
    /// When names are not unique, the rate is not positive, or the numbers of channels differ.
    pub fn from_stored(info: Info, samples: StoredSamples) -> Result<Self, RecordingError> {
        let shape = (samples.n_channels(), samples.n_samples());
        let info = checked(info, shape)?;
        let samples = Samples::Stored(Arc::new(samples));
        Ok(Self { info, samples })
    }

    /// A recording of volts, channels x samples. Annotations are sorted and cut to the
    /// recording's length.
    ///
    /// # Errors
    /// When names are not unique, the rate is not positive, or the numbers of channels differ.
    pub fn from_volts(info: Info, volts: Array2<f64>) -> Result<Self, RecordingError> {
        let info = checked(info, volts.dim())?;
        // Rows must lie in one piece for whoever borrows them.
        let volts = if volts.is_standard_layout() {
            volts
        } else {
            volts.as_standard_layout().into_owned()
        };
        let samples = Samples::Volts(Arc::new(volts));
        Ok(Self { info, samples })
    }

    /// What is known of the recording beside its samples.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The channels, in order.
    pub fn channels(&self) -> &[Channel] {
        &self.info.channels
    }

    /// The names of the channels, in order.
    pub fn channel_names(&self) -> impl Iterator<Item = &str> {
        self.info.channels.iter().map(|c| c.name.as_str())
    }

    /// Samples a second, in Hz.
    pub fn sfreq(&self) -> f64 {
        self.info.sfreq
    }

    /// (channels, samples)
    pub fn shape(&self) -> (usize, usize) {
        (self.info.channels.len(), self.n_samples())
    }

    /// Samples a channel.
    pub fn n_samples(&self) -> usize {
        match &self.samples {
            Samples::Stored(stored) => stored.n_samples(),
            Samples::Volts(volts) => volts.ncols(),
        }
    }

    /// What was noted, ordered by onset.
    pub fn annotations(&self) -> &[Annotation] {
        &self.info.annotations
    }

    /// The events that the annotations stand for.
    ///
    /// # Errors
    /// As [`events_from_annotations`].
    pub fn events(&self) -> Result<Events, EventError> {
        events_from_annotations(self.annotations(), self.sfreq(), self.info.numbering)
    }

    /// Bytes that the samples take. Clones and picked channels share them.
    pub fn byte_size(&self) -> usize {
        match &self.samples {
            Samples::Stored(stored) => stored.byte_size(),
            Samples::Volts(volts) => volts.len() * size_of::<f64>(),
        }
    }

    /// All samples in volts, channels x samples. Shared when they are in volts already, else
    /// converted anew at each call (on all threads of the current rayon pool): keep the result,
    /// or go by [`Self::channel`].
    pub fn data(&self) -> Arc<Array2<f64>> {
        match &self.samples {
            Samples::Stored(stored) => Arc::new(stored.to_volts()),
            Samples::Volts(volts) => Arc::clone(volts),
        }
    }

    /// As [`Self::data`], to be changed: copied only if somebody else holds the samples too.
    pub fn into_data(self) -> Array2<f64> {
        match self.samples {
            Samples::Stored(stored) => stored.to_volts(),
            Samples::Volts(volts) => Arc::unwrap_or_clone(volts),
        }
    }

    /// The recording with other annotations, which must be in order and within it.
    pub(crate) fn with_annotations(
        self,
        annotations: Vec<Annotation>,
        numbering: EventNumbering,
    ) -> Self {
        let info = Info { annotations, numbering, ..Info::clone(&self.info) };
        Self { info: Arc::new(info), ..self }
    }

    /// What describes the recording, and its samples to be changed.
    pub(crate) fn into_parts(self) -> (Info, Array2<f64>) {
        let info = Info::clone(&self.info);
        (info, self.into_data())
    }

    /// A recording of what [`Self::into_parts`] gave, each row still in one piece.
    pub(crate) fn from_parts(info: Info, volts: Array2<f64>) -> Self {
        Self { info: Arc::new(info), samples: Samples::Volts(Arc::new(volts)) }
    }

    /// The samples of one channel in volts, None when there is no such channel.
    pub fn channel(&self, index: usize) -> Option<Vec<f64>> {
        match &self.samples {
            Samples::Stored(stored) => stored.channel(index),
            Samples::Volts(volts) => {
                (index < volts.nrows()).then(|| volts.row(index).iter().copied().collect())
            }
        }
    }

    /// Writes the samples of one channel in volts from sample `first` on to `out`, as much as
    /// there is. What does not exist is left as it was.
    pub(crate) fn read(&self, channel: usize, first: usize, out: &mut [f64]) {
        match &self.samples {
            Samples::Stored(stored) => stored.read(channel, first, out),
            Samples::Volts(volts) => {
                if channel < volts.nrows() {
                    let row = volts.row(channel);
                    let row = row.as_slice().and_then(|row| row.get(first..));
                    out.iter_mut().zip(row.unwrap_or(&[])).for_each(|(out, v)| *out = *v);
                }
            }
        }
    }

    /// How many samples of each channel are NaN or infinite. Reads only samples that can be such.
    pub fn non_finite_counts(&self) -> Vec<usize> {
        let integers = match &self.samples {
            Samples::Stored(stored) => stored.holds_integers(),
            Samples::Volts(_) => false,
        };
        if integers {
            return vec![0; self.channels().len()];
        }
        let count = |channel: usize| match &self.samples {
            Samples::Volts(volts) => volts.row(channel).iter().filter(|v| !v.is_finite()).count(),
            Samples::Stored(stored) => {
                let values = stored.channel(channel).unwrap_or_default();
                values.iter().filter(|v| !v.is_finite()).count()
            }
        };
        (0..self.channels().len()).into_par_iter().map(count).collect()
    }

    /// For each channel the least and the greatest value, in volts, in each of `columns`
    /// stretches of equal length (fewer when there are fewer samples). NaN where no sample is a
    /// number. Reads the samples as they are stored, on all threads of the current rayon pool.
    pub fn envelope(&self, columns: usize) -> Vec<Vec<(f64, f64)>> {
        match &self.samples {
            Samples::Stored(stored) => stored.envelope(columns),
            Samples::Volts(volts) => {
                let row = |i| match volts.row(i).as_slice() {
                    Some(row) => envelope_of_volts(row, columns),
                    None => Vec::new(),
                };
                (0..volts.nrows()).into_par_iter().map(row).collect()
            }
        }
    }

    /// The recording with only the named channels, in the order asked. Without names: all of it.
    ///
    /// # Errors
    /// [`RecordingError::NoSuchChannel`] when a name is missing, with all that are there;
    /// [`RecordingError::DuplicateChannel`] when a name is asked for twice.
    pub fn pick_channels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, RecordingError> {
        if names.is_empty() {
            return Ok(self.clone());
        }
        let indices = places_of(self.channels(), names)?;
        let channels = indices.iter().filter_map(|i| self.info.channels.get(*i));
        let info = Info { channels: channels.cloned().collect(), ..Info::clone(&self.info) };
        let samples = match &self.samples {
            Samples::Stored(stored) => Samples::Stored(Arc::new(stored.pick(&indices))),
            Samples::Volts(volts) => {
                Samples::Volts(Arc::new(volts.select(ndarray::Axis(0), &indices)))
            }
        };
        Ok(Self { info: Arc::new(info), samples })
    }
}

impl fmt::Debug for Recording {
    /// Without the samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("shape", &self.shape())
            .field("sfreq", &self.sfreq())
            .finish_non_exhaustive()
    }
}

/// The places of the named channels, in the order asked; all of them when none is named.
pub(crate) fn places_of<S: AsRef<str>>(
    channels: &[Channel],
    names: &[S],
) -> Result<Vec<usize>, RecordingError> {
    if names.is_empty() {
        return Ok((0..channels.len()).collect());
    }
    let names = || names.iter().map(AsRef::as_ref);
    unique(names())?;
    let places: HashMap<&str, usize> =
        channels.iter().enumerate().map(|(i, c)| (c.name.as_str(), i)).collect();
    let place = |name: &str| places.get(name).copied();
    let missing: Vec<String> =
        names().filter(|name| place(name).is_none()).map(str::to_owned).collect();
    if !missing.is_empty() {
        let present = channels.iter().map(|c| c.name.clone()).collect();
        return Err(RecordingError::NoSuchChannel { missing, present });
    }
    Ok(names().filter_map(place).collect())
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), RecordingError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(RecordingError::DuplicateChannel { name });
        }
    }
    Ok(())
}

fn checked(mut info: Info, (rows, n_samples): (usize, usize)) -> Result<Arc<Info>, RecordingError> {
    if info.channels.len() != rows {
        return Err(RecordingError::ChannelCount { channels: info.channels.len(), rows });
    }
    if !(info.sfreq.is_finite() && info.sfreq > 0.0) {
        return Err(RecordingError::SamplingRate { sfreq: info.sfreq });
    }
    unique(info.channels.iter().map(|c| c.name.as_str()))?;
    fit_into_recording(&mut info.annotations, n_samples, info.sfreq);
    Ok(Arc::new(info))
}
