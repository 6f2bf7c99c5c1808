//! EDDM: the distance between errors beside its longest (Baena-García et al. 2006).

use super::{Mean, Signal};

/// Parameters of [`Eddm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EddmSettings {
    /// Answers, and errors, before the first detection.
    pub warm_start: u64,
    /// Share of the longest distance below which there is a warning, 0–1.
    pub alpha: f64,
    /// Share of it below which there is a drift, at most `alpha`.
    pub beta: f64,
}

impl Default for EddmSettings {
    fn default() -> Self {
        Self { warm_start: 30, alpha: 0.95, beta: 0.9 }
    }
}

/// The detector.
#[derive(Clone, Debug)]
pub struct Eddm {
    settings: EddmSettings,
    distances: Mean,
    squares: f64,
    answers: u64,
    last_error: u64,
    longest: f64,
    warning: bool,
}

impl Eddm {
    /// A detector without answers.
    pub fn new(settings: EddmSettings) -> Self {
        Self {
            settings,
            distances: Mean::default(),
            squares: 0.0,
            answers: 0,
            last_error: 0,
            longest: -1.0,
            warning: false,
        }
    }

    /// Takes whether the next answer was an error. Between errors a warning stays.
    pub fn update(&mut self, error: bool) -> Signal {
        self.answers += 1;
        if error && self.drifted() {
            *self = Self::new(self.settings);
            return Signal::Drift;
        }
        if self.warning { Signal::Warning } else { Signal::Steady }
    }

    fn drifted(&mut self) -> bool {
        let distance = (self.answers - self.last_error) as f64;
        self.last_error = self.answers;
        let mean_before = self.distances.value;
        self.distances.update(distance);
        self.squares += (distance - mean_before) * (distance - self.distances.value);
        if self.answers <= self.settings.warm_start {
            return false;
        }
        let errors = self.distances.count;
        let variance = if errors > 1.0 { self.squares / (errors - 1.0) } else { 0.0 };
        let reach = self.distances.value + 2.0 * variance.max(0.0).sqrt();
        if reach > self.longest {
            self.longest = reach;
            return false;
        }
        if errors <= self.settings.warm_start as f64 {
            return false;
        }
        let level = reach / self.longest;
        self.warning = level < self.settings.alpha && level >= self.settings.beta;
        level < self.settings.beta
    }
}

#[cfg(test)]
mod tests {
    use super::{Eddm, EddmSettings, Signal};

    #[test]
    fn errors_that_come_closer_are_a_drift() {
        let mut eddm = Eddm::new(EddmSettings::default());
        let rare = (0..2000).map(|i| i % 20 == 19);
        assert!(rare.map(|error| eddm.update(error)).all(|signal| signal != Signal::Drift));
        let often = (0..2000).map(|i| i % 3 == 0);
        assert!(often.map(|error| eddm.update(error)).any(|signal| signal == Signal::Drift));
    }
}
