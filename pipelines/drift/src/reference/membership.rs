//! Which rare values a training column held: a Bloom filter (Bloom 1970), so that a value outside the frequent
//! ones is told "rare but known" from "new" in bounded memory. A false "known" is possible, a false "new" is not.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

const BITS_PER_VALUE: usize = 10;
const HASHES: u64 = 7;
const MAX_WORDS: usize = 1024;

/// A set of texts that answers `contains` with rare false positives (about 1 % up to 6,500 values).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Membership {
    words: Vec<u64>,
}

impl Membership {
    pub(crate) fn of<'a>(values: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let words = (values.len() * BITS_PER_VALUE).div_ceil(64).min(MAX_WORDS);
        let mut membership = Self { words: vec![0; words] };
        for value in values {
            for bit in membership.bits_of(value) {
                membership.words[bit / 64] |= 1 << (bit % 64);
            }
        }
        membership
    }

    pub(crate) fn contains(&self, value: &str) -> bool {
        !self.words.is_empty() && self.bits_of(value).all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// Double hashing (Kirsch & Mitzenmacher 2006). Empty when there are no words.
    fn bits_of(&self, value: &str) -> impl Iterator<Item = usize> + use<> {
        let bits = (self.words.len() * 64) as u64;
        let first = fnv1a(value.as_bytes());
        let second = first.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let hashes = if bits == 0 { 0 } else { HASHES };
        (0..hashes).map(move |index| (first.wrapping_add(index.wrapping_mul(second)) % bits) as usize)
    }
}

/// FNV-1a, 64 bits: the same on every platform and in every release, as stored profiles need.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Serialize for Membership {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits =
            self.words.iter().flat_map(|word| (0..16).rev().map(move |place| word >> (4 * place) & 15));
        let hex: String = digits.filter_map(|digit| char::from_digit(digit as u32, 16)).collect();
        serializer.serialize_str(&hex)
    }
}

impl<'de> Deserialize<'de> for Membership {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let words = hex.as_bytes().chunks(16).map(|digits| {
            let digits = std::str::from_utf8(digits).map_err(D::Error::custom)?;
            u64::from_str_radix(digits, 16).map_err(D::Error::custom)
        });
        Ok(Self { words: words.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Membership;

    #[test]
    fn contains_what_was_put_in_and_little_else() {
        let known: Vec<String> = (0..5_000).map(|index| format!("known-{index}")).collect();
        let membership = Membership::of(known.iter().map(String::as_str));
        assert!(known.iter().all(|value| membership.contains(value)));
        let false_known = (0..5_000).filter(|index| membership.contains(&format!("other-{index}"))).count();
        assert!(false_known < 150, "{false_known} false positives in 5,000");
    }

    #[test]
    fn an_empty_set_contains_nothing() {
        assert!(!Membership::of(std::iter::empty()).contains(""));
    }
}
