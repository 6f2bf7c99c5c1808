//! What follows from the figures of a version's windows: what they are worth, whether retraining pays, and when it will
//! be needed.

use std::collections::BTreeMap;

use chasqui_drift::decision::{ForecastSettings, RetrainingForecast, advise, forecast, weekly_loss};
use chasqui_drift::performance::Confusion;
use chasqui_registry::Micros;
use chasqui_registry::service::Worth;

use super::estimator::{Estimator, Reference};
use super::{Value, WindowPerformance};

const WEEK_SECONDS: f64 = 7.0 * 86_400.0;
const WEEK_MICROS: i64 = 7 * 86_400 * Micros::PER_SECOND;

/// What a window's answers are worth: `cells` are those of a binary classification, expected or real.
pub(super) fn value(
    worth: &Worth,
    estimator: &Estimator,
    performance: &WindowPerformance,
    cells: Option<&Confusion>,
    window_seconds: i64,
) -> Option<Value> {
    let (now, reference) = match &estimator.reference {
        Reference::Binary { cells: accepted, .. } => {
            let matrix = worth.matrix.as_ref()?;
            (cells?.value_per_row(matrix)?, accepted.value_per_row(matrix)?)
        }
        Reference::Regression { mean_absolute, accepted, .. } => {
            let cost = worth.per_error?;
            let (figure, _) = performance.decisive()?;
            let loss = accepted.iter().find(|(name, _)| name == "mean_absolute")?.1;
            let of_reference = mean_absolute.sampling_error_of(estimator.rows);
            ((-cost * figure.value, cost * figure.sampling_error), (-cost * loss, cost * of_reference))
        }
        Reference::Multiclass { .. } => return None,
    };
    let weekly = performance.rows as f64 * WEEK_SECONDS / window_seconds.max(1) as f64;
    let weekly_loss = weekly_loss(weekly, reference, now);
    let advice = advise(weekly_loss, worth.weeks, worth.success, &worth.retraining);
    let ((per_prediction, error), at_reference) = (now, reference.0);
    Some(Value { per_prediction, error, at_reference, weekly_predictions: weekly, weekly_loss, advice })
}

/// When the decisive measure will leave its thresholds, from windows of one version, the oldest first, each with its
/// first instant. Windows shorter than a week are averaged over weeks.
pub(super) fn outlook(windows: &[(Micros, &WindowPerformance)], seed: u64) -> Option<RetrainingForecast> {
    let (_, last) = windows.last()?;
    let (figure, _) = last.decisive()?;
    let usual = figure.thresholds?;
    let is_loss = figure.is_loss();
    let mut weeks: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (start, performance) in windows {
        let Some((own, _)) = performance.decisive().filter(|(own, _)| own.measure == figure.measure) else {
            continue;
        };
        let week = weeks.entry(start.0.div_euclid(WEEK_MICROS)).or_default();
        week.0 += own.value;
        week.1 += 1.0;
    }
    // A loss grows where a measure falls.
    let sign = if is_loss { -1.0 } else { 1.0 };
    let weekly: Vec<f64> = weeks.values().map(|(sum, count)| sign * sum / count).collect();
    let minimum = if is_loss { -usual.upper } else { usual.lower };
    Some(forecast(&weekly, ForecastSettings::new(minimum, seed)))
}

#[cfg(test)]
mod tests {
    use chasqui_drift::performance::Thresholds;

    use super::*;
    use crate::monitor::performance::Figure;

    fn window(measure: &str, value: f64) -> WindowPerformance {
        let figure = Figure {
            measure: measure.into(),
            value,
            sampling_error: 0.01,
            lower: value - 0.03,
            upper: value + 0.03,
            thresholds: Some(Thresholds { lower: 0.7, upper: 0.9 }),
            reference: Some(0.8),
            fell: false,
        };
        WindowPerformance { rows: 700, estimated: vec![figure], ..WindowPerformance::default() }
    }

    fn outlook_of(measure: &str, values: &[f64]) -> RetrainingForecast {
        let windows: Vec<WindowPerformance> = values.iter().map(|value| window(measure, *value)).collect();
        let timed: Vec<(Micros, &WindowPerformance)> = windows
            .iter()
            .enumerate()
            .map(|(week, window)| (Micros(week as i64 * WEEK_MICROS), window))
            .collect();
        outlook(&timed, 1).unwrap()
    }

    #[test]
    fn a_measure_that_falls_and_a_loss_that_grows_have_a_date() {
        let falling: Vec<f64> = (0..10).map(|week| 0.85 - 0.01 * f64::from(week)).collect();
        assert!(matches!(outlook_of("accuracy", &falling), RetrainingForecast::Due { .. }));
        let growing: Vec<f64> = (0..10).map(|week| 0.75 + 0.01 * f64::from(week)).collect();
        assert!(matches!(outlook_of("mean_absolute", &growing), RetrainingForecast::Due { .. }));
        assert!(matches!(outlook_of("accuracy", &growing), RetrainingForecast::NoDate { .. }));
        assert!(matches!(outlook_of("accuracy", &falling[..3]), RetrainingForecast::TooEarly { weeks: 3 }));
    }
}
