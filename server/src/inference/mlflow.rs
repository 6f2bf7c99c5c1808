//! The bodies of MLflow's scoring server: JSON in four forms, the bare tables of MLflow 1, and CSV; with pandas' rules
//! for what is missing.

use std::borrow::Cow;

use super::Answer;
use super::foreign::{MLFLOW, Read, Reader, Shape, answer as answer_read, reader};
use super::python_json::without_nan;
use super::rows::Inquiry;
use super::table::csv;
use crate::problem::Problem;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// An object with one of `dataframe_split`, `dataframe_records`, `instances`, `inputs`, and `params`.
    Json,
    /// pandas' `split` form alone, as MLflow 1 takes it.
    Split,
    /// pandas' `records` form alone, as MLflow 1 takes it.
    Records,
    /// CSV with a header row.
    Csv,
}

impl Written {
    /// What a Content-Type says; JSON when there is none.
    pub fn of(content_type: Option<&str>) -> Result<Self, Problem> {
        let mut parts = content_type.unwrap_or("application/json").split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut written = match kind.as_str() {
            "" | "application/json" => Self::Json,
            "text/csv" => Self::Csv,
            other => {
                let other: String = other.chars().take(100).collect();
                let text = format!("`{other}` is not read here; send application/json or text/csv");
                return Err(Problem::unsupported_media(text));
            }
        };
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            match (name.trim().to_ascii_lowercase().as_str(), value.as_str()) {
                ("charset", "utf-8" | "utf8" | "us-ascii") => {}
                ("charset", _) => return Err(Problem::unsupported_media("only UTF-8 is read here")),
                ("format", "pandas-split") if written != Self::Csv => written = Self::Split,
                ("format", "pandas-records") if written != Self::Csv => written = Self::Records,
                (name, value) => {
                    let text: String = format!("{name}={value}").chars().take(100).collect();
                    return Err(Problem::unsupported_media(format!(
                        "the content type's parameter `{text}` is not known; format=pandas-split, \
                         format=pandas-records and charset=utf-8 are"
                    )));
                }
            }
        }
        Ok(written)
    }
}

/// Answers a request.
pub(super) fn answer(inquiry: &Inquiry<'_>, written: Written, body: &[u8]) -> Result<Answer, Problem> {
    let body = if written == Written::Csv { Cow::Borrowed(body) } else { without_nan(body) };
    let read = read(reader(inquiry, &MLFLOW)?, written, &body)?;
    answer_read(inquiry, read)
}

/// Reads a body that has no `NaN` in JSON any more.
pub(super) fn read<'a>(
    mut reader: Reader<'_, 'a>,
    written: Written,
    body: &'a [u8],
) -> Result<Read<'a>, Problem> {
    match written {
        Written::Json => reader.read(body, &MLFLOW),
        Written::Split => reader.bare(body, Shape::Split),
        Written::Records => reader.bare(body, Shape::Rows),
        Written::Csv => {
            let Reader::Table(table) = &mut reader else {
                return Err(Problem::unsupported_media(
                    "the inputs of this model are not named columns; send JSON with `inputs`",
                ));
            };
            csv::read(table, body)?;
            Ok(Read { rows: reader.finish(None)?, ignored: Vec::new() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_say_how_a_body_is_written() {
        for (content_type, written) in [
            (None, Written::Json),
            (Some("application/json"), Written::Json),
            (Some("Application/JSON; charset=UTF-8"), Written::Json),
            (Some("application/json; format=pandas-split"), Written::Split),
            (Some("application/json;format=pandas-records;charset=\"utf-8\""), Written::Records),
            (Some("text/csv"), Written::Csv),
            (Some("text/csv; charset=utf-8"), Written::Csv),
        ] {
            assert_eq!(Written::of(content_type).unwrap(), written, "{content_type:?}");
        }
        for refused in [
            "text/plain",
            "application/octet-stream",
            "application/json; charset=latin-1",
            "application/json; format=pandas-table",
            "text/csv; format=pandas-split",
            "text/csv; header=absent",
        ] {
            assert_eq!(Written::of(Some(refused)).unwrap_err().status(), 415, "{refused}");
        }
    }
}
