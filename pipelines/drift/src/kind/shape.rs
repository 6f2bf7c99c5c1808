//! The shapes that a series can have, fitted by least squares.

use super::ChangeKind;

/// Windows that a level must hold before and after a change.
const MIN_LEVEL: usize = 3;
/// Fewest windows of a ramp; a shorter one is a step.
const MIN_RAMP: usize = 5;
/// However closely days follow each other, a share of them counts.
const MAX_FOLLOWING: f64 = 0.9;
/// Periods tried, in days: week, quincena, month, quarter, half year, year.
const PERIODS: [f64; 6] = [7.0, 15.22, 30.44, 91.31, 182.62, 365.25];
/// Harmonics of a period: enough for a sharp crest.
const HARMONICS: usize = 2;

/// One shape fitted to the series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) kind: ChangeKind,
    pub(super) began: Option<usize>,
    pub(super) size: f64,
    /// m ln(squared error / n) + parameters · ln n, with m the independent values: smaller is better.
    pub(super) criterion: f64,
}

/// All fits: no change, and every date of every kind.
pub(super) struct Fits {
    pub(super) steady: Fit,
    changes: Vec<Fit>,
}

impl Fits {
    /// The best of all.
    pub(super) fn best(&self) -> Fit {
        let better = |a: Fit, b: &Fit| if b.criterion < a.criterion { *b } else { a };
        self.changes.iter().fold(self.steady, better)
    }

    /// The best of those that begin at `since` or later.
    pub(super) fn best_since(&self, since: usize) -> Option<Fit> {
        let late = self.changes.iter().filter(|fit| fit.began.is_some_and(|began| began >= since));
        late.copied().min_by(|a, b| a.criterion.total_cmp(&b.criterion))
    }

    /// Those of a kind, whatever its length or period.
    pub(super) fn of_kind(&self, kind: ChangeKind) -> Vec<Fit> {
        let same = |fit: &&Fit| std::mem::discriminant(&fit.kind) == std::mem::discriminant(&kind);
        self.changes.iter().filter(same).copied().collect()
    }
}

/// Fits every shape to at least 6 finite values.
pub(super) fn fits(values: &[f64]) -> Fits {
    let waves: Vec<Waves> = PERIODS.iter().filter_map(|period| Waves::fit(values, *period)).collect();
    // A wave looks as if days followed each other; what it leaves tells whether they do.
    let left = waves.iter().map(|waves| independent_share(&waves.residuals));
    let series = Series::new(values, left.fold(independent_share(values), f64::max));
    let mut changes = series.steps();
    changes.extend(series.ramps());
    changes.extend(series.pulses());
    changes.extend(waves.iter().map(|waves| waves.described(&series)));
    Fits { steady: series.fit(ChangeKind::Steady, None, 0.0, series.squares(0, values.len()), 1.0), changes }
}

/// A series with its running sums.
struct Series<'a> {
    values: &'a [f64],
    sums: Vec<f64>,
    square_sums: Vec<f64>,
    /// Sums of place × deviation.
    weighted_sums: Vec<f64>,
    floor: f64,
    /// Share of the values that count as independent, 0–1.
    independent: f64,
}

impl<'a> Series<'a> {
    fn new(values: &'a [f64], independent: f64) -> Self {
        // Sums of deviations from the mean: sums of the values themselves would cancel.
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (mut sums, mut square_sums, mut weighted_sums) = (vec![0.0], vec![0.0], vec![0.0]);
        let (mut sum, mut squares, mut weighted) = (0.0, 0.0, 0.0);
        for (place, value) in values.iter().enumerate() {
            sum += value - mean;
            squares += (value - mean).powi(2);
            weighted += place as f64 * (value - mean);
            sums.push(sum);
            square_sums.push(squares);
            weighted_sums.push(weighted);
        }
        // Against ln 0 when a shape fits exactly: no noise is below a millionth of the spread.
        let floor = (squares * 1e-12).max(f64::MIN_POSITIVE);
        Self { values, sums, square_sums, weighted_sums, floor, independent }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn sum(&self, from: usize, to: usize) -> f64 {
        self.sums[to] - self.sums[from]
    }

    fn mean(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to) / (to - from) as f64
    }

    /// Squared deviations from the mean of `from..to`.
    fn squares(&self, from: usize, to: usize) -> f64 {
        let squares = self.square_sums[to] - self.square_sums[from];
        (squares - self.sum(from, to).powi(2) / (to - from) as f64).max(0.0)
    }

    fn fit(&self, kind: ChangeKind, began: Option<usize>, size: f64, error: f64, parameters: f64) -> Fit {
        let n = self.len() as f64;
        let criterion = n * self.independent * (error.max(self.floor) / n).ln() + parameters * n.ln();
        Fit { kind, began, size, criterion }
    }

    /// Two levels; the date is a parameter as they are.
    fn steps(&self) -> Vec<Fit> {
        let n = self.len();
        (MIN_LEVEL..=n.saturating_sub(MIN_LEVEL))
            .map(|at| {
                let error = self.squares(0, at) + self.squares(at, n);
                let size = self.mean(at, n) - self.mean(0, at);
                self.fit(ChangeKind::Sudden, Some(at), size, error, 3.0)
            })
            .collect()
    }

    /// A level, a straight way to another, that level.
    fn ramps(&self) -> Vec<Fit> {
        let n = self.len();
        let mut fits = Vec::new();
        for from in MIN_LEVEL - 1..n {
            for to in from + MIN_RAMP..n {
                let (size, error) = self.ramp(from, to);
                let kind = ChangeKind::Gradual { windows: to - from };
                fits.push(self.fit(kind, Some(from + 1), size, error, 4.0));
            }
        }
        fits
    }

    /// Height and squared error of the ramp that is 0 until `from`, 1 from `to` on and straight between them, from
    /// running sums: all pairs of a year are fitted at every check.
    fn ramp(&self, from: usize, to: usize) -> (f64, f64) {
        let n = self.len();
        let (length, after) = ((to - from) as f64, (n - to) as f64);
        // Sums of k / length and of its square for k below length.
        let way_sum = (length - 1.0) / 2.0 + after;
        let way_squares = (length - 1.0) * (2.0 * length - 1.0) / (6.0 * length) + after;
        let spread = way_squares - way_sum * way_sum / n as f64;
        let weighted = self.weighted_sums[to] - self.weighted_sums[from];
        // The deviations add up to 0, so that the ramp's own mean drops out.
        let common = (weighted - from as f64 * self.sum(from, to)) / length + self.sum(to, n);
        let height = common / spread;
        (height, (self.squares(0, n) - height * common).max(0.0))
    }

    /// A level, another for at most a third of the windows, the first again.
    fn pulses(&self) -> Vec<Fit> {
        let n = self.len();
        let mut fits = Vec::new();
        for from in MIN_LEVEL - 1..n {
            for to in from + 1..=(from + n / 3).min(n.saturating_sub(MIN_LEVEL)) {
                let outside = (n - (to - from)) as f64;
                let rest = self.sums[n] - self.sum(from, to);
                let rest_squares = self.square_sums[n] - (self.square_sums[to] - self.square_sums[from]);
                let error = (rest_squares - rest * rest / outside).max(0.0) + self.squares(from, to);
                let size = self.mean(from, to) - rest / outside;
                fits.push(self.fit(ChangeKind::OneOff { windows: to - from }, Some(from), size, error, 4.0));
            }
        }
        fits
    }
}

/// Waves of one period and what they leave.
struct Waves {
    period: f64,
    /// From trough to crest.
    height: f64,
    residuals: Vec<f64>,
}

impl Waves {
    /// Fits the first harmonics of a period; None below two whole periods.
    fn fit(values: &[f64], period: f64) -> Option<Self> {
        let n = values.len();
        if (n as f64) < 2.0 * period {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let mut residuals: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let mut basis: Vec<Vec<f64>> = vec![vec![1.0 / (n as f64).sqrt(); n]];
        let mut wave = vec![0.0; n];
        for harmonic in 1..=HARMONICS {
            let turn = std::f64::consts::TAU * harmonic as f64 / period;
            for phase in [0.0, std::f64::consts::FRAC_PI_2] {
                let column = (0..n).map(|i| (turn * i as f64 + phase).sin()).collect();
                if let Some(direction) = orthogonal(column, &basis) {
                    let along: f64 = direction.iter().zip(&residuals).map(|(x, y)| x * y).sum();
                    for ((residual, part), x) in residuals.iter_mut().zip(&mut wave).zip(&direction) {
                        *residual -= along * x;
                        *part += along * x;
                    }
                    basis.push(direction);
                }
            }
        }
        let crest = wave.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let trough = wave.iter().copied().fold(f64::INFINITY, f64::min);
        Some(Self { period, height: crest - trough, residuals })
    }

    fn described(&self, series: &Series<'_>) -> Fit {
        let error: f64 = self.residuals.iter().map(|residual| residual * residual).sum();
        // The period was chosen from a list: one parameter more than the waves have.
        let parameters = 2.0 + 2.0 * HARMONICS as f64;
        series.fit(ChangeKind::Recurring { period: self.period }, None, self.height, error, parameters)
    }
}

/// Share of the values that count as independent of their neighbours: (1 − φ) / (1 + φ) for noise that follows the day
/// before by φ (Bartlett 1935). φ comes from the steps between neighbours, whose autocorrelation is (φ − 1) / 2 and
/// which changes of level hardly move. Without it slowly wandering noise would be called a change.
fn independent_share(values: &[f64]) -> f64 {
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let squares: f64 = steps.iter().map(|step| step * step).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let products: f64 = steps.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let follows = (1.0 + 2.0 * products / squares).clamp(0.0, MAX_FOLLOWING);
    (1.0 - follows) / (1.0 + follows)
}

/// The part of a column at right angles to a basis, of length 1; None when nothing is left (Gram–Schmidt).
fn orthogonal(mut column: Vec<f64>, basis: &[Vec<f64>]) -> Option<Vec<f64>> {
    for direction in basis {
        let along: f64 = direction.iter().zip(&column).map(|(a, b)| a * b).sum();
        for (value, part) in column.iter_mut().zip(direction) {
            *value -= along * part;
        }
    }
    let length = column.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length < 1e-6 {
        return None;
    }
    for value in &mut column {
        *value /= length;
    }
    Some(column)
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn running_sums_fit_the_ramp_that_least_squares_fit() {
        let values: Vec<f64> = (0..30u32).map(|i| f64::from(i * i * 7919 % 101)).collect();
        let series = Series::new(&values, 1.0);
        for (from, to) in [(2, 7), (5, 29), (10, 20)] {
            let way: Vec<f64> =
                (0..30).map(|i| ((i as f64 - from as f64) / (to - from) as f64).clamp(0.0, 1.0)).collect();
            let mean = |column: &[f64]| column.iter().sum::<f64>() / 30.0;
            let (way_mean, level) = (mean(&way), mean(&values));
            let common: f64 = way.iter().zip(&values).map(|(x, y)| (x - way_mean) * (y - level)).sum();
            let spread: f64 = way.iter().map(|x| (x - way_mean).powi(2)).sum();
            let total: f64 = values.iter().map(|y| (y - level).powi(2)).sum();
            let (height, error) = series.ramp(from, to);
            assert!((height - common / spread).abs() < 1e-9);
            assert!((error - (total - common * common / spread)).abs() < 1e-6);
        }
    }
}
