//! Sorting of many floats: half of the time of a comparison goes here.

/// Below this many values the comparison sort is faster.
const SMALL: usize = 4_096;
const DIGIT_BITS: u32 = 11;
/// Digits that nearly every two different values differ in; what they leave unsorted is sorted by comparison.
const DIGITS: u32 = 3;
const BUCKETS: usize = 1 << DIGIT_BITS;

/// Sorts ascending. Values are finite; −0 comes before 0.
pub(crate) fn sort(values: &mut Vec<f64>) {
    if values.len() < SMALL || u32::try_from(values.len()).is_err() {
        values.sort_unstable_by(f64::total_cmp);
        return;
    }
    let keys: Vec<u64> = values.iter().map(|value| key_of(value.to_bits())).collect();
    let sorted = sorted(keys);
    values.clear();
    values.extend(sorted.into_iter().map(|key| f64::from_bits(bits_of(key))));
}

/// Unsigned keys in the order of the floats: negative ones are inverted, the others get the sign bit.
fn key_of(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn bits_of(key: u64) -> u64 {
    if key >> 63 == 1 { key & !(1 << 63) } else { !key }
}

/// Radix sort from the lowest to the highest of the first digits in which keys differ.
fn sorted(mut keys: Vec<u64>) -> Vec<u64> {
    let differing = keys.iter().fold(0, |bits, key| bits | (key ^ keys[0]));
    let lowest = (u64::BITS - differing.leading_zeros()).saturating_sub(DIGITS * DIGIT_BITS);
    let digit =
        |key: u64, place: usize| (key >> (lowest + place as u32 * DIGIT_BITS)) as usize & (BUCKETS - 1);
    let mut counts = vec![[0_u32; BUCKETS]; DIGITS as usize];
    for key in &keys {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[digit(*key, place)] += 1;
        }
    }
    let mut moved = vec![0; keys.len()];
    for (place, starts) in counts.iter_mut().enumerate() {
        if starts[digit(keys[0], place)] as usize == keys.len() {
            continue;
        }
        let mut sum = 0;
        for start in starts.iter_mut() {
            sum += std::mem::replace(start, sum);
        }
        for key in &keys {
            let start = &mut starts[digit(*key, place)];
            moved[*start as usize] = *key;
            *start += 1;
        }
        std::mem::swap(&mut keys, &mut moved);
    }
    if lowest > 0 {
        keys.chunk_by_mut(|one, next| one >> lowest == next >> lowest).for_each(<[u64]>::sort_unstable);
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
        let mut mixed = |row: u32| match row % 4 {
            0 => f64::from_bits(random.next()),
            1 => random.normal(),
            2 => (random.normal() * 3.0).round(),
            _ => -0.0,
        };
        let scrambled = |row: u32| f64::from(row.wrapping_mul(2_654_435_761) >> 8);
        let moments = |row: u32| 1.7e15 + scrambled(row);
        let one_far_away = |row: u32| if row == 7 { -1e300 } else { 1.0 + scrambled(row) * f64::EPSILON };
        for rows in [0, 10, 5_000, 40_000] {
            let columns: [Vec<f64>; 4] = [
                (0..rows).map(&mut mixed).filter(|value| value.is_finite()).collect(),
                (0..rows).map(moments).collect(),
                (0..rows).map(one_far_away).collect(),
                vec![2.5; rows as usize],
            ];
            for mut values in columns {
                let mut expected = values.clone();
                expected.sort_by(f64::total_cmp);
                sort(&mut values);
                assert!(values.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }
}
