//! Connections: HTTP/2 only, ended without failing a call.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::pin;
use std::time::Duration;

use actix_server::Server;
use actix_service::fn_service;
use futures::FutureExt;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

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

/// A server of `threads` threads. A connection stays on one of them, so that what a call allocates is freed where it was
/// allocated and nobody is woken to answer it. When it is stopped it waits for calls, but not longer than `patience`
/// seconds.
pub(super) fn server(
    listener: TcpListener,
    gate: Gate,
    threads: usize,
    patience: u64,
) -> std::io::Result<Server> {
    let connections = move || {
        let gate = gate.clone();
        fn_service(move |stream| serve(stream, gate.clone()).map(Ok::<_, Infallible>))
    };
    let server = Server::build()
        .workers(threads)
        .max_concurrent_connections(MOST_CONNECTIONS.div_ceil(threads))
        .shutdown_timeout(patience)
        .disable_signals()
        .listen("grpc", listener, connections)?;
    Ok(server.run())
}

async fn serve(stream: TcpStream, gate: Gate) {
    let mut closing = gate.closing();
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
