//! One file taken in: opened, checked, and read to its end in bounded memory.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use chasqui_drift::{CategoryCounts, IntakeLimits, Kept, NumberColumn, RowSample, TextColumn};
use chasqui_registry::dataset::{ColumnType, Piece, Seen, TableFile, Upload};

use super::progress::Reading;

/// Names shown in an error.
const MOST_NAMES: usize = 12;

/// What is wanted of a file.
pub(super) struct Wishes {
    /// The columns to take.
    pub(super) columns: BTreeSet<String>,
    /// Of these, columns of free text.
    pub(super) texts: BTreeSet<String>,
    /// Rows kept whole, when that was said.
    pub(super) rows: Option<usize>,
    /// Draws the rows that are kept.
    pub(super) seed: u64,
}

/// An open file.
pub(super) struct OpenFile {
    /// As its user wrote it.
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) seen: Seen,
    table: TableFile,
}

impl OpenFile {
    pub(super) fn open(path: &Path, upload: &Upload) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let table = TableFile::open(path, upload).with_context(|| format!("{name} cannot be compared"))?;
        Ok(Self { name, columns: table.column_names(), seen: table.seen(), table })
    }

    /// How the file was understood and what it has, for an error.
    pub(super) fn described(&self) -> String {
        let (count, names) = (self.columns.len(), listed(&self.columns));
        let word = if count == 1 { "column" } else { "columns" };
        format!("{} was read as {} with {count} {word}: {names}", self.name, self.seen)
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.table.size()
    }

    /// Reads the file to its end.
    pub(super) fn take(mut self, wishes: &Wishes, reading: &Reading) -> anyhow::Result<TakenFile> {
        let context = || format!("{} cannot be compared", self.name);
        let mut intake = Intake::default();
        while let Some(piece) = self.table.next_piece().with_context(context)? {
            match piece {
                Piece::Begin(schema) => intake = Intake::begin(&schema, wishes),
                Piece::Rows(batch) => intake.add(&batch),
            }
            reading.set(self.table.share(), self.table.rows());
        }
        ensure!(
            self.table.rows() > 0,
            "{} has no rows: {} was all that it holds",
            self.name,
            listed(&self.columns)
        );
        let (kept, rows) = intake.sample.as_ref().map_or((0, 0), |sample| (sample.kept(), sample.seen()));
        Ok(TakenFile { name: self.name, rows, kept, columns: intake.columns })
    }
}

/// Names in quotes, the first of many.
pub(super) fn listed(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| format!("{name:?}")).collect();
    if names.len() > MOST_NAMES {
        shown.push(format!("and {} more", names.len() - MOST_NAMES));
    }
    shown.join(", ")
}

/// A file that was read.
pub(super) struct TakenFile {
    pub(super) name: String,
    pub(super) rows: u64,
    /// Rows that columns of numbers are compared by.
    pub(super) kept: u64,
    columns: Vec<(String, TakenColumn)>,
}

impl TakenFile {
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, &TakenColumn)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
    }

    pub(super) fn column(&self, name: &str) -> Option<&TakenColumn> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }
}

/// A column that was read.
pub(super) enum TakenColumn {
    Numbers(NumberColumn),
    Categories(CategoryCounts),
    Texts(TextColumn),
    /// Dates and times, of which only the presence is known.
    Times {
        present: u64,
    },
}

impl TakenColumn {
    fn new(kind: Option<ColumnType>, is_text: bool, limits: IntakeLimits, seed: u64) -> Self {
        match kind {
            Some(ColumnType::Int64 | ColumnType::Float64 | ColumnType::Boolean) => {
                Self::Numbers(NumberColumn::default())
            }
            Some(ColumnType::Text) if is_text => Self::Texts(TextColumn::new(seed)),
            Some(ColumnType::Text) => {
                Self::Categories(CategoryCounts::new(limits.categories, limits.category_bytes))
            }
            Some(ColumnType::Date | ColumnType::Timestamp) | None => Self::Times { present: 0 },
        }
    }

    /// What it holds, for messages.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Categories(_) => "categories",
            Self::Texts(_) => "texts",
            Self::Times { .. } => "dates",
        }
    }

    /// Rows with a value.
    pub(super) fn present(&self) -> u64 {
        match self {
            Self::Numbers(column) => column.figures().rows - column.figures().missing,
            Self::Categories(counts) => counts.rows() - counts.missing(),
            Self::Texts(column) => column.rows() - column.missing(),
            Self::Times { present } => *present,
        }
    }

    fn add(&mut self, values: &ArrayRef, kept: &Kept, scratch: &mut Vec<f64>) {
        match self {
            Self::Numbers(column) => column.add(numbers(values, scratch), kept),
            Self::Categories(counts) => {
                for text in values.as_string_opt::<i32>().into_iter().flatten() {
                    counts.add(text);
                }
            }
            Self::Texts(column) => {
                for text in values.as_string_opt::<i32>().into_iter().flatten() {
                    column.add(text);
                }
            }
            Self::Times { present } => *present += (values.len() - values.null_count()) as u64,
        }
    }
}

/// The values as numbers, NaN where missing; truth values are 0 and 1.
fn numbers<'a>(values: &'a ArrayRef, scratch: &'a mut Vec<f64>) -> &'a [f64] {
    scratch.clear();
    if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
        if floats.null_count() == 0 {
            return floats.values();
        }
        scratch.extend(floats.iter().map(|value| value.unwrap_or(f64::NAN)));
    } else if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
        scratch.extend(integers.iter().map(|value| value.map_or(f64::NAN, |value| value as f64)));
    } else if let Some(booleans) = values.as_boolean_opt() {
        scratch
            .extend(booleans.iter().map(|value| value.map_or(f64::NAN, |value| f64::from(u8::from(value)))));
    }
    scratch
}

/// A file's columns while it is being read.
#[derive(Default)]
struct Intake {
    sample: Option<RowSample>,
    /// The places of the columns in a batch.
    places: Vec<usize>,
    columns: Vec<(String, TakenColumn)>,
    scratch: Vec<f64>,
}

impl Intake {
    fn begin(schema: &SchemaRef, wishes: &Wishes) -> Self {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| wishes.columns.contains(field.name()))
            .collect();
        let limits = IntakeLimits::for_columns(fields.len());
        let rows = wishes.rows.unwrap_or(limits.rows);
        let column = |name: &String, kind| {
            (name.clone(), TakenColumn::new(kind, wishes.texts.contains(name), limits, wishes.seed))
        };
        Self {
            sample: Some(RowSample::new(rows, wishes.seed)),
            places: fields.iter().map(|(place, _)| *place).collect(),
            columns: fields
                .iter()
                .map(|(_, field)| column(field.name(), ColumnType::of(field.data_type())))
                .collect(),
            scratch: Vec::new(),
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        let Some(sample) = &mut self.sample else { return };
        let kept = sample.offer(batch.num_rows());
        for (place, (_, column)) in self.places.iter().zip(&mut self.columns) {
            column.add(batch.column(*place), &kept, &mut self.scratch);
        }
    }
}
