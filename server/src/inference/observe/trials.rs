//! Counts of rollouts: per segment and arm, one bad event per entity and metric.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use chasqui_pipelines::rollout::evidence::{ArmCounts, Arms, Policy, SegmentCounts, assess};
use chasqui_pipelines::rollout::plan::{Budget, Metric};
use chasqui_registry::Micros;
use chasqui_registry::prediction_log::Arm;
use uuid::Uuid;

use super::Part;
use crate::inference::snapshot::Trial;

/// Entities remembered per rollout and metric: eight megabytes each. By then every decision has long been made.
const MAX_ENTITIES: usize = 1 << 20;
/// Rollouts remembered at the same time.
const MAX_TRIALS: usize = 64;
/// Probability of taking a harmless canary out by this replica's own counts.
const FUSE_ALPHA: f64 = 0.001;

/// What one segment of a rollout has counted so far on this replica.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrialTotal {
    /// The rollout.
    pub rollout: Uuid,
    /// The segment.
    pub segment: i64,
    /// Both arms.
    pub arms: Arms,
}

#[derive(Debug, Default)]
pub(super) struct Trials {
    by_rollout: HashMap<Uuid, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    segments: Vec<Segment>,
    seen: HashSet<u64>,
    failed: HashSet<u64>,
    slow: HashSet<u64>,
    last_at: Micros,
}

#[derive(Debug)]
struct Segment {
    counts: SegmentCounts,
    is_changed: bool,
}

impl Trials {
    /// Counts one request; says whether it was a bad event of the canary.
    pub(super) fn count(&mut self, part: &Part, at: Micros) -> bool {
        let trial = &part.trial;
        if !trial.counts(at) {
            return false;
        }
        self.make_room(trial.id);
        let tally = self.by_rollout.entry(trial.id).or_default();
        tally.last_at = at;
        let is_bad = part.failed || part.slow;
        let news = tally.count(part);
        if is_bad && part.arm == Arm::Canary {
            tally.check_fuse(trial);
        }
        is_bad && part.arm == Arm::Canary && news
    }

    /// Absolute totals of the segments that changed since the last call.
    pub(super) fn changed(&mut self) -> Vec<TrialTotal> {
        let mut totals = Vec::new();
        for (rollout, tally) in &mut self.by_rollout {
            for segment in tally.segments.iter_mut().filter(|segment| segment.is_changed) {
                segment.is_changed = false;
                let SegmentCounts { segment, arms, .. } = segment.counts;
                totals.push(TrialTotal { rollout: *rollout, segment, arms });
            }
        }
        totals
    }

    fn make_room(&mut self, rollout: Uuid) {
        if self.by_rollout.len() < MAX_TRIALS || self.by_rollout.contains_key(&rollout) {
            return;
        }
        let written = |tally: &Tally| tally.segments.iter().all(|segment| !segment.is_changed);
        let oldest =
            self.by_rollout.iter().filter(|(_, tally)| written(tally)).min_by_key(|(_, tally)| tally.last_at);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.by_rollout.remove(&id);
        }
    }
}

impl Tally {
    /// Counts a request; says whether an entity had its first bad event.
    fn count(&mut self, part: &Part) -> bool {
        let Self { segments, seen, failed, slow, .. } = self;
        let segment = segment_of(segments, &part.trial);
        segment.is_changed = true;
        let arm = match part.arm {
            Arm::Stable => &mut segment.counts.arms.stable,
            Arm::Canary => &mut segment.counts.arms.canary,
        };
        let mut news = false;
        for entity in &part.entities {
            arm.requests += 1;
            arm.entities += first(seen, *entity);
            if part.failed {
                arm.errors += 1;
                let is_first = first(failed, *entity);
                arm.error_entities += is_first;
                news |= is_first == 1;
            }
            if part.slow {
                arm.latency += 1;
                let is_first = first(slow, *entity);
                arm.latency_entities += is_first;
                news |= is_first == 1;
            }
        }
        news
    }

    /// Takes the canary out on this replica when its own counts prove harm (`specs/rollouts.md` §4, local fuse).
    fn check_fuse(&self, trial: &Trial) {
        let budget = Budget { harm_alpha: FUSE_ALPHA, ..trial.plan.budget.clone() };
        let policy = Policy {
            metrics: &trial.plan.metrics,
            budget: &budget,
            floor: &trial.plan.floor,
            objectives: &trial.plan.objectives,
        };
        let segments: Vec<SegmentCounts> = self.segments.iter().map(|segment| segment.counts).collect();
        let evidence = assess(&segments, &Arms::default(), policy);
        let Some(breach) = evidence.breach() else { return };
        if trial.fuse.swap(true, Ordering::Relaxed) {
            return;
        }
        let metric: Metric = breach.metric;
        tracing::warn!(
            rollout.id = %trial.id,
            rollout.metric = metric.name(),
            rollout.ln_e = breach.ln_e,
            "this replica's own counts prove harm: it sends the canary nothing more until the rollout is decided"
        );
    }
}

fn segment_of<'s>(segments: &'s mut Vec<Segment>, trial: &Trial) -> &'s mut Segment {
    let position = segments.iter().position(|segment| segment.counts.segment == trial.segment);
    let position = position.unwrap_or_else(|| {
        let counts = SegmentCounts { segment: trial.segment, weight: trial.weight, arms: Arms::default() };
        segments.push(Segment { counts, is_changed: true });
        segments.len() - 1
    });
    &mut segments[position]
}

/// 1 when the entity is new; 0 when it is not, and when no more are remembered: an uncounted event cannot
/// mislead a test, one counted twice can.
fn first(seen: &mut HashSet<u64>, entity: u64) -> u64 {
    if seen.len() >= MAX_ENTITIES {
        return 0;
    }
    u64::from(seen.insert(entity))
}

/// The totals of one arm by counter, as they are stored.
pub(crate) fn counters(
    arms: &Arms,
) -> Vec<(chasqui_pipelines::rollout::Arm, chasqui_pipelines::rollout::Counter, u64)> {
    use chasqui_pipelines::rollout::{Arm, Counter};
    let of = |arm: Arm, counts: &ArmCounts| {
        [
            (arm, Counter::Requests, counts.requests),
            (arm, Counter::Entities, counts.entities),
            (arm, Counter::Errors, counts.errors),
            (arm, Counter::ErrorEntities, counts.error_entities),
            (arm, Counter::Latency, counts.latency),
            (arm, Counter::LatencyEntities, counts.latency_entities),
        ]
    };
    [of(Arm::Stable, &arms.stable), of(Arm::Canary, &arms.canary)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use chasqui_pipelines::rollout::plan::Plan;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn trial(segment: i64, weight: f64) -> Arc<Trial> {
        Arc::new(Trial {
            id: Uuid::from_u128(7),
            header: HeaderValue::from_static("7"),
            salt: "salt".into(),
            weight,
            segment,
            counts_from: Some(Micros(10)),
            plan: Plan::default(),
            fuse: Arc::new(AtomicBool::new(false)),
        })
    }

    fn part(trial: &Arc<Trial>, arm: Arm, entity: u64, failed: bool) -> Part {
        Part { trial: Arc::clone(trial), arm, entities: [entity].into_iter().collect(), failed, slow: false }
    }

    #[test]
    fn an_entity_has_one_first_time_and_one_bad_event() {
        let (mut trials, trial) = (Trials::default(), trial(1, 0.1));
        assert!(!trials.count(&part(&trial, Arm::Canary, 5, true), Micros(9)), "warm-up");
        assert!(trials.count(&part(&trial, Arm::Canary, 5, true), Micros(10)));
        assert!(!trials.count(&part(&trial, Arm::Canary, 5, true), Micros(11)));
        trials.count(&part(&trial, Arm::Stable, 6, false), Micros(12));
        let totals = trials.changed();
        assert_eq!(totals.len(), 1);
        let expected =
            ArmCounts { requests: 2, entities: 1, errors: 2, error_entities: 1, ..Default::default() };
        assert_eq!(totals[0].arms.canary, expected);
        assert_eq!(totals[0].arms.stable, ArmCounts { requests: 1, entities: 1, ..Default::default() });
        assert!(trials.changed().is_empty());
    }

    #[test]
    fn totals_are_absolute_and_per_segment() {
        let mut trials = Trials::default();
        let (one, two) = (trial(1, 0.1), trial(2, 0.5));
        trials.count(&part(&one, Arm::Stable, 1, false), Micros(10));
        trials.changed();
        trials.count(&part(&one, Arm::Stable, 2, false), Micros(10));
        trials.count(&part(&two, Arm::Stable, 3, false), Micros(10));
        let mut totals = trials.changed();
        totals.sort_by_key(|total| total.segment);
        assert_eq!(totals.iter().map(|total| total.arms.stable.requests).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn the_fuse_blows_on_a_broken_canary_only() {
        let (mut trials, trial) = (Trials::default(), trial(1, 0.1));
        for entity in 0..90 {
            trials.count(&part(&trial, Arm::Stable, 1000 + entity, false), Micros(10));
        }
        for entity in 0..3 {
            trials.count(&part(&trial, Arm::Canary, entity, true), Micros(10));
        }
        assert!(!trial.fuse.load(Ordering::Relaxed), "three events prove nothing yet");
        for entity in 3..20 {
            trials.count(&part(&trial, Arm::Canary, entity, true), Micros(10));
        }
        assert!(trial.fuse.load(Ordering::Relaxed));
    }
}
