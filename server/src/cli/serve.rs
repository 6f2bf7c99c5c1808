//! `serve`, `worker` and `migrate`: the commands that are the server rather than its clients.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use chasqui_registry::clock::{Clock, SystemClock};
use chasqui_registry::user::Secret;
use clap::Args;

use crate::config::{Config, Flags, grpc_listen};
use crate::{app, memory, telemetry, work};

/// `chasqui serve`
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    flags: Flags,
    /// Address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address and port of gRPC, or `off` [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS", value_parser = grpc_listen::parse)]
    grpc_listen: Option<grpc_listen::Choice>,
    /// Run no jobs here; another process does
    #[arg(long)]
    no_worker: bool,
}

/// `chasqui worker`
#[derive(Debug, Args)]
pub(super) struct Worker {
    #[command(flatten)]
    flags: Flags,
}

/// `chasqui migrate`
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut config = Config::load(&self.flags)?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(choice) = self.grpc_listen {
            config.grpc_listen = choice.0;
        }
        if self.no_worker {
            config.worker = false;
        }
        telemetry::install(&config)?;
        runtime()?.block_on(async {
            let mut running = app::start(config, clock()).await?;
            if let Some(secret) = &running.new_admin_key {
                show(secret)?;
            }
            let waited = running.wait_for_signal().await;
            running.stop().await?;
            waited
        })
    }
}

impl Worker {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.flags)?;
        telemetry::install(&config)?;
        runtime()?.block_on(async {
            let registry = app::open_registry(&config, clock()).await?;
            let queue = app::open_queue(&config, &registry).await?;
            let worker = work::start(&config, registry.clone(), queue, None).await?;
            tracing::info!("running jobs");
            app::signal().await?;
            worker.shutdown().await;
            registry.db.close().await;
            Ok(())
        })
    }
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.flags)?;
        telemetry::install(&config)?;
        runtime()?.block_on(async {
            let registry = app::open_registry(&config, clock()).await?;
            app::open_queue(&config, &registry).await?;
            registry.db.close().await;
            tracing::info!("the database is up to date");
            Ok(())
        })
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Runs a command that waits.
pub(super) fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    runtime()?.block_on(command)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    memory::return_what_is_freed();
    // Two parts of the program may install it; the first wins and both are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        .thread_name("chasqui")
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

/// Shows the first admin's key, once and on the standard output only: it is in no log.
fn show(secret: &Secret) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "Clave de administrador (se muestra solo esta vez): {}", secret.expose())?;
    output.flush()?;
    Ok(())
}
