//! Corrections for testing many columns at once.

/// Benjamini–Hochberg adjusted p-values (Benjamini & Hochberg 1995), in the order given.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (larger, position) in order.into_iter().enumerate() {
        let rank = (p_values.len() - larger) as f64;
        smallest = smallest.min(p_values[position] * p_values.len() as f64 / rank);
        adjusted[position] = smallest;
    }
    adjusted
}
