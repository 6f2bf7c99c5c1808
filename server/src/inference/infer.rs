//! Answers tensor requests of the Open Inference Protocol: `POST /v2/models/{service}/infer`.

use std::borrow::Cow;
use std::sync::Arc;

use chasqui_runtime::Tensor;
use rand::RngExt;

use super::execute::{Answered, Call, ask, log, tell};
use super::expect::{Findings, Warnings, check_tensors};
use super::route::{Choice, Pin, choose, pinned};
use super::snapshot::{ServiceRoute, Target};
use super::tensors::{InferRequest, parse};
use super::{Answer, Inference, json};
use crate::problem::Problem;

/// Most prediction ids that an answer carries.
const MAX_IDS: usize = 1000;

/// Answers one request; see [`super::friendly::answer`] for where it may run.
pub(super) fn answer(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    body: &[u8],
    pin: Pin,
    call: &Call<'_>,
) -> Result<Answer, Problem> {
    let target = match pin {
        Pin::None => &route.stable,
        Pin::Version(number) => pinned(route, number)?,
    };
    let signature = &target.version.signature;
    let mut request = parse(body, signature, inference.limits.rows)?;
    let findings = Findings::new(route.name.as_str(), &inference.metrics);
    let expected = target.expected.as_ref();
    let warnings = check_tensors(expected, findings, signature, &mut request.inputs, request.key.as_deref())?;
    let choice = match pin {
        Pin::None => choose(route, request.key.as_deref(), rand::rng().random()),
        Pin::Version(_) => Choice { target, trial: None, entity: 0 },
    };
    let entities = [choice.entity];
    let mut inputs = std::mem::take(&mut request.inputs);
    let may_fall_back = !Arc::ptr_eq(choice.target, &route.stable) && pin == Pin::None;
    let mut build = |_: &Target| -> Result<Vec<Tensor>, String> {
        // The tensors are given away; only a canary's may be needed a second time.
        Ok(if may_fall_back { inputs.clone() } else { std::mem::take(&mut inputs) })
    };
    let mut answered = ask(inference, route, &choice, &entities, call, &mut build)?;
    let key_of = |_: usize| -> Option<Cow<'_, str>> { request.key.as_deref().map(Cow::Borrowed) };
    log(inference, &mut answered, call, &key_of)?;
    let rendered = Answer {
        body: render(route, &request, &answered, &warnings),
        version: answered.target.header.clone(),
        rollout: answered.rollout.clone(),
    };
    tell(inference, route, answered, &entities, call);
    Ok(rendered)
}

fn render(
    route: &ServiceRoute,
    request: &InferRequest<'_>,
    answered: &Answered,
    warnings: &Warnings,
) -> Vec<u8> {
    let signature = &answered.target.version.signature;
    let elements: usize = answered.outputs.iter().map(|output| output.data.len()).sum();
    let mut body = Vec::with_capacity(256 + 40 * answered.ids.len() + 12 * elements);
    body.extend_from_slice(b"{\"model_name\":");
    json::text(&mut body, route.name.as_str());
    body.extend_from_slice(b",\"model_version\":\"");
    json::integer(&mut body, i128::from(answered.target.version.number));
    body.push(b'"');
    if let Some(id) = &request.id {
        body.extend_from_slice(b",\"id\":");
        json::text(&mut body, id);
    }
    parameters(&mut body, answered, warnings);
    body.extend_from_slice(b",\"outputs\":[");
    let all: Vec<usize> = (0..signature.outputs.len()).collect();
    let wanted = request.outputs.as_ref().unwrap_or(&all);
    for (position, place) in wanted.iter().enumerate() {
        let (Some(spec), Some(output)) = (signature.outputs.get(*place), answered.outputs.get(*place)) else {
            continue;
        };
        if position > 0 {
            body.push(b',');
        }
        tensor(&mut body, &spec.name, output);
    }
    body.extend_from_slice(b"]}");
    body
}

/// The ids under which outcomes can be sent, and what was not as expected; parameters of the protocol are single
/// values, so several ids are one text with commas.
fn parameters(body: &mut Vec<u8>, answered: &Answered, warnings: &Warnings) {
    let has_ids = answered.ids.len() <= MAX_IDS;
    if !has_ids && warnings.count == 0 {
        return;
    }
    body.extend_from_slice(b",\"parameters\":{");
    if has_ids {
        prediction_ids(body, answered);
    }
    if let Some(first) = warnings.told.first() {
        if has_ids {
            body.push(b',');
        }
        body.extend_from_slice(b"\"warning\":");
        json::text(body, &first.message);
        body.extend_from_slice(b",\"warning_count\":");
        json::integer(body, warnings.count as i128);
    }
    body.push(b'}');
}

fn prediction_ids(body: &mut Vec<u8>, answered: &Answered) {
    body.extend_from_slice(b"\"prediction_id\":\"");
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    for (position, id) in answered.ids.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    }
    body.push(b'"');
}

fn tensor(body: &mut Vec<u8>, name: &str, tensor: &Tensor) {
    body.extend_from_slice(b"{\"name\":");
    json::text(body, name);
    body.extend_from_slice(b",\"shape\":[");
    for (position, axis) in tensor.shape.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::integer(body, *axis as i128);
    }
    body.extend_from_slice(b"],\"datatype\":\"");
    body.extend_from_slice(tensor.datatype().name().as_bytes());
    body.extend_from_slice(b"\",\"data\":[");
    json::elements(body, &tensor.data, 0..tensor.data.len());
    body.extend_from_slice(b"]}");
}
