//! From rows to answers, whatever form they came in: which version answers which rows, asked, logged and told.
//!
//! Forms differ in how they are read and in how they are written; between the two there is this one way.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use chasqui_registry::Micros;
use chasqui_runtime::Tensor;
use rand::RngExt;
use smallvec::SmallVec;

use super::Inference;
use super::execute::{Answered, Call, ask, log, tell};
use super::expect::{Findings, Warnings, check_records, check_tensors};
use super::records::Records;
use super::route::{Choice, Pin, choose};
use super::schema::{Plan, Schema};
use super::snapshot::{ServiceRoute, Target};
use crate::problem::Problem;

/// How far a caller's clock may be ahead of ours.
const MAX_AHEAD_SECONDS: i64 = 300;

/// Who asks what of whom: the same for all rows of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inquiry<'a> {
    /// What answers.
    pub inference: &'a Inference,
    /// The service.
    pub route: &'a Arc<ServiceRoute>,
    /// The version that is asked for.
    pub pin: Pin,
    /// The request.
    pub call: Call<'a>,
}

/// Whether rows without a key are one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// They are: one request, one version.
    Together,
    /// They are not: each line of a stream is sent its own way.
    Apart,
}

/// Rows of one request that one version answers.
struct Group<'r> {
    choice: Choice<'r>,
    rows: Vec<usize>,
    entities: SmallVec<[u64; 1]>,
}

/// The rows of one request and their answers, which are logged and may leave.
pub(super) struct Asked {
    answers: Vec<(Answered, SmallVec<[u64; 1]>)>,
    /// By row: the position of its answer and the row in there.
    places: Vec<(usize, usize)>,
}

impl<'a> Inquiry<'a> {
    /// The version whose signature requests follow.
    pub(super) fn target(&self) -> Result<&'a Arc<Target>, Problem> {
        self.route.target(self.pin)
    }

    /// What records look like; `None` when the inputs are not named columns.
    pub(super) fn schema(&self) -> Result<Option<&'a Schema>, Problem> {
        match self.pin {
            Pin::None => Ok(self.route.schema.as_ref()),
            Pin::Version(_) => Ok(self.target()?.schema.as_ref()),
        }
    }

    /// What records look like, for a form that has nothing else.
    pub(super) fn records_only(&self) -> Result<&'a Schema, Problem> {
        self.schema()?.ok_or_else(|| {
            let name = &self.route.name;
            Problem::unprocessable(format!(
                "the inputs of `{name}` are not named columns; send tensors to /v2/models/{name}/infer"
            ))
        })
    }

    /// The same as of the moment that its rows are about. It may lie in the past, but not in the future: windows of
    /// monitoring end when a later one begins.
    pub(super) fn at(mut self, at: Option<Micros>) -> Result<Self, Problem> {
        let at = at.unwrap_or(self.call.at);
        if at.0 < 0 || at > self.call.now.plus_seconds(MAX_AHEAD_SECONDS) {
            return Err(Problem::unprocessable("`at` must lie between 1970 and now"));
        }
        self.call.at = at;
        Ok(self)
    }

    /// Looks at what the service expects of records.
    pub(super) fn check(&self, schema: &Schema, records: &mut Records<'_>) -> Result<Warnings, Problem> {
        check_records(self.target()?.expected.as_ref(), self.findings(), schema, records)
    }

    fn findings(&self) -> Findings<'a> {
        Findings::new(self.route.name.as_str(), &self.inference.metrics)
    }

    /// Asks about records that are as expected.
    pub(super) fn ask(
        &self,
        schema: &Schema,
        records: &Records<'_>,
        spread: Spread,
    ) -> Result<Asked, Problem> {
        let groups = match self.pin {
            Pin::None => grouped(self.route, schema, records, spread),
            Pin::Version(_) => {
                vec![whole(Choice { target: self.target()?, trial: None, entity: 0 }, records.rows)]
            }
        };
        let answers: Result<Vec<Answered>, Problem> =
            groups.iter().map(|group| self.compute(schema, records, group)).collect();
        let mut asked = Asked { answers: Vec::with_capacity(groups.len()), places: Vec::new() };
        asked.places.resize(records.rows, (0, 0));
        // Nothing is logged before all versions have answered: of a refused request there is no prediction.
        for (position, (group, mut answered)) in groups.into_iter().zip(answers?).enumerate() {
            for (place, row) in group.rows.iter().enumerate() {
                asked.places[*row] = (position, place);
            }
            let key_of = |row: usize| -> Option<Cow<'_, str>> { records.key(schema, group.rows[row]) };
            log(self.inference, &mut answered, &self.call, &key_of)?;
            asked.answers.push((answered, group.entities));
        }
        Ok(asked)
    }

    fn compute(
        &self,
        schema: &Schema,
        records: &Records<'_>,
        group: &Group<'_>,
    ) -> Result<Answered, Problem> {
        let is_pinned = self.pin != Pin::None;
        let mut build = |target: &Target| -> Result<Vec<Tensor>, String> {
            let plan: Option<&Plan> = if is_pinned { target.own_plan.as_ref() } else { target.plan.as_ref() };
            let plan = plan.ok_or("this version does not take the fields of the service")?;
            plan.tensors(&records.cells, schema.fields.len(), &group.rows)
        };
        ask(self.inference, self.route, &group.choice, &group.entities, &self.call, &mut build)
    }

    /// Asks about tensors in the signature's order, which are all of one entity.
    pub(super) fn ask_tensors(
        &self,
        inputs: Vec<Tensor>,
        key: Option<&str>,
    ) -> Result<(Asked, Warnings), Problem> {
        let (answered, entity, warnings) = self.ask_whole(inputs, key, |_, _| Ok(()))?;
        let places = (0..answered.ids.len()).map(|row| (0, row)).collect();
        Ok((Asked { answers: vec![(answered, SmallVec::from_elem(entity, 1))], places }, warnings))
    }

    /// The same, with the entity. What `in_time` refuses is not logged.
    pub(super) fn ask_whole(
        &self,
        mut inputs: Vec<Tensor>,
        key: Option<&str>,
        in_time: impl FnOnce(&Answered, u64) -> Result<(), Problem>,
    ) -> Result<(Answered, u64, Warnings), Problem> {
        let Self { inference, route, pin, ref call } = *self;
        let target = self.target()?;
        let signature = &target.version.signature;
        let warnings = check_tensors(target.expected.as_ref(), self.findings(), signature, &mut inputs, key)?;
        let choice = match pin {
            Pin::None => choose(route, key, rand::rng().random()),
            Pin::Version(_) => Choice { target, trial: None, entity: 0 },
        };
        let may_fall_back = !Arc::ptr_eq(choice.target, &route.stable) && pin == Pin::None;
        let mut build = |_: &Target| -> Result<Vec<Tensor>, String> {
            // The tensors are given away; only a canary's may be needed a second time.
            Ok(if may_fall_back { inputs.clone() } else { std::mem::take(&mut inputs) })
        };
        let mut answered = ask(inference, route, &choice, &[choice.entity], call, &mut build)?;
        in_time(&answered, choice.entity)?;
        let key_of = |_: usize| -> Option<Cow<'_, str>> { key.map(Cow::Borrowed) };
        log(inference, &mut answered, call, &key_of)?;
        Ok((answered, choice.entity, warnings))
    }
}

impl Asked {
    /// The answer of each row, in the order of the request, and the row in it.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Answered, usize)> {
        self.places.iter().map(|(answer, row)| (&self.answers[*answer].0, *row))
    }

    /// One version's number, or several separated by commas.
    pub(super) fn version(&self) -> HeaderValue {
        if let [(one, _)] = self.answers.as_slice() {
            return one.target.header.clone();
        }
        let mut numbers: Vec<i64> =
            self.answers.iter().map(|(answered, _)| answered.target.version.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let text = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The rollout that routed any of them.
    pub(super) fn rollout(&self) -> Option<HeaderValue> {
        self.answers.iter().find_map(|(answered, _)| answered.rollout.clone())
    }

    /// Hands everything to the counting thread.
    pub(super) fn tell(self, inquiry: &Inquiry<'_>) {
        for (answered, entities) in self.answers {
            tell(inquiry.inference, inquiry.route, answered, &entities, &inquiry.call);
        }
    }
}

fn whole(choice: Choice<'_>, rows: usize) -> Group<'_> {
    let entities = SmallVec::from_elem(choice.entity, 1);
    Group { choice, rows: (0..rows).collect(), entities }
}

/// Rows of one entity stay together; otherwise each row goes where its own key sends it.
fn grouped<'r>(
    route: &'r ServiceRoute,
    schema: &Schema,
    records: &Records<'_>,
    spread: Spread,
) -> Vec<Group<'r>> {
    let mut random = rand::rng();
    if route.canary.is_none() {
        return vec![whole(choose(route, None, 0), records.rows)];
    }
    if records.rows == 1 || spread == Spread::Together && records.has_one_key(schema) {
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
