//! A table in a file of any size, read piece by piece in bounded memory. The types are those that a dataset made of
//! the file would have; nothing is stored.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::cells;
use super::delimited::{Delimited, Pass, Step};
use super::dialect::{self, Dialect};
use super::foreign::{Foreign, ForeignRows};
use super::input::Input;
use super::lines::LinePass;
use super::text::{self, Census, TextEncoding};
use super::upload::{self, Format, Upload};
use crate::{Error, Result};

/// The first bytes, from which the format and, for a start, everything else is concluded.
const BEGINNING_BYTES: u64 = 256 * 1024;
/// Bytes of a file looked at together where its encoding is sought.
const CENSUS_BYTES: usize = 1 << 20;

/// What comes out of a file.
#[derive(Debug)]
pub enum Piece {
    /// The file begins, or begins again because later rows proved other types: what came before does not count.
    Begin(SchemaRef),
    /// The next rows.
    Rows(RecordBatch),
}

/// How a file was understood, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its format.
    pub format: Format,
    /// How it is encoded; none for Parquet.
    pub encoding: Option<TextEncoding>,
    /// What separates cells and whether the first row names the columns; for delimited text.
    pub layout: Option<(char, bool)>,
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Format::Csv => formatter.write_str("delimited text")?,
            Format::Ndjson => formatter.write_str("JSON lines")?,
            Format::Parquet => formatter.write_str("Parquet")?,
        }
        if let Some(encoding) = self.encoding {
            write!(formatter, " in {}", encoding.name())?;
        }
        match self.layout {
            Some((delimiter, true)) => write!(formatter, ", delimiter {delimiter:?}, names in the first row"),
            Some((delimiter, false)) => {
                write!(formatter, ", delimiter {delimiter:?}, no names in the first row")
            }
            None => Ok(()),
        }
    }
}

enum Reading {
    Csv(Box<Pass>),
    Ndjson(Box<LinePass>),
    Parquet(Box<Foreign>, Box<ForeignRows>),
}

/// A file being read. Numbers of delimited text come as `Float64`.
pub struct TableFile {
    input: Input,
    upload: Upload,
    reading: Reading,
    schema: SchemaRef,
    /// The encoding is neither stated nor marked.
    presumes: bool,
    begun: bool,
    rows: u64,
}

impl TableFile {
    /// Looks at the beginning of a file; JSON lines are looked at whole.
    ///
    /// # Errors
    /// `NotFound`, or `Invalid` with what is wrong with the file.
    pub fn open(path: &Path, upload: &Upload) -> Result<Self> {
        let input = Input::open(path)?;
        let beginning = input.beginning(BEGINNING_BYTES)?;
        if beginning.is_empty() {
            return Err(Error::Invalid("the file is empty".to_owned()));
        }
        refuse_what_is_no_table(&beginning)?;
        let stated = upload.encoding.or_else(|| text::marked(&beginning));
        let reading = match upload.format.unwrap_or_else(|| upload::detect(&beginning)) {
            Format::Csv => {
                let encoding = match stated {
                    Some(encoding) => encoding,
                    None => presumed_encoding(&input, &beginning)?,
                };
                Reading::Csv(Box::new(csv(&input, encoding, upload)?))
            }
            Format::Ndjson => {
                let encoding = match stated {
                    Some(encoding) => encoding,
                    None => census(&input)?,
                };
                Reading::Ndjson(Box::new(LinePass::begin(&input, encoding, upload)?))
            }
            Format::Parquet => parquet(&input)?,
        };
        let schema = reading.schema();
        let presumes = stated.is_none();
        Ok(Self { input, upload: upload.clone(), reading, schema, presumes, begun: false, rows: 0 })
    }

    /// The next piece; none when all rows were given.
    ///
    /// # Errors
    /// `Invalid` with row and column of what cannot be read, `TooLarge` beyond the limits.
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        if !self.begun {
            (self.begun, self.rows) = (true, 0);
            return Ok(Some(Piece::Begin(Arc::clone(&self.schema))));
        }
        let batch = match &mut self.reading {
            Reading::Ndjson(pass) => pass.next(&self.input)?,
            Reading::Parquet(file, rows) => rows.next(file)?,
            Reading::Csv(pass) => match pass.next(&self.input, &self.upload) {
                Ok(Step::Rows(batch)) => Some(batch),
                Ok(Step::End) => None,
                Ok(Step::Again(file)) => return self.again(file).map(Some),
                Err(error) if pass.is_garbled() && self.presumes => {
                    return self.reopen(error).map(Some);
                }
                Err(error) => return Err(error),
            },
        };
        self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch.map(Piece::Rows))
    }

    /// The names of its columns, in their order.
    pub fn column_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// How the file was understood.
    pub fn seen(&self) -> Seen {
        match &self.reading {
            Reading::Csv(pass) => {
                let dialect = &pass.file().dialect;
                let layout = Some((dialect.delimiter, dialect.header));
                Seen { format: Format::Csv, encoding: Some(dialect.encoding), layout }
            }
            Reading::Ndjson(pass) => {
                Seen { format: Format::Ndjson, encoding: Some(pass.encoding()), layout: None }
            }
            Reading::Parquet(..) => Seen { format: Format::Parquet, encoding: None, layout: None },
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.input.length()
    }

    /// The share of the file that was read (0–1).
    pub fn share(&self) -> f64 {
        let (done, whole) = match &self.reading {
            Reading::Parquet(file, _) => (self.rows, file.row_count()),
            _ => (self.input.read_so_far(), self.input.length()),
        };
        if whole == 0 { 1.0 } else { (done as f64 / whole as f64).min(1.0) }
    }

    /// Rows given since the file began, or began again.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn again(&mut self, file: Delimited) -> Result<Piece> {
        let pass = Pass::begin(file, &self.input, true)?;
        Ok(self.begin(pass))
    }

    /// Begins again in the encoding that all bytes prove; `error` says why the presumed one is wrong.
    fn reopen(&mut self, error: Error) -> Result<Piece> {
        match census(&self.input)? {
            TextEncoding::Utf8 => Err(error),
            encoding => {
                let pass = csv(&self.input, encoding, &self.upload)?;
                Ok(self.begin(pass))
            }
        }
    }

    fn begin(&mut self, pass: Pass) -> Piece {
        self.schema = pass.schema();
        self.reading = Reading::Csv(Box::new(pass));
        self.rows = 0;
        Piece::Begin(Arc::clone(&self.schema))
    }
}

impl Reading {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Csv(pass) => pass.schema(),
            Self::Ndjson(pass) => pass.schema(),
            Self::Parquet(file, _) => cells::schema_of(file.columns()),
        }
    }
}

/// A first pass, with what the beginning of the text suggests.
fn csv(input: &Input, encoding: TextEncoding, upload: &Upload) -> Result<Pass> {
    let sample = dialect::sample(&mut text::reader(input.reader()?, encoding));
    let dialect = Dialect::of_sample(&sample, encoding, upload)?;
    Pass::begin(Delimited::presume(&sample, dialect, upload)?, input, false)
}

fn parquet(input: &Input) -> Result<Reading> {
    let (file, rows) = match (input.held(), input.file()?) {
        (Some(bytes), _) => {
            let file = Foreign::open(&bytes)?;
            let rows = file.rows(bytes, cells::schema_of(file.columns()))?;
            (file, rows)
        }
        (None, Some(source)) => {
            let file = Foreign::open(&source)?;
            let rows = file.rows(source, cells::schema_of(file.columns()))?;
            (file, rows)
        }
        (None, None) => return Err(Error::internal("an input is a file or held in memory")),
    };
    Ok(Reading::Parquet(Box::new(file), Box::new(rows)))
}

/// UTF-8 until a byte proves otherwise.
fn presumed_encoding(input: &Input, beginning: &[u8]) -> Result<TextEncoding> {
    match std::str::from_utf8(beginning) {
        // A character may be cut at the end of what was looked at.
        Err(error) if error.error_len().is_some() => census(input),
        _ => Ok(TextEncoding::Utf8),
    }
}

/// Looks at every byte.
fn census(input: &Input) -> Result<TextEncoding> {
    let mut reader = input.reader()?;
    let mut census = Census::default();
    let mut piece = vec![0; CENSUS_BYTES];
    loop {
        let count =
            reader.read(&mut piece).map_err(|error| Error::Invalid(format!("it cannot be read: {error}")))?;
        input.begin_row();
        if count == 0 {
            return census.conclude();
        }
        census.add(&piece[..count]);
    }
}

/// Files that people mistake for tables, by their first bytes.
fn refuse_what_is_no_table(beginning: &[u8]) -> Result<()> {
    let kinds: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "it is a ZIP archive or an Excel workbook; export it as CSV"),
        (b"\xD0\xCF\x11\xE0", "it is an old Excel workbook or another Office file; export it as CSV"),
        (b"\x1F\x8B", "it is compressed with gzip; unpack it first"),
        (b"\x28\xB5\x2F\xFD", "it is compressed with zstd; unpack it first"),
        (b"%PDF", "it is a PDF; a table as CSV, Parquet or JSON lines is needed"),
        (b"ARROW1", "it is an Arrow file; write it as Parquet"),
        (b"SQLite format 3", "it is a SQLite database; export the table as CSV"),
    ];
    let html = beginning.trim_ascii_start();
    let html = html.get(..html.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    if html.starts_with(b"<!doctype html") || html.starts_with(b"<html") {
        return Err(Error::Invalid(
            "it is an HTML page; a table as CSV, Parquet or JSON lines is needed".to_owned(),
        ));
    }
    match kinds.iter().find(|(magic, _)| beginning.starts_with(magic)) {
        Some((_, what)) => Err(Error::Invalid((*what).to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "table_file/tests.rs"]
mod tests;
