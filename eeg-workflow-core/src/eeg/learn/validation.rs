//! How good predictions are.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// The place of the greatest value, the first of equal ones (`numpy.argmax`); None when there is
/// none, or only NaN.
pub(super) fn arg_max<F: PartialOrd + Copy>(values: impl Iterator<Item = F>) -> Option<usize> {
    let mut best: Option<(usize, F)> = None;
    for (place, value) in values.enumerate() {
        let comparable = value.partial_cmp(&value).is_some();
        if comparable && best.is_none_or(|(_, greatest)| value > greatest) {
            best = Some((place, value));
        }
    }
    best.map(|(place, _)| place)
}

/// How often samples of each class (row) were taken for each class (column): classes x classes
/// (`sklearn.metrics.confusion_matrix(truth, predicted, labels=range(classes))`). Samples of
/// other classes are not counted.
///
/// ```
/// use eeg_workflow_core::eeg::confusion_matrix;
/// let matrix = confusion_matrix(&[0, 0, 1, 1, 1], &[0, 1, 1, 1, 0], 2);
/// assert_eq!(matrix, ndarray::array![[1, 1], [1, 2]]);
/// ```
pub fn confusion_matrix(truth: &[usize], predicted: &[usize], classes: usize) -> Array2<u64> {
    let mut matrix = Array2::zeros((classes, classes));
    for (truth, predicted) in truth.iter().zip(predicted) {
        if let Some(count) = matrix.get_mut((*truth, *predicted)) {
            *count += 1;
        }
    }
    matrix
}

/// The area under the receiver operating characteristic: how likely a positive sample has a
/// higher score than a negative one, ties counting half (`sklearn.metrics.roc_auc_score`).
/// None when there are only positive or only negative samples, or a score is NaN.
///
/// ```
/// use eeg_workflow_core::eeg::area_under_curve;
/// let scores = ndarray::array![0.1, 0.4, 0.35, 0.8];
/// assert_eq!(area_under_curve(&[false, false, true, true], scores.view()), Some(0.75));
/// ```
pub fn area_under_curve(positive: &[bool], scores: ArrayView1<'_, f64>) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().copied().zip(positive.iter().copied()).collect();
    if ranked.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = ranked.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = ranked.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    // For each group of equal scores: its positives win against the negatives below it.
    let (mut below, mut won) = (0.0, 0.0);
    for group in ranked.chunk_by(|a, b| a.0 == b.0) {
        let own = group.iter().filter(|(_, positive)| *positive).count() as f64;
        let others = group.len() as f64 - own;
        won += own * (below + others / 2.0);
        below += others;
    }
    Some(won / (positives * negatives))
}

/// [`area_under_curve`] for any number of classes, from probabilities samples x classes. Of two
/// classes it is that of the second; of more the mean over the classes, each against all others
/// (`sklearn.metrics.roc_auc_score(…, multi_class="ovr", average="macro")`). None when a class
/// has no samples, or all.
pub fn mean_area_under_curve(classes: &[usize], probabilities: ArrayView2<'_, f64>) -> Option<f64> {
    let of_class = |class: usize| {
        let positive: Vec<bool> = classes.iter().map(|c| *c == class).collect();
        area_under_curve(&positive, probabilities.column(class))
    };
    match probabilities.ncols() {
        0 | 1 => None,
        2 => of_class(1),
        count => {
            let areas = (0..count).map(of_class).collect::<Option<Vec<f64>>>()?;
            Some(areas.iter().sum::<f64>() / count as f64)
        }
    }
}
