//! `grpc.health.v1`: of the server with an empty name or the protocol's, of a service with its own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::closed;
use super::gate::Caller;
use super::messages::health::health_check_response::ServingStatus;
use super::messages::health::{HealthCheckRequest, HealthCheckResponse, health_server};
use crate::app::App;
use crate::inference;

/// How often a watched state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The name under which the protocol's own service is asked for.
const PROTOCOL: &str = "inference.GRPCInferenceService";

/// Answers for the server's health.
#[derive(Debug, Clone)]
pub(super) struct Health {
    app: Arc<App>,
    closing: watch::Receiver<bool>,
}

impl Health {
    /// The health of this server.
    pub(super) fn new(app: Arc<App>, closing: watch::Receiver<bool>) -> Self {
        Self { app, closing }
    }

    fn state(&self, service: &str) -> ServingStatus {
        let is_serving = if service.is_empty() || service == PROTOCOL {
            self.app.is_ready()
        } else {
            match self.app.inference.is_ready(service, inference::Pin::None) {
                Ok(is_ready) => is_ready && !self.app.is_draining(),
                Err(_) => return ServingStatus::ServiceUnknown,
            }
        };
        if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

/// Whoever asks for a service by name learns that it exists, and needs a key for that.
fn named(request: Request<HealthCheckRequest>) -> Result<String, Status> {
    let is_known = request.extensions().get::<Caller>().is_some_and(|caller| caller.identity.is_some());
    let service = request.into_inner().service;
    if is_known || service.is_empty() || service == PROTOCOL {
        return Ok(service);
    }
    Err(Status::unauthenticated("a key is needed to ask for a service by its name"))
}

/// A watch under way.
struct Watch {
    health: Health,
    service: String,
    told: Option<ServingStatus>,
}

impl Watch {
    /// The next state that differs from the last one told; nothing more when the server ends.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            let state = self.health.state(&self.service);
            if self.told != Some(state) {
                self.told = Some(state);
                return Some((Ok(HealthCheckResponse { status: state.into() }), self));
            }
            let ends = closed(&mut self.health.closing);
            if tokio::time::timeout(LOOK_EVERY, ends).await.is_ok() {
                return None;
            }
        }
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.state(&named(request)?) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("this service does not exist")),
            state => Ok(Response::new(HealthCheckResponse { status: state.into() })),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch { health: self.clone(), service: named(request)?, told: None };
        Ok(Response::new(Box::pin(stream::unfold(watch, Watch::next))))
    }
}
