//! Delimited text (CSV): once over all rows to conclude the types, once more to read them. `pass` does both at once
//! for files too large to be looked at twice.

mod pass;

use std::collections::HashSet;
use std::io::Read;

use csv::StringRecord;

use super::cells::TableBuilder;
use super::dialect::Dialect;
use super::infer::{self, ColumnFormat, Evidence, Stated};
use super::text::TextEncoding;
use super::writer::Sink;
use super::{MAX_CELL_BYTES, MAX_COLUMNS, Upload, text};
use crate::{Error, Result};

pub(super) use pass::{Pass, Step};

/// What a delimited file was found to be.
pub(super) struct Delimited {
    pub(super) dialect: Dialect,
    pub(super) names: Vec<String>,
    pub(super) formats: Vec<ColumnFormat>,
}

impl Delimited {
    /// Looks at every row.
    pub(super) fn detect(bytes: &[u8], upload: &Upload) -> Result<Self> {
        let dialect = Dialect::detect(bytes, upload)?;
        let mut rows = Rows::open(text::reader(bytes, dialect.encoding), &dialect);
        let mut names = Vec::new();
        let mut evidence: Vec<Evidence> = Vec::new();
        let mut record = StringRecord::new();
        let mut unclosed = None;
        while rows.next(&mut record)? {
            if names.is_empty() {
                names = names_of(&record, dialect.header)?;
                evidence = vec![Evidence::default(); names.len()];
                if dialect.header {
                    continue;
                }
            }
            check_row(&record, &names, rows.number, &dialect)?;
            for (cell, evidence) in record.iter().zip(&mut evidence) {
                evidence.add(cell);
            }
            unclosed = may_be_unclosed(&record).then_some(rows.number);
        }
        if let Some(row) = unclosed {
            check_last_quote(bytes, &dialect, row)?;
        }
        let stated = Stated { decimal: upload.decimal, dates: upload.date_format };
        let mut formats = infer::decide(&evidence, stated, dialect.delimiter);
        apply_types(&names, &mut formats, upload)?;
        Ok(Self { dialect, names, formats })
    }

    /// Reads every row into `sink`.
    pub(super) fn read(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        let mut rows = Rows::open(text::reader(bytes, self.dialect.encoding), &self.dialect);
        let mut columns = TableBuilder::new(&self.names, &self.formats);
        let mut record = StringRecord::new();
        if self.dialect.header {
            rows.next(&mut record)?;
        }
        while rows.next(&mut record)? {
            for (place, cell) in record.iter().enumerate() {
                columns.push(place, cell, rows.number)?;
            }
            columns.end_row();
            if columns.is_full() {
                sink(&columns.take()?)?;
            }
        }
        if !columns.is_empty() {
            sink(&columns.take()?)?;
        }
        Ok(())
    }
}

/// Replaces concluded types by stated ones.
pub(super) fn apply_types(names: &[String], formats: &mut [ColumnFormat], upload: &Upload) -> Result<()> {
    for (name, &kind) in &upload.types {
        let Some(place) = names.iter().position(|known| known == name) else {
            return Err(Error::Invalid(format!(
                "`types` names the column `{name}`, which the file does not have"
            )));
        };
        let format = &mut formats[place];
        if format.kind != kind {
            *format = ColumnFormat { kind, decimal: upload.decimal, dates: upload.date_format };
        }
    }
    Ok(())
}

/// The rows of a delimited file, numbered by the line they begin on.
struct Rows<'a> {
    reader: csv::Reader<Box<dyn Read + Send + 'a>>,
    number: u64,
    /// The last row could not be read because it is not UTF-8.
    garbled: bool,
}

impl<'a> Rows<'a> {
    fn open(text: Box<dyn Read + Send + 'a>, dialect: &Dialect) -> Self {
        let reader = csv::ReaderBuilder::new()
            .delimiter(dialect.delimiter as u8)
            .quote(dialect.quote as u8)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(text);
        Self { reader, number: 0, garbled: false }
    }

    fn next(&mut self, record: &mut StringRecord) -> Result<bool> {
        match self.reader.read_record(record) {
            Ok(more) => {
                self.number = record.position().map_or(self.number, csv::Position::line);
                Ok(more)
            }
            Err(error) => {
                let line = error.position().map_or(self.number + 1, csv::Position::line);
                let csv::ErrorKind::Utf8 { err, .. } = error.kind() else {
                    return Err(Error::Invalid(format!("row {line}: the file cannot be read: {error}")));
                };
                self.garbled = true;
                let column = err.field() + 1;
                Err(Error::Invalid(format!(
                    "row {line}, column {column}: not UTF-8; state the file's encoding, `latin-1` perhaps"
                )))
            }
        }
    }
}

/// Column names: trimmed, `column_3` where there is none, all different.
fn names_of(first: &StringRecord, header: bool) -> Result<Vec<String>> {
    if first.len() > MAX_COLUMNS {
        return Err(Error::TooLarge(format!(
            "the file has {} columns; at most {MAX_COLUMNS} are kept",
            first.len()
        )));
    }
    let named = |place: usize, cell: &str| match cell.trim() {
        name if header && !name.is_empty() => name.to_owned(),
        _ => format!("column_{}", place + 1),
    };
    let names: Vec<String> = first.iter().enumerate().map(|(place, cell)| named(place, cell)).collect();
    check_names(&names)?;
    Ok(names)
}

/// Names of columns are different from each other and not absurdly long.
pub(super) fn check_names(names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        crate::name::check_text("column name", name, 1024)?;
        if !seen.insert(name.as_str()) {
            return Err(Error::Invalid(format!("two columns are called `{name}`; rename one")));
        }
    }
    Ok(())
}

fn check_row(record: &StringRecord, names: &[String], row: u64, dialect: &Dialect) -> Result<()> {
    if record.len() != names.len() {
        let (found, expected) = (record.len(), names.len());
        let place = if found < expected {
            format!("column `{}` is missing", names[found])
        } else {
            let surplus: String = record[expected].chars().take(40).collect();
            format!("{surplus:?} comes after the last column")
        };
        let delimiter = dialect.delimiter;
        return Err(Error::Invalid(format!(
            "row {row} has {found} cells instead of {expected}: {place} (the delimiter is {delimiter:?})"
        )));
    }
    // Most rows are shorter than a cell may be: one look at all cells together.
    if record.as_slice().len() <= MAX_CELL_BYTES && !record.as_slice().contains('\0') {
        return Ok(());
    }
    match record.iter().position(|cell| cell.len() > MAX_CELL_BYTES || cell.contains('\0')) {
        None => Ok(()),
        Some(place) if record[place].contains('\0') => {
            Err(Error::Invalid(format!("row {row}, column `{}`: contains a NUL character", names[place])))
        }
        Some(place) => Err(Error::TooLarge(format!(
            "row {row}, column `{}`: the cell is longer than {MAX_CELL_BYTES} bytes; is a quote left open?",
            names[place]
        ))),
    }
}

/// The row's last cell has a line break, as one has whose quote is never closed.
fn may_be_unclosed(record: &StringRecord) -> bool {
    record.iter().next_back().is_some_and(|cell| cell.contains('\n'))
}

/// The reader takes the end of the file for the end of a quoted cell: a quote that is never closed would
/// silently swallow every row after it.
/// `end` is the last bytes of the file.
fn check_last_quote(end: &[u8], dialect: &Dialect, row: u64) -> Result<()> {
    let tail = end.trim_ascii_end();
    // In UTF-16 the last character is two bytes, one of them zero.
    let width = if matches!(dialect.encoding, TextEncoding::Utf16Le | TextEncoding::Utf16Be) { 2 } else { 1 };
    let closed = tail.iter().rev().take(width).any(|&byte| byte == dialect.quote as u8);
    if closed {
        return Ok(());
    }
    Err(Error::Invalid(format!("row {row}: a cell begins with {:?} and never ends", dialect.quote)))
}
