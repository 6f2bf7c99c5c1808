//! Whole tables: default tests, thresholds, the verdict.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::{ColumnData, ColumnPicture, measure::Pair};
use crate::{
    Cause, ColumnType, NotApplicable, ScoreKind, Test, TestVerdict, benjamini_hochberg, numbers::Bridges,
    test_verdict::Measured,
};

/// Evidently's rules change above this many reference rows.
const SMALL_REFERENCE: usize = 1_000;

/// A column of both tables.
#[derive(Clone, Copy, Debug)]
pub struct ComparedColumn<'a> {
    /// Its name; of two columns with one name the last one is kept.
    pub name: &'a str,
    /// The values to compare with.
    pub reference: ColumnData<'a>,
    /// The values of now.
    pub current: ColumnData<'a>,
}

/// Which tests a column gets when none are asked for, and what follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultTests {
    /// Numbers: `ks, wasserstein, psi, jensenshannon`; categories: `chisquare, psi, jensenshannon`; texts:
    /// `abs_text_content_drift`. P-values decide, at `alpha` over all tests of the table, and the effect must reach
    /// `min_effect`; the thresholds of distances rise to what chance makes of them.
    #[default]
    Calibrated,
    /// Evidently's choice by rows and distinct values, its thresholds, and drift of the table when half of the columns
    /// drifted.
    Evidently,
}

/// How tables are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// The rules.
    pub defaults: DefaultTests,
    /// Tests to run instead of the default ones; those that do not apply to a column are left out there.
    pub tests: Vec<Test>,
    /// Chance of any false alarm in the table (calibrated rules).
    pub alpha: f64,
    /// A change smaller than this (Kolmogorov–Smirnov or total variation distance) is never drift, however sure it
    /// is (calibrated rules).
    pub min_effect: f64,
    /// Share of drifted columns from which the table drifted (Evidently's rules).
    pub drift_share: f64,
    /// Threads to share the columns out to.
    pub threads: usize,
    /// Start of permutations, splits and simulations.
    pub seed: u64,
    /// Describe the columns for drawing too.
    pub pictures: bool,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            defaults: DefaultTests::Calibrated,
            tests: Vec::new(),
            alpha: 0.05,
            min_effect: 0.01,
            drift_share: 0.5,
            threads: 1,
            seed: 1,
            pictures: false,
        }
    }
}

/// One column's tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnComparison {
    /// What the column holds in the reference.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// The tests that were run.
    pub tests: BTreeMap<Test, TestVerdict>,
    /// The column as it is drawn, when that was asked for; not part of the stored or printed form.
    #[serde(skip)]
    pub picture: Option<ColumnPicture>,
}

/// One line of the descriptive table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// The column.
    pub column: String,
    /// The test that describes its type: `ks`, `chisquare` or `abs_text_content_drift`.
    pub test: Test,
    /// Its p-value; none when the test does not apply.
    pub p_value: Option<f64>,
    /// The p-value after Benjamini–Hochberg over the columns.
    pub adjusted_p: Option<f64>,
    /// How far the distribution moved (0–1): Kolmogorov–Smirnov or total variation distance, or 2·AUC − 1.
    pub effect: Option<f64>,
    /// Whether the column drifted by the rules in force.
    pub drifted: bool,
}

/// What the tests say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableVerdict {
    /// The table drifted.
    pub drifted: bool,
    /// The rules in force.
    pub rules: DefaultTests,
    /// Columns with at least one test that applied.
    pub tested: usize,
    /// Columns that drifted, by name.
    pub drifted_columns: Vec<String>,
    /// One line per column, by name.
    pub table: Vec<TableRow>,
}

/// Two tables compared: what `chasqui drift compare --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableComparison {
    /// The columns by name.
    pub columns: BTreeMap<String, ColumnComparison>,
    /// The verdict.
    pub verdict: TableVerdict,
}

/// One column measured, not yet judged.
struct MeasuredColumn {
    column_type: ColumnType,
    tests: Vec<(Test, Result<Measured, NotApplicable>, f64)>,
    base: (Test, Result<Measured, NotApplicable>),
    effect: Option<f64>,
    picture: Option<ColumnPicture>,
}

/// Compares two tables column by column.
pub fn compare_tables(columns: &[ComparedColumn<'_>], options: &CompareOptions) -> TableComparison {
    let measured = measure_all(columns, options);
    let deciding = |(test, measured, _): &&(Test, Result<Measured, NotApplicable>, f64)| {
        measured.is_ok() && test.score_kind() != ScoreKind::Distance
    };
    let decisions = measured.iter().flat_map(|column| &column.tests).filter(deciding).count();
    let judge = Judge { options, sure: options.alpha / decisions.max(1) as f64 };
    let mut comparisons = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for (column, measured) in columns.iter().zip(measured) {
        let comparison = judge.column(&measured);
        let comparison = ColumnComparison { picture: measured.picture, ..comparison };
        let p_value = measured.base.1.ok().and_then(|base| base.p_value);
        let row = TableRow {
            column: column.name.into(),
            test: measured.base.0,
            p_value,
            adjusted_p: None,
            effect: measured.effect,
            drifted: judge.drifted(&comparison),
        };
        rows.insert(row.column.clone(), row);
        comparisons.insert(column.name.into(), comparison);
    }
    let verdict = judge.verdict(&comparisons, rows.into_values().collect());
    TableComparison { columns: comparisons, verdict }
}

/// Measures the columns on as many threads as asked for, each taking the next one.
fn measure_all(columns: &[ComparedColumn<'_>], options: &CompareOptions) -> Vec<MeasuredColumn> {
    let bridges = Bridges::new(options.seed);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(columns.len()));
    let work = || loop {
        let position = next.fetch_add(1, Ordering::Relaxed);
        let Some(column) = columns.get(position) else { break };
        let measured = measure(column, options, &bridges);
        done.lock().unwrap_or_else(PoisonError::into_inner).push((position, measured));
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.clamp(1, columns.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, measured)| measured).collect()
}

fn measure(column: &ComparedColumn<'_>, options: &CompareOptions, bridges: &Bridges) -> MeasuredColumn {
    let column_type = column.reference.column_type();
    let pair = Pair::of(column.reference, column.current);
    let tests = if options.tests.is_empty() {
        default_tests(options.defaults, column_type, pair.as_ref().ok())
    } else {
        options.tests.iter().copied().filter(|test| test.applies_to(column_type)).collect()
    };
    let base_test = base_test(column_type);
    let Ok(pair) = pair else {
        let reason = NotApplicable::TypesDiffer;
        let tests = tests.into_iter().map(|test| (test, Err(reason), test.threshold())).collect();
        let base = (base_test, Err(reason));
        return MeasuredColumn { column_type, tests, base, effect: None, picture: None };
    };
    let base = pair.measure(base_test, options.seed);
    let measure = |test: Test| {
        let measured = if test == base_test { base } else { pair.measure(test, options.seed) };
        let measured = measured.map(|measured| Measured { smallest: pair.smallest_p(test), ..measured });
        let calibrated = options.defaults == DefaultTests::Calibrated;
        let raised = calibrated && test.score_kind() == ScoreKind::Distance;
        let chance = if raised { pair.chance_level(test, bridges) } else { None };
        (test, measured, chance.map_or(test.threshold(), |chance| chance.max(test.threshold())))
    };
    let tests = tests.into_iter().map(measure).collect();
    MeasuredColumn {
        column_type,
        tests,
        base: (base_test, base),
        effect: pair.effect(&base),
        picture: options.pictures.then(|| pair.picture()),
    }
}

/// The test that describes a type of column.
fn base_test(column: ColumnType) -> Test {
    match column {
        ColumnType::Numeric => Test::KolmogorovSmirnov,
        ColumnType::Categorical => Test::ChiSquared,
        ColumnType::Text => Test::TextContent,
    }
}

fn default_tests(defaults: DefaultTests, column: ColumnType, pair: Option<&Pair<'_>>) -> Vec<Test> {
    if defaults == DefaultTests::Evidently {
        return vec![pair.map_or(base_test(column), |pair| {
            evidently_test(column, pair.reference_rows(), pair.distinct())
        })];
    }
    match column {
        ColumnType::Numeric => {
            vec![Test::KolmogorovSmirnov, Test::Wasserstein, Test::PopulationStability, Test::JensenShannon]
        }
        ColumnType::Categorical => {
            vec![Test::ChiSquared, Test::PopulationStability, Test::JensenShannon]
        }
        ColumnType::Text => vec![Test::TextContent],
    }
}

/// Evidently's choice for a column with this many reference rows and distinct values.
fn evidently_test(column: ColumnType, rows: usize, distinct: usize) -> Test {
    match (column, rows > SMALL_REFERENCE) {
        (ColumnType::Text, _) => Test::TextContent,
        (ColumnType::Numeric, true) if distinct > 5 => Test::Wasserstein,
        (_, true) => Test::JensenShannon,
        (ColumnType::Numeric, false) if distinct > 5 => Test::KolmogorovSmirnov,
        (_, false) if distinct > 2 => Test::ChiSquared,
        (_, false) => Test::Proportions,
    }
}

struct Judge<'a> {
    options: &'a CompareOptions,
    /// The p-value that a single test must reach (calibrated rules).
    sure: f64,
}

impl Judge<'_> {
    fn calibrated(&self) -> bool {
        self.options.defaults == DefaultTests::Calibrated
    }

    fn column(&self, measured: &MeasuredColumn) -> ColumnComparison {
        let answers = measured.tests.iter().map(|(test, result, threshold)| {
            let decides = test.score_kind() == ScoreKind::PValue && self.calibrated();
            let threshold = if decides { self.sure } else { *threshold };
            let sure = if self.calibrated() { self.sure } else { super::SURE };
            let mut answer = TestVerdict::of(*test, *result, threshold, sure);
            let effect = measured.effect.filter(|effect| *effect < self.options.min_effect);
            if let (true, true, Some(effect)) = (decides, answer.drifted, effect) {
                answer.drifted = false;
                answer.reason = Some(format!(
                    "significant, but the distribution moved by {effect:.4} only; drift begins at {}",
                    self.options.min_effect
                ));
                answer.cause = Some(Cause::Small { effect, floor: self.options.min_effect });
            }
            let smallest = result.as_ref().ok().and_then(|measured| measured.smallest);
            let coarse = |smallest: &f64| decides && answer.score.is_some_and(|p| p <= *smallest && p > threshold);
            if let Some(smallest) = smallest.filter(coarse) {
                answer.reason = Some(format!(
                    "{smallest} is the smallest p-value that this test can give here, and {threshold:.2e} is needed: \
                     compare fewer columns, or by fewer tests"
                ));
                answer.cause = Some(Cause::Coarse { smallest });
            }
            (*test, answer)
        });
        ColumnComparison { column_type: measured.column_type, tests: answers.collect(), picture: None }
    }

    /// A column drifted when a test says so; in calibrated rules p-values decide where there are any.
    fn drifted(&self, column: &ColumnComparison) -> bool {
        let decides = |test: &Test| !self.calibrated() || test.score_kind() != ScoreKind::Distance;
        let any_decides = column.tests.iter().any(|(test, answer)| decides(test) && answer.score.is_some());
        column.tests.iter().any(|(test, answer)| answer.drifted && (decides(test) || !any_decides))
    }

    fn verdict(
        &self,
        columns: &BTreeMap<String, ColumnComparison>,
        mut table: Vec<TableRow>,
    ) -> TableVerdict {
        let p_values: Vec<f64> = table.iter().filter_map(|row| row.p_value).collect();
        let with_p = table.iter_mut().filter(|row| row.p_value.is_some());
        for (row, adjusted) in with_p.zip(benjamini_hochberg(&p_values)) {
            row.adjusted_p = Some(adjusted);
        }
        let drifted_columns: Vec<String> =
            table.iter().filter(|row| row.drifted).map(|row| row.column.clone()).collect();
        let share = drifted_columns.len() as f64 / columns.len().max(1) as f64;
        let drifted = !drifted_columns.is_empty() && (self.calibrated() || share >= self.options.drift_share);
        let applied = |column: &&ColumnComparison| column.tests.values().any(|answer| answer.score.is_some());
        TableVerdict {
            drifted,
            rules: self.options.defaults,
            tested: columns.values().filter(applied).count(),
            drifted_columns,
            table,
        }
    }
}
