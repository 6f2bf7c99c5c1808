//! Measures of quality, each by its usual definition.

use std::collections::BTreeMap;

/// Probabilities are kept this far from 0 and 1 in log losses: about the resolution of single precision.
const LEAST_PROBABILITY: f64 = 1e-7;

/// The measures of a regression: `rmse`, `mae`, `mape` (over rows with a value other than 0), `wape` (summed
/// absolute error by summed absolute value) and `r2`. A measure that is not defined for the rows is left out.
pub fn regression_metrics(actual: &[f64], predicted: &[f64]) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    if actual.is_empty() {
        return metrics;
    }
    let rows = actual.len() as f64;
    let mean = actual.iter().sum::<f64>() / rows;
    let (mut squared, mut absolute, mut total, mut spread) = (0.0, 0.0, 0.0, 0.0);
    let (mut relative, mut nonzero) = (0.0, 0_u32);
    for (&truth, &guess) in actual.iter().zip(predicted) {
        let error = (guess - truth).abs();
        squared += error * error;
        absolute += error;
        total += truth.abs();
        spread += (truth - mean) * (truth - mean);
        if truth != 0.0 {
            relative += error / truth.abs();
            nonzero += 1;
        }
    }
    metrics.insert("rmse".into(), (squared / rows).sqrt());
    metrics.insert("mae".into(), absolute / rows);
    if nonzero > 0 {
        metrics.insert("mape".into(), relative / f64::from(nonzero));
        metrics.insert("wape".into(), absolute / total);
    }
    if spread > 0.0 {
        metrics.insert("r2".into(), 1.0 - squared / spread);
    }
    metrics
}

/// The measures of a classification: `log_loss`, `accuracy`, `brier` (mean squared error of the probability for
/// two classes, summed over the classes for more) and for two classes `auc` and `pr_auc` (average precision).
///
/// `actual` are positions among `classes`, `None` for a label that the model does not know; `probabilities` has a
/// row of `classes` columns for each. A measure that is not defined for the rows is left out.
pub fn classification_metrics(
    classes: usize,
    actual: &[Option<usize>],
    probabilities: &[f64],
) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    if actual.is_empty() || classes == 0 {
        return metrics;
    }
    let rows = actual.len() as f64;
    let (mut loss, mut right, mut brier) = (0.0, 0.0, 0.0);
    for (&class, row) in actual.iter().zip(probabilities.chunks_exact(classes)) {
        loss += log_loss(class, row);
        if class == Some(most_likely(row)) {
            right += 1.0;
        }
        brier += squared_error(class, row);
    }
    metrics.insert("log_loss".into(), loss / rows);
    metrics.insert("accuracy".into(), right / rows);
    metrics.insert("brier".into(), brier / rows);
    if classes == 2 {
        let scores: Vec<f64> = probabilities.chunks_exact(2).map(|row| row[1]).collect();
        let positive: Vec<bool> = actual.iter().map(|&class| class == Some(1)).collect();
        if let Some((auc, precision)) = ranking(&positive, &scores) {
            metrics.insert("auc".into(), auc);
            metrics.insert("pr_auc".into(), precision);
        }
    }
    metrics
}

/// Negative log likelihood of a row whose true class is `class`; an unknown class had no probability at all.
pub(crate) fn log_loss(class: Option<usize>, probabilities: &[f64]) -> f64 {
    let probability = class.and_then(|class| probabilities.get(class)).copied().unwrap_or(0.0);
    -probability.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY).ln()
}

/// Position of the highest probability; of two equal halves the second, as a threshold of 0.5 would have it.
fn most_likely(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (class, &probability) in probabilities.iter().enumerate().skip(1) {
        let tie = probabilities.len() == 2 && probability == probabilities[best];
        if probability > probabilities[best] || tie {
            best = class;
        }
    }
    best
}

/// Brier (1950): summed over the classes; for two classes half of that, the usual form.
fn squared_error(class: Option<usize>, probabilities: &[f64]) -> f64 {
    let truth = |position: usize| if class == Some(position) { 1.0 } else { 0.0 };
    let terms = probabilities.iter().enumerate().map(|(position, p)| (p - truth(position)).powi(2));
    if probabilities.len() == 2 { terms.sum::<f64>() / 2.0 } else { terms.sum() }
}

/// Area under the ROC curve (Mann–Whitney, ties count half) and average precision (area under the
/// precision-recall steps); `None` unless both classes occur.
fn ranking(positive: &[bool], scores: &[f64]) -> Option<(f64, f64)> {
    let positives = positive.iter().filter(|&&positive| positive).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut above, mut below) = (0.0, 0.0); // positives and negatives ranked so far
    let (mut area, mut precision) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let hits = tied.iter().filter(|&&row| positive[row]).count() as f64;
        let misses = tied.len() as f64 - hits;
        area += misses * (above + hits / 2.0);
        above += hits;
        below += misses;
        precision += hits / positives * above / (above + below);
    }
    Some((area / (positives * negatives), precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(metrics: &BTreeMap<String, f64>, name: &str, expected: f64) {
        let value = metrics.get(name).copied().unwrap_or(f64::NAN);
        assert!((value - expected).abs() < 1e-12, "{name} is {value}, not {expected}");
    }

    #[test]
    fn regression_by_hand() {
        let metrics = regression_metrics(&[3.0, -0.5, 2.0, 7.0, 0.0], &[2.5, 0.0, 2.0, 8.0, 1.0]);
        close(&metrics, "mae", 3.0 / 5.0);
        close(&metrics, "rmse", (2.5_f64 / 5.0).sqrt());
        close(&metrics, "mape", (0.5 / 3.0 + 1.0 + 0.0 + 1.0 / 7.0) / 4.0);
        close(&metrics, "wape", 3.0 / 12.5);
        // Mean 2.3; squared distances 0.49 + 7.84 + 0.09 + 22.09 + 5.29 = 35.8.
        close(&metrics, "r2", 1.0 - 2.5 / 35.8);
    }

    #[test]
    fn binary_by_hand() {
        // The four scores of scikit-learn's own example: AUC 0.75, average precision 0.8333….
        let positive: Vec<f64> = vec![0.1, 0.4, 0.35, 0.8];
        let probabilities: Vec<f64> = positive.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let metrics = classification_metrics(2, &[Some(0), Some(0), Some(1), Some(1)], &probabilities);
        close(&metrics, "auc", 0.75);
        close(&metrics, "pr_auc", 0.5 + 0.5 * 2.0 / 3.0);
        close(&metrics, "accuracy", 0.75);
        close(&metrics, "brier", (0.01 + 0.16 + 0.4225 + 0.04) / 4.0);
        let losses = 0.9_f64.ln() + 0.6_f64.ln() + 0.35_f64.ln() + 0.8_f64.ln();
        close(&metrics, "log_loss", -losses / 4.0);
    }

    #[test]
    fn ties_count_half() {
        let metrics = classification_metrics(2, &[Some(0), Some(1)], &[0.5, 0.5, 0.5, 0.5]);
        close(&metrics, "auc", 0.5);
        close(&metrics, "pr_auc", 0.5);
    }

    #[test]
    fn multiclass_by_hand() {
        let probabilities = [0.7, 0.2, 0.1, 0.1, 0.3, 0.6];
        let metrics = classification_metrics(3, &[Some(0), Some(1)], &probabilities);
        close(&metrics, "accuracy", 0.5);
        close(&metrics, "log_loss", -(0.7_f64.ln() + 0.3_f64.ln()) / 2.0);
        close(&metrics, "brier", (0.09 + 0.04 + 0.01 + 0.01 + 0.49 + 0.36) / 2.0);
        assert!(!metrics.contains_key("auc"));
    }

    #[test]
    fn what_is_not_defined_is_left_out() {
        let metrics = regression_metrics(&[0.0, 0.0], &[1.0, 1.0]);
        assert_eq!(metrics.keys().collect::<Vec<_>>(), ["mae", "rmse"]);
        let metrics = classification_metrics(2, &[None], &[0.5, 0.5]);
        assert!(!metrics.contains_key("auc") && metrics["log_loss"] > 16.0);
        assert!(regression_metrics(&[], &[]).is_empty());
    }
}
