//! Clients that other people wrote, unchanged from PyPI, against the started binary: every answer is compared with
//! what onnxruntime gives for the same file.

use std::process::Command;

use chasqui_tests::{Server, python};

/// Runs a script with a server of its own; its sentences are shown when it fails.
async fn drive(script: &str) {
    let Some(python) = python() else { return };
    let server = Server::start().await;
    let path = format!("{}/compat/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut client = Command::new(python);
    client
        .arg(path)
        .env("CHASQUI_URL", server.url.as_str().trim_end_matches('/'))
        .env("CHASQUI_GRPC", server.grpc())
        .env("CHASQUI_API_KEY", &server.key)
        .env("CHASQUI_PID", server.pid().to_string());
    let done = tokio::task::spawn_blocking(move || client.output().expect("Python starts"));
    let done = done.await.expect("the thread that waits does not panic");
    let (told, erred) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}:\n{told}\n{erred}\n{}", server.log());
}

#[tokio::test]
async fn tritonclient_over_http() {
    drive("triton_http.py").await;
}

#[tokio::test]
async fn tritonclient_over_grpc() {
    drive("triton_grpc.py").await;
}

#[tokio::test]
async fn kserve_client_over_both() {
    drive("kserve_client.py").await;
}

#[tokio::test]
async fn plain_grpc_gets_precise_refusals() {
    drive("plain_grpc.py").await;
}

#[tokio::test]
async fn no_accepted_call_fails_when_the_server_ends() {
    drive("ending_grpc.py").await;
}
