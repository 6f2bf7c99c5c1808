//! From alarms to what a person reads: priority, severity, incidents and the week's two alerts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calendar::SeasonalVerdict;

/// Columns correlated by at least this much change together: one cause, one incident.
const TOGETHER: f64 = 0.6;

/// How much a person must care, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IncidentSeverity")]
pub enum Severity {
    /// Normal.
    Normal,
    /// Esperado por temporada.
    Seasonal,
    /// Atención.
    Attention,
    /// Importante.
    Important,
    /// Urgente.
    Urgent,
}

/// Dollars from which a change is important or urgent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityPolicy {
    /// Dollars at risk a week that are important.
    pub important: f64,
    /// Dollars at risk a week that are urgent.
    pub urgent: f64,
}

/// What is known of a change when its severity is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// What the season makes of it.
    pub verdict: SeasonalVerdict,
    /// Performance, estimated and valid or realized, left its thresholds for the worse.
    pub performance_fell: bool,
    /// The data are faulty: a column is missing, empty or of another kind.
    pub data_fault: bool,
    /// Dollars at risk a week.
    pub dollars: f64,
}

/// Severity of a change. Drift alone asks for attention; drift explains, performance and dollars decide.
pub fn severity(situation: &Situation, policy: SeverityPolicy) -> Severity {
    let grave = situation.performance_fell || situation.data_fault;
    if grave {
        let urgent = situation.dollars >= policy.urgent;
        return if urgent { Severity::Urgent } else { Severity::Important };
    }
    match situation.verdict {
        SeasonalVerdict::Steady => Severity::Normal,
        SeasonalVerdict::Expected { notice: false, .. } => Severity::Seasonal,
        SeasonalVerdict::Alarm if situation.dollars >= policy.important => Severity::Important,
        SeasonalVerdict::Alarm
        | SeasonalVerdict::Watched { .. }
        | SeasonalVerdict::Expected { notice: true, .. } => Severity::Attention,
    }
}

/// Calibrated drift: how far a distance (0–1) lies beyond what it stays below by chance in 99 of 100 windows of that
/// size, 0 there and 1 at the largest distance there is.
pub fn calibrated_drift(effect: f64, effect_floor: f64) -> f64 {
    if effect.is_nan() || effect_floor.is_nan() || effect_floor >= 1.0 {
        return 0.0;
    }
    ((effect - effect_floor) / (1.0 - effect_floor)).clamp(0.0, 1.0)
}

/// Priority in dollars: calibrated drift (0–1) × share of the model's importance (0–1) × dollars at risk. What is
/// not a number counts as 0.
pub fn priority(drift: f64, importance_share: f64, dollars_at_risk: f64) -> f64 {
    let share = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let dollars = if dollars_at_risk.is_finite() { dollars_at_risk.max(0.0) } else { 0.0 };
    share(drift) * share(importance_share) * dollars
}

/// A column that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "IncidentAlarm")]
pub struct Alarm {
    /// The column.
    pub column: String,
    /// Its priority, in dollars.
    pub priority: f64,
    /// Its severity.
    pub severity: Severity,
}

/// Columns that changed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// The columns, the highest priority first.
    pub columns: Vec<String>,
    /// The highest priority of them, in dollars.
    pub priority: f64,
    /// The highest severity of them.
    pub severity: Severity,
}

/// Groups alarms whose columns are correlated, directly or through others, the gravest incident first.
///
/// `correlations` are triples of two places in `alarms` and a correlation (−1 to 1) in the reference; pairs not
/// given are not correlated, places out of range and correlations that are no numbers are passed over.
pub fn incidents(alarms: &[Alarm], correlations: &[(usize, usize, f64)]) -> Vec<Incident> {
    let mut group: Vec<usize> = (0..alarms.len()).collect();
    for &(one, other, correlation) in correlations {
        if one < alarms.len() && other < alarms.len() && correlation.abs() >= TOGETHER {
            let (kept, gone) = (group[one], group[other]);
            group.iter_mut().filter(|of| **of == gone).for_each(|of| *of = kept);
        }
    }
    let mut incidents: Vec<Incident> = (0..alarms.len())
        .map(|id| alarms.iter().zip(&group).filter(|(_, of)| **of == id).map(|(alarm, _)| alarm).collect())
        .filter(|members: &Vec<&Alarm>| !members.is_empty())
        .map(incident)
        .collect();
    incidents.sort_by(|a, b| gravity(b).partial_cmp(&gravity(a)).unwrap_or(std::cmp::Ordering::Equal));
    incidents
}

fn incident(mut members: Vec<&Alarm>) -> Incident {
    members.sort_by(|a, b| b.priority.total_cmp(&a.priority));
    Incident {
        columns: members.iter().map(|alarm| alarm.column.clone()).collect(),
        priority: members.iter().map(|alarm| alarm.priority).fold(0.0, f64::max),
        severity: members.iter().map(|alarm| alarm.severity).max().unwrap_or(Severity::Normal),
    }
}

fn gravity(incident: &Incident) -> (Severity, f64) {
    (incident.severity, incident.priority)
}

/// How many alerts a model may still send this week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Alerts per model and week.
    pub per_week: usize,
    /// Alerts sent this week.
    pub sent: usize,
}

impl Budget {
    /// Two a week, of which `sent` are spent.
    pub fn of_week(sent: usize) -> Self {
        Self { per_week: 2, sent }
    }
}

/// What is sent now and what waits for the digest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Alerts, the gravest first.
    pub alerts: Vec<Incident>,
    /// The rest, in the same order.
    pub digest: Vec<Incident>,
}

/// Spends the week's budget on the gravest incidents. Below attention nothing is an alert, and what only asks for
/// attention leaves the week's last alert to something important that may yet come.
pub fn dispatch(mut incidents: Vec<Incident>, budget: Budget) -> Dispatch {
    incidents.sort_by(|a, b| gravity(b).partial_cmp(&gravity(a)).unwrap_or(std::cmp::Ordering::Equal));
    let mut left = budget.per_week.saturating_sub(budget.sent);
    let mut dispatched = Dispatch::default();
    for incident in incidents {
        let needed = match incident.severity {
            Severity::Urgent | Severity::Important => 1,
            Severity::Attention => 2,
            Severity::Seasonal | Severity::Normal => usize::MAX,
        };
        if left >= needed {
            left -= 1;
            dispatched.alerts.push(incident);
        } else {
            dispatched.digest.push(incident);
        }
    }
    dispatched
}

#[cfg(test)]
mod tests {
    use super::{
        Alarm, Budget, Severity, SeverityPolicy, Situation, calibrated_drift, dispatch, incidents, priority,
        severity,
    };
    use crate::calendar::{Event, SeasonalVerdict};

    const POLICY: SeverityPolicy = SeverityPolicy { important: 500.0, urgent: 5000.0 };

    fn alarm(column: &str, priority: f64, severity: Severity) -> Alarm {
        Alarm { column: column.into(), priority, severity }
    }

    #[test]
    fn performance_and_dollars_decide() {
        let drift = Situation {
            verdict: SeasonalVerdict::Alarm,
            performance_fell: false,
            data_fault: false,
            dollars: 10.0,
        };
        assert_eq!(severity(&drift, POLICY), Severity::Attention);
        assert_eq!(severity(&Situation { dollars: 600.0, ..drift }, POLICY), Severity::Important);
        let fell = Situation { performance_fell: true, verdict: SeasonalVerdict::Steady, ..drift };
        assert_eq!(severity(&fell, POLICY), Severity::Important);
        assert_eq!(severity(&Situation { dollars: 6000.0, ..fell }, POLICY), Severity::Urgent);
        let season = SeasonalVerdict::Expected { event: Event::Carnaval, notice: false };
        assert_eq!(severity(&Situation { verdict: season, ..drift }, POLICY), Severity::Seasonal);
        let watched = SeasonalVerdict::Watched { event: Event::Carnaval, since: jiff::civil::Date::MIN };
        assert_eq!(severity(&Situation { verdict: watched, ..drift }, POLICY), Severity::Attention);
        let faulty = Situation { verdict: season, data_fault: true, ..drift };
        assert_eq!(severity(&faulty, POLICY), Severity::Important, "faults are never muted");
    }

    #[test]
    fn priority_is_a_product_of_what_is_known() {
        assert!((priority(0.5, 0.4, 1000.0) - 200.0).abs() < 1e-9);
        assert_eq!(priority(f64::NAN, 0.4, 1000.0), 0.0);
        assert_eq!(priority(2.0, 1.0, f64::INFINITY), 0.0);
        assert!((calibrated_drift(0.28, 0.1) - 0.2).abs() < 1e-12);
        assert_eq!((calibrated_drift(0.05, 0.1), calibrated_drift(1.0, 0.1)), (0.0, 1.0));
        assert_eq!((calibrated_drift(f64::NAN, 0.1), calibrated_drift(0.5, 1.0)), (0.0, 0.0));
    }

    #[test]
    fn correlated_columns_are_one_incident() {
        let alarms = [
            alarm("precio", 10.0, Severity::Attention),
            alarm("ciudad", 50.0, Severity::Attention),
            alarm("costo", 30.0, Severity::Important),
            alarm("margen", 5.0, Severity::Attention),
        ];
        let found =
            incidents(&alarms, &[(0, 2, 0.9), (2, 3, -0.7), (0, 1, 0.2), (9, 0, 1.0), (0, 1, f64::NAN)]);
        let columns: Vec<Vec<&str>> =
            found.iter().map(|one| one.columns.iter().map(String::as_str).collect()).collect();
        assert_eq!(columns, [vec!["costo", "precio", "margen"], vec!["ciudad"]]);
        assert_eq!((found[0].severity, found[0].priority), (Severity::Important, 30.0));
    }

    #[test]
    fn two_alerts_a_week_and_the_last_is_kept() {
        let of = |severity| incidents(&[alarm("a", 1.0, severity)], &[]).remove(0);
        let many = vec![of(Severity::Attention), of(Severity::Attention), of(Severity::Seasonal)];
        let sent = dispatch(many, Budget::of_week(0));
        assert_eq!((sent.alerts.len(), sent.digest.len()), (1, 2));
        let grave = vec![of(Severity::Attention), of(Severity::Urgent), of(Severity::Important)];
        let sent = dispatch(grave, Budget::of_week(0));
        assert_eq!(sent.alerts.len(), 2);
        assert_eq!(sent.alerts[0].severity, Severity::Urgent);
        assert_eq!(sent.digest[0].severity, Severity::Attention);
        assert!(dispatch(vec![of(Severity::Urgent)], Budget::of_week(2)).alerts.is_empty());
        assert_eq!(dispatch(vec![of(Severity::Important)], Budget::of_week(1)).alerts.len(), 1);
    }
}
