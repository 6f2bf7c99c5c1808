//! `chasqui drift compare`: two files beside each other, no server.
//!
//! `file` takes a file in, `columns` pairs what two files have, `answer` is the JSON, `page` the HTML and `terminal` the
//! table. What is measured and judged is `chasqui_drift`'s.

mod answer;
mod columns;
mod file;
mod page;
mod progress;
mod terminal;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use chasqui_drift::{CompareOptions, ComparedColumn, DefaultTests, TableComparison, Test, compare_tables};
use chasqui_registry::dataset::{DecimalMark, TextEncoding, Upload};
use chasqui_report::Language;
use clap::{Args, Subcommand, ValueEnum};

use super::output;
use answer::Sampled;
use columns::{Chosen, Pairs};
use file::{OpenFile, TakenFile, Wishes};
use progress::Progress;

/// What `--fail-on-drift` ends with, so that a script can tell drift from a fault.
const DRIFTED: u8 = 3;

/// What changed between two sets of data
#[derive(Debug, Subcommand)]
pub(super) enum DriftCommand {
    /// Compares two files column by column
    #[command(long_about = ABOUT, after_long_help = AFTER)]
    Compare(Box<Compare>),
}

const ABOUT: &str = "\
Compares two files column by column: did the data of now change against the data to compare with?

CSV in any common dialect (delimiter, decimal comma, encoding and date format are detected), Parquet and JSON lines are
read, of any size, in bounded memory. Columns are matched by name; dates and times are left out, for they always move.

By default a column of numbers is judged by `ks`, one of categories by `chisquare`: it drifted when the difference is too
large for chance (at most 5 % false alarms over the whole table) and at least 0.01 of the distribution moved.";

const AFTER: &str = "\
Tests:
  numbers       ks, t_test, mannw, anderson, cramer_von_mises, es, empirical_mmd, wasserstein, ed
  categories    chisquare, g_test, TVD, z, fisher_exact, psi, kl_div, jensenshannon, hellinger (of numbers too)
  free text     abs_text_content_drift (columns named by --text)

Large files:
  Up to 1,000,000 rows (fewer beyond 32 columns) every value is compared. Above, columns of numbers are compared by a
  random sample of that many rows; categories, missing values and means are counted over all rows. What was sampled, with
  its seed and error, is said in every output.

Exit codes:
  0  the files were compared, whether they differ or not
  1  they could not be compared; the message says why
  2  the command line is wrong
  3  the data drifted, with --fail-on-drift

Examples:
  chasqui drift compare --reference training.csv --current november.csv
  chasqui drift compare --reference a.parquet --current b.csv --html report.html
  chasqui drift compare --reference a.csv --current b.csv --tests ks,psi --columns price,age --json
  chasqui drift compare --reference a.csv --current b.csv --fail-on-drift || echo changed";

/// Which tests a column gets when none are named, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rules {
    /// At most 5 % false alarms over all columns, and an effect that matters
    Calibrated,
    /// The choice and the fixed thresholds of Evidently
    Evidently,
}

/// The language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageLanguage {
    /// Spanish
    Es,
    /// English
    En,
}

/// The mark of decimals in both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Decimal {
    /// 1,234.5
    Point,
    /// 1.234,5
    Comma,
}

/// The encoding of both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// UTF-8
    #[value(name = "utf-8")]
    Utf8,
    /// Windows-1252, which contains ISO 8859-1
    #[value(name = "latin-1")]
    Latin1,
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
    /// Only these columns
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Columns of free text, whose words are compared
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    text: Vec<String>,
    /// Write the comparison as one self-contained page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The language of the page
    #[arg(long, value_enum, default_value = "es")]
    lang: PageLanguage,
    /// What separates cells, in both files; else it is detected
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// The decimal mark of both files; else it is detected
    #[arg(long, value_enum, value_name = "MARK")]
    decimal: Option<Decimal>,
    /// The encoding of both files; else it is detected
    #[arg(long, value_enum)]
    encoding: Option<Encoding>,
    /// Rows of a file up to which every number is compared; above it, as many are drawn at random
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(100..=100_000_000))]
    sample: Option<u32>,
    /// Start of samples, permutations and simulations: the same seed gives the same answer
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tell progress even when errors do not go to a terminal
    #[arg(long)]
    progress: bool,
    /// End with code 3 when the data drifted
    #[arg(long)]
    fail_on_drift: bool,
}

impl DriftCommand {
    pub(super) fn run(self, as_json: bool) -> anyhow::Result<ExitCode> {
        let Self::Compare(compare) = self;
        compare.run(as_json)
    }
}

/// Two files compared, and what it rests on.
struct Comparison {
    reference: TakenFile,
    current: TakenFile,
    options: CompareOptions,
    compared: TableComparison,
    chosen: Chosen,
    sampled: Option<Sampled>,
}

impl Compare {
    fn run(&self, as_json: bool) -> anyhow::Result<ExitCode> {
        let comparison = self.compare()?;
        if as_json {
            output::json(&answer::json(&comparison)?);
        } else {
            terminal::show(&comparison, !self.tests.is_empty());
        }
        if let Some(path) = &self.html {
            self.write_page(path, &comparison)?;
        }
        let drifted = self.fail_on_drift && comparison.compared.verdict.drifted;
        Ok(if drifted { ExitCode::from(DRIFTED) } else { ExitCode::SUCCESS })
    }

    fn compare(&self) -> anyhow::Result<Comparison> {
        let options = self.options()?;
        let upload = self.upload();
        let open = |path| OpenFile::open(path, &upload);
        let (reference, current) = both(|| open(&self.reference), || open(&self.current))?;
        let mut chosen = Chosen::of(&reference, &current, &self.wanted())?;
        let wishes = Wishes {
            columns: chosen.columns.clone(),
            texts: self.text.iter().cloned().collect(),
            rows: self.sample.map(|rows| rows as usize),
            seed: self.seed,
        };
        let progress = Progress::new([reference.size(), current.size()], self.progress);
        let (reference, current) = progress.during(|| {
            both(|| reference.take(&wishes, &progress.reference), || current.take(&wishes, &progress.current))
        })?;
        let pairs = Pairs::of(&reference, &current, &mut chosen)?;
        let columns: Vec<ComparedColumn<'_>> = pairs.compared();
        let mut compared = compare_tables(&columns, &options);
        pairs.explain(&mut compared);
        drop(columns);
        let sampled = Sampled::of(&reference, &current, &compared, self.seed);
        drop(pairs);
        Ok(Comparison { reference, current, options, compared, chosen, sampled })
    }

    fn wanted(&self) -> columns::Wanted<'_> {
        columns::Wanted { only: &self.columns, ignored: &self.ignore, texts: &self.text }
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
        let pictures = self.html.is_some();
        Ok(CompareOptions {
            defaults,
            tests,
            threads,
            seed: self.seed,
            pictures,
            ..CompareOptions::default()
        })
    }

    fn upload(&self) -> Upload {
        Upload {
            delimiter: self.delimiter,
            decimal: self.decimal.map(|decimal| match decimal {
                Decimal::Point => DecimalMark::Point,
                Decimal::Comma => DecimalMark::Comma,
            }),
            encoding: self.encoding.map(|encoding| match encoding {
                Encoding::Utf8 => TextEncoding::Utf8,
                Encoding::Latin1 => TextEncoding::Latin1,
            }),
            ..Upload::default()
        }
    }

    fn write_page(&self, path: &Path, comparison: &Comparison) -> anyhow::Result<()> {
        let language = match self.lang {
            PageLanguage::Es => Language::Es,
            PageLanguage::En => Language::En,
        };
        let html = page::of(comparison, jiff::Timestamp::now()).html(language)?;
        std::fs::write(path, &html).with_context(|| format!("cannot write {}", path.display()))?;
        output::note(format!("wrote {} ({} kB)", path.display(), html.len().div_ceil(1000)));
        Ok(())
    }
}

/// Does the same with both files at the same time; of two errors the reference's is told.
fn both<T: Send>(
    reference: impl FnOnce() -> anyhow::Result<T> + Send,
    current: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, T)> {
    std::thread::scope(|scope| {
        let reference = scope.spawn(reference);
        let current = current();
        let reference = reference.join().unwrap_or_else(|_| bail!("the reader of the reference panicked"));
        Ok((reference?, current?))
    })
}

/// Every name is one of the columns.
fn check_names(option: &str, names: &[String], known: &OpenFile) -> anyhow::Result<()> {
    let columns: BTreeSet<&str> = known.columns.iter().map(String::as_str).collect();
    for name in names {
        ensure!(
            columns.contains(name.as_str()),
            "{option} names {name:?}, which {} does not have; its columns are {}",
            known.name,
            file::listed(&known.columns)
        );
    }
    Ok(())
}
