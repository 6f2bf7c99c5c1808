//! A client of the API: what the command line and the demo speak with.

use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server could not be reached.
    #[error("no answer from {url}: {source}; is `chasqui serve` running, and CHASQUI_URL right?")]
    Transport {
        /// Where the call went.
        url: String,
        /// What failed.
        source: reqwest::Error,
    },
    /// The server refused the call.
    #[error("{detail} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail.
        detail: String,
    },
    /// The address is none.
    #[error("`{0}` is not the address of a server")]
    Address(String),
}

/// One server and one API key.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    key: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8080`.
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        let base = Url::parse(url).map_err(|_| ClientError::Address(url.into()))?;
        if base.cannot_be_a_base() {
            return Err(ClientError::Address(url.into()));
        }
        // The whole process has one TLS provider; a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(5))
            .build()
            .map_err(|source| ClientError::Transport { url: url.into(), source })?;
        Ok(Self { base, key: key.into(), http })
    }

    /// The absolute address of `path`.
    pub fn address(&self, path: &str) -> String {
        self.base.join(path).map_or_else(|_| format!("{}{path}", self.base), String::from)
    }

    /// GET, answered with JSON.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// DELETE, answered with JSON.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::DELETE, path, None, Vec::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some("application/json"), body.to_string().into_bytes()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::PUT, path, Some("application/json"), body.to_string().into_bytes()).await
    }

    /// Any method with bytes of any type.
    pub async fn upload(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, ClientError> {
        self.send(method, path, Some(content_type), body).await
    }

    /// The bytes at `path`.
    pub async fn download(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.bytes(Method::GET, path, None, Vec::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, ClientError> {
        let bytes = self.bytes(method, path, content_type, body).await?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ClientError> {
        let url = self.address(path);
        let transport = |source| ClientError::Transport { url: url.clone(), source };
        let mut request = self.http.request(method, &url).bearer_auth(&self.key).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request.send().await.map_err(transport)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(transport)?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        Err(ClientError::Refused { status: status.as_u16(), detail: detail(&bytes) })
    }
}

/// What a problem document says, or the body as it is.
fn detail(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    ["detail", "error", "title"]
        .iter()
        .find_map(|field| problem[field].as_str().map(String::from))
        .unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(500).collect())
}
