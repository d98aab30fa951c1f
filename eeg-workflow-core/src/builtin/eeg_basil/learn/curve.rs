//! The block that draws how a network was trained.

use super::{MODEL, trained};
use crate::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType};
use crate::builtin::eeg_basil::plot::{format, shown, with_format};
use crate::eeg::TrainingPlot;

/// Draws loss and accuracy over the epochs of training.
pub(super) struct TrainingCurve(BlockSpec);

impl TrainingCurve {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("TrainingCurve")
            .with_family("Visualization")
            .with_description("Loss and accuracy of each epoch of training");
        Self(with_format(spec.input(MODEL, PortType::MODEL, 1..=1)))
    }
}

impl Block for TrainingCurve {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let format = format(cx)?;
        let model = trained(&mut inputs)?;
        if model.history().is_empty() {
            let problem = "the model was not trained in epochs in this workflow";
            return Err(BlockError::input(MODEL, problem));
        }
        let picture = TrainingPlot::default().draw(model.history(), format);
        Ok(Outputs::none().show(shown(
            "training",
            format,
            picture.map_err(BlockError::from_error)?,
        )))
    }
}
