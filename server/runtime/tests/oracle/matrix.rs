//! What scikit-learn, XGBoost and LightGBM export, and networks in PyTorch's form, on rows they have not seen, on
//! rows with values missing and on extreme rows.

use std::collections::HashSet;

use crate::cases::{Case, Folder, faults};

#[test]
fn every_model_answers_as_onnxruntime_does() {
    let Some(folder) = Folder::of("export_matrix", &[]) else { return };
    let cases = folder.cases();
    let files: HashSet<&str> = cases.iter().map(|case| case.file.as_str()).collect();
    assert!(files.len() >= 90, "{} models", files.len());
    // Sums of hundreds of products of opposite signs, which onnxruntime takes in single precision.
    let sums = ["vectors_linear", "vectors_value_linear", "vectors_poly", "vectors_value_poly"];
    let tolerance =
        |case: &Case| if sums.iter().any(|name| case.name.starts_with(name)) { 1e-4 } else { 1e-5 };
    let faults = faults(&folder, &cases, tolerance);
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
