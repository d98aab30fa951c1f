//! The blocks that cut recordings into epochs and average these.

use super::non_finite;
use super::{EEG_DATA, EPOCHS_PORT};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{ArtefactLimits, EpochError, EpochOptions, Epochs, Evoked, Recording, Repeated};

const PRE: &str = "PreStimulus onset";
const POST: &str = "PostStimulus onset";
const BASELINE_START: &str = "Baseline Correction Start Time";
const BASELINE_END: &str = "Baseline Correction End Time";
const EVENT_ID: &str = "Event Id";
const BASELINE: &str = "Baseline Correction";
const REJECT: &str = "Reject BAD Annotations";
const KEEP_FIRST: &str = "Keep First Of Repeated Events";
const PER_CONDITION: &str = "Per Condition";

/// Cuts the windows around events out of a recording.
pub(super) struct EpochExtraction(BlockSpec);

impl EpochExtraction {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EpochExtraction")
            .with_family("PreProcessing")
            .with_help("Cuts out what is around each event, as mne.Epochs")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .parameter(PRE, PortType::NUMBER, "-0.2", "")
            .described("Start of an epoch in seconds from its event")
            .parameter(POST, PortType::NUMBER, "0.5", "")
            .described("End of an epoch in seconds from its event")
            .parameter(
                BASELINE_START,
                PortType::STRING,
                "None",
                "None means beginning of the data",
            )
            .described("In seconds from the event; None means the start of the epoch")
            .parameter(
                BASELINE_END,
                PortType::STRING,
                "0",
                "None means end of the data",
            )
            .described("In seconds from the event; None means the end of the epoch")
            .parameter(
                EVENT_ID,
                PortType::STRING,
                "None",
                "None means all the events",
            )
            .described("Ids or descriptions, separated by commas; None means all events")
            .output(EPOCHS_PORT, PortType::EPOCHS)
            .parameter(
                BASELINE,
                PortType::BOOLEAN,
                "true",
                "Whether the mean of the baseline is subtracted",
            )
            .parameter(
                REJECT,
                PortType::BOOLEAN,
                "true",
                "Whether epochs are dropped that overlap an annotation whose description begins with BAD",
            )
            .parameter(
                KEEP_FIRST,
                PortType::BOOLEAN,
                "",
                "Whether of several events at one sample the first counts; else they are an error",
            );
        Self(spec)
    }
}

impl Block for EpochExtraction {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let default = EpochOptions::default();
        let time = |name| super::float_in_text(cx, name);
        let options = EpochOptions {
            tmin: cx.float(PRE)?.unwrap_or(default.tmin),
            tmax: cx.float(POST)?.unwrap_or(default.tmax),
            baseline: match super::is_on(cx, BASELINE) {
                true => Some((time(BASELINE_START)?, time(BASELINE_END)?)),
                false => None,
            },
            events: chosen(cx, &recording)?,
            reject_by_annotation: super::is_on(cx, REJECT),
            repeated: match cx.boolean(KEEP_FIRST) {
                true => Repeated::KeepFirst,
                false => Repeated::Refuse,
            },
        };
        tell_ambiguous(cx, &recording, options.events.as_deref().unwrap_or_default());
        let epochs = Epochs::extract(&recording, &options).map_err(culprit)?;
        // Other than in MNE, which keeps them.
        let epochs = match epochs.non_finite_count() {
            0 => epochs,
            _ => epochs.without_artefacts(ArtefactLimits::default()),
        };
        log_dropped(cx, &epochs, &recording);
        let (n, channels, samples) = epochs.shape();
        let text = format!("({n}, {channels}, {samples})");
        Ok(Outputs::one(Value::object(epochs)).show(Display::text(text)))
    }
}

/// The events that the parameter names: all of it as one name, or the parts between commas.
fn chosen(cx: &Context<'_>, recording: &Recording) -> Result<Option<Vec<String>>, BlockError> {
    let text = cx.text(EVENT_ID);
    let text = text.trim();
    if matches!(text, "" | "None") {
        return Ok(None);
    }
    let named = |events: crate::eeg::Events| events.ids.iter().any(|(name, _)| name == text);
    if recording.events().is_ok_and(named) {
        return Ok(Some(vec![text.to_owned()]));
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    if parts.is_empty() {
        return Err(BlockError::parameter(EVENT_ID, format_args!("\"{text}\" names no event")));
    }
    Ok(Some(parts))
}

/// Says where a number that was asked for is an id, but also what another event is called.
fn tell_ambiguous(cx: &Context<'_>, recording: &Recording, asked: &[String]) {
    let Ok(events) = recording.events() else { return };
    for asked in asked {
        let id = asked.trim().parse::<i32>().ok();
        let of_id = events.ids.iter().find(|(_, id_)| Some(*id_) == id);
        let of_name = events.ids.iter().find(|(name, _)| name == asked.trim());
        if let (Some((name, id)), Some((_, other))) = (of_id, of_name)
            && id != other
        {
            cx.log(format!(
                "{EVENT_ID} {id} is the event with this id, \"{name}\", not the event \"{asked}\", \
                 whose id is {other}"
            ));
        }
    }
}

/// The error with the parameter that it is about.
fn culprit(error: EpochError) -> BlockError {
    let parameter = match &error {
        EpochError::NoSuchEvent { .. } => EVENT_ID,
        EpochError::Repeated { .. } => KEEP_FIRST,
        EpochError::Window { tmin, tmax } if tmin.is_finite() && !tmax.is_finite() => POST,
        EpochError::WindowTooLong { tmin, tmax, .. } if tmax.abs() > tmin.abs() => POST,
        EpochError::Window { .. } | EpochError::WindowTooLong { .. } => PRE,
        EpochError::Baseline { end, .. } if end.is_nan() => BASELINE_END,
        EpochError::BaselineOutside { start, first, last, .. }
            if (*first..=*last).contains(start) =>
        {
            BASELINE_END
        }
        EpochError::Baseline { .. }
        | EpochError::BaselineOutside { .. }
        | EpochError::BaselineEmpty { .. } => BASELINE_START,
        EpochError::BaselineOneSample => BASELINE_END,
        EpochError::Events(_) | EpochError::NoEvents => {
            return BlockError::input(EEG_DATA, error);
        }
    };
    BlockError::parameter(parameter, error)
}

/// Says which events gave no epoch, and why.
fn log_dropped(cx: &Context<'_>, epochs: &Epochs, recording: &Recording) {
    const LISTED: usize = 50;
    let dropped = epochs.drop_log().iter().enumerate().filter(|(_, entry)| {
        !entry.reasons.is_empty() && entry.reasons.iter().all(|reason| reason != "IGNORED")
    });
    let selected = epochs
        .drop_log()
        .iter()
        .filter(|entry| entry.reasons.iter().all(|reason| reason != "IGNORED"));
    let (count, selected) = (dropped.clone().count(), selected.count());
    for (index, entry) in dropped.take(LISTED) {
        let name = epochs.name_of(entry.event.id);
        let reasons = entry.reasons.join(", ");
        let sample = entry.event.sample;
        cx.log(format!("event {index} ({name}, sample {sample}) dropped: {reasons}"));
    }
    if count > LISTED {
        cx.log(format!("{} more were dropped", count - LISTED));
    }
    if epochs.is_empty() {
        let seconds = |samples: usize| samples as f64 / epochs.sfreq();
        cx.log(format!(
            "no epoch is left: all {selected} selected events were dropped; a window is {} s \
             long, the recording {} s",
            seconds(epochs.n_samples()),
            seconds(recording.n_samples()),
        ));
    }
}

/// Averages epochs: all of them, or those of each event apart.
pub(super) struct EpochAveraging(BlockSpec);

impl EpochAveraging {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EpochAveraging")
            .with_family("PreProcessing")
            .with_help("The mean of the epochs, or of those of each event")
            .input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)
            .output(EPOCHS_PORT, PortType::EPOCHS);
        Self(spec.parameter(
            PER_CONDITION,
            PortType::BOOLEAN,
            "",
            "Whether each event has an average of its own; else all are pooled",
        ))
    }
}

impl Block for EpochAveraging {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let epochs = inputs.object::<Epochs>(EPOCHS_PORT)?;
        let problem = |error| BlockError::input(EPOCHS_PORT, error);
        // An average shows whether an epoch has such samples, and is far smaller than all of them.
        let tell = |averages: &[Evoked]| {
            if averages.iter().any(|average| average.data.iter().any(|v| !v.is_finite())) {
                non_finite::tell_epochs(cx, &epochs, "so has the average");
            }
        };
        if cx.boolean(PER_CONDITION) {
            let averages = epochs.averages().map_err(problem)?;
            tell(&averages);
            let averages: Vec<Value> = averages.into_iter().map(Value::object).collect();
            return Ok(Outputs::one(averages));
        }
        let average = epochs.average().map_err(problem)?;
        tell(std::slice::from_ref(&average));
        Ok(Outputs::one(Value::object(average)))
    }
}
