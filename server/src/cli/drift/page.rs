//! The comparison as the page's figures.

use chasqui_drift::{
    Cause, ColumnComparison, ColumnPicture, ColumnType, DefaultTests, NotApplicable, ScoreKind, Summary,
    Test, TestVerdict,
};
use chasqui_report::comparison::{
    self, ColumnFigures, ComparedCells, ComparedColumn, ComparedKind, ComparedTable, ComparisonRules,
    LeftOut, LeftOutReason, LineReason, LineScore, Sampling, TestLine,
};
use jiff::Timestamp;

use super::Comparison;
use super::answer::{Part, Sampled, missing};
use super::file::{TakenColumn, TakenFile};

pub(super) fn of(comparison: &Comparison, generated_at: Timestamp) -> comparison::Comparison {
    let Comparison { reference, current, options, compared, chosen, sampled } = comparison;
    let table = |file: &TakenFile| ComparedTable { name: file_name(&file.name), rows: file.rows };
    let rules = match options.defaults {
        DefaultTests::Calibrated => {
            ComparisonRules::Calibrated { alpha: options.alpha, min_effect: options.min_effect }
        }
        DefaultTests::Evidently => ComparisonRules::Evidently { drift_share: options.drift_share },
    };
    let left_out = [
        (LeftOutReason::OnlyInReference, &chosen.only_in_reference),
        (LeftOutReason::OnlyInCurrent, &chosen.only_in_current),
        (LeftOutReason::Times, &chosen.times),
        (LeftOutReason::TimesInOne, &chosen.times_in_one),
        (LeftOutReason::NotAsked, &chosen.not_asked),
    ];
    comparison::Comparison {
        reference: table(reference),
        current: table(current),
        generated_at,
        drifted: compared.verdict.drifted,
        rules,
        columns: compared
            .columns
            .iter()
            .map(|(name, column)| self::column(comparison, name, column))
            .collect(),
        left_out: left_out
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(why, names)| LeftOut { names: names.clone(), why })
            .collect(),
        sampling: sampled.as_ref().map(sampling),
    }
}

/// The last part of a path.
fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path).file_name();
    name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn sampling(sampled: &Sampled) -> Sampling {
    let rows = |part: Part| (part.rows, part.of);
    Sampling {
        reference: rows(sampled.reference),
        current: rows(sampled.current),
        error: sampled.error,
        confidence: sampled.confidence,
        seed: sampled.seed,
        tests: sampled.tests.iter().map(|(test, part)| (*test, part.rows as usize)).collect(),
        grouped: sampled.grouped.clone(),
    }
}

fn column(comparison: &Comparison, name: &str, column: &ColumnComparison) -> ComparedColumn {
    let verdict = &comparison.compared.verdict;
    let row = verdict.table.iter().find(|row| row.column == name);
    let is_calibrated = comparison.options.defaults == DefaultTests::Calibrated;
    let weighs = |test: &Test| !is_calibrated || test.score_kind() != ScoreKind::Distance;
    let any_weighs = column.tests.iter().any(|(test, answer)| weighs(test) && answer.score.is_some());
    let tests = column.tests.iter().map(|(test, answer)| line(*test, answer, weighs(test) || !any_weighs));
    let picture = column.picture.as_ref();
    ComparedColumn {
        name: name.to_owned(),
        kind: match column.column_type {
            ColumnType::Numeric => ComparedKind::Numeric,
            ColumnType::Categorical => ComparedKind::Categorical,
            ColumnType::Text => ComparedKind::Text,
        },
        drifted: row.is_some_and(|row| row.drifted),
        effect: row.and_then(|row| row.effect),
        adjusted_p: row.and_then(|row| row.adjusted_p),
        tests: tests.collect(),
        before: figures(&comparison.reference, name),
        after: figures(&comparison.current, name),
        cells: picture.and_then(cells),
        new: picture.filter(|picture| picture.after.new > 0.0).map(|picture| {
            let names = picture.after.new_categories.iter().map(|new| new.value.clone()).collect();
            (names, picture.after.new)
        }),
    }
}

/// Figures of all rows, sampled or not.
fn figures(file: &TakenFile, name: &str) -> ColumnFigures {
    let (mean, deviation) = match file.column(name) {
        Some(TakenColumn::Numbers(column)) => (column.figures().mean(), column.figures().deviation()),
        _ => (None, None),
    };
    ColumnFigures { missing: missing(file, name), mean, deviation }
}

fn cells(picture: &ColumnPicture) -> Option<ComparedCells> {
    let ColumnPicture { before, after } = picture;
    if !before.histogram.is_empty() && before.histogram.len() == after.histogram.len() {
        let mut edges: Vec<f64> = before.histogram.iter().map(|bin| bin.from).collect();
        edges.extend(before.histogram.last().map(|bin| bin.to));
        let shares = |summary: &Summary| summary.histogram.iter().map(|bin| bin.share).collect();
        return Some(ComparedCells::Intervals { edges, before: shares(before), after: shares(after) });
    }
    let pairs = before.categories.iter().zip(&after.categories);
    let cells: Vec<_> = pairs.map(|(old, new)| (old.value.clone(), old.share, new.share)).collect();
    (!cells.is_empty()).then_some(ComparedCells::Categories(cells))
}

fn line(test: Test, answer: &TestVerdict, decides: bool) -> TestLine {
    TestLine {
        name: test.name(),
        score_kind: match test.score_kind() {
            ScoreKind::PValue => LineScore::PValue,
            ScoreKind::Distance => LineScore::Distance,
            ScoreKind::AreaUnderCurve => LineScore::AreaUnderCurve,
        },
        score: answer.score,
        threshold: answer.threshold,
        drifted: answer.drifted,
        decides,
        reason: answer.cause.map(reason),
    }
}

fn reason(cause: Cause) -> LineReason {
    match cause {
        Cause::Small { effect, .. } => LineReason::Small(effect),
        Cause::Coarse { smallest } => LineReason::Coarse(smallest),
        Cause::NotApplicable(reason) => match reason {
            NotApplicable::EmptyReference => LineReason::EmptyReference,
            NotApplicable::EmptyCurrent => LineReason::EmptyCurrent,
            NotApplicable::Constant => LineReason::Constant,
            NotApplicable::ConstantReference => LineReason::ConstantReference,
            NotApplicable::TooFewRows(rows) => LineReason::TooFewRows(rows),
            NotApplicable::MoreThanTwoValues => LineReason::MoreThanTwoValues,
            NotApplicable::NoSpread => LineReason::NoSpread,
            NotApplicable::Sparse => LineReason::Sparse,
            NotApplicable::TooLarge => LineReason::TooLarge,
            NotApplicable::WrongType | NotApplicable::UnequalVectors => LineReason::WrongType,
            NotApplicable::TypesDiffer => LineReason::TypesDiffer,
        },
    }
}
