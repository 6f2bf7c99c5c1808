//! Answers requests with named records: `POST /api/v1/services/{service}/predict`.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use chasqui_runtime::{Tensor, TensorData, Value, prediction};
use rand::RngExt;
use smallvec::SmallVec;

use super::execute::{Answered, Call, ask, log, tell};
use super::expect::{Findings, Warnings, check_records};
use super::records::{Records, parse};
use super::route::{Choice, Pin, choose, pinned};
use super::schema::{Plan, Schema};
use super::snapshot::{ServiceRoute, Target};
use super::{Answer, Inference, json};
use crate::problem::Problem;

/// Most classes whose probabilities are all told; with more only the predicted one's is.
const MAX_CLASSES: usize = 100;
/// What is said to those who ask why.
pub const NO_EXPLANATION: &str = "explanations are not offered for this model; leave `explain` out";
/// How far a caller's clock may be ahead of ours.
const MAX_AHEAD_SECONDS: i64 = 300;

/// Rows of one request that one version answers.
struct Group<'r> {
    choice: Choice<'r>,
    rows: Vec<usize>,
    entities: SmallVec<[u64; 1]>,
}

/// Answers one request. Everything in it may run on the thread that serves HTTP: it does no I/O but the one
/// write to the prediction log.
pub(super) fn answer(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    body: &[u8],
    pin: Pin,
    call: &Call<'_>,
) -> Result<Answer, Problem> {
    let (target, schema) = match pin {
        Pin::None => (&route.stable, route.schema.as_ref()),
        Pin::Version(number) => {
            let target = pinned(route, number)?;
            (target, target.schema.as_ref())
        }
    };
    let schema = schema.ok_or_else(|| {
        Problem::unprocessable(format!(
            "the inputs of `{}` are not named columns; send tensors to /v2/models/{}/infer",
            route.name, route.name
        ))
    })?;
    let mut records = parse(body, schema, inference.limits.records)?;
    let findings = Findings::new(route.name.as_str(), &inference.metrics);
    let warnings = check_records(target.expected.as_ref(), findings, schema, &mut records)?;
    if records.explain {
        return Err(Problem::unprocessable(NO_EXPLANATION));
    }
    let call = &at_the_time_of(&records, call)?;
    let groups = match pin {
        Pin::None => grouped(route, schema, &records),
        Pin::Version(_) => vec![whole(Choice { target, trial: None, entity: 0 }, records.rows)],
    };
    let mut answers = Vec::with_capacity(groups.len());
    for group in &groups {
        answers.push(run(inference, route, schema, &records, group, pin, call)?);
    }
    let rendered = render(route, &records, &groups, &answers, &warnings);
    for (group, answered) in groups.iter().zip(answers) {
        tell(inference, route, answered, &group.entities, call);
    }
    Ok(rendered)
}

/// The call as of the moment that its records are about. It may lie in the past, but not in the future: windows of
/// monitoring end when a later one begins.
fn at_the_time_of<'a>(records: &Records<'_>, call: &Call<'a>) -> Result<Call<'a>, Problem> {
    let at = records.at.unwrap_or(call.at);
    if at.0 < 0 || at > call.now.plus_seconds(MAX_AHEAD_SECONDS) {
        return Err(Problem::unprocessable("`at` must lie between 1970 and now"));
    }
    Ok(Call { at, ..*call })
}

fn whole(choice: Choice<'_>, rows: usize) -> Group<'_> {
    let entities = SmallVec::from_elem(choice.entity, 1);
    Group { choice, rows: (0..rows).collect(), entities }
}

/// Rows of one entity stay together; otherwise each row goes where its own key sends it.
fn grouped<'r>(route: &'r ServiceRoute, schema: &Schema, records: &Records<'_>) -> Vec<Group<'r>> {
    let mut random = rand::rng();
    if route.canary.is_none() {
        return vec![whole(choose(route, None, 0), records.rows)];
    }
    if records.has_one_key(schema) {
        let key = records.key(schema, 0);
        return vec![whole(choose(route, key.as_deref(), random.random()), records.rows)];
    }
    let mut groups: Vec<Group<'r>> = Vec::with_capacity(2);
    for row in 0..records.rows {
        let key = records.key(schema, row);
        let choice = choose(route, key.as_deref(), random.random());
        let entity = choice.entity;
        let same = groups.iter_mut().find(|group| Arc::ptr_eq(group.choice.target, choice.target));
        match same {
            Some(group) => {
                group.rows.push(row);
                group.entities.push(entity);
            }
            None => groups.push(Group { choice, rows: vec![row], entities: SmallVec::from_elem(entity, 1) }),
        }
    }
    groups
}

fn run(
    inference: &Inference,
    route: &Arc<ServiceRoute>,
    schema: &Schema,
    records: &Records<'_>,
    group: &Group<'_>,
    pin: Pin,
    call: &Call<'_>,
) -> Result<Answered, Problem> {
    let plan_of = |target: &Target| -> Result<Vec<Tensor>, String> {
        let plan: Option<&Plan> =
            if pin == Pin::None { target.plan.as_ref() } else { target.own_plan.as_ref() };
        let plan = plan.ok_or("this version does not take the fields of the service")?;
        plan.tensors(&records.cells, schema.fields.len(), &group.rows)
    };
    let mut build = plan_of;
    let mut answered = ask(inference, route, &group.choice, &group.entities, call, &mut build)?;
    let key_of = |row: usize| -> Option<Cow<'_, str>> { records.key(schema, group.rows[row]) };
    log(inference, &mut answered, call, &key_of)?;
    Ok(answered)
}

/// Writes the answer in the order of the records.
fn render(
    route: &ServiceRoute,
    records: &Records<'_>,
    groups: &[Group<'_>],
    answers: &[Answered],
    warnings: &Warnings,
) -> Answer {
    let mut body = Vec::with_capacity(64 + 160 * records.rows);
    body.extend_from_slice(b"{\"service\":");
    json::text(&mut body, route.name.as_str());
    body.extend_from_slice(b",\"predictions\":[");
    let mut places = vec![(0, 0); records.rows];
    for (position, group) in groups.iter().enumerate() {
        for (place, row) in group.rows.iter().enumerate() {
            places[*row] = (position, place);
        }
    }
    for (row, (group, place)) in places.into_iter().enumerate() {
        if row > 0 {
            body.push(b',');
        }
        one(&mut body, &answers[group], place);
    }
    body.push(b']');
    warnings.write(&mut body);
    body.push(b'}');
    let rollout = answers.iter().find_map(|answered| answered.rollout.clone());
    Answer { body, version: version_header(answers), rollout }
}

/// One version's number, or several separated by commas.
fn version_header(answers: &[Answered]) -> HeaderValue {
    match answers {
        [one] => one.target.header.clone(),
        many => {
            let mut numbers: Vec<i64> = many.iter().map(|answered| answered.target.version.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let text = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
        }
    }
}

/// Writes one prediction.
fn one(body: &mut Vec<u8>, answered: &Answered, row: usize) {
    let signature = &answered.target.version.signature;
    body.extend_from_slice(b"{\"prediction_id\":\"");
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    body.extend_from_slice(answered.ids[row].hyphenated().encode_lower(&mut text).as_bytes());
    body.extend_from_slice(b"\",\"version\":");
    json::integer(body, i128::from(answered.target.version.number));
    let said = prediction(signature, &answered.outputs, row);
    if let Some(label) = said.label {
        body.extend_from_slice(b",\"label\":");
        json::value(body, label);
        scores(body, answered, row, label);
    }
    if said.value.is_some()
        && let Some(output) = signature.roles.value.and_then(|place| answered.outputs.get(place))
    {
        body.extend_from_slice(b",\"value\":");
        let (range, _) = cells(output, row);
        json::elements(body, &output.data, range.start..range.start + 1);
    }
    if said.label.is_none() && said.value.is_none() {
        raw(body, answered, row);
    }
    body.push(b'}');
}

/// Writes the label's probability and, where the classes are known, each one's.
fn scores(body: &mut Vec<u8>, answered: &Answered, row: usize, label: Value<'_>) {
    let signature = &answered.target.version.signature;
    let Some(output) = signature.roles.scores.and_then(|place| answered.outputs.get(place)) else { return };
    let (range, width) = cells(output, row);
    let classes = &signature.classes;
    let probabilities: SmallVec<[f32; 4]> = match (classes.len(), width) {
        (2, 1) => {
            let positive = output.data.number(range.start).unwrap_or(f64::NAN) as f32;
            SmallVec::from_slice(&[1.0 - positive, positive])
        }
        (count, width) if count == width && count <= MAX_CLASSES => match &output.data {
            TensorData::F32(values) => SmallVec::from_slice(&values[range]),
            data => range.map(|index| data.number(index).unwrap_or(f64::NAN) as f32).collect(),
        },
        _ => return,
    };
    if let Some(class) = classes.iter().position(|class| is_class(class, label)) {
        body.extend_from_slice(b",\"probability\":");
        json::single(body, probabilities[class]);
    }
    body.extend_from_slice(b",\"probabilities\":{");
    for (position, (class, probability)) in classes.iter().zip(&probabilities).enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::text(body, class);
        body.push(b':');
        json::single(body, *probability);
    }
    body.push(b'}');
}

fn is_class(class: &str, label: Value<'_>) -> bool {
    match label {
        Value::Text(text) => class == text,
        Value::Number(number) => class.parse() == Ok(number),
        Value::Missing => false,
    }
}

/// A model whose outputs have no known meaning: every output's cells of this row, by name.
fn raw(body: &mut Vec<u8>, answered: &Answered, row: usize) {
    body.extend_from_slice(b",\"outputs\":{");
    let specs = &answered.target.version.signature.outputs;
    for (position, (spec, output)) in specs.iter().zip(&answered.outputs).enumerate() {
        if position > 0 {
            body.push(b',');
        }
        json::text(body, &spec.name);
        body.extend_from_slice(b":[");
        json::elements(body, &output.data, cells(output, row).0);
        body.push(b']');
    }
    body.push(b'}');
}

/// The elements of a row, and how many there are.
fn cells(output: &Tensor, row: usize) -> (std::ops::Range<usize>, usize) {
    let width = output.shape.get(1..).map_or(1, |axes| axes.iter().product());
    let end = ((row + 1) * width).min(output.data.len());
    ((row * width).min(end)..end, width)
}
