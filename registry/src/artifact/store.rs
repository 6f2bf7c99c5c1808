//! From a storage URL to an object store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use url::Url;

use crate::{Error, Result};

type Settings = Vec<(String, String)>;

/// The variables that the clouds' own tools read. Others are left out: the builders take short forms too,
/// and `REGION` or `TOKEN` may mean anything.
pub(super) fn settings_of_environment() -> Settings {
    let prefixes = ["AWS_", "GOOGLE_", "AZURE_"];
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| prefixes.iter().any(|prefix| key.starts_with(prefix)))
        .collect()
}

/// Opens the store of a URL; also says whether reading back from it is free.
pub(super) async fn open(url: &str, settings: Settings) -> Result<(Arc<dyn ObjectStore>, bool)> {
    let url =
        Url::parse(url).map_err(|error| Error::Invalid(format!("the storage URL is wrong: {error}")))?;
    match url.scheme() {
        "memory" => Ok((Arc::new(InMemory::new()), true)),
        "file" => Ok((Arc::new(open_folder(&url).await?), true)),
        "s3" | "s3a" | "gs" | "az" => Ok((open_cloud(&url, &settings)?, false)),
        other => Err(Error::Invalid(format!(
            "the storage URL starts with `{other}:`; use file://, s3://, gs://, az:// or memory://"
        ))),
    }
}

async fn open_folder(url: &Url) -> Result<LocalFileSystem> {
    let folder: PathBuf = url
        .to_file_path()
        .map_err(|()| Error::Invalid("the storage URL must have an absolute path: file:///folder".into()))?;
    let failed = |error: &dyn std::fmt::Display| {
        Error::Invalid(format!("cannot use the storage folder {}: {error}", folder.display()))
    };
    tokio::fs::create_dir_all(&folder).await.map_err(|error| failed(&error))?;
    let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| failed(&error))?;
    Ok(store.with_fsync(true))
}

fn open_cloud(url: &Url, settings: &Settings) -> Result<Arc<dyn ObjectStore>> {
    // The HTTP client is built without a TLS provider of its own; the first to come installs ours.
    rustls::crypto::ring::default_provider().install_default().ok();
    let store = build_cloud(url, settings)
        .map_err(|error| Error::Invalid(format!("cannot use the storage URL: {error}")))?;
    let prefix = Path::from_url_path(url.path())
        .map_err(|error| Error::Invalid(format!("the storage URL's path is wrong: {error}")))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

fn build_cloud(url: &Url, settings: &Settings) -> object_store::Result<Arc<dyn ObjectStore>> {
    match url.scheme() {
        "gs" => {
            let builder = settings.iter().fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| {
                match key.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                }
            });
            Ok(Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?))
        }
        "az" => {
            let builder =
                settings.iter().fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| {
                    match key.to_ascii_lowercase().parse() {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder,
                    }
                });
            Ok(Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?))
        }
        _ => {
            let builder = settings.iter().fold(AmazonS3Builder::new(), |builder, (key, value)| {
                match key.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                }
            });
            Ok(Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?))
        }
    }
}

/// Half a minute of patience: whoever waits for an artifact is a job or a person, and is told to come back.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 6, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() }
}
