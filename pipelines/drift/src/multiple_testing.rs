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

/// Benjamini–Yekutieli adjusted p-values (Benjamini & Yekutieli 2001), valid under any dependence, in the order
/// given.
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    let harmonic: f64 = (1..=p_values.len()).map(|rank| 1.0 / rank as f64).sum();
    let scaled: Vec<f64> = p_values.iter().map(|p| p * harmonic).collect();
    benjamini_hochberg(&scaled)
}

/// Holm's adjusted p-values (Holm 1979), which bound the chance of any false discovery, in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (smaller, position) in order.into_iter().enumerate() {
        largest = largest.max(p_values[position] * (p_values.len() - smaller) as f64).min(1.0);
        adjusted[position] = largest;
    }
    adjusted
}
