//! What the prediction log and the outcomes say day by day, as figures of a report.

use std::collections::BTreeMap;

use chasqui_registry::Micros;
use chasqui_report::format::local_date;
use chasqui_report::{Day, DayShares, Unit, VersionShare};
use chasqui_trainer::{ColumnData, Table, Task};
use jiff::Timestamp;
use jiff::civil::Date;

/// Sums of one day.
#[derive(Debug, Clone, Default)]
struct DaySums {
    predictions: u64,
    predicted: Mean,
    actual: Mean,
    error: Mean,
    versions: BTreeMap<i64, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, x: f64) {
        if x.is_finite() {
            self.sum += x;
            self.count += 1;
        }
    }

    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What happened in a period.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    days: BTreeMap<Date, DaySums>,
    /// Requests, first and last of each version.
    pub(super) versions: BTreeMap<i64, VersionTraffic>,
    /// Absolute errors, or 1 for a wrong and 0 for a right answer, per version.
    pub(super) errors: BTreeMap<i64, Vec<f64>>,
    /// Answers in the period.
    pub(super) predictions: u64,
    /// Answers whose outcome is known.
    pub(super) outcomes: u64,
}

/// The answers of one version.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionTraffic {
    pub(super) requests: u64,
    pub(super) first: Micros,
    pub(super) last: Micros,
}

impl Traffic {
    /// Reads the rows of the log and, apart, those with an outcome.
    pub(super) fn new(predictions: &Table, labelled: &Table, task: Option<Task>) -> Self {
        let mut traffic = Self::default();
        traffic.add_predictions(predictions);
        traffic.add_outcomes(labelled, task);
        traffic
    }

    fn add_predictions(&mut self, table: &Table) {
        let times = times(table, "at");
        let versions = numbers(table, "version");
        let (values, scores) = (numbers(table, "out.value"), numbers(table, "out.score"));
        for (row, at) in times.iter().enumerate() {
            let Some(day) = at.and_then(day) else { continue };
            let version = versions.get(row).map_or(0, |version| *version as i64);
            let at = Micros(at.unwrap_or_default());
            let sums = self.days.entry(day).or_default();
            sums.predictions += 1;
            let value = values.get(row).copied().filter(|value| value.is_finite());
            sums.predicted.add(value.or_else(|| scores.get(row).copied()).unwrap_or(f64::NAN));
            *sums.versions.entry(version).or_default() += 1;
            self.predictions += 1;
            let traffic =
                self.versions.entry(version).or_insert(VersionTraffic { requests: 0, first: at, last: at });
            traffic.requests += 1;
            traffic.first = traffic.first.min(at);
            traffic.last = traffic.last.max(at);
        }
    }

    fn add_outcomes(&mut self, table: &Table, task: Option<Task>) {
        let versions = numbers(table, "_version");
        for (row, at) in times(table, "_at").iter().enumerate() {
            let Some(day) = at.and_then(day) else { continue };
            let Some((actual, error)) = outcome(table, row, task) else { continue };
            let sums = self.days.entry(day).or_default();
            sums.actual.add(actual);
            sums.error.add(error);
            self.outcomes += 1;
            let version = versions.get(row).map_or(0, |version| *version as i64);
            self.errors.entry(version).or_default().push(error);
        }
    }

    /// The days in order.
    pub(super) fn days(&self) -> Vec<Day> {
        let day = |(date, sums): (&Date, &DaySums)| Day {
            date: *date,
            predictions: sums.predictions,
            predicted: sums.predicted.get(),
            actual: sums.actual.get(),
            low: None,
            high: None,
            error: sums.error.get(),
        };
        self.days.iter().map(day).collect()
    }

    /// Which version answered how much each day.
    pub(super) fn shares(&self) -> Vec<DayShares> {
        let share = |(version, requests): (&i64, &u64)| VersionShare {
            version: version.to_string(),
            share: *requests as f64,
        };
        let day = |(date, sums): (&Date, &DaySums)| DayShares {
            date: *date,
            shares: sums.versions.iter().map(share).collect(),
        };
        self.days.iter().filter(|(_, sums)| sums.predictions > 0).map(day).collect()
    }
}

/// The unit of predicted and actual values.
pub(super) fn unit(task: Option<Task>) -> Unit {
    match task {
        Some(Task::Binary | Task::Multiclass) => Unit::Percent,
        _ => Unit::Plain,
    }
}

/// What really happened in a row, and how far the answer was from it; none when it cannot be told.
fn outcome(table: &Table, row: usize, task: Option<Task>) -> Option<(f64, f64)> {
    let number = |name: &str| numbers(table, name).get(row).copied().filter(|x| x.is_finite());
    if task.is_none() || task == Some(Task::Regression) {
        let actual = number("_outcome_value")?;
        return Some((actual, (number("_value")? - actual).abs()));
    }
    let text = |name: &str| match table.column(name) {
        Some(ColumnData::Text(texts)) => texts.get(row).cloned().flatten(),
        _ => None,
    };
    let converted = number("_outcome_converted");
    let happened = text("_outcome_label").or_else(|| converted.map(|x| (x as u8).to_string()))?;
    let wrong = f64::from(u8::from(text("_label")? != happened));
    Some((converted.or_else(|| happened.parse().ok()).unwrap_or(f64::NAN), wrong))
}

fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    match table.column(name) {
        Some(ColumnData::Number(values)) => values,
        _ => &[],
    }
}

fn times<'a>(table: &'a Table, name: &str) -> &'a [Option<i64>] {
    match table.column(name) {
        Some(ColumnData::Time(values)) => values,
        _ => &[],
    }
}

fn day(at: i64) -> Option<Date> {
    Timestamp::from_microsecond(at).ok().map(local_date)
}
