//! Performance without labels against NannyML on census data, and direct loss estimation on car prices.

#[path = "performance/boosting.rs"]
mod boosting;

use std::{fs, path::PathBuf};

use boosting::Boosting;
use chasqui_drift::performance::{
    Calibration, Cbpe, CbpeSettings, Estimate, Labelled, Loss, LossEstimator, Measure, Prediction, Realized,
    Scored, ValueMatrix, area_under_roc,
};
use proptest::prelude::*;
use serde_json::Value;

/// Rows of equal score share their ranks here; NannyML ranks them as its sort happens to leave them.
const ROC_ERROR_TOLERANCE: f64 = 1e-7;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn oracle(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let folder = root.join("performance-estimation").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

fn expected(folder: &std::path::Path) -> Value {
    let text = fs::read_to_string(folder.join("expected.json")).expect("the oracle is readable");
    serde_json::from_str(&text).expect("the oracle is JSON")
}

/// The named columns of a file, and no other.
fn columns(path: &std::path::Path, names: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).expect("the file is readable");
    let header = reader.headers().expect("a header").clone();
    let places: Vec<usize> = names
        .iter()
        .map(|name| header.iter().position(|field| field == *name).expect("the column is there"))
        .collect();
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        let record = record.expect("a row");
        for (column, place) in columns.iter_mut().zip(&places) {
            column.push(record[*place].to_owned());
        }
    }
    columns
}

fn numbers(column: &[String]) -> Vec<f64> {
    column.iter().map(|text| text.parse().expect("a number")).collect()
}

struct Census {
    scores: Vec<f64>,
    predicted: Vec<bool>,
}

impl Census {
    fn read(path: &std::path::Path) -> Self {
        let columns = columns(path, &["predicted_probability", "prediction"]);
        Self { scores: numbers(&columns[0]), predicted: flags(&columns[1]) }
    }
}

fn flags(column: &[String]) -> Vec<bool> {
    column.iter().map(|text| text == "1").collect()
}

fn key(measure: Measure) -> &'static str {
    match measure {
        Measure::RocAuc => "roc_auc",
        Measure::Accuracy => "accuracy",
        Measure::F1 => "f1",
        Measure::Precision => "precision",
        Measure::Recall => "recall",
        Measure::Specificity => "specificity",
        Measure::Value => "business_value",
        Measure::TruePositive => "true_positive",
        Measure::TrueNegative => "true_negative",
        Measure::FalsePositive => "false_positive",
        Measure::FalseNegative => "false_negative",
    }
}

/// Within `tolerance`, relative for what is counted in rows or dollars.
fn assert_near(actual: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: {expected} is no number"));
    let allowed = tolerance * expected.abs().max(1.0);
    assert!((actual - expected).abs() <= allowed, "{what}: {actual} instead of {expected}");
}

fn value_tolerance(measure: Measure) -> f64 {
    match measure {
        Measure::RocAuc => 1e-8,
        Measure::Accuracy => 1e-12,
        _ => 1e-11,
    }
}

fn error_tolerance(measure: Measure) -> f64 {
    if measure == Measure::RocAuc { ROC_ERROR_TOLERANCE } else { 1e-9 }
}

fn assert_estimate(estimate: &Estimate, chunk: &Value, what: &str) {
    let name = key(estimate.measure);
    let field = |part: &str| &chunk[format!("{name}/{part}")];
    let what = format!("{what} {name}");
    assert_near(estimate.value, field("value"), value_tolerance(estimate.measure), &what);
    let tolerance = error_tolerance(estimate.measure);
    assert_near(estimate.sampling_error, field("sampling_error"), tolerance, &what);
    assert_near(estimate.lower, field("lower_confidence_boundary"), 4.0 * tolerance, &what);
    assert_near(estimate.upper, field("upper_confidence_boundary"), 4.0 * tolerance, &what);
    assert_near(estimate.thresholds.lower, field("lower_threshold"), 1e-9, &what);
    assert_near(estimate.thresholds.upper, field("upper_threshold"), 1e-9, &what);
    assert_eq!(estimate.alert, field("alert").as_bool().expect("a flag"), "{what} alert");
}

fn assert_realized(realized: &Realized, chunk: &Value, what: &str) {
    let name = key(realized.measure);
    let Some(expected) = chunk.get(format!("{name}/value")) else { return };
    let what = format!("realized {what} {name}");
    assert_near(realized.value, expected, value_tolerance(realized.measure), &what);
    let alert = chunk[format!("{name}/alert")].as_bool().expect("a flag");
    assert_eq!(realized.alert, alert, "{what} alert");
}

fn fitted(folder: &std::path::Path, expected: &Value) -> Cbpe {
    let reference = Census::read(&folder.join("reference.csv"));
    let labels = flags(&columns(&folder.join("reference.csv"), &["employed"])[0]);
    let matrix = &expected["cbpe"]["business_value_matrix_[[TN,FP],[FN,TP]]"];
    let cell = |row: usize, column: usize| matrix[row][column].as_f64().expect("dollars");
    let value = ValueMatrix {
        true_negative: cell(0, 0),
        false_positive: cell(0, 1),
        false_negative: cell(1, 0),
        true_positive: cell(1, 1),
    };
    let chunk_rows = expected["chunk_size"].as_u64().expect("rows") as usize;
    let labelled = Labelled { scores: &reference.scores, predicted: &reference.predicted, labels: &labels };
    Cbpe::fit(labelled, CbpeSettings { chunk_rows, value: Some(value), seed: 42 }).expect("a reference")
}

/// Chunks of a period with their place in its rows.
fn chunks<'a>(list: &'a Value, period: &'a str) -> impl Iterator<Item = (usize, usize, &'a Value)> {
    let all = list.as_array().expect("chunks").iter();
    all.filter(move |chunk| chunk["chunk/period"] == period).map(|chunk| {
        let index = |field: &str| chunk[field].as_u64().expect("an index") as usize;
        (index("chunk/start_index"), index("chunk/end_index") + 1, chunk)
    })
}

#[test]
fn the_isotonic_knots_are_those_of_scikit_learn() {
    let Some(folder) = oracle("us_census") else { return };
    let expected = expected(&folder);
    let cbpe = fitted(&folder, &expected);
    let Calibration::Isotonic(isotonic) = cbpe.calibration() else {
        panic!("the census scores need calibration")
    };
    let (scores, probabilities) = isotonic.knots();
    for (knots, key) in [(scores, "isotonic_x_thresholds"), (probabilities, "isotonic_y_thresholds")] {
        let wanted = expected["cbpe"][key].as_array().expect("knots");
        assert_eq!(knots.len(), wanted.len(), "{key}");
        for (knot, wanted) in knots.iter().zip(wanted) {
            assert_near(*knot, wanted, 1e-12, key);
        }
    }
}

#[test]
fn estimates_equal_nannyml_and_flag_exactly_two_chunks() {
    let Some(folder) = oracle("us_census") else { return };
    let expected = expected(&folder);
    let cbpe = fitted(&folder, &expected);
    // The analysis rows are read without their target: the estimate cannot see it.
    for (period, file) in [("reference", "reference.csv"), ("analysis", "analysis.csv")] {
        let rows = Census::read(&folder.join(file));
        let mut flagged: Vec<(Measure, usize)> = Vec::new();
        let mut compared = 0;
        for (start, end, chunk) in chunks(&expected["cbpe"]["chunks"], period) {
            let window = Scored { scores: &rows.scores[start..end], predicted: &rows.predicted[start..end] };
            let estimates = cbpe.estimate(window);
            assert_eq!(estimates.len(), Measure::BINARY.len(), "every measure is estimated");
            for estimate in estimates {
                assert_estimate(&estimate, chunk, &format!("{period} {start}"));
                compared += 1;
                if estimate.alert {
                    flagged.push((estimate.measure, start / 2500));
                }
            }
        }
        if period == "analysis" {
            assert_eq!(compared, 42 * Measure::BINARY.len());
            for lead in [Measure::RocAuc, Measure::Accuracy, Measure::Precision] {
                let of_lead: Vec<usize> =
                    flagged.iter().filter(|flag| flag.0 == lead).map(|flag| flag.1).collect();
                assert_eq!(of_lead, [27, 28], "{lead:?}");
            }
        }
    }
}

#[test]
fn realized_performance_equals_nannyml() {
    let Some(folder) = oracle("us_census") else { return };
    let expected = expected(&folder);
    let cbpe = fitted(&folder, &expected);
    for (period, file) in [("reference", "reference.csv"), ("analysis", "analysis.csv")] {
        let rows = Census::read(&folder.join(file));
        let labels = flags(&columns(&folder.join(file), &["employed"])[0]);
        for (start, end, chunk) in chunks(&expected["realized_performance"], period) {
            let realized = cbpe.realized(Labelled {
                scores: &rows.scores[start..end],
                predicted: &rows.predicted[start..end],
                labels: &labels[start..end],
            });
            for realized in &realized {
                assert_realized(realized, chunk, &format!("{period} {start}"));
            }
            // A chunk of the reference is measured by CBPE too, its value and cells included.
            let both = chunks(&expected["cbpe"]["chunks"], period).find(|other| other.0 == start);
            for realized in realized.iter().filter(|_| period == "reference") {
                let name = format!("{}/realized", key(realized.measure));
                assert_near(realized.value, &both.expect("the chunk").2[&name], 1e-9, &name);
            }
        }
    }
}

struct Cars {
    inputs: Vec<Vec<f64>>,
    rows: Vec<Prediction>,
}

/// Inputs and the answer as numbers; the two categories become the number of their first reference row.
fn cars(path: &std::path::Path, categories: &mut Vec<String>) -> Cars {
    let names = ["car_age", "km_driven", "price_new", "accident_count", "door_count", "y_pred"];
    let mut inputs: Vec<Vec<f64>> = columns(path, &names).iter().map(|column| numbers(column)).collect();
    for column in columns(path, &["fuel", "transmission"]) {
        inputs.push(
            column
                .iter()
                .map(|value| {
                    let known = categories.iter().position(|known| known == value);
                    known.unwrap_or_else(|| {
                        categories.push(value.clone());
                        categories.len() - 1
                    }) as f64
                })
                .collect(),
        );
    }
    let both = columns(path, &["y_pred", "y_true"]);
    let rows = numbers(&both[0])
        .into_iter()
        .zip(numbers(&both[1]))
        .map(|(answer, truth)| Prediction { answer, truth })
        .collect();
    Cars { inputs, rows }
}

#[test]
fn direct_loss_estimation_comes_as_near_the_truth_as_nannyml() {
    let Some(folder) = oracle("dle_car_price") else { return };
    let expected = expected(&folder);
    let mut categories = Vec::new();
    let reference = cars(&folder.join("reference.csv"), &mut categories);
    let analysis = cars(&folder.join("analysis.csv"), &mut categories);
    let chunk_rows = expected["chunk_size"].as_u64().expect("rows") as usize;
    for (loss, name) in [(Loss::MeanAbsolute, "mae"), (Loss::RootMeanSquared, "rmse")] {
        let estimator = LossEstimator::fit(loss, &reference.rows, chunk_rows).expect("a reference");
        let losses: Vec<f64> = reference.rows.iter().map(|row| loss.of(row)).collect();
        let predictor = Boosting::fit(&reference.inputs, &losses);
        let predicted = predictor.predict(&analysis.inputs);
        let wanted = expected["chunks"].as_array().expect("chunks").iter();
        let wanted = wanted.filter(|chunk| chunk["period"] == "analysis");
        let (mut gap, mut chunks) = (0.0, 0.0);
        for (index, chunk) in wanted.enumerate() {
            let range = index * chunk_rows..(index + 1) * chunk_rows;
            let estimate = estimator.estimate(&predicted[range.clone()]).expect("rows");
            let realized = estimator.realized(&analysis.rows[range]).expect("rows");
            assert_near(realized.value, &chunk[format!("{name}_realized")], 1e-12, name);
            assert_near(estimate.thresholds.lower, &chunk[format!("{name}_lower_threshold")], 1e-9, name);
            assert_near(estimate.thresholds.upper, &chunk[format!("{name}_upper_threshold")], 1e-9, name);
            assert_eq!(estimate.alert, index >= 5, "{name}: the cars change with chunk 5, at {index}");
            gap += (estimate.value - realized.value).abs();
            chunks += 1.0;
        }
        let gap = gap / chunks;
        let naive = expected["naive_gap_using_reference_value"][name].as_f64().expect("a gap");
        let nannyml = expected["nannyml_mean_abs_gap"][name].as_f64().expect("a gap");
        assert!(gap < 1.5 * nannyml && gap < naive / 3.0, "{name}: gap {gap}, NannyML's {nannyml}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The area is the chance that a positive row is ranked above a negative one, ties counting half.
    #[test]
    fn the_area_is_a_share_of_pairs(rows in prop::collection::vec((0u8..12, any::<bool>()), 2..60)) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let truth: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for (score, label) in &rows {
            for (other, other_label) in &rows {
                if *label && !*other_label {
                    pairs += 1.0;
                    won += match score.cmp(other) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
        }
        let area = area_under_roc(&scores, &truth);
        prop_assert_eq!(area.is_some(), pairs > 0.0);
        if let Some(area) = area {
            prop_assert!((area - won / pairs).abs() < 1e-12);
        }
    }

    /// Expected cells have as many rows as the window, whatever the calibration.
    #[test]
    fn no_row_is_lost(rows in prop::collection::vec((0.0f64..1.0, any::<bool>(), any::<bool>()), 40..200)) {
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let predicted: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let reference = Labelled { scores: &scores, predicted: &predicted, labels: &labels };
        let cbpe = Cbpe::fit(reference, CbpeSettings { chunk_rows: 20, value: None, seed: 1 }).unwrap();
        let cells = cbpe.expected_cells(Scored { scores: &scores, predicted: &predicted });
        prop_assert!((cells.rows() - rows.len() as f64).abs() < 1e-9);
        for estimate in cbpe.estimate(Scored { scores: &scores, predicted: &predicted }) {
            prop_assert!(estimate.value.is_finite() && estimate.lower <= estimate.value);
            prop_assert!(estimate.value <= estimate.upper);
        }
    }
}
