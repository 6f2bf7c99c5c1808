//! Evidence for and against a canary: one always-valid test, "label betting", on integer counts.
//!
//! Only *bad events* are looked at (a failed answer, an answer slower than the objective). In a segment, a period in
//! which the canary's share was constant at `w`, a bad event falls on a canary that is no worse than `r` times stable
//! with probability at most `π = w r / (w r + 1 − w)`, whatever the base rate does over time. Betting against that
//! gives an e-process: by Ville's inequality it exceeds `1/α` with probability at most `α`, however often one looks.
//! Lineage: Lindon & Malek 2022 (arXiv 2011.03567), Turner, Ly & Grünwald 2024 (2106.02693), Ramdas et al. (2210.01948).
//!
//! Everything here is a pure function of counts: an auditor recomputes it, counts of replicas are added, and the order
//! in which they arrive does not matter. Decisions are not made here but in [`state`](super::state).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::function::beta::ln_beta;

use super::plan::{Budget, Floor, Metric, Objectives};

/// Alternative risk ratios, as multiples of the tolerated ratio, for harm that shows as an increase.
pub const HARM_GRID: [f64; 10] = [1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 50.0, 200.0];

/// Alternative risk ratios, as multiples of the margin, that a non-inferior canary is bet to have.
pub const NON_INFERIORITY_GRID: [f64; 9] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];

/// How strongly the sample-ratio test believes in the planned share: the weight of its Beta alternative.
pub const SAMPLE_RATIO_KAPPA: f64 = 2000.0;

/// `ln 10`: a guard above it keeps a step from going on, long before it rolls back.
pub const SUSPICION: f64 = std::f64::consts::LN_10;

/// What was counted for one arm of a rollout in one segment.
///
/// - An *entity* is the key that routing sticks to; a request without a key is an entity of its own.
/// - `entities` are those first seen in the segment; `*_entities` had their first bad event of the rollout in it.
/// - Client errors, pinned requests and the warm-up are in none of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArmCounts {
    /// Requests that were routed.
    pub requests: u64,
    /// Entities seen for the first time in this rollout.
    pub entities: u64,
    /// Requests that the version failed or timed out.
    pub errors: u64,
    /// Entities with their first failed request.
    pub error_entities: u64,
    /// Requests answered slower than the objective.
    pub latency: u64,
    /// Entities with their first slow request.
    pub latency_entities: u64,
}

impl ArmCounts {
    /// All bad events of the metric, repeats of one entity included.
    pub fn events(&self, metric: Metric) -> u64 {
        match metric {
            Metric::Errors => self.errors,
            Metric::Latency => self.latency,
        }
    }

    /// Bad events of the metric, at most one per entity: those that the test counts.
    pub fn entities_with(&self, metric: Metric) -> u64 {
        match metric {
            Metric::Errors => self.error_entities,
            Metric::Latency => self.latency_entities,
        }
    }

    /// Adds the counts of another replica or segment.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.entities += other.entities;
        self.errors += other.errors;
        self.error_entities += other.error_entities;
        self.latency += other.latency;
        self.latency_entities += other.latency_entities;
    }

    /// What was counted since `earlier`; counts never shrink.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            entities: self.entities.saturating_sub(earlier.entities),
            errors: self.errors.saturating_sub(earlier.errors),
            error_entities: self.error_entities.saturating_sub(earlier.error_entities),
            latency: self.latency.saturating_sub(earlier.latency),
            latency_entities: self.latency_entities.saturating_sub(earlier.latency_entities),
        }
    }
}

/// Both arms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arms {
    /// The version that served before.
    pub stable: ArmCounts,
    /// The version on trial.
    pub canary: ArmCounts,
}

impl Arms {
    /// Adds the counts of another replica or segment.
    pub fn add(&mut self, other: &Self) {
        self.stable.add(&other.stable);
        self.canary.add(&other.canary);
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self { stable: self.stable.since(&earlier.stable), canary: self.canary.since(&earlier.canary) }
    }
}

/// The counts of one segment: a period with a constant share of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentCounts {
    /// Its number; it grows with every change of the weight.
    pub segment: i64,
    /// The canary's share `w` in it.
    pub weight: f64,
    /// What was counted.
    pub arms: Arms,
}

/// The counts of one metric in one segment, as the formulas take them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// The canary's share `w`.
    pub weight: f64,
    /// `c_j`, on the canary.
    pub canary: u64,
    /// `s_j`, on stable.
    pub stable: u64,
}

/// `ln E(θ) = Σ_j [c_j ln(q_j/π_j) + s_j ln((1−q_j)/(1−π_j))]` for one alternative risk ratio
/// (rollout specification, §2). Segments in which one arm had all the traffic say nothing and are skipped.
pub fn ln_e_at(splits: &[Split], tolerated: f64, theta: f64) -> f64 {
    let mut sum = 0.0;
    for split in splits {
        let w = split.weight;
        if w <= 0.0 || w >= 1.0 {
            continue;
        }
        // q/π and (1−q)/(1−π), reduced so that nothing cancels: both share the ratio of the normalisers.
        let normaliser = ((w * tolerated + 1.0 - w) / (w * theta + 1.0 - w)).ln();
        let canary = (theta / tolerated).ln() + normaliser;
        sum += split.canary as f64 * canary + split.stable as f64 * normaliser;
    }
    sum
}

/// `ln E`, where `E` is the mean of `E(θ)` over `θ = tolerated · grid` (an average of e-values is an e-value).
pub fn ln_e(splits: &[Split], tolerated: f64, grid: &[f64]) -> f64 {
    let logs: Vec<f64> = grid.iter().map(|g| ln_e_at(splits, tolerated, tolerated * g)).collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|l| (l - largest).exp()).sum();
    largest + (sum / grid.len() as f64).ln()
}

/// `ln` of the sample-ratio e-value over first-seen entities: per segment
/// `B(c+κw, s+κ(1−w)) / (B(κw, κ(1−w)) w^c (1−w)^s)`, multiplied over segments (each starts at one).
pub fn ln_e_sample_ratio(splits: &[Split], kappa: f64) -> f64 {
    let mut sum = 0.0;
    for split in splits {
        let w = split.weight;
        if w <= 0.0 || w >= 1.0 || split.canary + split.stable == 0 {
            continue;
        }
        let (c, s) = (split.canary as f64, split.stable as f64);
        let (a, b) = (kappa * w, kappa * (1.0 - w));
        sum += ln_beta(c + a, s + b) - ln_beta(a, b) - c * w.ln() - s * (1.0 - w).ln();
    }
    sum
}

/// What the counts say against the canary for one metric, and for it when non-inferiority is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardEvidence {
    /// The metric.
    pub metric: Metric,
    /// `c_j`, `s_j` and `w_j`: enough to recompute the rest.
    pub splits: Vec<Split>,
    /// `r`: how many times stable's rate is tolerated.
    pub tolerated: f64,
    /// `ln E` against "no worse than `r` times stable".
    pub ln_e: f64,
    /// `E` must reach this to roll back: 1/α of this guard.
    pub threshold: f64,
    /// Bad events of the canary, repeats included.
    pub canary_events: u64,
    /// Entities of the canary with a bad event.
    pub canary_entities: u64,
    /// The threshold is reached and the floor of events and entities too.
    pub breached: bool,
    /// `ln E` against "at least `margin` times stable": large means not inferior.
    pub ln_e_non_inferior: f64,
    /// `E` must reach this to count as not inferior.
    pub non_inferior_threshold: f64,
}

impl GuardEvidence {
    /// True when the canary is shown to be no worse than the margin.
    pub fn non_inferior(&self) -> bool {
        self.ln_e_non_inferior >= self.non_inferior_threshold.ln()
    }
}

/// The test of the planned share on first-seen entities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleRatio {
    /// First-seen entities per segment.
    pub splits: Vec<Split>,
    /// `ln` of its e-value.
    pub ln_e: f64,
    /// `E` must reach this to hold.
    pub threshold: f64,
    /// The shares are not those that were planned.
    pub mismatch: bool,
}

/// All that is known at one moment; stored with every event of the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The counts it follows from.
    pub segments: Vec<SegmentCounts>,
    /// One per guarded metric.
    pub guards: Vec<GuardEvidence>,
    /// The test of the split itself.
    pub sample_ratio: SampleRatio,
    /// Counts of the last minute, which the absolute guard looks at.
    pub recent: Arms,
    /// The metric in which both arms miss their objective together, if any.
    pub joint_outage: Option<Metric>,
}

impl Evidence {
    /// The guard that decided to roll back, the strongest first.
    pub fn breach(&self) -> Option<&GuardEvidence> {
        let breached = self.guards.iter().filter(|guard| guard.breached);
        breached.max_by(|a, b| (a.ln_e - a.threshold.ln()).total_cmp(&(b.ln_e - b.threshold.ln())))
    }

    /// A guard with `E ≥ 10`: too suspicious to go on, too little to roll back.
    pub fn suspicion(&self) -> Option<&GuardEvidence> {
        self.guards.iter().find(|guard| guard.ln_e >= SUSPICION)
    }

    /// True when every guarded metric is shown to be no worse than the margin.
    pub fn non_inferior(&self) -> bool {
        self.guards.iter().all(GuardEvidence::non_inferior)
    }

    /// Canary requests counted in one segment.
    pub fn canary_requests(&self, segment: i64) -> u64 {
        let counts = self.segments.iter().filter(|counts| counts.segment == segment);
        counts.map(|counts| counts.arms.canary.requests).sum()
    }
}

/// The settings of the tests, from the plan.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The guarded metrics.
    pub metrics: &'a [Metric],
    /// How α is spent.
    pub budget: &'a Budget,
    /// The least number of canary bad events.
    pub floor: &'a Floor,
    /// What both arms together must not miss.
    pub objectives: &'a Objectives,
}

/// Computes all evidence from the counts of the segments and those of the last minute.
pub fn assess(segments: &[SegmentCounts], recent: &Arms, policy: Policy<'_>) -> Evidence {
    let guards = policy.metrics.iter().map(|metric| guard(segments, *metric, policy)).collect();
    let first_seen = splits(segments, |arm| arm.entities);
    let sample_ratio_ln_e = ln_e_sample_ratio(&first_seen, SAMPLE_RATIO_KAPPA);
    let sample_ratio_threshold = 1.0 / policy.budget.sample_ratio_alpha;
    Evidence {
        segments: segments.to_vec(),
        guards,
        sample_ratio: SampleRatio {
            splits: first_seen,
            ln_e: sample_ratio_ln_e,
            threshold: sample_ratio_threshold,
            mismatch: sample_ratio_ln_e >= sample_ratio_threshold.ln(),
        },
        recent: *recent,
        joint_outage: joint_outage(recent, policy),
    }
}

fn splits(segments: &[SegmentCounts], count: impl Fn(&ArmCounts) -> u64) -> Vec<Split> {
    let split = |counts: &SegmentCounts| Split {
        weight: counts.weight,
        canary: count(&counts.arms.canary),
        stable: count(&counts.arms.stable),
    };
    segments.iter().map(split).collect()
}

fn guard(segments: &[SegmentCounts], metric: Metric, policy: Policy<'_>) -> GuardEvidence {
    let splits = splits(segments, |arm| arm.entities_with(metric));
    let tolerated = policy.budget.tolerated;
    let harm = ln_e(&splits, tolerated, &HARM_GRID);
    let threshold = policy.budget.threshold(metric);
    let mut total = Arms::default();
    for segment in segments {
        total.add(&segment.arms);
    }
    let canary_events = total.canary.events(metric);
    let canary_entities = total.canary.entities_with(metric);
    // A canary that has not answered once is not asked for more victims than the test itself needs.
    let totally_broken = canary_events >= total.canary.requests;
    let enough_events = canary_events >= policy.floor.events || totally_broken;
    let enough = enough_events && canary_entities >= policy.floor.entities;
    GuardEvidence {
        metric,
        tolerated,
        ln_e: harm,
        threshold,
        canary_events,
        canary_entities,
        breached: enough && harm >= threshold.ln(),
        ln_e_non_inferior: ln_e(&splits, policy.budget.margin, &NON_INFERIORITY_GRID),
        non_inferior_threshold: 1.0 / policy.budget.promotion_alpha,
        splits,
    }
}

/// The metric in which both arms breach their absolute objective together: an outage of something they share.
fn joint_outage(recent: &Arms, policy: Policy<'_>) -> Option<Metric> {
    let (stable, canary) = (&recent.stable, &recent.canary);
    policy.metrics.iter().copied().find(|metric| {
        let objective = policy.objectives.of(*metric);
        let misses = |arm: &ArmCounts| {
            arm.requests >= policy.objectives.min_requests
                && arm.events(*metric) as f64 > objective * arm.requests as f64
        };
        let events = stable.events(*metric) + canary.events(*metric);
        let requests = stable.requests + canary.requests;
        misses(stable) && misses(canary) && wilson_lower(events, requests) > objective
    })
}

/// Lower end of Wilson's 99 % interval of a share (Wilson 1927), 0 without cases.
fn wilson_lower(events: u64, requests: u64) -> f64 {
    const Z: f64 = 2.575_829_303_548_901;
    if requests == 0 {
        return 0.0;
    }
    let n = requests as f64;
    let p = events as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (centre - spread) / (1.0 + Z * Z / n)
}

#[cfg(test)]
mod tests;
