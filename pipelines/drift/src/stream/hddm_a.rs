//! HDDM-A: the mean of all errors beside its lowest, by Hoeffding's bound (Frías-Blanco et al. 2015, algorithm 1).

use super::{Mean, Signal, indicator};

/// Parameters of [`HddmA`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HddmASettings {
    /// Chance of a false drift.
    pub drift: f64,
    /// Chance of a false warning.
    pub warning: f64,
}

impl Default for HddmASettings {
    fn default() -> Self {
        Self { drift: 0.001, warning: 0.005 }
    }
}

/// The detector, one-sided: it looks for more errors.
#[derive(Clone, Debug)]
pub struct HddmA {
    settings: HddmASettings,
    all: Mean,
    lowest: Mean,
}

impl HddmA {
    /// A detector without answers.
    pub fn new(settings: HddmASettings) -> Self {
        Self { settings, all: Mean::default(), lowest: Mean::default() }
    }

    /// Takes whether the next answer was an error.
    pub fn update(&mut self, error: bool) -> Signal {
        self.all.update(indicator(error));
        if self.lowest.count == 0.0 || self.upper(self.lowest) >= self.upper(self.all) {
            self.lowest = self.all;
        }
        if self.rose(self.settings.drift) {
            *self = Self::new(self.settings);
            Signal::Drift
        } else if self.rose(self.settings.warning) {
            Signal::Warning
        } else {
            Signal::Steady
        }
    }

    /// Mean plus Hoeffding's bound.
    fn upper(&self, mean: Mean) -> f64 {
        mean.value + (1.0 / (2.0 * mean.count) * (1.0 / self.settings.drift).ln()).sqrt()
    }

    /// The mean of all lies above the lowest by more than chance allows.
    fn rose(&self, chance: f64) -> bool {
        let (all, lowest) = (self.all, self.lowest);
        if lowest.count == all.count {
            return false;
        }
        let share = (all.count - lowest.count) / lowest.count * (1.0 / all.count);
        all.value - lowest.value >= (share / 2.0 * (2.0 / chance).ln()).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::{HddmA, HddmASettings, Signal};

    #[test]
    fn fewer_errors_are_no_drift_and_more_are() {
        let mut detector = HddmA::new(HddmASettings::default());
        for i in 0..1000 {
            assert_ne!(detector.update(i < 500 && i % 2 == 0), Signal::Drift);
        }
        assert!((0..500).any(|i| detector.update(i % 2 == 0) == Signal::Drift));
    }
}
