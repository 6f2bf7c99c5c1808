//! A small random generator whose stream never changes, so that a seed gives the same model for ever.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014, figure 17).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A generator for `stream` of `seed`; different streams of a seed are independent.
    pub(crate) fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random { state: seed };
        random.state = random.next() ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        random
    }

    /// The next 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number in `0..bound`; its bias is below `bound / 2⁶⁴`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// `count` distinct numbers of `0..total`, ascending (Knuth's selection sampling, algorithm S).
    pub(crate) fn sample(&mut self, total: usize, count: usize) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(count.min(total));
        for candidate in 0..total {
            let needed = count.saturating_sub(chosen.len());
            if needed == 0 {
                break;
            }
            if self.below(total - candidate) < needed {
                chosen.push(candidate as u32);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of the reference implementation for the state 0.
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(random.next(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn a_sample_has_its_size_and_ascends() {
        let sample = Random::new(7, 1).sample(1000, 300);
        assert_eq!(sample.len(), 300);
        assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(sample, Random::new(7, 1).sample(1000, 300));
        assert_ne!(sample, Random::new(8, 1).sample(1000, 300));
        assert_eq!(Random::new(7, 1).sample(3, 9), vec![0, 1, 2]);
    }
}
