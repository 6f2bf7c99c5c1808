//! What a service expects of its requests beyond the signature: compiled when routing is loaded, looked at between
//! reading a request and asking the model.
//!
//! A service that declares nothing has no [`Expected`] and pays nothing. For one that does, a record that is as
//! expected costs comparisons and no memory; words are made for faults only. Faults are counted all and told up to
//! [`MAX_TOLD`]; of one value only the first is.

mod findings;
mod format;
mod message;
mod records;
mod rule;
mod tensors;

use chasqui_registry::service::ServiceConfig;
use chasqui_runtime::Signature;

pub(super) use self::findings::{Findings, Warnings};
pub(super) use self::records::check as check_records;
use self::rule::Rule;
pub(super) use self::tensors::check as check_tensors;

/// Most faults, and most warnings, that an answer tells in words.
const MAX_TOLD: usize = 20;

/// The expectations of a service as they apply to one version.
#[derive(Debug, Clone)]
pub struct Expected {
    /// By the position of the feature in the signature, which is the field's in the schema.
    rules: Vec<Option<Rule>>,
    /// The rule of a key that is not a feature.
    key: Option<Rule>,
    /// Names of the columns whose values are never repeated.
    personal: Vec<String>,
}

/// Reads a text in every format and puts it right where that can be done: what is normal then must stay so.
pub(super) fn read_formats(text: &str) {
    for format in format::ALL {
        let Some(normal) = format::normal(format, text) else { continue };
        assert_eq!(format::normal(format, &normal).as_ref(), Some(&normal), "{format:?} of {text:?}");
    }
}

impl Expected {
    /// Compiles what a configuration declares; `None` when it declares nothing. A field that this version does not
    /// have is passed over: the version's contract is checked elsewhere.
    pub fn of(config: &ServiceConfig, signature: &Signature) -> Option<Self> {
        let expectations = config.expectations.as_ref()?;
        let rule = |name: &str, datatype| {
            let field = expectations.fields.get(name)?;
            let is_personal = config.personal.iter().any(|personal| personal == name);
            Some(Rule::new(name, datatype, field, expectations.mode_of(field), is_personal))
        };
        let rules = signature.features.iter().map(|feature| {
            let datatype = signature.inputs.get(feature.input)?.datatype;
            rule(&feature.name, datatype)
        });
        let key = config.key_field.as_deref().filter(|key| {
            let mut features = signature.features.iter();
            features.all(|feature| feature.name != *key)
        });
        Some(Self {
            rules: rules.collect(),
            key: key.and_then(|key| rule(key, chasqui_runtime::DataType::Bytes)),
            personal: config.personal.clone(),
        })
    }

    /// The rule of the field at a position.
    fn rule(&self, position: usize) -> Option<&Rule> {
        self.rules.get(position)?.as_ref()
    }
}

#[cfg(test)]
mod tests;
