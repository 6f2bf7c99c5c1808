//! Sorting of many floats: half of the time of a comparison goes here.

/// Below this many values the comparison sort is faster.
const SMALL: usize = 4_096;
const DIGIT_BITS: usize = 11;
const DIGITS: usize = 64_usize.div_ceil(DIGIT_BITS);
const BUCKETS: usize = 1 << DIGIT_BITS;

/// Sorts ascending. Values are finite; −0 comes before 0.
pub(crate) fn sort(values: &mut Vec<f64>) {
    if values.len() < SMALL || u32::try_from(values.len()).is_err() {
        values.sort_unstable_by(f64::total_cmp);
        return;
    }
    let keys: Vec<u64> = values.iter().map(|value| key_of(value.to_bits())).collect();
    *values = by_digits(keys).into_iter().map(|key| f64::from_bits(bits_of(key))).collect();
}

/// Unsigned keys in the order of the floats: negative ones are inverted, the others get the sign bit.
fn key_of(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn bits_of(key: u64) -> u64 {
    if key >> 63 == 1 { key & !(1 << 63) } else { !key }
}

fn digit(key: u64, place: usize) -> usize {
    (key >> (place * DIGIT_BITS)) as usize & (BUCKETS - 1)
}

/// Radix sort from the lowest digit; places in which all keys agree are skipped.
fn by_digits(mut keys: Vec<u64>) -> Vec<u64> {
    let mut counts = vec![[0u32; BUCKETS]; DIGITS];
    for key in &keys {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[digit(*key, place)] += 1;
        }
    }
    let mut sorted = vec![0; keys.len()];
    for (place, starts) in counts.iter_mut().enumerate() {
        if starts.iter().any(|count| *count as usize == keys.len()) {
            continue;
        }
        let mut sum = 0;
        for start in starts.iter_mut() {
            sum += std::mem::replace(start, sum);
        }
        for key in &keys {
            let start = &mut starts[digit(*key, place)];
            sorted[*start as usize] = *key;
            *start += 1;
        }
        std::mem::swap(&mut keys, &mut sorted);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::sort;
    use crate::random::Random;

    #[test]
    fn many_floats_are_sorted_as_few() {
        let mut random = Random::new(3);
        for rows in [0, 10, 5_000, 40_000] {
            let mut values: Vec<f64> = (0..rows)
                .map(|row| match row % 4 {
                    0 => f64::from_bits(random.next()),
                    1 => random.normal(),
                    2 => (random.normal() * 3.0).round(),
                    _ => -0.0,
                })
                .filter(|value| value.is_finite())
                .collect();
            let mut expected = values.clone();
            expected.sort_by(f64::total_cmp);
            sort(&mut values);
            assert!(values.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
