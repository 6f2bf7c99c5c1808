use chasqui_pipelines::rollout::evidence::{Arms, SampleRatio};
use chasqui_pipelines::rollout::plan::{Metric, Plan};
use chasqui_pipelines::rollout::state::{HoldReason, Question, State};
use chasqui_registry::Micros;
use chasqui_report::Language;

use super::*;

fn rollout(phase: Phase) -> Rollout {
    let plan = Plan::default();
    let mut state = State::new(false, Micros(0));
    state.phase = phase;
    let weight = state.weight(&plan);
    Rollout {
        id: "r".into(),
        service: "ventas".into(),
        model: "ventas".into(),
        stable_version: 2,
        canary_version: 3,
        plan,
        salt: String::new(),
        status: state.phase.name().into(),
        terminal: state.phase.terminal(),
        weight,
        segment: 1,
        state,
        epoch: 4,
        created_at: Micros(0),
        created_by: "author".into(),
        updated_at: Micros(0),
        finished_at: None,
    }
}

fn guard(ln_e: f64, breached: bool) -> GuardEvidence {
    GuardEvidence {
        metric: Metric::Errors,
        splits: Vec::new(),
        tolerated: 1.0,
        ln_e,
        threshold: 250.0,
        canary_events: 9,
        canary_entities: 9,
        breached,
        ln_e_non_inferior: 0.0,
        non_inferior_threshold: 20.0,
    }
}

fn view(phase: Phase, may_edit: bool) -> RolloutView {
    let evidence = Evidence {
        segments: Vec::new(),
        guards: vec![guard(84_f64.ln(), false)],
        sample_ratio: SampleRatio { splits: Vec::new(), ln_e: 0.0, threshold: 1000.0, mismatch: false },
        recent: Arms::default(),
        joint_outage: None,
    };
    let report = EvidenceReport { rollout: rollout(phase), evidence, events: Vec::new(), chain_holds: true };
    RolloutView::new(&report, may_edit, Voice::new(Language::Es))
}

fn places(view: &RolloutView) -> Vec<&str> {
    view.steps.iter().map(|step| step.place).collect()
}

#[test]
fn the_meter_reads_as_people_say_it() {
    let voice = Voice::new(Language::Es);
    let meter = |ln_e: f64, breached: bool| super::meter(&guard(ln_e, breached), voice);
    assert_eq!(meter(84_f64.ln(), false).figure, "84 de 250");
    assert!(meter(84_f64.ln(), false).bar.contains("suspicious"));
    assert_eq!(meter(0.4_f64.ln(), false).figure, "0,4 de 250");
    assert!(meter(0.4_f64.ln(), false).bar.contains("calm"));
    assert_eq!(meter(800.0, true).figure, "> 1.000.000 de 250");
    assert!(meter(800.0, true).bar.contains("grave"));
}

#[test]
fn steps_show_what_is_done_and_what_comes() {
    let step = view(Phase::Step { index: 1 }, false);
    assert_eq!(places(&step), ["done", "now", "next", "next"]);
    assert_eq!(step.steps[3].label, "Último tramo: 95 %");
    assert_eq!(step.words, "Paso 2 de 3: la versión 3 responde 25 % de las consultas.");
    assert!(step.shares.is_some() && step.requests.is_some());
    assert_eq!(places(&view(Phase::Succeeded, false)), ["done"; 4]);
    let back = view(Phase::RolledBack { reason: String::new() }, false);
    assert_eq!(places(&back), ["next"; 4]);
    assert!(back.shares.is_none() && back.requests.is_none());
}

#[test]
fn holds_say_why() {
    let reason = HoldReason::Suspicion { metric: Metric::Latency };
    let held = view(Phase::Holding { stage: Stage::Step(0), reason: reason.clone() }, false);
    assert_eq!(
        held.words,
        "La versión 3 se queda en 5 % de las consultas: hay indicios de más demora, aunque sin prueba suficiente."
    );
    let asked = view(
        Phase::AwaitApproval { stage: Stage::Step(0), question: Question::HeldTooLong { reason } },
        true,
    );
    assert!(asked.words.contains("Una persona debe decidir"));
    assert_eq!(asked.actions[0].label, "Aprobar y seguir");
}

#[test]
fn only_editors_steer_and_only_what_is_under_way() {
    assert!(view(Phase::Baking, false).reasoned.is_empty());
    assert!(view(Phase::Succeeded, true).reasoned.is_empty());
    assert!(view(Phase::RollingBack { reason: String::new() }, true).reasoned.is_empty());
    let labels: Vec<&str> = view(Phase::Baking, true).reasoned.iter().map(|action| action.label).collect();
    assert_eq!(labels, ["Pausar", "Retirar la versión nueva"]);
}

#[test]
fn the_reason_is_read_from_the_form() {
    assert_eq!(reason_of(b"reason=bajan+las+ventas%2C+a%C3%B1o"), "bajan las ventas, año");
    assert_eq!(reason_of(b""), "");
}
