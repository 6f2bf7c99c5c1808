//! A numeric column sorted once, and two of them merged: what every numeric test reads.

use crate::{NotApplicable, not_applicable::finite, sort::sort};

/// The finite values of a column in order, with their moments.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Ascending; −0 is 0.
    pub(crate) sorted: Vec<f64>,
    /// Rows, missing and infinite ones included.
    pub(crate) rows: usize,
    /// Mean of the finite values; infinite when they are too large to add.
    pub(crate) mean: f64,
    /// Sum of squared deviations from the mean.
    pub(crate) m2: f64,
}

impl Sample {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = Vec::with_capacity(values.len());
        sorted.extend(values.iter().filter(|value| value.is_finite()).map(|value| value + 0.0));
        sort(&mut sorted);
        let count = sorted.len() as f64;
        let mean = sum(&sorted, |value| value) / count;
        let m2 = sum(&sorted, |value| (value - mean).powi(2));
        Self { sorted, rows: values.len(), mean, m2 }
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.sorted.first() == self.sorted.last()
    }

    /// The standard deviation divided by n; 0 for a constant, whatever rounding made of its mean.
    pub(crate) fn population_deviation(&self) -> Result<f64, NotApplicable> {
        if self.is_constant() { Ok(0.0) } else { finite((self.m2 / self.len() as f64).sqrt()) }
    }

    /// The variance divided by n − 1, of at least two values.
    pub(crate) fn variance(&self) -> f64 {
        if self.is_constant() { 0.0 } else { self.m2 / (self.len() as f64 - 1.0) }
    }

    /// A quantile (0–1) by linear interpolation (type 7 of Hyndman & Fan 1996) of a sample that is not empty.
    pub(crate) fn quantile(&self, level: f64) -> f64 {
        let position = level.clamp(0.0, 1.0) * (self.len() - 1) as f64;
        interpolate(self.sorted[position.floor() as usize], self.sorted[position.ceil() as usize], position)
    }
}

/// The sum of a function of the values, in four parts that a processor adds at the same time.
pub(crate) fn sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let (quads, rest) = values.as_chunks::<4>();
    let mut parts = [0.0; 4];
    for quad in quads {
        parts.iter_mut().zip(quad).for_each(|(part, value)| *part += of(*value));
    }
    parts.into_iter().chain(rest.iter().map(|value| of(*value))).sum()
}

pub(crate) fn interpolate(low: f64, high: f64, position: f64) -> f64 {
    if low == high { low } else { low + (high - low) * position.fract() }
}

/// Two samples merged: their distinct values in order and how often each side holds them.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub(crate) values: Vec<f64>,
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

/// One distinct value of the merged samples, with what lies below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Values of each side at this step.
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// Values of each side below it.
    pub(crate) below_before: f64,
    pub(crate) below_after: f64,
}

impl Step {
    /// How many pooled values are tied here.
    pub(crate) fn ties(&self) -> f64 {
        self.before + self.after
    }

    /// The mean rank of the values tied here, from 1.
    pub(crate) fn midrank(&self) -> f64 {
        self.below_before + self.below_after + f64::midpoint(self.ties(), 1.0)
    }
}

impl Steps {
    pub(crate) fn of(before: &[f64], after: &[f64]) -> Self {
        let capacity = before.len() + after.len();
        let mut steps = Self {
            values: Vec::with_capacity(capacity),
            before: Vec::with_capacity(capacity),
            after: Vec::with_capacity(capacity),
        };
        let (mut i, mut j) = (0, 0);
        while i < before.len() || j < after.len() {
            let value = match (before.get(i), after.get(j)) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(only), None) | (None, Some(only)) => *only,
                (None, None) => break,
            };
            let (from_before, from_after) = (i, j);
            while before.get(i) == Some(&value) {
                i += 1;
            }
            while after.get(j) == Some(&value) {
                j += 1;
            }
            steps.values.push(value);
            steps.before.push((i - from_before) as u32);
            steps.after.push((j - from_after) as u32);
        }
        steps
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The steps from the smallest value to the largest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Step> {
        let (mut below_before, mut below_after) = (0.0, 0.0);
        self.before.iter().zip(&self.after).map(move |(before, after)| {
            let step =
                Step { before: f64::from(*before), after: f64::from(*after), below_before, below_after };
            below_before += step.before;
            below_after += step.after;
            step
        })
    }

    /// A quantile (0–1) of the pooled values by linear interpolation.
    pub(crate) fn pooled_quantile(&self, level: f64) -> f64 {
        let count: u64 = self.before.iter().chain(&self.after).map(|count| u64::from(*count)).sum();
        let position = level * count.saturating_sub(1) as f64;
        let (low, high) = (position.floor() as u64, position.ceil() as u64);
        let (mut seen, mut lower) = (0, None);
        for (index, value) in self.values.iter().enumerate() {
            seen += u64::from(self.before[index]) + u64::from(self.after[index]);
            if seen > low && lower.is_none() {
                lower = Some(*value);
            }
            if seen > high {
                return interpolate(lower.unwrap_or(*value), *value, position);
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, Steps};

    #[test]
    fn steps_count_both_sides() {
        let (before, after) =
            (Sample::of(&[2.0, 1.0, 2.0, f64::NAN]), Sample::of(&[3.0, 2.0, f64::INFINITY]));
        let steps = Steps::of(&before.sorted, &after.sorted);
        assert_eq!(steps.values, [1.0, 2.0, 3.0]);
        assert_eq!((steps.before.clone(), steps.after.clone()), (vec![1, 2, 0], vec![0, 1, 1]));
        assert_eq!(steps.iter().map(|step| step.midrank()).collect::<Vec<_>>(), [1.0, 3.0, 5.0]);
        assert_eq!(steps.pooled_quantile(0.5), 2.0);
        assert_eq!(steps.pooled_quantile(0.875), 2.5);
        assert_eq!(before.quantile(0.25), 1.5);
    }
}
