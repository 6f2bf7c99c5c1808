//! The same tests on whole columns: for files compared once, without a profile. NaN and infinities take no part.

use crate::{NumberPair, Reference, Sketch, TestResult};

/// Two-sample Kolmogorov–Smirnov test, two-sided; the p-value is exact for small samples. `None` when either side
/// has no finite value.
pub fn ks(reference: &[f64], current: &[f64]) -> Option<TestResult> {
    let result = NumberPair::of(reference, current).kolmogorov_smirnov().ok()?;
    Some(TestResult { statistic: result.distance, p_value: result.p_value })
}

/// Wasserstein distance ∫|F − G| in standard deviations (n) of the reference. `None` when either side has no finite
/// value, or when the reference is constant and the other side is not the same constant.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    NumberPair::of(reference, current).normed_wasserstein().ok()
}

/// Population stability index over the reference's deciles.
pub fn psi(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (before, after) = numbers(reference, current);
    crate::psi(&before, &after)
}

/// Chi-squared test of homogeneity over categories; `None` is a missing value.
pub fn chi_squared<'a>(
    reference: impl Iterator<Item = Option<&'a str>>,
    current: impl Iterator<Item = Option<&'a str>>,
) -> Option<TestResult> {
    let before = Reference::of_texts(reference);
    let mut after = Sketch::new(&before);
    for value in current {
        match value {
            Some(value) => after.add_text(&before, value),
            None => after.add_missing(),
        }
    }
    crate::chi_squared(&before, &after)
}

fn numbers(reference: &[f64], current: &[f64]) -> (Reference, Sketch) {
    let before = Reference::of_numbers(reference);
    let mut after = Sketch::new(&before);
    for value in current {
        after.add_number(&before, *value);
    }
    (before, after)
}
