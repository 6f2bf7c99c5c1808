//! Gates: may a candidate take the champion's place? Pure functions of losses and times; the measuring is in
//! [`jobs`](crate::jobs).
//!
//! Quality is compared on the same held-out rows, row by row: the mean difference of the losses with its bootstrap
//! interval (Efron & Tibshirani 1993, ch. 13). Comparing two figures instead "finds" an improvement in half of all
//! retrainings that changed nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::Random;

/// Above this many rows, neighbours in time are resampled together.
const MAX_BLOCKS: usize = 10_000;

/// What the gates ask for; the table `[gates]` of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatePolicy {
    /// Share of the rows, the latest in time, on which both versions are compared.
    pub holdout: f64,
    /// The least number of rows; below it the verdict is undecided.
    pub min_rows: usize,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Coverage of the interval.
    pub confidence: f64,
    /// The least improvement that counts, as a share of the champion's mean loss.
    pub min_effect: f64,
    /// The candidate's 95 % latency may be this many times the champion's …
    pub max_latency_ratio: f64,
    /// … or stay below this many microseconds a row, whichever is more.
    pub latency_floor_us: f64,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            holdout: 0.2,
            min_rows: 30,
            resamples: 2_000,
            confidence: 0.95,
            min_effect: 0.0,
            max_latency_ratio: 2.0,
            latency_floor_us: 500.0,
        }
    }
}

impl GatePolicy {
    /// Checks what types cannot say; the first fault is named.
    pub fn check(&self) -> Result<()> {
        let faults = [
            (self.holdout > 0.0 && self.holdout < 1.0, "holdout must lie in (0, 1)"),
            (self.min_rows >= 2, "min_rows must be at least 2"),
            ((100..=100_000).contains(&self.resamples), "resamples must lie in 100..=100000"),
            (self.confidence > 0.5 && self.confidence < 1.0, "confidence must lie in (0.5, 1)"),
            ((0.0..1.0).contains(&self.min_effect), "min_effect must lie in [0, 1)"),
            (self.max_latency_ratio >= 1.0, "max_latency_ratio must be at least 1"),
            (self.latency_floor_us >= 0.0, "latency_floor_us must not be negative"),
        ];
        match faults.iter().find(|(fine, _)| !fine) {
            Some((_, message)) => Err(Error::Invalid(format!("gates: {message}"))),
            None => Ok(()),
        }
    }
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GateDecision")]
pub enum Verdict {
    /// The candidate is better than the least effect, beyond chance.
    Better,
    /// The candidate is worse, or fails another gate.
    NotBetter,
    /// The rows cannot tell.
    Undecided,
}

/// The paired comparison of losses; smaller is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GateComparison")]
pub struct Comparison {
    /// What it says about quality alone.
    pub verdict: Verdict,
    /// Rows compared.
    pub rows: usize,
    /// The champion's mean loss.
    pub champion_loss: f64,
    /// The candidate's mean loss.
    pub candidate_loss: f64,
    /// Mean of candidate − champion: negative is an improvement.
    pub mean_difference: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// An improvement must exceed this, in units of the loss.
    pub min_effect: f64,
    /// Coverage of the interval.
    pub confidence: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the resampling.
    pub seed: u64,
}

/// Compares the losses of two models on the same rows, in time order.
///
/// Each resample draws rows with replacement (blocks of neighbours above 10,000 rows, which also respects that
/// neighbours resemble each other) and takes the mean difference; the interval is between its quantiles.
///
/// # Errors
/// `Invalid` when the lengths differ or a loss is not finite.
pub fn compare(champion: &[f64], candidate: &[f64], policy: &GatePolicy, seed: u64) -> Result<Comparison> {
    let rows = champion.len();
    if candidate.len() != rows || rows == 0 {
        return Err(Error::Invalid(format!("{rows} champion losses, {} candidate losses", candidate.len())));
    }
    if champion.iter().chain(candidate).any(|loss| !loss.is_finite()) {
        return Err(Error::Invalid("a loss is not a finite number".into()));
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / rows as f64;
    let (champion_loss, candidate_loss) = (mean(champion), mean(candidate));
    let differences: Vec<f64> = candidate.iter().zip(champion).map(|(b, a)| b - a).collect();
    let (low, high) = bootstrap_interval(&differences, policy, seed);
    let min_effect = policy.min_effect * champion_loss.abs();
    let verdict = if rows < policy.min_rows {
        Verdict::Undecided
    } else if high < -min_effect {
        Verdict::Better
    } else if low > 0.0 || (low == 0.0 && high == 0.0) {
        Verdict::NotBetter
    } else {
        Verdict::Undecided
    };
    Ok(Comparison {
        verdict,
        rows,
        champion_loss,
        candidate_loss,
        mean_difference: mean(&differences),
        low,
        high,
        min_effect,
        confidence: policy.confidence,
        resamples: policy.resamples,
        seed,
    })
}

/// The percentile interval of the mean.
fn bootstrap_interval(differences: &[f64], policy: &GatePolicy, seed: u64) -> (f64, f64) {
    let block = differences.len().div_ceil(MAX_BLOCKS);
    let blocks: Vec<(f64, f64)> =
        differences.chunks(block).map(|chunk| (chunk.iter().sum(), chunk.len() as f64)).collect();
    let mut random = Random::new(seed);
    let mut means: Vec<f64> = (0..policy.resamples).map(|_| resampled_mean(&blocks, &mut random)).collect();
    means.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - policy.confidence) / 2.0;
    (quantile(&means, tail), quantile(&means, 1.0 - tail))
}

fn resampled_mean(blocks: &[(f64, f64)], random: &mut Random) -> f64 {
    let (mut sum, mut rows) = (0.0, 0.0);
    for _ in 0..blocks.len() {
        let (s, n) = blocks[random.below(blocks.len())];
        sum += s;
        rows += n;
    }
    sum / rows
}

/// The quantile of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// Times of one model, microseconds a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GateLatency")]
pub struct Latency {
    /// Median.
    pub median_us: f64,
    /// 95 % of the calls are faster.
    pub p95_us: f64,
}

impl Latency {
    /// Summarises measured times, one per call of one row; none without a measurement.
    pub fn of(mut microseconds: Vec<f64>) -> Option<Self> {
        if microseconds.is_empty() {
            return None;
        }
        microseconds.sort_unstable_by(f64::total_cmp);
        Some(Self { median_us: quantile(&microseconds, 0.5), p95_us: quantile(&microseconds, 0.95) })
    }
}

/// The latency gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyGate {
    /// Of the champion.
    pub champion: Latency,
    /// Of the candidate.
    pub candidate: Latency,
    /// What the candidate's p95 may be.
    pub limit_us: f64,
    /// It stays below.
    pub passed: bool,
}

impl LatencyGate {
    /// Holds the candidate's p95 against the limit that follows from the champion's.
    pub fn new(champion: Latency, candidate: Latency, policy: &GatePolicy) -> Self {
        let limit_us = (champion.p95_us * policy.max_latency_ratio).max(policy.latency_floor_us);
        Self { champion, candidate, limit_us, passed: candidate.p95_us <= limit_us }
    }
}

/// All gates of one candidate with their numbers; stored in `pipeline_runs.gate` and audited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateVerdict {
    /// The verdict over all gates.
    pub verdict: Verdict,
    /// The model.
    pub model: String,
    /// The version that serves.
    pub champion: i64,
    /// The version that wants to.
    pub candidate: i64,
    /// Quality.
    pub quality: Comparison,
    /// Latency.
    pub latency: LatencyGate,
    /// Why callers of the champion could not call the candidate; none when they can.
    pub signature_clash: Option<String>,
    /// What failed or is missing, in words; empty when the candidate is better.
    pub reasons: Vec<String>,
}

impl GateVerdict {
    /// Joins the single gates: quality decides, unless latency or signature forbid.
    pub fn new(
        (model, champion, candidate): (String, i64, i64),
        quality: Comparison,
        latency: LatencyGate,
        signature_clash: Option<String>,
    ) -> Self {
        let mut reasons = Vec::new();
        if let Some(clash) = &signature_clash {
            reasons.push(format!("signature: {clash}"));
        }
        if !latency.passed {
            reasons.push(format!(
                "latency: p95 {:.0} µs a row, limit {:.0} µs",
                latency.candidate.p95_us, latency.limit_us
            ));
        }
        let verdict = if reasons.is_empty() { quality.verdict } else { Verdict::NotBetter };
        match quality.verdict {
            Verdict::Better => {}
            Verdict::NotBetter => reasons.push("quality: worse on the held-out rows".into()),
            Verdict::Undecided => reasons.push(format!(
                "quality: {} held-out rows cannot tell the two apart (difference {:.6}, interval {:.6} to {:.6})",
                quality.rows, quality.mean_difference, quality.low, quality.high
            )),
        }
        Self { verdict, model, champion, candidate, quality, latency, signature_clash, reasons }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses of a model: a part that every model shares, and noise of its own.
    fn losses(random: &mut Random, shared: &[f64], shift: f64) -> Vec<f64> {
        shared.iter().map(|loss| loss + 0.3 * (random.uniform() - 0.5) + shift).collect()
    }

    fn shared(random: &mut Random, rows: usize) -> Vec<f64> {
        (0..rows).map(|_| 1.0 + random.uniform().powi(2)).collect()
    }

    #[test]
    fn equal_retrainings_are_rarely_called_better() {
        let mut random = Random::new(1);
        let mut better = 0;
        let mut smaller = 0;
        for seed in 0..24 {
            let rows = shared(&mut random, 600);
            let champion = losses(&mut random, &rows, 0.0);
            let candidate = losses(&mut random, &rows, 0.0);
            let comparison = compare(&champion, &candidate, &GatePolicy::default(), seed).unwrap();
            better += usize::from(comparison.verdict == Verdict::Better);
            smaller += usize::from(comparison.mean_difference < 0.0);
        }
        assert!(better <= 2, "{better} of 24");
        assert!(smaller >= 6, "comparing figures alone would have taken {smaller} of 24");
    }

    #[test]
    fn finds_a_real_difference_both_ways() {
        let mut random = Random::new(2);
        let rows = shared(&mut random, 600);
        let champion = losses(&mut random, &rows, 0.0);
        let better = losses(&mut random, &rows, -0.05);
        let policy = GatePolicy::default();
        let found = compare(&champion, &better, &policy, 5).unwrap();
        assert_eq!(found.verdict, Verdict::Better);
        assert!(found.low < found.mean_difference && found.mean_difference < found.high);
        assert_eq!(compare(&better, &champion, &policy, 5).unwrap().verdict, Verdict::NotBetter);
        let demanding = GatePolicy { min_effect: 0.1, ..policy };
        assert_eq!(compare(&champion, &better, &demanding, 5).unwrap().verdict, Verdict::Undecided);
    }

    #[test]
    fn the_interval_covers_as_promised() {
        // 95 % intervals of a mean that is zero: about 380 of 400 cover it.
        let mut random = Random::new(3);
        let policy = GatePolicy { resamples: 400, ..GatePolicy::default() };
        let mut covered = 0;
        for seed in 0..400 {
            let a: Vec<f64> = (0..120).map(|_| random.uniform()).collect();
            let b: Vec<f64> = (0..120).map(|_| random.uniform()).collect();
            let comparison = compare(&a, &b, &policy, seed).unwrap();
            covered += usize::from(comparison.low <= 0.0 && comparison.high >= 0.0);
        }
        assert!((366..=394).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_blocks_keep_the_mean() {
        let mut random = Random::new(4);
        let rows = shared(&mut random, 25_000);
        let champion = losses(&mut random, &rows, 0.0);
        let candidate = losses(&mut random, &rows, -0.01);
        let policy = GatePolicy { resamples: 100, ..GatePolicy::default() };
        let one = compare(&champion, &candidate, &policy, 9).unwrap();
        assert_eq!(one, compare(&champion, &candidate, &policy, 9).unwrap());
        assert_eq!(one.verdict, Verdict::Better);
    }

    #[test]
    fn identical_models_are_not_better_and_few_rows_undecided() {
        let policy = GatePolicy::default();
        let losses = vec![0.5; 100];
        assert_eq!(compare(&losses, &losses, &policy, 1).unwrap().verdict, Verdict::NotBetter);
        let few = compare(&[1.0, 1.0, 1.0], &[0.1, 0.1, 0.1], &policy, 1).unwrap();
        assert_eq!(few.verdict, Verdict::Undecided);
        assert!(compare(&[1.0], &[f64::NAN], &policy, 1).is_err());
        assert!(compare(&[1.0], &[1.0, 2.0], &policy, 1).is_err());
        assert!(compare(&[], &[], &policy, 1).is_err());
    }

    #[test]
    fn a_slow_or_clashing_candidate_is_not_better() {
        let mut random = Random::new(6);
        let rows = shared(&mut random, 200);
        let champion = losses(&mut random, &rows, 0.0);
        let policy = GatePolicy::default();
        let quality = compare(&champion, &losses(&mut random, &rows, -0.2), &policy, 1).unwrap();
        let fast = Latency::of(vec![300.0; 20]).unwrap();
        let slow = Latency::of(vec![700.0; 20]).unwrap();
        let names = || ("sales".to_owned(), 1, 2);
        let fine = GateVerdict::new(names(), quality.clone(), LatencyGate::new(fast, fast, &policy), None);
        assert_eq!((fine.verdict, fine.reasons.len()), (Verdict::Better, 0));
        let late = GateVerdict::new(names(), quality.clone(), LatencyGate::new(fast, slow, &policy), None);
        assert_eq!(late.verdict, Verdict::NotBetter);
        assert!(late.reasons[0].contains("700"), "{:?}", late.reasons);
        let clash = Some("lacks the input age".to_owned());
        let other = GateVerdict::new(names(), quality, LatencyGate::new(fast, fast, &policy), clash);
        assert_eq!(other.verdict, Verdict::NotBetter);
    }

    #[test]
    fn the_latency_floor_forgives_what_nobody_notices() {
        let policy = GatePolicy::default();
        let tiny = Latency::of(vec![5.0; 9]).unwrap();
        let ten_times = Latency::of(vec![50.0; 9]).unwrap();
        assert!(LatencyGate::new(tiny, ten_times, &policy).passed);
    }
}
