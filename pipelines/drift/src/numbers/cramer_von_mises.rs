//! The two-sample Cramér–von Mises test (Anderson 1962), and its form for tied values.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use super::{NumberPair, result};
use crate::{NotApplicable, TestResult};

/// Up to this many rows on the larger side the distribution is counted, when no value is tied.
const EXACT_ROWS: usize = 20;
/// Below so many distinct values the distribution is not near its limit: it is permuted.
const FEW_VALUES: usize = 6;

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
        limiting_p(self.statistic(), mean, variance)
    }
}

/// P(T ≥ `statistic`) by the limiting distribution, which has the mean 1/6 and the variance 1/45, moved and stretched to
/// this mean and variance.
fn limiting_p(statistic: f64, mean: f64, variance: f64) -> f64 {
    let scaled = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
    if scaled < 0.003 { 1.0 } else { (1.0 - limiting_cdf(scaled)).clamp(0.0, 1.0) }
}

/// Σ tⱼ (Fⱼ − Gⱼ)² when one side has `counts` of the `totals` rows on each value, values ascending.
fn squared_heights(counts: &[u32], totals: &[u64]) -> f64 {
    let size: f64 = totals.iter().map(|total| *total as f64).sum();
    let drawn: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let (mut of_drawn, mut of_all, mut sum) = (0.0, 0.0, 0.0);
    for (count, total) in counts.iter().zip(totals) {
        of_drawn += f64::from(*count);
        of_all += *total as f64;
        let apart = of_drawn / drawn - (of_all - of_drawn) / (size - drawn);
        sum += *total as f64 * apart * apart;
    }
    sum
}

impl NumberPair {
    /// Cramér–von Mises test. Where values are tied T = (nm/N²) Σ tⱼ (Fⱼ − Gⱼ)² over the distinct values, tⱼ rows on
    /// each, by the limiting distribution scaled to its own mean and variance, or by permutation (drawn by `seed`) below
    /// 6 distinct values; else [`untied_cramer_von_mises`](Self::untied_cramer_von_mises).
    pub fn cramer_von_mises(&self, seed: u64) -> Result<TestResult, NotApplicable> {
        let (n, m) = self.varied(2)?;
        if self.steps.len() == self.before.len() + self.after.len() {
            return self.untied_cramer_von_mises();
        }
        let size = n + m;
        let squares: f64 = self
            .steps
            .iter()
            .map(|step| {
                let apart = (step.below_before + step.before) / n - (step.below_after + step.after) / m;
                step.ties() * apart * apart
            })
            .sum();
        let statistic = n * m / (size * size) * squares;
        if self.steps.len() < FEW_VALUES {
            return result(statistic, self.by_value()?.permuted_p(seed, squared_heights)?);
        }
        let (mean, variance) = self.tied_moments(size);
        result(statistic, limiting_p(statistic, mean, variance))
    }

    /// The smallest p-value that [`cramer_von_mises`](Self::cramer_von_mises) can give where it permutes.
    pub(crate) fn smallest_cramer_von_mises_p(&self) -> Option<f64> {
        let permutes =
            self.steps.len() < FEW_VALUES && self.steps.len() < self.before.len() + self.after.len();
        permutes.then(|| self.by_value().ok()).flatten().map(|table| table.smallest_permuted_p())
    }

    /// The mean Σ tⱼ uⱼ (1 − uⱼ) / (N − 1) of T under permutations of the rows, u being the pooled distribution function,
    /// and the variance 2 ΣΣ wᵢ wⱼ (min(uᵢ, uⱼ) − uᵢ uⱼ)² with w = t / N of the weighted sum of χ² that it tends to.
    fn tied_moments(&self, size: f64) -> (f64, f64) {
        let (mut mean, mut square, mut below) = (0.0, 0.0, 0.0);
        for step in self.steps.iter() {
            let weight = step.ties() / size;
            let u = (step.below_before + step.below_after + step.ties()) / size;
            mean += weight * size * u * (1.0 - u) / (size - 1.0);
            // Of the pairs with a smaller value, and of the value with itself.
            square += weight * (1.0 - u).powi(2) * (2.0 * below + weight * u * u);
            below += weight * u * u;
        }
        (mean, 2.0 * square)
    }

    /// The same with midranks in the formulas for values that all differ: exact up to 20 rows a side, else by the limiting
    /// distribution. This is SciPy's answer for any values; where many are tied it is not right.
    pub fn untied_cramer_von_mises(&self) -> Result<TestResult, NotApplicable> {
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
    use crate::{NumberPair, random::Random};

    /// The share of 400 pairs of samples of one source whose p-value is at most 5 %.
    fn false_alarms(draw: impl Fn(&mut Random) -> f64, rows: usize) -> f64 {
        let mut random = Random::new(11);
        let mut column = |rows: usize| (0..rows).map(|_| draw(&mut random)).collect::<Vec<f64>>();
        let alarms = (0..400).filter(|seed| {
            let pair = NumberPair::of(&column(rows), &column(rows / 2));
            pair.cramer_von_mises(*seed).is_ok_and(|result| result.p_value <= 0.05)
        });
        alarms.count() as f64 / 400.0
    }

    #[test]
    fn tied_values_alarm_as_often_as_they_should() {
        let rare = false_alarms(|random| f64::from(u8::from(random.uniform() > 0.9)), 60);
        let counts = false_alarms(|random| (random.uniform() * 12.0).floor(), 60);
        let heap = false_alarms(|random| (random.uniform() * 40.0 - 20.0).floor().max(0.0), 60);
        assert!(rare <= 0.08, "{rare}");
        assert!([counts, heap].iter().all(|share| (0.02..=0.08).contains(share)), "{counts} {heap}");
    }

    #[test]
    fn values_that_all_differ_have_the_known_answer_and_a_change_of_tied_ones_is_found() {
        let ascending: Vec<f64> = (0..40).map(f64::from).collect();
        let pair = NumberPair::of(&ascending[..25], &ascending[25..]);
        assert_eq!(pair.cramer_von_mises(1), pair.untied_cramer_von_mises());
        let moved = NumberPair::of(&[0.0, 0.0, 1.0, 1.0].repeat(20), &[0.0, 1.0, 1.0, 1.0].repeat(20));
        let same = NumberPair::of(&[0.0, 0.0, 1.0, 1.0].repeat(20), &[0.0, 1.0].repeat(20));
        assert!(moved.cramer_von_mises(1).unwrap().p_value < 0.005);
        assert_eq!(same.cramer_von_mises(1).unwrap().p_value, 1.0);
        let scores: Vec<f64> = (0..120).map(|row| f64::from(row % 10)).collect();
        let higher: Vec<f64> = scores.iter().map(|score| (score + 2.0).min(9.0)).collect();
        assert!(NumberPair::of(&scores, &higher).cramer_von_mises(1).unwrap().p_value < 1e-3);
    }

    #[test]
    fn the_limiting_distribution_has_its_tabulated_quantiles() {
        // Anderson & Darling 1952, Table 1.
        for (chance, x) in [(0.5, 0.11888), (0.9, 0.34730), (0.95, 0.46136), (0.99, 0.74346)] {
            assert!((limiting_cdf(x) - chance).abs() < 2e-5, "{x}: {}", limiting_cdf(x));
        }
    }
}
