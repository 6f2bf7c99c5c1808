//! A numeric column taken in batch by batch.

use super::Kept;
use crate::sample::sum;

/// Exact figures of all rows of a numeric column, kept or not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NumberFigures {
    /// Rows, missing and infinite ones included.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Rows that are ±infinity.
    pub infinite: u64,
    /// The smallest finite number.
    pub min: Option<f64>,
    /// The largest finite number.
    pub max: Option<f64>,
    mean: f64,
    /// Sum of squared deviations from the mean.
    m2: f64,
}

impl NumberFigures {
    /// Finite numbers.
    pub fn finite(&self) -> u64 {
        self.rows - self.missing - self.infinite
    }

    /// Their mean; none when there are none, or when they are too large to add.
    pub fn mean(&self) -> Option<f64> {
        Some(self.mean).filter(|mean| self.finite() > 0 && mean.is_finite())
    }

    /// Their standard deviation (n − 1); none below two of them.
    pub fn deviation(&self) -> Option<f64> {
        let count = self.finite();
        let deviation = (self.m2 / count.saturating_sub(1) as f64).sqrt();
        Some(if self.min == self.max { 0.0 } else { deviation })
            .filter(|deviation| count > 1 && deviation.is_finite())
    }

    fn add(&mut self, batch: &[f64]) {
        let (mut count, mut total) = (0_u64, 0.0);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in batch {
            if value.is_finite() {
                count += 1;
                total += value;
                min = min.min(*value);
                max = max.max(*value);
            } else {
                self.missing += u64::from(value.is_nan());
                self.infinite += u64::from(value.is_infinite());
            }
        }
        self.rows += batch.len() as u64;
        if count == 0 {
            return;
        }
        let before = self.finite() - count;
        let mean = total / count as f64;
        let m2 = sum(batch, |value| if value.is_finite() { (value - mean).powi(2) } else { 0.0 });
        self.min = Some(self.min.map_or(min, |known| known.min(min)));
        self.max = Some(self.max.map_or(max, |known| known.max(max)));
        self.merge(before, count, mean, m2);
    }

    /// Mean and deviations of two parts together (Chan, Golub & LeVeque 1983).
    fn merge(&mut self, before: u64, count: u64, mean: f64, m2: f64) {
        let (n, m) = (before as f64, count as f64);
        let step = mean - self.mean;
        self.mean = if before == 0 { mean } else { self.mean + step * m / (n + m) };
        self.m2 += m2 + if before == 0 { 0.0 } else { step * step * n * m / (n + m) };
    }
}

/// A numeric column: values of the kept rows, figures of all rows.
#[derive(Clone, Debug, Default)]
pub struct NumberColumn {
    values: Vec<f64>,
    figures: NumberFigures,
}

impl NumberColumn {
    /// Takes the next rows in; NaN is a missing value. `kept` is what [`super::RowSample::offer`] said of them.
    pub fn add(&mut self, batch: &[f64], kept: &Kept) {
        self.figures.add(batch);
        kept.apply(&mut self.values, |row| batch[row]);
    }

    /// The values of the kept rows, NaN where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Figures of all rows.
    pub fn figures(&self) -> &NumberFigures {
        &self.figures
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, NumberColumn};
    use crate::intake::RowSample;

    #[test]
    fn figures_are_those_of_all_rows() {
        let values: Vec<f64> = (0..1000_u32)
            .map(|row| match row % 10 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                _ => 1e9 + f64::from(row * 37 % 101),
            })
            .collect();
        let (mut column, mut sample) = (NumberColumn::default(), RowSample::new(100, 1));
        for batch in values.chunks(64) {
            column.add(batch, &sample.offer(batch.len()));
        }
        let figures = column.figures();
        assert_eq!(
            (figures.rows, figures.missing, figures.infinite, figures.finite()),
            (1000, 100, 100, 800)
        );
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / 800.0;
        let deviation = (finite.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 799.0).sqrt();
        assert!((figures.mean().unwrap() - mean).abs() < 1e-6);
        assert!((figures.deviation().unwrap() / deviation - 1.0).abs() < 1e-9);
        assert_eq!(column.values().len(), 100);
        let known = |value: &f64| values.iter().any(|other| other.to_bits() == value.to_bits());
        assert!(column.values().iter().all(known));
    }

    #[test]
    fn nothing_has_no_figures() {
        let mut column = NumberColumn::default();
        column.add(&[f64::NAN, f64::NAN], &RowSample::new(9, 1).offer(2));
        assert_eq!((column.figures().mean(), column.figures().deviation()), (None, None));
        column.add(&[2.0], &Kept::default());
        assert_eq!((column.figures().mean(), column.figures().deviation()), (Some(2.0), None));
    }
}
