//! The comparison as JSON: `columns` and `verdict`, and beside them the rows and what was sampled.

use std::collections::BTreeMap;

use chasqui_drift::{TableComparison, Test, sampling_error};
use serde::Serialize;
use serde_json::Value;

use super::Comparison;
use super::file::{TakenColumn, TakenFile};

/// Certainty with which the sampling error is stated, over both files.
pub(super) const CONFIDENCE: f64 = 0.99;

/// A number of rows of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    pub(super) rows: u64,
    pub(super) of: u64,
}

/// What does not rest on every row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Sampled {
    /// Of the larger file.
    #[serde(flatten)]
    pub(super) larger: Part,
    pub(super) reference: Part,
    pub(super) current: Part,
    /// Columns compared by the sample.
    pub(super) columns: Vec<String>,
    pub(super) seed: u64,
    pub(super) method: &'static str,
    /// How far the `ks` statistic and every share of a sampled column may be off at most.
    pub(super) error: f64,
    pub(super) confidence: f64,
    /// Tests that draw rows of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tests: BTreeMap<&'static str, Part>,
    /// Columns of too many categories, counted in groups of them over all rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) grouped: Vec<String>,
}

impl Sampled {
    /// None when everything rests on every row.
    pub(super) fn of(
        reference: &TakenFile,
        current: &TakenFile,
        compared: &TableComparison,
        seed: u64,
    ) -> Option<Self> {
        let is_sampled = [reference, current].iter().any(|file| file.kept < file.rows);
        let numbers = |name: &&String| {
            [reference, current].iter().any(|file| matches!(file.column(name), Some(TakenColumn::Numbers(_))))
        };
        let columns: Vec<String> =
            compared.columns.keys().filter(|name| is_sampled && numbers(name)).cloned().collect();
        // Where there are no numbers, every row counts.
        let kept = |file: &TakenFile| if columns.is_empty() { file.rows } else { file.kept };
        let part = |file: &TakenFile| Part { rows: kept(file), of: file.rows };
        let (before, after) = (part(reference), part(current));
        let chance = (1.0 - CONFIDENCE) / 2.0;
        let error = |part: Part| sampling_error(part.rows, part.of, chance);
        let larger = if before.of >= after.of { before } else { after };
        let sampled = Self {
            larger,
            reference: before,
            current: after,
            seed,
            method: "uniform random rows (reservoir)",
            error: (error(before) + error(after)).min(1.0),
            confidence: CONFIDENCE,
            tests: sampling_tests(compared, larger.of),
            grouped: grouped([reference, current], compared),
            columns,
        };
        let matters = !sampled.columns.is_empty() || !sampled.tests.is_empty() || !sampled.grouped.is_empty();
        matters.then_some(sampled)
    }

    /// Whether columns of numbers rest on a part of the rows.
    pub(super) fn has_rows(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// Tests that had an answer from fewer rows than there are.
fn sampling_tests(compared: &TableComparison, of: u64) -> BTreeMap<&'static str, Part> {
    let answered = |test: Test| {
        compared
            .columns
            .values()
            .any(|column| column.tests.get(&test).is_some_and(|answer| answer.score.is_some()))
    };
    let most = |test: Test| test.most_rows().map(|rows| (test, rows as u64));
    Test::ALL
        .into_iter()
        .filter_map(most)
        .filter(|(test, rows)| *rows < of && answered(*test))
        .map(|(test, rows)| (test.name(), Part { rows, of }))
        .collect()
}

fn grouped(files: [&TakenFile; 2], compared: &TableComparison) -> Vec<String> {
    let is_grouped = |name: &&String| {
        files.iter().any(
            |file| matches!(file.column(name), Some(TakenColumn::Categories(counts)) if counts.is_grouped()),
        )
    };
    compared.columns.keys().filter(is_grouped).cloned().collect()
}

/// What is printed.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    compared: &'a TableComparison,
    rows: Rows,
    /// Share of rows without a value, for columns where a row has none.
    missing: BTreeMap<&'a str, Missing>,
    left_out: BTreeMap<&'static str, &'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampled: Option<&'a Sampled>,
}

#[derive(Serialize)]
struct Rows {
    reference: u64,
    current: u64,
}

#[derive(Serialize)]
struct Missing {
    reference: f64,
    current: f64,
}

pub(super) fn json(comparison: &Comparison) -> Result<Value, serde_json::Error> {
    let Comparison { reference, current, compared, chosen, sampled, .. } = comparison;
    let missing = compared.columns.keys().filter_map(|name| {
        let (before, after) = (missing(reference, name), missing(current, name));
        (before > 0.0 || after > 0.0)
            .then_some((name.as_str(), Missing { reference: before, current: after }))
    });
    let left_out = [
        ("only_in_reference", &chosen.only_in_reference),
        ("only_in_current", &chosen.only_in_current),
        ("not_asked", &chosen.not_asked),
        ("times", &chosen.times),
        ("times_in_one_file", &chosen.times_in_one),
    ];
    let left_out = left_out.into_iter().filter(|(_, names)| !names.is_empty());
    serde_json::to_value(Answer {
        compared,
        rows: Rows { reference: reference.rows, current: current.rows },
        missing: missing.collect(),
        left_out: left_out.map(|(why, names)| (why, names.as_slice())).collect(),
        sampled: sampled.as_ref(),
    })
}

/// The share of a file's rows without a value of a column.
pub(super) fn missing(file: &TakenFile, name: &str) -> f64 {
    let present = file.column(name).map_or(0, TakenColumn::present);
    (file.rows - present.min(file.rows)) as f64 / file.rows.max(1) as f64
}
