//! The sum of products that linear models and support vectors are made of.

/// Sums kept at once: as many independent additions hide the latency of one, and fill vector registers.
const LANES: usize = 8;

/// Σ aᵢ·bᵢ in double precision, over the shorter length.
#[inline]
pub(super) fn dot(left: &[f32], right: &[f32]) -> f64 {
    sum_of(left, right, |a, b| f64::from(a) * f64::from(b))
}

/// Σ (aᵢ − bᵢ)² in double precision, over the shorter length.
#[inline]
pub(super) fn distance_squared(left: &[f32], right: &[f32]) -> f64 {
    sum_of(left, right, |a, b| {
        let difference = f64::from(a) - f64::from(b);
        difference * difference
    })
}

#[inline]
fn sum_of(left: &[f32], right: &[f32], term: impl Fn(f32, f32) -> f64) -> f64 {
    let (left_chunks, left_rest) = left.as_chunks::<LANES>();
    let (right_chunks, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in left_chunks.iter().zip(right_chunks) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(&a, &b)| term(a, b));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length() {
        for length in [0, 1, 7, 8, 9, 31] {
            let left: Vec<f32> = (0..length).map(|at| at as f32 / 2.0).collect();
            let right: Vec<f32> = (0..length).map(|at| 3.0 - at as f32).collect();
            let products = left.iter().zip(&right).map(|(a, b)| f64::from(*a) * f64::from(*b));
            assert_eq!(dot(&left, &right), products.sum::<f64>());
            let squares = left.iter().zip(&right).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            assert_eq!(distance_squared(&left, &right), squares.sum::<f64>());
        }
    }
}
