//! The hash that routing sticks to. It must be the same on every replica, in every release, for ever.

use sha2::{Digest, Sha256};

/// `hash64(salt, key)`: the first eight bytes, big-endian, of SHA-256 over the salt, a zero byte and the key.
///
/// A standard hash, so that an outside script can recompute which version any key gets.
pub fn hash64(salt: &str, key: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update([0]);
    hasher.update(key.as_bytes());
    let digest = hasher.finalize();
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `u = hash / 2^64`, in [0, 1).
pub fn unit(hash: u64) -> f64 {
    // Of 64 bits a double keeps 53: without the shift the largest hashes would round up to 1.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_vectors_hold_for_ever() {
        assert_eq!(hash64("", ""), 0x6e34_0b9c_ffb3_7a98);
        assert_eq!(hash64("salt", "customer-17"), 0xe8be_a34c_cf67_3855);
        assert_eq!(hash64("sal", "tcustomer-17"), 0xb186_3ab8_f493_3a5c);
    }

    #[test]
    fn unit_covers_zero_to_one() {
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(1 << 63), 0.5);
        assert!(unit(u64::MAX) < 1.0);
    }
}
