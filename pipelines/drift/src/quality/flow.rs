//! Faults of whole rows, from a window's counts beside those of the windows before.

use serde::{Deserialize, Serialize};

use super::{Check, Fault};
use crate::{DriftPolicy, fisher::Shares, summary::share};

/// Fewer earlier windows than this say nothing about what is usual.
const MIN_EARLIER: usize = 4;
/// Half of the usual rows, or twice as many, may be an ordinary week.
const MIN_RATIO: f64 = 2.0;
/// Beyond so many robust standard deviations of the earlier windows.
const SPREADS: f64 = 6.0;
/// Median absolute deviation to standard deviation of a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;
/// A window may end with so much of its length in silence.
const MAX_QUIET: f64 = 0.25;
/// Silence so many times longer than ever before.
const QUIET_RATIO: f64 = 3.0;
/// Rows sent again beyond what is usual, as a share.
const MIN_REPEATED: f64 = 0.05;

/// The rows of one window, as a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Rows.
    pub rows: u64,
    /// Those that were sent a moment before already.
    pub repeated: u64,
    /// Time after the last row in lengths of the window; more than 1 where the window has none.
    pub quiet: f64,
}

/// The faults of a window's flow beside earlier windows of the same service (any order).
pub fn flow_faults(earlier: &[Flow], now: Flow, policy: &DriftPolicy) -> Vec<Fault> {
    let faults = [repeated(earlier, now, policy), quiet(earlier, now), volume(earlier, now)];
    faults.into_iter().flatten().collect()
}

fn repeated(earlier: &[Flow], now: Flow, policy: &DriftPolicy) -> Option<Fault> {
    let sum = |of: fn(&Flow) -> u64| earlier.iter().map(of).fold(0_u64, u64::saturating_add);
    let (hits_before, rows_before) = (sum(|flow| flow.repeated), sum(|flow| flow.rows));
    let (before, after) = (share(hits_before, rows_before), share(now.repeated, now.rows));
    if rows_before == 0 || now.rows < policy.min_rows || after - before < MIN_REPEATED {
        return None;
    }
    let shares = Shares { hits_before, rows_before, hits_after: now.repeated, rows_after: now.rows };
    let surely = shares.rise_p() <= policy.alpha / policy.windows_per_year.max(1.0);
    surely.then_some(Fault { check: Check::Duplicate, column: None, before, after, example: None })
}

fn quiet(earlier: &[Flow], now: Flow) -> Option<Fault> {
    let before = earlier.iter().map(|flow| flow.quiet).fold(0.0, f64::max);
    let late = earlier.len() >= MIN_EARLIER && now.quiet > MAX_QUIET && now.quiet > QUIET_RATIO * before;
    late.then_some(Fault { check: Check::Freshness, column: None, before, after: now.quiet, example: None })
}

/// Rows on a logarithmic scale: half and twice are equally far. A pause is none where there was one before.
fn volume(earlier: &[Flow], now: Flow) -> Option<Fault> {
    let logs: Vec<f64> =
        earlier.iter().filter(|flow| flow.rows > 0).map(|flow| (flow.rows as f64).ln()).collect();
    let pauses = now.rows == 0 && logs.len() < earlier.len();
    if logs.len() < MIN_EARLIER || pauses {
        return None;
    }
    let usual = median(logs.clone());
    let spread = MAD_TO_SIGMA * median(logs.iter().map(|log| (log - usual).abs()).collect());
    let moved = ((now.rows as f64).max(0.5).ln() - usual).abs();
    let far = moved > MIN_RATIO.ln().max(SPREADS * spread);
    far.then_some(Fault {
        check: Check::Volume,
        column: None,
        before: usual.exp().round(),
        after: now.rows as f64,
        example: None,
    })
}

/// The middle of at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::{Flow, flow_faults};
    use crate::DriftPolicy;
    use crate::quality::Check;

    const USUAL: [Flow; 5] = [
        Flow { rows: 1000, repeated: 3, quiet: 0.04 },
        Flow { rows: 1080, repeated: 0, quiet: 0.05 },
        Flow { rows: 950, repeated: 5, quiet: 0.04 },
        Flow { rows: 400, repeated: 1, quiet: 0.04 },
        Flow { rows: 1010, repeated: 2, quiet: 0.06 },
    ];

    fn checks(earlier: &[Flow], now: Flow) -> Vec<Check> {
        flow_faults(earlier, now, &DriftPolicy::default()).iter().map(|fault| fault.check).collect()
    }

    #[test]
    fn a_usual_week_and_a_busy_one_have_no_faults() {
        assert!(checks(&USUAL, USUAL[0]).is_empty());
        assert!(checks(&USUAL, Flow { rows: 1800, ..USUAL[0] }).is_empty());
    }

    #[test]
    fn a_quarter_of_the_rows_silence_and_rows_sent_again_are_faults() {
        assert_eq!(checks(&USUAL, Flow { rows: 250, ..USUAL[0] }), [Check::Volume]);
        assert_eq!(checks(&USUAL, Flow { quiet: 0.4, ..USUAL[0] }), [Check::Freshness]);
        assert_eq!(checks(&USUAL, Flow { repeated: 300, ..USUAL[0] }), [Check::Duplicate]);
        assert_eq!(
            checks(&USUAL, Flow { rows: 0, repeated: 0, quiet: 1.0 }),
            [Check::Freshness, Check::Volume]
        );
    }

    #[test]
    fn a_pause_that_comes_back_is_usual_and_a_longer_one_is_not() {
        let closed = Flow { rows: 0, repeated: 0, quiet: 1.1 };
        let week = [USUAL[0], USUAL[1], closed, USUAL[2], USUAL[4], USUAL[0]];
        assert!(checks(&week, closed).is_empty());
        assert_eq!(checks(&week, Flow { quiet: 4.1, ..closed }), [Check::Freshness]);
        assert_eq!(checks(&USUAL, Flow { quiet: 3.1, ..closed }), [Check::Freshness, Check::Volume]);
    }

    #[test]
    fn without_a_past_nothing_is_unusual() {
        assert!(checks(&USUAL[..3], Flow { rows: 1, repeated: 0, quiet: 0.9 }).is_empty());
        assert!(checks(&[], Flow { rows: 100, repeated: 90, quiet: 0.9 }).is_empty());
    }
}
