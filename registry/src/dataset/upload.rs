//! From uploaded bytes to a table: which format they are in, and through which reader they go.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cells;
use super::delimited::Delimited;
use super::foreign::Foreign;
use super::infer::{ColumnFormat, ColumnType};
use super::lines::Lines;
use super::moment::DateOrder;
use super::number::DecimalMark;
use super::text::TextEncoding;
use super::writer::{DatasetWriter, Sink, Written};
use super::{DEFAULT_MAX_BYTES, Source};
use crate::artifact::Sha256Hex;
use crate::{Error, Result};

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "FileFormat")]
pub enum Format {
    /// Delimited text.
    Csv,
    /// JSON lines.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

/// What the uploader states about a file; everything else is detected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upload {
    /// The file's format.
    pub format: Option<Format>,
    /// What separates cells.
    pub delimiter: Option<char>,
    /// What encloses cells.
    pub quote: Option<char>,
    /// The decimal mark of every number.
    pub decimal: Option<DecimalMark>,
    /// The character encoding.
    pub encoding: Option<TextEncoding>,
    /// Whether the first row names the columns.
    pub header: Option<bool>,
    /// The order of every date.
    pub date_format: Option<DateOrder>,
    /// Types of columns by name; a cell that does not have it is an error then.
    pub types: BTreeMap<String, ColumnType>,
    /// Largest file.
    #[serde(skip, default = "default_max_bytes")]
    pub max_bytes: usize,
}

fn default_max_bytes() -> usize {
    DEFAULT_MAX_BYTES
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            quote: None,
            decimal: None,
            encoding: None,
            header: None,
            date_format: None,
            types: BTreeMap::new(),
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }
}

/// A file whose format, columns and types are known.
enum File<'b> {
    Csv(Delimited),
    Ndjson(Lines<'b>),
    Parquet(Foreign),
}

impl<'b> File<'b> {
    fn detect(bytes: &'b Bytes, upload: &Upload) -> Result<Self> {
        if bytes.len() > upload.max_bytes {
            let (size, limit) = (bytes.len(), upload.max_bytes);
            return Err(Error::TooLarge(format!("the file has {size} bytes; at most {limit} are taken")));
        }
        Ok(match upload.format.unwrap_or_else(|| detect(bytes)) {
            Format::Csv => Self::Csv(Delimited::detect(bytes, upload)?),
            Format::Ndjson => Self::Ndjson(Lines::detect(bytes, upload)?),
            Format::Parquet => Self::Parquet(Foreign::open(bytes)?),
        })
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Self::Csv(file) => schema_of(&file.names, &file.formats),
            Self::Ndjson(file) => schema_of(&file.names, &file.formats),
            Self::Parquet(file) => cells::schema_of(file.columns()),
        }
    }

    fn read(&self, bytes: &Bytes, schema: &SchemaRef, sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Csv(file) => file.read(bytes, sink),
            Self::Ndjson(file) => file.read(sink),
            Self::Parquet(file) => file.read(bytes.clone(), schema, sink),
        }
    }

    fn source(self, sha256: Sha256Hex, size_bytes: u64) -> Source {
        let (format, dialect, columns) = match self {
            Self::Csv(file) => (Format::Csv, Some(file.dialect), file.formats),
            Self::Ndjson(file) => (Format::Ndjson, None, file.formats),
            Self::Parquet(_) => (Format::Parquet, None, Vec::new()),
        };
        Source::Upload { format, sha256, size_bytes, dialect, columns }
    }
}

/// Turns a file into a table. Takes processor time: not for an async thread.
pub(super) fn convert(bytes: &Bytes, upload: &Upload) -> Result<(Written, Source)> {
    let file = File::detect(bytes, upload)?;
    let schema = file.schema();
    if schema.fields().is_empty() {
        return Err(Error::Invalid("the rows have no columns".to_owned()));
    }
    let mut writer = DatasetWriter::new(schema.clone())?;
    file.read(bytes, &schema, &mut |batch| writer.write(batch))?;
    let source = file.source(Sha256Hex::of_slice(bytes), bytes.len() as u64);
    Ok((writer.finish()?, source))
}

fn schema_of(names: &[String], formats: &[ColumnFormat]) -> SchemaRef {
    let kinds = formats.iter().map(|format| format.kind);
    cells::schema_of(names.iter().map(String::as_str).zip(kinds))
}

/// Parquet says so in its first four bytes; a brace begins an object of JSON lines; the rest is delimited text.
pub(super) fn detect(bytes: &[u8]) -> Format {
    if bytes.starts_with(b"PAR1") {
        return Format::Parquet;
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"{") { Format::Ndjson } else { Format::Csv }
}
