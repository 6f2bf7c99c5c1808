//! A rollout on the page: where it is, what speaks against the new version, what happened; and the forms by which a
//! person steers it.

mod timeline;
mod wording;

use actix_web::{HttpRequest, HttpResponse, web};
use chasqui_pipelines::rollout::evidence::{Evidence, GuardEvidence};
use chasqui_pipelines::rollout::state::{Phase, Stage};
use chasqui_pipelines::rollout::{self, EvidenceReport, Rollout};
use chasqui_report::fill;

use super::picture;
use super::visit::Visit;
use super::voice::Voice;
use crate::api::segment;
use crate::app::App;
use crate::body;
use crate::problem::{Problem, Result};

pub(super) use timeline::EventView;

/// Bytes of a form.
const FORM_BYTES: usize = 16 << 10;

/// Above this an e-value is told as "more than".
const LARGEST_TOLD: f64 = 1e6;

/// From here on a meter is suspicious: the rollout no longer goes on by itself.
const SUSPICIOUS: f64 = 10.0;

/// The latest events are shown; the earlier ones are folded away.
const EVENTS_SHOWN: usize = 6;

/// A rollout on the page of its service.
pub(super) struct RolloutView {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) badge: String,
    pub(super) words: String,
    /// Who answers how much; none when it is over.
    pub(super) shares: Option<String>,
    pub(super) steps: Vec<StepView>,
    pub(super) requests: Option<MeterView>,
    pub(super) meters: Vec<MeterView>,
    /// The newest first.
    pub(super) events: Vec<EventView>,
    pub(super) earlier: Vec<EventView>,
    pub(super) earlier_title: String,
    pub(super) is_altered: bool,
    /// What needs no reason.
    pub(super) actions: Vec<ActionView>,
    /// What needs one; not empty while the rollout can be steered at all.
    pub(super) reasoned: Vec<ActionView>,
}

/// A step of the plan.
pub(super) struct StepView {
    pub(super) label: String,
    /// `done`, `now` or `next`.
    pub(super) place: &'static str,
}

/// A meter with its figure in words.
pub(super) struct MeterView {
    pub(super) label: String,
    pub(super) figure: String,
    pub(super) note: String,
    pub(super) bar: String,
}

/// A button.
pub(super) struct ActionView {
    pub(super) href: String,
    pub(super) label: &'static str,
    /// It takes the new version out.
    pub(super) is_grave: bool,
}

/// A rollout in one line, for the dashboard.
pub(super) struct RolloutLine {
    pub(super) badge: String,
    pub(super) words: String,
    pub(super) shares: String,
}

impl RolloutLine {
    pub(super) fn new(rollout: &Rollout, voice: Voice) -> Self {
        Self {
            badge: wording::badge(&rollout.state.phase, voice),
            words: wording::words(rollout, voice),
            shares: shares(rollout, voice),
        }
    }
}

fn shares(rollout: &Rollout, voice: Voice) -> String {
    picture::shares(rollout.stable_version, rollout.canary_version, rollout.weight, voice)
}

impl RolloutView {
    pub(super) fn new(report: &EvidenceReport, may_edit: bool, voice: Voice) -> Self {
        let (rollout, t) = (&report.rollout, voice.t);
        let mut events: Vec<EventView> =
            report.events.iter().rev().map(|event| EventView::new(event, &rollout.plan, voice)).collect();
        let earlier = events.split_off(events.len().min(EVENTS_SHOWN));
        let (actions, reasoned) = if may_edit { actions(rollout, voice) } else { Default::default() };
        let versions = [
            ("canary", &*rollout.canary_version.to_string()),
            ("stable", &*rollout.stable_version.to_string()),
        ];
        Self {
            id: rollout.id.clone(),
            title: fill(t.rollout_title, &versions),
            badge: wording::badge(&rollout.state.phase, voice),
            words: wording::words(rollout, voice),
            shares: (!rollout.terminal && rollout.weight > 0.0).then(|| shares(rollout, voice)),
            steps: steps(rollout, voice),
            requests: requests(rollout, &report.evidence, voice),
            meters: report.evidence.guards.iter().map(|guard| meter(guard, voice)).collect(),
            events,
            earlier_title: voice.many(t.earlier_events, earlier.len()),
            earlier,
            is_altered: !report.chain_holds,
            actions,
            reasoned,
        }
    }
}

/// The steps of the plan and the last stretch, with where it is.
fn steps(rollout: &Rollout, voice: Voice) -> Vec<StepView> {
    let plan = &rollout.plan;
    let percent = |share: f64| voice.format.percent_with(share, 0);
    let stages = (0..plan.steps.len()).map(Stage::Step).chain([Stage::Baking]);
    let now = rollout.state.phase.stage();
    let succeeded = rollout.state.phase == Phase::Succeeded;
    let place = |stage: Stage| match now {
        _ if succeeded => "done",
        Some(current) if current == stage => "now",
        Some(current) if position(stage) < position(current) => "done",
        _ => "next",
    };
    let label = |stage: Stage| {
        let text = if stage == Stage::Baking { voice.t.step_last } else { voice.t.step_share };
        fill(text, &[("share", &percent(stage.weight(plan)))])
    };
    stages.map(|stage| StepView { label: label(stage), place: place(stage) }).collect()
}

fn position(stage: Stage) -> usize {
    match stage {
        Stage::Step(index) => index,
        Stage::Baking => usize::MAX,
    }
}

/// Requests seen at this step, of those it asks for.
fn requests(rollout: &Rollout, evidence: &Evidence, voice: Voice) -> Option<MeterView> {
    let needed = match rollout.state.phase.stage()? {
        Stage::Step(index) => rollout.plan.steps.get(index)?.min_requests,
        Stage::Baking => rollout.plan.bake.min_requests,
    };
    let seen = evidence.canary_requests(rollout.segment);
    let (value, limit) = (voice.format.count(seen), voice.format.count(needed));
    Some(MeterView {
        label: voice.t.meter_requests.into(),
        figure: fill(voice.t.meter, &[("value", &value), ("limit", &limit)]),
        note: String::new(),
        bar: picture::bar(seen as f64 / needed.max(1) as f64, "calm"),
    })
}

/// The evidence meter of a guard: "84 de 250".
fn meter(guard: &GuardEvidence, voice: Voice) -> MeterView {
    let value = guard.ln_e.exp();
    let class = if guard.breached {
        "grave"
    } else if value >= SUSPICIOUS {
        "suspicious"
    } else {
        "calm"
    };
    let events = usize::try_from(guard.canary_events).unwrap_or(usize::MAX);
    MeterView {
        label: wording::metric(guard.metric, voice).into(),
        figure: figure(value, guard.threshold, voice),
        note: voice.many(voice.t.meter_events, events),
        bar: picture::bar(value / guard.threshold, class),
    }
}

/// An e-value against its limit.
fn figure(value: f64, limit: f64, voice: Voice) -> String {
    let format = voice.format;
    let told = if value > LARGEST_TOLD {
        format!("> {}", format.number(LARGEST_TOLD, 0))
    } else {
        format.number(value, usize::from(value < SUSPICIOUS))
    };
    fill(voice.t.meter, &[("value", &told), ("limit", &format.number(limit, 0))])
}

/// What a person can do now: without a reason, and with one.
fn actions(rollout: &Rollout, voice: Voice) -> (Vec<ActionView>, Vec<ActionView>) {
    let t = voice.t;
    let action = |command: &str, label, is_grave| ActionView {
        href: format!("/rollouts/{}/{command}", segment(&rollout.id)),
        label,
        is_grave,
    };
    let (mut plain, mut reasoned) = (Vec::new(), Vec::new());
    match &rollout.state.phase {
        phase if phase.terminal() => return (plain, reasoned),
        Phase::RollingBack { .. } => return (plain, reasoned),
        Phase::AwaitApproval { .. } => plain.push(action("approve", t.approve, false)),
        Phase::Draft => plain.push(action("resume", t.start, false)),
        Phase::Paused { .. } => plain.push(action("resume", t.resume, false)),
        Phase::Step { .. } | Phase::Baking | Phase::Holding { .. } => {
            reasoned.push(action("pause", t.pause, false));
        }
        _ => {}
    }
    reasoned.push(action("abort", t.abort, true));
    (plain, reasoned)
}

/// Steers a rollout, and leads back to its service.
pub(super) async fn command(
    visit: Visit,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let reason = match body::read(&request, payload, FORM_BYTES).await {
        Ok(form) => reason_of(&form),
        Err(problem) => return visit.failed(&problem),
    };
    let (id, command) = path.into_inner();
    let done = commanded(&visit, &app, (&id, &command), &reason).await;
    visit.send_to(done)
}

fn reason_of(form: &[u8]) -> String {
    let mut fields = url::form_urlencoded::parse(form);
    fields.find(|(name, _)| name == "reason").map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

async fn commanded(visit: &Visit, app: &App, (id, command): (&str, &str), reason: &str) -> Result<String> {
    let who = visit.identity.as_ref().ok_or_else(|| Problem::unauthorized("a key is needed"))?;
    let changed = match command {
        "approve" => rollout::approve(&app.registry, &who.actor, id).await?,
        "pause" => rollout::pause(&app.registry, &who.actor, id, reason).await?,
        "resume" => rollout::resume(&app.registry, &who.actor, id).await?,
        "abort" => rollout::abort(&app.registry, &who.actor, id, reason).await?,
        _ => return Err(Problem::not_found(format!("a rollout cannot be told to {command}"))),
    };
    // The page that follows is read by the routing that the command led to.
    app.inference.catch_up().await?;
    Ok(format!("/services/{}", segment(&changed.service)))
}

#[cfg(test)]
#[path = "rollouts/tests.rs"]
mod tests;
