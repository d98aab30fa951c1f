//! The blocks that make features of epochs, train classifiers and use them.

mod classifier;
#[cfg(feature = "plots")]
mod curve;
mod features;
mod labeling;
mod layer;
mod lda;
mod model_file;
mod predict;

use std::sync::Arc;

use crate::block::{BlockError, Context, Inputs, Object, PortType, Value};
use crate::eeg::network::{LayerChain, Network};
use crate::eeg::{FeatureVectors, Model, Weights};
use crate::module::{Module, RegistryError};

/// Adds the blocks that workflows of the Python module know.
pub(super) fn original(module: Module) -> Result<Module, RegistryError> {
    module
        .block(features::WaveletTransform::new())?
        .block(labeling::FeatureLabeling::new())?
        .block(model_file::SaveModel::new())?
        .block(layer::NeuralNetworkLayer::new())?
        .block(classifier::NeuralNetworkClassifier::new())
}

/// Adds the blocks that are new.
pub(super) fn added(module: Module) -> Result<Module, RegistryError> {
    let module = module
        .block(features::WindowedMeans::new())?
        .block(lda::LdaBlock::new())?
        .block(model_file::LoadModel::new())?
        .block(predict::Predict::new())?;
    #[cfg(feature = "plots")]
    let module = module.block(curve::TrainingCurve::new())?;
    Ok(module)
}

const FEATURE_VECTOR: &str = "FeatureVector";
const MODEL: &str = "Model";

impl Object for LayerChain {
    fn type_name(&self) -> &'static str {
        "layers that are not trained"
    }

    fn byte_size(&self) -> usize {
        Self::byte_size(self)
    }

    fn port_type() -> PortType {
        PortType::MODEL
    }
}

/// The trained model at the input `Model`, or layers that came with their weights.
fn trained(inputs: &mut Inputs<'_>) -> Result<Arc<Model>, BlockError> {
    let Some(value) = inputs.take_optional(MODEL) else {
        let problem = "no model is connected: it takes that of a classifier or of LoadModel";
        return Err(BlockError::input(MODEL, problem));
    };
    let value = match value.downcast::<LayerChain>() {
        Ok(layers) => match layers.weights() {
            Some(weights) => return of_layers(&layers, weights).map(Arc::new),
            None => Value::from(layers),
        },
        Err(value) => value,
    };
    value.downcast::<Model>().map_err(|value| {
        let what = value.type_name();
        let problem = format!("expected a trained model, got {what}: a classifier trains them");
        BlockError::input(MODEL, problem)
    })
}

/// A model of layers that were trained elsewhere, where classes have no names.
fn of_layers(layers: &LayerChain, weights: &Network<f32>) -> Result<Model, BlockError> {
    let labels = (0..weights.outputs()).map(|class| class.to_string()).collect();
    let model = Model::new(Weights::Single(weights.clone()), labels);
    let model = model.map_err(|error| BlockError::input(MODEL, error))?;
    Ok(model.with_layers(layers.layers()))
}

/// The classes of labelled vectors.
fn classes(vectors: &FeatureVectors) -> Result<&[usize], BlockError> {
    vectors.classes().ok_or_else(|| {
        let problem = "the vectors have no classes: put a FeatureLabeling block before";
        BlockError::input(FEATURE_VECTOR, problem)
    })
}

/// A parameter that is a whole number from `least` on; none when it was left empty.
fn whole(cx: &Context<'_>, parameter: &str, least: u32) -> Result<Option<u32>, BlockError> {
    let Some(number) = cx.float(parameter)? else {
        return Ok(None);
    };
    let whole = number.fract() == 0.0 && (f64::from(least)..=f64::from(u32::MAX)).contains(&number);
    let problem = || format!("{number} is not a whole number from {least} to {}", u32::MAX);
    if whole { Ok(Some(number as u32)) } else { Err(BlockError::parameter(parameter, problem())) }
}

/// A float as Python prints it.
fn float(value: f64) -> String {
    crate::block::PythonRepr(&Value::Float(value)).to_string()
}
