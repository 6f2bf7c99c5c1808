//! `inference.GRPCInferenceService`: each call is what the REST endpoint of the same name is.

mod describe;
mod predict;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::gate::Caller;
use super::messages::inference::grpc_inference_service_server::GrpcInferenceService;
use super::messages::inference::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStatisticsRequest,
    ModelStatisticsResponse, ModelStreamInferResponse, RepositoryIndexRequest, RepositoryIndexResponse,
    RepositoryModelLoadRequest, RepositoryModelLoadResponse, RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest,
    ServerMetadataResponse, ServerReadyRequest, ServerReadyResponse,
};
use super::status;
use crate::api::oip::{self, repository::cannot_override};
use crate::app::App;
use crate::auth::Identity;
use crate::inference::Pin as VersionPin;
use crate::problem::Problem;

type Answer<T> = Result<Response<T>, Status>;

/// Answers calls.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    app: Arc<App>,
    closing: watch::Receiver<bool>,
}

impl Calls {
    /// Answers for this server.
    pub(super) fn new(app: Arc<App>, closing: watch::Receiver<bool>) -> Self {
        Self { app, closing }
    }
}

/// The version that a call asks for; an empty text leaves it open.
fn pin(version: &str) -> Result<VersionPin, Problem> {
    if version.is_empty() { Ok(VersionPin::None) } else { oip::version(version) }
}

fn told<T>(result: Result<T, Problem>) -> Answer<T> {
    result.map(Response::new).map_err(|problem| status::of(&problem))
}

/// Who calls; the gate has put it there.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| status::of(&Problem::unauthorized("a key is needed")))
}

fn identity<T>(request: &Request<T>) -> Result<Identity, Status> {
    caller(request)?.identity.ok_or_else(|| status::of(&Problem::unauthorized("a key is needed")))
}

#[tonic::async_trait]
impl GrpcInferenceService for Calls {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Answer<ServerLiveResponse> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Answer<ServerReadyResponse> {
        Ok(Response::new(ServerReadyResponse { ready: self.app.is_ready() }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Answer<ModelReadyResponse> {
        let ModelReadyRequest { name, version } = request.into_inner();
        let ready = pin(&version).and_then(|pin| self.app.inference.is_ready(&name, pin));
        told(ready.map(|ready| ModelReadyResponse { ready }))
    }

    async fn server_metadata(&self, _: Request<ServerMetadataRequest>) -> Answer<ServerMetadataResponse> {
        Ok(Response::new(ServerMetadataResponse {
            name: "chasqui".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            extensions: oip::EXTENSIONS.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn model_metadata(&self, request: Request<ModelMetadataRequest>) -> Answer<ModelMetadataResponse> {
        let ModelMetadataRequest { name, version } = request.into_inner();
        told(describe::metadata(&self.app, &name, &version))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Answer<ModelInferResponse> {
        let caller = caller(&request)?;
        let answered = predict::answer(&self.app, &caller, request.into_inner()).await;
        answered.map(predict::response).map_err(|problem| status::of(&problem))
    }

    type ModelStreamInferStream =
        Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<ModelInferRequest>>,
    ) -> Answer<Self::ModelStreamInferStream> {
        let caller = caller(&request)?;
        let questions = request.into_inner();
        Ok(Response::new(predict::stream(Arc::clone(&self.app), caller, questions, self.closing.clone())))
    }

    async fn model_config(&self, request: Request<ModelConfigRequest>) -> Answer<ModelConfigResponse> {
        let ModelConfigRequest { name, version } = request.into_inner();
        told(describe::configuration(&self.app, &name, &version))
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Answer<ModelStatisticsResponse> {
        let ModelStatisticsRequest { name, version } = request.into_inner();
        told(describe::statistics(&self.app, &name, &version))
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Answer<RepositoryIndexResponse> {
        Ok(Response::new(describe::index(&self.app, request.into_inner().ready)))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Answer<RepositoryModelLoadResponse> {
        let who = identity(&request)?;
        let RepositoryModelLoadRequest { model_name, parameters, .. } = request.into_inner();
        if let Some(parameter) = parameters.keys().next() {
            return Err(status::of(&cannot_override(parameter)));
        }
        let loaded = self.app.inference.set_loaded(&who.actor, &model_name, true).await;
        told(loaded.map(|()| RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Answer<RepositoryModelUnloadResponse> {
        let who = identity(&request)?;
        let model_name = request.into_inner().model_name;
        let unloaded = self.app.inference.set_loaded(&who.actor, &model_name, false).await;
        told(unloaded.map(|()| RepositoryModelUnloadResponse {}))
    }
}
