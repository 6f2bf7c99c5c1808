//! Seeded pseudo-random draws for simulations.

/// `SplitMix64` (Steele, Lea & Flood 2014): small, fast, and the same on every platform.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0..`bound`; `bound` is above 0. The bias is below `bound` / 2⁶⁴ (Lemire 2019).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Standard normal (Box & Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Draws cells in proportion to their counts in constant time: the alias method (Walker 1977, Vose 1991).
#[derive(Clone, Debug)]
pub(crate) struct CellSampler {
    keep: Vec<f64>,
    alias: Vec<usize>,
}

impl CellSampler {
    /// `counts` hold at least one above 0.
    pub(crate) fn new(counts: &[u64]) -> Self {
        let total: f64 = counts.iter().map(|count| *count as f64).sum();
        let mut keep: Vec<f64> =
            counts.iter().map(|count| *count as f64 / total * counts.len() as f64).collect();
        let mut alias: Vec<usize> = (0..counts.len()).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            alias.iter().partition(|cell| keep[**cell] < 1.0);
        while let (Some(&donor), Some(cell)) = (large.last(), small.pop()) {
            alias[cell] = donor;
            keep[donor] -= 1.0 - keep[cell];
            if keep[donor] < 1.0 {
                large.pop();
                small.push(donor);
            }
        }
        // What is left is 1 up to rounding, unless it is an empty cell that rounding left without a donor.
        for cell in small.into_iter().chain(large) {
            if counts[cell] > 0 {
                keep[cell] = 1.0;
            }
        }
        Self { keep, alias }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let position = random.uniform() * self.keep.len() as f64;
        let cell = (position as usize).min(self.keep.len() - 1);
        if position.fract() < self.keep[cell] { cell } else { self.alias[cell] }
    }
}

#[cfg(test)]
mod tests {
    use super::{CellSampler, Random};

    #[test]
    fn cells_come_in_proportion_to_their_counts() {
        let counts = [0, 10, 0, 30, 60];
        let sampler = CellSampler::new(&counts);
        let mut random = Random::new(7);
        let mut drawn = [0u32; 5];
        for _ in 0..100_000 {
            drawn[sampler.draw(&mut random)] += 1;
        }
        for (count, drawn) in counts.iter().zip(drawn) {
            assert!((f64::from(drawn) - *count as f64 * 1000.0).abs() < 700.0, "{count}: {drawn}");
        }
    }
}
