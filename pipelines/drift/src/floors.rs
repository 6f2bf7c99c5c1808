//! How large a distance gets when nothing changed: simulated once per reference and size, then remembered.

use std::collections::HashMap;

use crate::{
    Reference, Sketch,
    comparison::{binned, usable},
    random::{CellSampler, Random},
    reference::fnv1a,
};

const REPLICATES: usize = 500;
const QUANTILE: f64 = 0.99;
/// Numeric distances shrink like 1/√n from this size on.
const LARGEST_NUMBERS: u64 = 256;
/// The most rows ever simulated.
const LARGEST: u64 = 4096;
/// Rows per cell from which total variation shrinks like 1/√n.
const ROWS_PER_CELL: u64 = 16;
/// More entries than this are forgotten together: about a thousand columns at ten sizes.
const MAX_ENTRIES: usize = 10_000;

/// The 99 % quantiles of the distances under no drift. Answers depend on the seed alone, never on what was asked
/// before; keeping one between scans saves the simulation.
#[derive(Clone, Debug, Default)]
pub struct Floors {
    seed: u64,
    known: HashMap<(u64, u64), f64>,
}

#[derive(Clone, Copy)]
enum Distance {
    KolmogorovSmirnov,
    TotalVariation,
}

struct Null {
    counts: Vec<u64>,
    distance: Distance,
    largest: u64,
}

impl Floors {
    /// An empty cache whose simulations start from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, known: HashMap::new() }
    }

    /// The distance (Kolmogorov–Smirnov for numbers, total variation for categories) that a sketch of the
    /// unchanged source with as many rows as `sketch` exceeds in 1 % of the cases. The reference's own sampling
    /// error counts: two samples of N and n rows differ like one of n·N/(n + N) from the truth. `None` when either
    /// side is empty.
    pub fn floor(&mut self, reference: &Reference, sketch: &Sketch) -> Option<f64> {
        let table = binned(reference, sketch)?;
        let null = Null::of(reference, table.before());
        let before: f64 = null.counts.iter().map(|count| *count as f64).sum();
        let after = usable(sketch) as f64;
        let rows = (before * after / (before + after)).max(1.0);
        let lower = null.largest.min(1 << rows.log2().floor().min(62.0) as u64);
        let low = self.simulated(&null, lower);
        if lower >= null.largest {
            return Some(low * (lower as f64 / rows).sqrt());
        }
        let high = self.simulated(&null, lower * 2);
        let position = (rows / lower as f64).log2();
        Some(low.powf(1.0 - position) * high.powf(position))
    }

    fn simulated(&mut self, null: &Null, rows: u64) -> f64 {
        let key = (null.fingerprint(), rows);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.known.len() >= MAX_ENTRIES {
            self.known.clear();
        }
        let mut random = Random::new(self.seed ^ key.0 ^ rows.rotate_left(32));
        let floor = null.quantile(rows, &mut random);
        self.known.insert(key, floor);
        floor
    }
}

impl Null {
    fn of(reference: &Reference, binned: &[u64]) -> Self {
        match reference {
            Reference::Number(number) => Self {
                counts: number.tally.counts.clone(),
                distance: Distance::KolmogorovSmirnov,
                largest: LARGEST_NUMBERS,
            },
            Reference::Text(_) => {
                let cells = (binned.len() as u64 * ROWS_PER_CELL).next_power_of_two();
                let largest = cells.clamp(LARGEST_NUMBERS, LARGEST);
                Self { counts: binned.to_vec(), distance: Distance::TotalVariation, largest }
            }
        }
    }

    fn fingerprint(&self) -> u64 {
        let kind = [self.distance as u8];
        let bytes: Vec<u8> = self.counts.iter().flat_map(|count| count.to_le_bytes()).chain(kind).collect();
        fnv1a(&bytes)
    }

    fn quantile(&self, rows: u64, random: &mut Random) -> f64 {
        let sampler = CellSampler::new(&self.counts);
        let total: f64 = self.counts.iter().map(|count| *count as f64).sum();
        let shares: Vec<f64> = self.counts.iter().map(|count| *count as f64 / total).collect();
        let mut drawn = vec![0u32; shares.len()];
        let mut distances: Vec<f64> = (0..REPLICATES)
            .map(|_| {
                drawn.fill(0);
                (0..rows).for_each(|_| drawn[sampler.draw(random)] += 1);
                self.distance.between(&shares, &drawn, rows as f64)
            })
            .collect();
        distances.sort_unstable_by(f64::total_cmp);
        distances[(REPLICATES as f64 * QUANTILE) as usize]
    }
}

impl Distance {
    fn between(self, shares: &[f64], drawn: &[u32], rows: f64) -> f64 {
        let differences = shares.iter().zip(drawn).map(|(share, count)| f64::from(*count) / rows - share);
        match self {
            Self::KolmogorovSmirnov => {
                let mut sum = 0.0;
                differences.fold(0.0, |largest: f64, difference| {
                    sum += difference;
                    largest.max(f64::abs(sum))
                })
            }
            Self::TotalVariation => differences.map(f64::abs).sum::<f64>() / 2.0,
        }
    }
}
