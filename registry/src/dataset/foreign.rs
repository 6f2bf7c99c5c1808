//! Parquet from outside. It may be damaged or made to harm: sizes are checked before anything is decoded, what
//! is decoded is bounded, and a panic of the decoder is an error like any other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use super::infer::ColumnType;
use super::writer::Sink;
use super::{MAX_CELL_BYTES, MAX_COLUMNS, delimited, pages};
use crate::{Error, Result};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;
/// Texts handed on at once; one value may be repeated endlessly by a few bytes of the file.
const SLICE_BYTES: u64 = 64 << 20;
const MAX_ROWS: i64 = 100_000_000;
/// Everything decoded, texts repeated by a dictionary included.
const MAX_DECODED_BYTES: u64 = 16 << 30;

/// A file whose outside was checked.
pub(super) struct Foreign {
    metadata: ArrowReaderMetadata,
    kinds: Vec<ColumnType>,
    names: Vec<String>,
}

impl Foreign {
    /// Checks footer, schema and page sizes.
    pub(super) fn open<R: ChunkReader>(source: &R) -> Result<Self> {
        contained(|| {
            let metadata =
                ArrowReaderMetadata::load(source, ArrowReaderOptions::new().with_skip_arrow_metadata(true))
                    .map_err(|error| damaged(&error))?;
            let rows = metadata.metadata().file_metadata().num_rows();
            if !(0..=MAX_ROWS).contains(&rows) {
                return Err(Error::TooLarge(format!(
                    "the file claims {rows} rows; at most {MAX_ROWS} are kept"
                )));
            }
            let (schema, names, kinds) = plan(metadata.schema())?;
            pages::check(source, metadata.metadata())?;
            // Views share a dictionary's text instead of copying it into every row.
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema);
            let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
                .map_err(|error| damaged(&error))?;
            Ok(Self { metadata, kinds, names })
        })
    }

    /// The schema of the dataset that comes of it.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.names.iter().map(String::as_str).zip(self.kinds.iter().copied())
    }

    /// The rows that the file claims to have.
    pub(super) fn row_count(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows() as u64
    }

    /// Decodes every row into `sink`.
    pub(super) fn read<R: ChunkReader + 'static>(
        &self,
        source: R,
        schema: &SchemaRef,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let mut rows = self.rows(source, Arc::clone(schema))?;
        while let Some(batch) = rows.next(self)? {
            sink(&batch)?;
        }
        Ok(())
    }

    /// The rows, decoded as they are asked for.
    pub(super) fn rows<R: ChunkReader + 'static>(&self, source: R, schema: SchemaRef) -> Result<ForeignRows> {
        contained(|| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, self.metadata.clone());
            let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(&error))?;
            Ok(ForeignRows { reader, schema, rows: 0, decoded: 0, pending: VecDeque::new() })
        })
    }

    /// The bytes of the texts of a batch, none of them too long.
    fn check_texts(&self, batch: &RecordBatch, before: u64) -> Result<u64> {
        let mut total = 0;
        for (place, column) in batch.columns().iter().enumerate() {
            let Some(texts) = column.as_string_view_opt() else { continue };
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text else { continue };
                if text.len() > MAX_CELL_BYTES || text.contains('\0') {
                    let (row, name) = (before + row as u64 + 1, &self.names[place]);
                    return Err(Error::Invalid(format!(
                        "row {row}, column `{name}`: longer than {MAX_CELL_BYTES} bytes, or contains NUL"
                    )));
                }
                total += text.len() as u64;
            }
        }
        Ok(total)
    }

    fn normalise(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(&self.kinds).zip(&self.names);
        let arrays = columns.map(|((column, &kind), name)| normalise(column, kind, name));
        RecordBatch::try_new(Arc::clone(schema), arrays.collect::<Result<Vec<_>>>()?).map_err(Error::internal)
    }
}

/// The rows of a file on their way out, one row group after the other.
pub(super) struct ForeignRows {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    rows: u64,
    decoded: u64,
    pending: VecDeque<RecordBatch>,
}

impl ForeignRows {
    /// The next rows of `file`, of which these are.
    pub(super) fn next(&mut self, file: &Foreign) -> Result<Option<RecordBatch>> {
        contained(|| {
            while self.pending.is_empty() {
                let Some(batch) = self.reader.next() else { return Ok(None) };
                self.take(file, &batch.map_err(|error| damaged(&error))?)?;
            }
            let Some(slice) = self.pending.pop_front() else { return Ok(None) };
            file.normalise(&slice, &self.schema).map(Some)
        })
    }

    fn take(&mut self, file: &Foreign, batch: &RecordBatch) -> Result<()> {
        let size = file.check_texts(batch, self.rows)?;
        self.rows += batch.num_rows() as u64;
        self.decoded += size + batch.num_rows() as u64 * 8 * batch.num_columns() as u64;
        if self.rows > file.row_count() || self.decoded > MAX_DECODED_BYTES {
            return Err(Error::TooLarge(
                "the file decodes to more than it claims or than is kept".to_owned(),
            ));
        }
        let pieces = (size / SLICE_BYTES + 1).min(batch.num_rows().max(1) as u64) as usize;
        let step = batch.num_rows().div_ceil(pieces).max(1);
        for start in (0..batch.num_rows()).step_by(step) {
            self.pending.push_back(batch.slice(start, step.min(batch.num_rows() - start)));
        }
        Ok(())
    }
}

/// The schema to decode with, the names, and the types that the columns get in the dataset.
fn plan(schema: &Schema) -> Result<(SchemaRef, Vec<String>, Vec<ColumnType>)> {
    let count = schema.fields().len();
    if count == 0 || count > MAX_COLUMNS {
        return Err(Error::Invalid(format!("the file has {count} columns; 1 to {MAX_COLUMNS} are kept")));
    }
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    delimited::check_names(&names)?;
    let mut fields = Vec::with_capacity(count);
    let mut kinds = Vec::with_capacity(count);
    for field in schema.fields() {
        let kind = kind_of(field.data_type()).ok_or_else(|| {
            let (name, data_type) = (field.name(), field.data_type());
            Error::Invalid(format!(
                "column `{name}` has the type {data_type}; write it as text, number or time"
            ))
        })?;
        kinds.push(kind);
        let text = kind == ColumnType::Text;
        let data_type = if text { DataType::Utf8View } else { field.data_type().clone() };
        fields.push(Field::new(field.name(), data_type, field.is_nullable()));
    }
    Ok((Arc::new(Schema::new(fields)), names, kinds))
}

fn kind_of(data_type: &DataType) -> Option<ColumnType> {
    match data_type {
        DataType::Boolean => Some(ColumnType::Boolean),
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Some(ColumnType::Float64),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(ColumnType::Text),
        DataType::Date32 | DataType::Date64 => Some(ColumnType::Date),
        DataType::Timestamp(..) => Some(ColumnType::Timestamp),
        other if other.is_integer() => Some(ColumnType::Int64),
        _ => None,
    }
}

fn normalise(column: &ArrayRef, kind: ColumnType, name: &str) -> Result<ArrayRef> {
    let target = kind.data_type();
    let converted = match (column.data_type(), kind) {
        (DataType::Utf8View, _) => {
            let texts: StringArray = column.as_string_view().iter().collect();
            Arc::new(texts) as ArrayRef
        }
        // Straight to microseconds without a zone would turn an instant into a local time.
        (DataType::Timestamp(unit, Some(_)), _) => {
            let instant = cast(column, &DataType::Timestamp(*unit, None)).map_err(Error::internal)?;
            cast(&instant, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(Error::internal)?
        }
        _ => cast(column, &target).map_err(Error::internal)?,
    };
    if converted.null_count() != column.null_count() {
        return Err(Error::Invalid(format!("column `{name}` holds numbers or times that are out of range")));
    }
    let Some(numbers) = converted.as_primitive_opt::<Float64Type>() else { return Ok(converted) };
    let not_a_number = numbers.iter().map(|value| value.map(f64::is_nan)).collect();
    nullif(&converted, &not_a_number).map_err(Error::internal)
}

/// Runs the decoder; what makes it panic is a damaged file.
fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Invalid("the Parquet file is damaged: it cannot be decoded".to_owned()))
    })
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    let text = error.to_string();
    let shown: String = text.chars().take(200).collect();
    Error::Invalid(format!("the Parquet file is damaged or uses what is not supported: {shown}"))
}
