//! A table in memory, column by column, as training and evaluation read it.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, LargeStringArray, TimestampMicrosecondArray,
};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;

use crate::TrainError;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Numbers; NaN where missing. Truth values are 0 and 1.
    Number(Vec<f64>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Times as microseconds since 1970-01-01 UTC.
    Time(Vec<Option<i64>>),
}

impl ColumnData {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            ColumnData::Number(values) => values.len(),
            ColumnData::Text(values) => values.len(),
            ColumnData::Time(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the column holds, for messages: "numbers", "texts" or "times".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ColumnData::Number(_) => "numbers",
            ColumnData::Text(_) => "texts",
            ColumnData::Time(_) => "times",
        }
    }

    fn take(&self, rows: &[usize]) -> ColumnData {
        match self {
            ColumnData::Number(values) => ColumnData::Number(rows.iter().map(|&row| values[row]).collect()),
            ColumnData::Text(values) => {
                ColumnData::Text(rows.iter().map(|&row| values[row].clone()).collect())
            }
            ColumnData::Time(values) => ColumnData::Time(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// Its values.
    pub data: ColumnData,
}

/// Columns of equal length with distinct names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
}

impl Table {
    /// Joins columns, which must be of one length and of distinct names.
    pub fn new(columns: Vec<Column>) -> Result<Table, TrainError> {
        for (position, column) in columns.iter().enumerate() {
            if columns[..position].iter().any(|other| other.name == column.name) {
                return Err(TrainError::invalid(format!("the column `{}` occurs twice", column.name)));
            }
            let rows = columns[0].data.len();
            if column.data.len() != rows {
                return Err(TrainError::invalid(format!(
                    "the column `{}` has {} rows, `{}` has {rows}",
                    column.name,
                    column.data.len(),
                    columns[0].name,
                )));
            }
        }
        Ok(Table { columns })
    }

    /// Reads record batches of one schema; nested columns are left out, as no learner reads them.
    ///
    /// Numbers and truth values become numbers, dates and timestamps times, texts and dictionaries texts.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Table, TrainError> {
        let Some(first) = batches.first() else { return Ok(Table::default()) };
        let schema = first.schema();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (position, field) in schema.fields().iter().enumerate() {
            let mut joined: Option<ColumnData> = None;
            for batch in batches {
                // Only names have to agree: whether a column may be null differs from batch to batch.
                if batch.schema_ref().fields().get(position).map(|other| other.name()) != Some(field.name()) {
                    return Err(TrainError::invalid("the batches of the table have different columns"));
                }
                let Some(data) = column_data(field.name(), batch.column(position))? else { break };
                match &mut joined {
                    None => joined = Some(data),
                    Some(so_far) => append(field.name(), so_far, data)?,
                }
            }
            if let Some(data) = joined {
                columns.push(Column { name: field.name().clone(), data });
            }
        }
        Table::new(columns)
    }

    /// The columns in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnData> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.data)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.data.len())
    }

    /// A table of the given rows, in the given order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Table {
        let take = |column: &Column| Column { name: column.name.clone(), data: column.data.take(rows) };
        Table { columns: self.columns.iter().map(take).collect() }
    }

    /// The column called `name`, or an error that lists what there is.
    pub(crate) fn required(&self, name: &str) -> Result<&ColumnData, TrainError> {
        self.column(name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            TrainError::invalid(format!("the column `{name}` does not exist; there are {}", names.join(", ")))
        })
    }

    pub(crate) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }
}

fn append(name: &str, so_far: &mut ColumnData, more: ColumnData) -> Result<(), TrainError> {
    match (so_far, more) {
        (ColumnData::Number(values), ColumnData::Number(more)) => values.extend(more),
        (ColumnData::Text(values), ColumnData::Text(more)) => values.extend(more),
        (ColumnData::Time(values), ColumnData::Time(more)) => values.extend(more),
        (so_far, more) => {
            let kinds = format!("{}, then {}", so_far.kind(), more.kind());
            return Err(TrainError::Invalid(format!("the column `{name}` holds {kinds}")));
        }
    }
    Ok(())
}

fn column_data(name: &str, array: &ArrayRef) -> Result<Option<ColumnData>, TrainError> {
    let unreadable = |error| TrainError::invalid(format!("the column `{name}` cannot be read: {error}"));
    let data_type = array.data_type();
    if let Some(values) = array.as_any().downcast_ref::<BooleanArray>() {
        let number = |value: Option<bool>| value.map_or(f64::NAN, |value| f64::from(u8::from(value)));
        return Ok(Some(ColumnData::Number(values.iter().map(number).collect())));
    }
    if data_type.is_numeric() {
        let numbers = cast(array, &DataType::Float64).map_err(unreadable)?;
        let numbers = numbers.as_any().downcast_ref::<Float64Array>();
        return Ok(numbers.map(|values| {
            ColumnData::Number(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
        }));
    }
    if matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) {
        let zone = match data_type {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let times = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone)).map_err(unreadable)?;
        let times = times.as_any().downcast_ref::<TimestampMicrosecondArray>();
        return Ok(times.map(|values| ColumnData::Time(values.iter().collect())));
    }
    if data_type.is_nested() && !matches!(data_type, DataType::Dictionary(..))
        || !can_cast_types(data_type, &DataType::LargeUtf8)
    {
        return Ok(None);
    }
    let texts = cast(array, &DataType::LargeUtf8).map_err(unreadable)?;
    let texts = texts.as_any().downcast_ref::<LargeStringArray>();
    Ok(texts.map(|values| ColumnData::Text(values.iter().map(|value| value.map(str::to_owned)).collect())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, DictionaryArray, Int32Array, Int64Array, ListArray, NullArray, StringArray,
    };
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    #[test]
    fn batches_become_columns() {
        let batch = |number: Option<i64>, text: Option<&str>| {
            let dictionary: DictionaryArray<Int32Type> = [Some("x")].into_iter().collect();
            RecordBatch::try_from_iter([
                ("flag", Arc::new(BooleanArray::from(vec![Some(true)])) as ArrayRef),
                ("number", Arc::new(Int64Array::from(vec![number]))),
                ("text", Arc::new(StringArray::from(vec![text]))),
                ("day", Arc::new(Date32Array::from(vec![1]))),
                ("dictionary", Arc::new(dictionary)),
            ])
            .unwrap()
        };
        let table = Table::from_batches(&[batch(Some(3), None), batch(None, Some("a"))]).unwrap();
        assert_eq!(table.rows(), 2);
        assert_eq!(table.column("flag"), Some(&ColumnData::Number(vec![1.0, 1.0])));
        let Some(ColumnData::Number(numbers)) = table.column("number") else { panic!("not numbers") };
        assert!(numbers[0] == 3.0 && numbers[1].is_nan());
        assert_eq!(table.column("text"), Some(&ColumnData::Text(vec![None, Some("a".into())])));
        assert_eq!(table.column("day"), Some(&ColumnData::Time(vec![Some(86_400_000_000); 2])));
        assert_eq!(table.column("dictionary"), Some(&ColumnData::Text(vec![Some("x".into()); 2])));
    }

    #[test]
    fn nested_and_empty_columns_are_left_out_or_missing() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]);
        let batch = RecordBatch::try_from_iter([
            ("list", Arc::new(lists) as ArrayRef),
            ("nothing", Arc::new(NullArray::new(1))),
            ("number", Arc::new(Int32Array::from(vec![7]))),
        ])
        .unwrap();
        let table = Table::from_batches(&[batch]).unwrap();
        assert_eq!(table.column("list"), None);
        assert_eq!(table.column("number"), Some(&ColumnData::Number(vec![7.0])));
    }

    #[test]
    fn a_table_is_rectangular_and_its_names_are_distinct() {
        let column =
            |name: &str, rows| Column { name: name.into(), data: ColumnData::Number(vec![0.0; rows]) };
        let message = |columns| Table::new(columns).unwrap_err().to_string();
        assert_eq!(message(vec![column("a", 1), column("b", 2)]), "the column `b` has 2 rows, `a` has 1");
        assert_eq!(message(vec![column("a", 1), column("a", 1)]), "the column `a` occurs twice");
    }
}
