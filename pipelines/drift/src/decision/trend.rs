//! The local linear trend model and its Kalman filter.

/// Ratios of the level's variance to the observation's that are tried, with the weight each has before the series is
/// seen. Weights and ratios were chosen in a backtest on simulated falls: more weight on 0 makes the intervals of
/// falls that wander too narrow.
const LEVEL_RATIOS: [(f64, f64); 5] = [(0.0, 0.4), (0.02, 0.15), (0.1, 0.15), (0.4, 0.15), (1.5, 0.15)];
/// The same for the slope's variance: a slope that keeps changing much is the exception.
const SLOPE_RATIOS: [(f64, f64); 4] = [(0.0, 0.5), (1e-4, 0.2), (1e-3, 0.175), (1e-2, 0.125)];

/// Level and slope after the last observation, with their covariance, in units of the observation's variance.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) level: f64,
    pub(super) slope: f64,
    pub(super) level_variance: f64,
    pub(super) covariance: f64,
    pub(super) slope_variance: f64,
}

/// One pair of ratios fitted to the series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    pub(super) level_ratio: f64,
    pub(super) slope_ratio: f64,
    pub(super) state: State,
    /// Sum of squared one-step errors in units of their variance: its scale is the observation's variance.
    pub(super) squares: f64,
    /// Observations that the scale is estimated from.
    pub(super) freedom: f64,
    /// Probability of the pair, given the series.
    pub(super) weight: f64,
}

/// Fits every pair of ratios to at least 4 values (Durbin & Koopman 2012, sections 2.2, 3.2 and 4.3), the
/// observation's variance integrated out. The weights add up to 1.
pub(super) fn trends(values: &[f64]) -> Vec<Trend> {
    let mut trends = Vec::new();
    let mut logs = Vec::new();
    for (level_ratio, level_prior) in LEVEL_RATIOS {
        for (slope_ratio, slope_prior) in SLOPE_RATIOS {
            let (trend, log_likelihood) = filter(values, level_ratio, slope_ratio);
            logs.push(log_likelihood + f64::ln(level_prior * slope_prior));
            trends.push(trend);
        }
    }
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    for (trend, log) in trends.iter_mut().zip(logs) {
        trend.weight = (log - most).exp() / total;
    }
    trends
}

/// Filters the series from the exact beginning that its first two values give.
fn filter(values: &[f64], level_ratio: f64, slope_ratio: f64) -> (Trend, f64) {
    // y₁ and y₂ determine level and slope: level = y₂, slope = y₂ − y₁, with the errors that follow from them.
    let mut state = State {
        level: values[1],
        slope: values[1] - values[0],
        level_variance: 1.0,
        covariance: 1.0,
        slope_variance: 2.0 + level_ratio + slope_ratio,
    };
    let (mut squares, mut log_variances, mut freedom) = (0.0, 0.0, 0.0);
    for value in &values[2..] {
        state = predict(state, level_ratio, slope_ratio);
        let variance = state.level_variance + 1.0;
        let error = value - state.level;
        squares += error * error / variance;
        log_variances += variance.ln();
        freedom += 1.0;
        state = update(state, error, variance);
    }
    let scale = squares.max(f64::MIN_POSITIVE);
    let log_likelihood = -0.5 * log_variances - 0.5 * freedom * scale.ln();
    (Trend { level_ratio, slope_ratio, state, squares, freedom, weight: 0.0 }, log_likelihood)
}

fn predict(state: State, level_ratio: f64, slope_ratio: f64) -> State {
    State {
        level: state.level + state.slope,
        slope: state.slope,
        level_variance: state.level_variance + 2.0 * state.covariance + state.slope_variance + level_ratio,
        covariance: state.covariance + state.slope_variance,
        slope_variance: state.slope_variance + slope_ratio,
    }
}

fn update(state: State, error: f64, variance: f64) -> State {
    let (of_level, of_slope) = (state.level_variance / variance, state.covariance / variance);
    State {
        level: state.level + of_level * error,
        slope: state.slope + of_slope * error,
        level_variance: state.level_variance * (1.0 - of_level),
        covariance: state.covariance * (1.0 - of_level),
        slope_variance: (state.slope_variance - of_slope * state.covariance).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::trends;

    #[test]
    fn a_straight_line_has_its_slope() {
        let line: Vec<f64> = (0..20).map(|week| 100.0 - 2.0 * f64::from(week)).collect();
        let trends = trends(&line);
        let total: f64 = trends.iter().map(|trend| trend.weight).sum();
        assert!((total - 1.0).abs() < 1e-12);
        for trend in trends {
            assert!((trend.state.slope + 2.0).abs() < 1e-9, "{trend:?}");
            assert!((trend.state.level - 62.0).abs() < 1e-9, "{trend:?}");
        }
    }

    #[test]
    fn without_moving_parts_it_is_least_squares() {
        // y = 1, 3, 2, 5: least squares give the slope 1.1 and the last level 4.4.
        let fixed = trends(&[1.0, 3.0, 2.0, 5.0])
            .into_iter()
            .find(|trend| trend.level_ratio == 0.0 && trend.slope_ratio == 0.0)
            .unwrap();
        assert!((fixed.state.slope - 1.1).abs() < 1e-9, "{fixed:?}");
        assert!((fixed.state.level - 4.4).abs() < 1e-9, "{fixed:?}");
        let residuals: f64 = [1.0f64 - 1.1, 3.0 - 2.2, 2.0 - 3.3, 5.0 - 4.4].iter().map(|r| r * r).sum();
        assert!((fixed.squares - residuals).abs() < 1e-9, "{fixed:?}");
    }
}
