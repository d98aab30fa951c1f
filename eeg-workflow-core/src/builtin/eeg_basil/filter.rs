//! The blocks that filter recordings.

use std::sync::Arc;

use super::EEG_DATA;
use super::non_finite;
use crate::block::{
    Block, BlockError, BlockErrorKind, BlockSpec, Context, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{FirError, FirFilter, Recording};

const LOW: &str = "Low Cutoff Frequency";
const HIGH: &str = "High Cutoff Frequency";
const FREQUENCIES: &str = "Frequencies";

/// Low-, high-, band-pass or band-stop filters the EEG channels of a recording.
pub(super) struct Filter(BlockSpec);

impl Filter {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Filter")
            .with_family("PreProcessing")
            .with_help("Band-pass, low-pass or high-pass filter, as mne's raw.filter")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .parameter(LOW, PortType::NUMBER, "None", "If None the data are only low-passed")
            .described("Lower edge of the pass band in Hz; None means no high-pass")
            .parameter(HIGH, PortType::NUMBER, "None", "If None the data are only high-passed")
            .described("Upper edge of the pass band in Hz; None means no low-pass");
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for Filter {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let (low, high) = (cx.float(LOW)?, cx.float(HIGH)?);
        let filter = FirFilter::band(recording.sfreq(), low, high);
        let filter = filter.map_err(|error| match (error, low, high) {
            (
                FirError::NotPositive { frequency } | FirError::AboveNyquist { frequency, .. },
                _,
                Some(high),
            ) if frequency.to_bits() == high.to_bits() => BlockError::parameter(HIGH, error),
            (_, None, _) => BlockError::parameter(HIGH, error),
            (FirError::NotPositive { .. } | FirError::AboveNyquist { .. }, ..) | (_, _, None) => {
                BlockError::parameter(LOW, error)
            }
            _ => BlockError::of(
                BlockErrorKind::Parameter,
                format!("parameters \"{LOW}\" and \"{HIGH}\": {error}"),
            ),
        })?;
        Ok(filtered(cx, recording, &filter))
    }
}

/// Takes narrow bands, such as that of the mains, out of the EEG channels of a recording.
pub(super) struct Notch(BlockSpec);

impl Notch {
    pub(super) fn new() -> Self {
        let hint = "Hz, several separated by commas, such as 50,100,150";
        let spec = BlockSpec::new("Notch")
            .with_family("PreProcessing")
            .with_description("Takes out the hum of the mains")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .required_parameter(FREQUENCIES, PortType::NUMBER_ARRAY, "50", hint);
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for Notch {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let frequencies = super::numbers(cx, FREQUENCIES)?;
        let filter = FirFilter::notch(recording.sfreq(), &frequencies);
        let filter = filter.map_err(|error| BlockError::parameter(FREQUENCIES, error))?;
        Ok(filtered(cx, recording, &filter))
    }
}

/// Filters, in place when nobody else needs the recording.
fn filtered(cx: &Context<'_>, recording: Arc<Recording>, filter: &FirFilter) -> Outputs {
    if let Some(longest) = filter.too_long_for(&recording) {
        cx.log(format!(
            "the filter is {} samples long, longer than the signal of {longest}: distortion is \
             likely; a higher low cut-off or a longer recording helps",
            filter.taps().len()
        ));
    }
    let reach = filter.taps().len() / 2;
    let consequence = format!("those within {reach} samples of them become NaN, too");
    non_finite::tell(cx, &recording, &consequence);
    Outputs::one(Value::object(filter.apply(Arc::unwrap_or_clone(recording))))
}
