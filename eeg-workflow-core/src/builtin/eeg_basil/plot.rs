//! The blocks that draw recordings, epochs and averages.

use super::{EEG_DATA, EPOCHS_PORT};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{
    self, EegPlot, Epochs, ErpError, Evoked, Recording, plot_averages, plot_epochs, plot_erp,
    plot_evoked,
};
use crate::picture::Format;

const FORMAT: &str = "Format";
const CHANNELS: &str = "Channels";

/// Draws every channel of a recording over time.
pub(super) struct EegPlotBlock(BlockSpec);

impl EegPlotBlock {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EEGPlot")
            .with_family("Visualization")
            .with_help("Every channel of a recording over time, in µV and seconds");
        Self(with_format(spec.input(EEG_DATA, PortType::EEG_DATA, 1..=1)))
    }
}

impl Block for EegPlotBlock {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let format = format(cx)?;
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        super::non_finite::tell(cx, &recording, "nothing is drawn there");
        let picture =
            EegPlot::default().draw(&recording, format).map_err(BlockError::from_error)?;
        Ok(Outputs::none().show(shown("eeg", format, picture)))
    }
}

/// Draws epochs as an image with their mean below, or an average as channels over time.
pub(super) struct EpochPlot(BlockSpec);

impl EpochPlot {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("EpochPlot").with_family("Visualization").with_help(
            "Epochs as an image with their mean below, in µV and \
                        seconds, or an average, channel by channel",
        );
        Self(with_format(spec.input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)))
    }
}

impl Block for EpochPlot {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let format = format(cx)?;
        let value = inputs.take(EPOCHS_PORT)?;
        let picture = if let Some(epochs) = value.downcast_ref::<Epochs>() {
            super::non_finite::tell_epochs(cx, epochs, "there is no mean where they are");
            plot_epochs(not_empty(epochs)?, format)
        } else if let Some(evoked) = value.downcast_ref::<Evoked>() {
            plot_evoked(evoked, format)
        } else if let Some(averages) = averages(&value) {
            plot_averages(&averages, format)
        } else {
            let problem = format!("expected epochs or an average, got {}", value.type_name());
            return Err(BlockError::input(EPOCHS_PORT, problem));
        };
        let picture = picture.map_err(BlockError::from_error)?;
        Ok(Outputs::none().show(shown("epochs", format, picture)))
    }
}

/// Draws the mean of each event's epochs with its confidence band.
pub(super) struct ErpPlot(BlockSpec);

impl ErpPlot {
    pub(super) fn new() -> Self {
        let hint = "A panel for each; none means the mean of all EEG channels";
        let spec = BlockSpec::new("ERPPlot")
            .with_family("Visualization")
            .with_description("Mean of each event's epochs with its 95 % confidence band")
            .input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)
            .parameter(CHANNELS, PortType::STRING_ARRAY, "", hint);
        Self(with_format(spec))
    }
}

impl Block for ErpPlot {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let format = format(cx)?;
        let epochs = inputs.object::<Epochs>(EPOCHS_PORT)?;
        super::non_finite::tell_epochs(cx, &epochs, "there is no mean where they are");
        let names = super::channels(cx, CHANNELS, epochs.channel_names());
        let picture = plot_erp(not_empty(&epochs)?, &names, format);
        let picture = picture.map_err(|error| match error {
            ErpError::Channels(error) => BlockError::parameter(CHANNELS, error),
            other => BlockError::from_error(other),
        })?;
        Ok(Outputs::none().show(shown("erp", format, picture)))
    }
}

/// Epochs of which there is at least one.
fn not_empty(epochs: &Epochs) -> Result<&Epochs, BlockError> {
    if epochs.is_empty() {
        return Err(BlockError::input(EPOCHS_PORT, eeg::AverageError::NoEpochs));
    }
    Ok(epochs)
}

/// The averages in a list of nothing but averages.
fn averages(value: &Value) -> Option<Vec<&Evoked>> {
    match value {
        Value::List(items) => items.iter().map(Value::downcast_ref).collect(),
        _ => None,
    }
}

/// The kind of file as a parameter, added last.
pub(super) fn with_format(spec: BlockSpec) -> BlockSpec {
    spec.parameter(FORMAT, PortType::STRING, "png", "Either, 'png' or 'svg'")
}

/// The kind of file that the parameter asks for.
pub(super) fn format(cx: &Context<'_>) -> Result<Format, BlockError> {
    match cx.text(FORMAT).trim().to_ascii_lowercase().as_str() {
        "" | "none" | "png" => Ok(Format::Png),
        "svg" => Ok(Format::Svg),
        other => {
            let problem = format!("\"{other}\" is neither png nor svg");
            Err(BlockError::parameter(FORMAT, problem))
        }
    }
}

/// A picture as what a block shows.
pub(super) fn shown(name: &str, format: Format, picture: Vec<u8>) -> Display {
    Display::graph(format!("{name}.{}", format.ending()), picture)
}
