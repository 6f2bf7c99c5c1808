//! Tests of means and spreads: Student, Welch, Levene.

use super::{NumberPair, result};
use crate::{NotApplicable, TestResult, not_applicable::finite, sample::Sample, tail};

/// A t-test's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentResult {
    /// t, negative when the current mean is larger.
    pub statistic: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// Degrees of freedom.
    pub freedom: f64,
}

impl NumberPair {
    /// Student's t-test with pooled variance, two-sided.
    pub fn student(&self) -> Result<StudentResult, NotApplicable> {
        let (n, m) = self.varied(2)?;
        let freedom = n + m - 2.0;
        let pooled = ((n - 1.0) * self.before.variance() + (m - 1.0) * self.after.variance()) / freedom;
        self.t((pooled * (1.0 / n + 1.0 / m)).sqrt(), freedom)
    }

    /// Welch's t-test with unequal variances, two-sided (Welch 1947).
    pub fn welch(&self) -> Result<StudentResult, NotApplicable> {
        let (n, m) = self.varied(2)?;
        let (a, b) = (self.before.variance() / n, self.after.variance() / m);
        let freedom = (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0));
        self.t((a + b).sqrt(), freedom)
    }

    fn t(&self, error: f64, freedom: f64) -> Result<StudentResult, NotApplicable> {
        if self.before.is_constant() && self.after.is_constant() {
            // Two constants: the difference is certain, but t is infinite.
            return Err(NotApplicable::Constant);
        }
        let statistic = finite((self.before.mean - self.after.mean) / finite(error)?)?;
        let p_value = tail::student_two_sided(statistic, finite(freedom)?);
        Ok(StudentResult { statistic, p_value, freedom })
    }

    /// Levene's test of equal spread around the medians (Brown & Forsythe 1974).
    pub fn levene(&self) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.varied(2)?;
        let (before, after) = (Spread::of(&self.before), Spread::of(&self.after));
        let mean = (n * before.mean + m * after.mean) / (n + m);
        let between = n * (before.mean - mean).powi(2) + m * (after.mean - mean).powi(2);
        let within = before.m2 + after.m2;
        if within == 0.0 {
            return Err(NotApplicable::NoSpread);
        }
        let statistic = finite((n + m - 2.0) * between / within)?;
        result(statistic, tail::fisher(statistic, 1.0, n + m - 2.0))
    }
}

/// Absolute deviations from the median.
struct Spread {
    mean: f64,
    m2: f64,
}

impl Spread {
    fn of(sample: &Sample) -> Self {
        let median = sample.quantile(0.5);
        let deviations = || sample.sorted.iter().map(|value| (value - median).abs());
        let mean = deviations().sum::<f64>() / sample.len() as f64;
        Self { mean, m2: deviations().map(|deviation| (deviation - mean).powi(2)).sum() }
    }
}
