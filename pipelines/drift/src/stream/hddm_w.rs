//! HDDM-W: exponentially weighted errors before and after a cut, by McDiarmid's bound (Frías-Blanco et al. 2015,
//! algorithm 2).

use super::{Signal, indicator};

/// Parameters of [`HddmW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HddmWSettings {
    /// Chance of a false drift.
    pub drift: f64,
    /// Chance of a false warning.
    pub warning: f64,
    /// Weight of the newest answer, 0–1.
    pub lambda: f64,
}

impl Default for HddmWSettings {
    fn default() -> Self {
        Self { drift: 0.001, warning: 0.005, lambda: 0.05 }
    }
}

/// A weighted mean with the sum of its squared weights, None while nothing was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Weighted(Option<(f64, f64)>);

impl Weighted {
    fn update(&mut self, value: f64, lambda: f64) {
        let (mean, squares) = self.0.unwrap_or((0.0, 1.0));
        // A mean of exactly 0 takes the next value whole, as river's weighted mean does.
        let mean = if mean == 0.0 { value } else { lambda * value + (1.0 - lambda) * mean };
        self.0 = Some((mean, lambda * lambda + (1.0 - lambda).powi(2) * squares));
    }
}

/// The detector, one-sided: it looks for more errors.
#[derive(Clone, Debug)]
pub struct HddmW {
    settings: HddmWSettings,
    all: Weighted,
    before: Weighted,
    after: Weighted,
    lowest_bound: f64,
}

impl HddmW {
    /// A detector without answers.
    pub fn new(settings: HddmWSettings) -> Self {
        Self {
            settings,
            all: Weighted::default(),
            before: Weighted::default(),
            after: Weighted::default(),
            lowest_bound: f64::INFINITY,
        }
    }

    /// Takes whether the next answer was an error.
    pub fn update(&mut self, error: bool) -> Signal {
        let (value, lambda) = (indicator(error), self.settings.lambda);
        self.all.update(value, lambda);
        let upper =
            self.all.0.map_or(f64::INFINITY, |(mean, squares)| mean + bound(squares, self.settings.drift));
        if upper < self.lowest_bound {
            self.lowest_bound = upper;
            self.before = self.all;
            self.after = Weighted::default();
        } else {
            self.after.update(value, lambda);
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

    fn rose(&self, chance: f64) -> bool {
        match (self.before.0, self.after.0) {
            (Some((before, squares_before)), Some((after, squares_after))) => {
                after - before > bound(squares_before + squares_after, chance)
            }
            _ => false,
        }
    }
}

/// McDiarmid's bound for a weighted mean whose squared weights add up to `squares`.
fn bound(squares: f64, chance: f64) -> f64 {
    (squares * (1.0 / chance).ln() / 2.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{HddmW, HddmWSettings, Signal};

    #[test]
    fn a_sudden_row_of_errors_is_found() {
        let mut detector = HddmW::new(HddmWSettings::default());
        for i in 0..1000 {
            assert_ne!(detector.update(i % 10 == 0), Signal::Drift, "at {i}");
        }
        assert!((0..100).any(|_| detector.update(true) == Signal::Drift));
    }
}
