//! How many different values a stream held, in 256 bytes: HyperLogLog (Flajolet et al. 2007).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::reference::fnv1a;

const REGISTER_BITS: u32 = 8;
const REGISTERS: usize = 1 << REGISTER_BITS;
/// The longest run of zeros that the rest of a hash can begin with, plus one.
const LARGEST_RANK: u8 = (64 - REGISTER_BITS + 1) as u8;
/// Stored, each register is one character from here on.
const FIRST_CHARACTER: u8 = b'0';
/// The constant that removes the bias for 256 registers.
const BIAS: f64 = 0.7213 / (1.0 + 1.079 / REGISTERS as f64);

/// An estimate of the number of distinct values with a standard error of 6.5 %, nearly exact for few of them. Merging
/// keeps the larger of each register, so that order and repetition change nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinct {
    /// Empty until the first value, else 256.
    registers: Vec<u8>,
}

impl Distinct {
    pub(crate) fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    pub(crate) fn add(&mut self, value: &str) {
        self.registers.resize(REGISTERS, 0);
        let hash = scrambled(fnv1a(value.as_bytes()));
        let register = &mut self.registers[(hash >> (64 - REGISTER_BITS)) as usize];
        let rank = ((hash << REGISTER_BITS).leading_zeros() as u8 + 1).min(LARGEST_RANK);
        *register = (*register).max(rank);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.is_empty() {
            self.registers.clone_from(&other.registers);
        }
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// The estimate; 0 when nothing was added.
    pub(crate) fn estimate(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let registers = REGISTERS as f64;
        let harmonic: f64 = self.registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = BIAS * registers * registers / harmonic.max(f64::MIN_POSITIVE);
        let untouched = REGISTERS - self.registers.iter().filter(|rank| **rank > 0).count();
        // Few values: count the registers that none has reached.
        let few = raw <= 2.5 * registers && untouched > 0;
        (if few { registers * (registers / untouched as f64).ln() } else { raw }).round() as u64
    }
}

/// FNV leaves the upper bits of short texts alike; the finaliser of SplitMix64 spreads them.
fn scrambled(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Serialize for Distinct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.registers.iter().map(|rank| char::from(FIRST_CHARACTER + rank)).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rank =
            |character: u8| character.checked_sub(FIRST_CHARACTER).filter(|rank| *rank <= LARGEST_RANK);
        let registers: Option<Vec<u8>> = text.bytes().map(rank).collect();
        let valid = |registers: &Vec<u8>| registers.is_empty() || registers.len() == REGISTERS;
        let registers = registers.filter(valid);
        Ok(Self { registers: registers.ok_or_else(|| D::Error::custom("not 256 registers"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::Distinct;

    fn of(range: std::ops::Range<u32>) -> Distinct {
        let mut distinct = Distinct::default();
        range.for_each(|value| distinct.add(&format!("cliente-{value}")));
        distinct
    }

    #[test]
    fn few_and_many_are_estimated() {
        assert_eq!(Distinct::default().estimate(), 0);
        for count in [1, 5, 20, 100, 700, 5_000, 100_000] {
            let error = of(0..count).estimate() as f64 / f64::from(count) - 1.0;
            // Three standard errors, and a rounding for few.
            assert!(error.abs() < 0.2, "{count}: {error}");
        }
    }

    #[test]
    fn merging_is_counting_together() {
        let mut merged = of(0..600);
        merged.merge(&of(400..1_000));
        assert_eq!(merged, of(0..1_000));
        let mut from_nothing = Distinct::default();
        from_nothing.merge(&merged);
        assert_eq!(from_nothing, merged);
    }

    #[test]
    fn what_was_stored_is_read_and_spoilt_storage_refused() {
        let distinct = of(0..300);
        let text = serde_json::to_string(&distinct).unwrap();
        assert_eq!(serde_json::from_str::<Distinct>(&text).unwrap(), distinct);
        for spoilt in ["\"0\"", "\"~\"", "7"] {
            assert!(serde_json::from_str::<Distinct>(spoilt).is_err());
        }
    }
}
