//! The events of a rollout, the newest first. Their reasons are stored in the words of the state machine; here they
//! are told again in the reader's language, and left as they are when they are somebody's own words.

use chasqui_pipelines::rollout::RolloutEvent;
use chasqui_pipelines::rollout::plan::{Metric, Plan};
use chasqui_pipelines::rollout::state::HoldReason;
use chasqui_report::fill;
use serde_json::Value;

use super::{figure, wording};
use crate::pages::voice::Voice;

/// One event.
pub(in crate::pages) struct EventView {
    pub(in crate::pages) at: String,
    pub(in crate::pages) status: &'static str,
    pub(in crate::pages) words: String,
    pub(in crate::pages) by: String,
    /// The meters at that moment.
    pub(in crate::pages) meters: Vec<String>,
}

impl EventView {
    pub(super) fn new(event: &RolloutEvent, plan: &Plan, voice: Voice) -> Self {
        Self {
            at: voice.at(event.at),
            status: wording::status(&event.to_status, voice),
            words: reason(&event.reason, plan, voice),
            by: fill(voice.t.by, &[("who", &voice.actor(&event.actor))]),
            meters: meters(&event.evidence, voice),
        }
    }
}

/// The e-values that were known when an event happened; those below one say nothing and are left out.
fn meters(evidence: &str, voice: Voice) -> Vec<String> {
    let evidence: Value = serde_json::from_str(evidence).unwrap_or_default();
    let guards = evidence["guards"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = guards.iter().filter_map(|guard| {
        let metric: Metric = serde_json::from_value(guard["metric"].clone()).ok()?;
        let (ln_e, threshold) = (guard["ln_e"].as_f64()?, guard["threshold"].as_f64()?);
        let figure = figure(ln_e.exp(), threshold, voice);
        (ln_e > 0.0).then(|| format!("{}: {figure}", wording::metric(metric, voice)))
    });
    told.collect()
}

/// The reason of an event.
fn reason(text: &str, plan: &Plan, voice: Voice) -> String {
    let t = voice.t;
    let fixed = [
        ("window open", t.why_window_open),
        ("warm", t.why_warm),
        ("baking is done", t.why_bake_done),
        ("every step is done", t.why_all_done),
        ("the plan asks for an approval", t.why_plan_asks),
        ("not warm after 10 minutes", t.why_not_warm),
    ];
    if let Some((_, told)) = fixed.iter().find(|(known, _)| *known == text) {
        return (*told).into();
    }
    if let Some(step) = text.strip_prefix("step ").and_then(|rest| rest.strip_suffix(" is done")) {
        return fill(t.why_step_done, &[("step", step)]);
    }
    if let Some((pipeline, _)) = text.strip_prefix("pipeline ").and_then(|rest| rest.rsplit_once(", run ")) {
        return fill(t.why_pipeline, &[("name", &voice.quoted(pipeline))]);
    }
    held(text, plan, voice)
        .or_else(|| by_a_person(text, voice))
        .or_else(|| breach(text, plan, voice))
        .unwrap_or_else(|| text.to_owned())
}

fn held(text: &str, plan: &Plan, voice: Voice) -> Option<String> {
    let t = voice.t;
    let kinds = [
        ("holds: ", t.why_holds),
        ("cleared: ", t.why_cleared),
        ("one step back: ", t.why_step_back),
        ("held too long: ", t.why_held_too_long),
    ];
    let (told, rest) = kinds.iter().find_map(|(start, told)| Some((*told, text.strip_prefix(start)?)))?;
    let reason = hold_reasons(plan).find(|reason| reason.text() == rest)?;
    Some(fill(told, &[("reason", &wording::hold(&reason, voice))]))
}

/// Every reason for which this plan can hold.
fn hold_reasons(plan: &Plan) -> impl Iterator<Item = HoldReason> {
    let needed =
        plan.steps.iter().map(|step| step.min_requests.max(1)).chain([plan.bake.min_requests.max(1)]);
    let few: Vec<HoldReason> = needed.map(|needed| HoldReason::NotEnoughRequests { needed }).collect();
    let of_metrics = [Metric::Errors, Metric::Latency]
        .into_iter()
        .flat_map(|metric| [HoldReason::Suspicion { metric }, HoldReason::JointOutage { metric }]);
    let others = [HoldReason::NotShownNonInferior, HoldReason::SampleRatioMismatch, HoldReason::WindowClosed];
    few.into_iter().chain(of_metrics).chain(others)
}

fn by_a_person(text: &str, voice: Voice) -> Option<String> {
    let t = voice.t;
    let plain = [
        ("approved by ", t.why_approved),
        ("resumed by ", t.why_resumed),
        ("started by ", t.why_started),
        ("superseded by ", t.why_superseded),
    ];
    if let Some((told, who)) = plain.iter().find_map(|(start, told)| Some((*told, text.strip_prefix(start)?)))
    {
        return Some(fill(told, &[("who", &voice.actor(who))]));
    }
    let reasoned = [("paused by ", t.why_paused), ("aborted by ", t.why_aborted)];
    let (told, rest) = reasoned.iter().find_map(|(start, told)| Some((*told, text.strip_prefix(start)?)))?;
    let (who, why) = rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), ""));
    let told = fill(told, &[("who", &voice.actor(who)), ("reason", why)]);
    Some(told.trim_end().trim_end_matches(':').to_owned())
}

/// `errors: ln E = 5.9 reached ln 250.0`.
fn breach(text: &str, plan: &Plan, voice: Voice) -> Option<String> {
    let (name, rest) = text.split_once(": ln E = ")?;
    let metric = plan.metrics.iter().copied().find(|metric| metric.name() == name)?;
    let limit: f64 = rest.rsplit_once("reached ln ")?.1.parse().ok()?;
    let limit = voice.format.number(limit, 0);
    Some(fill(voice.t.why_breach, &[("metric", wording::metric(metric, voice)), ("limit", &limit)]))
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::*;

    fn say(text: &str) -> String {
        reason(text, &Plan::default(), Voice::new(Language::Es))
    }

    #[test]
    fn every_reason_to_hold_is_told_in_spanish() {
        for hold in hold_reasons(&Plan::default()) {
            let told = say(&format!("holds: {}", hold.text()));
            assert!(told.starts_with("Espera: ") && !told.contains("canary"), "{told}");
        }
        assert_eq!(
            say("one step back: both versions miss the objective for errors together"),
            "Retrocede un paso: las dos versiones fallan a la vez (más errores): parece un problema compartido."
        );
    }

    #[test]
    fn the_machine_s_reasons_are_told_in_spanish() {
        assert_eq!(say("step 2 is done"), "El paso 2 terminó sin señales en contra.");
        assert_eq!(say("pipeline ventas, run 7"), "Lo inició la receta de entrenamiento «ventas».");
        assert_eq!(say("approved by ana"), "Lo aprobó ana.");
        assert_eq!(say("aborted by ana: ventas: bajan"), "Lo detuvo ana: ventas: bajan");
        assert_eq!(say("paused by ana: "), "Lo pausó ana");
        assert_eq!(
            say("errors: ln E = 5.9231 reached ln 250.0"),
            "La evidencia de más errores llegó a su límite (250)."
        );
    }

    #[test]
    fn other_words_stay_as_they_are() {
        assert_eq!(say("nuevo modelo de diciembre"), "nuevo modelo de diciembre");
        assert_eq!(say("holds: something new"), "holds: something new");
    }

    #[test]
    fn meters_that_say_something_are_listed() {
        let evidence = r#"{"guards": [{"metric": "errors", "ln_e": 4.43, "threshold": 250.0},
                                      {"metric": "latency", "ln_e": -0.2, "threshold": 333.3}]}"#;
        assert_eq!(meters(evidence, Voice::new(Language::Es)), ["más errores: 84 de 250"]);
        assert!(meters("{}", Voice::new(Language::Es)).is_empty());
    }
}
