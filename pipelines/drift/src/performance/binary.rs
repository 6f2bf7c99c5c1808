//! CBPE for two classes.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, calibrate};
use super::confusion::{Confusion, Scatter, ValueMatrix};
use super::measure::{Estimate, Measure, Realized};
use super::roc::{area_under_roc, placements};
use super::thresholds::Thresholds;
use crate::DriftError;

/// Answers of a window, one entry per row.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// The model's scores for yes.
    pub scores: &'a [f64],
    /// Whether the answer was yes.
    pub predicted: &'a [bool],
}

/// Answers whose truth is known, one entry per row.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The model's scores for yes.
    pub scores: &'a [f64],
    /// Whether the answer was yes.
    pub predicted: &'a [bool],
    /// Whether it is yes.
    pub labels: &'a [bool],
}

/// Parameters of [`Cbpe::fit`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CbpeSettings {
    /// Rows of a chunk of the reference, about as many as a window has.
    pub chunk_rows: usize,
    /// What answers are worth; without it [`Measure::Value`] is not estimated.
    #[serde(default)]
    pub value: Option<ValueMatrix>,
    /// Seed of the splits by which calibration is judged.
    #[serde(default)]
    pub seed: u64,
}

/// A reference's calibration, usual ranges and scatter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cbpe {
    calibration: Calibration,
    value: Option<ValueMatrix>,
    lowest_score: f64,
    highest_score: f64,
    usual: Vec<Usual>,
}

/// What the reference says about one measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Usual {
    measure: Measure,
    scatter: Scatter,
    thresholds: Thresholds,
}

impl Cbpe {
    /// Learns from a labelled reference that the model was not trained on, in the order of time.
    ///
    /// A measure that the reference cannot give (no predicted yes, one class only) is left out.
    ///
    /// # Errors
    /// [`DriftError::Invalid`] when the columns differ in length, are empty, hold a score that is not finite, or
    /// when chunks have no rows.
    pub fn fit(reference: Labelled<'_>, settings: CbpeSettings) -> Result<Self, DriftError> {
        check(reference, settings)?;
        let whole = real_cells(reference);
        let chunks = chunks(reference, settings.chunk_rows);
        let mut usual = Vec::new();
        for measure in Measure::BINARY {
            let scatter = match (measure, settings.value) {
                (Measure::RocAuc, _) => placements(reference.scores, reference.labels)
                    .map(|(variance, share)| Scatter { variance, share }),
                (Measure::Value, matrix) => matrix.and_then(|matrix| whole.value_scatter(&matrix)),
                (Measure::F1, _) => whole.scatter(measure).map(|scatter| Scatter {
                    variance: scatter.variance * whole.f1_correction().powi(2),
                    ..scatter
                }),
                _ => whole.scatter(measure),
            };
            let values: Vec<f64> = chunks
                .iter()
                .filter_map(|chunk| real_value(*chunk, measure, settings.value.as_ref()))
                .collect();
            if let (Some(scatter), Some(thresholds)) =
                (scatter, Thresholds::of_chunks(&values, measure.limits()))
            {
                usual.push(Usual { measure, scatter, thresholds });
            }
        }
        Ok(Self {
            calibration: calibrate(reference.scores, reference.labels, settings.seed),
            value: settings.value,
            lowest_score: reference.scores.iter().copied().fold(f64::INFINITY, f64::min),
            highest_score: reference.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            usual,
        })
    }

    /// What makes a score a probability.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The expected cells of rows without labels; rows whose score is not finite are passed over. They add up over
    /// windows.
    pub fn expected_cells(&self, window: Scored<'_>) -> Confusion {
        let rows = window.scores.iter().zip(window.predicted).filter(|row| row.0.is_finite());
        Confusion::of(rows.map(|(score, predicted)| (*predicted, self.calibration.apply(*score))))
    }

    /// Share of the window's rows whose score lies outside the reference's scores (or is not finite), 0–1: there
    /// the calibration only guesses. 0 for an empty window.
    pub fn outside_share(&self, scores: &[f64]) -> f64 {
        let known = self.lowest_score..=self.highest_score;
        let outside = scores.iter().filter(|score| !known.contains(*score)).count();
        outside as f64 / scores.len().max(1) as f64
    }

    /// Estimates every measure that the reference and the window allow, without labels.
    pub fn estimate(&self, window: Scored<'_>) -> Vec<Estimate> {
        let cells = self.expected_cells(window);
        let area = || {
            let probabilities: Vec<f64> =
                window.scores.iter().map(|score| self.calibration.apply(*score)).collect();
            area_under_roc(window.scores, &probabilities)
        };
        self.values(cells, area)
            .map(|(usual, value)| {
                let error = sampling_error(usual, cells.rows());
                Estimate::new(usual.measure, value, error, usual.thresholds)
            })
            .collect()
    }

    /// Measures a window whose labels have come, against the same thresholds.
    pub fn realized(&self, window: Labelled<'_>) -> Vec<Realized> {
        let cells = real_cells(window);
        self.values(cells, || real_area(window))
            .map(|(usual, value)| Realized {
                measure: usual.measure,
                value,
                sampling_error: sampling_error(usual, cells.rows()),
                thresholds: usual.thresholds,
                alert: usual.thresholds.excludes(value),
            })
            .collect()
    }

    /// The measures of cells, with the area from a function since cells do not tell it.
    fn values(
        &self,
        cells: Confusion,
        area: impl Fn() -> Option<f64>,
    ) -> impl Iterator<Item = (&Usual, f64)> {
        self.usual.iter().filter_map(move |usual| {
            let value = match usual.measure {
                Measure::RocAuc => area(),
                Measure::Value => self.value.map(|matrix| cells.value(&matrix)),
                measure => cells.measure(measure),
            };
            value.filter(|_| cells.rows() > 0.0).map(|value| (usual, value))
        })
    }
}

fn sampling_error(usual: &Usual, rows: f64) -> f64 {
    if usual.measure.is_sum() { usual.scatter.error_of_sum(rows) } else { usual.scatter.error_of_mean(rows) }
}

fn check(reference: Labelled<'_>, settings: CbpeSettings) -> Result<(), DriftError> {
    let Labelled { scores, predicted, labels } = reference;
    let refuse = |why: &str| Err(DriftError::Invalid(why.to_owned()));
    if scores.len() != predicted.len() || scores.len() != labels.len() {
        return refuse("scores, predictions and labels differ in length");
    }
    if scores.is_empty() {
        return refuse("no labelled rows");
    }
    if !scores.iter().all(|score| score.is_finite()) {
        return refuse("a score is not a finite number");
    }
    if settings.chunk_rows == 0 {
        return refuse("chunks of 0 rows");
    }
    Ok(())
}

/// Consecutive chunks, the last one perhaps shorter.
fn chunks(reference: Labelled<'_>, rows: usize) -> Vec<Labelled<'_>> {
    let parts = reference.scores.chunks(rows).zip(reference.predicted.chunks(rows));
    parts
        .zip(reference.labels.chunks(rows))
        .map(|((scores, predicted), labels)| Labelled { scores, predicted, labels })
        .collect()
}

fn real_cells(rows: Labelled<'_>) -> Confusion {
    let pairs = rows.predicted.iter().zip(rows.labels);
    Confusion::of(pairs.map(|(predicted, label)| (*predicted, f64::from(u8::from(*label)))))
}

fn real_area(rows: Labelled<'_>) -> Option<f64> {
    let truth: Vec<f64> = rows.labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    area_under_roc(rows.scores, &truth)
}

fn real_value(rows: Labelled<'_>, measure: Measure, matrix: Option<&ValueMatrix>) -> Option<f64> {
    match measure {
        Measure::RocAuc => real_area(rows),
        Measure::Value => matrix.map(|matrix| real_cells(rows).value(matrix)),
        _ => real_cells(rows).measure(measure),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cbpe, CbpeSettings, Labelled, Scored};
    use crate::performance::Measure;
    use crate::random::Random;

    const SETTINGS: CbpeSettings = CbpeSettings { chunk_rows: 500, value: None, seed: 1 };

    /// A model whose scores are the real chances.
    fn honest(rows: usize, seed: u64) -> (Vec<f64>, Vec<bool>, Vec<bool>) {
        let mut random = Random::new(seed);
        let scores: Vec<f64> = (0..rows).map(|_| random.uniform()).collect();
        let predicted = scores.iter().map(|score| *score >= 0.5).collect();
        let labels = scores.iter().map(|score| random.uniform() < *score).collect();
        (scores, predicted, labels)
    }

    #[test]
    fn the_estimate_covers_the_truth() {
        let (scores, predicted, labels) = honest(5000, 5);
        let reference = Labelled { scores: &scores, predicted: &predicted, labels: &labels };
        let cbpe = Cbpe::fit(reference, SETTINGS).unwrap();
        let (scores, predicted, labels) = honest(1000, 6);
        let estimates = cbpe.estimate(Scored { scores: &scores, predicted: &predicted });
        let realized = cbpe.realized(Labelled { scores: &scores, predicted: &predicted, labels: &labels });
        assert_eq!(estimates.len(), 10, "all but the value, which has no matrix");
        for (estimate, real) in estimates.iter().zip(&realized) {
            assert_eq!(estimate.measure, real.measure);
            assert!((estimate.lower..=estimate.upper).contains(&real.value), "{estimate:?} {real:?}");
        }
    }

    #[test]
    fn an_empty_window_has_no_estimate_and_a_broken_reference_none_at_all() {
        let (scores, predicted, labels) = honest(1000, 7);
        let reference = Labelled { scores: &scores, predicted: &predicted, labels: &labels };
        let cbpe = Cbpe::fit(reference, SETTINGS).unwrap();
        assert!(cbpe.estimate(Scored { scores: &[], predicted: &[] }).is_empty());
        assert!(Cbpe::fit(Labelled { labels: &labels[1..], ..reference }, SETTINGS).is_err());
        assert!(Cbpe::fit(Labelled { scores: &[], predicted: &[], labels: &[] }, SETTINGS).is_err());
        let broken = vec![f64::NAN; 1000];
        assert!(Cbpe::fit(Labelled { scores: &broken, ..reference }, SETTINGS).is_err());
        assert!(Cbpe::fit(reference, CbpeSettings { chunk_rows: 0, ..SETTINGS }).is_err());
    }

    #[test]
    fn one_class_leaves_out_what_it_cannot_tell() {
        let scores = [0.1, 0.2, 0.3];
        let rows = Labelled { scores: &scores, predicted: &[false; 3], labels: &[false; 3] };
        let cbpe = Cbpe::fit(rows, SETTINGS).unwrap();
        let measures: Vec<Measure> = cbpe
            .estimate(Scored { scores: &scores, predicted: &[false; 3] })
            .iter()
            .map(|estimate| estimate.measure)
            .collect();
        assert!(measures.contains(&Measure::Accuracy));
        for absent in [Measure::RocAuc, Measure::Precision, Measure::Recall, Measure::F1] {
            assert!(!measures.contains(&absent), "{absent:?}");
        }
        assert_eq!(cbpe.outside_share(&[0.05, 0.2, f64::NAN, 0.9]), 0.75);
    }
}
