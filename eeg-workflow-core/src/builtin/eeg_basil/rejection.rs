//! The block that drops epochs with artefacts.

use super::EPOCHS_PORT;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{ArtefactLimits, Epochs};

const PEAK_TO_PEAK: &str = "Peak To Peak Limit";
const FLAT: &str = "Flat Limit";

/// Drops epochs in which an EEG channel is too wild or too flat; shows the drop log.
pub(super) struct ArtifactRejection(BlockSpec);

impl ArtifactRejection {
    pub(super) fn new() -> Self {
        let wild = "µV between the least and the greatest sample; None means no limit";
        let dead = "µV that a channel must move at least; None means no limit";
        let spec = BlockSpec::new("ArtifactRejection")
            .with_family("PreProcessing")
            .with_description("Drops epochs with artefacts and shows the drop log")
            .input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)
            .parameter(PEAK_TO_PEAK, PortType::NUMBER, "100", wild)
            .parameter(FLAT, PortType::NUMBER, "None", dead);
        Self(spec.output(EPOCHS_PORT, PortType::EPOCHS))
    }
}

impl Block for ArtifactRejection {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let epochs = inputs.object::<Epochs>(EPOCHS_PORT)?;
        let limits =
            ArtefactLimits { peak_to_peak: limit(cx, PEAK_TO_PEAK)?, flat: limit(cx, FLAT)? };
        let kept = epochs.without_artefacts(limits);
        if kept.is_empty() {
            cx.log(format!("no epoch is left: all {} were dropped", epochs.len()));
        }
        let table = drop_log(&kept);
        Ok(Outputs::one(Value::object(kept)).show(table))
    }
}

/// A limit in volts, given in µV.
fn limit(cx: &Context<'_>, parameter: &str) -> Result<Option<f64>, BlockError> {
    match cx.float(parameter)? {
        None => Ok(None),
        Some(limit) if limit > 0.0 => Ok(Some(limit * 1e-6)),
        Some(limit) => Err(BlockError::parameter(parameter, format!("{limit} µV is not above 0"))),
    }
}

/// What became of each selected event.
fn drop_log(epochs: &Epochs) -> Display {
    let names = ["event", "time (s)", "id", "name", "dropped because of"];
    let log = epochs.drop_log().iter().enumerate();
    let selected = log.filter(|(_, entry)| entry.reasons.iter().all(|r| r != "IGNORED"));
    let row = |(index, entry): (usize, &crate::eeg::DropLogEntry)| {
        let seconds = entry.event.sample as f64 / epochs.sfreq();
        let name = epochs.name_of(entry.event.id);
        let reasons = entry.reasons.join(", ");
        vec![index.to_string(), format!("{seconds:.3}"), entry.event.id.to_string(), name, reasons]
    };
    Display::Table { columns: names.map(str::to_owned).into(), rows: selected.map(row).collect() }
}
