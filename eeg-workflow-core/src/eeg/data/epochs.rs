//! Epochs: equally long windows of a recording around its events.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use super::{Channel, ChannelKind, Event, Recording, RecordingError};

/// The windows of a recording around some of its events (MNE's `Epochs`).
///
/// Cloning is cheap. As long as nobody asks for [`Self::data`] the epochs are a view of their
/// recording with one baseline offset for each epoch and channel, so they take next to no memory
/// of their own.
#[derive(Clone)]
pub struct Epochs {
    info: Arc<EpochsInfo>,
    channels: Arc<[Channel]>,
    events: Arc<[Event]>,
    drop_log: Arc<[DropLogEntry]>,
    source: Source,
}

/// What is known of epochs beside channels, events and samples.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochsInfo {
    /// Samples a second, in Hz.
    pub sfreq: f64,
    /// The first sample of a window, counted from its event.
    pub first: i64,
    /// The names of the ids that the epochs may have, each name once, ordered by id. Several
    /// names may share an id.
    pub ids: Vec<(String, i32)>,
    /// The time range in seconds whose mean was subtracted, None when nothing was.
    pub baseline: Option<(f64, f64)>,
}

/// What became of one event of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropLogEntry {
    /// The event.
    pub event: Event,
    /// Why there is no epoch of it, none when there is one. MNE's words: `IGNORED` (not selected),
    /// `NO_DATA` (starts before the recording), `TOO_SHORT` (ends after it), the description of
    /// an annotation that marks bad data, or the names of channels.
    pub reasons: Vec<String>,
}

/// Samples that do not fit what describes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an array of {} was given where {} were described", shape(found), shape(expected))]
pub struct EpochsShapeError {
    expected: [usize; 3],
    found: [usize; 3],
}

fn shape([epochs, channels, samples]: &[usize; 3]) -> String {
    format!("{epochs} epochs x {channels} channels x {samples} samples")
}

/// Where the samples are.
#[derive(Clone)]
enum Source {
    View(View),
    Owned(Arc<Array3<f64>>),
}

/// Windows of a recording.
#[derive(Clone)]
struct View {
    recording: Recording,
    /// The recording's channel behind each channel of the epochs.
    rows: Arc<[usize]>,
    /// What is subtracted: epochs x channels, in volts.
    offsets: Arc<Array2<f64>>,
    n_samples: usize,
}

impl Epochs {
    /// Epochs of samples in volts, epochs x channels x samples, one epoch an event.
    ///
    /// # Errors
    /// The array does not have an epoch for each event and a row for each channel.
    pub fn from_data(
        info: EpochsInfo,
        channels: Vec<Channel>,
        events: Vec<Event>,
        data: Array3<f64>,
    ) -> Result<Self, EpochsShapeError> {
        let (n_epochs, n_channels, n_samples) = data.dim();
        let expected = [events.len(), channels.len(), n_samples];
        let found = [n_epochs, n_channels, n_samples];
        if expected != found {
            return Err(EpochsShapeError { expected, found });
        }
        let drop_log = events.iter().map(|event| DropLogEntry { event: *event, reasons: vec![] });
        let data =
            if data.is_standard_layout() { data } else { data.as_standard_layout().into_owned() };
        Ok(Self {
            info: Arc::new(info),
            channels: channels.into(),
            drop_log: drop_log.collect(),
            events: events.into(),
            source: Source::Owned(Arc::new(data)),
        })
    }

    /// A view of windows that lie inside `recording`, each of `n_samples` samples from
    /// `event.sample + info.first` on, less `offsets` (epochs x channels).
    pub(crate) fn view(
        info: EpochsInfo,
        recording: Recording,
        events: Vec<Event>,
        drop_log: Vec<DropLogEntry>,
        offsets: Array2<f64>,
        n_samples: usize,
    ) -> Self {
        let channels = recording.channels().into();
        let rows = (0..recording.channels().len()).collect();
        Self {
            info: Arc::new(info),
            channels,
            events: events.into(),
            drop_log: drop_log.into(),
            source: Source::View(View { recording, rows, offsets: Arc::new(offsets), n_samples }),
        }
    }

    /// How many epochs there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no epoch at all.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many channels each epoch has.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// How many samples each channel of an epoch has.
    pub fn n_samples(&self) -> usize {
        match &self.source {
            Source::View(view) => view.n_samples,
            Source::Owned(data) => data.dim().2,
        }
    }

    /// (epochs, channels, samples)
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.len(), self.channel_count(), self.n_samples())
    }

    /// What is known beside channels, events and samples.
    pub fn info(&self) -> &EpochsInfo {
        &self.info
    }

    /// The channels, in order.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The names of the channels, in order.
    pub fn channel_names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(|c| c.name.as_str())
    }

    /// Samples a second, in Hz.
    pub fn sfreq(&self) -> f64 {
        self.info.sfreq
    }

    /// The time of the first sample, in seconds from the event.
    pub fn tmin(&self) -> f64 {
        self.info.first as f64 / self.sfreq()
    }

    /// The times of the samples in seconds from the event: `k / sfreq`.
    pub fn times(&self) -> Vec<f64> {
        times(self.info.first, self.n_samples(), self.sfreq())
    }

    /// The events of the epochs, in the order of the epochs.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The id of each epoch's event.
    pub fn event_ids(&self) -> Vec<i32> {
        self.events.iter().map(|event| event.id).collect()
    }

    /// The distinct ids of the epochs, ascending.
    pub fn distinct_ids(&self) -> Vec<i32> {
        let mut ids = self.event_ids();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The name of an id; the id itself in decimal digits when it has none.
    pub fn name_of(&self, id: i32) -> String {
        let named = self.info.ids.iter().find(|(_, of)| *of == id);
        named.map_or_else(|| id.to_string(), |(name, _)| name.clone())
    }

    /// What became of each event of the recording, in its order.
    pub fn drop_log(&self) -> &[DropLogEntry] {
        &self.drop_log
    }

    /// The range in seconds whose mean was subtracted, None when nothing was.
    pub fn baseline(&self) -> Option<(f64, f64)> {
        self.info.baseline
    }

    /// Bytes of memory. A view counts its recording, which it keeps alive.
    pub fn byte_size(&self) -> usize {
        match &self.source {
            Source::View(view) => {
                view.recording.byte_size() + view.offsets.len() * size_of::<f64>()
            }
            Source::Owned(data) => data.len() * size_of::<f64>(),
        }
    }

    /// Writes one channel of one epoch, in volts, to `out`, as much as it holds. What does not
    /// exist is left as it was.
    pub fn read(&self, epoch: usize, channel: usize, out: &mut [f64]) {
        match &self.source {
            Source::Owned(data) => {
                if epoch < data.dim().0 && channel < data.dim().1 {
                    let row = data.index_axis(Axis(0), epoch);
                    let row = row.index_axis(Axis(0), channel);
                    out.iter_mut().zip(row).for_each(|(out, value)| *out = *value);
                }
            }
            Source::View(view) => {
                let (Some(event), Some(row), Some(offset)) = (
                    self.events.get(epoch),
                    view.rows.get(channel),
                    view.offsets.get((epoch, channel)),
                ) else {
                    return;
                };
                let Ok(start) = usize::try_from(event.sample.saturating_add(self.info.first))
                else {
                    return;
                };
                let length = out.len().min(view.n_samples);
                let out = out.get_mut(..length).unwrap_or_default();
                view.recording.read(*row, start, out);
                if *offset != 0.0 {
                    out.iter_mut().for_each(|value| *value -= offset);
                }
            }
        }
    }

    /// The samples of one epoch in volts, channels x samples; None when there is no such epoch.
    pub fn epoch(&self, index: usize) -> Option<Array2<f64>> {
        let (n_epochs, n_channels, n_samples) = self.shape();
        if index >= n_epochs {
            return None;
        }
        let mut out = Array2::zeros((n_channels, n_samples));
        for (channel, mut row) in out.rows_mut().into_iter().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                self.read(index, channel, row);
            }
        }
        Some(out)
    }

    /// All samples in volts, epochs x channels x samples. Made anew at each call when the epochs
    /// are a view (on all threads of the current rayon pool): go by [`Self::epoch`] or
    /// [`Self::read`] where that is enough.
    pub fn data(&self) -> Arc<Array3<f64>> {
        if let Source::Owned(data) = &self.source {
            return Arc::clone(data);
        }
        let (_, n_channels, n_samples) = self.shape();
        let mut out = Array3::zeros(self.shape());
        if let Some(flat) = out.as_slice_mut()
            && n_channels * n_samples > 0
        {
            let epochs = flat.par_chunks_mut(n_channels * n_samples).enumerate();
            epochs.for_each(|(epoch, rows)| {
                for (channel, row) in rows.chunks_mut(n_samples).enumerate() {
                    self.read(epoch, channel, row);
                }
            });
        }
        Arc::new(out)
    }

    /// The epochs with only the named channels, in the order asked. Without names: all of them.
    ///
    /// # Errors
    /// As [`Recording::pick_channels`].
    pub fn pick_channels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, RecordingError> {
        let picked = super::recording::places_of(&self.channels, names)?;
        Ok(self.pick(&picked))
    }

    /// The epochs with only the channels of one kind.
    pub fn pick_kind(&self, kind: ChannelKind) -> Self {
        let channels = self.channels.iter().enumerate();
        let picked: Vec<usize> =
            channels.filter(|(_, c)| c.kind == kind).map(|(place, _)| place).collect();
        self.pick(&picked)
    }

    /// Channels by their places, all of which exist.
    fn pick(&self, places: &[usize]) -> Self {
        let channels = places.iter().filter_map(|i| self.channels.get(*i).cloned()).collect();
        let source = match &self.source {
            Source::Owned(data) => Source::Owned(Arc::new(data.select(Axis(1), places))),
            Source::View(view) => Source::View(View {
                recording: view.recording.clone(),
                rows: places.iter().filter_map(|i| view.rows.get(*i).copied()).collect(),
                offsets: Arc::new(view.offsets.select(Axis(1), places)),
                n_samples: view.n_samples,
            }),
        };
        Self { channels, source, ..self.clone() }
    }

    /// Only the epochs of one event id, the drop log as it was.
    pub fn of_id(&self, id: i32) -> Self {
        let mut info = EpochsInfo::clone(&self.info);
        info.ids.retain(|(_, of)| *of == id);
        Self { info: Arc::new(info), ..self.filtered(|_, event| event.id == id) }
    }

    /// Without the epochs for which `reasons` (given the epoch's number) is not empty; the drop
    /// log says why.
    pub(crate) fn dropping(&self, reasons: &[Vec<String>]) -> Self {
        let kept = |epoch: usize| reasons.get(epoch).is_none_or(Vec::is_empty);
        let mut log = self.drop_log.to_vec();
        // The epochs are the entries without a reason, in order.
        let open = log.iter_mut().filter(|entry| entry.reasons.is_empty());
        for (entry, reasons) in open.zip(reasons) {
            entry.reasons.clone_from(reasons);
        }
        Self { drop_log: log.into(), ..self.filtered(|epoch, _| kept(epoch)) }
    }

    fn filtered(&self, keep: impl Fn(usize, &Event) -> bool) -> Self {
        let events = self.events.iter().enumerate();
        let kept: Vec<usize> = events.filter(|(i, e)| keep(*i, e)).map(|(i, _)| i).collect();
        let events = kept.iter().filter_map(|i| self.events.get(*i).copied()).collect();
        let source = match &self.source {
            Source::Owned(data) => Source::Owned(Arc::new(data.select(Axis(0), &kept))),
            Source::View(view) => Source::View(View {
                offsets: Arc::new(view.offsets.select(Axis(0), &kept)),
                ..view.clone()
            }),
        };
        Self { events, source, ..self.clone() }
    }
}

impl fmt::Debug for Epochs {
    /// Without the samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("shape", &self.shape())
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// `k / sfreq` for `n` values of k from `first` on.
pub(crate) fn times(first: i64, n: usize, sfreq: f64) -> Vec<f64> {
    (0..n).map(|k| (first as f64 + k as f64) / sfreq).collect()
}
