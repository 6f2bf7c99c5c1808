//! SHA-256 as a name.

use std::borrow::Cow;

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Bytes up to this size are hashed where they are (some tens of microseconds), larger ones on a thread
/// that may block.
const INLINE_BYTES: usize = 16 << 10;

/// A SHA-256 hash: 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

impl JsonSchema for Sha256Hex {
    fn schema_name() -> Cow<'static, str> {
        "Sha256Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "A SHA-256 hash: 64 lowercase hexadecimal digits.",
        })
    }
}

impl Sha256Hex {
    /// The hash of some bytes, off the async threads when that takes long.
    pub async fn of(bytes: Bytes) -> Result<Self> {
        if bytes.len() <= INLINE_BYTES {
            return Ok(Self::of_slice(&bytes));
        }
        Ok(tokio::task::spawn_blocking(move || Self::of_slice(&bytes)).await?)
    }

    /// The hash of some bytes, here and now.
    pub fn of_slice(bytes: &[u8]) -> Self {
        Self::from_digest(&Sha256::digest(bytes))
    }

    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
        Sha256Hex(digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 64 || !is_hex {
            return Err(Error::Invalid(format!("{text:?} is not a SHA-256 hash of 64 lowercase hex digits")));
        }
        Ok(Sha256Hex(text))
    }
}

impl TryFrom<&str> for Sha256Hex {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Sha256Hex::try_from(text.to_owned())
    }
}

impl From<Sha256Hex> for String {
    fn from(sha256: Sha256Hex) -> String {
        sha256.0
    }
}

impl std::fmt::Display for Sha256Hex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Sha256Hex;

    #[test]
    fn the_hash_is_that_of_fips_180_4() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Hex::of_slice(b"abc").as_str(), hash);
        assert!(Sha256Hex::try_from(hash).is_ok());
        assert!(Sha256Hex::try_from(hash.to_uppercase()).is_err());
        assert!(Sha256Hex::try_from("../../etc/passwd").is_err());
    }
}
