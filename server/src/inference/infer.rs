//! Answers tensor requests of the Open Inference Protocol, by whatever wire they come: REST or gRPC reads the
//! request and writes the answer, everything between is here.

mod json_answer;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use chasqui_runtime::{DataType, Signature, Tensor};
use uuid::Uuid;

use super::execute::{Answered, Call, MOST_IDS, overran, tell};
use super::expect::Warnings;
use super::route::Pin;
use super::rows::Inquiry;
use super::snapshot::ServiceRoute;
use super::tensors::{InferRequest, top};
use super::{Inference, tensors};
use crate::problem::Problem;

pub use self::json_answer::JsonAnswer;

/// Who is asked, and how.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The service.
    pub route: &'a Arc<ServiceRoute>,
    /// The version, when one is asked for.
    pub pin: Pin,
    /// The request apart from its body.
    pub call: &'a Call<'a>,
}

/// What a request was answered with, and by whom.
#[derive(Debug)]
pub struct Inferred<T> {
    /// The answer as it was written.
    pub written: T,
    /// `x-model-version`.
    pub version: HeaderValue,
    /// `x-rollout-id`.
    pub rollout: Option<HeaderValue>,
}

/// An answer for whoever writes it down.
#[derive(Debug)]
pub struct Outcome<'a> {
    route: &'a ServiceRoute,
    request: &'a InferRequest<'a>,
    /// What the positions of the request mean.
    asked: &'a Signature,
    answered: &'a Answered,
    warnings: &'a Warnings,
}

/// One output that was asked for.
#[derive(Debug)]
pub struct Output<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its elements are on the wire.
    pub datatype: DataType,
    /// The elements; those of an `FP16` are carried as single-precision numbers.
    pub tensor: Cow<'a, Tensor>,
    /// Whether it goes behind the JSON.
    pub is_binary: bool,
}

/// Answers one request; see [`super::friendly::answer`] for where it may run. `read` is given the signature and the
/// most rows, `write` what to answer; when it is called, the predictions are in the log.
pub(super) fn answer<'r, T>(
    inference: &Inference,
    ask_of: &Ask<'_>,
    read: impl FnOnce(&Signature, usize) -> Result<InferRequest<'r>, Problem>,
    write: impl FnOnce(&Outcome<'_>) -> T,
) -> Result<Inferred<T>, Problem> {
    let Ask { route, pin, call } = *ask_of;
    let target = route.target(pin)?;
    let signature = &target.version.signature;
    let mut request = read(signature, inference.limits.rows)?;
    let deadline = Deadline::of(&request, call);
    deadline.check("before the model was asked")?;
    let call = &Call { until: deadline.at, ..*call };
    let inquiry = Inquiry { inference, route, pin, call: *call };
    let inputs = std::mem::take(&mut request.inputs);
    let (answered, entity, warnings) =
        inquiry.ask_whole(inputs, request.key.as_deref(), |answered, entity| {
            let in_time = deadline.check("while the model computed");
            in_time.inspect_err(|_| overran(inference, route, answered, &[entity], call))
        })?;
    let outcome =
        Outcome { route, request: &request, asked: signature, answered: &answered, warnings: &warnings };
    let inferred = Inferred {
        written: write(&outcome),
        version: answered.target.header.clone(),
        rollout: answered.rollout.clone(),
    };
    tell(inference, route, answered, &[entity], call);
    Ok(inferred)
}

/// Until when the caller waits.
struct Deadline {
    at: Option<Instant>,
    timeout: Duration,
}

impl Deadline {
    fn of(request: &InferRequest<'_>, call: &Call<'_>) -> Self {
        let timeout = request.timeout.unwrap_or_default();
        // One that lies beyond what a clock can tell is none.
        let at = request.timeout.and_then(|timeout| call.received().checked_add(timeout));
        Self { at, timeout }
    }

    /// A model that computes is not interrupted, but nobody is given an answer that is too late.
    fn check(&self, when: &str) -> Result<(), Problem> {
        let is_over = self.at.is_some_and(|at| Instant::now() > at);
        if !is_over {
            return Ok(());
        }
        let microseconds = self.timeout.as_micros();
        Err(Problem::timed_out(format!(
            "the timeout of {microseconds} µs ended {when}; nothing was predicted"
        )))
    }
}

impl<'a> Outcome<'a> {
    /// The service.
    pub fn service(&self) -> &'a str {
        self.route.name.as_str()
    }

    /// The version that answered.
    pub fn version(&self) -> i64 {
        self.answered.target.version.number
    }

    /// The caller's id.
    pub fn id(&self) -> Option<&'a str> {
        self.request.id.as_deref()
    }

    /// The ids under which outcomes can be sent; none when they are too many to tell.
    pub fn prediction_ids(&self) -> &'a [Uuid] {
        if self.answered.ids.len() <= MOST_IDS { &self.answered.ids } else { &[] }
    }

    /// The first thing that was not as expected, and how many there are.
    pub fn warning(&self) -> Option<(&'a str, usize)> {
        self.warnings.told.first().map(|first| (first.message.as_str(), self.warnings.count))
    }

    /// Elements of all outputs of the model, an idea of the answer's size.
    fn elements(&self) -> usize {
        self.answered.outputs.iter().map(|output| output.data.len()).sum()
    }

    /// The outputs that were asked for, in that order.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'a>> {
        let (asked, answered) = (self.asked, self.answered);
        let signature = &answered.target.version.signature;
        self.request.outputs.iter().filter_map(move |wanted| {
            let name = asked.outputs.get(wanted.place)?.name.as_str();
            // A canary may give the same outputs in another order.
            let place = if std::ptr::eq(signature, asked) {
                wanted.place
            } else {
                signature.outputs.iter().position(|spec| spec.name == name)?
            };
            let tensor = answered.outputs.get(place)?;
            Some(output(name, signature, place, tensor, *wanted))
        })
    }
}

fn output<'a>(
    name: &'a str,
    signature: &Signature,
    place: usize,
    tensor: &'a Tensor,
    wanted: tensors::Wanted,
) -> Output<'a> {
    let is_binary = wanted.is_binary;
    if wanted.classes > 0 {
        let is_scores = signature.roles.scores == Some(place);
        let labels = if is_scores { signature.classes.as_slice() } else { &[] };
        let told = top(tensor, wanted.classes, labels);
        return Output { name, datatype: told.datatype(), tensor: Cow::Owned(told), is_binary };
    }
    let is_half = signature.outputs.get(place).is_some_and(|spec| spec.datatype == DataType::Fp16);
    let datatype = if is_half { DataType::Fp16 } else { tensor.datatype() };
    Output { name, datatype, tensor: Cow::Borrowed(tensor), is_binary }
}
