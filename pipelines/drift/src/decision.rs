//! What to do: when a model will need retraining and whether that pays, which changes come first, which of them
//! become alerts, and whether groups of people are treated alike.
//!
//! The figures that decide are the caller's: volumes, dollars, thresholds. Nothing here sends or starts anything.

mod fairness;
mod forecast;
mod incident;
mod payoff;
mod trend;

pub use fairness::{FairnessPolicy, Gap, Group, GroupFairness, Interval, Selection, fairness, wilson};
pub use forecast::{Crossing, ForecastSettings, RetrainingForecast, forecast};
pub use incident::{
    Alarm, Budget, Dispatch, Incident, Severity, SeverityPolicy, Situation, calibrated_drift, dispatch,
    incidents, priority, severity,
};
pub use payoff::{Advice, Loss, Payoff, RetrainingCost, advise, weekly_loss};
