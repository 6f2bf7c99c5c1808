//! The JSON bodies of KServe v1 and MLflow: an object with the rows in one of several forms, and parameters.
//!
//! Rows become records where the model's inputs are named columns, and tensors where they are not.

use std::borrow::Cow;
use std::fmt;

use chasqui_runtime::{Signature, Tensor};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cell::{KeySeed, Text};
use super::expect::Warnings;
use super::nested::{Nested, Tensors};
use super::records::Records;
use super::rows::{Asked, Inquiry, Spread};
use super::schema::Schema;
use super::table::{Layout, Rows, Split, Table};
use super::{Answer, predicted};
use crate::problem::Problem;

/// Most names that a sentence tells.
const MAX_NAMES: usize = 20;

/// What a protocol calls its members.
#[derive(Debug)]
pub(super) struct Protocol {
    /// The forms that rows come in; exactly one must be there.
    forms: &'static [(&'static str, Shape)],
    /// What goes with them.
    parameters: &'static str,
    /// See [`Layout::is_mlflow`].
    is_mlflow: bool,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One after another, or by columns.
    Rows,
    /// As pandas splits a table.
    Split,
}

/// `POST /v1/models/{service}:predict`.
pub(super) const KSERVE_V1: Protocol = Protocol {
    forms: &[("instances", Shape::Rows), ("inputs", Shape::Rows)],
    parameters: "parameters",
    is_mlflow: false,
};

/// `POST /invocations`.
pub(super) const MLFLOW: Protocol = Protocol {
    forms: &[
        ("dataframe_split", Shape::Split),
        ("dataframe_records", Shape::Rows),
        ("instances", Shape::Rows),
        ("inputs", Shape::Rows),
    ],
    parameters: "params",
    is_mlflow: true,
};

/// What a body says.
#[derive(Debug)]
pub(super) struct Read<'a> {
    /// The rows.
    pub rows: Given<'a>,
    /// The names of parameters that nobody knows.
    pub ignored: Vec<String>,
}

/// The rows of a body.
#[derive(Debug)]
pub(super) enum Given<'a> {
    /// Of a model whose inputs are named columns.
    Records(Records<'a>),
    /// Of any other, with the key of the entity that they are about.
    Tensors(Vec<Tensor>, Option<Cow<'a, str>>),
}

/// Rows in the making.
#[derive(Debug)]
pub(super) enum Reader<'s, 'a> {
    /// Of a model whose inputs are named columns.
    Table(Table<'s, 'a>),
    /// Of any other.
    Tensors(Nested<'s, 'a>),
}

impl<'s, 'a> Reader<'s, 'a> {
    /// Reads for this schema, or for this signature when there is none.
    pub(super) fn new(
        protocol: &Protocol,
        schema: Option<&'s Schema>,
        signature: &'s Signature,
        limit: usize,
    ) -> Self {
        match schema {
            Some(schema) => {
                let is_mlflow = protocol.is_mlflow;
                Reader::Table(Table::new(Layout { schema, signature, limit, is_mlflow }))
            }
            None => Reader::Tensors(Nested::new(signature, limit)),
        }
    }

    /// Reads rows that stand alone, without an object around them.
    pub(super) fn bare(mut self, body: &'a [u8], shape: Shape) -> Result<Read<'a>, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let seed = Form { reader: &mut self, shape };
        match seed.deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
            Ok(()) => Ok(Read { rows: self.finish(None)?, ignored: Vec::new() }),
            Err(error) => Err(self.problem(&error)),
        }
    }

    /// Reads the object of a protocol.
    pub(super) fn read(mut self, body: &'a [u8], protocol: &Protocol) -> Result<Read<'a>, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let seed = Envelope { reader: &mut self, protocol };
        let parsed = seed.deserialize(&mut deserializer).and_then(|parameters| {
            deserializer.end()?;
            Ok(parameters)
        });
        match parsed {
            Ok(Parameters { key, ignored }) => Ok(Read { rows: self.finish(key)?, ignored }),
            Err(error) => Err(self.problem(&error)),
        }
    }

    /// The rows that were read.
    pub(super) fn finish(self, key: Option<Cow<'a, str>>) -> Result<Given<'a>, Problem> {
        match self {
            Reader::Table(table) => Ok(Given::Records(table.finish(key)?)),
            Reader::Tensors(nested) => Ok(Given::Tensors(nested.finish()?, key)),
        }
    }

    fn problem(self, error: &serde_json::Error) -> Problem {
        match self {
            Reader::Table(table) => table.problem(error),
            Reader::Tensors(_) if error.is_data() => Problem::unprocessable(error.to_string()),
            Reader::Tensors(_) => Problem::bad_request(format!("the body is not valid JSON: {error}")),
        }
    }
}

/// Answers a request of KServe v1.
pub(super) fn answer_v1(inquiry: &Inquiry<'_>, body: &[u8]) -> Result<Answer, Problem> {
    let read = reader(inquiry, &KSERVE_V1)?.read(body, &KSERVE_V1)?;
    answer(inquiry, read)
}

/// What reads the rows of this service.
pub(super) fn reader<'s, 'a>(inquiry: &Inquiry<'s>, protocol: &Protocol) -> Result<Reader<'s, 'a>, Problem> {
    let signature = &inquiry.target()?.version.signature;
    Ok(Reader::new(protocol, inquiry.schema()?, signature, inquiry.inference.limits.records))
}

/// Answers what was read.
pub(super) fn answer(inquiry: &Inquiry<'_>, read: Read<'_>) -> Result<Answer, Problem> {
    let (asked, warnings) = ask(inquiry, read.rows)?;
    let mut notes = Vec::new();
    if !read.ignored.is_empty() {
        notes.push(format!(
            "parameters that this model does not have are ignored: `{}`",
            read.ignored.join("`, `")
        ));
    }
    Ok(predicted::answer(inquiry, asked, &warnings, &notes))
}

fn ask(inquiry: &Inquiry<'_>, rows: Given<'_>) -> Result<(Asked, Warnings), Problem> {
    match rows {
        Given::Tensors(tensors, key) => inquiry.ask_tensors(tensors, key.as_deref()),
        Given::Records(mut records) => {
            let schema = inquiry.records_only()?;
            let warnings = inquiry.check(schema, &mut records)?;
            Ok((inquiry.ask(schema, &records, Spread::Together)?, warnings))
        }
    }
}

/// Rows in one form.
struct Form<'t, 's, 'de> {
    reader: &'t mut Reader<'s, 'de>,
    shape: Shape,
}

impl<'de> DeserializeSeed<'de> for Form<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match (self.reader, self.shape) {
            (Reader::Table(table), Shape::Rows) => Rows(table).deserialize(deserializer),
            (Reader::Table(table), Shape::Split) => Split(table).deserialize(deserializer),
            (Reader::Tensors(nested), Shape::Rows) => Tensors(nested).deserialize(deserializer),
            (Reader::Tensors(_), Shape::Split) => {
                Err(de::Error::custom("the inputs of this model are not named columns; send `inputs`"))
            }
        }
    }
}

/// The object around the rows.
struct Envelope<'t, 's, 'de> {
    reader: &'t mut Reader<'s, 'de>,
    protocol: &'t Protocol,
}

impl Envelope<'_, '_, '_> {
    fn names(&self) -> String {
        let names: Vec<&str> = self.protocol.forms.iter().map(|(name, _)| *name).collect();
        names.join("`, `")
    }
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, '_, 'de> {
    type Value = Parameters<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, '_, 'de> {
    type Value = Parameters<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with exactly one of `{}`", self.names())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parameters = Parameters::default();
        let mut form: Option<&str> = None;
        while let Some(Text(name)) = map.next_key()? {
            if let Some((known, shape)) = self.protocol.forms.iter().find(|(known, _)| *known == name) {
                if let Some(first) = form.replace(known) {
                    let names = self.names();
                    let text = format!("`{first}` and `{known}`: send exactly one of `{names}`");
                    return Err(de::Error::custom(text));
                }
                map.next_value_seed(Form { reader: &mut *self.reader, shape: *shape })?;
            } else if name == self.protocol.parameters {
                parameters = map.next_value_seed(ParametersSeed)?;
            } else {
                // Both protocols pass over what they do not know.
                map.next_value::<IgnoredAny>()?;
            }
        }
        if form.is_none() {
            return Err(de::Error::custom(format!("send exactly one of `{}`", self.names())));
        }
        Ok(parameters)
    }
}

/// What goes with rows.
#[derive(Debug, Default)]
struct Parameters<'a> {
    key: Option<Cow<'a, str>>,
    ignored: Vec<String>,
}

struct ParametersSeed;

impl<'de> DeserializeSeed<'de> for ParametersSeed {
    type Value = Parameters<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ParametersSeed {
    type Value = Parameters<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of parameters")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Parameters::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parameters = Parameters::default();
        while let Some(Text(name)) = map.next_key()? {
            if name == "key" {
                parameters.key = map.next_value_seed(KeySeed)?;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if parameters.ignored.len() < MAX_NAMES {
                parameters.ignored.push(name.chars().take(100).collect());
            }
        }
        Ok(parameters)
    }
}
