//! One request from tensors to answers: ask the version, fall back to stable, log, tell `observe`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use chasqui_registry::Micros;
use chasqui_registry::prediction_log::{Arm, Record, RolloutMark};
use chasqui_runtime::{ModelError, Tensor, Value, feature_value, prediction};
use rand::RngExt;
use smallvec::SmallVec;
use uuid::Uuid;

use super::Inference;
use super::batch::{Computed, Span};
use super::observe::{Event, Part};
use super::route::Choice;
use super::snapshot::{ServiceRoute, Target, Trial};
use super::turn::Turn;
use crate::metrics::Stages;
use crate::problem::Problem;

/// Most prediction ids that an answer of the protocols of others carries.
pub(super) const MOST_IDS: usize = 1000;

/// What a request carries besides its body.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// `x-request-id`.
    pub request_id: &'a str,
    /// When it was taken up, its body complete.
    pub started: Instant,
    /// How long it had waited by then for a thread.
    pub waited: Duration,
    /// The same on the clock.
    pub now: Micros,
    /// The moment that it is about: now, unless history is replayed. The log, the sketches and the ids go by it.
    pub at: Micros,
    /// Its place among those that wait for a core; none when it is computed at once.
    pub turn: Option<&'a Turn>,
    /// Until when its caller waits.
    pub until: Option<Instant>,
}

impl Call<'_> {
    /// When its body was complete.
    pub fn received(&self) -> Instant {
        self.started.checked_sub(self.waited).unwrap_or(self.started)
    }
}

/// Rows that one version answered.
#[derive(Debug)]
pub(super) struct Answered {
    /// The version.
    pub target: Arc<Target>,
    /// The trial that its rows were part of, and the side that answered.
    pub trial: Option<(Arc<Trial>, Arm)>,
    /// `x-rollout-id`: of the rollout that routed them, also when its canary failed and stable answered.
    pub rollout: Option<HeaderValue>,
    /// What was asked, in the order of the signature.
    pub inputs: Vec<Tensor>,
    /// What was answered.
    pub outputs: Vec<Tensor>,
    /// The id of each row's prediction.
    pub ids: SmallVec<[Uuid; 1]>,
    /// When the model computed them.
    pub span: Span,
}

/// Asks the chosen version; a canary that fails is counted, and stable answers instead.
///
/// `build` makes the tensors for a version: the two may want them in different forms.
pub(super) fn ask(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    choice: &Choice<'_>,
    entities: &[u64],
    call: &Call<'_>,
    build: &mut dyn FnMut(&Target) -> Result<Vec<Tensor>, String>,
) -> Result<Answered, Problem> {
    let arm = choice.trial.map(|(_, arm)| arm);
    let rollout = choice.trial.map(|(trial, _)| trial.header.clone());
    let failure = match attempt(route, choice.target, call, build) {
        Ok((inputs, outputs, span)) => {
            let trial = choice.trial.map(|(trial, arm)| (Arc::clone(trial), arm));
            return Ok(Answered {
                target: Arc::clone(choice.target),
                trial,
                rollout,
                inputs,
                outputs,
                ids: SmallVec::new(),
                span,
            });
        }
        Err(Failure::Late(problem)) => return Err(problem),
        Err(Failure::Model(error)) => error,
    };
    if arm != Some(Arm::Canary) {
        return Err(refuse(inference, route, choice, entities, call, &failure));
    }
    // What stable calls a wrong input as well is the request's fault and counts against nobody; what fails there
    // too counts against the canary as a failed stable request counts against stable, so that an outage of both
    // stays balanced.
    match attempt(route, &route.stable, call, build) {
        Ok((inputs, outputs, span)) => {
            choice.target.metrics.errors.inc();
            choice.target.metrics.statistics.failed(call.started.elapsed());
            tracing::warn!(
                service.name = %route.name,
                model.version = choice.target.version.number,
                error = %failure,
                "the canary failed, stable answers instead"
            );
            tell_failure(inference, route, choice.trial, entities, call);
            Ok(Answered {
                target: Arc::clone(&route.stable),
                trial: None,
                rollout,
                inputs,
                outputs,
                ids: SmallVec::new(),
                span,
            })
        }
        Err(Failure::Late(problem)) => Err(problem),
        Err(Failure::Model(second)) => Err(refuse(inference, route, choice, entities, call, &second)),
    }
}

/// Why a version gave no answer.
enum Failure {
    Model(ModelError),
    /// There was no core for it in time.
    Late(Problem),
}

fn attempt(
    route: &ServiceRoute,
    target: &Target,
    call: &Call<'_>,
    build: &mut dyn FnMut(&Target) -> Result<Vec<Tensor>, String>,
) -> Result<(Vec<Tensor>, Vec<Tensor>, Span), Failure> {
    let inputs = build(target).map_err(|reason| Failure::Model(ModelError::Input(reason)))?;
    target.metrics.requests.inc();
    let computed = match call.turn {
        Some(turn) => turn.predict(&target.version, &route.config.batching, call.until, inputs),
        None => Ok(Computed::alone(&target.version, inputs, Instant::now())),
    };
    let Computed { inputs, result } = computed.map_err(Failure::Late)?;
    let (outputs, span) = result.map_err(Failure::Model)?;
    Ok((inputs, outputs, span))
}

/// The problem of a failure that nobody could make good; one of the model's is counted.
fn refuse(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    choice: &Choice<'_>,
    entities: &[u64],
    call: &Call<'_>,
    error: &ModelError,
) -> Problem {
    if let ModelError::Input(reason) = error {
        return Problem::bad_request(reason.clone());
    }
    choice.target.metrics.errors.inc();
    choice.target.metrics.statistics.failed(call.started.elapsed());
    tell_failure(inference, route, choice.trial, entities, call);
    tracing::error!(
        service.name = %route.name,
        model.version = choice.target.version.number,
        error = %error,
        "the model failed"
    );
    Problem::model_failed(error.to_string())
}

/// Counts an answer that came too late to be given: whoever asked has nothing, as if the model had failed.
pub(super) fn overran(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    answered: &Answered,
    entities: &[u64],
    call: &Call<'_>,
) {
    let took = call.started.elapsed();
    answered.target.metrics.statistics.failed(took);
    // How long a caller waits is the caller's choice; only what is slow by the service's own measure is a failure.
    if took.as_secs_f64() * 1e3 <= route.config.slo_ms {
        return;
    }
    answered.target.metrics.errors.inc();
    let trial = answered.trial.as_ref().map(|(trial, arm)| (trial, *arm));
    tell_failure(inference, route, trial, entities, call);
}

fn tell_failure(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    trial: Option<(&Arc<Trial>, Arm)>,
    entities: &[u64],
    call: &Call<'_>,
) {
    let Some((trial, arm)) = trial else { return };
    let part = Part { trial: Arc::clone(trial), arm, entities: entities.into(), failed: true, slow: false };
    inference.observe(
        Event { route: Arc::clone(route), at: call.at, now: call.now, batch: None, part: Some(part) },
        1,
    );
}

/// Gives every row an id and writes all of them to the prediction log. Nothing may be answered before.
pub(super) fn log<'k>(
    inference: &Inference,
    answered: &mut Answered,
    call: &Call<'_>,
    key_of: &dyn Fn(usize) -> Option<Cow<'k, str>>,
) -> Result<(), Problem> {
    let signature = &answered.target.version.signature;
    let rows = answered.inputs.first().map_or(1, Tensor::rows);
    answered.ids = (0..rows).map(|_| new_id(call.at)).collect();
    let keys: SmallVec<[Option<Cow<'k, str>>; 1]> = (0..rows).map(key_of).collect();
    let latency_us = call.started.elapsed().as_micros() as u64;
    let rollout = answered.trial.as_ref().map(|(trial, arm)| RolloutMark {
        id: trial.id,
        segment: trial.segment,
        arm: *arm,
    });
    let records: SmallVec<[Record<'_>; 1]> = (0..rows)
        .map(|row| {
            let said = prediction(signature, &answered.outputs, row);
            Record {
                id: answered.ids[row],
                at: call.at,
                latency_us,
                rollout,
                key: keys[row].as_deref(),
                request_id: Some(call.request_id),
                inputs: (0..signature.features.len())
                    .map(|feature| feature_value(signature, &answered.inputs, row, feature))
                    .collect(),
                label: said.label.unwrap_or(Value::Missing),
                score: said.score,
                value: said.value,
                error: false,
            }
        })
        .collect();
    inference.log.append(&answered.target.shape, &records).map_err(|error| {
        tracing::error!(error = %error, "a prediction could not be logged and is not answered");
        Problem::unavailable("the prediction log cannot be written; nothing is answered unlogged", 1)
    })
}

/// Hands what was answered to `observe`, tensors included: nothing is copied.
pub(super) fn tell(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    answered: Answered,
    entities: &[u64],
    call: &Call<'_>,
) {
    let elapsed = call.started.elapsed();
    answered.target.metrics.latency.observe(elapsed.as_secs_f64());
    answered.target.metrics.predictions.inc_by(answered.ids.len() as u64);
    let Span { waited, began, took, batch } = answered.span;
    let prepared = began.saturating_duration_since(call.started).saturating_sub(waited);
    answered.target.metrics.statistics.succeeded(&Stages {
        queue: call.waited + waited,
        input: prepared,
        infer: took,
        output: elapsed.saturating_sub(waited + prepared + took),
        rows: answered.ids.len(),
        batch,
        now: call.now,
    });
    let slow = elapsed.as_secs_f64() * 1e3 > route.config.slo_ms;
    let part = answered.trial.map(|(trial, arm)| Part {
        trial,
        arm,
        entities: entities.into(),
        failed: false,
        slow,
    });
    let rows = answered.ids.len();
    let version = Arc::clone(&answered.target.version);
    let is_sketched = route.sharing(&version).any(|version| version.profile.is_some());
    let batch = is_sketched.then(|| super::observe::Batch {
        version: Arc::clone(&version),
        inputs: answered.inputs,
        outputs: answered.outputs,
        rows,
    });
    if batch.is_none() && part.is_none() {
        return;
    }
    inference.observe(Event { route: Arc::clone(route), at: call.at, now: call.now, batch, part }, rows);
}

/// A UUIDv7 of this moment.
fn new_id(at: Micros) -> Uuid {
    let millis = u64::try_from(at.0 / 1000).unwrap_or(0);
    let random: [u8; 10] = rand::rng().random();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
