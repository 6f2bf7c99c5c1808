//! `config` and `doctor`: what an operator asks before the server is started, or when it does not start.
//!
//! Neither changes anything: what is not there yet is said, not made.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use chasqui_registry::clock::SystemClock;
use chasqui_registry::{Artifacts, Db, Registry};
use clap::Args;
use url::Url;

use super::output;
use crate::config::{Config, Flags};

/// `chasqui config`
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    flags: Flags,
}

/// `chasqui doctor`
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    flags: Flags,
}

impl Show {
    /// Prints the configuration in force as a `chasqui.toml`; secrets stay out of it.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut config = Config::load(&self.flags)?;
        config.database_url = config.database_url.map(|url| without_password(&url));
        output::line(toml::to_string(&config)?.trim_end());
        Ok(())
    }
}

impl Doctor {
    /// Looks at everything that the server needs; fails when something would keep it from working.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.flags)?;
        let mut findings = Findings::default();
        findings.add("data folder", folder(&config.data_dir));
        findings.add("address", address(config.listen));
        if let Some(listen) = config.grpc_listen {
            findings.add("gRPC address", address(listen));
        }
        let database = database(&config).await;
        findings
            .add("database", database.as_ref().map(|(_, seen)| seen.clone()).map_err(|e| format!("{e:#}")));
        let storage = storage(&config).await;
        findings.add("storage", storage.as_ref().map(|(_, seen)| seen.clone()).map_err(|e| format!("{e:#}")));
        if let (Ok((Some(db), _)), Ok((Some(artifacts), _))) = (database, storage) {
            let registry = Registry { db, artifacts, clock: Arc::new(SystemClock) };
            findings.add("admin key", admin_key(&registry, &config).await.map_err(|e| format!("{e:#}")));
            findings.add("audit log", audit(&registry).await.map_err(|e| format!("{e:#}")));
            registry.db.close().await;
        }
        findings.add("prediction log", segments(&config.log_dir()));
        findings.print()
    }
}

/// What was looked at, and how it is.
#[derive(Debug, Default)]
struct Findings(Vec<(&'static str, bool, String)>);

impl Findings {
    fn add(&mut self, what: &'static str, seen: Result<String, String>) {
        let is_well = seen.is_ok();
        self.0.push((what, is_well, seen.unwrap_or_else(|error| error)));
    }

    fn print(self) -> anyhow::Result<()> {
        let mark = |is_well: bool| if is_well { "ok" } else { "FAILS" };
        let rows: Vec<Vec<String>> = self
            .0
            .iter()
            .map(|(what, is_well, seen)| vec![(*what).into(), mark(*is_well).into(), seen.clone()])
            .collect();
        output::table(&["what", "state", "seen"], &rows);
        let failed = self.0.iter().filter(|(_, is_well, _)| !is_well).count();
        ensure!(failed == 0, "{failed} of {} checks failed", self.0.len());
        Ok(())
    }
}

/// Writes a file and deletes it, in the folder or, while there is none, where it would be made.
fn folder(path: &Path) -> Result<String, String> {
    let place = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let existing = place.ancestors().find(|folder| folder.exists()).unwrap_or(&place);
    let probe = existing.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"chasqui").and_then(|()| std::fs::remove_file(&probe));
    written.map_err(|error| format!("{} cannot be written: {error}", existing.display()))?;
    if existing == place {
        return Ok(format!("{} can be written", path.display()));
    }
    Ok(format!("{} is not there yet; `serve` makes it", path.display()))
}

/// A server that already runs there is no fault.
fn address(listen: SocketAddr) -> Result<String, String> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{listen} is taken: by a server that runs, or by another program"))
        }
        Err(error) => Err(format!("{listen} cannot be used: {error}")),
    }
}

async fn database(config: &Config) -> anyhow::Result<(Option<Db>, String)> {
    let url = config.database();
    if config.database_url.is_none() && !Path::new(&url).exists() {
        return Ok((None, format!("{url} is not there yet; `serve` makes it")));
    }
    let started = Instant::now();
    let shown = without_password(&url);
    let db = Db::connect(&url).await.with_context(|| format!("cannot connect to {shown}"))?;
    db.ping().await.with_context(|| format!("{shown} does not answer"))?;
    let seen = format!("{:?} at {shown} answers in {} ms", db.engine(), started.elapsed().as_millis());
    Ok((Some(db), seen))
}

/// Writes, reads and deletes an object of its own.
async fn storage(config: &Config) -> anyhow::Result<(Option<Artifacts>, String)> {
    let url = config.storage()?;
    if config.storage_url.is_none() && !config.data_dir.join("artifacts").exists() {
        return Ok((None, format!("{url} is not there yet; `serve` makes it")));
    }
    let artifacts = Artifacts::open(&url).await.with_context(|| format!("cannot open {url}"))?;
    let started = Instant::now();
    let path = format!("doctor/{}", uuid::Uuid::now_v7());
    let written = Bytes::from_static(b"chasqui doctor");
    artifacts.put_at(&path, written.clone()).await.with_context(|| format!("cannot write to {url}"))?;
    let read = artifacts.get_at(&path).await;
    artifacts.delete_at(&path).await.with_context(|| format!("cannot delete from {url}"))?;
    if read.with_context(|| format!("cannot read from {url}"))? != written {
        bail!("{url} gave back other bytes than were written");
    }
    let seen = format!("{url} wrote, read and deleted an object in {} ms", started.elapsed().as_millis());
    Ok((Some(artifacts), seen))
}

async fn admin_key(registry: &Registry, config: &Config) -> anyhow::Result<String> {
    let has_one = registry.has_admin_key().await.context("the keys cannot be read; run `chasqui migrate`")?;
    Ok(match (has_one, &config.admin_key) {
        (true, _) => "there is one".into(),
        (false, Some(_)) => "CHASQUI_ADMIN_KEY becomes the first one at the next start".into(),
        (false, None) => "none yet; the next start makes one and prints it once".into(),
    })
}

async fn audit(registry: &Registry) -> anyhow::Result<String> {
    let check = registry.verify_audit().await?;
    match check.broken_at {
        None => Ok(format!("{} entries, every hash holds", check.entries)),
        Some(at) => bail!("entry {at} does not continue the chain: the log was changed from outside"),
    }
}

/// Predictions that wait for object storage; a folder that is not there has none.
fn segments(folder: &Path) -> Result<String, String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok("empty".into()),
        Err(error) => return Err(format!("{} cannot be read: {error}", folder.display())),
    };
    let sizes: Vec<u64> = entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .collect();
    let bytes: u64 = sizes.iter().sum();
    Ok(format!("{} local files, {} kB that are on their way to storage", sizes.len(), bytes / 1000))
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if parsed.password().is_some() && parsed.set_password(Some("…")).is_ok() {
        return parsed.to_string();
    }
    url.to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_shown() {
        let shown = without_password("postgres://chasqui:hunter2@db:5432/chasqui");
        assert!(!shown.contains("hunter2") && shown.ends_with("@db:5432/chasqui"), "{shown}");
        assert_eq!(without_password("data/chasqui.db"), "data/chasqui.db");
    }
}
