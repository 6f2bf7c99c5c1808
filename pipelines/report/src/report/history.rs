//! What happened day by day: the series behind the report's charts.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::format::Unit;

/// The days of the period, and what happened on them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "ReportHistory")]
pub struct History {
    /// The days in ascending order.
    pub days: Vec<Day>,
    /// The unit of the predicted and actual values.
    pub unit: Unit,
    /// What the model predicts, in the company's words (`ventas diarias`).
    pub target: Option<String>,
    /// What happened: changes detected, versions, rollbacks.
    pub events: Vec<Event>,
    /// Which version answered which share of each day's requests.
    pub shares: Vec<DayShares>,
}

/// One day of a service. Missing and non-finite values are gaps in the chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportDay")]
pub struct Day {
    /// The day, in Guayaquil.
    pub date: Date,
    /// How many answers were given.
    #[serde(default)]
    pub predictions: u64,
    /// Mean of the predicted values (or scores).
    #[serde(default)]
    pub predicted: Option<f64>,
    /// Mean of what really happened, of the answers whose outcome is known.
    #[serde(default)]
    pub actual: Option<f64>,
    /// Lower end of the range of the error, of the estimate, or of the prediction.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end of the same range.
    #[serde(default)]
    pub high: Option<f64>,
    /// Mean absolute error, or the share of wrong answers.
    #[serde(default)]
    pub error: Option<f64>,
}

/// Something that happened and deserves a mark on the charts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportEvent")]
pub struct Event {
    /// The day it happened.
    pub date: Date,
    /// What it was.
    pub kind: EventKind,
    /// A detail: the version, the column.
    #[serde(default)]
    pub detail: Option<String>,
}

/// What an [`Event`] was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportEventKind")]
pub enum EventKind {
    /// A change in the data was detected.
    ChangeDetected,
    /// The model was trained again.
    Retrained,
    /// A new version began to answer.
    NewVersion,
    /// A version was withdrawn by itself or by somebody.
    RolledBack,
}

/// The shares of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportDayShares")]
pub struct DayShares {
    /// The day, in Guayaquil.
    pub date: Date,
    /// Requests or shares per version; scaled to the day's sum.
    pub shares: Vec<VersionShare>,
}

/// One version's part of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportVersionShare")]
pub struct VersionShare {
    /// The version.
    pub version: String,
    /// Requests, or share.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub share: f64,
}
