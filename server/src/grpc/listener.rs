//! Connections: HTTP/2 only, ended without failing a call.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::closed;
use super::gate::Gate;

/// How much of one message may be under way: a batch of rows comes without waiting for permission.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all calls of a connection.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Calls of one connection at a time.
const MOST_STREAMS: u32 = 64;
/// Connections at a time; further ones wait to be taken.
const MOST_CONNECTIONS: usize = 1024;
/// How long a client may take to begin.
const FIRST_BYTE: Duration = Duration::from_secs(20);
/// How often a silent client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_mins(1);
/// How long it may take to answer.
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait when no connection can be taken, for want of file handles perhaps.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections until `closing`, then waits for their calls, but not longer than `patience`.
pub(super) async fn accept(
    listener: TcpListener,
    gate: Gate,
    mut closing: watch::Receiver<bool>,
    patience: Duration,
) {
    let mut connections = JoinSet::new();
    let has_room = |connections: &JoinSet<()>| connections.len() < MOST_CONNECTIONS;
    loop {
        tokio::select! {
            () = closed(&mut closing) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room(&connections) => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, gate.clone(), gate.closing()));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "a gRPC connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::warn!("gRPC calls in progress were broken off at the end");
    }
}

async fn serve(stream: TcpStream, gate: Gate, mut closing: watch::Receiver<bool>) {
    // Small answers leave at once; where that cannot be set they leave a little later.
    let _ = stream.set_nodelay(true);
    let begun = tokio::select! {
        begun = tokio::time::timeout(FIRST_BYTE, stream.readable()) => matches!(begun, Ok(Ok(()))),
        () = closed(&mut closing) => false,
    };
    if !begun {
        return;
    }
    let service = service_fn(move |request| {
        let gate = gate.clone();
        async move { Ok::<_, Infallible>(gate.answer(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a gRPC connection broke");
    }
}
