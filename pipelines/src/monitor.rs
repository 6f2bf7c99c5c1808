//! Watching a service: sketches per window, the verdict that ends a window, and what a verdict leads to.
//!
//! Windows are in event time, the time of the predictions. A window is closed when its end has passed, or when a later
//! window has predictions (a replay runs faster than the clock), and its sketches have been quiet for a while.
//!
//! What is computed is computed by pure functions (`chasqui-drift`); here rows are read for them and what they say is
//! written down. A verdict is judged once and never changed; the performance of its window changes as outcomes come.

mod assessment;
mod flow;
mod history;
mod judge;
mod notice;
pub mod performance;
mod personal;
mod rows;
mod season;
mod verdict;
mod window;
mod wording;

use chasqui_drift::DriftPolicy;
use chasqui_registry::Micros;
use chasqui_registry::service::MonitorPolicy;
use serde::{Deserialize, Serialize};

pub use assessment::{Assessment, ChangeInterval, ColumnChange, ColumnLikeness, SeasonReading, SeasonSource};
pub use flow::{FlowTotal, store_flow};
pub use history::{DailyHistory, MOST_GROUPS, Signal, Watch};
pub use judge::judge;
pub use season::{EarlierYear, Stretch, read_season};
pub use verdict::{StoredVerdict, verdict_of, verdicts};
pub use window::{due, store_sketch, usual_rows};

const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;
/// Seasons are counted in days: shorter windows have none, and no days to date a change by.
const DAY_SECONDS: i64 = 86_400;

/// One window of one version of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowKey {
    /// The service.
    pub service: String,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: i64,
    /// The window's first instant.
    pub window_start: Micros,
}

/// The first instant of the window that an instant is in.
pub fn window_start(at: Micros, policy: &MonitorPolicy) -> Micros {
    let length = window_length(policy);
    Micros(at.0.div_euclid(length) * length)
}

fn window_length(policy: &MonitorPolicy) -> i64 {
    policy.window_seconds.max(1).saturating_mul(Micros::PER_SECOND)
}

/// The scan's settings for windows of this length: the chance of a false alarm stays that of a year.
pub fn drift_policy(policy: &MonitorPolicy) -> DriftPolicy {
    let windows_per_year = (SECONDS_PER_YEAR / policy.window_seconds.max(1) as f64).max(1.0);
    DriftPolicy { windows_per_year, ignore: policy.ignore.clone(), ..DriftPolicy::default() }
}
