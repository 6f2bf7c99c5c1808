//! A report from what is stored: verdicts, versions, gate, rollouts, predictions and outcomes. The rules of the levels
//! are the report's own; here the facts are put together.

use chasqui_registry::prediction_log::Log;
use chasqui_registry::{Micros, Registry};
use chasqui_report::format::local_date;
use chasqui_report::{
    Action, Annex, ChangeFact, Confidence, Draft, Event, EventKind, Facts, History, Inaction,
    MissingForMoney, Money, PerformanceFact, Period, Quality, Recommendation, Report, Season,
};
use jiff::{Timestamp, ToSpan};

use super::changes::changes;
use super::quality::{is_worse, quality};
use super::rows::{Rows, rows};
use super::{ReportRequest, annex, history, meaning};
use crate::error::{Error, Result};
use crate::monitor::{self, StoredVerdict};
use crate::pipeline;

/// About as many outcomes a week are enough to measure a model.
const OUTCOMES_PER_WEEK: u64 = 50;
/// How long there is to decide.
const DAYS_TO_DECIDE: i64 = 7;
const RESPONSIBLE: &str = "El equipo responsable del modelo";

/// Puts the report of a period together.
pub(super) async fn assemble(
    registry: &Registry,
    log: Option<&Log>,
    request: &ReportRequest,
    from: Micros,
    to: Micros,
) -> Result<Report> {
    let rows = rows(registry, log, request, from, to).await?;
    let generated_at = instant(registry.now())?;
    let verdict = decisive(&rows);
    let performance = rows.performance.as_ref().map(|stored| &stored.performance);
    let quality = quality(&rows);
    let facts = facts(&rows, verdict, quality.as_ref());
    let rollout = rows.rollouts.first();
    let draft = Draft {
        service: request.service.to_string(),
        company: request.company.clone(),
        subject: None,
        generated_at,
        period: Period {
            from: local_date(instant(from)?),
            to: local_date(instant(Micros(to.0.saturating_sub(1)))?),
        },
        numbers: chasqui_report::NumberStyle::default(),
        changes: verdict.map(|verdict| changes(verdict, performance)).unwrap_or_default(),
        money: meaning::money(performance).unwrap_or_else(|| money(&rows, quality.as_ref())),
        season: verdict.map_or(Season::NoChange, meaning::season),
        recommendation: recommendation(&rows, request, &facts, verdict, generated_at),
        inaction: meaning::inaction(performance).unwrap_or_else(|| quiet(&facts)),
        confidence: confidence(registry, &rows, verdict).await?,
        fairness: meaning::fairness(rows.attribute(), performance),
        history: History {
            days: rows.traffic.days(),
            unit: history::unit(rows.task),
            target: target(registry, &rows).await?,
            events: events(&rows),
            shares: rows.traffic.shares(),
        },
        annex: Annex {
            features: verdict.map(|verdict| annex::features(&verdict.verdict)).unwrap_or_default(),
            windows: verdict.map(|verdict| verdict.verdict.windows as u64),
            alpha: Some(monitor::drift_policy(&rows.service.config.monitor).alpha),
            versions: annex::versions(&rows.traffic, &rows.versions, rows.serving),
            gate: rows.run.as_ref().and_then(annex::gate),
            rollout: match rollout {
                Some(rollout) => Some(annex::rollout(registry, rollout).await?),
                None => None,
            },
            lineage: rows
                .serving
                .and_then(|version| rows.versions.get(&version))
                .map(annex::lineage)
                .unwrap_or_default(),
        },
        quality,
        facts,
    };
    Report::new(draft).map_err(|error| Error::Invalid(error.to_string()))
}

/// The verdict that a report speaks of: the latest that deserved an alarm, else the latest whose change the season
/// explains or whose data are faulty, or the latest.
fn decisive(rows: &Rows) -> Option<&StoredVerdict> {
    let told = |verdict: &&StoredVerdict| verdict.verdict.drifted || !verdict.assessment.faults.is_empty();
    let whole = |verdict: &&StoredVerdict| !verdict.assessment.few_rows;
    let find = |is_it: &dyn Fn(&&StoredVerdict) -> bool| rows.verdicts.iter().find(is_it);
    let alarm = find(&|verdict| verdict.drifted);
    alarm.or_else(|| find(&told)).or_else(|| find(&whole)).or_else(|| rows.verdicts.first())
}

/// What happens if nobody does anything, where the performance does not tell.
fn quiet(facts: &Facts) -> Inaction {
    let explained = matches!(facts.change, ChangeFact::None | ChangeFact::Seasonal);
    let calm = explained && facts.performance != PerformanceFact::LossLikely;
    if calm { Inaction::NoConsequence } else { Inaction::Unknown }
}

fn change_fact(verdict: &StoredVerdict) -> ChangeFact {
    match &verdict.assessment {
        _ if !verdict.verdict.drifted => ChangeFact::None,
        assessment if assessment.is_explained() => ChangeFact::Seasonal,
        assessment if assessment.is_watched() => ChangeFact::Watched,
        _ => ChangeFact::Confirmed,
    }
}

fn facts(rows: &Rows, verdict: Option<&StoredVerdict>, quality: Option<&Quality>) -> Facts {
    let latest = rows.performance.as_ref();
    let performance = match quality {
        _ if latest.is_some_and(|latest| latest.fell) => PerformanceFact::LossLikely,
        None => PerformanceFact::Unknown,
        Some(quality) if is_worse(quality) => PerformanceFact::LossLikely,
        Some(_) => PerformanceFact::WithinRange,
    };
    Facts {
        change: verdict.map(change_fact).unwrap_or_default(),
        performance,
        data_damaged: verdict.is_some_and(meaning::is_damaged),
        group_harmed: rows.harmed().is_some(),
        days_to_minimum: latest.and_then(|latest| meaning::days_to_minimum(&latest.performance)),
    }
}

fn money(rows: &Rows, quality: Option<&Quality>) -> Money {
    let mut missing = vec![MissingForMoney::ValuePerAnswer];
    if rows.traffic.outcomes == 0 {
        missing.push(MissingForMoney::Outcomes);
    } else if quality.is_none() {
        missing.push(MissingForMoney::ReferenceQuality);
    }
    Money::Unknown { missing }
}

fn recommendation(
    rows: &Rows,
    request: &ReportRequest,
    facts: &Facts,
    verdict: Option<&StoredVerdict>,
    now: Timestamp,
) -> Recommendation {
    let due = local_date(now).checked_add(DAYS_TO_DECIDE.days()).ok();
    let responsible = Some(request.responsible.clone().unwrap_or_else(|| RESPONSIBLE.to_owned()));
    Recommendation { action: action(rows, facts, verdict), responsible, due }
}

fn action(rows: &Rows, facts: &Facts, verdict: Option<&StoredVerdict>) -> Action {
    let rollout = rows.rollouts.first();
    if let Some(rollout) = rollout {
        match rollout.status.as_str() {
            "rolled_back" | "rolling_back" => {
                return Action::KeepPrevious { withdrawn: rollout.canary_version.to_string() };
            }
            "await_approval" => return Action::Promote { version: rollout.canary_version.to_string() },
            _ => {}
        }
    }
    if facts.data_damaged {
        return Action::CheckSource;
    }
    if let Some(group) = rows.harmed() {
        return Action::ProtectGroup { group };
    }
    let replaced =
        verdict.is_some_and(|verdict| rows.serving.is_some_and(|serving| serving > verdict.version));
    let loss = facts.performance == PerformanceFact::LossLikely;
    if facts.change == ChangeFact::Confirmed || loss {
        // The version that the change was found in does not answer any more: what came after is to be watched.
        return if replaced && !loss {
            Action::Review
        } else {
            meaning::retraining(
                rows.performance.as_ref().map(|stored| &stored.performance),
                rows.retraining_cost(),
            )
        };
    }
    if facts.change == ChangeFact::Watched {
        return Action::Review;
    }
    if rows.traffic.predictions > 0 && rows.traffic.outcomes == 0 {
        return Action::SendOutcomes { per_week: OUTCOMES_PER_WEEK };
    }
    Action::Nothing
}

async fn confidence(registry: &Registry, rows: &Rows, verdict: Option<&StoredVerdict>) -> Result<Confidence> {
    let version = verdict.map(|verdict| verdict.version).or(rows.serving);
    let reference = match version.and_then(|version| rows.versions.get(&version)) {
        Some(version) => registry.profile_of(version).await?.map_or(0, |profile| profile.rows),
        None => 0,
    };
    Ok(Confidence {
        certainty: None,
        rows_reference: reference,
        rows_current: rows.traffic.predictions.max(verdict.map_or(0, |verdict| verdict.verdict.rows)),
        rows_needed: rows.service.config.monitor.min_rows,
        outcomes: (rows.traffic.predictions > 0).then_some(rows.traffic.outcomes),
    })
}

/// What the model predicts: the target of a pipeline of the service.
async fn target(registry: &Registry, rows: &Rows) -> Result<Option<String>> {
    let pipelines = pipeline::all(registry).await?;
    let own = pipelines.into_iter().find(|pipeline| pipeline.service == rows.service.name.as_str());
    Ok(own.map(|pipeline| pipeline.spec.features.target))
}

/// What deserves a mark on the charts.
fn events(rows: &Rows) -> Vec<Event> {
    let mut events = Vec::new();
    let mut mark = |at: Micros, kind: EventKind, detail: String| {
        if let Ok(at) = instant(at) {
            events.push(Event { date: local_date(at), kind, detail: Some(detail) });
        }
    };
    let mut drifted = false;
    for verdict in rows.verdicts.iter().rev() {
        if verdict.drifted && !drifted {
            let feature = verdict.verdict.features.iter().find(|feature| feature.drifted);
            let detail = feature.map(|feature| feature.name.clone()).unwrap_or_default();
            mark(verdict.window_end.min(verdict.created_at), EventKind::ChangeDetected, detail);
        }
        drifted = verdict.drifted;
    }
    for rollout in &rows.rollouts {
        let version = rollout.canary_version.to_string();
        match rollout.status.as_str() {
            "rolled_back" | "rolling_back" => mark(rollout.updated_at, EventKind::RolledBack, version),
            "succeeded" => mark(rollout.updated_at, EventKind::NewVersion, version),
            _ => {}
        }
    }
    if let Some(run) = &rows.run
        && let Some(version) = run.version
    {
        mark(run.created_at, EventKind::Retrained, version.to_string());
    }
    events.sort_by_key(|event| event.date);
    events
}

fn instant(at: Micros) -> Result<Timestamp> {
    Timestamp::from_microsecond(at.0)
        .map_err(|error| Error::Invalid(format!("the time {} is no time: {error}", at.0)))
}
