//! Features of epochs, and classifiers that learn from them.

mod features;
mod labels;
mod lda;
mod model;
pub mod network;
mod split;
mod standardize;
mod validation;

pub use features::{FeatureError, FeatureVectors, TimeWindow, TimeWindowError};
pub use labels::{LabelError, Labels};
pub use lda::{FoldScore, Lda, LdaError, Shrinkage};
pub use model::{Model, ModelError, ModelFileError, Predictions, Weights};
pub use split::{Split, SplitError, stratified_k_fold, train_test_split};
pub use standardize::Standardization;
pub use validation::{area_under_curve, confusion_matrix, mean_area_under_curve};
