//! Columns to values and back: JSON, times, names and ids are text or integers in the database.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{ColumnIndex, Row};

use crate::{Error, Micros, Result};

/// A text column that may be NULL.
pub(crate) fn optional_text(row: &AnyRow, column: &'static str) -> Result<Option<String>> {
    Ok(row.try_get::<Option<String>, _>(column)?)
}

/// A text column.
pub(crate) fn text(row: &AnyRow, column: &'static str) -> Result<String> {
    Ok(row.try_get::<String, _>(column)?)
}

/// A whole number.
pub(crate) fn integer(row: &AnyRow, column: &'static str) -> Result<i64> {
    Ok(row.try_get::<i64, _>(column)?)
}

/// A time.
pub(crate) fn micros(row: &AnyRow, column: &'static str) -> Result<Micros> {
    Ok(Micros(integer(row, column)?))
}

/// A time that may be NULL.
pub(crate) fn optional_micros(row: &AnyRow, column: &'static str) -> Result<Option<Micros>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Micros))
}

/// A name, hash or id that was checked when it was written.
pub(crate) fn parsed<T: TryFrom<String>>(row: &AnyRow, column: &'static str) -> Result<T>
where
    T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    T::try_from(text(row, column)?).map_err(Error::internal)
}

/// A document.
pub(crate) fn json<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<T> {
    serde_json::from_str(&text(row, column)?).map_err(|error| damaged(column, &error))
}

/// A document that may be NULL.
pub(crate) fn optional_json<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<Option<T>> {
    let Some(text) = optional_text(row, column)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| damaged(column, &error))
}

/// A document as text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// The first column of a row that aggregates; NULL when there was nothing to aggregate.
pub(crate) fn aggregate(row: &AnyRow) -> Result<Option<i64>>
where
    usize: ColumnIndex<AnyRow>,
{
    Ok(row.try_get::<Option<i64>, _>(0)?)
}

fn damaged(column: &str, error: &serde_json::Error) -> Error {
    Error::internal(format!("the column {column} holds no valid document: {error}"))
}
