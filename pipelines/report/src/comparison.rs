//! Two tables compared, as one self-contained page: the verdict, every column before and now, every test in words.
//!
//! The page stays below 300 kB whatever the columns: those that changed most are drawn, the others are lines of a
//! table, and what finds no room is said aloud. Nothing is computed or judged here.

mod cards;
mod sentences;
mod texts;
mod view;

use jiff::Timestamp;

use crate::error::ReportError;
use crate::format::Language;

/// The page's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The table to compare with.
    pub reference: ComparedTable,
    /// The table of now.
    pub current: ComparedTable,
    /// When the comparison was made.
    pub generated_at: Timestamp,
    /// Whether the table drifted by the rules in force.
    pub drifted: bool,
    /// The rules in force.
    pub rules: ComparisonRules,
    /// The columns, in any order.
    pub columns: Vec<ComparedColumn>,
    /// Columns that were not compared.
    pub left_out: Vec<LeftOut>,
    /// What does not rest on every row; none when everything does.
    pub sampling: Option<Sampling>,
}

/// One of the two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedTable {
    /// Its file's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// By which rules columns are said to have drifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ComparisonRules {
    /// P-values decide, at a chance of a false alarm over the whole table, and the change must reach a size.
    Calibrated {
        /// The chance of any false alarm (0–1).
        alpha: f64,
        /// The least change (0–1).
        min_effect: f64,
    },
    /// Evidently's tests and thresholds; the table drifted when this share of its columns did.
    Evidently {
        /// The share (0–1).
        drift_share: f64,
    },
}

/// One column in both tables.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ComparedKind,
    /// Whether it drifted by the rules in force.
    pub drifted: bool,
    /// How far its distribution moved (0–1).
    pub effect: Option<f64>,
    /// The p-value of the describing test, adjusted over the columns.
    pub adjusted_p: Option<f64>,
    /// The tests, in their order.
    pub tests: Vec<TestLine>,
    /// The reference.
    pub before: ColumnFigures,
    /// The current data.
    pub after: ColumnFigures,
    /// The distribution; none where it cannot be drawn.
    pub cells: Option<ComparedCells>,
    /// Categories that the reference does not have, the most frequent first, and the share of all of them together.
    pub new: Option<(Vec<String>, f64)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparedKind {
    /// Numbers.
    Numeric,
    /// Categories.
    Categorical,
    /// Free text.
    Text,
}

/// A column in one of the tables.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ColumnFigures {
    /// Share of rows without a value (0–1).
    pub missing: f64,
    /// Mean of the numbers.
    pub mean: Option<f64>,
    /// Standard deviation of the numbers.
    pub deviation: Option<f64>,
}

/// Shares of the same cells in both tables.
#[derive(Debug, Clone, PartialEq)]
pub enum ComparedCells {
    /// Intervals of a number: their edges, one more than intervals, and the shares.
    Intervals {
        /// The edges.
        edges: Vec<f64>,
        /// Shares in the reference.
        before: Vec<f64>,
        /// Shares now.
        after: Vec<f64>,
    },
    /// The most frequent categories with their shares in the reference and now.
    Categories(Vec<(String, f64, f64)>),
}

/// One test's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct TestLine {
    /// The test's name as it is typed.
    pub name: &'static str,
    /// What its score is.
    pub score_kind: LineScore,
    /// The score; none when the test has no answer.
    pub score: Option<f64>,
    /// The threshold.
    pub threshold: f64,
    /// The score is on the far side of the threshold.
    pub drifted: bool,
    /// Whether the column's verdict rests on it.
    pub decides: bool,
    /// Why there is no answer, or why a sure change is not called one.
    pub reason: Option<LineReason>,
}

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineScore {
    /// A p-value: small means changed.
    PValue,
    /// A distance: large means changed.
    Distance,
    /// An area under the curve: large means changed.
    AreaUnderCurve,
}

/// Why a test has no answer, or why its answer is not called drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LineReason {
    /// The reference has no usable value.
    EmptyReference,
    /// The current data has no usable value.
    EmptyCurrent,
    /// Every value is the same.
    Constant,
    /// The reference is constant.
    ConstantReference,
    /// Fewer usable rows than this on a side.
    TooFewRows(usize),
    /// More than two values.
    MoreThanTwoValues,
    /// The middle half is one value.
    NoSpread,
    /// No category is frequent enough.
    Sparse,
    /// Too large to compute with.
    TooLarge,
    /// Not defined for this type.
    WrongType,
    /// The files hold different types.
    TypesDiffer,
    /// Sure, but this small (0–1).
    Small(f64),
    /// This is the smallest p-value that the test can give, and a smaller one would be needed.
    Coarse(f64),
}

/// Columns that were not compared, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Their names.
    pub names: Vec<String>,
    /// Why.
    pub why: LeftOutReason,
}

/// Why columns were not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOutReason {
    /// Only the reference has them.
    OnlyInReference,
    /// Only the current data has them.
    OnlyInCurrent,
    /// Dates and times.
    Times,
    /// Dates and times in one table, something else in the other.
    TimesInOne,
    /// Whoever compared asked for others.
    NotAsked,
}

/// What rests on a part of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Rows used of the reference, and all of its rows.
    pub reference: (u64, u64),
    /// Rows used of the current data, and all of its rows.
    pub current: (u64, u64),
    /// How far a distribution may be off at most (0–1).
    pub error: f64,
    /// How surely (0–1).
    pub confidence: f64,
    /// The seed that drew the rows.
    pub seed: u64,
    /// Tests that look at a part of the rows by themselves, and how many rows that is.
    pub tests: Vec<(&'static str, usize)>,
    /// Columns of more categories than are counted one by one.
    pub grouped: Vec<String>,
}

impl Comparison {
    /// The page in a language.
    ///
    /// # Errors
    /// `Internal` when the template fails.
    pub fn html(&self, language: Language) -> Result<String, ReportError> {
        view::html(self, language)
    }
}
