//! JSON lines (NDJSON): one flat object a line.

mod pass;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::cells::TableBuilder;
use super::delimited;
use super::infer::{ColumnFormat, ColumnType, Evidence, Stated};
use super::moment::DateOrder;
use super::writer::Sink;
use super::{MAX_CELL_BYTES, MAX_COLUMNS, Upload, infer, text};
use crate::{Error, Result};

pub(super) use pass::LinePass;

/// A value of a flat object, as text for the columns.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Missing(()),
}

/// A flat object in the order it is written.
struct Object(Vec<(String, Scalar)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Object, A::Error> {
                let mut cells: Vec<(String, Scalar)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<Scalar>().map_err(|error| {
                        A::Error::custom(format!(
                            "the value of `{name}` is not a text, number or boolean: {error}"
                        ))
                    })?;
                    if cells.len() >= MAX_COLUMNS {
                        return Err(A::Error::custom(format!("more than {MAX_COLUMNS} columns")));
                    }
                    cells.push((name, value));
                }
                Ok(Object(cells))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// What the values of one column have been so far.
#[derive(Default)]
struct Kinds {
    booleans: bool,
    texts: bool,
    /// `Int64` until a number is not whole.
    numbers: Option<ColumnType>,
    evidence: Evidence,
}

impl Kinds {
    fn add(&mut self, value: &Scalar) {
        match value {
            Scalar::Boolean(_) => self.booleans = true,
            Scalar::Integer(_) => self.numbers = self.numbers.or(Some(ColumnType::Int64)),
            Scalar::Number(_) => self.numbers = Some(ColumnType::Float64),
            Scalar::Text(text) if text.trim().is_empty() => {}
            Scalar::Text(text) => {
                self.texts = true;
                self.evidence.add_text(text);
            }
            Scalar::Missing(()) => {}
        }
    }

    fn format(&self, dates: Option<DateOrder>) -> ColumnFormat {
        let kind = match (self.booleans, self.numbers, self.texts) {
            (true, None, false) => ColumnType::Boolean,
            (false, Some(kind), false) => kind,
            (false, None, true) => {
                let stated = Stated { decimal: None, dates };
                return infer::decide(std::slice::from_ref(&self.evidence), stated, ',')[0];
            }
            _ => ColumnType::Text,
        };
        ColumnFormat { kind, decimal: None, dates: None }
    }
}

/// What the lines of a file have shown of its columns so far.
#[derive(Default)]
struct Findings {
    names: Vec<String>,
    places: HashMap<String, usize>,
    kinds: Vec<Kinds>,
}

impl Findings {
    fn add(&mut self, row: u64, line: &str) -> Result<()> {
        for (name, value) in object(row, line)?.0 {
            let place = *self.places.entry(name).or_insert_with_key(|name| {
                self.names.push(name.clone());
                self.kinds.push(Kinds::default());
                self.names.len() - 1
            });
            if self.names.len() > MAX_COLUMNS {
                return Err(Error::TooLarge(format!("row {row}: more than {MAX_COLUMNS} columns")));
            }
            self.kinds[place].add(&value);
        }
        Ok(())
    }

    fn conclude(self, upload: &Upload) -> Result<(Vec<String>, Vec<ColumnFormat>)> {
        delimited::check_names(&self.names)?;
        let mut formats: Vec<ColumnFormat> =
            self.kinds.iter().map(|kinds| kinds.format(upload.date_format)).collect();
        delimited::apply_types(&self.names, &mut formats, upload)?;
        Ok((self.names, formats))
    }
}

/// A table being filled line by line.
struct Filler {
    places: HashMap<String, usize>,
    columns: TableBuilder,
    cells: Vec<Option<String>>,
}

impl Filler {
    fn new(names: &[String], formats: &[ColumnFormat]) -> Self {
        let places = names.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        let columns = TableBuilder::new(names, formats);
        Self { places, columns, cells: vec![None; names.len()] }
    }

    fn add(&mut self, row: u64, line: &str) -> Result<()> {
        self.cells.fill(None);
        for (name, value) in object(row, line)?.0 {
            let cell = cell_of(value);
            if cell.as_ref().is_some_and(|cell| cell.len() > MAX_CELL_BYTES || cell.contains('\0')) {
                return Err(Error::Invalid(format!(
                    "row {row}, column `{name}`: longer than {MAX_CELL_BYTES} bytes, or contains NUL"
                )));
            }
            let place = self.places.get(&name).copied();
            let slot = place.and_then(|place| self.cells.get_mut(place)).ok_or_else(|| {
                Error::Invalid(format!("row {row}: `{name}` was not there when the file was looked at first"))
            })?;
            if slot.replace(cell.unwrap_or_default()).is_some() {
                return Err(Error::Invalid(format!("row {row}: `{name}` is given twice")));
            }
        }
        for (place, cell) in self.cells.iter().enumerate() {
            match cell {
                Some(cell) => self.columns.push(place, cell, row)?,
                None => self.columns.push_missing(place),
            }
        }
        self.columns.end_row();
        Ok(())
    }
}

/// What a file of JSON lines was found to be.
pub(super) struct Lines<'a> {
    text: Cow<'a, str>,
    pub(super) names: Vec<String>,
    pub(super) formats: Vec<ColumnFormat>,
}

impl<'a> Lines<'a> {
    /// Looks at every line.
    pub(super) fn detect(bytes: &'a [u8], upload: &Upload) -> Result<Self> {
        let encoding = match upload.encoding {
            Some(encoding) => encoding,
            None => text::detect(bytes)?,
        };
        let text = text::decode(bytes, encoding)?;
        let mut findings = Findings::default();
        for (row, line) in lines(&text) {
            findings.add(row, line)?;
        }
        let (names, formats) = findings.conclude(upload)?;
        Ok(Self { text, names, formats })
    }

    /// Reads every line into `sink`.
    pub(super) fn read(&self, sink: &mut Sink<'_>) -> Result<()> {
        let mut filler = Filler::new(&self.names, &self.formats);
        for (row, line) in lines(&self.text) {
            filler.add(row, line)?;
            if filler.columns.is_full() {
                sink(&filler.columns.take()?)?;
            }
        }
        if !filler.columns.is_empty() {
            sink(&filler.columns.take()?)?;
        }
        Ok(())
    }
}

fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let numbered = text.lines().enumerate().map(|(place, line)| (place as u64 + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty())
}

fn object(row: u64, line: &str) -> Result<Object> {
    serde_json::from_str(line).map_err(|error| Error::Invalid(format!("row {row}: {error}")))
}

fn cell_of(value: Scalar) -> Option<String> {
    match value {
        Scalar::Boolean(value) => Some(value.to_string()),
        Scalar::Integer(value) => Some(value.to_string()),
        // The shortest text that reads back as the same number, never in a notation the columns do not know.
        Scalar::Number(value) => Some(format!("{value:?}")),
        Scalar::Text(value) => Some(value),
        Scalar::Missing(()) => None,
    }
}
