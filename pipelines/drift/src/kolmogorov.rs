//! P-values of the Kolmogorov–Smirnov distance.
//!
//! The two-sample p-value is taken from the exact distribution of paths while that is cheap, else from the
//! one-sample distribution at the effective sample size n·m/(n + m).

use statrs::function::gamma::ln_gamma;
use std::f64::consts::PI;

/// Above this effective size the expansion of Pelz & Good is as good as the exact matrix power.
const EXACT_SIZE: u64 = 140;
/// Above this size the one-sided tail is approximated instead of summed.
const SUMMED_SIZE: u64 = 1013;

/// Exact two-sample p-value of samples of `n` and `m` rows without ties whose distance is `steps / (n·m)`: the share
/// of lattice paths that leave the band (Hodges 1957). Takes n·m steps.
pub(crate) fn exact_two_sample_p(n: u64, m: u64, steps: u128) -> f64 {
    if steps == 0 {
        return 1.0;
    }
    let (n, m) = (n.min(m), n.max(m));
    // Row i of the lattice is inside the band where |i·m − j·n| < steps: only these points are visited.
    let inside = |i: u64| {
        let height = u128::from(i) * u128::from(m);
        let first = if height < steps { 0 } else { ((height - steps) / u128::from(n) + 1) as u64 };
        let last = ((height + steps - 1) / u128::from(n)).min(u128::from(m)) as u64;
        (first, last)
    };
    // left[j]: chance that a random path has left the band when it stands at (i, j).
    let mut left = vec![1.0; m as usize + 1];
    left[..=inside(0).1 as usize].fill(0.0);
    for i in 1..=n {
        let (first, last) = inside(i);
        let mut beside = if first == 0 { None } else { Some(1.0) };
        for j in first..=last {
            let below: f64 = left[j as usize];
            let here = beside.map_or(below, |beside| (i as f64 * below + j as f64 * beside) / (i + j) as f64);
            left[j as usize] = here;
            beside = Some(here);
        }
    }
    left[m as usize].clamp(0.0, 1.0)
}

/// Two-sample p-value by the one-sample distribution at the effective size, rounded.
pub(crate) fn asymptotic_two_sample_p(n: u64, m: u64, distance: f64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let effective = (n * m / (n + m)).round_ties_even().max(1.0);
    one_sample_p(effective as u64, distance)
}

/// One-sided two-sample p-value (Hodges 1957, equation 5.3).
pub(crate) fn asymptotic_one_sided_p(n: u64, m: u64, distance: f64) -> f64 {
    let (more, less) = (n.max(m) as f64, n.min(m) as f64);
    let z = (more * less / (more + less)).sqrt() * distance;
    let correction = 2.0 * z * (more + 2.0 * less) / (more * less * (more + less)).sqrt() / 3.0;
    (-2.0 * z * z - correction).exp().clamp(0.0, 1.0)
}

/// P(Dₙ ≥ x) for the two-sided one-sample statistic, by the regions of Simard & L'Ecuyer 2011 ("Computing the
/// two-sided Kolmogorov–Smirnov distribution").
pub(crate) fn one_sample_p(n: u64, x: f64) -> f64 {
    let size = n as f64;
    let scaled = size * x;
    if scaled <= 0.5 || n == 0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let nxx = scaled * x;
    let p = if scaled >= size - 1.0 {
        2.0 * (1.0 - x).powf(size)
    } else if x >= 0.5 || nxx > 4.0 || (n > EXACT_SIZE && nxx >= 2.2) {
        2.0 * one_sided_p(n, x)
    } else if n <= EXACT_SIZE {
        1.0 - matrix_power_cdf(n, x)
    } else {
        1.0 - pelz_good_cdf(size, x)
    };
    p.clamp(0.0, 1.0)
}

/// P(Dₙ⁺ ≥ x), Smirnov's sum (Birnbaum & Tingey 1951, equation 3); for large n the approximation of Maag & Dicaire
/// 1971.
fn one_sided_p(n: u64, x: f64) -> f64 {
    let size = n as f64;
    if n > SUMMED_SIZE {
        return (-(6.0 * size * x + 1.0).powi(2) / (18.0 * size)).exp();
    }
    let log_factorial = ln_gamma(size + 1.0);
    let last = (size * (1.0 - x)).floor() as u64;
    let terms = (0..=last).map(|step| {
        let j = step as f64;
        let (up, down) = (x + j / size, 1.0 - x - j / size);
        if down <= 0.0 {
            return if step == n { up.powf(j - 1.0) } else { 0.0 };
        }
        let binomial = log_factorial - ln_gamma(j + 1.0) - ln_gamma(size - j + 1.0);
        (binomial + (j - 1.0) * up.ln() + (size - j) * down.ln()).exp()
    });
    x * terms.sum::<f64>()
}

/// P(Dₙ < x) as an entry of a matrix power (Marsaglia, Tsang & Wang 2003).
fn matrix_power_cdf(n: u64, x: f64) -> f64 {
    let size = n as f64;
    let k = (size * x) as usize + 1;
    let m = 2 * k - 1;
    let power = matrix_power(&transition_matrix(m, k as f64 - size * x), m, n);
    let (mut value, mut exponent) = (power.entries[(k - 1) * m + k - 1], power.exponent);
    for step in 1..=n {
        value *= step as f64 / size;
        if value < 1e-140 {
            value *= 1e140;
            exponent -= 140;
        }
    }
    value * 10f64.powi(exponent)
}

fn transition_matrix(m: usize, h: f64) -> Vec<f64> {
    let mut matrix = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..m.min(i + 2) {
            matrix[i * m + j] = 1.0;
        }
    }
    for i in 0..m {
        matrix[i * m] -= h.powi(i as i32 + 1);
        matrix[(m - 1) * m + i] -= h.powi((m - i) as i32);
    }
    if 2.0 * h > 1.0 {
        matrix[(m - 1) * m] += (2.0 * h - 1.0).powi(m as i32);
    }
    for i in 0..m {
        for j in 0..m.min(i + 1) {
            matrix[i * m + j] /= (2..=i - j + 1).map(|factor| factor as f64).product::<f64>();
        }
    }
    matrix
}

/// A matrix times a power of ten, so that long products neither overflow nor vanish.
struct Scaled {
    entries: Vec<f64>,
    exponent: i32,
}

impl Scaled {
    fn times(&self, other: &Self, m: usize) -> Self {
        let mut entries = vec![0.0; m * m];
        for i in 0..m {
            for k in 0..m {
                let factor = self.entries[i * m + k];
                for j in 0..m {
                    entries[i * m + j] += factor * other.entries[k * m + j];
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if entries[(m / 2) * m + m / 2] > 1e140 {
            for entry in &mut entries {
                *entry *= 1e-140;
            }
            exponent += 140;
        }
        Self { entries, exponent }
    }
}

fn matrix_power(matrix: &[f64], m: usize, power: u64) -> Scaled {
    let base = Scaled { entries: matrix.to_vec(), exponent: 0 };
    if power <= 1 {
        return base;
    }
    let half = matrix_power(matrix, m, power / 2);
    let square = half.times(&half, m);
    if power.is_multiple_of(2) { square } else { square.times(&base, m) }
}

/// P(Dₙ < x) by the expansion of Pelz & Good 1976 to the order n^(−3/2).
fn pelz_good_cdf(n: f64, x: f64) -> f64 {
    let z = n.sqrt() * x;
    let (z2, z4, z6) = (z * z, z.powi(4), z.powi(6));
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for step in 0..20 {
        let a = PI * (f64::from(step) + 0.5);
        let a2 = a * a;
        let odd = 2.0 * (-a2 / (2.0 * z2)).exp(); // k and −k − 1 are the same term
        k0 += odd;
        k1 += (a2 - z2) * odd;
        k2 += (6.0 * z6 + 2.0 * z4 + a2 * (2.0 * z4 - 5.0 * z2) + a2 * a2 * (1.0 - 2.0 * z2)) * odd / 72.0;
        k3 += (a2.powi(3) * (5.0 - 30.0 * z2)
            + a2 * a2 * (-60.0 * z2 + 212.0 * z4)
            + a2 * (135.0 * z4 - 96.0 * z6)
            - (30.0 * z6 + 90.0 * z4 * z4))
            * odd
            / 6480.0;
        let b2 = (PI * f64::from(step)).powi(2);
        let even = 2.0 * (-b2 / (2.0 * z2)).exp();
        k2 -= b2 * even * z4 / 36.0;
        k3 += (3.0 * b2 * z2 - b2 * b2) * even * z4 / 216.0;
    }
    let root = (PI / 2.0).sqrt();
    let first = root / z * k0;
    first
        + root * k1 / (6.0 * z4 * n.sqrt())
        + root * k2 / (z.powi(7) * n)
        + root * k3 / (z.powi(10) * n * n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::{exact_two_sample_p, matrix_power_cdf, one_sample_p, one_sided_p, pelz_good_cdf};

    #[test]
    fn the_matrix_power_gives_the_published_value() {
        // Marsaglia, Tsang & Wang 2003: K(10, 0.274) = 0.6284796154565043.
        assert!((matrix_power_cdf(10, 0.274) - 0.628_479_615_456_504_3).abs() < 1e-13);
    }

    #[test]
    fn the_regions_of_the_distribution_meet() {
        for (n, x) in [(140, 0.06), (140, 0.08), (140, 0.1), (140, 0.12)] {
            let exact = matrix_power_cdf(n, x);
            assert!((exact - pelz_good_cdf(n as f64, x)).abs() < 2e-6, "n {n}, x {x}: {exact}");
        }
        let tail = 1.0 - matrix_power_cdf(140, 0.165);
        assert!((tail / (2.0 * one_sided_p(140, 0.165)) - 1.0).abs() < 1e-6, "{tail}");
        assert!((one_sample_p(1013, 0.06) / one_sample_p(1014, 0.06) - 1.0).abs() < 0.02);
    }

    #[test]
    fn p_values_fall_with_the_distance() {
        for n in [1, 2, 5, 30, 140, 141, 1000, 5000, 10_000_000] {
            let p_values: Vec<f64> =
                (0..=1000).map(|step| one_sample_p(n, f64::from(step) / 1000.0)).collect();
            assert!(p_values.windows(2).all(|pair| pair[1] <= pair[0] + 1e-6), "n {n}");
            assert!(p_values.iter().all(|p| (0.0..=1.0).contains(p)), "n {n}");
        }
    }

    #[test]
    fn small_samples_are_counted_exactly() {
        // Two samples of two rows, completely apart: 2 of the 6 orders.
        assert!((exact_two_sample_p(2, 2, 4) - 2.0 / 6.0).abs() < 1e-15);
        assert_eq!(exact_two_sample_p(5, 7, 0), 1.0);
    }
}
