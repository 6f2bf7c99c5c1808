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
use std::time::Duration;

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
    task: JoinHandle<()>,
}

impl Grpc {
    /// Takes the port, so that whoever else has it is named before anything else begins.
    pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
        let unusable = || {
            format!("cannot listen on {address} for gRPC; `grpc_listen` says where, `off` says not at all")
        };
        let listener = TcpListener::bind(address).with_context(unusable)?;
        listener.set_nonblocking(true).with_context(unusable)?;
        Ok(listener)
    }

    /// Starts to take connections. Must run inside a Tokio runtime that outlives it.
    pub(crate) fn start(app: &Arc<App>, listener: TcpListener) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let gate = gate::Gate::new(Arc::clone(app), closed.clone());
        let patience = Duration::from_secs(app.config.shutdown_seconds);
        let task = tokio::spawn(listener::accept(listener, gate, closed, patience));
        tracing::info!(address = %address, "listening on {address} for gRPC");
        Ok(Self { address, closing, task })
    }

    /// Takes no more calls and waits for those in progress.
    pub(crate) async fn stop(self) {
        let _ = self.closing.send(true);
        if self.task.await.is_err() {
            tracing::error!("the gRPC server panicked");
        }
    }
}
