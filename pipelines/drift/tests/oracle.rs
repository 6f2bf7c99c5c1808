//! The tests and distances against values computed by scipy, Evidently and NannyML.

use std::{fs, path::PathBuf};

use chasqui_drift::{Reference, Sketch, benjamini_hochberg, columns};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle/drift");
    if folder.is_dir() {
        return Some(folder);
    }
    skip(&folder);
    None
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skip(folder: &std::path::Path) {
    println!("skipped: {} is not there", folder.display());
}

fn expected(folder: &std::path::Path) -> Value {
    let text = fs::read_to_string(folder.join("expected.json")).expect("the oracle is readable");
    serde_json::from_str(&text).expect("the oracle is JSON")
}

/// The two columns of a pair: reference and current.
fn columns_of(folder: &std::path::Path, pair: &str) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let mut reader =
        csv::Reader::from_path(folder.join(format!("{pair}.csv"))).expect("the pair is readable");
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.expect("the pair is CSV");
        let value = Some(record[1].to_owned()).filter(|value| !value.is_empty());
        if &record[0] == "ref" { before.push(value) } else { after.push(value) }
    }
    (before, after)
}

fn numbers(column: &[Option<String>]) -> Vec<f64> {
    column
        .iter()
        .map(|value| value.as_deref().map_or(f64::NAN, |value| value.parse().expect("a number")))
        .collect()
}

fn sketched(reference: &Reference, column: &[Option<String>]) -> Sketch {
    let mut sketch = Sketch::new(reference);
    for value in column {
        match value {
            Some(value) => sketch.add_text(reference, value),
            None => sketch.add_missing(),
        }
    }
    sketch
}

fn assert_close(actual: f64, expected: &Value, relative: f64, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number {expected}"));
    let tolerance = (expected.abs() * relative).max(1e-12);
    assert!((actual - expected).abs() <= tolerance, "{what}: {actual}, expected {expected}");
}

/// Relative 1e-6; below 1e-12 the logarithm within 1e-3.
fn assert_p(actual: f64, expected: &Value, what: &str) {
    let p = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number {expected}"));
    if p < 1e-12 {
        assert!((actual.log10() - p.log10()).abs() <= 1e-3, "{what}: {actual}, expected {p}");
    } else {
        assert_close(actual, expected, 1e-6, what);
    }
}

#[test]
fn numeric_pairs() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    for (pair, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] != "numeric" {
            continue;
        }
        let (before, after) = columns_of(&folder, pair);
        let (reference, current) = (numbers(&before), numbers(&after));
        let result = columns::ks(&reference, &current).unwrap();
        assert_close(result.statistic, &expected["ks"]["auto"]["statistic"], 1e-9, pair);
        assert_p(result.p_value, &expected["ks"]["auto"]["p"], &format!("{pair} ks auto"));
        let wasserstein = columns::wasserstein(&reference, &current).unwrap();
        assert_close(
            wasserstein,
            &expected["wasserstein"]["evidently_normed"],
            1e-9,
            &format!("{pair} wasserstein"),
        );
        let psi = columns::psi(&reference, &current).unwrap();
        assert_close(psi, &expected["decile_bins"]["psi"], 1e-9, &format!("{pair} psi"));
    }
}

#[test]
fn numeric_sketches() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    for (pair, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] != "numeric" {
            continue;
        }
        let (before, after) = columns_of(&folder, pair);
        let reference = Reference::of_numbers(&numbers(&before));
        let sketch = sketched(&reference, &after);
        let deciles = &expected["decile_bins"];
        assert_close(chasqui_drift::psi(&reference, &sketch).unwrap(), &deciles["psi"], 1e-9, pair);
        let jensen_shannon = chasqui_drift::jensen_shannon(&reference, &sketch).unwrap();
        assert_close(jensen_shannon, &deciles["js_distance_base2_no_floor"], 1e-9, &format!("{pair} js"));
        // A constant column has one decile bin: not applicable.
        if let Some(result) = chasqui_drift::chi_squared(&reference, &sketch).filter(|_| pair != "tiny_n20") {
            assert_close(
                result.statistic,
                &deciles["chi2_contingency"]["chi2"],
                1e-9,
                &format!("{pair} chi2"),
            );
            assert_p(result.p_value, &deciles["chi2_contingency"]["p"], &format!("{pair} chi2"));
        }
        let wasserstein = chasqui_drift::wasserstein(&reference, &sketch).unwrap();
        let exact = expected["wasserstein"]["evidently_normed"].as_f64().unwrap();
        // A lower bound; a cell of twenty rows is wider than one of hundreds.
        let tolerance = if pair == "tiny_n20" { 0.01 } else { 0.002 };
        assert!(
            (-1e-9..=tolerance).contains(&(exact - wasserstein)),
            "{pair}: {wasserstein}, expected {exact}"
        );
        let ks = chasqui_drift::ks(&reference, &sketch).unwrap();
        let exact = expected["ks"]["auto"]["statistic"].as_f64().unwrap();
        assert!(
            (0.0..=1.0 / 64.0).contains(&(exact - ks.statistic + 1e-12)),
            "{pair}: {ks:?}, expected {exact}"
        );
        let at_exact = (ks.statistic - exact).abs() < 1e-12 && reference.rows() * sketch.count() > 20_000;
        if at_exact {
            assert_p(ks.p_value, &expected["ks"]["asymp"]["p"], &format!("{pair} ks asymptotic"));
        }
    }
}

#[test]
fn categorical_pairs() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    for (pair, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] != "categorical" {
            continue;
        }
        let (before, after) = columns_of(&folder, pair);
        let reference = Reference::of_texts(before.iter().map(Option::as_deref));
        let sketch = sketched(&reference, &after);
        let chi = chasqui_drift::chi_squared(&reference, &sketch).unwrap();
        assert_close(chi.statistic, &expected["chi2_contingency"]["no_correction"]["statistic"], 1e-9, pair);
        assert_p(chi.p_value, &expected["chi2_contingency"]["no_correction"]["p"], pair);
        let by_columns =
            columns::chi_squared(before.iter().map(Option::as_deref), after.iter().map(Option::as_deref))
                .unwrap();
        assert_eq!(by_columns, chi);
        for (actual, key) in [
            (chasqui_drift::psi(&reference, &sketch), "psi"),
            (chasqui_drift::jensen_shannon(&reference, &sketch), "js_distance_base2"),
            (chasqui_drift::hellinger(&reference, &sketch), "hellinger"),
            (chasqui_drift::total_variation(&reference, &sketch), "tvd"),
        ] {
            assert_close(actual.unwrap(), &expected[key], 1e-9, &format!("{pair} {key}"));
        }
    }
}

#[test]
fn adjusted_p_values() {
    let Some(folder) = folder() else { return };
    let expected = &expected(&folder)["multiple_testing"];
    let p_values: Vec<f64> = expected["p"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    for (actual, expected) in
        benjamini_hochberg(&p_values).iter().zip(expected["bh_adjusted"].as_array().unwrap())
    {
        assert_close(*actual, expected, 1e-9, "Benjamini–Hochberg");
    }
}
