//! The Page–Hinkley test: cumulated deviations from the running mean (Page 1954; Hinkley 1971).

use super::{Mean, Signal};

/// Which change of the mean is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It grew.
    Up,
    /// It fell.
    Down,
    /// Either.
    Both,
}

/// Parameters of [`PageHinkley`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageHinkleySettings {
    /// Values before the first detection.
    pub min_instances: u64,
    /// A deviation smaller than this does not count, in the unit of the values.
    pub delta: f64,
    /// The cumulated deviation that is a drift, in the unit of the values.
    pub threshold: f64,
    /// How much of the cumulated deviation is kept at each value, 0–1.
    pub alpha: f64,
    /// Which change is looked for.
    pub direction: Direction,
}

impl Default for PageHinkleySettings {
    fn default() -> Self {
        Self { min_instances: 30, delta: 0.005, threshold: 50.0, alpha: 0.9999, direction: Direction::Both }
    }
}

/// The detector.
#[derive(Clone, Debug)]
pub struct PageHinkley {
    settings: PageHinkleySettings,
    mean: Mean,
    rise: f64,
    lowest_rise: f64,
    fall: f64,
    highest_fall: f64,
}

impl PageHinkley {
    /// A detector without values.
    pub fn new(settings: PageHinkleySettings) -> Self {
        Self {
            settings,
            mean: Mean::default(),
            rise: 0.0,
            lowest_rise: f64::INFINITY,
            fall: 0.0,
            highest_fall: f64::NEG_INFINITY,
        }
    }

    /// Takes the next value; a value that is not finite is passed over.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Steady;
        }
        let PageHinkleySettings { alpha, delta, .. } = self.settings;
        self.mean.update(value);
        let deviation = value - self.mean.value;
        self.rise = alpha * self.rise + deviation - delta;
        self.fall = alpha * self.fall + deviation + delta;
        self.lowest_rise = self.lowest_rise.min(self.rise);
        self.highest_fall = self.highest_fall.max(self.fall);
        if self.mean.count >= self.settings.min_instances as f64 && self.beyond() {
            *self = Self::new(self.settings);
            return Signal::Drift;
        }
        Signal::Steady
    }

    fn beyond(&self) -> bool {
        let risen = self.rise - self.lowest_rise > self.settings.threshold;
        let fallen = self.highest_fall - self.fall > self.settings.threshold;
        match self.settings.direction {
            Direction::Up => risen,
            Direction::Down => fallen,
            Direction::Both => risen || fallen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, PageHinkley, PageHinkleySettings, Signal};

    fn fires(direction: Direction, after: f64) -> bool {
        let mut test = PageHinkley::new(PageHinkleySettings { direction, ..Default::default() });
        let values = (0..200).map(|i| if i < 100 { 0.0 } else { after });
        values.fold(false, |fired, value| fired | (test.update(value) == Signal::Drift))
    }

    #[test]
    fn only_the_direction_asked_for_counts() {
        assert!(fires(Direction::Up, 3.0) && !fires(Direction::Up, -3.0));
        assert!(fires(Direction::Down, -3.0) && !fires(Direction::Down, 3.0));
        assert!(fires(Direction::Both, 3.0) && fires(Direction::Both, -3.0));
        assert!(!fires(Direction::Both, 0.0));
    }
}
