//! Packed nodes of two sizes.
//!
//! Numbers are compared as unsigned integers in the order of the numbers ("keys"): one comparison yields the
//! outcome as a carry, where floating-point numbers would take two for the sake of NaN.

use std::fmt::Debug;

/// A packed node.
pub(super) trait Node: Copy + Debug {
    /// The precision of thresholds, features and weights.
    type Number: Copy + Debug;
    /// Unsigned integers of the same size.
    type Key: Copy + Ord + Debug;
    /// The key of NaN, above all others.
    const MISSING: Self::Key;
    /// Packs a node; `None` when it does not fit.
    fn pack(key: Self::Key, feature: u32, child: u32, missing_left: bool) -> Option<Self>;
    /// The threshold of a branch, the payload of a leaf.
    fn key(self) -> Self::Key;
    fn feature(self) -> usize;
    /// Position of the left child within the tree.
    fn child(self) -> usize;
    /// Whether NaN goes left.
    fn missing_left(self) -> bool;
    fn narrow(value: f64) -> Self::Number;
    fn wide(value: Self::Number) -> f64;
    fn zero() -> Self::Number;
    fn add(sum: Self::Number, value: Self::Number) -> Self::Number;
    /// The greatest number below `value`.
    fn below(value: f64) -> Self::Number;
    /// The key of a feature: `cell(x) <= threshold(t)` exactly where `x <= t`.
    fn cell(value: Self::Number) -> Self::Key;
    /// The key of a threshold; below all others for NaN, which nothing is at most.
    fn threshold(value: Self::Number) -> Self::Key;
    /// A weight as the payload of a leaf, below [`Node::MISSING`], and back.
    fn weight(value: Self::Number) -> Self::Key;
    fn number(payload: Self::Key) -> Self::Number;
    /// A position as the payload of a leaf, and back.
    fn hide(position: u32) -> Self::Key;
    fn position(payload: Self::Key) -> usize;
}

const CHILD_BITS: u32 = 20;
const FEATURE_BITS: u32 = 11;

/// Eight bytes: the key (32 bits), the feature (11), where NaN goes (1) and the child (20).
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact(u64);

impl Node for Compact {
    type Number = f32;
    type Key = u32;
    const MISSING: u32 = u32::MAX;

    fn pack(key: u32, feature: u32, child: u32, missing_left: bool) -> Option<Self> {
        if feature >= 1 << FEATURE_BITS || child >= 1 << CHILD_BITS {
            return None;
        }
        let above = u64::from(child) << 12 | u64::from(missing_left) << 11 | u64::from(feature);
        Some(Compact(above << 32 | u64::from(key)))
    }
    #[inline]
    fn key(self) -> u32 {
        self.0 as u32
    }
    #[inline]
    fn feature(self) -> usize {
        (self.0 >> 32 & ((1 << FEATURE_BITS) - 1)) as usize
    }
    #[inline]
    fn child(self) -> usize {
        (self.0 >> 44) as usize
    }
    #[inline]
    fn missing_left(self) -> bool {
        self.0 >> 43 & 1 == 1
    }
    fn narrow(value: f64) -> f32 {
        value as f32
    }
    fn wide(value: f32) -> f64 {
        f64::from(value)
    }
    fn zero() -> f32 {
        0.0
    }
    #[inline]
    fn add(sum: f32, value: f32) -> f32 {
        sum + value
    }
    fn below(value: f64) -> f32 {
        (value as f32).next_down()
    }
    #[inline]
    fn cell(value: f32) -> u32 {
        if value.is_nan() {
            return Self::MISSING;
        }
        // Adding zero makes both zeros one.
        let bits = (value + 0.0).to_bits();
        bits ^ ((bits as i32 >> 31) as u32 | 1 << 31)
    }
    fn threshold(value: f32) -> u32 {
        if value.is_nan() { 0 } else { Self::cell(value) }
    }
    fn weight(value: f32) -> u32 {
        if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
    }
    #[inline]
    fn number(payload: u32) -> f32 {
        f32::from_bits(payload)
    }
    fn hide(position: u32) -> u32 {
        position
    }
    #[inline]
    fn position(payload: u32) -> usize {
        payload as usize
    }
}

const MISSING_LEFT: u32 = 1 << 31;

/// Sixteen bytes: for thresholds of double precision, or more features or nodes than fit into [`Compact`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    key: u64,
    feature: u32,
    child: u32,
}

impl Node for Wide {
    type Number = f64;
    type Key = u64;
    const MISSING: u64 = u64::MAX;

    fn pack(key: u64, feature: u32, child: u32, missing_left: bool) -> Option<Self> {
        let flag = if missing_left { MISSING_LEFT } else { 0 };
        Some(Wide { key, feature: feature | flag, child })
    }
    #[inline]
    fn key(self) -> u64 {
        self.key
    }
    #[inline]
    fn feature(self) -> usize {
        (self.feature & !MISSING_LEFT) as usize
    }
    #[inline]
    fn child(self) -> usize {
        self.child as usize
    }
    #[inline]
    fn missing_left(self) -> bool {
        self.feature & MISSING_LEFT != 0
    }
    fn narrow(value: f64) -> f64 {
        value
    }
    fn wide(value: f64) -> f64 {
        value
    }
    fn zero() -> f64 {
        0.0
    }
    #[inline]
    fn add(sum: f64, value: f64) -> f64 {
        sum + value
    }
    fn below(value: f64) -> f64 {
        value.next_down()
    }
    #[inline]
    fn cell(value: f64) -> u64 {
        if value.is_nan() {
            return Self::MISSING;
        }
        let bits = (value + 0.0).to_bits();
        bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
    }
    fn threshold(value: f64) -> u64 {
        if value.is_nan() { 0 } else { Self::cell(value) }
    }
    fn weight(value: f64) -> u64 {
        if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
    }
    #[inline]
    fn number(payload: u64) -> f64 {
        f64::from_bits(payload)
    }
    fn hide(position: u32) -> u64 {
        u64::from(position)
    }
    #[inline]
    fn position(payload: u64) -> usize {
        payload as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_compare_as_numbers_do(x: f32, t: f32, wide_x: f64, wide_t: f64) {
            prop_assert_eq!(Compact::cell(x) <= Compact::threshold(t), x <= t);
            prop_assert_eq!(Wide::cell(wide_x) <= Wide::threshold(wide_t), wide_x <= wide_t);
        }
    }

    #[test]
    fn special_numbers_compare_as_they_do() {
        let special =
            [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, 1e-45];
        for x in special {
            for t in special {
                assert_eq!(Compact::cell(x) <= Compact::threshold(t), x <= t, "{x} {t}");
                let (x, t) = (f64::from(x), f64::from(t));
                assert_eq!(Wide::cell(x) <= Wide::threshold(t), x <= t, "{x} {t}");
            }
            assert!(Compact::weight(x) < Compact::MISSING);
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let node = Compact::pack(7, 2047, (1 << CHILD_BITS) - 1, true).unwrap();
        let parts = (node.key(), node.feature(), node.child(), node.missing_left());
        assert_eq!(parts, (7, 2047, (1 << CHILD_BITS) - 1, true));
        assert!(Compact::pack(0, 2048, 0, false).is_none());
        assert!(Compact::pack(0, 0, 1 << CHILD_BITS, false).is_none());
    }
}
