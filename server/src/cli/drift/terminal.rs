//! The comparison as a table on the terminal.

use chasqui_drift::{ColumnComparison, TableComparison, TableRow};
use chasqui_report::{Format, Language};

use super::Comparison;
use super::answer::{Part, Sampled};
use crate::cli::output;

pub(super) fn show(comparison: &Comparison, is_detailed: bool) {
    let compared = &comparison.compared;
    let verdict = &compared.verdict;
    let rows: Vec<Vec<String>> = verdict.table.iter().map(|row| line(row, compared)).collect();
    output::table(&["column", "type", "drift", "moved", "adjusted p", "scores"], &rows);
    if is_detailed {
        output::line("");
        let details: Vec<Vec<String>> = compared.columns.iter().flat_map(details).collect();
        output::table(&["column", "test", "score", "threshold", "drift", "reason"], &details);
    }
    let (drifted, tested) = (verdict.drifted_columns.len(), verdict.tested);
    let word = if verdict.drifted { "the data drifted" } else { "no drift" };
    output::line(format!("\n{word}: {drifted} of {tested} columns"));
    let (before, after) = (&comparison.reference, &comparison.current);
    output::line(format!("{} rows against {}", count(after.rows), count(before.rows)));
    for sentence in comparison.sampled.iter().flat_map(sampling) {
        output::line(sentence);
    }
}

fn count(rows: u64) -> String {
    Format::new(Language::En).count(rows)
}

/// What rests on a part of the rows.
fn sampling(sampled: &Sampled) -> Vec<String> {
    let part = |part: Part| format!("{} of {} rows", count(part.rows), count(part.of));
    let mut sentences = Vec::new();
    if sampled.has_rows() {
        sentences.push(format!(
            "sampled: numbers are compared by {} of the reference and {} of the current data (seed {}); \
             distributions are off by {:.4} at most with {:.0} % certainty; categories, missing values and means are of all rows",
            part(sampled.reference),
            part(sampled.current),
            sampled.seed,
            sampled.error,
            sampled.confidence * 100.0
        ));
    }
    for (test, rows) in &sampled.tests {
        sentences.push(format!("sampled: {test} looks at {} rows of each file at most", count(rows.rows)));
    }
    if !sampled.grouped.is_empty() {
        sentences.push(format!(
            "grouped: too many categories to count one by one, counted in 1,024 groups: {}",
            sampled.grouped.join(", ")
        ));
    }
    sentences
}

fn line(row: &TableRow, compared: &TableComparison) -> Vec<String> {
    let column = compared.columns.get(&row.column);
    let scores = column.map_or_else(String::new, |column| {
        let scores = column.tests.iter().filter_map(|(test, answer)| Some((test, answer.score?)));
        let scores: Vec<String> =
            scores.map(|(test, score)| format!("{} {}", test.name(), figure(score))).collect();
        if scores.is_empty() { reason(column) } else { scores.join(", ") }
    });
    vec![
        row.column.clone(),
        column.map_or_else(String::new, |column| column.column_type.to_string()),
        if row.drifted { "YES" } else { "no" }.into(),
        row.effect.map_or_else(|| "-".into(), figure),
        row.adjusted_p.map_or_else(|| "-".into(), figure),
        scores,
    ]
}

/// Why no test has an answer.
fn reason(column: &ColumnComparison) -> String {
    column.tests.values().find_map(|answer| answer.reason.clone()).unwrap_or_default()
}

fn details((name, column): (&String, &ColumnComparison)) -> Vec<Vec<String>> {
    let lines = column.tests.iter().map(|(test, answer)| {
        vec![
            name.clone(),
            test.name().into(),
            answer.score.map_or_else(|| "-".into(), figure),
            figure(answer.threshold),
            if answer.drifted { "YES" } else { "no" }.into(),
            answer.reason.clone().unwrap_or_default(),
        ]
    });
    lines.collect()
}

/// Four digits that count.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) { format!("{value:.4}") } else { format!("{value:.2e}") }
}
