//! `chasqui demo`: the whole loop on generated data, through the server that everybody uses.
//!
//! Nothing here is privileged: after the server has started, every step is a call of its HTTP API, and a step
//! counts only when the server's own answers show that it happened.

mod chain;
mod faulty;
mod story;
mod summary;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chasqui_registry::clock::SystemClock;

use crate::cli::output;
use crate::client::Client;
use crate::config::{Config, Flags};
use crate::{app, telemetry};

pub use summary::Summary;

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder for its data; a temporary one, removed at the end, when absent
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of HTTP; a free port of loopback when absent
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// End after the summary instead of going on serving
    #[arg(long)]
    pub once: bool,
}

/// Runs the demo. True when every step really happened.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let temporary = options.data_dir.is_none();
    let folder = options.data_dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("chasqui-demo-{}", uuid::Uuid::now_v7().simple()))
    });
    let flags = Flags { data_dir: Some(folder.clone()), ..Flags::default() };
    let mut config = Config::load(&flags)?;
    config.grpc_listen = None;
    config.listen = options.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    // The story is told by a client of its own, on loopback.
    (config.tls_certificate, config.tls_key) = (None, None);
    // The bad candidate panics by design, and the summary tells what became of it.
    config.log = format!("error,{}=off", telemetry::PANIC);
    telemetry::install(&config)?;
    let key = config.admin_key.clone();
    let mut running = app::start(config, Arc::new(SystemClock)).await?;
    let key = match (&running.new_admin_key, &key) {
        (Some(made), _) => made.expose().to_owned(),
        (None, Some(given)) => given.0.clone(),
        (None, None) => anyhow::bail!(
            "{} was used before: give its admin key in CHASQUI_ADMIN_KEY, or another --data-dir",
            folder.display()
        ),
    };
    let client = Client::new(&format!("http://{}", running.address), &key)?;
    let told = story::tell(&client).await;
    let complete = match &told {
        Ok(summary) => {
            summary.print();
            summary.complete()
        }
        Err(error) => {
            output::note(format!("the demo broke off: {error:#}"));
            false
        }
    };
    if !options.once && complete {
        output::line(format!("\nThe server goes on at {} until Ctrl-C. API key: {key}", client.address("/")));
        running.wait_for_signal().await?;
    }
    running.stop().await?;
    if temporary && (options.once || complete) {
        std::fs::remove_dir_all(&folder)?;
    } else {
        output::note(format!("its data stay in {}", folder.display()));
    }
    Ok(complete)
}
