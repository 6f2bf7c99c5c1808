//! HTTPS: the certificate of the configuration, read again when its files change, so that a renewal needs no restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::wait;
use crate::config::Config;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// The certificate in use, and the files of certificate and key that it comes from.
#[derive(Debug)]
pub(super) struct Certificate {
    files: [PathBuf; 2],
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads what is configured; `None` when HTTP is served.
    pub(super) fn open(config: &Config) -> anyhow::Result<Option<Arc<Self>>> {
        let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else {
            return Ok(None);
        };
        let files = [certificate.clone(), key.clone()];
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Some(Arc::new(Self { files, current })))
    }

    /// What the listener needs.
    pub(super) fn server_config(self: &Arc<Self>) -> anyhow::Result<ServerConfig> {
        let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        Ok(versions.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Reads the files again whenever they change, until the server ends. Files that do not fit, such as a new
    /// certificate whose key is not written yet, leave the old pair in use.
    pub(super) async fn follow(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut seen = self.written_at();
        while !wait(EVERY, &mut stopped).await {
            let written = self.written_at();
            if written == seen {
                continue;
            }
            match read(&self.files) {
                Ok(pair) => {
                    self.current.store(Arc::new(pair));
                    seen = written;
                    tracing::info!("the TLS certificate is renewed");
                }
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "the new TLS certificate is not used yet");
                }
            }
        }
    }

    fn written_at(&self) -> [Option<SystemTime>; 2] {
        self.files.each_ref().map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Reads a pair that belongs together.
fn read([certificate, key]: &[PathBuf; 2]) -> anyhow::Result<CertifiedKey> {
    let unreadable = || format!("cannot read the TLS certificate {}", certificate.display());
    let chain = CertificateDer::pem_file_iter(certificate).with_context(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().with_context(unreadable)?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", certificate.display());
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the TLS key {}", key.display()))?;
    let provider: CryptoProvider = ring::default_provider();
    CertifiedKey::from_der(chain, private, &provider)
        .with_context(|| format!("{} and {} do not belong together", certificate.display(), key.display()))
}
