//! Fisher's exact test of two shares: valid however few the cases are.

use statrs::function::gamma::ln_gamma;

const MAX_ROWS: u64 = 1 << 40;

/// `hits` of `rows` in two samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    pub(crate) hits_before: u64,
    pub(crate) rows_before: u64,
    pub(crate) hits_after: u64,
    pub(crate) rows_after: u64,
}

impl Shares {
    /// Hits are among the rows, and the rows few enough that logarithms of factorials keep their digits.
    fn countable(self) -> bool {
        let consistent = self.hits_before <= self.rows_before && self.hits_after <= self.rows_after;
        consistent && self.rows_before.max(self.rows_after) < MAX_ROWS
    }

    fn hits(self) -> u64 {
        self.hits_before.saturating_add(self.hits_after)
    }

    fn smallest(self) -> u64 {
        self.hits().saturating_sub(self.rows_before)
    }

    fn largest(self) -> u64 {
        self.hits().min(self.rows_after)
    }

    /// Logarithm of the hypergeometric chance of `k` hits after.
    fn ln_chance(self, k: u64) -> f64 {
        ln_choose(self.rows_after, k) + ln_choose(self.rows_before, self.hits() - k)
            - ln_choose(self.rows_after.saturating_add(self.rows_before), self.hits())
    }

    /// Chance(k + 1) / chance(k).
    fn ratio(self, k: u64) -> f64 {
        let (k, hits) = (k as f64, self.hits() as f64);
        (self.rows_after as f64 - k) * (hits - k) / ((k + 1.0) * (self.rows_before as f64 - hits + k + 1.0))
    }

    /// P(hits after ≥ `from`).
    fn upper_tail(self, from: u64) -> f64 {
        let mut chance = self.ln_chance(from).exp();
        let mut sum = chance;
        for k in from..self.largest() {
            chance *= self.ratio(k);
            sum += chance;
            if chance < sum * 1e-17 {
                break;
            }
        }
        sum
    }

    /// P(hits after ≤ `to`).
    fn lower_tail(self, to: u64) -> f64 {
        let mut chance = self.ln_chance(to).exp();
        let mut sum = chance;
        for k in (self.smallest()..to).rev() {
            chance /= self.ratio(k);
            sum += chance;
            if chance < sum * 1e-17 {
                break;
            }
        }
        sum
    }

    /// P-value that the share did not rise.
    pub(crate) fn rise_p(self) -> f64 {
        if !self.countable() {
            return 1.0;
        }
        self.upper_tail(self.hits_after).clamp(0.0, 1.0)
    }

    /// P-value that the share did not fall.
    pub(crate) fn fall_p(self) -> f64 {
        if !self.countable() {
            return 1.0;
        }
        self.lower_tail(self.hits_after).clamp(0.0, 1.0)
    }

    /// Two-sided p-value: all outcomes that are no likelier than the one seen.
    pub(crate) fn change_p(self) -> f64 {
        if !self.countable() || self.smallest() >= self.largest() {
            return 1.0;
        }
        // Equal chances differ by rounding.
        let seen = self.ln_chance(self.hits_after) + 1e-7;
        let (mode, after) = (self.mode(), self.hits_after);
        let unlikely = |k: u64| self.ln_chance(k) <= seen;
        let p = if after >= mode {
            let left = last_where(self.smallest()..mode.min(after.saturating_sub(1)) + 1, unlikely);
            self.upper_tail(after) + left.filter(|k| *k < after).map_or(0.0, |k| self.lower_tail(k))
        } else {
            let largest = self.largest();
            let steps = last_where(0..largest - mode + 1, |step| unlikely(largest - step));
            self.lower_tail(after) + steps.map_or(0.0, |step| self.upper_tail(largest - step))
        };
        p.clamp(0.0, 1.0)
    }

    fn mode(self) -> u64 {
        let total = self.rows_after.saturating_add(self.rows_before) as f64;
        let mode = (self.hits() as f64 + 1.0) * (self.rows_after as f64 + 1.0) / (total + 2.0);
        (mode as u64).clamp(self.smallest(), self.largest())
    }
}

/// The last `k` of the range where `holds`, which is true for a first part of the range only.
fn last_where(range: std::ops::Range<u64>, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1).filter(|k| *k >= range.start)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let (n, k) = (n as f64, k as f64);
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn the_tea_tasting_lady() {
        // Fisher 1935: 3 of 4 right twice; one-sided 17/70, two-sided 34/70.
        let shares = Shares { hits_before: 1, rows_before: 4, hits_after: 3, rows_after: 4 };
        assert!((shares.rise_p() - 17.0 / 70.0).abs() < 1e-12);
        assert!((shares.change_p() - 34.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn the_two_sided_p_is_the_sum_over_unlikelier_outcomes() {
        for (rows_before, rows_after) in [(7, 5), (30, 3), (4, 40), (1, 1)] {
            for hits_before in 0..=rows_before {
                for hits_after in 0..=rows_after {
                    let shares = Shares { hits_before, rows_before, hits_after, rows_after };
                    let seen = shares.ln_chance(hits_after).exp() * (1.0 + 1e-7);
                    let expected: f64 = (shares.smallest()..=shares.largest())
                        .map(|k| shares.ln_chance(k).exp())
                        .filter(|chance| *chance <= seen)
                        .sum();
                    assert!((shares.change_p() - expected.min(1.0)).abs() < 1e-9, "{shares:?}");
                }
            }
        }
    }
}
