//! The blocks that change the reference or the sampling rate of recordings.

use std::sync::Arc;

use super::non_finite;
use super::{EEG_DATA, shape};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::Recording;

const REFERENCE: &str = "Reference Channels";
const RATE: &str = "Sampling Rate";

/// Subtracts the mean of all or of some channels from the EEG channels of a recording.
pub(super) struct ReReference(BlockSpec);

impl ReReference {
    pub(super) fn new() -> Self {
        let hint = "Their mean is the new reference; none means all EEG channels";
        let spec = BlockSpec::new("ReReference")
            .with_family("PreProcessing")
            .with_description("New reference of the EEG channels")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .parameter(REFERENCE, PortType::STRING_ARRAY, "", hint);
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for ReReference {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let mut names = super::channels(cx, REFERENCE, recording.channel_names());
        if let [only] = names.as_slice()
            && only.trim().eq_ignore_ascii_case("average")
            && recording.channel_names().all(|name| name != only)
        {
            names.clear();
        }
        non_finite::tell(cx, &recording, "the reference is made of the other channels there");
        let changed = Arc::unwrap_or_clone(recording).rereferenced(&names);
        let changed = changed.map_err(|error| BlockError::parameter(REFERENCE, error))?;
        Ok(Outputs::one(Value::object(changed)))
    }
}

/// Gives a recording another sampling rate.
pub(super) struct Resample(BlockSpec);

impl Resample {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("Resample")
            .with_family("PreProcessing")
            .with_description("Another sampling rate, by way of the spectrum")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .required_parameter(RATE, PortType::NUMBER, "", "Hz");
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for Resample {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let rate = cx.float(RATE)?;
        let rate = rate.ok_or_else(|| BlockError::parameter(RATE, "a value is required"))?;
        non_finite::tell(cx, &recording, "new samples next to them are NaN");
        let changed = Arc::unwrap_or_clone(recording).resampled(rate);
        let changed = changed.map_err(|error| BlockError::parameter(RATE, error))?;
        let text = shape(&changed);
        Ok(Outputs::one(Value::object(changed)).show(Display::text(text)))
    }
}
