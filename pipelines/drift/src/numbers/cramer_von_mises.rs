//! The two-sample Cramér–von Mises test (Anderson 1962).

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use super::{NumberPair, result};
use crate::{NotApplicable, TestResult};

/// Up to this many rows on the larger side the distribution is counted.
const EXACT_ROWS: usize = 20;

/// The statistic U of Anderson (1962, equation 10) and what follows from it.
struct Scaled {
    u: f64,
    n: f64,
    m: f64,
}

impl Scaled {
    /// T, equation 9.
    fn statistic(&self) -> f64 {
        let (area, size) = (self.n * self.m, self.n + self.m);
        self.u / (area * size) - (4.0 * area - 1.0) / (6.0 * size)
    }

    /// The limiting distribution at T, scaled to its mean and variance (Anderson & Darling 1952, equation 4.35).
    fn asymptotic_p(&self) -> f64 {
        let (area, size) = (self.n * self.m, self.n + self.m);
        let mean = (1.0 + 1.0 / size) / 6.0;
        let variance = (size + 1.0)
            * (4.0 * area * size - 3.0 * (self.n * self.n + self.m * self.m) - 2.0 * area)
            / (45.0 * size * size * 4.0 * area);
        let scaled = 1.0 / 6.0 + (self.statistic() - mean) / (45.0 * variance).sqrt();
        if scaled < 0.003 { 1.0 } else { (1.0 - limiting_cdf(scaled)).clamp(0.0, 1.0) }
    }
}

impl NumberPair {
    /// Cramér–von Mises test; exact up to 20 rows a side, else by the limiting distribution.
    pub fn cramer_von_mises(&self) -> Result<TestResult, NotApplicable> {
        let scaled = self.cramer_von_mises_u()?;
        let exact = self.before.len().max(self.after.len()) <= EXACT_ROWS;
        let p_value = if exact { self.counted_p(scaled.u) } else { scaled.asymptotic_p() };
        result(scaled.statistic(), p_value)
    }

    /// Cramér–von Mises test by the limiting distribution whatever the size.
    pub fn asymptotic_cramer_von_mises(&self) -> Result<TestResult, NotApplicable> {
        let scaled = self.cramer_von_mises_u()?;
        result(scaled.statistic(), scaled.asymptotic_p())
    }

    fn cramer_von_mises_u(&self) -> Result<Scaled, NotApplicable> {
        let (n, m) = self.varied(2)?;
        let squares = |rank: f64, below: f64, count: f64| {
            (1..=count as u64).map(|i| (rank - below - i as f64).powi(2)).sum::<f64>()
        };
        let (mut before, mut after) = (0.0, 0.0);
        for step in self.steps.iter() {
            before += squares(step.midrank(), step.below_before, step.before);
            after += squares(step.midrank(), step.below_after, step.after);
        }
        Ok(Scaled { u: n * before + m * after, n, m })
    }

    /// P(U ≥ u) over all orders of the pooled sample (Xiao, Gordon & Yakovlev 2007): ζ = Σ (a·i − b·j)² along a
    /// lattice path. Sums that reach ζ stay above it, so only the smaller ones are told apart.
    fn counted_p(&self, u: f64) -> f64 {
        let (n, m) = (self.before.len() as i64, self.after.len() as i64);
        let common = n * m / gcd(n, m);
        let (a, b) = (common / n, common / m);
        let area = n * m;
        // Midranks make U a multiple of ¼.
        let excess = (4.0 * u).round() as i128 * 6 - i128::from(4 * area * (4 * area - 1));
        let zeta = (i128::from(common * common * (n + m)) * excess).div_euclid(i128::from(24 * area * area));
        // reach[i]: path sums below ζ on the way to (i, j) with their counts, and the count of the others.
        let mut reach: Vec<Paths> = vec![Paths::default(); n as usize + 1];
        for j in 0..=m {
            for i in 0..=n {
                let here = i as usize;
                let mut paths = if i == 0 && j == 0 {
                    Paths { sums: vec![(0, 1.0)], beyond: 0.0 }
                } else {
                    let beside = if i > 0 { reach[here - 1].clone() } else { Paths::default() };
                    let below = if j > 0 { std::mem::take(&mut reach[here]) } else { Paths::default() };
                    beside.join(below)
                };
                paths.add(i128::from((a * i - b * j).pow(2)), zeta);
                reach[here] = paths;
            }
        }
        let last = &reach[n as usize];
        let below: f64 = last.sums.iter().map(|(_, count)| count).sum();
        last.beyond / (last.beyond + below)
    }
}

/// Lattice paths by the sum they have collected.
#[derive(Clone, Debug, Default)]
struct Paths {
    sums: Vec<(i128, f64)>,
    beyond: f64,
}

impl Paths {
    fn join(self, other: Self) -> Self {
        let mut sums = Vec::with_capacity(self.sums.len() + other.sums.len());
        let (mut left, mut right) = (self.sums.into_iter().peekable(), other.sums.into_iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some((a, p)), Some((b, q))) if a == b => {
                    let sum = (*a, p + q);
                    left.next();
                    right.next();
                    Some(sum)
                }
                (Some((a, _)), Some((b, _))) => {
                    if a < b {
                        left.next()
                    } else {
                        right.next()
                    }
                }
                (Some(_), None) => left.next(),
                (None, _) => right.next(),
            };
            let Some(next) = next else { break };
            sums.push(next);
        }
        Self { sums, beyond: self.beyond + other.beyond }
    }

    fn add(&mut self, step: i128, zeta: i128) {
        for (sum, _) in &mut self.sums {
            *sum += step;
        }
        let reached = self.sums.partition_point(|(sum, _)| *sum < zeta);
        self.beyond += self.sums.drain(reached..).map(|(_, count)| count).sum::<f64>();
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// P(W² ≤ x), the series of Anderson & Darling (1952, equation 4.35) in Bessel functions of the second kind.
fn limiting_cdf(x: f64) -> f64 {
    let mut sum = 0.0;
    for k in 0..1000 {
        let y = f64::from(4 * k + 1);
        let q = y * y / (16.0 * x);
        let ratio = (ln_gamma(f64::from(k) + 0.5) - ln_gamma(f64::from(k) + 1.0)).exp();
        let term = ratio / (PI.powf(1.5) * x.sqrt()) * y.sqrt() * scaled_bessel_k(0.25, q);
        sum += term;
        if term < 1e-18 {
            break;
        }
    }
    sum
}

/// exp(−q) K_ν(q) by the trapezoidal rule on ∫ exp(−q cosh t) cosh(νt) dt, which converges exponentially
/// (Trefethen & Weideman 2014).
fn scaled_bessel_k(order: f64, q: f64) -> f64 {
    const WIDTH: f64 = 1.0 / 32.0;
    let mut sum = (-2.0 * q).exp() / 2.0;
    for step in 1..10_000 {
        let t = f64::from(step) * WIDTH;
        let term = (-q * (1.0 + t.cosh())).exp() * (order * t).cosh();
        sum += term;
        if term <= sum * 1e-18 {
            break;
        }
    }
    sum * WIDTH
}

#[cfg(test)]
mod tests {
    use super::limiting_cdf;

    #[test]
    fn the_limiting_distribution_has_its_tabulated_quantiles() {
        // Anderson & Darling 1952, Table 1.
        for (chance, x) in [(0.5, 0.11888), (0.9, 0.34730), (0.95, 0.46136), (0.99, 0.74346)] {
            assert!((limiting_cdf(x) - chance).abs() < 2e-5, "{x}: {}", limiting_cdf(x));
        }
    }
}
