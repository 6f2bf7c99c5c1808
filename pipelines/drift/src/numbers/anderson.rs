//! The k-sample Anderson–Darling test (Scholz & Stephens 1987) for two samples.

use super::{NumberPair, result};
use crate::{NotApplicable, TestResult, not_applicable::finite};

/// Logarithms are interpolated between these levels of significance; beyond them the p-value stops.
const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
/// The smallest p-value.
pub(crate) const SMALLEST_P: f64 = LEVELS[LEVELS.len() - 1];
/// Critical values of the standardised statistic for two samples: the sum of the coefficients of Table 2.
const CRITICAL: [f64; 7] = [
    0.675 - 0.245 - 0.105,
    1.281 + 0.25 - 0.305,
    1.645 + 0.678 - 0.362,
    1.96 + 1.149 - 0.391,
    2.326 + 1.822 - 0.396,
    2.573 + 2.364 - 0.345,
    3.085 + 3.615 - 0.154,
];

impl NumberPair {
    /// Anderson–Darling test with midranks for ties (equation 7). The statistic is standardised; the p-value is
    /// interpolated between 0.001 and 0.25 and stops there.
    pub fn anderson_darling(&self) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.varied(1)?;
        let size = n + m;
        let mut statistic = 0.0;
        for step in self.steps.iter() {
            let ties = step.ties();
            let middle = step.below_before + step.below_after + ties / 2.0;
            let weight = ties / size / (middle * (size - middle) - size * ties / 4.0);
            let before = size * (step.below_before + step.before / 2.0) - middle * n;
            let after = size * (step.below_after + step.after / 2.0) - middle * m;
            statistic += weight * (before * before / n + after * after / m);
        }
        self.standardised(statistic * (size - 1.0) / size)
    }

    /// The same without midranks (equation 6): the distribution functions are continuous from the right.
    pub fn anderson_darling_right(&self) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.varied(1)?;
        let size = n + m;
        let mut statistic = 0.0;
        for step in self.steps.iter().take(self.steps.len() - 1) {
            let (before, after) = (step.below_before + step.before, step.below_after + step.after);
            let through = before + after;
            let weight = step.ties() / size / (through * (size - through));
            statistic += weight
                * ((size * before - through * n).powi(2) / n + (size * after - through * m).powi(2) / m);
        }
        self.standardised(statistic)
    }

    /// Equations 4 and 5 for k = 2.
    fn standardised(&self, statistic: f64) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.sizes()?;
        let (size, rows) = (n + m, self.before.len() + self.after.len());
        if rows < 4 {
            return Err(NotApplicable::TooFewRows(2));
        }
        let inverses = 1.0 / n + 1.0 / m;
        let (mut harmonic, mut g) = (0.0, 0.0);
        for i in 1..rows - 1 {
            harmonic += 1.0 / (rows - i) as f64;
            g += harmonic / (i + 1) as f64;
        }
        let h = harmonic + 1.0;
        let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * inverses;
        let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverses - 8.0 * h + 4.0 * g
            - 6.0;
        let c = (6.0 * h + 2.0 * g - 2.0) * 4.0
            + (4.0 * h - 4.0 * g + 6.0) * 2.0
            + (2.0 * h - 6.0) * inverses
            + 4.0 * h;
        let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
        let variance = (a * size.powi(3) + b * size.powi(2) + c * size + d)
            / ((size - 1.0) * (size - 2.0) * (size - 3.0));
        let standardised = finite((statistic - 1.0) / variance.sqrt())?;
        result(standardised, p_value(standardised))
    }
}

/// The p-value of a standardised statistic: the least-squares parabola through the logarithms of the levels.
fn p_value(statistic: f64) -> f64 {
    if statistic < CRITICAL[0] {
        return LEVELS[0];
    }
    if statistic > CRITICAL[6] {
        return LEVELS[6];
    }
    let [constant, slope, curve] = parabola(&CRITICAL, &LEVELS.map(f64::ln));
    (constant + statistic * (slope + statistic * curve)).exp()
}

/// Coefficients of the least-squares parabola, lowest power first.
fn parabola(x: &[f64; 7], y: &[f64; 7]) -> [f64; 3] {
    let power = |k: i32| x.iter().map(|x| x.powi(k)).sum::<f64>();
    let moment = |k: i32| x.iter().zip(y).map(|(x, y)| x.powi(k) * y).sum::<f64>();
    let mut rows: [[f64; 4]; 3] = std::array::from_fn(|row| {
        let k = row as i32;
        [power(k), power(k + 1), power(k + 2), moment(k)]
    });
    for pivot in 0..3 {
        for other in 0..3 {
            if other != pivot {
                let factor = rows[other][pivot] / rows[pivot][pivot];
                let from = rows[pivot];
                rows[other].iter_mut().zip(from).for_each(|(entry, above)| *entry -= factor * above);
            }
        }
    }
    std::array::from_fn(|row| rows[row][3] / rows[row][row])
}
