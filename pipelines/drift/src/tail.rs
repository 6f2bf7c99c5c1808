//! Tail probabilities of the distributions that test statistics follow.

use statrs::function::{beta::checked_beta_reg, gamma::checked_gamma_ur};

/// P(Z ≥ z) of the standard normal distribution.
pub(crate) fn normal(z: f64) -> f64 {
    let half = normal_two_sided(z) / 2.0;
    if z >= 0.0 { half } else { 1.0 - half }
}

/// P(|Z| ≥ |z|), as the chi-squared distribution of z²: the library's error function has ten digits only.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    chi_squared(z * z, 1.0)
}

/// P(|T| ≥ |t|) of Student's distribution.
pub(crate) fn student_two_sided(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    checked_beta_reg(freedom / 2.0, 0.5, x).map_or(1.0, |p| p.clamp(0.0, 1.0))
}

/// P(F ≥ f) of Fisher's distribution.
pub(crate) fn fisher(f: f64, numerator: f64, denominator: f64) -> f64 {
    let x = denominator / (denominator + numerator * f);
    checked_beta_reg(denominator / 2.0, numerator / 2.0, x).map_or(1.0, |p| p.clamp(0.0, 1.0))
}

/// P(χ² ≥ statistic).
pub(crate) fn chi_squared(statistic: f64, freedom: f64) -> f64 {
    checked_gamma_ur(freedom / 2.0, statistic / 2.0).map_or(1.0, |p| p.clamp(0.0, 1.0))
}

/// The value that a χ² variable exceeds with this chance (0 < `chance` < 1), by bisection.
pub(crate) fn chi_squared_quantile(chance: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0 * freedom + 100.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if chi_squared(middle, freedom) > chance {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_quantiles() {
        // Tables of the normal, Student's, Fisher's and the chi-squared distribution at 5 % and 1 %.
        assert!((normal(1.959_963_984_540_054) - 0.025).abs() < 1e-12);
        assert!((student_two_sided(2.228_138_851_964_939, 10.0) - 0.05).abs() < 1e-9);
        assert!((fisher(4.964_602_743_730_711, 1.0, 10.0) - 0.05).abs() < 1e-9);
        assert!((chi_squared(3.841_458_820_694_124, 1.0) - 0.05).abs() < 1e-9);
        assert!((chi_squared_quantile(0.01, 9.0) - 21.665_994_333_461_93).abs() < 1e-6);
    }
}
