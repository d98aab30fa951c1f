//! The block that lists what happens in a recording.

use super::EEG_DATA;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, PythonRepr, Value,
};
use crate::eeg::Recording;

/// Shows the names of a recording's events with their ids.
pub(super) struct EventAndIds(BlockSpec);

impl EventAndIds {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EventAndIds")
            .with_family("PreProcessing")
            .with_description("Dictionary of 'Name' : 'Id' pair");
        Self(spec.input(EEG_DATA, PortType::EEG_DATA, 1..=1))
    }
}

impl Block for EventAndIds {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let events = recording.events().map_err(BlockError::from_error)?;
        let ids: Value = events.ids.into_iter().collect();
        Ok(Outputs::none().show(Display::text(PythonRepr(&ids).to_string())))
    }
}
