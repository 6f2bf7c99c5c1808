//! Where gRPC listens: an address, or `off`. For serde's `with`, and for the flag.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serializer, de};

const OFF: &str = "off";

/// What the flag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice(pub Option<SocketAddr>);

/// Reads an address; `off` and nothing are none.
pub(crate) fn parse(text: &str) -> Result<Choice, String> {
    if text.is_empty() || text == OFF {
        return Ok(Choice(None));
    }
    let address = text.parse().map(|address| Choice(Some(address)));
    address.map_err(|_| format!("`{text}` is neither an address with a port nor `off`"))
}

/// As text.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub(crate) fn serialize<S: Serializer>(
    address: &Option<SocketAddr>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_str(OFF),
    }
}

/// From text.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map(|choice| choice.0).map_err(de::Error::custom)
}
