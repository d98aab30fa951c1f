//! The block that reads a recording.

use std::path::Path;

use super::{EEG_DATA, shape};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value, Volatility,
};
use crate::eeg;

const FILE: &str = "EEG File";

/// Reads the recording that the parameter `EEG File` names, by any file of its set, and shows
/// its shape.
pub(super) struct OfflineDataProvider(BlockSpec);

impl OfflineDataProvider {
    pub(super) fn new() -> Self {
        let hint =
            "Select only the \".eeg\" file, but folder must contain \".vhdr\" and \".vmrk\" files";
        let spec = BlockSpec::new("OfflineDataProvider")
            .with_family("DataProvider")
            .with_volatility(Volatility::Versioned)
            .required_parameter(FILE, PortType::FILE, "", hint);
        Self(spec.output(EEG_DATA, PortType::EEG_DATA))
    }
}

impl Block for OfflineDataProvider {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        let path = cx.file(FILE)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // The header is its owner's upload: the files it names must lie beside it.
        let recording = eeg::read_inside(&path, folder).map_err(|error| {
            // Whoever runs the workflow knows the file by its name; where the folder is on this
            // machine is not theirs to know.
            let text = error.to_string().replace(&format!("{}/", folder.display()), "");
            BlockError::parameter(FILE, text)
        })?;
        let text = shape(&recording);
        Ok(Outputs::one(Value::object(recording)).show(Display::text(text)))
    }
}
