//! Puts a server together, runs it and takes it apart again.
//!
//! Order of the start: folders, database, keys, prediction log, the tasks of inference, HTTP, gRPC; jobs last. It is
//! ready when routing is loaded. Order of the end: not ready any more; new requests are still answered while
//! load balancers notice; connections end with their answers; then counts, sketches and the log are written.

mod gauges;
mod secret;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use anyhow::Context;
use chasqui_pipelines::WorkerHandle;
use chasqui_pipelines::jobs::JobStore;
use chasqui_pipelines::queue::{Queue, QueueConfig};
use chasqui_registry::db::Engine;
use chasqui_registry::prediction_log::{Log, LogConfig, Pseudonymiser};
use chasqui_registry::user::Secret;
use chasqui_registry::{Clock, Registry};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::auth::KeyRing;
use crate::config::Config;
use crate::grpc::Grpc;
use crate::inference::Inference;
use crate::metrics::Metrics;
use crate::{api, edge, work};

/// What handlers need.
#[derive(Debug)]
pub struct App {
    /// How it is configured.
    pub config: Config,
    /// What exists.
    pub registry: Registry,
    /// Jobs.
    pub jobs: JobStore,
    /// Predictions.
    pub inference: Arc<Inference>,
    /// The prediction log of this process.
    pub log: Arc<Log>,
    /// Who may ask.
    pub keys: KeyRing,
    /// What is measured.
    pub metrics: Metrics,
    /// Large uploads wait for their turn here.
    pub uploads: Semaphore,
    draining: AtomicBool,
}

impl App {
    /// Whether requests should go elsewhere now.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether requests can be answered and should come here.
    pub fn is_ready(&self) -> bool {
        !self.is_draining() && self.inference.is_loaded()
    }
}

/// Opens what every command works on: database and storage as configured.
pub async fn open_registry(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Registry> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot create the data folder {}", config.data_dir.display()))?;
    let storage = config.storage()?;
    Registry::open(&config.database(), &storage, clock)
        .await
        .context("cannot open the database or the storage")
}

/// Opens the queue of jobs beside the registry's database.
pub async fn open_queue(config: &Config, registry: &Registry) -> anyhow::Result<Queue> {
    let queue = match registry.db.engine() {
        Engine::Sqlite => QueueConfig::Sqlite(config.data_dir.join("queue.db")),
        Engine::Postgres => QueueConfig::Postgres(config.database()),
    };
    Queue::open(&queue).await.context("cannot open the queue of jobs")
}

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// Where it listens; the port is the real one when 0 was configured.
    pub address: SocketAddr,
    /// A new admin key, to be shown once.
    pub new_admin_key: Option<Secret>,
    /// What its handlers use.
    pub app: Arc<App>,
    http: ServerHandle,
    http_task: JoinHandle<std::io::Result<()>>,
    grpc: Option<Grpc>,
    worker: Option<WorkerHandle>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a server. Must run inside a Tokio runtime that outlives it.
pub async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let listener =
        TcpListener::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let grpc = config.grpc_listen.map(Grpc::bind).transpose()?;
    let (app, queue, new_admin_key) = assemble(config, clock).await?;
    let (stop, stopped) = watch::channel(false);
    let certificate = tls::Certificate::open(&app.config)?;
    let server = http_server(&app, listener, certificate.as_ref())?;
    let http = server.handle();
    let http_task = tokio::spawn(server);
    let grpc = grpc.map(|listener| Grpc::start(&app, listener)).transpose()?;
    let worker = if app.config.worker {
        Some(work::start(&app.config, app.registry.clone(), queue, Some(Arc::clone(&app.log))).await?)
    } else {
        None
    };
    let mut tasks = vec![
        tokio::spawn(gauges::keep(Arc::clone(&app), stopped.clone())),
        tokio::spawn(seal_regularly(Arc::clone(&app), stopped.clone())),
        tokio::spawn(refresh_keys(Arc::clone(&app), stopped.clone())),
    ];
    let scheme = if certificate.is_some() { "https" } else { "http" };
    tasks.extend(certificate.map(|certificate| tokio::spawn(certificate.follow(stopped))));
    tracing::info!(address = %address, "listening on {scheme}://{address}");
    Ok(Running { address, new_admin_key, app, http, http_task, grpc, worker, stop, tasks })
}

async fn assemble(
    config: Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(Arc<App>, Queue, Option<Secret>)> {
    let registry = open_registry(&config, Arc::clone(&clock)).await?;
    let secret = secret::load(&config, &registry).await?;
    let keys = KeyRing::open(registry.clone(), &secret).await?;
    let new_admin_key = keys.ensure_admin(config.admin_key.as_ref().map(|key| key.0.as_str())).await?;
    let log_config = LogConfig::new(clock, Pseudonymiser::new(&secret));
    let folder = config.log_dir();
    let log = tokio::task::spawn_blocking(move || Log::open(folder, log_config)).await??;
    let log = Arc::new(log);
    let metrics = Metrics::new().context("the metrics clash")?;
    let boot = registry.now().new_id().to_string();
    let inference =
        Inference::start(registry.clone(), Arc::clone(&log), config.limits.clone(), metrics.clone(), boot)?;
    let queue = open_queue(&config, &registry).await?;
    let app = App {
        jobs: JobStore::new(registry.clone(), queue.clone()),
        uploads: Semaphore::new(config.limits.uploads.max(1)),
        draining: AtomicBool::new(false),
        config,
        registry,
        inference,
        log,
        keys,
        metrics,
    };
    Ok((Arc::new(app), queue, new_admin_key))
}

fn http_server(
    app: &Arc<App>,
    listener: TcpListener,
    certificate: Option<&Arc<tls::Certificate>>,
) -> anyhow::Result<actix_web::dev::Server> {
    let data = web::Data::from(Arc::clone(app));
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(data.clone())
            .app_data(web::PathConfig::default().error_handler(|error, _| api::bad_path(&error)))
            .wrap(from_fn(edge::handle))
            .configure(api::routes)
            .default_service(web::to(api::not_found))
    });
    let server = server
        .workers(app.config.threads())
        .keep_alive(Duration::from_secs(app.config.keep_alive_seconds))
        .client_request_timeout(Duration::from_secs(30))
        .shutdown_timeout(app.config.shutdown_seconds)
        .disable_signals();
    let server = match certificate {
        None => server.listen(listener),
        Some(certificate) => server.listen_rustls_0_23(listener, certificate.server_config()?),
    };
    let server = server.context("cannot serve HTTP")?;
    Ok(server.run())
}

impl Running {
    /// Where it listens for gRPC, if it does.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(|grpc| grpc.address)
    }

    /// Waits for SIGTERM or SIGINT, or for the server to fail.
    pub async fn wait_for_signal(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            ended = &mut self.http_task => {
                ended.context("the HTTP server panicked")?.context("the HTTP server failed")
            }
            signal = signal() => signal,
        }
    }

    /// Ends it without failing a request, and writes everything down.
    pub async fn stop(self) -> anyhow::Result<()> {
        let app = &self.app;
        tracing::info!("ending: not ready any more, requests in progress are finished");
        app.draining.store(true, Ordering::Relaxed);
        let _ = self.stop.send(true);
        tokio::time::sleep(Duration::from_secs(app.config.drain_seconds)).await;
        let grpc = async {
            if let Some(grpc) = self.grpc {
                grpc.stop().await;
            }
        };
        tokio::join!(self.http.stop(true), grpc);
        for task in self.tasks {
            task.abort();
        }
        Arc::clone(&app.inference).finish().await;
        if let Some(worker) = self.worker {
            worker.shutdown().await;
        }
        app.keys.write_usage().await;
        match app.log.seal_all(&app.registry).await {
            Ok(sealed) => tracing::info!(log.records = sealed.records, "the prediction log is sealed"),
            Err(error) => {
                tracing::warn!(error = %error, "the prediction log stays local; the next start seals it");
            }
        }
        app.registry.db.close().await;
        tracing::info!("ended");
        Ok(())
    }
}

/// Waits for the operating system to ask for the end.
pub async fn signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Brings closed segments of the log into object storage. The log is this process's own, worker or not.
async fn seal_regularly(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    while !wait(Duration::from_secs(1), &mut stopped).await {
        if let Err(error) = app.log.seal(&app.registry).await {
            tracing::warn!(error = %error, "the prediction log could not be sealed; it is tried again");
        }
    }
}

/// Keys made or revoked on another replica work or fail here within the poll.
async fn refresh_keys(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut polls: u32 = 0;
    while !wait(crate::inference::POLL, &mut stopped).await {
        if let Err(error) = app.keys.refresh().await {
            tracing::warn!(error = %error, "the keys could not be read; the last ones work");
        }
        polls = polls.wrapping_add(1);
        // Once a minute, at four polls a second.
        if polls.is_multiple_of(240) {
            app.keys.write_usage().await;
        }
    }
}

/// Waits; says whether the server is ending.
pub(crate) async fn wait(time: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(time, stopped.wait_for(|stopped| *stopped)).await.is_ok()
}
