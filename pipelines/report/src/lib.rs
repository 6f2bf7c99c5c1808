//! How it is told: the report for managers, its formats, its charts and the style sheet of every page.
//!
//! Everything here is a function of values: no clock, no files, no network. A [`Report`] is built from figures
//! that other crates computed ([`Draft`]), checked against the contract of the report (levels, responsible, due
//! date), and rendered as one self-contained HTML page by [`Report::html`].
//!
//! - [`format`](mod@format): numbers, money, percentages and dates as they are written in Ecuador, and in English.
//! - [`chart`]: a small SVG writer, shared with the dashboard.
//! - [`comparison`]: two tables compared, as a page of its own.
//! - [`page`]: the style sheet and the building blocks that reports and dashboard have in common.
//!
//! Deliberately not here: statistics, thresholds, and any decision other than the level ([`Level::of`]).

pub mod chart;
pub mod comparison;
pub mod format;
pub mod page;

mod error;
mod level;
mod nan;
mod report;
mod texts;
mod view;

pub use error::ReportError;
pub use format::{Format, Language, NumberStyle, Range, Unit};
pub use level::{ChangeFact, Facts, Level, PerformanceFact};
pub use report::annex::{
    Annex, FeatureTest, GateCheck, GateOutcome, GateReport, Guard, Lineage, RolloutEvent, RolloutReport,
    VersionUse,
};
pub use report::body::{
    Action, Change, Confidence, Distribution, DistributionCell, Fairness, GroupShare, Inaction, Measure,
    MissingForMoney, Money, Pace, Quality, QualityMeasure, Recommendation, Season,
};
pub use report::history::{Day, DayShares, Event, EventKind, History, VersionShare};
pub use report::{Draft, MAX_CHANGES, Period, Report};
pub use texts::fill;
