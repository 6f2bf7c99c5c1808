//! The secret under which personal values are pseudonymised and sessions are signed; the same on every replica.
//!
//! Beside a local storage it is a file that only its owner can read; with a shared storage it is an object there,
//! made by the first replica, unless it is configured.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use chasqui_registry::{Error, Registry};
use rand::RngExt;

use crate::config::Config;

const OBJECT: &str = "secrets/pseudonym";
/// Two replicas that start together for the first time both write; after this both read what was last.
const SETTLE: Duration = Duration::from_millis(500);

/// Reads the secret, or makes it at the first start.
pub(super) async fn load(config: &Config, registry: &Registry) -> anyhow::Result<Vec<u8>> {
    if let Some(secret) = &config.secret {
        return Ok(secret.0.as_bytes().to_vec());
    }
    if config.storage_url.is_none() {
        return file(&config.data_dir.join("secret.key")).context("cannot read or write the file secret.key");
    }
    Ok(object(registry).await?.to_vec())
}

async fn object(registry: &Registry) -> chasqui_registry::Result<Bytes> {
    match registry.artifacts.get_at(OBJECT).await {
        Err(Error::NotFound(_)) => {
            registry.artifacts.put_at(OBJECT, Bytes::from(fresh())).await?;
            tokio::time::sleep(SETTLE).await;
            registry.artifacts.get_at(OBJECT).await
        }
        other => other,
    }
}

fn file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::read(path) {
        Ok(secret) if !secret.is_empty() => return Ok(secret),
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let secret = fresh();
    // Written beside and renamed: a crash leaves no half of it.
    let half = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut output = options.write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    output.write_all(&secret)?;
    output.sync_all()?;
    std::fs::rename(&half, path)?;
    Ok(secret)
}

fn fresh() -> Vec<u8> {
    rand::rng().random::<[u8; 32]>().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let first = file(&path).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(file(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
