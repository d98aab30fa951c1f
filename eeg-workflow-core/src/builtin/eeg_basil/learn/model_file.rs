//! The blocks that keep models in files.

use std::fs::File;
use std::io::Read;

use super::{MODEL, trained};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value, Volatility,
};
use crate::eeg::Model;

const FORMAT: &str = "Format";
const FILE: &str = "Model File";
/// Larger files are not read.
const MAX_BYTES: u64 = 1 << 30;

/// Writes a trained model to a file and passes it on.
pub(super) struct SaveModel(BlockSpec);

impl SaveModel {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("SaveModel")
            .with_family("Classification")
            .with_help("Offers a trained model as a file")
            .input(MODEL, PortType::MODEL, 0..=1)
            .output(MODEL, PortType::MODEL)
            .parameter(FORMAT, PortType::STRING, "onnx", "Either 'onnx' or 'safetensors'");
        Self(spec)
    }
}

impl Block for SaveModel {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let format = cx.text(FORMAT);
        let format = format.trim().to_ascii_lowercase();
        let safetensors = match format.as_str() {
            "" | "none" | "onnx" => false,
            "safetensors" => true,
            _ => {
                let problem = format!("{format:?} is neither \"onnx\" nor \"safetensors\"");
                return Err(BlockError::parameter(FORMAT, problem));
            }
        };
        let model = trained(&mut inputs)?;
        let file = if safetensors {
            Display::file("model.safetensors", model.to_safetensors())
        } else {
            Display::file("model.onnx", model.to_onnx())
        };
        Ok(Outputs::one(Value::from(model)).show(file))
    }
}

/// Reads a model that [`SaveModel`] wrote.
pub(super) struct LoadModel(BlockSpec);

impl LoadModel {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("LoadModel")
            .with_family("Classification")
            .with_description("A model that SaveModel wrote, as .onnx or .safetensors")
            .with_volatility(Volatility::Versioned)
            .required_parameter(FILE, PortType::FILE, "", "A file of the block SaveModel")
            .output(MODEL, PortType::MODEL);
        Self(spec)
    }
}

impl Block for LoadModel {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        let path = cx.file(FILE)?;
        let refused = |problem: String| BlockError::parameter(FILE, problem);
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| refused(error.to_string()))?;
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        if read.map_err(|error| refused(error.to_string()))? as u64 > MAX_BYTES {
            return Err(refused(format!("larger than {MAX_BYTES} bytes")));
        }
        let model = Model::from_bytes(&bytes)
            .map_err(|error| BlockError::parameter(FILE, BlockError::from_error(error)))?;
        let (features, labels) = (model.feature_count(), model.class_labels());
        let text = format!(
            "No. of Features: ({features},)\nNo. of Classes: {}\nClasses: {}",
            labels.len(),
            labels.join(" | "),
        );
        Ok(Outputs::one(Value::object(model)).show(Display::text(text)))
    }
}
