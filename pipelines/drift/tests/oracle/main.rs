//! The tests and distances against values computed by SciPy, Evidently and NannyML.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod categorical;
mod census;
mod checker;
mod files;
mod numeric;
mod sketches;

use chasqui_drift::{benjamini_hochberg, benjamini_yekutieli, holm};

use files::{assert_close, expected, folder};

#[test]
fn adjusted_p_values() {
    let Some(folder) = folder() else { return };
    let expected = &expected(&folder)["multiple_testing"];
    let p_values: Vec<f64> = expected["p"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    for (key, adjusted) in [
        ("holm", holm(&p_values)),
        ("bh_adjusted", benjamini_hochberg(&p_values)),
        ("by_adjusted", benjamini_yekutieli(&p_values)),
    ] {
        let expected = expected[key].as_array().unwrap();
        assert_eq!(adjusted.len(), expected.len());
        for (actual, expected) in adjusted.iter().zip(expected) {
            assert_close(*actual, expected, 1e-9, key);
        }
    }
}
