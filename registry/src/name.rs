//! Names that people and programs give to things, parsed at the border.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Longest name, in characters.
pub const MAX_CHARS: usize = 255;
/// What stands between the first and the last character of a name may be a space; `check` is the rule itself.
const PATTERN: &str = r"^[^/:\s\x00-\x1F\x7F-\x9F]([^/:\x00-\x1F\x7F-\x9F]*[^/:\s\x00-\x1F\x7F-\x9F])?$";

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        ///
        /// - 1 to 255 characters;
        /// - no `/`, no `:`, no control characters;
        /// - no white space at either end; not `.` and not `..`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                check($kind, &text)?;
                Ok($name(text))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                $name::try_from(text.to_owned())
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                $name::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema($kind)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a model.
    ModelName,
    "model name"
);
name!(
    /// The name of a service, which applications call.
    ServiceName,
    "service name"
);
name!(
    /// The name of a dataset.
    DatasetName,
    "dataset name"
);
name!(
    /// A movable name of a version within its model.
    AliasName,
    "alias"
);
name!(
    /// The name of a pipeline.
    PipelineName,
    "pipeline name"
);
name!(
    /// Who does something: the name of an API key or a part of the system.
    Actor,
    "actor"
);

impl AliasName {
    /// `champion`: what a model's service routes to unless told otherwise.
    pub fn champion() -> Self {
        AliasName("champion".into())
    }

    /// `challenger`: the latest version that is not the champion.
    pub fn challenger() -> Self {
        AliasName("challenger".into())
    }
}

impl Actor {
    /// The system itself, acting without a person.
    pub fn system() -> Self {
        Actor("system".into())
    }
}

impl From<&ModelName> for ServiceName {
    fn from(model: &ModelName) -> Self {
        ServiceName(model.0.clone())
    }
}

fn check(kind: &str, text: &str) -> Result<()> {
    let chars = text.chars().count();
    if !(1..=MAX_CHARS).contains(&chars) {
        return Err(Error::Invalid(format!("the {kind} has {chars} characters; it needs 1 to {MAX_CHARS}")));
    }
    if let Some(forbidden) = text.chars().find(|c| matches!(c, '/' | ':') || c.is_control()) {
        return Err(Error::Invalid(format!("the {kind} {text:?} contains {forbidden:?}; leave it out")));
    }
    if text.trim() != text {
        return Err(Error::Invalid(format!("the {kind} {text:?} starts or ends with white space; trim it")));
    }
    if text == "." || text == ".." {
        return Err(Error::Invalid(format!("the {kind} must not be {text:?}")));
    }
    Ok(())
}

/// The rules of [`check`] as a JSON Schema.
fn schema(kind: &str) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_CHARS,
        "pattern": PATTERN,
        "not": { "enum": [".", ".."] },
        "description": format!(
            "The {kind}: 1 to {MAX_CHARS} characters without `/`, `:` and control characters, without white space \
             at either end, and neither `.` nor `..`."
        ),
    })
}

/// Checks a free text: at most `max_bytes`, and no NUL, which PostgreSQL does not store.
pub(crate) fn check_text(field: &str, text: &str, max_bytes: usize) -> Result<()> {
    if text.len() > max_bytes {
        return Err(Error::TooLarge(format!(
            "`{field}` has {} bytes; at most {max_bytes} are kept",
            text.len()
        )));
    }
    if text.contains('\0') {
        return Err(Error::Invalid(format!("`{field}` contains a NUL character; leave it out")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ModelName, check_text};

    #[test]
    fn ordinary_names_pass_in_any_language() {
        for name in ["ventas", "Predicción de ventas (Quito)", "a", "x.y-z_1", "…", &"ñ".repeat(255)] {
            assert!(ModelName::try_from(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a:b", " a", "a ", "a\nb", "a\0b", &"x".repeat(256)] {
            assert!(ModelName::try_from(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn json_is_checked_too() {
        assert!(serde_json::from_str::<ModelName>(r#""a/b""#).is_err());
        assert!(serde_json::from_str::<ModelName>(r#""ventas""#).is_ok());
    }

    #[test]
    fn texts_are_bounded_and_free_of_nul() {
        assert!(check_text("card", "Hola", 4).is_ok());
        assert!(check_text("card", "Hola!", 4).is_err());
        assert!(check_text("card", "\0", 4).is_err());
    }
}
