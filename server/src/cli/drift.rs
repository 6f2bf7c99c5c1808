//! `chasqui drift compare`: two files beside each other, no server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use chasqui_drift::{
    ColumnComparison, ColumnData, CompareOptions, ComparedColumn, DefaultTests, TableComparison, TableRow,
    Test, compare_tables,
};
use chasqui_registry::dataset::{Upload, read_file};
use chasqui_trainer::{ColumnData as Values, Table};
use clap::{Args, Subcommand, ValueEnum};

use super::output;

/// What changed between two sets of data
#[derive(Debug, Subcommand)]
pub(super) enum DriftCommand {
    /// Compares two files column by column
    Compare(Compare),
}

/// Which tests a column gets when none are named, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rules {
    /// At most 5 % false alarms over all columns, and an effect that matters
    Calibrated,
    /// The choice and the fixed thresholds of Evidently
    Evidently,
}

/// `chasqui drift compare`
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The data to compare with: CSV, Parquet or JSON lines
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// The data of now
    #[arg(long, value_name = "FILE")]
    current: PathBuf,
    /// Tests by name, separated by commas, or `all`; else those that suit each column
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tests: Vec<String>,
    /// Which tests by default, and which thresholds
    #[arg(long, value_enum, default_value = "calibrated")]
    rules: Rules,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Columns of free text, whose words are compared
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    text: Vec<String>,
    /// Start of permutations and simulations: the same seed gives the same answer
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with an error when the data drifted
    #[arg(long)]
    fail_on_drift: bool,
}

impl DriftCommand {
    pub(super) fn run(self, as_json: bool) -> anyhow::Result<()> {
        let Self::Compare(compare) = self;
        let compared = compare.run()?;
        if as_json {
            output::json(&serde_json::to_value(&compared)?);
        } else {
            show(&compared, !compare.tests.is_empty());
        }
        let drifted = &compared.verdict.drifted_columns;
        ensure!(!(compare.fail_on_drift && compared.verdict.drifted), "drift in {}", drifted.join(", "));
        Ok(())
    }
}

impl Compare {
    fn run(&self) -> anyhow::Result<TableComparison> {
        let options = self.options()?;
        output::progress(0.0, "reading the files");
        let (reference, current) = std::thread::scope(|scope| {
            let reference = scope.spawn(|| read(&self.reference));
            let current = read(&self.current);
            (reference.join().unwrap_or_else(|_| bail!("the reader of the file panicked")), current)
        });
        let (reference, current) = (reference?, current?);
        let pairs = self.pairs(&reference, &current)?;
        output::progress(0.5, &format!("comparing {} columns", pairs.len()));
        let columns: Vec<ComparedColumn<'_>> = pairs
            .iter()
            .map(|(name, reference, current)| ComparedColumn {
                name,
                reference: reference.data(),
                current: current.data(),
            })
            .collect();
        let compared = compare_tables(&columns, &options);
        let rows = format!("{} rows against {}", current.rows(), reference.rows());
        output::progress(1.0, &rows);
        Ok(compared)
    }

    fn options(&self) -> anyhow::Result<CompareOptions> {
        let tests = match self.tests.as_slice() {
            [all] if all == "all" => Test::ALL.to_vec(),
            names => names.iter().map(|name| Test::from_str(name.trim())).collect::<Result<_, _>>()?,
        };
        let defaults = match self.rules {
            Rules::Calibrated => DefaultTests::Calibrated,
            Rules::Evidently => DefaultTests::Evidently,
        };
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        Ok(CompareOptions { defaults, tests, threads, seed: self.seed, ..CompareOptions::default() })
    }

    /// The columns that both files have, as they are compared. What is left out is said.
    fn pairs<'t>(
        &self,
        reference: &'t Table,
        current: &'t Table,
    ) -> anyhow::Result<Vec<(&'t str, Prepared<'t>, Prepared<'t>)>> {
        let names = |table: &'t Table| -> BTreeSet<&'t str> {
            table.columns().iter().map(|column| column.name.as_str()).collect()
        };
        let (before, after) = (names(reference), names(current));
        for name in self.ignore.iter().chain(&self.text) {
            ensure!(before.contains(name.as_str()), "the reference has no column {name:?}");
        }
        say_left_out("only in the reference", before.difference(&after));
        say_left_out("only in the current data", after.difference(&before));
        let mut times = Vec::new();
        let mut pairs = Vec::new();
        for column in reference.columns() {
            let name = column.name.as_str();
            let Some(current) = current.column(name).filter(|_| !self.ignore.contains(&column.name)) else {
                continue;
            };
            let is_text = self.text.contains(&column.name);
            match (Prepared::of(&column.data, is_text), Prepared::of(current, is_text)) {
                (Some(reference), Some(current)) => pairs.push((name, reference, current)),
                _ => times.push(name),
            }
        }
        say_left_out("dates and times, which move by nature", times.iter());
        ensure!(!pairs.is_empty(), "the files have no columns in common that can be compared");
        Ok(pairs)
    }
}

fn say_left_out<'a>(why: &str, names: impl Iterator<Item = &'a &'a str>) {
    let names: Vec<&str> = names.copied().collect();
    if !names.is_empty() {
        output::note(format!("left out ({why}): {}", names.join(", ")));
    }
}

/// A column's values as tests take them.
enum Prepared<'t> {
    Numbers(&'t [f64]),
    Categories(Vec<Option<&'t str>>),
    Texts(Vec<Option<&'t str>>),
}

impl<'t> Prepared<'t> {
    /// None for times.
    fn of(values: &'t Values, is_text: bool) -> Option<Self> {
        match values {
            Values::Number(numbers) => Some(Self::Numbers(numbers)),
            Values::Text(texts) => {
                let texts = texts.iter().map(Option::as_deref).collect();
                Some(if is_text { Self::Texts(texts) } else { Self::Categories(texts) })
            }
            Values::Time(_) => None,
        }
    }

    fn data(&self) -> ColumnData<'_> {
        match self {
            Self::Numbers(numbers) => ColumnData::Numbers(numbers),
            Self::Categories(texts) => ColumnData::Categories(texts),
            Self::Texts(texts) => ColumnData::Texts(texts),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Table> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let upload = Upload { max_bytes: usize::MAX, ..Upload::default() };
    let batches = read_file(&Bytes::from(bytes), &upload)
        .with_context(|| format!("{} is not a table", path.display()))?;
    Table::from_batches(&batches).with_context(|| format!("{} is not a table", path.display()))
}

fn show(compared: &TableComparison, is_detailed: bool) {
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
}

fn line(row: &TableRow, compared: &TableComparison) -> Vec<String> {
    let column = compared.columns.get(&row.column);
    let scores = column.map_or_else(String::new, |column| {
        let scores = column.tests.iter().filter_map(|(test, outcome)| Some((test, outcome.score?)));
        scores
            .map(|(test, score)| format!("{} {}", test.name(), figure(score)))
            .collect::<Vec<_>>()
            .join(", ")
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

fn details((name, column): (&String, &ColumnComparison)) -> Vec<Vec<String>> {
    let lines = column.tests.iter().map(|(test, outcome)| {
        vec![
            name.clone(),
            test.name().into(),
            outcome.score.map_or_else(|| "-".into(), figure),
            figure(outcome.threshold),
            if outcome.drifted { "YES" } else { "no" }.into(),
            outcome.reason.clone().unwrap_or_default(),
        ]
    });
    lines.collect()
}

/// Four digits that count.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) { format!("{value:.4}") } else { format!("{value:.2e}") }
}
