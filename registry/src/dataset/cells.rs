//! Columns under construction: cells in, Arrow arrays out.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;

use super::infer::{self, ColumnFormat, ColumnType};
use super::moment::{self, DateOrder};
use super::number::{self, DecimalMark, Number, Plain};
use crate::error::Error;

impl ColumnType {
    /// The Arrow type that carries it.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// The column type of an Arrow type, when a dataset stores it as it is.
    pub fn of(data_type: &DataType) -> Option<Self> {
        let types = [Self::Int64, Self::Float64, Self::Boolean, Self::Text, Self::Date, Self::Timestamp];
        types.into_iter().find(|kind| kind.data_type() == *data_type)
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Int64 => "an integer",
            Self::Float64 => "a number",
            Self::Boolean => "true or false",
            Self::Text => "text",
            Self::Date => "a date",
            Self::Timestamp => "a date with time",
        }
    }
}

pub(crate) fn schema_of<'a>(columns: impl Iterator<Item = (&'a str, ColumnType)>) -> SchemaRef {
    let fields: Vec<Field> = columns.map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect();
    Arc::new(Schema::new(fields))
}

enum Values {
    Int64(Int64Builder),
    Float64(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Values {
    /// Room for so many rows, and for so many bytes of their text.
    fn with_capacity(kind: ColumnType, rows: usize, bytes: usize) -> Self {
        match kind {
            ColumnType::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::Float64 => Self::Float64(Float64Builder::with_capacity(rows)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Text => Self::Text(StringBuilder::with_capacity(rows, bytes)),
            ColumnType::Date => Self::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows)),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Int64(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Float64(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

/// One column being filled.
struct Column {
    name: String,
    format: ColumnFormat,
    values: Values,
}

impl Column {
    /// Appends a plain number to a column of numbers; `None`, with nothing appended, for any other cell or column.
    fn push_plain(&mut self, cell: &str) -> Option<(Plain, DecimalMark)> {
        let mark = self.format.decimal.unwrap_or(DecimalMark::Point);
        match &mut self.values {
            Values::Float64(builder) => {
                let plain = number::plain(cell, mark)?;
                builder.append_value(plain.number.as_f64());
                Some((plain, mark))
            }
            Values::Int64(builder) => {
                let plain = number::plain(cell, mark)?;
                let Number::Integer(value) = plain.number else { return None };
                builder.append_value(value);
                Some((plain, mark))
            }
            _ => None,
        }
    }

    /// Takes the values out; the next ones are expected to be as many and as long.
    fn take(&mut self, rows: usize) -> ArrayRef {
        let bytes = if let Values::Text(builder) = &self.values { builder.values_slice().len() } else { 0 };
        let next = Values::with_capacity(self.format.kind, rows, bytes);
        std::mem::replace(&mut self.values, next).finish()
    }

    fn push(&mut self, cell: &str, row: u64) -> Result<(), Error> {
        if self.push_plain(cell).is_some() {
            return Ok(());
        }
        let text = matches!(self.values, Values::Text(_));
        if (text && cell.trim().is_empty()) || (!text && infer::is_missing(cell)) {
            self.values.append_null();
            return Ok(());
        }
        if self.push_present(cell).is_some() {
            return Ok(());
        }
        let shown: String = cell.chars().take(40).collect();
        let noun = self.format.kind.noun();
        Err(Error::Invalid(format!("row {row}, column '{}': {shown:?} is not {noun}", self.name)))
    }

    fn push_present(&mut self, cell: &str) -> Option<()> {
        let mark = self.format.decimal.unwrap_or(DecimalMark::Point);
        let order = self.format.dates.unwrap_or(DateOrder::YearMonthDay);
        match &mut self.values {
            Values::Int64(builder) => match number::parse(cell, mark)? {
                Number::Integer(value) => builder.append_value(value),
                Number::Float(_) => return None,
            },
            Values::Float64(builder) => builder.append_value(number::parse(cell, mark)?.as_f64()),
            Values::Boolean(builder) => builder.append_value(infer::parse_boolean(cell)?),
            Values::Text(builder) => builder.append_value(cell),
            Values::Date(builder) => builder.append_value(moment::parse_date(cell, order)?),
            Values::Timestamp(builder) => builder.append_value(moment::parse_timestamp(cell, order)?),
        }
        Some(())
    }
}

/// The columns of a table being filled row by row.
pub(crate) struct TableBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    batch_rows: usize,
    rows: usize,
    bytes: usize,
}

/// Rows of a batch when nothing else is said.
const BATCH_ROWS: usize = 65_536;

impl TableBuilder {
    pub(crate) fn new(names: &[String], formats: &[ColumnFormat]) -> Self {
        let pairs = names.iter().zip(formats);
        let columns = pairs.clone().map(|(name, format)| Column {
            name: name.clone(),
            format: *format,
            values: Values::with_capacity(format.kind, 0, 0),
        });
        Self {
            schema: schema_of(pairs.map(|(name, format)| (name.as_str(), format.kind))),
            columns: columns.collect(),
            batch_rows: BATCH_ROWS,
            rows: 0,
            bytes: 0,
        }
    }

    /// The same with batches of so many rows.
    pub(crate) fn with_batch_rows(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Adds the cell of column `index` to the row that is being built; `row` is its number in the source.
    pub(crate) fn push(&mut self, index: usize, cell: &str, row: u64) -> Result<(), Error> {
        self.bytes += cell.len();
        self.columns[index].push(cell, row)
    }

    /// Adds a plain number to a column of numbers; `None`, with nothing added, for any other cell or column.
    pub(crate) fn push_plain(&mut self, index: usize, cell: &str) -> Option<(Plain, DecimalMark)> {
        self.columns[index].push_plain(cell)
    }

    pub(crate) fn push_missing(&mut self, index: usize) {
        self.columns[index].values.append_null();
    }

    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Whether the rows so far are worth a batch: that bounds the memory of a large upload.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= self.batch_rows || self.bytes >= 32 * 1024 * 1024
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes the rows out as a batch.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, Error> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.take(rows)).collect();
        RecordBatch::try_new(self.schema(), arrays).map_err(|error| Error::Internal(Box::new(error)))
    }
}
