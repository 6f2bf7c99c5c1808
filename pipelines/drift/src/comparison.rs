//! Distances and tests between a reference and a sketch.

use serde::{Deserialize, Serialize};

use crate::{Reference, Sketch};

/// A test's statistic and p-value, both finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The statistic.
    pub statistic: f64,
    /// The chance of a statistic at least as large when nothing changed.
    pub p_value: f64,
}

/// x
pub fn psi(_reference: &Reference, _sketch: &Sketch) -> Option<f64> {
    None
}
/// x
pub fn jensen_shannon(_reference: &Reference, _sketch: &Sketch) -> Option<f64> {
    None
}
/// x
pub fn hellinger(_reference: &Reference, _sketch: &Sketch) -> Option<f64> {
    None
}
/// x
pub fn total_variation(_reference: &Reference, _sketch: &Sketch) -> Option<f64> {
    None
}
/// x
pub fn wasserstein(_reference: &Reference, _sketch: &Sketch) -> Option<f64> {
    None
}
/// x
pub fn ks(_reference: &Reference, _sketch: &Sketch) -> Option<TestResult> {
    None
}
/// x
pub fn chi_squared(_reference: &Reference, _sketch: &Sketch) -> Option<TestResult> {
    None
}
