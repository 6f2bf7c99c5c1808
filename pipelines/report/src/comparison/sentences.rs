//! What happened, in plain words: to the table, to a column, by a test.

use super::texts::ComparisonTexts;
use super::{
    ComparedCells, ComparedColumn, ComparedKind, Comparison, ComparisonRules, LineReason, LineScore,
    Sampling, TestLine,
};
use crate::format::{Format, Language};
use crate::texts::fill;
use crate::view::clip;

/// Letters that a name from outside may have on the page.
pub(super) const LONGEST_NAME: usize = 60;
/// Names in one sentence; the rest are counted.
const MOST_NAMES: usize = 8;
/// A mean that moved less than this many standard deviations is called similar.
const SIMILAR: f64 = 0.1;
/// A share of missing values that moved less than this is not worth a word.
const SIMILAR_MISSING: f64 = 0.001;
/// Smaller p-values are all the same to a reader.
const SMALLEST_P: f64 = 0.0001;

/// The words of one language.
#[derive(Clone, Copy)]
pub(super) struct Sentences {
    pub(super) t: &'static ComparisonTexts,
    pub(super) format: Format,
}

impl Sentences {
    pub(super) fn new(language: Language) -> Self {
        Self { t: ComparisonTexts::of(language), format: Format::new(language) }
    }

    /// The table's verdict.
    pub(super) fn verdict(self, comparison: &Comparison) -> String {
        let t = self.t;
        let tested = comparison.columns.iter().filter(|column| is_tested(column)).count();
        let drifted: Vec<&str> = ordered(&comparison.columns)
            .into_iter()
            .filter(|column| column.drifted)
            .map(|column| column.name.as_str())
            .collect();
        let text = match (drifted.len(), tested, comparison.drifted) {
            (_, 0, _) => t.verdict_untested,
            (0, 1, _) => t.verdict_same_only,
            (0, _, _) => t.verdict_same,
            (_, _, false) => t.verdict_some,
            (1, 1, true) => t.verdict_drift_only,
            (1, _, true) => t.verdict_drift_one,
            _ => t.verdict_drift,
        };
        let (tested, count) = (self.format.count(tested as u64), self.format.count(drifted.len() as u64));
        fill(text, &[("tested", &tested), ("count", &count), ("names", &self.names(&drifted))])
    }

    /// By which rules.
    pub(super) fn rules(self, rules: ComparisonRules) -> String {
        match rules {
            ComparisonRules::Calibrated { alpha, min_effect } => {
                let (alpha, effect) =
                    (self.format.percent_with(alpha, 0), self.format.percent_with(min_effect, 0));
                fill(self.t.rules_calibrated, &[("alpha", &alpha), ("effect", &effect)])
            }
            ComparisonRules::Evidently { drift_share } => {
                let share = self.format.percent_with(drift_share, 0);
                fill(self.t.rules_evidently, &[("share", &share)])
            }
        }
    }

    /// What does not rest on every row.
    pub(super) fn sampling(self, comparison: &Comparison, sampling: &Sampling) -> Vec<String> {
        let t = self.t;
        let mut sentences = vec![t.sampled.to_owned()];
        let sides = [(&comparison.reference, sampling.reference), (&comparison.current, sampling.current)];
        if sides.iter().any(|(_, (kept, rows))| kept < rows) {
            for (table, (kept, rows)) in sides {
                let text = if kept < rows { t.sampled_side } else { t.sampled_whole };
                let (kept, rows) = (self.format.count(kept), self.format.count(rows));
                let name = clip(&table.name, LONGEST_NAME);
                sentences.push(fill(text, &[("name", &name), ("kept", &kept), ("rows", &rows)]));
            }
            let error = self.format.percent_with(sampling.error, 2);
            let confidence = self.format.percent_with(sampling.confidence, 0);
            let seed = sampling.seed.to_string();
            let values = [("seed", seed.as_str()), ("error", &error), ("confidence", &confidence)];
            sentences.push(fill(t.sampled_error, &values));
        }
        for (test, rows) in &sampling.tests {
            let rows = self.format.count(*rows as u64);
            sentences.push(fill(t.sampled_test, &[("test", test), ("rows", &rows)]));
        }
        if !sampling.grouped.is_empty() {
            let names: Vec<&str> = sampling.grouped.iter().map(String::as_str).collect();
            sentences.push(fill(t.sampled_grouped, &[("names", &self.names(&names))]));
        }
        sentences
    }

    /// What happened to a column.
    pub(super) fn column(self, column: &ComparedColumn) -> String {
        let mut sentences = Vec::new();
        if column.drifted {
            sentences.push(match column.kind {
                ComparedKind::Numeric => self.numbers(column),
                ComparedKind::Categorical => self.categories(column),
                ComparedKind::Text => self.t.words_moved.into(),
            });
        } else if let Some(coarse) = column.tests.iter().find_map(|test| coarse(test.reason)) {
            sentences.push(format!("{}.", self.coarse(coarse)));
        } else if is_tested(column) {
            sentences.push(self.t.no_change.into());
        } else if let Some(reason) = column.tests.iter().find_map(|test| test.reason) {
            sentences.push(self.not_applicable(reason));
        }
        let (before, after) = (column.before.missing, column.after.missing);
        if (before - after).abs() >= SIMILAR_MISSING {
            let (before, after) = (self.format.percent(before), self.format.percent(after));
            sentences.push(fill(self.t.missing_moved, &[("before", &before), ("after", &after)]));
        }
        sentences.join(" ")
    }

    fn numbers(self, column: &ComparedColumn) -> String {
        let t = self.t;
        let (Some(before), Some(after)) = (column.before.mean, column.after.mean) else {
            return t.shape.into();
        };
        let spread = |deviation: Option<f64>| deviation.unwrap_or(0.0);
        let (old, new) = (spread(column.before.deviation), spread(column.after.deviation));
        if (after - before).abs() > SIMILAR * old {
            let (before, after) = self.format.pair(before, after);
            return fill(t.mean_moved, &[("before", &before), ("after", &after)]);
        }
        let text = if new > old * (1.0 + SIMILAR) {
            t.wider
        } else if new < old * (1.0 - SIMILAR) {
            t.narrower
        } else {
            t.shape
        };
        text.into()
    }

    fn categories(self, column: &ComparedColumn) -> String {
        let Some(ComparedCells::Categories(cells)) = &column.cells else { return self.t.groups_moved.into() };
        let moved = |cell: &(String, f64, f64)| (cell.2 - cell.1).abs();
        let most = cells.iter().max_by(|a, b| moved(a).total_cmp(&moved(b)));
        if let Some((names, share)) = &column.new
            && !names.is_empty()
            && *share >= most.map_or(0.0, moved)
        {
            let names: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
            let share = self.format.percent(*share);
            return fill(self.t.new_categories, &[("names", &self.names(&names)), ("share", &share)]);
        }
        let Some((value, before, after)) = most else { return self.t.groups_moved.into() };
        let (before, after) = (self.format.percent(*before), self.format.percent(*after));
        let value = clip(value, LONGEST_NAME);
        fill(self.t.category_moved, &[("value", &value), ("before", &before), ("after", &after)])
    }

    /// A test's verdict.
    pub(super) fn test(self, test: &TestLine) -> String {
        let t = self.t;
        match (test.reason, test.decides, test.drifted) {
            (Some(LineReason::Small(effect)), ..) => {
                fill(t.test_small, &[("effect", &self.format.percent_with(effect, 2))])
            }
            (Some(LineReason::Coarse(smallest)), ..) => self.coarse(smallest),
            (Some(reason), ..) => self.not_applicable(reason),
            (None, true, true) => t.test_changed.into(),
            (None, true, false) => t.test_same.into(),
            (None, false, true) => t.test_above.into(),
            (None, false, false) => t.test_below.into(),
        }
    }

    fn coarse(self, smallest: f64) -> String {
        fill(self.t.test_coarse, &[("p", &self.format.number(smallest, 4))])
    }

    fn not_applicable(self, reason: LineReason) -> String {
        let t = self.t;
        let words = match reason {
            LineReason::EmptyReference => t.reason_empty_reference.into(),
            LineReason::EmptyCurrent => t.reason_empty_current.into(),
            LineReason::Constant => t.reason_constant.into(),
            LineReason::ConstantReference => t.reason_constant_reference.into(),
            LineReason::TooFewRows(rows) => fill(t.reason_few, &[("rows", &self.format.count(rows as u64))]),
            LineReason::MoreThanTwoValues => t.reason_more_than_two.into(),
            LineReason::NoSpread => t.reason_no_spread.into(),
            LineReason::Sparse => t.reason_sparse.into(),
            LineReason::TooLarge => t.reason_too_large.into(),
            LineReason::WrongType => t.reason_wrong_type.into(),
            LineReason::TypesDiffer => t.reason_types_differ.into(),
            LineReason::Small(share) => self.format.percent_with(share, 2),
            LineReason::Coarse(smallest) => self.format.number(smallest, 4),
        };
        fill(t.not_applicable, &[("reason", &words)])
    }

    /// A test's score, as it is read: `p < 0,0001` is not told to the last digit. Empty without an answer.
    pub(super) fn score(self, test: &TestLine) -> String {
        match (test.score, test.score_kind) {
            (None, _) => String::new(),
            (Some(p), LineScore::PValue) => self.p_value(p),
            (Some(score), _) => self.format.plain(score),
        }
    }

    pub(super) fn p_value(self, p: f64) -> String {
        if p < SMALLEST_P {
            format!("< {}", self.format.number(SMALLEST_P, 4))
        } else if p > 1.0 - SMALLEST_P {
            self.format.number(1.0, 0)
        } else {
            self.format.plain(p)
        }
    }

    /// Names in a sentence.
    pub(super) fn names(self, names: &[&str]) -> String {
        let mut shown: Vec<String> =
            names.iter().take(MOST_NAMES).map(|name| clip(name, LONGEST_NAME)).collect();
        if names.len() > MOST_NAMES {
            let count = self.format.count((names.len() - MOST_NAMES) as u64);
            shown.push(fill(self.t.and_more, &[("count", &count)]));
        }
        shown.join(", ")
    }
}

/// At least one test has an answer.
fn coarse(reason: Option<LineReason>) -> Option<f64> {
    match reason {
        Some(LineReason::Coarse(smallest)) => Some(smallest),
        _ => None,
    }
}

pub(super) fn is_tested(column: &ComparedColumn) -> bool {
    column.tests.iter().any(|test| test.score.is_some())
}

/// Drifted columns first, then those that moved most.
pub(super) fn ordered(columns: &[ComparedColumn]) -> Vec<&ComparedColumn> {
    let mut ordered: Vec<&ComparedColumn> = columns.iter().collect();
    let moved = |column: &ComparedColumn| column.effect.unwrap_or(-1.0);
    ordered.sort_by(|a, b| {
        b.drifted.cmp(&a.drifted).then(moved(b).total_cmp(&moved(a))).then(a.name.cmp(&b.name))
    });
    ordered
}
