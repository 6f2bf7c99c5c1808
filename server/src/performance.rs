//! How good a service's answers were, by version, where outcomes have come.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use chasqui_pipelines::monitor::performance::{StoredPerformance, windows};
use chasqui_registry::Micros;
use chasqui_registry::name::ServiceName;
use chasqui_registry::prediction_log::{PredictionRange, count_predictions, labelled};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;

/// A span of time of one service.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Performance {
    /// The service.
    service: ServiceName,
    /// The first moment.
    from: Micros,
    /// The first moment after.
    to: Micros,
    /// Answered predictions.
    predictions: u64,
    /// Those whose outcome is known.
    with_outcome: u64,
    /// By version.
    versions: Vec<VersionPerformance>,
    /// Window by window, the newest first: estimated, realized, usual ranges, what it is worth.
    windows: Vec<StoredPerformance>,
}

/// Windows told at most.
const MOST_WINDOWS: i64 = 200;

/// The figures of one version; a figure that does not apply is absent.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct VersionPerformance {
    /// The version.
    version: i64,
    /// Its predictions whose outcome is known.
    with_outcome: u64,
    /// Mean absolute error.
    #[serde(skip_serializing_if = "Option::is_none")]
    mae: Option<f64>,
    /// Root of the mean squared error.
    #[serde(skip_serializing_if = "Option::is_none")]
    rmse: Option<f64>,
    /// Mean of predicted minus real.
    #[serde(skip_serializing_if = "Option::is_none")]
    bias: Option<f64>,
    /// Sum of absolute errors over the sum of absolute real values (WAPE).
    #[serde(skip_serializing_if = "Option::is_none")]
    wape: Option<f64>,
    /// Share of right classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    /// Share of predictions whose customer converted.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion: Option<f64>,
}

/// Measures from the log joined with its outcomes.
pub(crate) async fn measure(
    app: &App,
    service: &ServiceName,
    (from, to): (Micros, Micros),
    windows_from: Micros,
) -> chasqui_pipelines::Result<Performance> {
    let windows = windows(&app.registry, service, (windows_from, to), MOST_WINDOWS).await?;
    let range = PredictionRange { service: service.clone(), from, to };
    let predictions = count_predictions(&app.registry, Some(&app.log), &range).await?;
    let batches = labelled(&app.registry, Some(&app.log), &range, Some(&[])).await?;
    let versions = tokio::task::spawn_blocking(move || by_version(&batches)).await?;
    Ok(Performance {
        service: service.clone(),
        from,
        to,
        predictions,
        with_outcome: versions.iter().map(|version| version.with_outcome).sum(),
        versions,
        windows,
    })
}

/// Running sums of one version.
#[derive(Debug, Default)]
struct Sums {
    rows: u64,
    numbers: u64,
    absolute: f64,
    squared: f64,
    signed: f64,
    real: f64,
    labels: u64,
    right: u64,
    conversions: u64,
    converted: u64,
}

fn by_version(batches: &[RecordBatch]) -> Vec<VersionPerformance> {
    let mut sums: BTreeMap<i64, Sums> = BTreeMap::new();
    for batch in batches {
        let versions =
            batch.column_by_name("_version").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let Some(versions) = versions else { continue };
        for row in 0..batch.num_rows() {
            sums.entry(versions.value(row)).or_default().add(batch, row);
        }
    }
    sums.into_iter().map(|(version, sums)| sums.figures(version)).collect()
}

impl Sums {
    fn add(&mut self, batch: &RecordBatch, row: usize) {
        self.rows += 1;
        if let (Some(said), Some(real)) = (number(batch, "_value", row), number(batch, "_outcome_value", row))
        {
            let error = said - real;
            self.numbers += 1;
            self.absolute += error.abs();
            self.squared += error * error;
            self.signed += error;
            self.real += real.abs();
        }
        if let (Some(said), Some(real)) = (text(batch, "_label", row), text(batch, "_outcome_label", row)) {
            self.labels += 1;
            self.right += u64::from(said == real);
        }
        if let Some(converted) = flag(batch, "_outcome_converted", row) {
            self.conversions += 1;
            self.converted += u64::from(converted);
        }
    }

    fn figures(&self, version: i64) -> VersionPerformance {
        let mean = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        VersionPerformance {
            version,
            with_outcome: self.rows,
            mae: mean(self.absolute, self.numbers),
            rmse: mean(self.squared, self.numbers).map(f64::sqrt),
            bias: mean(self.signed, self.numbers),
            wape: (self.real > 0.0).then(|| self.absolute / self.real),
            accuracy: mean(self.right as f64, self.labels),
            conversion: mean(self.converted as f64, self.conversions),
        }
    }
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn text<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Option<&'b str> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn flag(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let column = batch.column_by_name(name)?.as_boolean_opt()?;
    column.is_valid(row).then(|| column.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn figures_are_by_version_and_skip_what_is_not_known() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("_version", Arc::new(Int64Array::from(vec![1, 1, 2]))),
            ("_value", Arc::new(Float64Array::from(vec![Some(3.0), Some(5.0), None]))),
            ("_outcome_value", Arc::new(Float64Array::from(vec![Some(1.0), Some(9.0), Some(2.0)]))),
            ("_label", Arc::new(StringArray::from(vec![None, None, Some("si")]))),
            ("_outcome_label", Arc::new(StringArray::from(vec![None, None, Some("si")]))),
            ("_outcome_converted", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        let figures = by_version(&[batch]);
        assert_eq!((figures[0].version, figures[0].with_outcome), (1, 2));
        assert_eq!(figures[0].mae, Some(3.0));
        assert_eq!(figures[0].rmse, Some(10.0_f64.sqrt()));
        assert_eq!(figures[0].bias, Some(-1.0));
        assert_eq!(figures[0].wape, Some(0.6));
        assert_eq!(figures[0].conversion, Some(0.5));
        assert_eq!(figures[0].accuracy, None);
        assert_eq!((figures[1].mae, figures[1].accuracy), (None, Some(1.0)));
    }
}
