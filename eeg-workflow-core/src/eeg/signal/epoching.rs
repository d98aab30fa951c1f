//! From a recording and its events to epochs.

use std::collections::HashSet;

use ndarray::Array2;
use rayon::prelude::*;

use crate::eeg::data::epochs::{DropLogEntry, Epochs, EpochsInfo};
use crate::eeg::data::{Annotation, ChannelKind, Event, EventError, Events, Recording};

/// How epochs are cut out of a recording: the arguments of MNE's `Epochs`.
///
/// ```
/// use eeg_workflow_core::eeg::EpochOptions;
///
/// let options = EpochOptions { tmin: -0.1, tmax: 0.8, ..EpochOptions::default() }
///     .of(["Stimulus/S  2", "4"]);
/// assert_eq!(options.baseline, Some((None, Some(0.0))));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EpochOptions {
    /// Start of the window in seconds from the event.
    pub tmin: f64,
    /// End of the window in seconds from the event; its sample belongs to the window.
    pub tmax: f64,
    /// The time range whose mean is subtracted from each epoch and channel, both ends included;
    /// None for an end stands for that end of the window. None leaves the samples as they are.
    pub baseline: Option<(Option<f64>, Option<f64>)>,
    /// Which events, by id in decimal digits or by name; None for all. A number that is an id of
    /// the recording is that id, even where an event with another id has it as its name.
    pub events: Option<Vec<String>>,
    /// Whether windows that overlap an annotation whose description starts with "bad" (in any
    /// case) are dropped.
    pub reject_by_annotation: bool,
    /// What to do with several selected events at one sample.
    pub repeated: Repeated,
}

/// What to do with several events at one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Repeated {
    /// It is an error.
    #[default]
    Refuse,
    /// The first one counts, the others are dropped (`DROP DUPLICATE`).
    KeepFirst,
}

impl Default for EpochOptions {
    /// All events, -0.2 to 0.5 s, the mean up to 0 s subtracted, bad windows dropped.
    fn default() -> Self {
        Self {
            tmin: -0.2,
            tmax: 0.5,
            baseline: Some((None, Some(0.0))),
            events: None,
            reject_by_annotation: true,
            repeated: Repeated::default(),
        }
    }
}

impl EpochOptions {
    /// Only these events, by name or id.
    #[must_use]
    pub fn of<S: Into<String>>(mut self, events: impl IntoIterator<Item = S>) -> Self {
        self.events = Some(events.into_iter().map(Into::into).collect());
        self
    }
}

/// Epochs that cannot be cut as asked. All times are in seconds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EpochError {
    /// The recording has no events.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The recording has no annotations at all.
    #[error("no events: the recording has no annotations")]
    NoEvents,
    /// Events were asked for that are not there.
    #[error("no event {}; the recording has {present}", .missing.join(", "))]
    NoSuchEvent {
        /// What was asked for, in quotes.
        missing: Vec<String>,
        /// The events that are there, with their ids.
        present: String,
    },
    /// The window does not have a start before its end.
    #[error("the window from {tmin} to {tmax} s does not end after it starts")]
    Window {
        /// Its start.
        tmin: f64,
        /// Its end.
        tmax: f64,
    },
    /// The window has more samples than any recording.
    #[error(
        "the window from {tmin} to {tmax} s is {samples:.0} samples long, more than is possible"
    )]
    WindowTooLong {
        /// Its start.
        tmin: f64,
        /// Its end.
        tmax: f64,
        /// Its length in samples.
        samples: f64,
    },
    /// The baseline's start is after its end.
    #[error("the baseline from {start} to {end} s does not end after it starts")]
    Baseline {
        /// Its start.
        start: f64,
        /// Its end.
        end: f64,
    },
    /// The baseline reaches beyond the window.
    #[error(
        "the baseline from {start} to {end} s is not inside the window, which has samples from \
         {first} to {last} s"
    )]
    BaselineOutside {
        /// Its start.
        start: f64,
        /// Its end.
        end: f64,
        /// The window's first time.
        first: f64,
        /// The window's last time.
        last: f64,
    },
    /// The baseline is "from the start of the window to 0 s", and the window starts there.
    #[error(
        "the baseline from the start of the window to 0 s is a single sample, as the window \
         starts at 0 s; say 0 to 0 s if that is wanted"
    )]
    BaselineOneSample,
    /// No sample lies in the baseline.
    #[error("the baseline from {start} to {end} s lies between two samples, {step} s apart")]
    BaselineEmpty {
        /// Its start.
        start: f64,
        /// Its end.
        end: f64,
        /// Time between samples.
        step: f64,
    },
    /// Several selected events are at one sample.
    #[error("{count} of the selected events are at the same sample, {sample}: {names}")]
    Repeated {
        /// How many there are at the first such sample.
        count: usize,
        /// That sample.
        sample: i64,
        /// What they are.
        names: String,
    },
}

impl Epochs {
    /// Cuts the windows around events out of a recording, as MNE's `Epochs(raw, events, …)` does.
    /// The samples are not copied: the epochs are a view of the recording.
    ///
    /// `first = round(tmin * sfreq)`, `last = round(tmax * sfreq)` (half to even), both samples
    /// belong to the window. The baseline is subtracted from all channels but misc and stim ones.
    ///
    /// # Errors
    /// As [`EpochError`] says. That every epoch is dropped is not an error.
    pub fn extract(recording: &Recording, options: &EpochOptions) -> Result<Self, EpochError> {
        let events = recording.events()?;
        if events.rows.is_empty() {
            return Err(EpochError::NoEvents);
        }
        let sfreq = recording.sfreq();
        let (first, n_samples) = window(options, sfreq)?;
        let baseline = baseline(options.baseline, first, n_samples, sfreq)?;
        let wanted = options.events.as_deref().map(|e| chosen_ids(&events, e)).transpose()?;
        let is_wanted = |event: &Event| wanted.as_ref().is_none_or(|ids| ids.contains(&event.id));
        if options.repeated == Repeated::Refuse {
            check_unique(events.rows.iter().filter(|e| is_wanted(e)), &events)?;
        }

        let bad: Vec<&Annotation> = recording
            .annotations()
            .iter()
            .filter(|a| options.reject_by_annotation && is_bad(&a.description))
            .collect();
        let mut seen = HashSet::new();
        let reasons = |event: &Event| -> Vec<String> {
            if !is_wanted(event) {
                return vec!["IGNORED".to_owned()];
            }
            if !seen.insert(event.sample) {
                return vec!["DROP DUPLICATE".to_owned()];
            }
            let start = event.sample + first;
            let stop = start + n_samples as i64;
            if start < 0 {
                return vec!["NO_DATA".to_owned()];
            }
            let (from, to) = (start as f64 / sfreq, stop as f64 / sfreq);
            // The first one is the reason, as in MNE.
            if let Some(mark) = bad.iter().find(|a| a.onset < to && a.onset + a.duration > from) {
                return vec![mark.description.clone()];
            }
            if stop > recording.n_samples() as i64 {
                return vec!["TOO_SHORT".to_owned()];
            }
            Vec::new()
        };
        let reasons: Vec<Vec<String>> = events.rows.iter().map(reasons).collect();
        let log = events.rows.iter().zip(reasons);
        let drop_log: Vec<DropLogEntry> =
            log.map(|(event, reasons)| DropLogEntry { event: *event, reasons }).collect();
        let kept = drop_log.iter().filter(|entry| entry.reasons.is_empty());
        let kept: Vec<Event> = kept.map(|entry| entry.event).collect();

        let offsets = match &baseline {
            None => Array2::zeros((kept.len(), recording.channels().len())),
            Some(baseline) => offsets(recording, &kept, first, &baseline.samples),
        };
        let mut ids: Vec<(String, i32)> = events.ids;
        ids.retain(|(_, id)| wanted.as_ref().is_none_or(|wanted| wanted.contains(id)));
        ids.sort_by_key(|(_, id)| *id);
        let info = EpochsInfo { sfreq, first, ids, baseline: baseline.map(|b| b.range) };
        Ok(Self::view(info, recording.clone(), kept, drop_log, offsets, n_samples))
    }
}

/// The window's first sample from the event, and its length in samples.
fn window(options: &EpochOptions, sfreq: f64) -> Result<(i64, usize), EpochError> {
    const LONGEST: f64 = 2_147_483_648.0;
    let EpochOptions { tmin, tmax, .. } = *options;
    let first = (tmin * sfreq).round_ties_even();
    let last = (tmax * sfreq).round_ties_even();
    let ordered = tmin <= tmax;
    if !(ordered && first.is_finite() && last.is_finite()) {
        return Err(EpochError::Window { tmin, tmax });
    }
    let samples = last - first + 1.0;
    if samples > LONGEST || first.abs() > LONGEST {
        return Err(EpochError::WindowTooLong { tmin, tmax, samples });
    }
    Ok((first as i64, samples as usize))
}

/// A baseline that lies in the window.
struct Baseline {
    range: (f64, f64),
    /// Samples of the window.
    samples: std::ops::Range<usize>,
}

/// MNE's `_check_baseline` and `rescale`.
fn baseline(
    asked: Option<(Option<f64>, Option<f64>)>,
    first: i64,
    n_samples: usize,
    sfreq: f64,
) -> Result<Option<Baseline>, EpochError> {
    let Some((start, end)) = asked else {
        return Ok(None);
    };
    let time = |k: usize| (first as f64 + k as f64) / sfreq;
    let (t_first, t_last, step) = (time(0), time(n_samples - 1), 1.0 / sfreq);
    if start.is_none() && end == Some(0.0) && t_first == 0.0 {
        return Err(EpochError::BaselineOneSample);
    }
    let (start, end) = (start.unwrap_or(t_first), end.unwrap_or(t_last));
    let ordered = start <= end;
    if !ordered {
        return Err(EpochError::Baseline { start, end });
    }
    if start < t_first - step || end > t_last + step {
        let (first, last) = (t_first, t_last);
        return Err(EpochError::BaselineOutside { start, end, first, last });
    }
    // Near the ends in question; compared with the times themselves, as MNE does.
    let near = |t: f64| ((t - t_first) * sfreq).clamp(0.0, n_samples as f64) as usize;
    let mut from = near(start).saturating_sub(2);
    while from < n_samples && time(from) < start {
        from += 1;
    }
    let mut to = near(end).saturating_sub(2);
    while to < n_samples && time(to) <= end {
        to += 1;
    }
    if from >= to {
        return Err(EpochError::BaselineEmpty { start, end, step });
    }
    Ok(Some(Baseline { range: (start, end), samples: from..to }))
}

/// The mean of each epoch and channel over the baseline's samples: epochs x channels.
fn offsets(
    recording: &Recording,
    events: &[Event],
    first: i64,
    samples: &std::ops::Range<usize>,
) -> Array2<f64> {
    let channels = recording.channels();
    let mut out = Array2::zeros((events.len(), channels.len()));
    let Some(flat) = out.as_slice_mut().filter(|flat| !flat.is_empty()) else {
        return out;
    };
    let rows = flat.par_chunks_mut(channels.len()).zip(events);
    rows.for_each_init(
        || vec![0.0; samples.len()],
        |window, (row, event)| {
            let start = event.sample + first + samples.start as i64;
            for (c, (offset, channel)) in row.iter_mut().zip(channels).enumerate() {
                if is_corrected(channel.kind)
                    && let Ok(start) = usize::try_from(start)
                {
                    recording.read(c, start, window);
                    *offset = window.iter().sum::<f64>() / window.len() as f64;
                }
            }
        },
    );
    out
}

fn is_corrected(kind: ChannelKind) -> bool {
    match kind {
        ChannelKind::Eeg | ChannelKind::Eog | ChannelKind::Ecg | ChannelKind::Emg => true,
        ChannelKind::Stim | ChannelKind::Misc => false,
    }
}

fn is_bad(description: &str) -> bool {
    description.as_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"bad"))
}

/// The ids that names or ids stand for.
fn chosen_ids(events: &Events, asked: &[String]) -> Result<HashSet<i32>, EpochError> {
    // White space is a matter of taste: `S 1` and `S  1` are written alike.
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut ids = HashSet::new();
    let mut missing = Vec::new();
    for asked in asked {
        let by = |same: &dyn Fn(&str, i32) -> bool| -> Vec<i32> {
            let found = events.ids.iter().filter(|(name, id)| same(name, *id));
            found.map(|(_, id)| *id).collect()
        };
        let number = asked.trim().parse::<i32>().ok();
        // A number is an id wherever one is asked for, also where an event is called by it.
        let mut found = by(&|_, id| Some(id) == number);
        if found.is_empty() {
            found = by(&|name, _| name == asked);
        }
        if found.is_empty() {
            found = by(&|name, _| plain(name) == plain(asked));
        }
        if found.is_empty() {
            missing.push(format!("{asked:?}"));
        }
        ids.extend(found);
    }
    if missing.is_empty() {
        return Ok(ids);
    }
    let present = events.ids.iter().map(|(name, id)| format!("{name:?} ({id})"));
    Err(EpochError::NoSuchEvent { missing, present: present.collect::<Vec<_>>().join(", ") })
}

/// Refuses several events at one sample.
fn check_unique<'a>(
    selected: impl Iterator<Item = &'a Event> + Clone,
    events: &Events,
) -> Result<(), EpochError> {
    let mut seen = HashSet::new();
    let Some(first) = selected.clone().find(|event| !seen.insert(event.sample)) else {
        return Ok(());
    };
    let name = |id: i32| {
        let named = events.ids.iter().find(|(_, of)| *of == id);
        named.map_or_else(|| id.to_string(), |(name, _)| format!("{name:?}"))
    };
    let same: Vec<String> =
        selected.filter(|e| e.sample == first.sample).map(|e| name(e.id)).collect();
    Err(EpochError::Repeated { count: same.len(), sample: first.sample, names: same.join(", ") })
}
