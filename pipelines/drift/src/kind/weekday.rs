//! A daily series without the rhythm of the week.

/// Weeks of calm days from which the weekdays' means are taken.
const MIN_WEEKS: usize = 2;
const WEEK: usize = 7;

/// The series less each weekday's mean over the first `calm` days, so that a Saturday is compared with Saturdays. With
/// fewer than two weeks of calm days the mean of those days is taken from all; NaN stays NaN.
pub fn without_weekdays(series: &[f64], calm: usize) -> Vec<f64> {
    let calm = &series[..calm.min(series.len())];
    let whole = mean(calm.iter().copied());
    let by_weekday: Vec<f64> = (0..WEEK)
        .map(|weekday| {
            let own = mean(calm.iter().copied().skip(weekday).step_by(WEEK));
            if calm.len() >= MIN_WEEKS * WEEK && own.is_finite() { own } else { whole }
        })
        .collect();
    series.iter().enumerate().map(|(day, value)| value - by_weekday[day % WEEK]).collect()
}

/// The mean of the finite values; 0 without any, so that a series without a past stays as it is.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values.filter(|value| value.is_finite()) {
        sum += value;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::without_weekdays;

    #[test]
    fn a_week_that_repeats_becomes_flat_and_a_change_stays() {
        let mut series: Vec<f64> = (0..35).map(|day| f64::from(day % 7)).collect();
        series.extend((35..42).map(|day| f64::from(day % 7) + 3.0));
        let adjusted = without_weekdays(&series, 35);
        assert!(adjusted[..35].iter().all(|value| value.abs() < 1e-12));
        assert!(adjusted[35..].iter().all(|value| (value - 3.0).abs() < 1e-12));
    }

    #[test]
    fn a_short_past_gives_one_mean() {
        assert_eq!(without_weekdays(&[1.0, 3.0, 5.0], 2), [-1.0, 1.0, 3.0]);
        assert_eq!(without_weekdays(&[1.0], 0), [1.0]);
        assert!(without_weekdays(&[f64::NAN, 2.0], 2)[0].is_nan());
    }
}
