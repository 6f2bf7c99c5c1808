//! The quality of the version that serves: measured, or estimated while too few outcomes are known.

use chasqui_report::{Quality, QualityMeasure, Range, Unit};
use chasqui_trainer::Task;

use super::meaning;
use super::rows::Rows;

/// Fewer outcomes than this say nothing about quality.
const FEWEST_OUTCOMES: usize = 30;

/// The whole range lies on the wrong side of what the model was accepted with.
pub(super) fn is_worse(quality: &Quality) -> bool {
    match quality.measure {
        QualityMeasure::Hits => quality.range.high < quality.before,
        QualityMeasure::Error { .. } => quality.range.low > quality.before,
    }
}

/// The quality of the version that serves: measured, or estimated while too few outcomes are known.
pub(super) fn quality(rows: &Rows) -> Option<Quality> {
    measured(rows).or_else(|| rows.performance.as_ref().and_then(meaning::estimated_quality))
}

/// The measured quality of the version that serves, or of the one with most outcomes while it has too few.
fn measured(rows: &Rows) -> Option<Quality> {
    let enough = |version: &i64| rows.traffic.errors.get(version).is_some_and(|e| e.len() >= FEWEST_OUTCOMES);
    let most = rows.traffic.errors.iter().max_by_key(|(_, errors)| errors.len()).map(|(version, _)| *version);
    let version = rows.serving.filter(enough).or_else(|| most.filter(enough))?;
    let errors = rows.traffic.errors.get(&version)?;
    let metrics = &rows.versions.get(&version)?.metrics;
    let (mean, spread) = mean_and_spread(errors);
    let regression = rows.task.is_none() || rows.task == Some(Task::Regression);
    if regression {
        return Some(Quality {
            measure: QualityMeasure::Error { unit: Unit::Plain },
            before: *metrics.get("mae")?,
            now: mean,
            range: Range::new((mean - spread).max(0.0), mean + spread),
            estimated: false,
            awaited: None,
        });
    }
    Some(Quality {
        measure: QualityMeasure::Hits,
        before: *metrics.get("accuracy")?,
        now: 1.0 - mean,
        range: Range::new((1.0 - mean - spread).max(0.0), (1.0 - mean + spread).min(1.0)),
        estimated: false,
        awaited: None,
    })
}

/// The mean and half the width of its 95 % interval.
fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, 1.96 * (variance / n).sqrt())
}
