//! Schemas of the types that are read and written.
//!
//! What is read and what is written differ: a field with a default may be left out of a request and is always in an
//! answer. Where a type's two schemas differ, the one for requests is called `…Input`.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where the document keeps schemas.
const PREFIX: &str = "#/components/schemas/";
/// Begins the references from requests until their names are settled.
const READ_PREFIX: &str = "#/components/read/";

/// A type's schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Collects the schemas that the operations refer to.
pub(super) struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

/// The schema of a type, to be made later.
pub(super) fn of<T: JsonSchema>() -> SchemaOf {
    SchemaGenerator::subschema_for::<T>
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = |path: &'static str| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = path.into();
                settings.meta_schema = None;
            })
        };
        Self {
            read: settings("/components/read").for_deserialize().into_generator(),
            written: settings("/components/schemas").for_serialize().into_generator(),
        }
    }

    /// Of what callers send.
    pub(super) fn read(&mut self, schema: SchemaOf) -> Value {
        tidy(schema(&mut self.read).into())
    }

    /// Of what they get.
    pub(super) fn written(&mut self, schema: SchemaOf) -> Value {
        tidy(schema(&mut self.written).into())
    }

    /// The named parts of a type that callers send, for its fields one by one.
    pub(super) fn fields(&mut self, schema: SchemaOf) -> (Map<String, Value>, BTreeSet<String>) {
        let known = self.read.definitions().clone();
        let mut schema = self.read(schema);
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix(READ_PREFIX)) {
            let whole = self.read.definitions().get(name).cloned().unwrap_or_default();
            // Taken apart it needs no name, unless a body has it too.
            if !known.contains_key(name) {
                self.read.definitions_mut().remove(name);
            }
            schema = tidy(whole);
        }
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let required = schema["required"].as_array().into_iter().flatten();
        (properties, required.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// All named schemas; references in `paths` get the settled names.
    pub(super) fn finish(mut self, paths: &mut Value) -> Map<String, Value> {
        let mut all: Map<String, Value> = self
            .written
            .take_definitions(true)
            .into_iter()
            .map(|(name, schema)| (name, tidy(schema)))
            .collect();
        let read: Map<String, Value> =
            self.read.take_definitions(true).into_iter().map(|(name, schema)| (name, tidy(schema))).collect();
        let different = different(&read, &all);
        for (name, mut schema) in read {
            settle(&mut schema, &different);
            let is_different = different.contains(&name);
            all.entry(if is_different { format!("{name}Input") } else { name }).or_insert(schema);
        }
        settle(paths, &different);
        for (name, schema) in super::problems::schemas() {
            all.insert(name.to_owned(), schema);
        }
        all
    }
}

/// The names whose schema for requests is not the one for answers, by itself or by what it refers to.
fn different(read: &Map<String, Value>, written: &Map<String, Value>) -> BTreeSet<String> {
    let mut different = BTreeSet::new();
    loop {
        let before = different.len();
        for (name, schema) in read {
            let Some(other) = written.get(name) else { continue };
            let mut settled = schema.clone();
            settle(&mut settled, &different);
            if settled != *other {
                different.insert(name.clone());
            }
        }
        if different.len() == before {
            return different;
        }
    }
}

/// Turns references of requests into those of the document.
fn settle(value: &mut Value, different: &BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(READ_PREFIX) {
                let ending = if different.contains(name) { "Input" } else { "" };
                *text = format!("{PREFIX}{name}{ending}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| settle(item, different)),
        Value::Object(members) => members.values_mut().for_each(|member| settle(member, different)),
        _ => {}
    }
}

/// Bounds what Rust bounds and takes links to code out of the descriptions.
fn tidy(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            bound(members);
            if let Some(Value::String(about)) = members.get_mut("description") {
                *about = without_links(about);
            }
            for member in members.values_mut() {
                *member = tidy(member.take());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = tidy(item.take())),
        _ => {}
    }
    schema
}

/// The limits of the integers behind a `format`. They are written into it, since few readers know Rust's formats.
fn bound(members: &mut Map<String, Value>) {
    let Some(format) = members.get("format").and_then(Value::as_str) else { return };
    let (least, most): (Value, Value) = match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        "uint32" => (0.into(), u32::MAX.into()),
        "uint" | "uint64" => (0.into(), u64::MAX.into()),
        _ => return,
    };
    if format.starts_with("uint") {
        members.insert("format".into(), "int64".into());
    }
    members.entry("minimum").or_insert(least);
    members.entry("maximum").or_insert(most);
}

/// ``[`Plan`]`` and ``[`Plan`](path)`` become `` `Plan` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        plain.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let Some(end) = rest.find("`]") else { break };
        plain.push_str(&rest[..=end]);
        rest = &rest[end + 2..];
        if rest.starts_with('(')
            && let Some(end) = rest.find(')')
        {
            rest = &rest[end + 1..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        /// How many; see [`Inner`].
        #[serde(default)]
        count: u32,
    }

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    struct Outer {
        inner: Inner,
    }

    #[test]
    fn what_is_read_and_what_is_written_have_names_of_their_own() {
        let mut schemas = Schemas::new();
        let mut paths = serde_json::json!([schemas.read(of::<Outer>()), schemas.written(of::<Outer>())]);
        let all = schemas.finish(&mut paths);
        assert_eq!(paths[0]["$ref"], "#/components/schemas/OuterInput");
        assert_eq!(paths[1]["$ref"], "#/components/schemas/Outer");
        assert_eq!(all["OuterInput"]["properties"]["inner"]["$ref"], "#/components/schemas/InnerInput");
        assert_eq!(all["Inner"]["required"][0], "count");
        assert!(all["InnerInput"]["required"].is_null());
        assert_eq!(all["Inner"]["properties"]["count"]["maximum"], u32::MAX);
    }

    #[test]
    fn links_are_words() {
        assert_eq!(without_links("a [`Plan`] with [`x`](y::x)."), "a `Plan` with `x`.");
    }
}
