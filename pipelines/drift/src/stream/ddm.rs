//! DDM: the error rate beside its lowest (Gama, Medas, Castillo & Rodrigues 2004).

use super::{Mean, Signal, indicator};

/// Parameters of [`Ddm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DdmSettings {
    /// Answers before the first warning.
    pub warm_start: u64,
    /// Standard deviations above the lowest error rate that are a warning.
    pub warning: f64,
    /// Standard deviations above it that are a drift.
    pub drift: f64,
}

impl Default for DdmSettings {
    fn default() -> Self {
        Self { warm_start: 30, warning: 2.0, drift: 3.0 }
    }
}

/// The detector.
#[derive(Clone, Debug)]
pub struct Ddm {
    settings: DdmSettings,
    errors: Mean,
    lowest_rate: f64,
    lowest_deviation: f64,
}

impl Ddm {
    /// A detector without answers.
    pub fn new(settings: DdmSettings) -> Self {
        Self {
            settings,
            errors: Mean::default(),
            lowest_rate: f64::INFINITY,
            lowest_deviation: f64::INFINITY,
        }
    }

    /// Takes whether the next answer was an error.
    pub fn update(&mut self, error: bool) -> Signal {
        self.errors.update(indicator(error));
        let Mean { count, value: rate } = self.errors;
        if count <= self.settings.warm_start as f64 {
            return Signal::Steady;
        }
        // Rounding can put a rate of 1 a hair above 1.
        let deviation = (rate * (1.0 - rate) / count).max(0.0).sqrt();
        if rate + deviation <= self.lowest_rate + self.lowest_deviation {
            self.lowest_rate = rate;
            self.lowest_deviation = deviation;
        }
        let above = |times: f64| rate + deviation > self.lowest_rate + times * self.lowest_deviation;
        if above(self.settings.drift) {
            *self = Self::new(self.settings);
            Signal::Drift
        } else if above(self.settings.warning) {
            Signal::Warning
        } else {
            Signal::Steady
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ddm, DdmSettings, Signal};

    #[test]
    fn a_model_that_only_errs_or_never_errs_does_not_drift() {
        for error in [true, false] {
            let mut ddm = Ddm::new(DdmSettings::default());
            assert!((0..500).all(|_| ddm.update(error) == Signal::Steady));
        }
    }
}
