//! The verdict on a window: what the scan found, what is wrong with the data, what the season, the days before and the
//! performance make of it, and whom it concerns.

use std::sync::Arc;

use chasqui_drift::calendar::SeasonalVerdict;
use chasqui_drift::decision::{
    Alarm, Severity, SeverityPolicy, Situation, calibrated_drift, incidents, priority, severity,
};
use chasqui_drift::quality::{Check, Fault, column_faults, flow_faults};
use chasqui_drift::{DriftPolicy, DriftVerdict, FeatureDrift, Profile, WindowSketch, scan};
use chasqui_registry::name::ModelName;
use chasqui_registry::prediction_log::{Log, PredictionRange};
use chasqui_registry::service::{Service, ServiceConfig, Worth};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};

use super::assessment::{Assessment, SeasonReading};
use super::flow::{flows, is_settled, latest};
use super::history::{self, DailyHistory};
use super::performance::{self, StoredPerformance};
use super::season::{Source, Span, Stretch, days_of, history_of, read_season, season_of};
use super::verdict::{Earlier, StoredVerdict, insert, lock, verdict_of};
use super::window::windows;
use super::{DAY_SECONDS, WindowKey, drift_policy, notice, personal, window_length};
use crate::error::Result;

/// Judges a window: merges the sketches of all replicas, scans the last 1, 2, 4 and 8 windows against the version's
/// profile, says what that means, stores the verdict and raises alerts for what begins. Of a window with fewer rows than
/// the policy asks for only the flow is judged. None when the version has no profile.
pub async fn judge(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    key: &WindowKey,
) -> Result<Option<StoredVerdict>> {
    let model = ModelName::try_from(key.model.as_str())?;
    let Some(version) = registry.get_version(&model, key.version).await? else { return Ok(None) };
    let Some(profile) = registry.profile_of(&version).await? else { return Ok(None) };
    let mut windows: Vec<WindowSketch> = windows(registry, key, &profile).await?.into_values().collect();
    let mut policy = drift_policy(&service.config.monitor);
    let enough = service.config.monitor.min_rows;
    if windows.last().is_none_or(|window| window.rows < enough) {
        windows.drain(..windows.len().saturating_sub(1));
        policy.min_rows = policy.min_rows.max(enough);
    }
    let (profile, windows) = (Arc::new(profile), Arc::new(windows));
    let judged = Judged { registry, log, service, key, version, profile, windows, policy };
    let verdict = judged.scan().await?;
    let mut performance = performance::estimate(registry, log, service, key, &judged.version).await?;
    if performance.performance.rows == 0 {
        performance.performance.rows = judged.rows();
    }
    let assessment = judged.assess(&verdict, &performance).await?;
    let now = registry.now();
    let stored = StoredVerdict {
        id: now.new_id().to_string(),
        service: key.service.clone(),
        model: key.model.clone(),
        version: key.version,
        window_start: key.window_start,
        window_end: judged.end(),
        drifted: verdict.missing_changed
            || (verdict.drifted && !assessment.is_explained() && !assessment.is_watched()),
        verdict,
        assessment,
        created_at: now,
    };
    write(registry, key, stored, &performance).await
}

/// Writes the verdict, the performance and what people must hear, or finds what another worker has written meanwhile.
async fn write(
    registry: &Registry,
    key: &WindowKey,
    stored: StoredVerdict,
    performance: &StoredPerformance,
) -> Result<Option<StoredVerdict>> {
    let now = registry.now();
    let fell_before = performance::fell_before(registry, key).await?;
    let mut tx = registry.db.begin().await?;
    lock(&mut tx, key).await?;
    let earlier = Earlier::read(&mut *tx, key).await?;
    if earlier.latest.as_ref().is_some_and(|before| before.window_start == key.window_start) {
        tx.rollback().await?;
        return verdict_of(registry, key).await;
    }
    insert(&mut tx, &stored).await?;
    if performance.performance.rows > 0 {
        performance::keep(&mut tx, performance).await?;
    }
    let fell = (performance.fell && !fell_before).then_some(performance);
    notice::tell(&mut tx, now, &stored, &earlier, fell).await?;
    tx.commit().await?;
    Ok(Some(stored))
}

/// A window and what is known around it.
struct Judged<'a> {
    registry: &'a Registry,
    log: Option<&'a Log>,
    service: &'a Service,
    key: &'a WindowKey,
    version: Version,
    profile: Arc<Profile>,
    /// The oldest first, this one last.
    windows: Arc<Vec<WindowSketch>>,
    policy: DriftPolicy,
}

impl Judged<'_> {
    fn end(&self) -> Micros {
        Micros(self.key.window_start.0.saturating_add(window_length(&self.service.config.monitor)))
    }

    fn rows(&self) -> u64 {
        self.windows.last().map_or(0, |window| window.rows)
    }

    fn seed(&self) -> u64 {
        u64::try_from(self.key.window_start.0).unwrap_or(0)
    }

    /// The window is a day long or longer: then it has days and seasons.
    fn has_days(&self) -> bool {
        self.service.config.monitor.window_seconds >= DAY_SECONDS
    }

    async fn scan(&self) -> Result<DriftVerdict> {
        let (profile, windows) = (Arc::clone(&self.profile), Arc::clone(&self.windows));
        let policy = self.policy.clone();
        let seed = self.seed();
        let scan = tokio::task::spawn_blocking(move || scan(&profile, &windows, &policy, seed));
        let mut verdict = scan.await?;
        personal::hide_values(&mut verdict, &self.service.config.personal);
        Ok(verdict)
    }

    async fn assess(&self, verdict: &DriftVerdict, performance: &StoredPerformance) -> Result<Assessment> {
        let faults = self.faults(verdict).await?;
        let data_fault = faults.iter().any(Fault::is_damage);
        let changed = verdict.drifted || verdict.missing_changed;
        let dollars = performance.performance.value.map_or(0.0, |value| value.weekly_loss.dollars.max(0.0));
        let season = if verdict.drifted && self.has_days() {
            self.season(verdict, data_fault || performance.fell).await?
        } else {
            None
        };
        let history = if changed && self.has_days() { self.history(verdict).await? } else { None };
        let (changes, history) = match history {
            Some(history) => {
                let described = move || (history.changes(), Some(history));
                tokio::task::spawn_blocking(described).await?
            }
            None => (Vec::new(), None),
        };
        let situation = Situation {
            verdict: season.as_ref().map_or_else(
                || if verdict.drifted { SeasonalVerdict::Alarm } else { SeasonalVerdict::Steady },
                |season| season.verdict,
            ),
            performance_fell: performance.fell,
            data_fault,
            dollars,
        };
        let severity = severity(&situation, severity_policy(self.service.config.worth.as_ref()));
        Ok(Assessment {
            incidents: grouped(verdict, history.as_ref(), severity, dollars),
            changes,
            too_many_groups: history.as_ref().is_some_and(DailyHistory::has_too_many_groups),
            faults,
            season,
            few_rows: self.rows() < self.service.config.monitor.min_rows,
            severity: Some(severity),
            performance_fell: performance.fell,
            dollars,
        })
    }

    async fn faults(&self, verdict: &DriftVerdict) -> Result<Vec<Fault>> {
        let last = self.windows.last();
        let mut faults =
            last.map_or_else(Vec::new, |window| column_faults(&self.profile, window, &self.policy));
        personal::hide_examples(&mut faults, &self.service.config.personal);
        for column in verdict.features.iter().filter(|column| column.missing_changed) {
            let is_known = |fault: &Fault| fault.column.as_ref() == Some(&column.name);
            if !faults.iter().any(is_known) {
                faults.push(missing(column));
            }
        }
        let monitor = &self.service.config.monitor;
        let (now, earlier) = flows(self.registry, self.key, monitor).await?;
        let Some(now) = now else { return Ok(faults) };
        let of_flow = flow_faults(&earlier, now, &self.policy);
        let start = self.key.window_start.0;
        let latest = latest(self.registry, self.key).await?.unwrap_or(start);
        // That none came is known: the window would not be judged otherwise.
        let settled = self.rows() == 0 || is_settled(start, latest, monitor, self.registry.now());
        faults.extend(of_flow.into_iter().filter(|fault| settled || fault.check == Check::Duplicate));
        Ok(faults)
    }

    async fn season(&self, verdict: &DriftVerdict, fault_or_loss: bool) -> Result<Option<SeasonReading>> {
        let Some(days) = days_of(self.key.window_start, self.end()) else { return Ok(None) };
        let calendar = self.registry.calendar().await?.calendar;
        let source = Source {
            registry: self.registry,
            log: self.log,
            service: &self.service.name,
            version: &self.version,
            profile: &self.profile,
            min_rows: self.policy.min_rows,
            asks_log: !personal::takes_personal(&self.service.config, &self.version),
        };
        let columns = verdict.features.iter().chain(&verdict.prediction);
        let look = columns.filter(|column| column.drifted).map(|column| column.windows).max().unwrap_or(1);
        let span = Span { end: self.end(), length: self.service.config.monitor.window_seconds, look };
        let earlier = source.earlier_years(&calendar, days, span).await?;
        let before = Earlier::read(self.registry.db.pool(), self.key).await?.whole;
        let (since, alarmed) = history_of(verdict, before.as_ref());
        let (profile, windows) = (Arc::clone(&self.profile), Arc::clone(&self.windows));
        let (verdict, policy, seed) = (verdict.clone(), self.policy.clone(), self.seed());
        let season = season_of(&calendar, days);
        let read = move || {
            let stretch = Stretch {
                profile: &profile,
                windows: &windows,
                verdict: &verdict,
                policy: &policy,
                days,
                season,
                since,
                alarmed,
                fault_or_loss,
                seed,
            };
            read_season(&stretch, &earlier)
        };
        Ok(Some(tokio::task::spawn_blocking(read).await?))
    }

    async fn history(&self, verdict: &DriftVerdict) -> Result<Option<DailyHistory>> {
        let range = PredictionRange {
            service: self.service.name.clone(),
            from: self.key.window_start,
            to: self.end(),
        };
        let group = group_of(&self.service.config);
        let days = (self.service.config.monitor.window_seconds / DAY_SECONDS).max(1);
        let watches = history::watches(verdict);
        history::read(self.registry, self.log, range, (watches, group), days as usize).await
    }
}

/// The column that names groups: the declared one, else the key, unless that is personal.
fn group_of(config: &ServiceConfig) -> Option<&str> {
    let key = config.key_field.as_ref().filter(|key| !config.personal.contains(key));
    config.groups.as_ref().map(|groups| &groups.column).or(key).map(String::as_str)
}

fn missing(column: &FeatureDrift) -> Fault {
    Fault {
        check: Check::Missing,
        column: Some(column.name.clone()),
        before: column.missing_before,
        after: column.missing_after,
        example: None,
    }
}

fn severity_policy(worth: Option<&Worth>) -> SeverityPolicy {
    let worth = worth.cloned().unwrap_or_default();
    SeverityPolicy { important: worth.important, urgent: worth.urgent }
}

/// The columns that changed, those together that are correlated. Where no dollars are known a column's priority is its
/// share of one dollar, so that the order holds.
fn grouped(
    verdict: &DriftVerdict,
    history: Option<&DailyHistory>,
    severity: Severity,
    dollars: f64,
) -> Vec<chasqui_drift::decision::Incident> {
    let watched = verdict.features.iter().filter(|column| column.reason.is_none()).count().max(1);
    let all = verdict.features.iter().chain(&verdict.prediction);
    let columns: Vec<&FeatureDrift> = if let Some(history) = history {
        history.columns().filter_map(|name| named(verdict, name)).collect()
    } else {
        all.filter(|column| column.drifted || column.missing_changed).collect()
    };
    let alarm = |column: &&FeatureDrift| Alarm {
        column: column.name.clone(),
        priority: priority(
            calibrated_drift(column.effect, column.effect_floor),
            column.importance.unwrap_or(1.0 / watched as f64),
            if dollars > 0.0 { dollars } else { 1.0 },
        ),
        severity,
    };
    let alarms: Vec<Alarm> = columns.iter().map(alarm).collect();
    incidents(&alarms, &together(verdict, &alarms, history))
}

/// Which alarms belong together: columns that are correlated, and the model's answers, which follow from its inputs,
/// with the strongest of those. Without a history nothing is known of columns, and all are one incident.
fn together(
    verdict: &DriftVerdict,
    alarms: &[Alarm],
    history: Option<&DailyHistory>,
) -> Vec<(usize, usize, f64)> {
    let Some(history) = history else {
        return (1..alarms.len()).map(|other| (0, other, 1.0)).collect();
    };
    let mut pairs = history.correlations();
    let is_answer = |alarm: &Alarm| verdict.prediction.as_ref().is_some_and(|own| own.name == alarm.column);
    if let (Some(answers), Some(input)) =
        (alarms.iter().position(is_answer), alarms.iter().position(|alarm| !is_answer(alarm)))
    {
        pairs.push((answers, input, 1.0));
    }
    pairs
}

fn named<'a>(verdict: &'a DriftVerdict, name: &str) -> Option<&'a FeatureDrift> {
    verdict.features.iter().chain(&verdict.prediction).find(|column| column.name == name)
}

#[cfg(test)]
mod tests {
    use chasqui_registry::name::ModelName;
    use chasqui_registry::service::Groups;

    use super::*;

    #[test]
    fn a_personal_key_names_no_groups() {
        let mut config = ServiceConfig::of_model(ModelName::try_from("ventas").unwrap());
        assert_eq!(group_of(&config), None);
        config.key_field = Some("cliente".into());
        assert_eq!(group_of(&config), Some("cliente"));
        config.personal = vec!["cliente".into()];
        assert_eq!(group_of(&config), None);
        config.groups = Some(Groups { column: "tienda".into(), fairness: false });
        assert_eq!(group_of(&config), Some("tienda"));
    }
}
