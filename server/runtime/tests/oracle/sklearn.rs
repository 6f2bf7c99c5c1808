//! Models of scikit-learn, XGBoost and LightGBM, and hand-made ones for every convention of the tree
//! operators, on rows they have learned from.

use crate::cases::{Folder, faults};

#[test]
fn answers_as_onnxruntime_does() {
    let Some(folder) = Folder::of("export_models", &[]) else { return };
    let cases = folder.cases();
    assert!(cases.len() > 100);
    // The inverse error function is approximated by a difference of nearly equal numbers around one half.
    let faults = faults(&folder, &cases, |case| if case.name.contains("PROBIT") { 2e-4 } else { 1e-5 });
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
