//! Linear discriminant analysis with shrinkage, with the numbers of scikit-learn.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::network::{
    Activation, DenseLayer, Examples, Network, NetworkError, TrainError, accuracy,
};
use super::validation::mean_area_under_curve;
use super::{Split, SplitError, stratified_k_fold};

/// How the covariance of each class is drawn towards a multiple of the identity, so that it can
/// be inverted when there are few samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shrinkage {
    /// By the formula of Ledoit and Wolf (2004), on standardised features (`shrinkage="auto"`).
    Auto,
    /// By this share, from 0 (not at all) to 1 (`shrinkage=0.1`).
    Fixed(f64),
}

/// A linear classifier that assumes Gaussian classes of one covariance
/// (`sklearn.discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr", …)`, priors being
/// the classes' shares of the samples).
#[derive(Debug, Clone, PartialEq)]
pub struct Lda {
    /// Classes x features. (scikit-learn's `coef_`; of two classes it keeps the difference.)
    pub coefficients: Array2<f64>,
    /// One for each class.
    pub intercepts: Array1<f64>,
}

/// Why there is no such classifier.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LdaError {
    /// There is not one class for each sample.
    #[error("{samples} samples, but {classes} classes")]
    Shape {
        /// How many samples there are.
        samples: usize,
        /// How many classes are given.
        classes: usize,
    },
    /// One class cannot be told from another.
    #[error("there are samples of {classes} classes: at least 2 are needed")]
    TooFewClasses {
        /// How many classes there are.
        classes: usize,
    },
    /// A class without samples.
    #[error("no sample is of class {class} (counted from 0)")]
    EmptyClass {
        /// The class.
        class: usize,
    },
    /// The covariance matrix would not fit.
    #[error(
        "{features} features: linear discriminant analysis takes 1 to {}; means in time windows are fewer",
        Lda::MAX_FEATURES
    )]
    Features {
        /// How many features there are.
        features: usize,
    },
    /// The shrinkage is not from 0 to 1.
    #[error("a shrinkage of {shrinkage}: it is \"auto\" or a number from 0 to 1")]
    Shrinkage {
        /// What was asked for.
        shrinkage: f64,
    },
    /// A feature is infinite or not a number.
    #[error("sample {sample} has a feature that is not finite")]
    NotFinite {
        /// The sample.
        sample: usize,
    },
    /// Some features say the same as others.
    #[error(
        "the covariance of the features is singular: choose a (higher) shrinkage, or fewer features"
    )]
    Singular,
    /// The classifier could not be tested.
    #[error(transparent)]
    Test(#[from] TrainError),
    /// The classifier could not be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The samples cannot be split into the folds.
    #[error(transparent)]
    Split(#[from] SplitError),
}

/// How well a classifier does on the samples of one fold after training on the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoldScore {
    /// Samples trained on.
    pub train: usize,
    /// Samples tested on.
    pub test: usize,
    /// The share of test samples recognised.
    pub accuracy: f64,
    /// The area under the curve: [`mean_area_under_curve`].
    pub auc: f64,
}

impl Lda {
    /// The greatest number of features.
    pub const MAX_FEATURES: usize = 4096;

    /// Fits `class_count` classes to `features`, samples x features, and the class of each
    /// sample. Unlike in scikit-learn each class counts, so one without samples is an error.
    ///
    /// # Errors
    /// [`LdaError`].
    pub fn fit(
        features: ArrayView2<'_, f64>,
        classes: &[usize],
        class_count: usize,
        shrinkage: Shrinkage,
    ) -> Result<Self, LdaError> {
        let (samples, feature_count) = features.dim();
        if samples != classes.len() {
            return Err(LdaError::Shape { samples, classes: classes.len() });
        }
        if class_count < 2 {
            return Err(LdaError::TooFewClasses { classes: class_count });
        }
        if !(1..=Self::MAX_FEATURES).contains(&feature_count) {
            return Err(LdaError::Features { features: feature_count });
        }
        if let Shrinkage::Fixed(shrinkage) = shrinkage
            && !(0.0..=1.0).contains(&shrinkage)
        {
            return Err(LdaError::Shrinkage { shrinkage });
        }
        let finite = |row: ArrayView1<'_, f64>| row.iter().all(|v| v.is_finite());
        if let Some(sample) = features.rows().into_iter().position(|row| !finite(row)) {
            return Err(LdaError::NotFinite { sample });
        }
        let mut means = Array2::zeros((class_count, feature_count));
        let mut priors = Vec::with_capacity(class_count);
        let mut covariance = Array2::zeros((feature_count, feature_count));
        for class in 0..class_count {
            let members: Vec<usize> =
                classes.iter().enumerate().filter(|(_, c)| **c == class).map(|(i, _)| i).collect();
            if members.is_empty() {
                return Err(LdaError::EmptyClass { class });
            }
            let mut own = features.select(Axis(0), &members);
            let mean = own.sum_axis(Axis(0)) / members.len() as f64;
            own -= &mean;
            let prior = members.len() as f64 / samples as f64;
            covariance.scaled_add(prior, &class_covariance(own, &mean, shrinkage));
            means.row_mut(class).assign(&mean);
            priors.push(prior);
        }
        let coefficients = solve(covariance, &means).ok_or(LdaError::Singular)?;
        let each = means.rows().into_iter().zip(coefficients.rows()).zip(priors);
        let intercepts = each.map(|((mean, own), prior)| prior.ln() - 0.5 * mean.dot(&own));
        let intercepts = intercepts.collect();
        Ok(Self { coefficients, intercepts })
    }

    /// The classifier as a network of one layer, whose softmax gives the probabilities of the
    /// classes (`predict_proba`).
    ///
    /// # Errors
    /// The intercepts are not as many as there are rows of coefficients.
    pub fn into_network(self) -> Result<Network<f64>, NetworkError> {
        Network::new(vec![DenseLayer {
            weights: self.coefficients.reversed_axes(),
            bias: self.intercepts,
            activation: Activation::Softmax,
        }])
    }

    /// Tests the classifier on each fold of [`stratified_k_fold`] after fitting it to the others
    /// (`sklearn.model_selection.cross_validate(…, scoring=["accuracy", "roc_auc_ovr"])`).
    /// The folds are computed in parallel.
    ///
    /// # Errors
    /// As [`Self::fit`] and [`stratified_k_fold`].
    pub fn cross_validate(
        features: ArrayView2<'_, f64>,
        classes: &[usize],
        class_count: usize,
        shrinkage: Shrinkage,
        folds: usize,
        seed: Option<u32>,
    ) -> Result<Vec<FoldScore>, LdaError> {
        if features.nrows() != classes.len() {
            return Err(LdaError::Shape { samples: features.nrows(), classes: classes.len() });
        }
        let score = |Split { train, test }: Split| {
            let part = |samples: &[usize]| {
                let own = samples.iter().filter_map(|i| classes.get(*i).copied());
                (features.select(Axis(0), samples), own.collect::<Vec<_>>())
            };
            let (known, of_known) = part(&train);
            let (unknown, truth) = part(&test);
            let fitted = Self::fit(known.view(), &of_known, class_count, shrinkage)?;
            let examples = Examples { features: unknown.view(), classes: &truth };
            let network = fitted.into_network()?;
            let probabilities = network.predict(unknown.view())?;
            Ok(FoldScore {
                train: train.len(),
                test: test.len(),
                accuracy: accuracy(&network, examples)?,
                auc: mean_area_under_curve(&truth, probabilities.view()).unwrap_or(f64::NAN),
            })
        };
        stratified_k_fold(classes, folds, seed)?.into_par_iter().map(score).collect()
    }
}

/// The covariance of the members of one class (`sklearn.discriminant_analysis._cov`), given
/// less their mean.
fn class_covariance(
    centered: Array2<f64>,
    mean: &Array1<f64>,
    shrinkage: Shrinkage,
) -> Array2<f64> {
    let samples = centered.nrows() as f64;
    let Shrinkage::Fixed(share) = shrinkage else {
        // As `StandardScaler`: features that are constant up to rounding are not scaled.
        let variances = centered.map(|v| v * v).sum_axis(Axis(0)) / samples;
        let scale: Array1<f64> = variances
            .iter()
            .zip(mean)
            .map(|(variance, mean)| {
                let rounding = samples * f64::EPSILON;
                let constant = *variance <= rounding * variance + (rounding * mean).powi(2);
                if constant { 1.0 } else { variance.sqrt() }
            })
            .collect();
        let standard = centered / &scale;
        let share = ledoit_wolf(standard.view());
        let mut covariance = shrunk(standard.t().dot(&standard) / samples, share);
        covariance *= &scale;
        covariance *= &scale.insert_axis(Axis(1));
        return covariance;
    };
    shrunk(centered.t().dot(&centered) / samples, share)
}

/// `(1 - share) * covariance + share * mean variance * identity`
fn shrunk(mut covariance: Array2<f64>, share: f64) -> Array2<f64> {
    let mean_variance = covariance.diag().mean().unwrap_or(0.0);
    covariance *= 1.0 - share;
    covariance.diag_mut().mapv_inplace(|v| v + share * mean_variance);
    covariance
}

/// The share of shrinkage that is best for these samples less their mean, samples x features
/// (`sklearn.covariance.ledoit_wolf_shrinkage`).
fn ledoit_wolf(x: ArrayView2<'_, f64>) -> f64 {
    let (samples, features) = (x.nrows() as f64, x.ncols() as f64);
    if x.ncols() == 1 {
        return 0.0;
    }
    let squares = |row: ArrayView1<'_, f64>| row.dot(&row);
    let trace = x.rows().into_iter().map(squares).sum::<f64>() / samples;
    let mean = trace / features;
    // The sum over all entries of (x²)ᵀ x², which is one over the samples.
    let fourth: f64 = x.rows().into_iter().map(|row| squares(row).powi(2)).sum();
    // That of (xᵀx)², which is that of (xxᵀ)².
    let product = if x.nrows() < x.ncols() { x.dot(&x.t()) } else { x.t().dot(&x) };
    let second = product.iter().map(|v| v * v).sum::<f64>() / samples.powi(2);
    let beta = (fourth / samples - second) / (features * samples);
    let delta = (second - 2.0 * mean * trace + features * mean * mean) / features;
    let beta = beta.min(delta);
    if beta == 0.0 { 0.0 } else { beta / delta }
}

/// `means · covariance⁻¹` by Cholesky's decomposition of the matrix scaled to a diagonal of 1;
/// None when it is not positive definite to working precision.
fn solve(mut covariance: Array2<f64>, means: &Array2<f64>) -> Option<Array2<f64>> {
    let n = covariance.nrows();
    let scale = covariance.diag().map(|v| v.sqrt());
    if !scale.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return None;
    }
    covariance /= &scale;
    covariance /= &scale.view().insert_axis(Axis(1));
    let mut lower = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let (before_i, before_j) = (lower.slice(s![i, ..j]), lower.slice(s![j, ..j]));
            let rest = covariance[(i, j)] - before_i.dot(&before_j);
            lower[(i, j)] = if i > j {
                rest / lower[(j, j)]
            } else if rest > n as f64 * f64::EPSILON {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    let mut solved = means / &scale;
    for mut row in solved.rows_mut() {
        for i in 0..n {
            let known = lower.slice(s![i, ..i]).dot(&row.slice(s![..i]));
            row[i] = (row[i] - known) / lower[(i, i)];
        }
        for i in (0..n).rev() {
            let known = lower.slice(s![i + 1.., i]).dot(&row.slice(s![i + 1..]));
            row[i] = (row[i] - known) / lower[(i, i)];
        }
    }
    Some(solved / &scale)
}
