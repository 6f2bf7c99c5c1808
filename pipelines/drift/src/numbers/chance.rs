//! How large the distances between two samples of one source get by chance.

use super::NumberPair;
use crate::{NotApplicable, not_applicable::finite, random::Random};

const REPLICATES: usize = 400;
const QUANTILE: f64 = 0.99;
/// Quantiles of the pooled values at which the bridge is followed.
const POINTS: usize = 128;

/// What 99 % of the distances stay below when nothing changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChanceLevels {
    /// Of the Wasserstein distance, in the column's unit.
    pub(crate) wasserstein: f64,
    /// Of the energy distance.
    pub(crate) energy: f64,
}

/// Paths of a Brownian bridge, the same for every column: only the widths between its quantiles differ.
#[derive(Clone, Debug)]
pub(crate) struct Bridges(Vec<Vec<f64>>);

impl Bridges {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self((0..REPLICATES).map(|_| bridge(&mut random)).collect())
    }
}

impl NumberPair {
    /// Takes F − G for a Brownian bridge over the pooled distribution, scaled by (1/n + 1/m)^½ (Donsker 1952).
    pub(crate) fn chance_levels(&self, bridges: &Bridges) -> Result<ChanceLevels, NotApplicable> {
        let (n, m) = self.sizes()?;
        let scale = (1.0 / n + 1.0 / m).sqrt();
        let widths: Vec<f64> = self.pooled_points().windows(2).map(|ends| ends[1] - ends[0]).collect();
        let level = |weigh: fn(f64) -> f64| {
            let lengths = bridges.0.iter().map(|bridge| {
                bridge.iter().zip(&widths).map(|(height, width)| weigh(height * scale) * width).sum::<f64>()
            });
            let mut lengths: Vec<f64> = lengths.collect();
            lengths.sort_unstable_by(f64::total_cmp);
            finite(lengths[(REPLICATES as f64 * QUANTILE) as usize])
        };
        let energy = level(|height| 2.0 * height * height)?.sqrt();
        Ok(ChanceLevels { wasserstein: level(f64::abs)?, energy })
    }

    /// Pooled values at equally spaced ranks, the ends included.
    fn pooled_points(&self) -> Vec<f64> {
        let total: u64 = (self.before.len() + self.after.len()) as u64;
        let mut points = Vec::with_capacity(POINTS + 1);
        let mut seen = 0;
        for (index, value) in self.steps.values.iter().enumerate() {
            seen += u64::from(self.steps.before[index]) + u64::from(self.steps.after[index]);
            while points.len() <= POINTS && seen * POINTS as u64 >= points.len() as u64 * total {
                points.push(*value);
            }
        }
        points
    }
}

/// The bridge in the middle of each of the [`POINTS`] intervals of probability.
fn bridge(random: &mut Random) -> Vec<f64> {
    let step = 1.0 / POINTS as f64;
    let mut path = Vec::with_capacity(POINTS);
    let mut height = random.normal() * (step / 2.0).sqrt();
    for _ in 0..POINTS {
        path.push(height);
        height += random.normal() * step.sqrt();
    }
    let end = path[POINTS - 1] + random.normal() * (step / 2.0).sqrt();
    path.iter().enumerate().map(|(index, height)| height - end * (index as f64 + 0.5) * step).collect()
}
