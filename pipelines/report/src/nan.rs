//! Numbers that JSON cannot carry: `serde_json` writes NaN and ±∞ as `null`, and they are read back as NaN.

use serde::{Deserialize, Deserializer};

/// Reads a number; `null` becomes NaN, which every format shows as "—" and every chart as a gap.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The number, unless it is missing, NaN or infinite.
pub(crate) fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|number| number.is_finite())
}
