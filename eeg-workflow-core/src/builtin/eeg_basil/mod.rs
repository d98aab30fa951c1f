//! `EEG_Basil.zip:EEG_Basil`: blocks over the EEG library, with the names and fields that the
//! workflows of the Python module of this name use.

mod channels;
mod events;
mod plot;
mod provider;

use crate::block::{Object, PortType};
use crate::eeg::{Epochs, Evoked, Recording};
use crate::module::{Module, RegistryError};

/// The module, its block types in the order in which designers list them.
///
/// # Errors
/// Two of its block types have one name; a test makes sure that none have.
pub fn module() -> Result<Module, RegistryError> {
    Module::new("EEG_Basil.zip:EEG_Basil")
        .block(provider::OfflineDataProvider::new())?
        .block(channels::ChannelSelection::new())?
        .block(channels::ChannelNames::new())?
        .block(events::EventAndIds::new())?
        .block(plot::EegPlotBlock::new())
}

/// The port that recordings come in by and go out of.
const EEG_DATA: &str = "EEGData";

impl Object for Recording {
    fn type_name(&self) -> &'static str {
        EEG_DATA
    }

    /// The samples; those that are shared with other recordings count for each of them.
    fn byte_size(&self) -> usize {
        Self::byte_size(self)
    }

    fn port_type() -> PortType {
        PortType::EEG_DATA
    }
}

/// The type of epochs and of averages.
const EPOCHS: &str = "EPOCHS";

impl Object for Epochs {
    fn type_name(&self) -> &'static str {
        EPOCHS
    }

    /// The samples; a view counts those of its recording.
    fn byte_size(&self) -> usize {
        Self::byte_size(self)
    }

    fn port_type() -> PortType {
        PortType::EPOCHS
    }
}

impl Object for Evoked {
    fn type_name(&self) -> &'static str {
        EPOCHS
    }

    fn byte_size(&self) -> usize {
        Self::byte_size(self)
    }

    fn port_type() -> PortType {
        PortType::EPOCHS
    }
}

/// The shape of a recording as Python prints it: `(channels, samples)`.
fn shape(recording: &Recording) -> String {
    let (channels, samples) = recording.shape();
    format!("({channels}, {samples})")
}
