//! The friendly request, `{"records": [{…}], "key"?, "at"?, "context"?, "explain"?}`, read in one pass from the
//! body into cells. No tree of JSON values is ever built, and texts are borrowed from the body.

use std::borrow::Cow;
use std::fmt;

use chasqui_registry::Micros;
use jiff::Timestamp;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, KeySeed, Text, key_text};
use super::schema::{Schema, Slot};
use crate::problem::Problem;

/// A request that fits its schema.
#[derive(Debug)]
pub(super) struct Records<'a> {
    /// The values, row by row, one per field of the schema.
    pub cells: Vec<Cell<'a>>,
    /// Number of records.
    pub rows: usize,
    /// Whether an explanation is asked for.
    pub explain: bool,
    /// The moment that the records are about, when it is not now: history that is replayed or scored later.
    pub at: Option<Micros>,
    key: Option<Cow<'a, str>>,
    row_keys: Vec<Option<Cow<'a, str>>>,
}

impl<'a> Records<'a> {
    /// No records yet.
    pub(super) fn new() -> Self {
        Self { cells: Vec::new(), rows: 0, explain: false, at: None, key: None, row_keys: Vec::new() }
    }

    /// Makes all records about one entity.
    pub(super) fn set_key(&mut self, key: Option<Cow<'a, str>>) {
        self.key = key;
    }

    /// Notes the key of the next record, where the service has keys that are not fields.
    pub(super) fn push_key(&mut self, key: Option<Cow<'a, str>>) {
        self.row_keys.push(key);
    }

    /// Each record on its own.
    pub(super) fn into_each(self, schema: &Schema) -> impl Iterator<Item = Self> {
        let width = schema.fields.len();
        let (mut cells, mut keys) = (self.cells.into_iter(), self.row_keys.into_iter());
        (0..self.rows).map(move |_| Self {
            cells: cells.by_ref().take(width).collect(),
            rows: 1,
            explain: self.explain,
            at: self.at,
            key: self.key.clone(),
            row_keys: keys.by_ref().take(1).collect(),
        })
    }

    /// Adds the records of another request.
    pub(super) fn append(&mut self, other: Self) {
        self.cells.extend(other.cells);
        self.row_keys.extend(other.row_keys);
        self.rows += other.rows;
    }
}

impl Records<'_> {
    /// The key of the entity that a record is about: the request's, else the record's own.
    pub(super) fn key(&self, schema: &Schema, row: usize) -> Option<Cow<'_, str>> {
        if let Some(key) = &self.key {
            return Some(Cow::Borrowed(key));
        }
        if let Some(field) = schema.key_feature {
            return match &self.cells[row * schema.fields.len() + field] {
                Cell::Text(text) if text.is_empty() => None,
                Cell::Text(text) => Some(Cow::Borrowed(text)),
                Cell::Integer(number) => Some(Cow::Owned(number.to_string())),
                Cell::Number(number) => Some(Cow::Owned(number.to_string())),
                _ => None,
            };
        }
        self.row_keys.get(row)?.as_deref().map(Cow::Borrowed)
    }

    /// Keys that are not fields: the request's, else each record's own, with its position.
    pub(super) fn separate_keys(&self) -> impl Iterator<Item = (Option<usize>, Option<&str>)> {
        let own = if self.key.is_some() { &[] } else { self.row_keys.as_slice() };
        let whole = own.is_empty().then_some((None, self.key.as_deref()));
        whole.into_iter().chain(own.iter().enumerate().map(|(record, key)| (Some(record), key.as_deref())))
    }

    /// Whether all records are of the same entity, or of none.
    pub(super) fn has_one_key(&self, schema: &Schema) -> bool {
        self.key.is_some() || self.rows == 1 || (schema.key_feature.is_none() && !schema.has_separate_key())
    }
}

/// The members of a request.
const MEMBERS: [&str; 5] = ["records", "key", "context", "explain", "at"];

/// What is wrong with a record; the parser's own error cannot carry it.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// Position of the record.
    pub record: Option<usize>,
    /// The field's name.
    pub field: Option<String>,
    /// Why; the parser's own words when there are none.
    pub reason: Option<String>,
}

impl Fault {
    /// The problem that ended the reading of `what`.
    pub(super) fn problem(self, error: &serde_json::Error, what: &str) -> Problem {
        if !error.is_data() {
            return Problem::bad_request(format!("{what} is not valid JSON: {error}"));
        }
        let reason = self.reason.clone().unwrap_or_else(|| reason(error));
        self.because(&reason)
    }

    /// The problem with this reason.
    pub(super) fn because(self, reason: &str) -> Problem {
        let sentence = match (&self.record, &self.field) {
            (Some(record), Some(field)) => format!("record {record}, field `{field}`: {reason}"),
            (Some(record), None) => format!("record {record}: {reason}"),
            (None, Some(field)) => format!("field `{field}`: {reason}"),
            (None, None) => return Problem::unprocessable(reason),
        };
        Problem::unprocessable(sentence).at(self.record, self.field.as_deref())
    }
}

/// Reads a request with at most `limit` records.
pub(super) fn parse<'a>(body: &'a [u8], schema: &Schema, limit: usize) -> Result<Records<'a>, Problem> {
    let mut fault = Fault::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = RequestSeed { schema, limit, fault: &mut fault };
    let parsed = seed.deserialize(&mut deserializer).and_then(|records| {
        deserializer.end()?;
        Ok(records)
    });
    parsed.map_err(|error| fault.problem(&error, "the body"))
}

/// Reads a record that stands alone, as a line of a stream does.
pub(super) fn parse_one<'a>(line: &'a [u8], schema: &Schema) -> Result<Records<'a>, Problem> {
    let mut fault = Fault::default();
    let mut request = Records::new();
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let seed = RecordSeed { schema, fault: &mut fault, request: &mut request, start: 0, is_beyond: false };
    let parsed = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    parsed.map_err(|error| fault.problem(&error, "the line"))?;
    request.rows = 1;
    Ok(request)
}

/// The parser's message without its position, which says little in one long line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

struct RequestSeed<'s> {
    schema: &'s Schema,
    limit: usize,
    fault: &'s mut Fault,
}

impl<'de> DeserializeSeed<'de> for RequestSeed<'_> {
    type Value = Records<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RequestSeed<'_> {
    type Value = Records<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = Records::new();
        let mut seen: [bool; MEMBERS.len()] = [false; MEMBERS.len()];
        while let Some(Text(name)) = map.next_key()? {
            let Some(member) = MEMBERS.iter().position(|known| *known == name) else {
                let text = format!("`{name}` is not known here; `{}` are", MEMBERS.join("`, `"));
                return Err(de::Error::custom(text));
            };
            if std::mem::replace(&mut seen[member], true) {
                return Err(de::Error::custom(format!("`{name}` occurs twice")));
            }
            match member {
                0 => map.next_value_seed(RecordsSeed {
                    schema: self.schema,
                    limit: self.limit,
                    fault: self.fault,
                    request: &mut request,
                })?,
                1 => request.key = map.next_value_seed(KeySeed)?,
                // Rules that look at the context come with them; until then it is only well-formed.
                2 => drop(map.next_value::<IgnoredAny>()?),
                3 => request.explain = map.next_value()?,
                _ => {
                    let at = map.next_value::<Option<Text<'_>>>()?;
                    request.at = at.map(|at| instant(&at.0)).transpose().map_err(de::Error::custom)?;
                }
            }
        }
        if request.rows == 0 {
            let text = if seen[0] { "`records` is empty; send at least one" } else { "`records` is missing" };
            return Err(de::Error::custom(text));
        }
        Ok(request)
    }
}

/// The moment that `at` names.
fn instant(text: &str) -> Result<Micros, String> {
    let time = text.parse::<Timestamp>().map(|time| Micros(time.as_microsecond()));
    time.map_err(|_| {
        let short: String = text.chars().take(40).collect();
        format!("`at` is {short:?}, which is not a time; write 2026-01-31T08:00:00-05:00")
    })
}

struct RecordsSeed<'s, 'r, 'de> {
    schema: &'s Schema,
    limit: usize,
    fault: &'s mut Fault,
    request: &'r mut Records<'de>,
}

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let width = self.schema.fields.len();
        self.request.cells.reserve(width);
        loop {
            let record = self.request.rows;
            self.fault.record = Some(record);
            let seed = RecordSeed {
                schema: self.schema,
                fault: &mut *self.fault,
                request: &mut *self.request,
                start: record * width,
                is_beyond: record >= self.limit,
            };
            if sequence.next_element_seed(seed)?.is_none() {
                break;
            }
            self.request.rows += 1;
        }
        self.fault.record = None;
        Ok(())
    }
}

struct RecordSeed<'s, 'r, 'de> {
    schema: &'s Schema,
    fault: &'s mut Fault,
    request: &'r mut Records<'de>,
    start: usize,
    is_beyond: bool,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.is_beyond {
            let limit = self.fault.record.take().unwrap_or_default();
            return Err(de::Error::custom(format!(
                "more than {limit} records; send them in several requests"
            )));
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the fields of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { schema, fault, request, start, .. } = self;
        let width = schema.fields.len();
        request.cells.resize(start + width, Cell::Absent);
        let mut key = None;
        let mut filled = 0;
        while let Some(slot) = map.next_key_seed(NameSeed { schema, expected: filled, fault: &mut *fault })? {
            let Slot::Field(position) = slot else {
                fault.field = Some("key".into());
                key = Some(map.next_value::<Cell<'de>>()?);
                fault.field = None;
                continue;
            };
            let field = &schema.fields[position];
            let cell = match map.next_value::<Cell<'de>>() {
                Ok(cell) => cell,
                Err(error) => {
                    fault.field = Some(field.name.clone());
                    return Err(error);
                }
            };
            let taken = request.cells[start + position] != Cell::Absent;
            let refusal = match taken {
                true => Some("occurs twice".into()),
                false if schema.is_lenient => None,
                false => cell.refusal(field.datatype),
            };
            if let Some(reason) = refusal {
                fault.field = Some(field.name.clone());
                fault.reason = Some(reason);
                return Err(de::Error::custom(""));
            }
            request.cells[start + position] = cell;
            filled += 1;
        }
        if filled < width && !schema.is_lenient {
            check_complete(schema, &request.cells[start..], fault).map_err(|()| de::Error::custom(""))?;
        }
        if schema.has_separate_key() {
            let key = key.map(key_text).transpose().map_err(de::Error::custom)?;
            request.row_keys.push(key.flatten());
        }
        Ok(())
    }
}

fn check_complete(schema: &Schema, cells: &[Cell<'_>], fault: &mut Fault) -> Result<(), ()> {
    for (field, cell) in schema.fields.iter().zip(cells) {
        if field.required && *cell == Cell::Absent {
            fault.field = Some(field.name.clone());
            fault.reason = Some("is missing; send null when its value is not known".into());
            return Err(());
        }
    }
    Ok(())
}

struct NameSeed<'s> {
    schema: &'s Schema,
    expected: usize,
    fault: &'s mut Fault,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Slot;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Slot, E> {
        if let Some(slot) = self.schema.slot(name, self.expected) {
            return Ok(slot);
        }
        self.fault.field = Some(name.chars().take(100).collect());
        self.fault.reason = Some("is not a field of this service".into());
        Err(E::custom(""))
    }
}

#[cfg(test)]
mod tests;
