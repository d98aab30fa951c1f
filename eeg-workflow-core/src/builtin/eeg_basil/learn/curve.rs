//! The block that draws how a network was trained.

use super::{MODEL, trained};
use crate::block::{Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType};
use crate::eeg::TrainingPlot;

/// Draws loss and accuracy over the epochs of training.
pub(super) struct TrainingCurve(BlockSpec);

impl TrainingCurve {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("TrainingCurve")
            .family("Visualization")
            .description("Loss and accuracy of each epoch of training");
        Self(spec.input(MODEL, PortType::MODEL, 1..=1))
    }
}

impl Block for TrainingCurve {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let model = trained(&mut inputs)?;
        if model.history().is_empty() {
            let problem = "the model was not trained in epochs in this workflow";
            return Err(BlockError::input(MODEL, problem));
        }
        let png = TrainingPlot::default().to_png(model.history());
        Ok(Outputs::none()
            .show(Display::graph("training.png", png.map_err(BlockError::from_error)?)))
    }
}
