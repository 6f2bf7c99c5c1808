//! The annex of a report: tests, versions, gate, rollout and lineage, from their rows.

use std::collections::BTreeMap;

use chasqui_drift::{DriftVerdict, FeatureDrift};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};
use chasqui_report::{
    FeatureTest, GateCheck, GateOutcome, GateReport, Guard, Lineage, RolloutEvent, RolloutReport, VersionUse,
};
use jiff::Timestamp;
use serde_json::Value;

use super::history::Traffic;
use crate::error::Result;
use crate::gate::Verdict;
use crate::pipeline::Run;
use crate::rollout::{self, Rollout};

/// The tests of every column, the prediction last.
pub(super) fn features(verdict: &DriftVerdict) -> Vec<FeatureTest> {
    let test = |feature: &FeatureDrift| FeatureTest {
        feature: feature.name.clone(),
        test: feature.test.clone(),
        statistic: feature.statistic,
        p_value: feature.p_value,
        adjusted_p: feature.adjusted_p,
        psi: feature.psi,
        effect: feature.effect,
        effect_floor: feature.effect_floor,
        importance: feature.importance,
        drifted: feature.drifted || feature.missing_changed,
    };
    verdict.features.iter().chain(&verdict.prediction).map(test).collect()
}

/// Which versions answered how much.
pub(super) fn versions(
    traffic: &Traffic,
    known: &BTreeMap<i64, Version>,
    serving: Option<i64>,
) -> Vec<VersionUse> {
    let one = |(version, used): (&i64, &super::history::VersionTraffic)| VersionUse {
        version: version.to_string(),
        aliases: if serving == Some(*version) { vec!["champion".into()] } else { Vec::new() },
        share: used.requests as f64 / traffic.predictions.max(1) as f64,
        since: timestamp(used.first),
        until: if serving == Some(*version) { None } else { timestamp(used.last) },
        sha256: known.get(version).map(|version| version.sha256.to_string()),
    };
    traffic.versions.iter().map(one).collect()
}

/// What the gates said in the last run.
pub(super) fn gate(run: &Run) -> Option<GateReport> {
    let verdict = run.gate.as_ref()?;
    let quality = &verdict.quality;
    let latency = &verdict.latency;
    let passed = |passed: bool| if passed { GateOutcome::Passed } else { GateOutcome::Failed };
    let checks = vec![
        GateCheck {
            name: "loss".into(),
            outcome: outcome(quality.verdict),
            champion: Some(quality.champion_loss),
            candidate: Some(quality.candidate_loss),
            difference: Some(quality.mean_difference),
            low: Some(quality.low),
            high: Some(quality.high),
            detail: Some(format!("{} filas", quality.rows)),
        },
        GateCheck {
            name: "latency_p95_us".into(),
            outcome: passed(latency.passed),
            champion: Some(latency.champion.p95_us),
            candidate: Some(latency.candidate.p95_us),
            difference: Some(latency.candidate.p95_us - latency.champion.p95_us),
            low: None,
            high: None,
            detail: None,
        },
        GateCheck {
            name: "signature".into(),
            outcome: passed(verdict.signature_clash.is_none()),
            champion: None,
            candidate: None,
            difference: None,
            low: None,
            high: None,
            detail: verdict.signature_clash.clone(),
        },
    ];
    Some(GateReport {
        candidate: verdict.candidate.to_string(),
        champion: verdict.champion.to_string(),
        outcome: outcome(verdict.verdict),
        at: run.finished_at.and_then(timestamp),
        checks,
    })
}

fn outcome(verdict: Verdict) -> GateOutcome {
    match verdict {
        Verdict::Better => GateOutcome::Passed,
        Verdict::NotBetter => GateOutcome::Failed,
        Verdict::Undecided => GateOutcome::Undecided,
    }
}

/// A rollout, event by event.
pub(super) async fn rollout(registry: &Registry, rollout: &Rollout) -> Result<RolloutReport> {
    let events = rollout::events(registry, &rollout.id).await?;
    let event = |event: &rollout::RolloutEvent| {
        let at = timestamp(event.at)?;
        let reason = (!event.reason.is_empty()).then(|| event.reason.clone());
        let state = event.to_status.to_uppercase();
        Some(RolloutEvent { at, state, weight: None, reason, guards: guards(&event.evidence) })
    };
    Ok(RolloutReport {
        id: rollout.id.clone(),
        version: rollout.canary_version.to_string(),
        state: rollout.status.to_uppercase(),
        events: events.iter().filter_map(event).collect(),
    })
}

/// The e-values that an event was decided by.
fn guards(evidence: &str) -> Vec<Guard> {
    let evidence: Value = serde_json::from_str(evidence).unwrap_or_default();
    let guard = |guard: &Value| {
        Some(Guard {
            metric: guard["metric"].as_str()?.to_owned(),
            evidence: guard["ln_e"].as_f64()?.exp(),
            threshold: guard["threshold"].as_f64()?,
        })
    };
    let guards = evidence["guards"].as_array().map(Vec::as_slice).unwrap_or_default();
    guards.iter().filter_map(guard).collect()
}

/// Where a version comes from.
pub(super) fn lineage(version: &Version) -> Lineage {
    let lineage = &version.lineage;
    Lineage {
        version: Some(version.version.to_string()),
        dataset: lineage.dataset.as_ref().map(|dataset| format!("{}, v{}", dataset.name, dataset.version)),
        dataset_sha256: None,
        run: lineage.pipeline_run.map(|run| run.to_string()),
        parent: lineage.parent_version.map(|parent| parent.to_string()),
        algorithm: version.params.get("learner").cloned(),
        code: lineage.code_revision.clone(),
        trained_at: timestamp(version.created_at),
    }
}

pub(super) fn timestamp(at: Micros) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}
