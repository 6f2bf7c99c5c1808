//! What a service expects of the fields of a request beyond the signature: ranges, closed lists, formats.
//!
//! Here is what can be declared and which declarations make sense; values are checked where requests are answered.

use std::collections::BTreeMap;

use chasqui_runtime::{DataType, Signature};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::check_text;
use crate::{Error, Result};

/// Each field is a label of a metric: not more than this many.
const MAX_FIELDS: usize = 500;
const MAX_CATEGORIES: usize = 1000;
const MAX_LENGTH: u32 = 100_000;
const TEXT_BYTES: usize = 250;

/// What a service expects of its requests.
///
/// - At least one field is declared, at most 500.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    /// What becomes of a request that does not meet them, where a field does not say otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// By the name of the field: an input of the model, or the service's `key_field`.
    pub fields: BTreeMap<String, FieldExpectation>,
}

/// What becomes of a request with a value that is not as expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExpectationMode")]
pub enum Mode {
    /// It is refused.
    #[default]
    Reject,
    /// It is answered with a warning.
    Warn,
    /// The value is put right where there is no doubt about what it means; else the request is refused.
    Coerce,
}

/// What is expected of one field. A missing value (`null`, NaN, an empty text) breaks `required` alone.
///
/// - It says something besides the mode.
/// - `min` is not above `max`; both are finite and about numbers.
/// - `categories` are 1 to 1000 distinct values, all numbers or all texts.
/// - `max_length` is at least 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldExpectation {
    /// Whether a value must be there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The only values there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<Category>>,
    /// How the value is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Most characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Instead of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// A member of a closed list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ExpectedCategory")]
pub enum Category {
    /// Of a field of numbers.
    Number(f64),
    /// Of a field of texts.
    Text(String),
}

/// How a value is written. The rules of each are beside the code that checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FieldFormat")]
pub enum Format {
    /// An identity number of ten digits, the last of which checks the others.
    Cedula,
    /// A taxpayer's number of thirteen digits; the check digit of natural persons alone is looked at.
    Ruc,
    /// The same, and the check digit of companies and public entities too, which newer numbers do not keep.
    RucChecked,
    /// A mobile or a fixed number.
    Phone,
    /// A mobile number.
    MobilePhone,
    /// A fixed number with its area code.
    FixedPhone,
    /// A vehicle's plate.
    Plate,
    /// The code of a province, 01 to 24, or 30 for abroad.
    ProvinceCode,
    /// The name of a province.
    ProvinceName,
    /// yyyy-mm-dd
    DateIso,
    /// dd/mm/yyyy
    DateDmy,
    /// A number with a decimal comma: 1.384,10
    DecimalComma,
    /// An e-mail address.
    Email,
}

impl Expectations {
    /// Checks everything that can be checked without knowing the model.
    pub(super) fn check(&self) -> Result<()> {
        if self.fields.is_empty() {
            return Err(Error::Invalid("`expectations.fields` is empty; leave `expectations` out".into()));
        }
        if self.fields.len() > MAX_FIELDS {
            return Err(Error::Invalid(format!("`expectations.fields` has more than {MAX_FIELDS} fields")));
        }
        for (name, field) in &self.fields {
            check_text("field name", name, TEXT_BYTES)?;
            field.check(self.mode_of(field)).map_err(|why| invalid(name, &why))?;
        }
        Ok(())
    }

    /// Checks that every field exists and can be as expected. `key_field` is the name of the key.
    pub(super) fn check_fit(&self, signature: &Signature, key_field: Option<&str>) -> Result<()> {
        for (name, field) in &self.fields {
            let feature = signature.features.iter().find(|feature| feature.name == *name);
            let input = feature.and_then(|feature| signature.inputs.get(feature.input));
            let datatype = match input {
                Some(input) => input.datatype,
                None if key_field == Some(name) => DataType::Bytes,
                None => return Err(invalid(name, "it is neither an input of the model nor the key")),
            };
            if key_field == Some(name) && self.mode_of(field) == Mode::Coerce {
                return Err(invalid(
                    name,
                    "a key is never changed, outcomes are joined by it; give it a mode of its own",
                ));
            }
            let fit = if datatype == DataType::Bytes {
                field.fit_text()
            } else {
                field.fit_number(self.mode_of(field))
            };
            fit.map_err(|why| invalid(name, why))?;
        }
        Ok(())
    }

    /// The mode of a field.
    pub fn mode_of(&self, field: &FieldExpectation) -> Mode {
        field.mode.unwrap_or(self.mode)
    }
}

fn invalid(name: &str, why: &str) -> Error {
    Error::Invalid(format!("`expectations.fields.{name}`: {why}"))
}

impl FieldExpectation {
    fn check(&self, mode: Mode) -> std::result::Result<(), String> {
        let silent = FieldExpectation { mode: self.mode, ..FieldExpectation::default() };
        if *self == silent {
            return Err("it says nothing; leave it out".into());
        }
        if [self.min, self.max].into_iter().flatten().any(|bound| !bound.is_finite()) {
            return Err("`min` and `max` must be finite".into());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("`min` {min} is above `max` {max}"));
        }
        if self.max_length.is_some_and(|length| !(1..=MAX_LENGTH).contains(&length)) {
            return Err(format!("`max_length` must be between 1 and {MAX_LENGTH}"));
        }
        self.categories.as_deref().map_or(Ok(()), |categories| check_categories(categories, mode))
    }

    fn fit_text(&self) -> std::result::Result<(), &'static str> {
        if self.min.is_some() || self.max.is_some() {
            return Err("`min` and `max` are about numbers, and this field is a text");
        }
        let numbers =
            self.categories.iter().flatten().any(|category| matches!(category, Category::Number(_)));
        if numbers { Err("`categories` must be texts, as the field is") } else { Ok(()) }
    }

    fn fit_number(&self, mode: Mode) -> std::result::Result<(), &'static str> {
        if self.max_length.is_some() {
            return Err("`max_length` is about texts, and this field is a number");
        }
        if self.categories.iter().flatten().any(|category| matches!(category, Category::Text(_))) {
            return Err("`categories` must be numbers, as the field is");
        }
        match self.format {
            None | Some(Format::ProvinceCode) => Ok(()),
            Some(Format::DecimalComma) if mode == Mode::Coerce => Ok(()),
            Some(Format::DecimalComma) => {
                Err("a number is never written with a comma; with the mode `coerce` texts are read so")
            }
            Some(_) => Err("this format is of texts, and the field is a number"),
        }
    }
}

fn check_categories(categories: &[Category], mode: Mode) -> std::result::Result<(), String> {
    if categories.is_empty() || categories.len() > MAX_CATEGORIES {
        return Err(format!("`categories` must have 1 to {MAX_CATEGORIES} values"));
    }
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    for category in categories {
        match category {
            Category::Number(number) if number.is_finite() => numbers.push(*number),
            Category::Number(_) => return Err("`categories` must be finite".into()),
            Category::Text(text) => {
                check_text("category", text, TEXT_BYTES).map_err(|error| error.to_string())?;
                if text.is_empty() {
                    return Err("`categories` must not contain an empty text: it is a missing value".into());
                }
                texts.push(if mode == Mode::Coerce { loosely(text) } else { text.clone() });
            }
        }
    }
    if !numbers.is_empty() && !texts.is_empty() {
        return Err("`categories` must be all numbers or all texts".into());
    }
    numbers.sort_unstable_by(f64::total_cmp);
    texts.sort_unstable();
    let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_string());
    let twice =
        twice.or_else(|| texts.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()));
    match twice {
        Some(value) if mode == Mode::Coerce => {
            Err(format!("`categories` has {value} twice, but for case and spaces, which `coerce` looks past"))
        }
        Some(value) => Err(format!("`categories` has {value} twice")),
        None => Ok(()),
    }
}

/// A text as `coerce` compares categories: without case, outer spaces and repeated spaces.
pub fn loosely(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_runtime::{Feature, FeatureKind, Outputs, TensorSpec};
    use serde_json::{Value, json};

    fn signature() -> Signature {
        let spec = |name: &str, datatype| TensorSpec { name: name.into(), datatype, shape: vec![-1, 1] };
        let feature = |name: &str, kind, input| Feature { name: name.into(), kind, input, column: 0 };
        Signature {
            inputs: vec![spec("price", DataType::Fp32), spec("city", DataType::Bytes)],
            outputs: vec![],
            features: vec![feature("price", FeatureKind::Number, 0), feature("city", FeatureKind::Text, 1)],
            task: None,
            classes: vec![],
            roles: Outputs::default(),
        }
    }

    fn refusal(fields: &Value) -> Option<String> {
        let expectations: Expectations = serde_json::from_value(json!({ "fields": fields })).unwrap();
        let checked =
            expectations.check().and_then(|()| expectations.check_fit(&signature(), Some("client")));
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn what_makes_sense_is_taken() {
        for fields in [
            json!({ "price": { "min": 0, "max": 0 } }),
            json!({ "price": { "categories": [1, 2.5] }, "city": { "categories": ["Quito", "quito"] } }),
            json!({ "city": { "max_length": 3, "required": true, "mode": "warn" } }),
            json!({ "client": { "format": "cedula" } }),
            json!({ "price": { "format": "province_code" } }),
            json!({ "price": { "format": "decimal_comma", "mode": "coerce" } }),
        ] {
            assert_eq!(refusal(&fields), None, "{fields}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_field() {
        for (fields, reason) in [
            (json!({}), "is empty"),
            (json!({ "price": {} }), "says nothing"),
            (json!({ "price": { "mode": "warn" } }), "says nothing"),
            (json!({ "price": { "min": 2, "max": 1 } }), "above"),
            (json!({ "price": { "max_length": 5 } }), "about texts"),
            (json!({ "price": { "categories": ["a"] } }), "must be numbers"),
            (json!({ "price": { "categories": [] } }), "1 to 1000"),
            (json!({ "price": { "categories": [1, 1.0] } }), "twice"),
            (json!({ "price": { "categories": [1, "a"] } }), "all numbers or all texts"),
            (json!({ "price": { "format": "cedula" } }), "of texts"),
            (json!({ "price": { "format": "decimal_comma" } }), "coerce"),
            (json!({ "city": { "min": 1 } }), "about numbers"),
            (json!({ "city": { "categories": [1] } }), "must be texts"),
            (json!({ "city": { "categories": ["a", "a"] } }), "twice"),
            (json!({ "city": { "categories": ["Quito", " quito"], "mode": "coerce" } }), "looks past"),
            (json!({ "city": { "categories": [""] } }), "empty"),
            (json!({ "city": { "max_length": 0 } }), "between 1"),
            (json!({ "colour": { "required": true } }), "neither"),
            (json!({ "client": { "format": "cedula", "mode": "coerce" } }), "never changed"),
        ] {
            let said = refusal(&fields);
            assert!(said.as_deref().is_some_and(|said| said.contains(reason)), "{fields}: {said:?}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        for wrong in [
            json!({ "fields": {}, "colour": 1 }),
            json!({ "fields": { "price": { "least": 1 } } }),
            json!({ "fields": { "city": { "format": "nif" } } }),
            json!({ "fields": {}, "mode": "ignore" }),
            json!({ "mode": "warn" }),
        ] {
            assert!(serde_json::from_value::<Expectations>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
