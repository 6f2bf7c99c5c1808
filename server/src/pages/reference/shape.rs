//! A JSON Schema in the words of a table.

use serde_json::Value;

const SCHEMAS: &str = "#/components/schemas/";
/// Choices that are named one by one.
const NAMED: usize = 20;

/// A part of what a value may be; a name of a schema is a link to it.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) link: String,
}

/// A member of an object.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) kind: Vec<Piece>,
    pub(super) about: String,
}

/// A member of a value as text; empty when it is not there.
pub(super) fn text(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text as it is, anything else as indented JSON.
pub(super) fn pretty(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned)
}

/// What a value of this schema is.
pub(super) fn kind(schema: &Value) -> Vec<Piece> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix(SCHEMAS).unwrap_or(name);
        return vec![Piece { text: name.to_owned(), link: name.to_owned() }];
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(alternatives) = schema[several].as_array()
            && schema.get("type").is_none()
        {
            return joined(alternatives);
        }
    }
    if let Some(choices) = schema["enum"].as_array() {
        let named: Vec<String> = choices.iter().take(NAMED).map(ToString::to_string).collect();
        return plain(named.join(" | "));
    }
    if let Some(only) = schema.get("const") {
        return plain(only.to_string());
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return plain("any".into()),
    };
    let mut pieces = Vec::new();
    for (position, name) in types.into_iter().enumerate() {
        if position > 0 {
            pieces.extend(plain(" | ".into()));
        }
        pieces.extend(one(name, schema));
    }
    pieces.extend(plain(limits(schema)));
    pieces
}

fn joined(alternatives: &[Value]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (position, alternative) in alternatives.iter().enumerate() {
        if position > 0 {
            pieces.extend(plain(" | ".into()));
        }
        pieces.extend(kind(alternative));
    }
    pieces
}

/// One type of a schema.
fn one(name: &str, schema: &Value) -> Vec<Piece> {
    match name {
        "array" if schema.get("items").is_some() => {
            let mut pieces = plain("list of ".into());
            pieces.extend(kind(&schema["items"]));
            pieces
        }
        "array" => plain("list".into()),
        "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() && schema.get("properties").is_none() => {
                let mut pieces = plain("object of ".into());
                pieces.extend(kind(values));
                pieces
            }
            _ => members_in_short(schema),
        },
        "string" => match schema["format"].as_str() {
            Some(format) => plain(format!("string ({format})")),
            None => plain("string".into()),
        },
        other => plain(other.into()),
    }
}

/// An object that stands in a choice is told by the names of its members.
fn members_in_short(schema: &Value) -> Vec<Piece> {
    let Some(members) = schema["properties"].as_object() else { return plain("object".into()) };
    let names: Vec<&str> = members.keys().map(String::as_str).take(NAMED).collect();
    plain(format!("object {{{}}}", names.join(", ")))
}

fn plain(text: String) -> Vec<Piece> {
    if text.is_empty() { Vec::new() } else { vec![Piece { text, link: String::new() }] }
}

/// The bounds of a value, those of 64 bits aside, which say nothing.
fn limits(schema: &Value) -> String {
    let bound = |least: &str, most: &str| -> String {
        let shown = |name: &str| {
            schema.get(name).filter(|value| value.as_f64().is_some_and(|value| value.abs() < 9e18))
        };
        match (shown(least), shown(most)) {
            (Some(least), Some(most)) => format!("{least}–{most}"),
            (Some(least), None) => format!("≥ {least}"),
            (None, Some(most)) => format!("≤ {most}"),
            (None, None) => String::new(),
        }
    };
    let value = bound("minimum", "maximum");
    let length = bound("minLength", "maxLength");
    let items = bound("minItems", "maxItems");
    let mut told = Vec::new();
    if !value.is_empty() {
        told.push(value);
    }
    if !length.is_empty() {
        told.push(format!("{length} characters"));
    }
    if !items.is_empty() {
        told.push(format!("{items} items"));
    }
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

/// The members of an object, and those of the alternatives that add some.
pub(super) fn rows(schema: &Value) -> Vec<Row> {
    let is_required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|required| required == name))
    };
    let members = schema["properties"].as_object().into_iter().flatten();
    let mut rows: Vec<Row> = members
        .map(|(name, member)| Row {
            name: name.clone(),
            is_required: is_required(name),
            kind: kind(member),
            about: text(member, "description"),
        })
        .collect();
    for alternative in
        ["oneOf", "anyOf", "allOf"].iter().flat_map(|name| schema[name].as_array().into_iter().flatten())
    {
        let about = text(alternative, "description");
        let is_told = alternative.get("const").is_some() || !about.is_empty();
        if is_told {
            rows.push(Row { name: String::new(), is_required: false, kind: kind(alternative), about });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(schema: &Value) -> String {
        kind(schema).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn schemas_are_told_in_words() {
        assert_eq!(words(&json!({ "type": "integer", "minimum": 1, "maximum": 1000 })), "integer (1–1000)");
        assert_eq!(words(&json!({ "type": ["string", "null"] })), "string | null");
        assert_eq!(
            words(&json!({ "type": "array", "items": { "$ref": "#/components/schemas/Model" } })),
            "list of Model"
        );
        assert_eq!(words(&json!({ "enum": ["a", "b"] })), "\"a\" | \"b\"");
        assert_eq!(words(&json!({})), "any");
        let map = json!({ "type": "object", "additionalProperties": { "type": "number" } });
        assert_eq!(words(&map), "object of number");
    }

    #[test]
    fn members_say_whether_they_are_needed() {
        let all = rows(&json!({ "required": ["a"], "properties": { "a": { "type": "string" }, "b": {} } }));
        assert_eq!(all.iter().map(|row| row.is_required).collect::<Vec<_>>(), [true, false]);
    }
}
