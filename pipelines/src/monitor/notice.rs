//! What people hear of a verdict: what begins is told once, at most two alerts a service and week; what is beyond that
//! is gathered into the week's digest, and nothing is lost.

use chasqui_drift::decision::{Budget, Incident, Severity as Gravity, dispatch};
use chasqui_drift::quality::Fault;
use chasqui_registry::Micros;
use chasqui_registry::db::Tx;
use serde_json::{Value, json};

use super::performance::StoredPerformance;
use super::verdict::Earlier;
use super::{StoredVerdict, wording};
use crate::alert::{self, Kind, NewAlert, Severity};
use crate::error::Result;

const WEEK_SECONDS: i64 = 7 * 86_400;

/// Something to tell, before the budget is asked.
struct Notice {
    incident: Incident,
    alert: NewAlert,
}

/// Tells what begins with this verdict: faults of the data, changes of columns, and a fall of performance.
pub(super) async fn tell(
    tx: &mut Tx,
    now: Micros,
    stored: &StoredVerdict,
    earlier: &Earlier,
    fell: Option<&StoredPerformance>,
) -> Result<()> {
    let mut notices: Vec<Notice> = of_faults(stored, earlier).into_iter().collect();
    notices.extend(of_changes(stored, earlier.whole.as_ref()));
    notices.extend(of_season(stored, earlier.whole.as_ref()));
    notices.extend(fell.map(of_performance));
    send(tx, now, &stored.service, notices).await
}

/// Tells that performance began to fall, as outcomes show.
pub(super) async fn performance_fell(tx: &mut Tx, now: Micros, stored: &StoredPerformance) -> Result<()> {
    send(tx, now, &stored.service, vec![of_performance(stored)]).await
}

/// The gravest first as far as the week's alerts reach, the rest into its digest.
async fn send(tx: &mut Tx, now: Micros, service: &str, mut notices: Vec<Notice>) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let sent = alert::sent_since(tx, service, now.plus_seconds(-WEEK_SECONDS)).await?;
    let incidents = notices.iter().map(|notice| notice.incident.clone()).collect();
    let dispatched = dispatch(incidents, Budget::of_week(sent));
    let mut rest = Vec::new();
    for incident in &dispatched.alerts {
        let Some(place) = notices.iter().position(|notice| notice.incident == *incident) else { continue };
        let Notice { alert, .. } = notices.swap_remove(place);
        // What was raised under its key before has more to say now.
        if !alert::raise(tx, now, &alert).await? {
            rest.push(alert);
        }
    }
    rest.extend(notices.into_iter().map(|notice| notice.alert));
    alert::gather(tx, now, service, &rest).await
}

/// Faults that the verdict before did not have; columns are looked at only where there are rows enough.
fn of_faults(stored: &StoredVerdict, earlier: &Earlier) -> Option<Notice> {
    let is_known = |fault: &Fault| {
        let before = if fault.column.is_some() { &earlier.whole } else { &earlier.latest };
        before.as_ref().is_some_and(|before| {
            let known = &before.assessment.faults;
            known.iter().any(|known| known.check == fault.check && known.column == fault.column)
        })
    };
    let new: Vec<&Fault> = stored.assessment.faults.iter().filter(|fault| !is_known(fault)).collect();
    if new.is_empty() {
        return None;
    }
    let (gravity, severity) = if new.iter().any(|fault| fault.is_damage()) {
        (Gravity::Important, Severity::Importante)
    } else {
        (Gravity::Attention, Severity::Atencion)
    };
    let columns =
        new.iter().map(|fault| fault.column.clone().unwrap_or_else(|| fault.check.name().to_owned()));
    Some(Notice {
        incident: Incident {
            columns: columns.collect(),
            priority: stored.assessment.dollars,
            severity: gravity,
        },
        alert: NewAlert {
            service: stored.service.clone(),
            kind: Kind::Data,
            severity,
            title: wording::faults(&stored.service, &new),
            body: facts(stored, json!({ "faults": new })),
            dedup_key: key("data", stored, ""),
        },
    })
}

/// Incidents with a column that was no alarm in the verdict before.
fn of_changes<'a>(
    stored: &'a StoredVerdict,
    before: Option<&'a StoredVerdict>,
) -> impl Iterator<Item = Notice> + 'a {
    let alarmed = |verdict: &StoredVerdict, column: &String| {
        verdict.drifted && verdict.assessment.incidents.iter().any(|known| known.columns.contains(column))
    };
    let told_before = move |column: &String| {
        // A verdict from before incidents were kept alarmed as a whole.
        before.is_some_and(|before| {
            alarmed(before, column) || (before.drifted && before.assessment.incidents.is_empty())
        })
    };
    let is_change = stored.drifted && stored.verdict.drifted;
    let of_values = move |incident: &&Incident| {
        let mut columns = incident.columns.iter();
        is_change && columns.any(|column| drifted(stored, column) && !told_before(column))
    };
    stored.assessment.incidents.iter().filter(of_values).map(|incident| Notice {
        incident: incident.clone(),
        alert: NewAlert {
            service: stored.service.clone(),
            kind: Kind::Drift,
            severity: severity(incident.severity),
            title: wording::change(stored, incident),
            body: facts(stored, json!({ "features": features(stored, incident), "incident": incident })),
            dedup_key: key("drift", stored, incident.columns.first().map_or("", String::as_str)),
        },
    })
}

/// A season that is much stronger than the year before, where the verdict before did not say so.
fn of_season(stored: &StoredVerdict, before: Option<&StoredVerdict>) -> Option<Notice> {
    let event = stored.assessment.stronger_season()?;
    if before.is_some_and(|before| before.assessment.stronger_season() == Some(event)) {
        return None;
    }
    Some(Notice {
        incident: Incident {
            columns: vec!["season".to_owned()],
            priority: stored.assessment.dollars,
            severity: Gravity::Attention,
        },
        alert: NewAlert {
            service: stored.service.clone(),
            kind: Kind::Drift,
            severity: Severity::Atencion,
            title: wording::season(&stored.service, event),
            body: facts(stored, json!({ "season": stored.assessment.season })),
            dedup_key: key("season", stored, ""),
        },
    })
}

fn drifted(stored: &StoredVerdict, column: &str) -> bool {
    let mut all = stored.verdict.features.iter().chain(&stored.verdict.prediction);
    all.any(|drift| drift.name == column && drift.drifted)
}

/// The inputs of an incident: the model's answers are no input.
fn features(stored: &StoredVerdict, incident: &Incident) -> Vec<String> {
    let answers =
        stored.verdict.prediction.as_ref().filter(|answers| answers.drifted).map(|answers| &answers.name);
    incident.columns.iter().filter(|column| Some(*column) != answers).cloned().collect()
}

fn of_performance(stored: &StoredPerformance) -> Notice {
    Notice {
        incident: Incident {
            columns: vec!["performance".to_owned()],
            priority: stored.performance.value.map_or(0.0, |value| value.weekly_loss.dollars.max(0.0)),
            severity: Gravity::Important,
        },
        alert: NewAlert {
            service: stored.service.clone(),
            kind: Kind::Performance,
            severity: Severity::Importante,
            title: wording::performance(stored),
            body: json!({
                "model": stored.model,
                "version": stored.version,
                "window_start": stored.window_start,
                "window_end": stored.window_end,
                "rows": stored.performance.rows,
                "labels": stored.performance.labels,
                "figure": stored.performance.decisive().map(|(figure, _)| figure),
                "estimated": stored.performance.decisive().is_some_and(|(_, estimated)| estimated),
            }),
            dedup_key: format!(
                "performance:{}:{}/{}:{}",
                stored.service, stored.model, stored.version, stored.window_start.0
            ),
        },
    }
}

fn severity(gravity: Gravity) -> Severity {
    match gravity {
        Gravity::Normal | Gravity::Seasonal => Severity::Normal,
        Gravity::Attention => Severity::Atencion,
        Gravity::Important => Severity::Importante,
        Gravity::Urgent => Severity::Urgente,
    }
}

fn facts(stored: &StoredVerdict, more: Value) -> Value {
    let mut facts = json!({
        "verdict_id": stored.id,
        "model": stored.model,
        "version": stored.version,
        "window_start": stored.window_start,
        "window_end": stored.window_end,
        "rows": stored.verdict.rows,
    });
    if let (Value::Object(facts), Value::Object(more)) = (&mut facts, more) {
        facts.extend(more);
    }
    facts
}

fn key(kind: &str, stored: &StoredVerdict, what: &str) -> String {
    format!("{kind}:{}:{}/{}:{}:{what}", stored.service, stored.model, stored.version, stored.window_start.0)
}
