//! How sure the scan must be before it raises an alarm.

use serde::{Deserialize, Serialize};

use crate::Profile;

/// Parameters of [`scan`](crate::scan()).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftPolicy {
    /// Chance of a false alarm per model and year.
    pub alpha: f64,
    /// How many windows a year has: 52 for weekly windows.
    pub windows_per_year: f64,
    /// A column with fewer usable values in the merged windows is not tested.
    pub min_rows: u64,
    /// A distance (Kolmogorov–Smirnov or total variation) below this never alarms, however sure it is: with
    /// hundreds of thousands of rows every difference is significant.
    pub min_effect: f64,
    /// A change of the missing share below this never alarms.
    pub min_missing_change: f64,
    /// Features whose distribution is not tested, such as the calendar, which moves by nature. Their missing values
    /// still are.
    pub ignore: Vec<String>,
}

impl DriftPolicy {
    /// The columns that share the chance of a false alarm: the watched features, and the answers.
    pub fn columns(&self, profile: &Profile) -> usize {
        let watched = profile.features.iter().filter(|column| !self.ignore.contains(&column.name)).count();
        (watched + usize::from(profile.prediction.is_some())).max(1)
    }
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            windows_per_year: 52.0,
            min_rows: 30,
            min_effect: 0.01,
            min_missing_change: 0.01,
            ignore: Vec::new(),
        }
    }
}
