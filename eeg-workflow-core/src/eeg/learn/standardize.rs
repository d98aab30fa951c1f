//! Features of mean 0 and standard deviation 1.

use ndarray::{Array1, ArrayView2, ArrayViewMut2, Axis, Zip};

use super::network::{DenseLayer, Network, NetworkError};

/// The mean and the standard deviation of each feature (`sklearn.preprocessing.StandardScaler`).
/// Features that never change have a deviation of 1, so that they become 0.
///
/// ```
/// use eeg_workflow_core::eeg::Standardization;
/// let mut features = ndarray::array![[1e-6_f32, 5.0], [3e-6, 5.0]];
/// let of = Standardization::of(features.view());
/// of.apply(features.view_mut());
/// assert_eq!(features, ndarray::array![[-1.0, 0.0], [1.0, 0.0]]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Standardization {
    mean: Array1<f64>,
    deviation: Array1<f64>,
}

impl Standardization {
    /// Of the features of some samples: samples x features.
    pub fn of(features: ArrayView2<'_, f32>) -> Self {
        let n = features.nrows().max(1) as f64;
        let mean = features.map(|v| f64::from(*v)).sum_axis(Axis(0)) / n;
        let mut deviation = Array1::<f64>::zeros(mean.len());
        for row in features.rows() {
            Zip::from(&mut deviation)
                .and(&row)
                .and(&mean)
                .for_each(|sum, v, mean| *sum += (f64::from(*v) - mean).powi(2));
        }
        deviation.mapv_inplace(|sum| (sum / n).sqrt());
        deviation.mapv_inplace(|v| if v > 0.0 { v } else { 1.0 });
        Self { mean, deviation }
    }

    /// The greatest standard deviation of a feature.
    pub fn largest_deviation(&self) -> f64 {
        self.deviation.iter().copied().fold(0.0, f64::max)
    }

    /// Makes features standard: samples x features.
    pub fn apply(&self, mut features: ArrayViewMut2<'_, f32>) {
        for mut row in features.rows_mut() {
            Zip::from(&mut row)
                .and(&self.mean)
                .and(&self.deviation)
                .for_each(|v, mean, deviation| *v = ((f64::from(*v) - mean) / deviation) as f32);
        }
    }

    /// The network that makes of features as they are what `network` makes of standard ones: the
    /// first layer takes the scaling over.
    ///
    /// # Errors
    /// The network takes another number of features.
    pub fn undone_by(&self, network: &Network<f32>) -> Result<Network<f32>, NetworkError> {
        let mut layers: Vec<DenseLayer<f32>> = network.layers().to_vec();
        if let Some(first) = layers.first_mut() {
            let (inputs, given) = (first.weights.nrows(), self.mean.len());
            if inputs != given {
                return Err(NetworkError::Inputs { layer: 1, inputs, given });
            }
            let mut bias = first.bias.mapv(f64::from);
            for ((mut row, mean), deviation) in
                first.weights.rows_mut().into_iter().zip(&self.mean).zip(&self.deviation)
            {
                Zip::from(&mut row).and(&mut bias).for_each(|weight, bias| {
                    let scaled = f64::from(*weight) / deviation;
                    *bias -= scaled * mean;
                    *weight = scaled as f32;
                });
            }
            first.bias = bias.mapv(|v| v as f32);
        }
        Network::new(layers)
    }
}
