//! The same tests on whole columns: for files compared once, without a profile. NaN and infinities take no part.

use crate::{Reference, Sketch, TestResult, kolmogorov};

/// Up to this many rows a side the exact p-value is computed.
const EXACT_ROWS: usize = 10_000;
/// And up to this many steps.
const EXACT_STEPS: usize = 25_000_000;

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_unstable_by(|a, b| (a + 0.0).total_cmp(&(b + 0.0)));
    finite
}

/// Two-sample Kolmogorov–Smirnov test, two-sided; the p-value is exact up to 10,000 rows. `None` when either side
/// has no finite value.
pub fn ks(reference: &[f64], current: &[f64]) -> Option<TestResult> {
    let (before, after) = (sorted(reference), sorted(current));
    let (n, m) = (before.len(), after.len());
    if n == 0 || m == 0 {
        return None;
    }
    let (mut i, mut j, mut steps) = (0, 0, 0u128);
    while i < n && j < m {
        let value = before[i].min(after[j]);
        i += before[i..].iter().take_while(|other| **other <= value).count();
        j += after[j..].iter().take_while(|other| **other <= value).count();
        steps = steps.max((i as u128 * m as u128).abs_diff(j as u128 * n as u128));
    }
    let statistic = steps as f64 / (n as f64 * m as f64);
    let exact = n.max(m) <= EXACT_ROWS && n * m <= EXACT_STEPS;
    let p_value = if exact {
        kolmogorov::exact_two_sample_p(n as u64, m as u64, steps)
    } else {
        kolmogorov::asymptotic_two_sample_p(n as u64, m as u64, statistic)
    };
    Some(TestResult { statistic, p_value })
}

/// Wasserstein distance ∫|F − G| in standard deviations (n) of the reference. `None` when either side has no finite
/// value, or when the reference is constant and the other side is not the same constant.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (before, after) = (sorted(reference), sorted(current));
    let (n, m) = (before.len() as f64, after.len() as f64);
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let mut all: Vec<f64> = before.iter().chain(&after).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let (mut i, mut j, mut distance) = (0, 0, 0.0);
    for pair in all.windows(2) {
        i += before[i..].iter().take_while(|value| **value <= pair[0]).count();
        j += after[j..].iter().take_while(|value| **value <= pair[0]).count();
        distance += (i as f64 / n - j as f64 / m).abs() * (pair[1] - pair[0]);
    }
    let mean = before.iter().sum::<f64>() / n;
    let deviation = (before.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    if before[0] == before[before.len() - 1] {
        return (distance == 0.0).then_some(0.0);
    }
    Some(distance / deviation).filter(|normed| normed.is_finite())
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
