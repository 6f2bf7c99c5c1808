//! Predictions: one call, or a stream of them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, stream};
use prost::Message;
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status, Streaming};

use super::pin;
use crate::app::App;
use crate::grpc::gate::Caller;
use crate::grpc::messages::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use crate::grpc::{answer as message, closed, request, status};
use crate::inference::{Ask, Inferred};
use crate::problem::Problem;

type Answered = Inferred<ModelInferResponse>;

/// Answers one message, here or on a thread of its own.
pub(super) async fn answer(
    app: &Arc<App>,
    caller: &Caller,
    message: ModelInferRequest,
) -> Result<Answered, Problem> {
    let received = Instant::now();
    let route = app.inference.route(&message.model_name)?;
    let pin = pin(&message.model_version)?;
    let bytes = message.encoded_len();
    let (work, caller, asked) = (Arc::clone(app), caller.clone(), Arc::clone(&route));
    let answered = app.inference.compute(&route, pin, bytes, move |turn| {
        let call = work.inference.call(caller.id.as_str(), received, turn);
        let is_raw = request::is_raw(&message);
        work.inference.infer(
            &Ask { route: &asked, pin, call: &call },
            |signature, most_rows| request::read(message, caller.timeout, signature, most_rows),
            |outcome| message::write(outcome, is_raw),
        )
    });
    answered.await
}

/// The answer with the version and the rollout as metadata, as HTTP has them in headers.
pub(super) fn response(answered: Answered) -> Response<ModelInferResponse> {
    let Inferred { written, version, rollout } = answered;
    let mut response = Response::new(written);
    for (name, value) in [("x-model-version", Some(version)), ("x-rollout-id", rollout)] {
        let value = value.and_then(|value| MetadataValue::try_from(value.as_bytes()).ok());
        if let Some(value) = value {
            response.metadata_mut().insert(name, value);
        }
    }
    response
}

/// A stream under way.
struct Exchange {
    app: Arc<App>,
    caller: Caller,
    questions: Streaming<ModelInferRequest>,
    closing: watch::Receiver<bool>,
}

/// Answers every message in its turn; one that cannot be answered does not end the stream.
pub(super) fn stream(
    app: Arc<App>,
    caller: Caller,
    questions: Streaming<ModelInferRequest>,
    closing: watch::Receiver<bool>,
) -> Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>> {
    let exchange = Exchange { app, caller, questions, closing };
    Box::pin(stream::unfold(Some(exchange), |exchange| async move { exchange?.next().await }))
}

type Next = Option<(Result<ModelStreamInferResponse, Status>, Option<Exchange>)>;

impl Exchange {
    async fn next(mut self) -> Next {
        let question = tokio::select! {
            question = self.questions.message() => question,
            () = closed(&mut self.closing) => {
                return Some((Err(Status::unavailable("the server is ending; connect again")), None));
            }
        };
        match question {
            Ok(Some(message)) => {
                let answered = one(&self.app, &self.caller, message).await;
                Some((Ok(answered), Some(self)))
            }
            Ok(None) => None,
            Err(status) => {
                let most_bytes = self.app.config.limits.predict_bytes;
                Some((Err(status::of_message(status, most_bytes)), None))
            }
        }
    }
}

/// The answer to one message of a stream.
async fn one(app: &Arc<App>, caller: &Caller, message: ModelInferRequest) -> ModelStreamInferResponse {
    let failed = ModelInferResponse {
        model_name: message.model_name.clone(),
        id: message.id.clone(),
        ..ModelInferResponse::default()
    };
    match answer(app, caller, message).await {
        Ok(answered) => {
            ModelStreamInferResponse { error_message: String::new(), infer_response: Some(answered.written) }
        }
        Err(problem) => ModelStreamInferResponse {
            error_message: problem.detail().to_owned(),
            infer_response: Some(failed),
        },
    }
}
