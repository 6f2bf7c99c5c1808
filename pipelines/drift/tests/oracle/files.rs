//! Reading the oracle, and comparing with it.

use std::{fs, path::PathBuf};

use serde_json::Value;

pub(crate) fn folder() -> Option<PathBuf> {
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

pub(crate) fn expected(folder: &std::path::Path) -> Value {
    let text = fs::read_to_string(folder.join("expected.json")).expect("the oracle is readable");
    serde_json::from_str(&text).expect("the oracle is JSON")
}

/// The two columns of a pair: reference and current.
pub(crate) fn columns_of(folder: &std::path::Path, pair: &str) -> (Vec<Option<String>>, Vec<Option<String>>) {
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

pub(crate) fn numbers(column: &[Option<String>]) -> Vec<f64> {
    column
        .iter()
        .map(|value| value.as_deref().map_or(f64::NAN, |value| value.parse().expect("a number")))
        .collect()
}

pub(crate) fn assert_close(actual: f64, expected: &Value, relative: f64, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number {expected}"));
    let tolerance = (expected.abs() * relative).max(1e-12);
    assert!((actual - expected).abs() <= tolerance, "{what}: {actual}, expected {expected}");
}

/// Relative 1e-6; below 1e-12 the logarithm within 1e-3.
pub(crate) fn assert_p(actual: f64, expected: &Value, what: &str) {
    let p = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number {expected}"));
    if p < 1e-12 {
        assert!((actual.log10() - p.log10()).abs() <= 1e-3, "{what}: {actual}, expected {p}");
    } else {
        assert_close(actual, expected, 1e-6, what);
    }
}
