//! Keyed pseudonyms for personal values, so that the log never holds one in clear.

use chasqui_runtime::Value;
use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// Replaces texts by HMAC-SHA256 under a secret key (RFC 2104, FIPS 198-1).
///
/// The same value has the same pseudonym everywhere the key is the same, so joins and drift checks still work;
/// without the key nobody can confirm a guess.
#[derive(Clone)]
pub struct Pseudonymiser {
    inner: Sha256,
    outer: Sha256,
}

impl std::fmt::Debug for Pseudonymiser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pseudonymiser")
    }
}

impl Pseudonymiser {
    /// Prepares a key of any length; 32 random bytes are right.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0_u8; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The pseudonym of a text: 64 hexadecimal digits.
    pub fn pseudonym(&self, text: &str) -> String {
        let inner = self.inner.clone().chain_update(text.as_bytes()).finalize();
        let digest = self.outer.clone().chain_update(inner).finalize();
        crate::artifact::Sha256Hex::from_digest(&digest).into()
    }

    /// The pseudonym of a value; a number counts as the text it is written as. Nothing has none.
    pub fn pseudonym_of(&self, value: Value<'_>) -> Option<String> {
        match value {
            Value::Missing => None,
            Value::Number(number) => Some(self.pseudonym(&number.to_string())),
            Value::Text(text) => Some(self.pseudonym(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::Value;

    use super::Pseudonymiser;

    #[test]
    fn is_hmac_sha256() {
        // RFC 4231, test cases 2 and 6.
        let short = Pseudonymiser::new(b"Jefe").pseudonym("what do ya want for nothing?");
        assert_eq!(short, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = Pseudonymiser::new(&[0xaa; 131])
            .pseudonym("Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn numbers_count_as_their_text() {
        let pseudonymiser = Pseudonymiser::new(b"key");
        let text = pseudonymiser.pseudonym("1712345678");
        assert_eq!(pseudonymiser.pseudonym_of(Value::Number(1_712_345_678.0)), Some(text));
        assert_eq!(pseudonymiser.pseudonym_of(Value::Missing), None);
    }
}
