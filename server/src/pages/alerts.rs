//! Alerts on the pages, and the form by which a person says to have seen one.

use actix_web::{HttpResponse, web};
use chasqui_pipelines::alert::{self, Alert};
use chasqui_report::{fill, page};
use serde_json::Value;

use super::login::local;
use super::texts::AlertTitles;
use super::visit::Visit;
use super::voice::{Voice, clip, level_of};
use crate::api::segment;
use crate::app::App;
use crate::problem::{Problem, Result};

/// One alert in a list.
pub(super) struct AlertView {
    pub(super) id: String,
    /// Where the form that marks it as seen goes.
    pub(super) action: String,
    pub(super) badge: String,
    pub(super) title: String,
    pub(super) service: String,
    pub(super) href: String,
    pub(super) at: String,
    /// Who has seen it; none while it is open.
    pub(super) seen: Option<String>,
}

impl AlertView {
    /// `back` is the page that the form leads back to.
    pub(super) fn new(alert: &Alert, back: &str, voice: Voice) -> Self {
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        let seen = alert.acknowledged_by.as_deref().filter(|_| alert.acknowledged_at.is_some());
        Self {
            id: alert.id.clone(),
            action: format!("/alerts/{}/acknowledge?next={back}", segment(&alert.id)),
            badge: page::badge(level_of(&alert.severity), voice.language()),
            title: title(alert, voice),
            service: clip(&alert.service),
            href: format!("/services/{}", segment(&alert.service)),
            at: voice.at(alert.created_at),
            seen: seen.map(|who| fill(voice.t.acknowledged, &[("who", &voice.actor(who))])),
        }
    }
}

/// Titles are stored in Spanish; in other languages they are told again from the facts.
fn title(alert: &Alert, voice: Voice) -> String {
    let told = voice.t.alert_titles.as_ref().and_then(|titles| translated(alert, titles, voice));
    told.unwrap_or_else(|| alert.title.clone())
}

fn translated(alert: &Alert, titles: &AlertTitles, voice: Voice) -> Option<String> {
    let number = |name: &str| alert.body[name].as_i64().map(|number| number.to_string());
    let service = clip(&alert.service);
    let text = match (alert.kind.as_str(), alert.severity.as_str()) {
        ("drift", _) => {
            let names: Vec<&str> =
                alert.body["features"].as_array()?.iter().filter_map(Value::as_str).take(3).collect();
            let names = if names.is_empty() { voice.t.answers_column.into() } else { voice.list(&names) };
            return Some(fill(titles.drift, &[("service", &service), ("names", &names)]));
        }
        ("data", _) => {
            let faults = alert.body["faults"].as_array()?;
            let names: Vec<&str> = faults
                .iter()
                .filter_map(|fault| fault["column"].as_str().or(fault["check"].as_str()))
                .take(3)
                .collect();
            return Some(fill(titles.data, &[("service", &service), ("names", &voice.list(&names))]));
        }
        ("performance", _) => return Some(fill(titles.performance, &[("service", &service)])),
        ("digest", _) => {
            let items = alert.body["items"].as_array()?.len().to_string();
            return Some(fill(titles.digest, &[("service", &service), ("n", &items)]));
        }
        ("rollback", _) => titles.rollback,
        ("rollout", "atencion") => titles.approval,
        ("rollout", "importante") => titles.failed,
        ("rollout", _) => titles.succeeded,
        ("gate", _) => {
            let verdict = &alert.body["verdict"];
            let text = if verdict["verdict"] == "undecided" { titles.undecided } else { titles.not_better };
            let version = verdict["candidate"].as_i64()?.to_string();
            return Some(fill(text, &[("service", &service), ("version", &version)]));
        }
        ("retrain_failed", _) => return Some(fill(titles.retrain, &[("service", &service)])),
        _ => return None,
    };
    let (version, stable) = (number("canary_version")?, number("stable_version")?);
    Some(fill(text, &[("service", &service), ("version", &version), ("stable", &stable)]))
}

/// Notes that the reader has seen an alert, and leads back.
pub(super) async fn acknowledge(visit: Visit, app: web::Data<App>, alert: web::Path<String>) -> HttpResponse {
    let done = acknowledged(&visit, &app, &alert).await;
    visit.send_to(done)
}

async fn acknowledged(visit: &Visit, app: &App, alert: &str) -> Result<String> {
    let who = visit.identity.as_ref().ok_or_else(|| Problem::unauthorized("a key is needed"))?;
    alert::acknowledge(&app.registry, &who.actor, alert).await?;
    Ok(local(visit.query("next").unwrap_or("/")).to_owned())
}

#[cfg(test)]
mod tests {
    use chasqui_registry::Micros;
    use chasqui_report::Language;
    use serde_json::json;

    use super::*;

    fn alert(kind: &str, severity: &str, body: Value) -> Alert {
        Alert {
            id: "1".into(),
            service: "ventas".into(),
            kind: kind.into(),
            severity: severity.into(),
            title: "El título guardado.".into(),
            body,
            created_at: Micros(0),
            acknowledged_at: None,
            acknowledged_by: None,
        }
    }

    #[test]
    fn spanish_titles_are_those_stored_and_english_ones_are_told_from_the_facts() {
        let (es, en) = (Voice::new(Language::Es), Voice::new(Language::En));
        let body = json!({"canary_version": 3, "stable_version": 2});
        let rollback = alert("rollback", "importante", body.clone());
        assert_eq!(title(&rollback, es), "El título guardado.");
        assert_eq!(title(&rollback, en), "Version 3 of “ventas” was taken out; version 2 answers.");
        let waits = alert("rollout", "atencion", body);
        assert_eq!(title(&waits, en), "Version 3 of “ventas” waits for the approval of a person.");
        let drift = alert("drift", "atencion", json!({"features": ["precio", "ciudad"]}));
        assert!(title(&drift, en).ends_with(": “precio” and “ciudad”."));
        let gate = alert("gate", "normal", json!({"verdict": {"verdict": "undecided", "candidate": 7}}));
        assert!(title(&gate, en).starts_with("Version 7 of “ventas” cannot be told"));
    }

    #[test]
    fn the_form_leads_back_to_names_of_any_kind() {
        let view = AlertView::new(
            &alert("gate", "normal", json!({})),
            "/services/a%C3%B1o",
            Voice::new(Language::Es),
        );
        assert_eq!(view.action, "/alerts/1/acknowledge?next=%2Fservices%2Fa%25C3%25B1o");
    }

    #[test]
    fn an_alert_without_its_facts_keeps_its_title() {
        let odd = alert("rollback", "importante", json!({}));
        assert_eq!(title(&odd, Voice::new(Language::En)), "El título guardado.");
    }
}
