//! CBPE for more than two classes: each class against the rest, then the mean over classes.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, calibrate};
use super::confusion::{Confusion, Scatter};
use super::measure::{Estimate, Measure, Realized};
use super::roc::{area_under_roc, placements};
use super::thresholds::Thresholds;
use crate::DriftError;

/// NannyML's allowance for the areas of the classes not being independent.
const AREA_ALLOWANCE: f64 = 1.2;

/// Answers of a window: per class a column of scores, and per row the class answered.
#[derive(Clone, Copy, Debug)]
pub struct ClassScored<'a> {
    /// `scores[class][row]`.
    pub scores: &'a [Vec<f64>],
    /// Class of each row, an index into `scores`.
    pub predicted: &'a [usize],
}

/// Answers whose true class is known.
#[derive(Clone, Copy, Debug)]
pub struct ClassLabelled<'a> {
    /// `scores[class][row]`.
    pub scores: &'a [Vec<f64>],
    /// Class of each row, an index into `scores`.
    pub predicted: &'a [usize],
    /// True class of each row.
    pub labels: &'a [usize],
}

/// A reference's calibrations, usual ranges and scatter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MulticlassCbpe {
    calibrations: Vec<Calibration>,
    usual: Vec<Usual>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Usual {
    measure: Measure,
    /// One per class; of the accuracy one for all.
    scatters: Vec<Scatter>,
    thresholds: Thresholds,
}

impl MulticlassCbpe {
    /// Learns from a labelled reference in the order of time, in chunks of `chunk_rows`.
    ///
    /// A measure that some class of the reference cannot give is left out.
    ///
    /// # Errors
    /// [`DriftError::Invalid`] when there are fewer than two classes, when columns differ in length, are empty or
    /// hold a score that is not finite, when a row names a class that is not there, or when `chunk_rows` is 0.
    pub fn fit(reference: ClassLabelled<'_>, chunk_rows: usize, seed: u64) -> Result<Self, DriftError> {
        check(reference, chunk_rows)?;
        let rows = reference.labels.len();
        let classes = reference.scores.len();
        let calibrations = (0..classes)
            .map(|class| calibrate(&reference.scores[class], &is(reference.labels, class), seed))
            .collect();
        let mut usual = Vec::new();
        for measure in Measure::MULTICLASS {
            let values: Vec<f64> = (0..rows)
                .step_by(chunk_rows)
                .filter_map(|start| real_value(reference, start..(start + chunk_rows).min(rows), measure))
                .collect();
            if let (Some(scatters), Some(thresholds)) =
                (scatters(reference, measure), Thresholds::of_chunks(&values, measure.limits()))
            {
                usual.push(Usual { measure, scatters, thresholds });
            }
        }
        Ok(Self { calibrations, usual })
    }

    /// Estimates every measure that the reference and the window allow, without labels. Rows of classes that the
    /// reference does not know, or with scores that are not finite, are passed over.
    pub fn estimate(&self, window: ClassScored<'_>) -> Vec<Estimate> {
        let rows = self.usable_rows(window);
        let probabilities = self.probabilities(window, &rows);
        self.usual
            .iter()
            .filter_map(|usual| {
                let value = self.expected(window, &rows, &probabilities, usual.measure)?;
                let error = usual.sampling_error(rows.len() as f64);
                Some(Estimate::new(usual.measure, value, error, usual.thresholds))
            })
            .collect()
    }

    /// Measures a window whose labels have come, against the same thresholds. Empty when its columns are not those of
    /// the reference or differ in length.
    pub fn realized(&self, window: ClassLabelled<'_>) -> Vec<Realized> {
        let rows = window.labels.len();
        let fits = window.scores.iter().all(|column| column.len() == rows) && window.predicted.len() == rows;
        if !fits || window.scores.len() != self.calibrations.len() {
            return Vec::new();
        }
        self.usual
            .iter()
            .filter_map(|usual| {
                let value = real_value(window, 0..rows, usual.measure)?;
                Some(Realized {
                    measure: usual.measure,
                    value,
                    sampling_error: usual.sampling_error(rows as f64),
                    thresholds: usual.thresholds,
                    alert: usual.thresholds.excludes(value),
                })
            })
            .collect()
    }

    fn usable_rows(&self, window: ClassScored<'_>) -> Vec<usize> {
        let classes = self.calibrations.len();
        if window.scores.len() != classes {
            return Vec::new();
        }
        let finite =
            |row: usize| window.scores.iter().all(|column| column.get(row).is_some_and(|s| s.is_finite()));
        (0..window.predicted.len()).filter(|row| window.predicted[*row] < classes && finite(*row)).collect()
    }

    /// `[class][position in rows]`, calibrated one against the rest and scaled so that each row adds up to 1.
    fn probabilities(&self, window: ClassScored<'_>, rows: &[usize]) -> Vec<Vec<f64>> {
        let mut columns: Vec<Vec<f64>> = self
            .calibrations
            .iter()
            .zip(window.scores)
            .map(|(calibration, column)| rows.iter().map(|row| calibration.apply(column[*row])).collect())
            .collect();
        for position in 0..rows.len() {
            let total: f64 = columns.iter().map(|column| column[position]).sum();
            for column in &mut columns {
                // Every class calibrated to 0: nothing is known of the row.
                column[position] =
                    if total > 0.0 { column[position] / total } else { 1.0 / self.calibrations.len() as f64 };
            }
        }
        columns
    }

    fn expected(
        &self,
        window: ClassScored<'_>,
        rows: &[usize],
        probabilities: &[Vec<f64>],
        measure: Measure,
    ) -> Option<f64> {
        if rows.is_empty() {
            return None;
        }
        let predicted = |position: usize| window.predicted[rows[position]];
        if measure == Measure::Accuracy {
            let right: f64 =
                (0..rows.len()).map(|position| probabilities[predicted(position)][position]).sum();
            return Some(right / rows.len() as f64);
        }
        mean_over(self.calibrations.len(), |class| {
            let column = &probabilities[class];
            if measure == Measure::RocAuc {
                let scores: Vec<f64> = rows.iter().map(|row| window.scores[class][*row]).collect();
                return area_under_roc(&scores, column);
            }
            let cells = (0..rows.len()).map(|position| (predicted(position) == class, column[position]));
            Confusion::of(cells).measure(measure)
        })
    }
}

impl Usual {
    /// Standard error over `rows` rows: the classes' variances add up.
    fn sampling_error(&self, rows: f64) -> f64 {
        let variances: f64 = self.scatters.iter().map(|scatter| scatter.error_of_mean(rows).powi(2)).sum();
        let allowance = if self.measure == Measure::RocAuc { AREA_ALLOWANCE } else { 1.0 };
        variances.sqrt() / self.scatters.len() as f64 * allowance
    }
}

fn check(reference: ClassLabelled<'_>, chunk_rows: usize) -> Result<(), DriftError> {
    let ClassLabelled { scores, predicted, labels } = reference;
    let refuse = |why: &str| Err(DriftError::Invalid(why.to_owned()));
    if scores.len() < 2 {
        return refuse("fewer than two classes");
    }
    if labels.is_empty() || chunk_rows == 0 {
        return refuse("no labelled rows, or chunks of 0 rows");
    }
    if predicted.len() != labels.len() || scores.iter().any(|column| column.len() != labels.len()) {
        return refuse("scores, predictions and labels differ in length");
    }
    if !scores.iter().flatten().all(|score| score.is_finite()) {
        return refuse("a score is not a finite number");
    }
    if predicted.iter().chain(labels).any(|class| *class >= scores.len()) {
        return refuse("a row names a class without scores");
    }
    Ok(())
}

fn is(classes: &[usize], class: usize) -> Vec<bool> {
    classes.iter().map(|of_row| *of_row == class).collect()
}

/// Mean over the classes that have the measure: in a small window some class is never predicted. None when none has.
fn mean_over(classes: usize, of_class: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = (0..classes).filter_map(of_class).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The cells of one class against the rest.
fn real_cells(rows: ClassLabelled<'_>, range: std::ops::Range<usize>, class: usize) -> Confusion {
    Confusion::of(
        range.map(|row| (rows.predicted[row] == class, f64::from(u8::from(rows.labels[row] == class)))),
    )
}

fn real_value(rows: ClassLabelled<'_>, range: std::ops::Range<usize>, measure: Measure) -> Option<f64> {
    if range.is_empty() {
        return None;
    }
    if measure == Measure::Accuracy {
        let right = range.clone().filter(|row| rows.predicted[*row] == rows.labels[*row]).count();
        return Some(right as f64 / range.len() as f64);
    }
    mean_over(rows.scores.len(), |class| {
        if measure == Measure::RocAuc {
            let truth: Vec<f64> =
                range.clone().map(|row| f64::from(u8::from(rows.labels[row] == class))).collect();
            return area_under_roc(&rows.scores[class][range.clone()], &truth);
        }
        real_cells(rows, range.clone(), class).measure(measure)
    })
}

fn scatters(reference: ClassLabelled<'_>, measure: Measure) -> Option<Vec<Scatter>> {
    let rows = 0..reference.labels.len();
    if measure == Measure::Accuracy {
        let right = real_value(reference, rows, measure)?;
        return Some(vec![Scatter { variance: right * (1.0 - right), share: 1.0 }]);
    }
    (0..reference.scores.len())
        .map(|class| {
            if measure == Measure::RocAuc {
                return placements(&reference.scores[class], &is(reference.labels, class))
                    .map(|(variance, share)| Scatter { variance, share });
            }
            real_cells(reference, rows.clone(), class).scatter(measure)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ClassLabelled, ClassScored, MulticlassCbpe};
    use crate::performance::Measure;
    use crate::random::Random;

    struct Rows {
        scores: Vec<Vec<f64>>,
        predicted: Vec<usize>,
        labels: Vec<usize>,
    }

    impl Rows {
        fn labelled(&self) -> ClassLabelled<'_> {
            ClassLabelled { scores: &self.scores, predicted: &self.predicted, labels: &self.labels }
        }

        fn scored(&self) -> ClassScored<'_> {
            ClassScored { scores: &self.scores, predicted: &self.predicted }
        }
    }

    /// Three classes; the scores are the real chances, sharper when `sharp` is larger.
    fn drawn(rows: usize, sharp: f64, seed: u64) -> Rows {
        let mut random = Random::new(seed);
        let mut drawn = Rows { scores: vec![Vec::new(); 3], predicted: vec![], labels: vec![] };
        for _ in 0..rows {
            let weights: Vec<f64> = (0..3).map(|_| random.uniform().powf(sharp)).collect();
            let total: f64 = weights.iter().sum();
            let chances: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
            let mut left = random.uniform();
            let label = chances.iter().position(|chance| {
                left -= chance;
                left < 0.0
            });
            drawn.labels.push(label.unwrap_or(2));
            let best = (0..3).max_by(|a, b| chances[*a].total_cmp(&chances[*b])).unwrap();
            drawn.predicted.push(best);
            for (column, chance) in drawn.scores.iter_mut().zip(chances) {
                column.push(chance);
            }
        }
        drawn
    }

    #[test]
    fn the_estimate_covers_the_truth_and_flags_what_is_worse() {
        let cbpe = MulticlassCbpe::fit(drawn(9000, 3.0, 1).labelled(), 1000, 1).unwrap();
        let usual = drawn(1000, 3.0, 2);
        let estimates = cbpe.estimate(usual.scored());
        let realized = cbpe.realized(usual.labelled());
        assert_eq!(estimates.len(), Measure::MULTICLASS.len());
        for (estimate, real) in estimates.iter().zip(&realized) {
            assert!((estimate.lower..=estimate.upper).contains(&real.value), "{estimate:?} {real:?}");
        }
        let blurred = cbpe.estimate(drawn(1000, 0.7, 3).scored());
        let accuracy = blurred.iter().find(|estimate| estimate.measure == Measure::Accuracy).unwrap();
        assert!(accuracy.alert, "{accuracy:?}");
    }

    #[test]
    fn two_classes_agree_with_the_binary_accuracy() {
        let rows = drawn(2000, 3.0, 4);
        let folded = Rows {
            scores: vec![rows.scores[0].clone(), rows.scores[0].iter().map(|score| 1.0 - score).collect()],
            predicted: rows.scores[0].iter().map(|score| usize::from(*score < 0.5)).collect(),
            labels: rows.labels.iter().map(|label| usize::from(*label != 0)).collect(),
        };
        let cbpe = MulticlassCbpe::fit(folded.labelled(), 500, 1).unwrap();
        let real = cbpe.realized(folded.labelled());
        let right = folded.predicted.iter().zip(&folded.labels).filter(|(a, b)| a == b).count();
        let accuracy = real.iter().find(|real| real.measure == Measure::Accuracy).unwrap();
        assert_eq!(accuracy.value, right as f64 / 2000.0);
    }

    #[test]
    fn a_class_that_is_never_answered_does_not_take_the_measure_away() {
        let rows = drawn(3000, 3.0, 6);
        let cbpe = MulticlassCbpe::fit(rows.labelled(), 500, 1).unwrap();
        let few = drawn(40, 3.0, 7);
        let answers: Vec<usize> = few.predicted.iter().map(|class| class % 2).collect();
        let window = ClassScored { scores: &few.scores, predicted: &answers };
        let precision = cbpe.estimate(window).into_iter().find(|one| one.measure == Measure::Precision);
        assert!(precision.is_some_and(|one| one.value > 0.0 && one.value < 1.0));
    }

    #[test]
    fn a_window_of_other_classes_is_not_estimated() {
        let rows = drawn(500, 2.0, 5);
        let cbpe = MulticlassCbpe::fit(rows.labelled(), 100, 1).unwrap();
        assert!(cbpe.estimate(ClassScored { scores: &rows.scores[..2], ..rows.scored() }).is_empty());
        assert!(cbpe.realized(ClassLabelled { scores: &rows.scores[..2], ..rows.labelled() }).is_empty());
        assert!(cbpe.realized(ClassLabelled { labels: &rows.labels[1..], ..rows.labelled() }).is_empty());
        assert!(
            MulticlassCbpe::fit(ClassLabelled { scores: &rows.scores[..2], ..rows.labelled() }, 100, 1)
                .is_err()
        );
    }
}
