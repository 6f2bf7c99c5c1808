//! Clients that other people wrote, unchanged from PyPI, against the started binary: every answer is compared with
//! what onnxruntime or scikit-learn gives for the same model. Each script can be run by hand.

#![expect(clippy::print_stdout, reason = "a script tells what it saw")]

use std::process::Command;

use chasqui_tests::{Server, binary, python};

/// Runs a script with a server of its own; its sentences are shown when it fails.
async fn drive(script: &str) {
    let Some(mut client) = command(script) else { return };
    let server = Server::start().await;
    client
        .env("CHASQUI_URL", server.url.as_str().trim_end_matches('/'))
        .env("CHASQUI_GRPC", server.grpc())
        .env("CHASQUI_API_KEY", &server.key)
        .env("CHASQUI_PID", server.pid().to_string());
    let done = tokio::task::spawn_blocking(move || told_by(client)).await;
    done.expect("the thread that waits does not panic").unwrap_or_else(|told| {
        panic!("{script}:\n{told}\n{}", server.log());
    });
}

/// Runs a script that starts its servers itself.
fn run(script: &str) {
    let Some(mut client) = command(script) else { return };
    client.env("CHASQUI_BIN", binary());
    told_by(client).unwrap_or_else(|told| panic!("{script}:\n{told}"));
}

fn command(script: &str) -> Option<Command> {
    let mut command = Command::new(python()?);
    command.arg(format!("{}/compat/{script}", env!("CARGO_MANIFEST_DIR")));
    Some(command)
}

/// Waits for the end of a script; what it wrote when it failed.
fn told_by(mut client: Command) -> Result<(), String> {
    let done = client.output().expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    print!("{told}");
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{told}\n{}", String::from_utf8_lossy(&done.stderr)))
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

#[test]
fn mlflow_scores_as_with_its_own_server() {
    run("mlflow_scoring.py");
}

#[test]
fn requests_asks_kserve_v1_and_streams_lines() {
    run("plain_requests.py");
}
