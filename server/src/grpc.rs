//! The Open Inference Protocol over gRPC, on a port of its own; what a call means is where REST has it.
//!
//! [`listener`] takes connections, [`codec`] weighs messages, [`gate`] asks who calls, [`calls`] and [`health`] answer;
//! [`request`] and [`answer`] are the two ends of a prediction, and [`status`] is where problems become codes.

mod answer;
mod calls;
mod codec;
mod gate;
mod health;
mod listener;
mod messages;
mod request;
mod status;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_server::ServerHandle;
use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;

/// Returns when no more calls are taken.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Whoever would say so may be gone: that is an end too.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// A running gRPC server.
#[derive(Debug)]
pub(crate) struct Grpc {
    /// Where it listens; the port is the real one when 0 was configured.
    pub address: SocketAddr,
    closing: watch::Sender<bool>,
    server: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Grpc {
    /// Takes the port, so that whoever else has it is named before anything else begins.
    pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
        let unusable = || {
            format!("cannot listen on {address} for gRPC; `grpc_listen` says where, `off` says not at all")
        };
        TcpListener::bind(address).with_context(unusable)
    }

    /// Starts to take connections. Must run inside a Tokio runtime that outlives it.
    pub(crate) fn start(app: &Arc<App>, listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let gate = gate::Gate::new(Arc::clone(app), closed);
        let server = listener::server(listener, gate, app.config.threads(), app.config.shutdown_seconds)?;
        let handle = server.handle();
        let task = tokio::spawn(server);
        tracing::info!(address = %address, "listening on {address} for gRPC");
        Ok(Self { address, closing, server: handle, task })
    }

    /// Takes no more calls and waits for those in progress.
    pub(crate) async fn stop(self) {
        let _ = self.closing.send(true);
        self.server.stop(true).await;
        if !matches!(self.task.await, Ok(Ok(()))) {
            tracing::error!("the gRPC server did not end well");
        }
    }
}
