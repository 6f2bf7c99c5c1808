//! What is known about a service at a glance, and how it stands.

use chasqui_pipelines::alert::{self, Alert};
use chasqui_pipelines::monitor::{self, StoredVerdict};
use chasqui_pipelines::report::{self, StoredReport};
use chasqui_pipelines::rollout::Rollout;
use chasqui_registry::PageRequest;
use chasqui_registry::service::Service;
use chasqui_registry::version::Version;
use chasqui_report::{Level, fill, page};

use super::voice::{Voice, level_of};
use super::{drift, picture};
use crate::app::App;
use crate::inference::snapshot::Entry;
use crate::problem::Result;

/// Open alerts are looked for among the latest so many.
const LATEST_ALERTS: u32 = 500;

/// Among the latest so many verdicts is one of the serving version, unless that has none yet.
const LATEST_VERDICTS: u32 = 12;

/// Reports of each service, the latest.
const REPORTS: u32 = 12;

/// A service at a glance.
pub(super) struct Facts {
    pub(super) service: Service,
    /// The version that answers whoever no rollout sends elsewhere.
    pub(super) serving: Option<Version>,
    /// Whether this replica can answer; none while it has not looked yet.
    pub(super) is_ready: Option<bool>,
    pub(super) traffic: Traffic,
    /// The rollout under way.
    pub(super) rollout: Option<Rollout>,
    /// The latest verdict on the serving version.
    pub(super) verdict: Option<StoredVerdict>,
    /// Open alerts, the newest first.
    pub(super) alerts: Vec<Alert>,
    /// The latest reports, the newest first.
    pub(super) reports: Vec<StoredReport>,
}

/// What this process counted for a service since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Traffic {
    /// Answered records.
    pub(super) predictions: u64,
    /// Requests that reached a version.
    pub(super) requests: u64,
    /// Requests that a version failed.
    pub(super) errors: u64,
    /// Mean seconds of a request.
    pub(super) mean_seconds: Option<f64>,
}

/// A figure with its label.
pub(super) struct Stat {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

impl Facts {
    /// Reads what is known about a service; `rollouts` are all that are live, `alerts` all that are open.
    pub(super) async fn of(
        app: &App,
        service: Service,
        rollouts: &[Rollout],
        alerts: &[Alert],
    ) -> Result<Self> {
        let name = service.name.clone();
        let model = &service.config.model;
        let number = app.registry.resolve_target(model, &service.config.routing.stable).await?;
        let serving = match number {
            Some(number) => app.registry.get_version(model, number).await?,
            None => None,
        };
        let latest = PageRequest::new(None, Some(LATEST_VERDICTS))?;
        let verdicts = monitor::verdicts(&app.registry, &name, &latest).await?.items;
        let verdict = serving.as_ref().and_then(|version| newest_of(version, verdicts));
        let route = app.inference.table().services.get(name.as_str()).cloned();
        Ok(Self {
            is_ready: route.as_ref().map(|entry| matches!(entry, Entry::Ready(_))),
            traffic: route.as_ref().map(Traffic::of).unwrap_or_default(),
            rollout: rollouts.iter().find(|rollout| rollout.service == name.as_str()).cloned(),
            alerts: alerts.iter().filter(|alert| alert.service == name.as_str()).cloned().collect(),
            reports: report::list(&app.registry, &name, &PageRequest::new(None, Some(REPORTS))?).await?.items,
            service,
            serving,
            verdict,
        })
    }

    /// The level of the service: the most serious of what is open; none while nothing is known.
    pub(super) fn level(&self) -> Option<Level> {
        if self.is_ready == Some(false) {
            return Some(Level::Urgente);
        }
        let of_alerts = self.alerts.iter().map(|alert| level_of(&alert.severity)).max();
        let of_data = self.verdict.as_ref().map(drift::level);
        of_alerts.max(of_data).max(self.reported())
    }

    /// What the latest report says, as long as it is about the version that serves.
    fn reported(&self) -> Option<Level> {
        let (latest, serving) = (self.reports.first()?, self.serving.as_ref()?);
        let told = latest.report.draft().annex.lineage.version.as_deref()?;
        (told == serving.version.to_string()).then(|| level_of(&latest.level))
    }

    /// The verdicts on the version that the latest one is about.
    pub(super) fn same_version(&self, mut verdicts: Vec<StoredVerdict>) -> Vec<StoredVerdict> {
        let latest = self.verdict.as_ref().map(|stored| (stored.model.clone(), stored.version));
        verdicts.retain(|stored| {
            latest
                .as_ref()
                .is_some_and(|(model, version)| stored.model == *model && stored.version == *version)
        });
        verdicts
    }

    /// Whether a person should look at it.
    pub(super) fn needs_attention(&self) -> bool {
        self.level().is_some_and(|level| level >= Level::Atencion)
    }

    pub(super) fn badge(&self, voice: Voice) -> String {
        match self.level() {
            Some(level) => page::badge(level, voice.language()),
            None if self.is_ready == Some(true) => picture::badge(Level::Normal, voice.t.state_ready),
            None => page::neutral_badge(voice.t.state_unknown),
        }
    }

    /// The class of a card's edge.
    pub(super) fn edge(&self) -> &'static str {
        match self.level() {
            Some(level) => level.code(),
            None if self.is_ready == Some(true) => Level::Normal.code(),
            None => "neutral",
        }
    }

    /// What the data do, or why the service cannot answer.
    pub(super) fn sentence(&self, voice: Voice) -> String {
        let is_watched = self.serving.as_ref().is_some_and(|version| version.profile_sha256.is_some());
        match &self.verdict {
            _ if self.is_ready == Some(false) => voice.t.not_ready.into(),
            Some(stored) => drift::sentence(stored, voice),
            None if self.serving.is_some() && !is_watched => voice.t.drift_unwatched.into(),
            None => voice.t.drift_waiting.into(),
        }
    }

    /// The number of the serving version.
    pub(super) fn champion(&self, voice: Voice) -> String {
        self.serving.as_ref().map_or_else(|| voice.t.no_version.into(), |version| version.version.to_string())
    }
}

/// The verdict on the serving version whose window is the latest.
fn newest_of(version: &Version, verdicts: Vec<StoredVerdict>) -> Option<StoredVerdict> {
    let is_serving =
        |stored: &StoredVerdict| stored.version == version.version && stored.model == version.model.as_str();
    verdicts.into_iter().filter(is_serving).max_by_key(|stored| stored.window_start)
}

/// Alerts that nobody has seen yet, the newest first.
pub(super) async fn open_alerts(app: &App) -> Result<Vec<Alert>> {
    let page = PageRequest::new(None, Some(LATEST_ALERTS))?;
    let mut alerts = alert::list(&app.registry, None, &page).await?.items;
    alerts.retain(|alert| alert.acknowledged_at.is_none());
    Ok(alerts)
}

impl Traffic {
    fn of(entry: &Entry) -> Self {
        let Entry::Ready(route) = entry else { return Self::default() };
        let mut traffic = Self::default();
        let (mut seconds, mut timed) = (0.0, 0);
        for target in route.targets() {
            traffic.predictions += target.metrics.predictions.get();
            traffic.requests += target.metrics.requests.get();
            traffic.errors += target.metrics.errors.get();
            seconds += target.metrics.latency.get_sample_sum();
            timed += target.metrics.latency.get_sample_count();
        }
        traffic.mean_seconds = (timed > 0).then(|| seconds / timed as f64);
        traffic
    }

    /// Predictions, errors and latency.
    pub(super) fn stats(self, voice: Voice) -> Vec<Stat> {
        let t = voice.t;
        let errors_note = match self.errors {
            0 => t.no_errors_note.into(),
            errors => {
                let share = errors as f64 / self.requests.max(1) as f64;
                fill(t.errors_note, &[("share", &voice.format.percent(share))])
            }
        };
        let latency = self.mean_seconds.map_or_else(
            || t.nothing_known.into(),
            |seconds| fill(t.milliseconds, &[("n", &voice.pair(seconds * 1000.0, 1.0).0)]),
        );
        vec![
            Stat {
                label: t.predictions,
                value: voice.format.count(self.predictions),
                note: t.since_start.into(),
            },
            Stat { label: t.errors, value: voice.format.count(self.errors), note: errors_note },
            Stat { label: t.mean_latency, value: latency, note: String::new() },
        ]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chasqui_registry::Micros;
    use chasqui_registry::name::{ModelName, ServiceName};
    use chasqui_registry::service::ServiceConfig;
    use chasqui_report::Language;
    use serde_json::json;

    use super::*;

    /// A service about which nothing is known yet.
    pub(in super::super) fn facts(name: &str) -> Facts {
        let model = ModelName::try_from(name.to_owned()).expect("a valid name");
        let service = Service {
            name: ServiceName::try_from(name.to_owned()).expect("a valid name"),
            config: ServiceConfig::of_model(model),
            created_at: Micros(0),
            updated_at: Micros(0),
        };
        Facts {
            service,
            serving: None,
            is_ready: None,
            traffic: Traffic::default(),
            rollout: None,
            verdict: None,
            alerts: Vec::new(),
            reports: Vec::new(),
        }
    }

    fn alert(severity: &str) -> Alert {
        Alert {
            id: "1".into(),
            service: "ventas".into(),
            kind: "drift".into(),
            severity: severity.into(),
            title: "Algo pasó.".into(),
            body: json!({}),
            created_at: Micros(0),
            acknowledged_at: None,
            acknowledged_by: None,
        }
    }

    #[test]
    fn nothing_known_is_not_called_normal() {
        let facts = facts("ventas");
        assert_eq!(facts.level(), None);
        assert_eq!(facts.edge(), "neutral");
        assert!(facts.badge(Voice::new(Language::Es)).contains("Sin datos todavía"));
        let ready = Facts { is_ready: Some(true), ..facts };
        assert!(ready.badge(Voice::new(Language::Es)).contains("Responde"));
    }

    #[test]
    fn the_most_serious_fact_decides() {
        let mut facts = facts("ventas");
        facts.alerts = vec![alert("normal"), alert("importante"), alert("atencion")];
        assert_eq!(facts.level(), Some(Level::Importante));
        facts.is_ready = Some(false);
        assert_eq!(facts.level(), Some(Level::Urgente));
        assert!(facts.needs_attention());
    }

    #[test]
    fn figures_are_written_as_in_ecuador() {
        let traffic =
            Traffic { predictions: 12_480, requests: 1_000, errors: 9, mean_seconds: Some(0.000_84) };
        let stats = traffic.stats(Voice::new(Language::Es));
        assert_eq!(stats[0].value, "12.480");
        assert_eq!((stats[1].value.as_str(), stats[1].note.as_str()), ("9", "0,9 % de las consultas"));
        assert_eq!(stats[2].value, "0,84 ms");
        let none = Traffic::default().stats(Voice::new(Language::En));
        assert_eq!((none[1].note.as_str(), none[2].value.as_str()), ("no request failed", "—"));
    }
}
