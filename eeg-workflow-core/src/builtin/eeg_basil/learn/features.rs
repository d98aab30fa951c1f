//! The blocks that make feature vectors of epochs.

use std::sync::Arc;

use super::{FEATURE_VECTOR, whole};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::builtin::eeg_basil::{EPOCHS_PORT, channels};
use crate::eeg::{ChannelKind, Epochs, Evoked, FeatureError, FeatureVectors, TimeWindow, Wavelet};

const WAVELET: &str = "Wavelet";
const LEVEL: &str = "Level";
const WINDOWS: &str = "Time Windows";
const UNIT_NORM: &str = "Unit Norm";
const CHANNELS: &str = "Channels";
const CHANNELS_HINT: &str =
    "Whose samples become features; none means all EEG channels, 'all' those of any kind";

/// The approximation coefficients of the wavelet transform of each channel.
pub(super) struct WaveletTransform(BlockSpec);

impl WaveletTransform {
    pub(super) fn new() -> Self {
        let names = Wavelet::names().collect::<Vec<_>>().join(", ");
        let spec = BlockSpec::new("WaveletTransform")
            .with_family("FeatureExtraction")
            .with_help(
                "Approximation coefficients of the discrete wavelet \
                        transform of each channel, as features",
            )
            .input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)
            .output(FEATURE_VECTOR, PortType::FEATURE_VECTOR)
            .parameter(WAVELET, PortType::STRING, "db1", format!("Either of {names}"))
            .parameter(LEVEL, PortType::NUMBER, "1", "How many times the samples are halved")
            .parameter(CHANNELS, PortType::STRING_ARRAY, "", CHANNELS_HINT);
        Self(spec)
    }
}

impl Block for WaveletTransform {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let epochs = epochs(cx, &mut inputs)?;
        let name = cx.text(WAVELET);
        let wavelet = match name.trim() {
            "" | "None" => Wavelet::DB1,
            name => name.parse().map_err(|error| BlockError::parameter(WAVELET, error))?,
        };
        let level = whole(cx, LEVEL, 1)?.unwrap_or(1);
        let (samples, most) = (epochs.n_samples(), wavelet.max_level(epochs.n_samples()));
        if level > most.max(1) {
            cx.log(format!(
                "at level {level} of {wavelet} all coefficients of {samples} samples feel the \
                 ends: {most} is the highest level at which some do not"
            ));
        }
        let vectors = FeatureVectors::from_wavelet(&epochs, wavelet, level);
        vectors.map(shown).map_err(|error| match error {
            FeatureError::Level { .. } => BlockError::parameter(LEVEL, error),
            error => BlockError::input(EPOCHS_PORT, error),
        })
    }
}

/// The mean amplitude of each channel in windows of time.
pub(super) struct WindowedMeans(BlockSpec);

impl WindowedMeans {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("WindowedMeans")
            .with_family("FeatureExtraction")
            .with_description("Mean amplitude of each channel in time windows")
            .input(EPOCHS_PORT, PortType::EPOCHS, 1..=1)
            .parameter(
                WINDOWS,
                PortType::STRING_ARRAY,
                serde_json::json!(["0:0.1", "0.1:0.2", "0.2:0.3", "0.3:0.4", "0.4:0.5"]),
                "Start and end of each window in seconds from the event, both included, with a \
                 colon between",
            )
            .parameter(
                UNIT_NORM,
                PortType::BOOLEAN,
                "",
                "Whether each vector is scaled to norm 1; else it is in volts",
            )
            .output(FEATURE_VECTOR, PortType::FEATURE_VECTOR)
            .parameter(CHANNELS, PortType::STRING_ARRAY, "", CHANNELS_HINT);
        Self(spec)
    }
}

impl Block for WindowedMeans {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let epochs = epochs(cx, &mut inputs)?;
        let texts = cx.texts(WINDOWS);
        let windows = texts.iter().filter(|text| !text.trim().is_empty()).map(|text| text.parse());
        let windows = windows.collect::<Result<Vec<TimeWindow>, _>>();
        let windows = windows.map_err(|error| BlockError::parameter(WINDOWS, error))?;
        let vectors = FeatureVectors::from_windows(&epochs, &windows);
        let vectors = vectors.map_err(|error| match error {
            FeatureError::NoWindow | FeatureError::Outside { .. } => {
                BlockError::parameter(WINDOWS, error)
            }
            error => BlockError::input(EPOCHS_PORT, error),
        })?;
        if !cx.boolean(UNIT_NORM) {
            return Ok(shown(vectors));
        }
        let scaled = vectors.with_unit_norm(&epochs);
        scaled.map(shown).map_err(|error| BlockError::input(EPOCHS_PORT, error))
    }
}

/// The epochs of the channels that features are made of: the named ones, else the EEG channels. A
/// trigger line among them would tell a classifier the event.
fn epochs(cx: &Context<'_>, inputs: &mut Inputs<'_>) -> Result<Epochs, BlockError> {
    let epochs = epochs_of_all_channels(inputs)?;
    let names = channels(cx, CHANNELS, epochs.channel_names());
    if !names.is_empty() {
        let picked = epochs.pick_channels(&names);
        return picked.map_err(|error| BlockError::parameter(CHANNELS, error));
    }
    let picked = epochs.pick_kind(ChannelKind::Eeg);
    if picked.channel_count() == 0 {
        let problem = "no channel is an EEG channel: name those to take features from";
        return Err(BlockError::parameter(CHANNELS, problem));
    }
    Ok(picked)
}

fn epochs_of_all_channels(inputs: &mut Inputs<'_>) -> Result<Arc<Epochs>, BlockError> {
    inputs.take(EPOCHS_PORT)?.downcast::<Epochs>().map_err(|value| {
        BlockError::input(
            EPOCHS_PORT,
            if value.downcast_ref::<Evoked>().is_some() {
                "an average has no events to classify: connect the epochs themselves".to_owned()
            } else {
                format!("expected epochs, got {}", value.type_name())
            },
        )
    })
}

fn shown(vectors: FeatureVectors) -> Outputs {
    let (count, features) = (vectors.len(), vectors.feature_count());
    let text = format!("Total datapoints: {count}\nNo. of Features: ({features},)");
    Outputs::one(Value::object(vectors)).show(Display::text(text))
}
