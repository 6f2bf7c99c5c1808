//! Reconstruction errors on the census data against NannyML.

use std::{fs, path::PathBuf};

use chasqui_drift::{Matrix, Reconstruction, frequencies};
use serde_json::Value;

use crate::files::{assert_close, folder};

struct Columns {
    age: Vec<f64>,
    categories: [Vec<Option<String>>; 3],
}

fn columns(path: &std::path::Path) -> Columns {
    let mut reader = csv::Reader::from_path(path).expect("the census is readable");
    let mut columns = Columns { age: Vec::new(), categories: [Vec::new(), Vec::new(), Vec::new()] };
    for record in reader.records() {
        let record = record.expect("the census is CSV");
        columns.age.push(record[0].parse().expect("an age"));
        for (column, values) in columns.categories.iter_mut().enumerate() {
            values.push(Some(record[column + 1].to_owned()).filter(|value| !value.is_empty()));
        }
    }
    columns
}

/// The age and the frequency that each category has in the reference.
fn encoded(reference: &Columns, columns: &Columns) -> Matrix {
    let mut encoded = vec![columns.age.clone()];
    for (before, after) in reference.categories.iter().zip(&columns.categories) {
        let before: Vec<Option<&str>> = before.iter().map(Option::as_deref).collect();
        let after: Vec<Option<&str>> = after.iter().map(Option::as_deref).collect();
        encoded.push(frequencies(&before, &after));
    }
    let slices: Vec<&[f64]> = encoded.iter().map(Vec::as_slice).collect();
    Matrix::filled(&slices, &[0.0; 4]).unwrap()
}

#[test]
fn reconstruction_errors() {
    let Some(folder) = folder() else { return };
    let folder: PathBuf = folder.join("../performance-estimation/us_census");
    let text = fs::read_to_string(folder.join("expected.json")).expect("the oracle is readable");
    let expected: Value = serde_json::from_str(&text).expect("the oracle is JSON");
    let expected = &expected["pca_reconstruction"];
    let (before, after) = (columns(&folder.join("reference.csv")), columns(&folder.join("analysis.csv")));
    let tables = [("reference", encoded(&before, &before)), ("analysis", encoded(&before, &after))];
    let reconstruction = Reconstruction::of(&tables[0].1, 0.65).unwrap();
    assert_eq!(reconstruction.components(), expected["n_components_kept"]);
    let mut errors = Vec::new();
    for chunk in expected["chunks"].as_array().unwrap() {
        let (_, table) = tables.iter().find(|(name, _)| chunk["chunk/period"] == *name).unwrap();
        let position = |key: &str| chunk[key].as_u64().unwrap() as usize;
        let (from, to) = (position("chunk/start_index"), position("chunk/end_index") + 1);
        let rows = Matrix::of_rows(4, table.rows().skip(from).take(to - from)).unwrap();
        let error = reconstruction.error(&rows).unwrap();
        assert_close(error.mean, &chunk["reconstruction_error/value"], 1e-6, "reconstruction error");
        let sampling = error.sampling_error.unwrap();
        assert_close(sampling, &chunk["reconstruction_error/sampling_error"], 1e-6, "sampling error");
        if chunk["chunk/period"] == "reference" {
            errors.push(error.mean);
        }
    }
    let limits = Reconstruction::limits(&errors).unwrap();
    let any = &expected["chunks"][20];
    assert_close(limits.upper, &any["reconstruction_error/upper_threshold"], 1e-6, "upper threshold");
    assert_close(limits.lower, &any["reconstruction_error/lower_threshold"], 1e-6, "lower threshold");
}
