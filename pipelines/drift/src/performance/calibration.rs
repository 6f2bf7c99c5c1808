//! Scores made into probabilities: isotonic regression, kept only where it helps.

use serde::{Deserialize, Serialize};

use super::roc::area_under_roc;
use crate::{DriftError, random::Random};

/// Splits by which calibration must prove itself.
const SPLITS: usize = 10;
/// One row in so many is held out in each split.
const HELD_OUT: usize = 10;
/// Groups of the expected calibration error.
const BINS: usize = 10;
/// Above this area the classes are all but separable and isotonic steps would only learn the reference by heart.
const SEPARABLE: f64 = 0.999;

/// A non-decreasing piecewise linear function from score to probability.
///
/// - as many probabilities as scores, at least one;
/// - scores strictly increase, probabilities never decrease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Knots")]
pub struct Isotonic {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

impl Isotonic {
    /// Least-squares non-decreasing fit of labels to scores by pooling adjacent violators (Barlow, Bartholomew,
    /// Bremner & Brunk 1972), with the knots that linear interpolation needs. None without a finite score.
    pub fn fit(scores: &[f64], labels: &[bool]) -> Option<Self> {
        let mut rows: Vec<(f64, f64)> = scores
            .iter()
            .zip(labels)
            .filter(|(score, _)| score.is_finite())
            .map(|(score, label)| (*score, f64::from(u8::from(*label))))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let blocks = pool(&rows);
        let mut fitted = Self { scores: Vec::new(), probabilities: Vec::new() };
        for block in &blocks {
            let mean = block.positives / block.rows;
            fitted.push(block.first, mean);
            if block.last > block.first {
                fitted.push(block.last, mean);
            }
        }
        (!fitted.scores.is_empty()).then_some(fitted)
    }

    fn push(&mut self, score: f64, probability: f64) {
        self.scores.push(score);
        self.probabilities.push(probability);
    }

    /// The knots: scores and their probabilities.
    pub fn knots(&self) -> (&[f64], &[f64]) {
        (&self.scores, &self.probabilities)
    }

    /// The probability of a score; beyond the knots that of the nearest.
    pub fn apply(&self, score: f64) -> f64 {
        let above = self.scores.partition_point(|knot| *knot < score);
        if above == 0 {
            return self.probabilities[0];
        }
        let Some(upper) = self.scores.get(above) else { return self.probabilities[above - 1] };
        let (lower, from, to) =
            (self.scores[above - 1], self.probabilities[above - 1], self.probabilities[above]);
        from + (to - from) * ((score - lower) / (upper - lower))
    }
}

/// Knots as they were stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Knots {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

impl TryFrom<Knots> for Isotonic {
    type Error = DriftError;

    fn try_from(Knots { scores, probabilities }: Knots) -> Result<Self, Self::Error> {
        let possible = probabilities.iter().all(|probability| (0.0..=1.0).contains(probability));
        let whole = !scores.is_empty() && scores.len() == probabilities.len();
        let increase = scores.windows(2).all(|pair| pair[0] < pair[1]);
        if possible && whole && increase && probabilities.is_sorted() {
            Ok(Self { scores, probabilities })
        } else {
            Err(DriftError::Invalid("the knots of a calibration are not those of one".to_owned()))
        }
    }
}

/// Neighbouring scores with one probability.
struct Block {
    first: f64,
    last: f64,
    positives: f64,
    rows: f64,
}

/// Rows sorted by score into blocks whose means strictly increase.
fn pool(rows: &[(f64, f64)]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for &(score, label) in rows {
        match blocks.last_mut() {
            Some(last) if last.last == score && last.first == score => {
                last.positives += label;
                last.rows += 1.0;
                continue;
            }
            _ => {}
        }
        merge_back(&mut blocks);
        blocks.push(Block { first: score, last: score, positives: label, rows: 1.0 });
    }
    merge_back(&mut blocks);
    blocks
}

/// Merges the last block into those before it while their means do not increase.
fn merge_back(blocks: &mut Vec<Block>) {
    while let [.., before, last] = blocks.as_mut_slice() {
        if before.positives * last.rows < last.positives * before.rows {
            break;
        }
        before.last = last.last;
        before.positives += last.positives;
        before.rows += last.rows;
        blocks.pop();
    }
}

/// What makes a score a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// The scores are probabilities already, at least as good as isotonic regression would make them.
    AsIs,
    /// Isotonic regression of the reference.
    Isotonic(Isotonic),
}

impl Calibration {
    /// The probability of a score, 0–1.
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::AsIs => score.clamp(0.0, 1.0),
            Self::Isotonic(isotonic) => isotonic.apply(score),
        }
    }
}

/// Isotonic regression of the reference, if over 10 stratified splits (nine tenths to fit, one tenth to judge) it
/// makes the expected calibration error of the held-out rows smaller; the scores as they are otherwise.
pub fn calibrate(scores: &[f64], labels: &[bool], seed: u64) -> Calibration {
    if !improves(scores, labels, seed) {
        return Calibration::AsIs;
    }
    Isotonic::fit(scores, labels).map_or(Calibration::AsIs, Calibration::Isotonic)
}

fn improves(scores: &[f64], labels: &[bool], seed: u64) -> bool {
    let truth: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    // None: one class only, nothing to calibrate by.
    let Some(area) = area_under_roc(scores, &truth) else { return false };
    if area > SEPARABLE {
        return false;
    }
    let mut random = Random::new(seed);
    let (mut raw, mut calibrated, mut held_labels) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SPLITS {
        let held = &held_out(labels, &mut random);
        let kept = |wanted: bool| (0..labels.len()).filter(move |row| held[*row] == wanted);
        let (fit_scores, fit_labels): (Vec<f64>, Vec<bool>) =
            kept(false).map(|row| (scores[row], labels[row])).unzip();
        let Some(isotonic) = Isotonic::fit(&fit_scores, &fit_labels) else { return false };
        for row in kept(true) {
            raw.push(scores[row]);
            calibrated.push(isotonic.apply(scores[row]));
            held_labels.push(labels[row]);
        }
    }
    let before = expected_calibration_error(&raw, &held_labels, BINS);
    let after = expected_calibration_error(&calibrated, &held_labels, BINS);
    matches!((before, after), (Some(before), Some(after)) if after < before)
}

/// Marks a tenth of either class, drawn without replacement.
fn held_out(labels: &[bool], random: &mut Random) -> Vec<bool> {
    let mut held = vec![false; labels.len()];
    for class in [false, true] {
        let mut rows: Vec<usize> = (0..labels.len()).filter(|row| labels[*row] == class).collect();
        for place in 0..rows.len() / HELD_OUT {
            let drawn = place + (random.uniform() * (rows.len() - place) as f64) as usize;
            rows.swap(place, drawn);
            held[rows[place]] = true;
        }
    }
    held
}

/// Mean distance between probability and frequency over equally large groups of rows of neighbouring probability
/// (Naeini, Cooper & Hauskrecht 2015), 0–1. None with fewer than two rows for each of at least two groups.
pub fn expected_calibration_error(probabilities: &[f64], labels: &[bool], bins: usize) -> Option<f64> {
    let rows = probabilities.len().min(labels.len());
    let bins = bins.min(rows / 2);
    if bins < 2 {
        return None;
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut error = 0.0;
    for bin in 0..bins {
        let members = &order[bin * rows / bins..(bin + 1) * rows / bins];
        let expected: f64 = members.iter().map(|row| probabilities[*row]).sum();
        let real = members.iter().filter(|row| labels[**row]).count() as f64;
        error += (expected - real).abs();
    }
    Some(error / rows as f64)
}

#[cfg(test)]
mod tests {
    use super::{Calibration, Isotonic, calibrate, expected_calibration_error};
    use crate::random::Random;

    /// Rows whose real chance is `chance(score)`.
    fn drawn(rows: usize, seed: u64, chance: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let mut random = Random::new(seed);
        (0..rows)
            .map(|_| {
                let score = random.uniform();
                (score, random.uniform() < chance(score))
            })
            .unzip()
    }

    #[test]
    fn violators_are_pooled() {
        let fitted = Isotonic::fit(&[0.1, 0.2, 0.3, 0.3, 0.9], &[false, true, false, false, true]).unwrap();
        let (scores, probabilities) = fitted.knots();
        assert_eq!(scores, [0.1, 0.2, 0.3, 0.9]);
        assert_eq!(probabilities, [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0]);
        assert_eq!((fitted.apply(-5.0), fitted.apply(5.0)), (0.0, 1.0));
        assert!((fitted.apply(0.6) - 2.0 / 3.0).abs() < 1e-12);
        assert!(Isotonic::fit(&[f64::NAN], &[true]).is_none());
    }

    #[test]
    fn broken_knots_are_refused() {
        let fitted = Isotonic::fit(&[0.1, 0.9], &[false, true]).unwrap();
        let stored = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Isotonic>(&stored).unwrap(), fitted);
        for broken in [
            r#"{"scores":[],"probabilities":[]}"#,
            r#"{"scores":[0.1,0.2],"probabilities":[0.5]}"#,
            r#"{"scores":[0.2,0.1],"probabilities":[0.1,0.5]}"#,
            r#"{"scores":[0.1,0.2],"probabilities":[0.5,0.1]}"#,
            r#"{"scores":[0.1],"probabilities":[1.5]}"#,
        ] {
            assert!(serde_json::from_str::<Isotonic>(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn scores_that_are_probabilities_stay_and_others_are_mended() {
        let (scores, labels) = drawn(4000, 3, |score| score * score);
        let Calibration::Isotonic(fitted) = calibrate(&scores, &labels, 1) else {
            panic!("squared scores need calibration")
        };
        assert!((fitted.apply(0.5) - 0.25).abs() < 0.06);
        let flat = vec![0.3; 4000];
        let (_, labels) = drawn(4000, 4, |_| 0.3);
        let exact = labels.iter().filter(|label| **label).count() as f64 / 4000.0;
        let as_they_are: Vec<f64> = flat.iter().map(|_| exact).collect();
        assert_eq!(calibrate(&as_they_are, &labels, 1), Calibration::AsIs);
        assert_eq!(calibrate(&scores, &[true; 4000], 1), Calibration::AsIs);
    }

    #[test]
    fn the_calibration_error_of_a_constant_is_its_bias() {
        let labels = [true, false, false, false];
        let error = expected_calibration_error(&[0.75; 4], &labels, 10).unwrap();
        assert!((error - 0.5).abs() < 1e-12, "{error}");
        assert_eq!(expected_calibration_error(&[0.5; 3], &[true; 3], 10), None);
    }
}
