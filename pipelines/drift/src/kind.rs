//! Of which kind a change is and when it began, from one number a day: sudden, gradual, recurring or one-off.
//!
//! Five shapes are fitted by least squares and the Bayesian information criterion (Schwarz 1978) chooses; ADWIN
//! then confirms a lasting change or does not. Whether there is a change worth an alarm is not decided here: this
//! describes one that the scan or the performance has found.

mod shape;
mod weekday;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stream::{Adwin, AdwinSettings, Cut, Signal};
use shape::{Fit, fits};
pub use weekday::without_weekdays;

/// Fewer windows than this tell no kinds apart.
pub const MIN_WINDOWS: usize = 6;
/// Windows looked at: the latest, since fitting all pairs of dates takes the square of them.
const MAX_WINDOWS: usize = 400;
/// A shape must beat no change by so much of the criterion to be named ("strong" in Kass & Raftery 1995).
const STRONG: f64 = 6.0;
/// ADWIN's delta. Its bound is so wide that with 0.2 it cuts 1 in 100 stretches of 90 days of noise, and a ramp of
/// 6 standard deviations over 50 days twice, which its default cuts once.
const CONFIRMATION: f64 = 0.2;
/// Share of the date's probability inside its interval.
const DATE_INTERVAL: f64 = 0.9;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ChangeKind {
    /// «Todavía no se puede distinguir»: fewer than 6 windows.
    Unknown,
    /// No shape is better than no change.
    Steady,
    /// From one level to another.
    Sudden,
    /// From one level to another over a stretch.
    Gradual {
        /// Windows from its beginning to its end, as far as it has come.
        windows: usize,
    },
    /// Up and down with a period.
    Recurring {
        /// Its period in windows.
        period: f64,
    },
    /// There and back.
    OneOff {
        /// How many windows it lasted.
        windows: usize,
    },
}

/// A change described.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeDescription {
    /// Its kind.
    pub kind: ChangeKind,
    /// When it began; None for kinds that do not begin.
    pub began: Option<ChangeDate>,
    /// ADWIN agrees: one detection for a sudden change, two or more in one direction for a gradual one. Kinds that
    /// do not last are confirmed when it finds nothing that lasts.
    pub confirmed: bool,
    /// By how much the level changed, in the series' unit; of a recurring one from trough to crest.
    pub size: f64,
    /// How much better the shape is than no change, in units of the criterion.
    pub evidence: f64,
}

/// When a change began: indices into the series that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeDate {
    /// The likeliest first window of the change.
    pub window: usize,
    /// The first window with it inside the 90 % interval.
    pub earliest: usize,
    /// The last one.
    pub latest: usize,
}

/// Describes the change in a series of one number per window, the oldest first (a distance to the training data, an
/// estimated performance, a mean). The windows are days where periods are to be found; the latest 400 are looked at.
/// Numbers that are not finite count as the one before.
pub fn describe(series: &[f64]) -> ChangeDescription {
    let skipped = series.len().saturating_sub(MAX_WINDOWS);
    let values = filled(&series[skipped..]);
    if values.len() < MIN_WINDOWS {
        return ChangeDescription {
            kind: ChangeKind::Unknown,
            began: None,
            confirmed: false,
            size: 0.0,
            evidence: 0.0,
        };
    }
    let fits = fits(&values);
    let steady = fits.steady.criterion;
    let best = fits.best();
    let evidence = steady - best.criterion;
    if evidence < STRONG {
        let confirmed = lasting_cuts(&values).is_empty();
        return ChangeDescription {
            kind: ChangeKind::Steady,
            began: None,
            confirmed,
            size: 0.0,
            evidence: 0.0,
        };
    }
    ChangeDescription {
        kind: best.kind,
        began: date_of(&fits.of_kind(best.kind), skipped),
        confirmed: confirms(best.kind, &lasting_cuts(&values)),
        size: best.size,
        evidence,
    }
}

/// Describes a change that is known to have begun at `since` or later, as a verdict on the last windows says: of the
/// shapes that begin there the best, even where all days together would not show one (days that follow each other
/// closely count for few). What [`describe`] finds there goes before, and so does a change that comes back, or one that
/// began earlier and lasts.
pub fn describe_since(series: &[f64], since: usize) -> ChangeDescription {
    let whole = describe(series);
    let is_there = whole.began.is_some_and(|began| began.window >= since);
    if is_there || !matches!(whole.kind, ChangeKind::Steady | ChangeKind::OneOff { .. }) {
        return whole;
    }
    let skipped = series.len().saturating_sub(MAX_WINDOWS);
    let values = filled(&series[skipped..]);
    let (fits, since) = (fits(&values), since.saturating_sub(skipped));
    let Some(best) = fits.best_since(since) else { return whole };
    let mut candidates = fits.of_kind(best.kind);
    candidates.retain(|fit| fit.began.is_some_and(|began| began >= since));
    ChangeDescription {
        kind: best.kind,
        began: date_of(&candidates, skipped),
        confirmed: confirms(best.kind, &lasting_cuts(&values)),
        size: best.size,
        evidence: fits.steady.criterion - best.criterion,
    }
}

/// The finite values, gaps filled with the value before (the first finite one at the beginning).
fn filled(series: &[f64]) -> Vec<f64> {
    let Some(mut last) = series.iter().copied().find(|value| value.is_finite()) else {
        return Vec::new();
    };
    series
        .iter()
        .map(|value| {
            if value.is_finite() {
                last = *value;
            }
            last
        })
        .collect()
}

/// The cuts that ADWIN finds in the series in units of its noise. In units of its range, as the bound's last term
/// supposes, a jump of three standard deviations would not be found within three months of days.
fn lasting_cuts(values: &[f64]) -> Vec<Cut> {
    let Some(noise) = noise(values) else { return Vec::new() };
    let settings = AdwinSettings { clock: 1, delta: CONFIRMATION, ..AdwinSettings::default() };
    let mut adwin = Adwin::new(settings);
    let mut cuts = Vec::new();
    for value in values {
        if adwin.update((value - values[0]) / noise) == Signal::Drift {
            cuts.extend(adwin.cut());
        }
    }
    cuts
}

/// Standard deviation of the noise from the median step between neighbours, which changes of level do not move; of
/// all values where most neighbours are equal. None for a constant.
fn noise(values: &[f64]) -> Option<f64> {
    /// Median of |difference| of two independent standard normal numbers.
    const MEDIAN_STEP: f64 = 0.953_872_552_4;
    let mut steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    steps.sort_by(f64::total_cmp);
    let from_steps = steps[steps.len() / 2] / MEDIAN_STEP;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let noise = if from_steps > 0.0 { from_steps } else { variance.sqrt() };
    (noise > 0.0).then_some(noise)
}

fn confirms(kind: ChangeKind, cuts: &[Cut]) -> bool {
    let one_direction =
        cuts.windows(2).all(|pair| (pair[0].after > pair[0].before) == (pair[1].after > pair[1].before));
    match kind {
        ChangeKind::Sudden => cuts.len() == 1,
        ChangeKind::Gradual { .. } => cuts.len() >= 2 && one_direction,
        // Up and down again: what ADWIN cuts, it must cut in both directions.
        ChangeKind::Recurring { .. } | ChangeKind::OneOff { .. } => cuts.is_empty() || !one_direction,
        ChangeKind::Steady => cuts.is_empty(),
        ChangeKind::Unknown => false,
    }
}

/// The likeliest beginning and the interval that holds 90 % of the probability, by the weight exp(−criterion / 2)
/// of every beginning of the kind.
fn date_of(candidates: &[Fit], skipped: usize) -> Option<ChangeDate> {
    let least = candidates.iter().map(|fit| fit.criterion).fold(f64::INFINITY, f64::min);
    let mut weights: Vec<(usize, f64)> = Vec::new();
    for fit in candidates {
        let began = fit.began?;
        let weight = ((least - fit.criterion) / 2.0).exp();
        match weights.iter_mut().find(|known| known.0 == began) {
            Some(known) => known.1 += weight,
            None => weights.push((began, weight)),
        }
    }
    weights.sort_by_key(|weight| weight.0);
    let likeliest = weights.iter().max_by(|a, b| a.1.total_cmp(&b.1))?.0;
    let total: f64 = weights.iter().map(|weight| weight.1).sum();
    let quantile = |share: f64| {
        let mut sum = 0.0;
        weights.iter().find_map(|(began, weight)| {
            sum += weight;
            (sum >= share * total).then_some(*began)
        })
    };
    let tail = (1.0 - DATE_INTERVAL) / 2.0;
    Some(ChangeDate {
        window: skipped + likeliest,
        earliest: skipped + quantile(tail)?.min(likeliest),
        latest: skipped + quantile(1.0 - tail).unwrap_or(likeliest).max(likeliest),
    })
}

#[cfg(test)]
mod tests {
    use super::{ChangeKind, describe, describe_since};

    #[test]
    fn too_little_cannot_be_told() {
        for series in [&[][..], &[1.0; 5], &[f64::NAN; 30]] {
            assert_eq!(describe(series).kind, ChangeKind::Unknown);
        }
    }

    #[test]
    fn a_constant_is_steady_and_a_clean_jump_is_dated_exactly() {
        assert_eq!(describe(&[0.3; 40]).kind, ChangeKind::Steady);
        let jump: Vec<f64> = (0..40).map(|i| if i < 25 { 1.0 } else { 2.0 }).collect();
        let described = describe(&jump);
        assert_eq!(described.kind, ChangeKind::Sudden);
        let began = described.began.unwrap();
        assert_eq!((began.window, began.earliest, began.latest), (25, 25, 25));
        assert!((described.size - 1.0).abs() < 1e-9);
    }
    #[test]
    fn a_change_that_a_verdict_knows_of_is_dated_where_it_is() {
        // Noise that wanders by the week hides a short jump at the end from all days together.
        let mut series: Vec<f64> = (0..60).map(|i| 0.3 * (f64::from(i) * 0.35).sin()).collect();
        series.extend([0.9, 0.85, 0.8]);
        let described = describe_since(&series, 53);
        assert_eq!(described.began.map(|began| began.window), Some(60), "{described:?}");
        assert!(described.began.is_some_and(|began| began.earliest >= 53 && began.latest <= 62));
        assert_eq!(describe_since(&[0.5; 5], 2).kind, ChangeKind::Unknown);
    }
}
