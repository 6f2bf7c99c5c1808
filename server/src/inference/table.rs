//! Tables as the forms of other servers write them: rows of values, rows of named values, columns, pandas' `split`
//! and CSV. All of them become [`Records`] of the service's schema, in one pass and without a tree of JSON values.
//!
//! What each form is called in which protocol stands in [`super::foreign`] and [`super::mlflow`].

mod columns;
pub(super) mod csv;
mod rows;
mod split;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use chasqui_runtime::Signature;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, key_text};
use super::records::{Fault, Records};
use super::schema::{Schema, Slot};
use crate::problem::Problem;

pub(super) use self::rows::Rows;
pub(super) use self::split::Split;

/// What is said about a field that no record may lack.
const MISSING: &str = "is missing; send null when its value is not known";

/// A table with more cells than this must have a value in one of [`SPARSE_SHARE`] of them: a short body of empty
/// rows takes no long memory.
const SPARSE_CELLS: usize = 1 << 20;
const SPARSE_SHARE: usize = 16;

/// Where the values of a table go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'s> {
    /// The fields.
    pub schema: &'s Schema,
    /// The inputs that they are columns of, which can be named too.
    pub signature: &'s Signature,
    /// Most rows.
    pub limit: usize,
    /// Whether this is read as MLflow reads it: columns that nobody knows are passed over, and a field that some rows
    /// have and some do not is a missing value in those.
    pub is_mlflow: bool,
}

/// Where a column leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// To the field at this position.
    Field(usize),
    /// To the key, which is no field.
    Key,
    /// To all fields of an input, by their positions.
    Input(Vec<usize>),
    /// Nowhere.
    Nowhere,
}

impl Layout<'_> {
    /// Where a name leads. `expected` is the position that it has in our own order.
    fn place(&self, name: &str, expected: usize) -> Result<Place, &'static str> {
        match self.schema.slot(name, expected) {
            Some(Slot::Field(position)) => return Ok(Place::Field(position)),
            Some(Slot::Key) => return Ok(Place::Key),
            None => {}
        }
        if let Some(input) = self.signature.inputs.iter().position(|spec| spec.name == name) {
            let features = self.signature.features.iter().enumerate();
            return Ok(Place::Input(
                features
                    .filter(|(_, feature)| feature.input == input)
                    .map(|(position, _)| position)
                    .collect(),
            ));
        }
        if self.is_mlflow { Ok(Place::Nowhere) } else { Err("is not a field of this service") }
    }

    /// How many values a row without names has: those of the version that everybody is answered by.
    fn positional(&self) -> usize {
        self.schema.fields.iter().take_while(|field| field.required).count()
    }

    fn width(&self) -> usize {
        self.schema.fields.len()
    }
}

/// A table in the making.
#[derive(Debug)]
pub(super) struct Table<'s, 'a> {
    layout: Layout<'s>,
    records: Records<'a>,
    /// How many cells have a value.
    filled: usize,
    fault: Fault,
}

impl<'s, 'a> Table<'s, 'a> {
    /// A table without rows.
    pub(super) fn new(layout: Layout<'s>) -> Self {
        Self { layout, records: Records::new(), filled: 0, fault: Fault::default() }
    }

    /// The records, about the entity of this key when there is one, or why there are none.
    pub(super) fn finish(mut self, key: Option<Cow<'a, str>>) -> Result<Records<'a>, Problem> {
        if self.records.rows == 0 {
            return Err(Problem::unprocessable("there are no rows; send at least one"));
        }
        if self.layout.is_mlflow {
            self.fill_absent()?;
        }
        if key.is_some() {
            self.records.set_key(key);
        }
        Ok(self.records)
    }

    /// The problem that ended the reading.
    pub(super) fn problem(self, error: &serde_json::Error) -> Problem {
        self.fault.problem(error, "the body")
    }

    /// Begins a row.
    fn begin(&mut self) -> Result<usize, String> {
        let row = self.records.rows;
        if row >= self.layout.limit {
            return Err(format!("more than {row} rows; send them in several requests"));
        }
        self.fault.record = Some(row);
        let start = row * self.layout.width();
        if start > SPARSE_CELLS && start / SPARSE_SHARE > self.filled {
            return Err("and those before it lack nearly all fields".into());
        }
        self.records.cells.resize(start + self.layout.width(), Cell::Absent);
        Ok(start)
    }

    /// Puts a value into a field of the row that begins at `start`.
    fn put(&mut self, start: usize, field: usize, cell: Cell<'a>) -> Result<(), String> {
        let spec = &self.layout.schema.fields[field];
        let place = &mut self.records.cells[start + field];
        let refusal = match *place {
            Cell::Absent if self.layout.schema.is_lenient => None,
            Cell::Absent => cell.refusal(spec.datatype),
            _ => Some("occurs twice".into()),
        };
        match refusal {
            None => {
                *place = cell;
                self.filled += 1;
                Ok(())
            }
            Some(reason) => {
                self.fault.field = Some(spec.name.clone());
                Err(reason)
            }
        }
    }

    /// Ends a row, whose key was this.
    fn end(&mut self, start: usize, key: Option<Cell<'a>>) -> Result<(), String> {
        let schema = self.layout.schema;
        if !self.layout.is_mlflow && !schema.is_lenient {
            let cells = schema.fields.iter().zip(&self.records.cells[start..]);
            for (field, cell) in cells {
                if field.required && *cell == Cell::Absent {
                    self.fault.field = Some(field.name.clone());
                    return Err(MISSING.into());
                }
            }
        }
        if schema.has_separate_key() {
            let key = key.map(|cell| self.key(cell)).transpose()?;
            self.records.push_key(key.flatten());
        }
        self.records.rows += 1;
        self.fault.record = None;
        Ok(())
    }

    fn key(&mut self, cell: Cell<'a>) -> Result<Option<Cow<'a, str>>, String> {
        // A column of texts with gaps has empty ones there.
        if matches!(&cell, Cell::Text(text) if text.is_empty()) {
            return Ok(None);
        }
        key_text(cell).inspect_err(|_| self.fault.field = Some("key".into()))
    }

    /// What pandas does with rows that lack a field that others have: its value is missing there.
    fn fill_absent(&mut self) -> Result<(), Problem> {
        let (width, schema) = (self.layout.width(), self.layout.schema);
        for (position, field) in schema.fields.iter().enumerate().filter(|(_, field)| field.required) {
            let column = (position..self.records.cells.len()).step_by(width);
            let absent: Vec<usize> =
                column.filter(|place| self.records.cells[*place] == Cell::Absent).collect();
            let Some(first) = absent.first() else { continue };
            let (record, reason) = if absent.len() == self.records.rows {
                (None, Some(MISSING.to_owned()))
            } else {
                (Some(first / width), Cell::Missing.refusal(field.datatype))
            };
            match reason {
                // Whoever looks at the expectations tells it with all other faults.
                Some(_) if schema.is_lenient && record.is_none() => {}
                Some(reason) if !schema.is_lenient => {
                    let fault = Fault { record, field: Some(field.name.clone()), reason: None };
                    return Err(fault.because(&reason));
                }
                _ => absent.iter().for_each(|place| self.records.cells[*place] = Cell::Missing),
            }
        }
        Ok(())
    }

    /// An error that the parser can carry; its words stay here.
    fn fail<E: de::Error>(&mut self, reason: String) -> E {
        self.fault.reason = Some(reason);
        E::custom("")
    }
}

/// The value of a named column in one row: a single value, or a list for an input of several columns.
struct Value<'t, 's, 'de> {
    table: &'t mut Table<'s, 'de>,
    start: usize,
    place: &'t Place,
    key: &'t mut Option<Cell<'de>>,
}

impl<'de> Value<'_, '_, 'de> {
    fn single<E: de::Error>(self, cell: Cell<'de>) -> Result<(), E> {
        let put = match self.place {
            Place::Field(field) => self.table.put(self.start, *field, cell),
            Place::Input(fields) => match fields.as_slice() {
                [field] => self.table.put(self.start, *field, cell),
                many => Err(format!("expected a list of {} values, got {cell}", many.len())),
            },
            Place::Key => {
                *self.key = Some(cell);
                Ok(())
            }
            Place::Nowhere => Ok(()),
        };
        put.map_err(|reason| self.table.fail(reason))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if *self.place == Place::Nowhere {
            return deserializer.deserialize_ignored_any(de::IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

/// The visits of single values, each handed to a method that takes a [`Cell`].
macro_rules! single_values {
    ($method:ident) => {
        fn visit_unit<E: ::serde::de::Error>(self) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Missing)
        }

        fn visit_bool<E: ::serde::de::Error>(self, flag: bool) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Flag(flag))
        }

        fn visit_i64<E: ::serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Integer(number))
        }

        fn visit_u64<E: ::serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::from(number))
        }

        fn visit_f64<E: ::serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Number(number))
        }

        fn visit_borrowed_str<E: ::serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Text(::std::borrow::Cow::Borrowed(text)))
        }

        fn visit_str<E: ::serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            self.$method($crate::inference::cell::Cell::Text(::std::borrow::Cow::Owned(text.to_owned())))
        }
    };
}
pub(super) use single_values;

impl<'de> Visitor<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    single_values!(single);

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let one;
        let fields: &[usize] = match self.place {
            Place::Input(fields) => fields.as_slice(),
            Place::Field(field) => {
                one = [*field];
                &one
            }
            _ => return Err(self.table.fail("expected a single value, got an array".into())),
        };
        let mut count = 0;
        while let Some(cell) = sequence.next_element::<Cell<'de>>()? {
            if let Some(field) = fields.get(count) {
                let put = self.table.put(self.start, *field, cell);
                put.map_err(|reason| self.table.fail::<A::Error>(reason))?;
            }
            count += 1;
        }
        if count == fields.len() {
            return Ok(());
        }
        let (wanted, got) = (fields.len(), count);
        Err(self.table.fail(format!("expected {wanted} values, got {got}")))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.table.fail("expected a single value, got an object".into()))
    }
}
