//! The blocks that name and choose channels.

use super::{EEG_DATA, shape};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, PythonRepr, Value,
};
use crate::eeg::Recording;

const CHANNELS: &str = "Channels";

/// Shows the names of a recording's channels.
pub(super) struct ChannelNames(BlockSpec);

impl ChannelNames {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("ChannelNames")
            .with_family("PreProcessing")
            .with_help("Lists the names of the channels");
        Self(spec.input(EEG_DATA, PortType::EEG_DATA, 1..=1))
    }
}

impl Block for ChannelNames {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let names: Value = recording.channel_names().map(Value::from).collect::<Vec<_>>().into();
        Ok(Outputs::none().show(Display::text(PythonRepr(&names).to_string())))
    }
}

/// Keeps the channels that the parameter `Channels` lists, in that order; all when it is empty.
pub(super) struct ChannelSelection(BlockSpec);

impl ChannelSelection {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("ChannelSelection")
            .with_family("PreProcessing")
            .with_help("Keeps the selected channels only, in the order of the selection")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .parameter(CHANNELS, PortType::STRING_ARRAY, "", "Select channel");
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for ChannelSelection {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let names = super::channels(cx, CHANNELS, recording.channel_names());
        let picked = recording.pick_channels(&names);
        let picked = picked.map_err(|error| BlockError::parameter(CHANNELS, error))?;
        super::non_finite::tell(cx, &picked, "they are passed on");
        let text = shape(&picked);
        Ok(Outputs::one(Value::object(picked)).show(Display::text(text)))
    }
}
