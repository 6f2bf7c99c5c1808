//! One step of the machine: what each state does with each event.

use chasqui_registry::Micros;

use super::{
    Approval, Breach, Context, Effect, Event, HoldReason, Notice, Observation, Phase, Question, Stage, State,
    Transition,
};

/// A version that has not warmed up by then fails.
pub const WARMING_DEADLINE: i64 = 10 * 60 * 1_000_000;

/// By then the last replica has heard of the rollback and the last request on the canary is answered.
pub const DRAIN: i64 = 2_000_000;

/// A joint outage that begins this soon after a weight increase takes one step back.
pub const AFTER_INCREASE: i64 = 2 * 60 * 1_000_000;

/// One step of the machine.
pub fn step(context: Context<'_>, state: &State, event: &Event, now: Micros) -> Transition {
    let machine = Machine { context, state, now };
    if state.phase.terminal() {
        return machine.stay_or_refuse(event, "the rollout is over");
    }
    match event {
        Event::Tick(seen) => machine.tick(seen),
        Event::Warmed => machine.warmed(),
        Event::WarmingFailed { reason } if state.phase == Phase::Warming => machine.fail(reason.clone()),
        Event::WarmingFailed { .. } => machine.stay(),
        Event::Approve { actor } => machine.approve(actor),
        Event::Pause { actor, reason } => machine.pause(actor, reason),
        Event::Resume { actor } => machine.resume(actor),
        Event::Abort { actor, reason } => machine.abort(actor, reason),
        Event::Supersede { by } => {
            machine.go(Phase::Superseded { by: by.clone() }, format!("superseded by {by}"))
        }
    }
}

/// What a stage may do now.
enum Decision {
    Stay,
    Hold(HoldReason),
    StepBack(HoldReason),
    Ask,
    GoOn,
}

struct Machine<'a> {
    context: Context<'a>,
    state: &'a State,
    now: Micros,
}

impl Machine<'_> {
    fn tick(&self, seen: &Observation) -> Transition {
        let state = self.state;
        if let Phase::RollingBack { reason } = &state.phase {
            if self.elapsed(state.since) < DRAIN {
                return self.stay();
            }
            return self.go(Phase::RolledBack { reason: reason.clone() }, reason.clone());
        }
        if let Some(breach) = &seen.breach {
            return self.roll_back(breach_text(breach));
        }
        match &state.phase {
            Phase::Scheduled if seen.window_open => self.go(Phase::Warming, "window open".into()),
            Phase::Warming if self.elapsed(state.since) >= WARMING_DEADLINE => {
                self.fail("not warm after 10 minutes".into())
            }
            Phase::Step { .. } | Phase::Baking | Phase::Holding { .. } => self.at_stage(seen),
            _ => self.stay(),
        }
    }

    fn at_stage(&self, seen: &Observation) -> Transition {
        let Some(stage) = self.state.phase.stage() else { return self.stay() };
        let held = match &self.state.phase {
            Phase::Holding { reason, .. } => Some(reason),
            _ => None,
        };
        match (self.decide(stage, seen), held) {
            (Decision::GoOn, _) => self.go_on(stage),
            (Decision::Ask, _) => self.ask(stage, Question::GoOn, "the plan asks for an approval".into()),
            (Decision::Stay, None) => self.stay(),
            (Decision::Stay, Some(reason)) => {
                let mut transition = self.go(stage.into(), format!("cleared: {}", reason.text()));
                if reason.restarts_dwell() {
                    transition.state.stage_since = self.now;
                }
                transition
            }
            (Decision::StepBack(reason), _) => {
                let back = stage.previous(self.context.plan).unwrap_or(stage);
                let text = format!("one step back: {}", reason.text());
                let mut transition = self.go(Phase::Holding { stage: back, reason }, text);
                transition.state.raised_at = None;
                transition.state.stage_since = self.now;
                transition
            }
            (Decision::Hold(reason), None) => {
                let text = format!("holds: {}", reason.text());
                self.go(Phase::Holding { stage, reason }, text)
            }
            (Decision::Hold(reason), Some(_)) if self.held_too_long() => {
                let text = format!("held too long: {}", reason.text());
                self.ask(stage, Question::HeldTooLong { reason }, text)
            }
            (Decision::Hold(reason), Some(before)) if *before == reason => self.stay(),
            (Decision::Hold(reason), Some(before)) => {
                let text = format!("holds: {}", reason.text());
                let restart = before.restarts_dwell();
                let mut transition = self.go(Phase::Holding { stage, reason }, text);
                transition.state.since = self.state.since;
                if restart {
                    transition.state.stage_since = self.now;
                }
                transition
            }
        }
    }

    /// What the stage may do, in the order in which the reasons matter.
    fn decide(&self, stage: Stage, seen: &Observation) -> Decision {
        let plan = self.context.plan;
        if let Some(metric) = seen.joint_outage {
            let reason = HoldReason::JointOutage { metric };
            let just_raised = self.state.raised_at.is_some_and(|at| self.elapsed(at) <= AFTER_INCREASE);
            let known =
                matches!(&self.state.phase, Phase::Holding { reason: HoldReason::JointOutage { .. }, .. });
            let may_step_back = just_raised && !known && stage.previous(plan).is_some();
            return if may_step_back { Decision::StepBack(reason) } else { Decision::Hold(reason) };
        }
        let overrides = self.state.approval == Approval::Overrides;
        if !overrides {
            if seen.sample_ratio_mismatch {
                return Decision::Hold(HoldReason::SampleRatioMismatch);
            }
            if self.clears_a_restarting_hold() {
                return Decision::Stay;
            }
            match self.missing(stage, seen) {
                Some(Decision::GoOn) | None => {}
                Some(decision) => return decision,
            }
        }
        if !seen.window_open {
            return Decision::Hold(HoldReason::WindowClosed);
        }
        if self.asks_approval(stage) && self.state.approval == Approval::None {
            return Decision::Ask;
        }
        Decision::GoOn
    }

    /// An outage or a wrong split that is over: the stage begins again before anything else is decided.
    fn clears_a_restarting_hold(&self) -> bool {
        matches!(&self.state.phase, Phase::Holding { reason, .. } if reason.restarts_dwell())
    }

    /// What the stage still lacks; none when it has all it asks for.
    fn missing(&self, stage: Stage, seen: &Observation) -> Option<Decision> {
        let plan = self.context.plan;
        let dwell = self.elapsed(self.state.stage_since);
        let (hold, needed, non_inferiority) = match stage.step(plan) {
            Some(step) => (step.hold, step.min_requests, step.non_inferiority),
            None => (plan.bake.hold, plan.bake.min_requests, false),
        };
        let soon_enough = stage == Stage::Baking && seen.canary_requests >= plan.bake.requests;
        if !soon_enough {
            if i128::from(dwell) < i128::try_from(hold.as_micros()).unwrap_or(i128::MAX) {
                return Some(Decision::Stay);
            }
            if seen.canary_requests < needed.max(1) {
                return Some(Decision::Hold(HoldReason::NotEnoughRequests { needed: needed.max(1) }));
            }
        }
        if let Some(metric) = seen.suspicion {
            return Some(Decision::Hold(HoldReason::Suspicion { metric }));
        }
        if non_inferiority && !seen.non_inferior {
            return Some(Decision::Hold(HoldReason::NotShownNonInferior));
        }
        None
    }

    fn asks_approval(&self, stage: Stage) -> bool {
        let plan = self.context.plan;
        let of_step = stage.step(plan).is_some_and(|step| step.approval);
        of_step || (plan.approval && stage.next(plan) == Some(Stage::Baking))
    }

    fn go_on(&self, stage: Stage) -> Transition {
        match stage.next(self.context.plan) {
            Some(next) => self.enter(next, format!("{} is done", stage_text(stage))),
            None => self.go(Phase::Succeeded, "every step is done".into()),
        }
    }

    fn warmed(&self) -> Transition {
        if self.state.phase != Phase::Warming {
            return self.stay();
        }
        self.enter(Stage::Step(0), "warm".into())
    }

    /// Enters a new stage: its time begins, and approvals of the last one are used up.
    fn enter(&self, stage: Stage, reason: String) -> Transition {
        let mut transition = self.go(stage.into(), reason);
        transition.state.stage_since = self.now;
        transition.state.approval = Approval::None;
        if self.state.counts_from.is_none() {
            let warmup = i64::try_from(self.context.plan.warmup.as_micros()).unwrap_or(i64::MAX);
            transition.state.counts_from = Some(Micros(self.now.0.saturating_add(warmup)));
        }
        transition
    }

    fn ask(&self, stage: Stage, question: Question, reason: String) -> Transition {
        let mut transition = self.go(Phase::AwaitApproval { stage, question }, reason);
        transition.effects.push(Effect::Notify(Notice::ApprovalNeeded));
        transition
    }

    fn approve(&self, actor: &str) -> Transition {
        let Phase::AwaitApproval { stage, question } = &self.state.phase else {
            return self.refuse("the rollout does not wait for an approval");
        };
        if self.context.plan.four_eyes && actor == self.context.author {
            return self.refuse("four eyes: somebody other than the author must approve");
        }
        let mut transition = self.go((*stage).into(), format!("approved by {actor}"));
        transition.state.approval = match question {
            Question::GoOn => Approval::Given,
            Question::HeldTooLong { .. } => Approval::Overrides,
        };
        transition
    }

    fn pause(&self, actor: &str, reason: &str) -> Transition {
        let Some(stage) = self.state.phase.stage() else {
            return self.refuse("only a rollout with traffic can be paused; abort it instead");
        };
        if matches!(self.state.phase, Phase::Paused { .. }) {
            return self.refuse("the rollout is paused already");
        }
        self.go(Phase::Paused { stage, reason: reason.into() }, format!("paused by {actor}: {reason}"))
    }

    fn resume(&self, actor: &str) -> Transition {
        match &self.state.phase {
            Phase::Draft => self.go(Phase::Scheduled, format!("started by {actor}")),
            Phase::Paused { stage, .. } => {
                let mut transition = self.go((*stage).into(), format!("resumed by {actor}"));
                transition.state.stage_since = self.now;
                transition
            }
            _ => self.refuse("only a draft or a paused rollout can be resumed"),
        }
    }

    fn abort(&self, actor: &str, reason: &str) -> Transition {
        if matches!(self.state.phase, Phase::RollingBack { .. }) {
            return self.refuse("the rollout is rolling back already");
        }
        self.roll_back(format!("aborted by {actor}: {reason}"))
    }

    fn roll_back(&self, reason: String) -> Transition {
        self.go(Phase::RollingBack { reason: reason.clone() }, reason)
    }

    fn fail(&self, reason: String) -> Transition {
        self.go(Phase::Failed { reason: reason.clone() }, reason)
    }

    /// Moves to a phase and derives segment, times and effects from the change of the weight.
    fn go(&self, phase: Phase, reason: String) -> Transition {
        let mut effects = Vec::new();
        match phase {
            Phase::RollingBack { .. } => effects.push(Effect::Notify(Notice::RolledBack)),
            Phase::Failed { .. } => effects.push(Effect::Notify(Notice::Failed)),
            Phase::Succeeded => effects.extend([Effect::Promote, Effect::Notify(Notice::Succeeded)]),
            _ => {}
        }
        let mut state = State { phase, since: self.now, ..self.state.clone() };
        let (from, to) = (self.state.weight(self.context.plan), state.weight(self.context.plan));
        if from != to {
            state.segment += 1;
            state.weights.push(to);
            effects.push(Effect::Weight { from, to });
        }
        if to > from {
            state.raised_at = Some(self.now);
        }
        Transition { state, effects, reason }
    }

    fn stay(&self) -> Transition {
        Transition { state: self.state.clone(), effects: Vec::new(), reason: String::new() }
    }

    fn refuse(&self, why: &str) -> Transition {
        let why = format!("{why} (it is {})", self.state.phase.name());
        Transition { effects: vec![Effect::Refused(why)], ..self.stay() }
    }

    fn stay_or_refuse(&self, event: &Event, why: &str) -> Transition {
        match event {
            Event::Approve { .. } | Event::Pause { .. } | Event::Resume { .. } | Event::Abort { .. } => {
                self.refuse(why)
            }
            _ => self.stay(),
        }
    }

    fn elapsed(&self, since: Micros) -> i64 {
        self.now.0.saturating_sub(since.0)
    }

    fn held_too_long(&self) -> bool {
        let limit = self.context.plan.hold_max.as_micros();
        u128::try_from(self.elapsed(self.state.since)).unwrap_or(0) >= limit
    }
}

fn stage_text(stage: Stage) -> String {
    match stage {
        Stage::Step(index) => format!("step {}", index + 1),
        Stage::Baking => "baking".into(),
    }
}

fn breach_text(breach: &Breach) -> String {
    format!("{}: ln E = {:.4} reached ln {:.1}", breach.metric.name(), breach.ln_e, breach.threshold)
}
