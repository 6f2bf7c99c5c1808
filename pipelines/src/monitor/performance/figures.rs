//! Figures of a window from its rows and the version's estimator.

use std::collections::BTreeMap;

use chasqui_drift::decision::Group;
use chasqui_drift::performance::{
    ClassLabelled, ClassScored, Confusion, Estimate, Labelled, LossEstimate, LossEstimator, Measure,
    Prediction, Realized, Scored,
};

use super::Figure;
use super::estimator::{Estimator, Reference, name};

/// The measures that decide whether a classifier fell; the first one is shown.
const DECISIVE: [Measure; 2] = [Measure::Accuracy, Measure::RocAuc];
const INTERVAL: f64 = 3.0;

/// The rows of a window, as far as the kind of prediction needs them.
#[derive(Debug, Default)]
pub(super) struct WindowRows {
    pub(super) rows: u64,
    /// Binary: scores, answers, and what was true.
    pub(super) scores: Vec<f64>,
    pub(super) predicted: Vec<bool>,
    pub(super) labels: Vec<bool>,
    /// More classes: `[class][row]`, answers and what was true, by place.
    pub(super) class_scores: Vec<Vec<f64>>,
    pub(super) predicted_class: Vec<usize>,
    pub(super) label_class: Vec<usize>,
    /// Regression: predicted losses, and answers with what was true.
    pub(super) losses: Vec<f64>,
    pub(super) pairs: Vec<Prediction>,
    /// Binary, by group: expected or real cells.
    pub(super) groups: BTreeMap<String, Confusion>,
}

impl WindowRows {
    pub(super) fn groups(&self) -> Vec<Group> {
        self.groups.iter().map(|(name, cells)| Group { name: name.clone(), cells: *cells }).collect()
    }
}

/// Estimates without outcomes, the decisive measure first.
pub(super) fn estimated(estimator: &Estimator, window: &WindowRows) -> Vec<Figure> {
    let judge = Judge { estimator, rows: window.rows };
    match &estimator.reference {
        Reference::Binary { cbpe, .. } => {
            let scored = Scored { scores: &window.scores, predicted: &window.predicted };
            judge.of_estimates(cbpe.estimate(scored))
        }
        Reference::Multiclass { cbpe, .. } => {
            let scored = ClassScored { scores: &window.class_scores, predicted: &window.predicted_class };
            judge.of_estimates(cbpe.estimate(scored))
        }
        Reference::Regression { mean_absolute, .. } => {
            mean_absolute.estimate(&window.losses).into_iter().map(|loss| judge.of_loss(&loss)).collect()
        }
    }
}

/// Measures with outcomes, against the same thresholds, the decisive measure first.
pub(super) fn realized(estimator: &Estimator, window: &WindowRows) -> Vec<Figure> {
    let judge = Judge { estimator, rows: window.rows };
    match &estimator.reference {
        Reference::Binary { cbpe, .. } => {
            let rows =
                Labelled { scores: &window.scores, predicted: &window.predicted, labels: &window.labels };
            judge.of_realized(cbpe.realized(rows))
        }
        Reference::Multiclass { cbpe, .. } => {
            let (scores, predicted) = (&window.class_scores, &window.predicted_class);
            let labels = &window.label_class;
            judge.of_realized(cbpe.realized(ClassLabelled { scores, predicted, labels }))
        }
        Reference::Regression { mean_absolute, root_mean_squared, .. } => {
            let of = |estimator: &LossEstimator| estimator.realized(&window.pairs);
            let losses = [of(mean_absolute), of(root_mean_squared)];
            losses.into_iter().flatten().map(|loss| judge.of_loss(&loss)).collect()
        }
    }
}

/// Measures with outcomes where there is no reference: without thresholds.
pub(super) fn unreferenced(window: &WindowRows) -> Vec<Figure> {
    let plain = |measure: &str, value: f64, sampling_error: f64| Figure {
        measure: measure.to_owned(),
        value,
        sampling_error,
        lower: value - INTERVAL * sampling_error,
        upper: value + INTERVAL * sampling_error,
        thresholds: None,
        reference: None,
        fell: false,
    };
    let n = window.pairs.len() as f64;
    if n > 0.0 {
        let losses: Vec<f64> = window.pairs.iter().map(Prediction::absolute_loss).collect();
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / n;
        let squared = window.pairs.iter().map(Prediction::squared_loss).sum::<f64>() / n;
        return vec![
            plain("mean_absolute", mean, (variance / n).sqrt()),
            plain("root_mean_squared", squared.sqrt(), 0.0),
        ];
    }
    let hits = window.predicted_class.iter().zip(&window.label_class).filter(|(said, truth)| said == truth);
    let n = window.label_class.len() as f64;
    let share = hits.count() as f64 / n;
    if n > 0.0 { vec![plain("accuracy", share, (share * (1.0 - share) / n).sqrt())] } else { Vec::new() }
}

struct Judge<'a> {
    estimator: &'a Estimator,
    rows: u64,
}

impl Judge<'_> {
    fn of_estimates(&self, estimates: Vec<Estimate>) -> Vec<Figure> {
        let figures = estimates.into_iter().map(|estimate| {
            let fell = estimate.fell();
            let Estimate { measure, value, sampling_error, lower, upper, thresholds, .. } = estimate;
            let figure = Figure {
                measure: name(&measure),
                value,
                sampling_error,
                lower,
                upper,
                thresholds: Some(thresholds),
                reference: None,
                fell: false,
            };
            (measure, fell, figure)
        });
        self.ordered(figures.collect())
    }

    fn of_realized(&self, realized: Vec<Realized>) -> Vec<Figure> {
        let figures = realized.into_iter().map(|real| {
            let fell = real.fell();
            let Realized { measure, value, sampling_error, thresholds, .. } = real;
            let figure = Figure {
                measure: name(&measure),
                value,
                sampling_error,
                lower: value - INTERVAL * sampling_error,
                upper: value + INTERVAL * sampling_error,
                thresholds: Some(thresholds),
                reference: None,
                fell: false,
            };
            (measure, fell, figure)
        });
        self.ordered(figures.collect())
    }

    /// The decisive measures first; only they can fall: counts follow the volume, and ten measures at three standard
    /// deviations would alarm too often.
    fn ordered(&self, figures: Vec<(Measure, bool, Figure)>) -> Vec<Figure> {
        let place = |measure: Measure| DECISIVE.iter().position(|decisive| *decisive == measure);
        let mut figures: Vec<(Measure, bool, Figure)> = figures
            .into_iter()
            .map(|(measure, fell, figure)| (measure, fell && place(measure).is_some(), figure))
            .collect();
        figures.sort_by_key(|(measure, ..)| place(*measure).unwrap_or(DECISIVE.len()));
        let fell = |fell: bool, figure: &Figure| {
            let surely = figure.thresholds.is_some_and(|usual| figure.upper < usual.lower);
            fell && (surely || self.is_as_large_as_a_chunk())
        };
        figures
            .into_iter()
            .map(|(_, beyond, figure)| Figure { fell: fell(beyond, &figure), ..self.referenced(figure) })
            .collect()
    }

    fn of_loss(&self, loss: &LossEstimate) -> Figure {
        let beyond = loss.value > loss.thresholds.upper;
        let surely = loss.lower > loss.thresholds.upper;
        self.referenced(Figure {
            measure: name(&loss.loss),
            value: loss.value,
            sampling_error: loss.sampling_error,
            lower: loss.lower,
            upper: loss.upper,
            thresholds: Some(loss.thresholds),
            reference: None,
            fell: beyond && (surely || self.is_as_large_as_a_chunk()),
        })
    }

    fn referenced(&self, figure: Figure) -> Figure {
        Figure { reference: self.estimator.reference.accepted(&figure.measure), ..figure }
    }

    /// The thresholds are those of chunks: a smaller window scatters more, and must be surely outside.
    fn is_as_large_as_a_chunk(&self) -> bool {
        self.rows >= self.estimator.chunk_rows
    }
}
