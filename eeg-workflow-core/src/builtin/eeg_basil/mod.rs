//! `EEG_Basil.zip:EEG_Basil`: blocks over the EEG library, with the names and fields that the
//! workflows of the Python module of this name use.

mod channels;
mod epochs;
mod events;
mod filter;
#[cfg(feature = "learn")]
mod learn;
mod non_finite;
#[cfg(feature = "plots")]
mod plot;
mod provider;
mod rejection;
mod signal;
#[cfg(feature = "plots")]
mod spectrum;

use crate::block::{BlockError, Context, Number, Object, PortType, Value};
use crate::eeg::{Epochs, Evoked, Recording};
#[cfg(feature = "learn")]
use crate::eeg::{FeatureVectors, Model};
use crate::module::{Module, RegistryError};

/// The module, its block types in the order in which designers list them.
///
/// # Errors
/// Two of its block types have one name; a test makes sure that none have.
pub fn module() -> Result<Module, RegistryError> {
    let module = Module::new("EEG_Basil.zip:EEG_Basil")
        .block(provider::OfflineDataProvider::new())?
        .block(channels::ChannelSelection::new())?
        .block(channels::ChannelNames::new())?
        .block(events::EventAndIds::new())?
        .block(epochs::EpochExtraction::new())?
        .block(epochs::EpochAveraging::new())?
        .block(filter::Filter::new())?;
    #[cfg(feature = "learn")]
    let module = learn::original(module)?;
    #[cfg(feature = "plots")]
    let module = module.block(plot::EpochPlot::new())?.block(plot::EegPlotBlock::new())?;
    let module = module
        .block(filter::Notch::new())?
        .block(signal::ReReference::new())?
        .block(signal::Resample::new())?
        .block(rejection::ArtifactRejection::new())?;
    #[cfg(feature = "plots")]
    let module = module.block(spectrum::PowerSpectrum::new())?.block(plot::ErpPlot::new())?;
    #[cfg(feature = "learn")]
    let module = learn::added(module)?;
    Ok(module)
}

/// The port that recordings come in by and go out of.
const EEG_DATA: &str = "EEGData";

/// The port that epochs and averages come in by and go out of.
const EPOCHS_PORT: &str = "Epochs";

/// What blocks pass on: its name in messages and the type of its ports. Data that several share
/// count for each of them.
macro_rules! objects {
    ($($object:ty: $name:literal, $port:ident;)*) => {
        $(impl Object for $object {
            fn type_name(&self) -> &'static str {
                $name
            }

            fn byte_size(&self) -> usize {
                Self::byte_size(self)
            }

            fn port_type() -> PortType {
                PortType::$port
            }
        })*
    };
}

objects! {
    Recording: "EEGData", EEG_DATA;
    Epochs: "EPOCHS", EPOCHS;
    Evoked: "EPOCHS", EPOCHS;
}

#[cfg(feature = "learn")]
objects! {
    FeatureVectors: "FeatureVector", FEATURE_VECTOR;
    Model: "trained model", MODEL;
}

/// The shape of a recording as Python prints it: `(channels, samples)`.
fn shape(recording: &Recording) -> String {
    let (channels, samples) = recording.shape();
    format!("({channels}, {samples})")
}

// Parameters that are off by default have an empty one: designers test the string, and "false" would
// be on.

/// A parameter that is on unless it says otherwise.
fn is_on(cx: &Context<'_>, parameter: &str) -> bool {
    cx.text(parameter).trim().is_empty() || cx.boolean(parameter)
}

/// A number in a parameter that is declared as a text; none when it was left empty.
fn float_in_text(cx: &Context<'_>, parameter: &str) -> Result<Option<f64>, BlockError> {
    let text = cx.text(parameter);
    if matches!(text.trim(), "" | "None") {
        return Ok(None);
    }
    let number = Number::parse(&text);
    let problem = || BlockError::parameter(parameter, format_args!("\"{text}\" is not a number"));
    number.map(|number| Some(number.to_f64())).ok_or_else(problem)
}

/// The channels that a parameter lists: each entry as a whole where a channel is called so, else
/// its parts between commas. `all` stands for all of them, `None` for none.
fn channels<'a>(
    cx: &Context<'_>,
    parameter: &str,
    present: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut entries = cx.texts(parameter);
    if entries.is_empty() {
        entries.push(cx.text(parameter));
    }
    let present: Vec<&str> = present.collect();
    let parts = |entry: String| -> Vec<String> {
        if present.contains(&entry.as_str()) {
            return vec![entry];
        }
        let parts = entry.split(',').map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect()
    };
    let named: Vec<String> = entries.into_iter().flat_map(parts).collect();
    match named.as_slice() {
        [only] if present.contains(&only.as_str()) => named,
        [only] if only.eq_ignore_ascii_case("all") => {
            present.iter().map(|name| (*name).to_owned()).collect()
        }
        [only] if only == "None" => Vec::new(),
        _ => named,
    }
}

/// The numbers of a list.
fn numbers(cx: &Context<'_>, parameter: &str) -> Result<Vec<f64>, BlockError> {
    let texts = cx.texts(parameter);
    let number = |text: &String| {
        let number = Number::from_value(&Value::from(text.as_str()));
        let problem =
            || BlockError::parameter(parameter, format_args!("\"{text}\" is not a number"));
        number.map(|number| number.to_f64()).ok_or_else(problem)
    };
    texts.iter().filter(|text| !text.trim().is_empty()).map(number).collect()
}
