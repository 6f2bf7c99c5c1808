//! ADWIN: a window that is as long as its mean holds (Bifet & Gavaldà 2007).

use super::Signal;

/// Parameters of [`Adwin`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdwinSettings {
    /// Chance of a false detection at one check.
    pub delta: f64,
    /// How many values lie between two checks, at least 1.
    pub clock: u64,
    /// Buckets kept of each size before two are merged.
    pub max_buckets: usize,
    /// Fewest values on either side of a cut.
    pub min_window: f64,
    /// Values before the first check.
    pub grace: u64,
}

impl Default for AdwinSettings {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, max_buckets: 5, min_window: 5.0, grace: 10 }
    }
}

/// Where a window fell apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Values after the cut: the change lies about that many values back.
    pub recent: u64,
    /// Mean before the cut.
    pub before: f64,
    /// Mean after it.
    pub after: f64,
}

/// The detector. Memory grows with the logarithm of the window: per power of two at most `max_buckets` sums.
#[derive(Clone, Debug)]
pub struct Adwin {
    settings: AdwinSettings,
    /// Row `i` holds the sums of buckets of 2^i values, the oldest first.
    rows: Vec<Vec<f64>>,
    width: u64,
    total: f64,
    squares: f64,
    since_start: u64,
    cut: Option<Cut>,
}

impl Adwin {
    /// A detector without values.
    pub fn new(settings: AdwinSettings) -> Self {
        Self {
            settings,
            rows: vec![Vec::new()],
            width: 0,
            total: 0.0,
            squares: 0.0,
            since_start: 0,
            cut: None,
        }
    }

    /// Takes the next value; a value that is not finite is passed over.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Steady;
        }
        self.insert(value);
        self.since_start += 1;
        let due = self.since_start.is_multiple_of(self.settings.clock.max(1));
        if due
            && self.width > self.settings.grace
            && let Some(cut) = self.find_cut()
        {
            *self = Self { cut: Some(cut), ..Self::new(self.settings) };
            return Signal::Drift;
        }
        Signal::Steady
    }

    /// Values in the window.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Mean of the window, 0 while it is empty.
    pub fn mean(&self) -> f64 {
        if self.width == 0 { 0.0 } else { self.total / self.width as f64 }
    }

    /// Sum of squared deviations of the window from its mean.
    pub fn squared_deviations(&self) -> f64 {
        self.squares
    }

    /// The latest cut, if a drift was ever found.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    fn insert(&mut self, value: f64) {
        self.rows[0].push(value);
        if self.width > 0 {
            let before = self.width as f64;
            let deviation = value - self.total / before;
            self.squares += before * deviation * deviation / (before + 1.0);
        }
        self.width += 1;
        self.total += value;
        let mut row = 0;
        while self.rows[row].len() > self.settings.max_buckets {
            let merged: f64 = self.rows[row].drain(..2).sum();
            row += 1;
            if row == self.rows.len() {
                self.rows.push(Vec::new());
            }
            self.rows[row].push(merged);
        }
    }

    /// The cut at which the means differ most beside what chance allows, if they do at one.
    fn find_cut(&self) -> Option<Cut> {
        let (mut old, mut old_sum) = (0.0, 0.0);
        let (mut recent, mut recent_sum) = (self.width as f64, self.total);
        let (mut widest, mut found) = (0.0, None);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = (1u64 << row) as f64;
            for sum in buckets {
                old += size;
                old_sum += sum;
                recent -= size;
                recent_sum -= sum;
                let shortest = self.settings.min_window.max(1.0);
                if old < shortest || recent < shortest {
                    continue;
                }
                let (before, after) = (old_sum / old, recent_sum / recent);
                let (difference, bound) = ((before - after).abs(), self.bound(old, recent));
                if difference > bound && difference / bound > widest {
                    widest = difference / bound;
                    found = Some(Cut { recent: recent as u64, before, after });
                }
            }
        }
        found
    }

    /// The largest difference of means that chance allows (equation 3.1 and the bound of section 3.2, with river's
    /// correction of the sizes by the shortest window).
    fn bound(&self, old: f64, recent: f64) -> f64 {
        let width = self.width as f64;
        let confidence = (2.0 * width.ln() / self.settings.delta).ln();
        let shortest = self.settings.min_window;
        let reciprocal = 1.0 / (old - shortest + 1.0) + 1.0 / (recent - shortest + 1.0);
        let variance = self.squares / width;
        (2.0 * reciprocal * variance * confidence).sqrt() + 2.0 / 3.0 * confidence * reciprocal
    }
}

#[cfg(test)]
mod tests {
    use super::{Adwin, AdwinSettings, Signal};

    #[test]
    fn a_jump_is_cut_where_it_is() {
        let mut adwin = Adwin::new(AdwinSettings::default());
        let values = (0..600).map(|i| if i < 300 { f64::from(i % 3) } else { f64::from(i % 3) + 5.0 });
        let found: Vec<usize> = values
            .enumerate()
            .filter_map(|(i, value)| (adwin.update(value) == Signal::Drift).then_some(i))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let cut = adwin.cut().unwrap();
        let place = found[0] + 1 - cut.recent as usize;
        assert!(place.abs_diff(300) <= 16, "the change is at 300, cut at {place}");
        assert!(cut.after > cut.before);
        assert_eq!(adwin.width() as usize, 599 - found[0]);
    }

    #[test]
    fn what_is_not_a_number_is_passed_over() {
        let mut adwin = Adwin::new(AdwinSettings { clock: 0, ..AdwinSettings::default() });
        for value in [f64::NAN, f64::INFINITY, 1.0] {
            assert_eq!(adwin.update(value), Signal::Steady);
        }
        assert_eq!((adwin.width(), adwin.mean()), (1, 1.0));
    }
}
