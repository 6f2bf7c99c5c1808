//! Reads request bodies: never more than the limit, compressed or not, and JSON into a type.

pub mod strict;

use std::time::Duration;

use actix_web::dev::Decompress;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::LocalBoxStream;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::{Problem, Result};

/// How long a client may send nothing in the middle of a body.
pub const IDLE: Duration = Duration::from_secs(30);

/// Reads a body of at most `limit` bytes, counted after decompression.
pub async fn read(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<Bytes> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::too_large("the body", limit));
    }
    match request.headers().get(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => collect(payload, announced, limit).await,
        Some(b"gzip" | b"deflate") => {
            let inflated = Decompress::from_headers(payload, request.headers());
            collect(inflated, None, limit).await
        }
        Some(other) => Err(unknown_encoding(&String::from_utf8_lossy(other))),
    }
}

/// A body in pieces, unpacked.
pub type Pieces = LocalBoxStream<'static, std::result::Result<Bytes, PayloadError>>;

/// The pieces of a body, as they come.
pub fn pieces(request: &HttpRequest, payload: web::Payload) -> Result<Pieces> {
    match request.headers().get(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => Ok(payload.boxed_local()),
        Some(b"gzip" | b"deflate") => Ok(Decompress::from_headers(payload, request.headers()).boxed_local()),
        Some(other) => Err(unknown_encoding(&String::from_utf8_lossy(other))),
    }
}

/// A content encoding that is not read.
pub fn unknown_encoding(name: &str) -> Problem {
    Problem::unsupported_media(format!(
        "the content encoding {name:?} is not read; send gzip, deflate or none"
    ))
}

/// Reads a body as it came, compressed or not, of at most `limit` bytes.
pub async fn raw(payload: web::Payload, limit: usize) -> Result<Bytes> {
    collect(payload, None, limit).await
}

async fn collect<S, E>(mut stream: S, announced: Option<usize>, limit: usize) -> Result<Bytes>
where
    S: futures::Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let mut whole = BytesMut::new();
    loop {
        let chunk = tokio::time::timeout(IDLE, stream.next()).await;
        let Some(chunk) = chunk.map_err(|_| Problem::slow_body(IDLE))? else { break };
        let chunk =
            chunk.map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))?;
        if whole.is_empty() && announced == Some(chunk.len()) {
            return Ok(chunk);
        }
        if whole.len() + chunk.len() > limit {
            return Err(Problem::too_large("the body", limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// A JSON body, whatever its Content-Type says.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, std::result::Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let request = request.clone();
        let payload = web::Payload::from_request(&request, payload);
        Box::pin(async move {
            let body = read(&request, payload.await?, json_limit(&request)).await?;
            Ok(Self(parse(&body)?))
        })
    }
}

fn json_limit(request: &HttpRequest) -> usize {
    request.app_data::<web::Data<App>>().map_or(1 << 20, |app| app.config.limits.json_bytes)
}

/// Parses JSON; an empty body counts as `{}`.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let body = if body.is_empty() { b"{}" } else { body };
    strict::from_slice(body).map_err(|error| unfit(&error))
}

/// A body that is not JSON, or not what is meant.
pub fn unfit(error: &serde_json::Error) -> Problem {
    if strict::is_list_for_object(error) {
        Problem::bad_request(format!("the body is not understood: {error}"))
    } else if error.is_data() {
        Problem::unprocessable(format!("the body does not fit: {error}"))
    } else {
        Problem::bad_request(format!("the body is not valid JSON: {error}"))
    }
}

/// The query of the URL, every value as text.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = actix_web::Error;
    type Future = futures::future::Ready<std::result::Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        futures::future::ready(query(request.query_string()).map(Self).map_err(Into::into))
    }
}

/// Parses a query.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T> {
    let parsed = web::Query::<T>::from_query(text);
    parsed
        .map(web::Query::into_inner)
        .map_err(|error| Problem::bad_request(format!("the query is wrong: {error}")))
}
