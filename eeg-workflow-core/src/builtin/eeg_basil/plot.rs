//! The block that draws a recording.

use super::EEG_DATA;
use crate::block::{Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType};
use crate::eeg::{EegPlot, Recording};

/// Draws every channel of a recording over time.
pub(super) struct EegPlotBlock(BlockSpec);

impl EegPlotBlock {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EEGPlot").family("Visualization");
        Self(spec.input(EEG_DATA, PortType::EEG_DATA, 1..=1))
    }
}

impl Block for EegPlotBlock {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let png = EegPlot::default().to_png(&recording).map_err(BlockError::from_error)?;
        Ok(Outputs::none().show(Display::graph("eeg.png", png)))
    }
}
