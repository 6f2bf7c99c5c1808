//! Predictions line by line: answered while they come, each line for itself, in constant memory.

use std::io::Write;

use chasqui_tests::{Answer, Server, ServerBuilder};
use futures::{StreamExt, stream};
use reqwest::{Body, Method, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{Sale, ask, register, regression, sales};
use crate::graphs;

const PREDICT: &str = "/api/v1/services/ventas/predict";
const NDJSON: &str = "application/x-ndjson";

async fn send(server: &Server, body: impl Into<Body>) -> Response {
    let request = server.request(Method::POST, PREDICT).header("content-type", NDJSON);
    request.body(body).send().await.unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn shop() -> Server {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    server
}

#[tokio::test]
async fn each_line_gets_a_line() {
    let server = shop().await;
    let asked = sales(600, 4.0, 5);
    let records: Vec<String> = asked.iter().map(|sale| sale.record().to_string()).collect();
    let body = records.join("\n");
    let answer = Answer::of(send(&server, body).await).await.unwrap();
    assert_eq!(answer.header("content-type"), Some(NDJSON));
    assert_eq!(answer.status, 200);
    let answers = lines(&answer.text());
    assert_eq!(answers.len(), 600);
    for (position, (sale, answer)) in asked.iter().zip(&answers).enumerate() {
        assert_eq!(answer["line"], position as u64 + 1);
        assert_eq!(answer["version"], 1);
        let value = answer["value"].as_f64().unwrap();
        assert!((value - sale.sales).abs() < 1.5, "{sale:?}: {answer}");
    }
    let first = ask(&server, "ventas", asked[0].record()).await.ok();
    assert_eq!(answers[0]["value"], first["predictions"][0]["value"]);
    for answer in [&answers[0], &answers[599]] {
        let id = text(&answer["prediction_id"]);
        assert_eq!(server.get(&format!("/api/v1/predictions/{id}")).await.status, 200, "{answer} is logged");
    }
}

#[tokio::test]
async fn a_bad_line_is_told_and_the_rest_goes_on() {
    let server = ServerBuilder::default().env("CHASQUI_LIMITS_JSON_BYTES", "200").start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let good = "{\"price\":5,\"store\":\"Quito\"}";
    let long = format!("{{\"price\":5,\"store\":\"{}\"}}", "x".repeat(300));
    let body = format!(
        "{good}\n\n{{\"price\":\"5\",\"store\":\"Quito\"}}\r\n{good}\r\nnot json\n{long}\n{{\"price\":5}}\n  \n[1]\n{good}"
    );
    let answers = lines(&Answer::of(send(&server, body).await).await.unwrap().text());
    let numbers: Vec<u64> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6, 7, 9, 10], "empty lines are passed over");
    for (position, status, part) in [
        (1, 422, "field `price`: expected a number"),
        (3, 400, "the line is not valid JSON"),
        (4, 413, "200 bytes"),
        (5, 422, "field `store`: is missing"),
        (6, 422, "object"),
    ] {
        let error = &answers[position]["error"];
        assert_eq!(error["status"], status, "{error}");
        assert!(text(&error["detail"]).contains(part), "`{part}` is not in {error}");
    }
    for position in [0, 2, 7] {
        assert!(answers[position]["value"].is_number(), "{}", answers[position]);
    }
    let log = server.get("/api/v1/services/ventas/log").await.ok();
    assert_eq!(items(&log).len(), 3, "what was refused is no prediction");
}

#[tokio::test]
async fn a_line_is_answered_before_the_next_is_sent() {
    let server = shop().await;
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receiver))
    });
    sender.send("{\"price\":5,\"store\":\"Quito\"}\n").await.unwrap();
    let response = send(&server, Body::wrap_stream(body)).await;
    assert_eq!(response.status(), 200);
    let mut answers = response.bytes_stream();
    let first = answers.next().await.unwrap().unwrap();
    assert_eq!(lines(std::str::from_utf8(&first).unwrap())[0]["line"], 1);
    // In two pieces, the second without an end of line.
    sender.send("{\"price\":5,\"sto").await.unwrap();
    sender.send("re\":\"Cuenca\"}").await.unwrap();
    drop(sender);
    let mut rest = Vec::new();
    while let Some(piece) = answers.next().await {
        rest.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(lines(std::str::from_utf8(&rest).unwrap())[0]["line"], 2);
}

#[tokio::test]
async fn what_would_refuse_every_line_refuses_the_stream() {
    let server = shop().await;
    let send = async |path: &str, version: &str| {
        let request =
            server.request(Method::POST, path).header("content-type", "application/x-ndjson; charset=utf-8");
        let request = request.header("x-model-version", version).body("{}\n");
        Answer::of(request.send().await.unwrap()).await.unwrap()
    };
    assert_problem(&send("/api/v1/services/none/predict", "1").await, 404, "none");
    assert_problem(&send(PREDICT, "9").await, 404, "version 9");
    assert_problem(&send(PREDICT, "one").await, 400, "x-model-version");
    let request = server.request(Method::POST, PREDICT).header("content-type", NDJSON);
    let strange = request.header("content-encoding", "br").body("{}\n").send().await.unwrap();
    assert_problem(&Answer::of(strange).await.unwrap(), 415, "br");
}

#[tokio::test]
async fn a_failing_model_fails_its_lines_and_expectations_hold_for_each() {
    let server = Server::start().await;
    register(&server, "ventas", graphs::fails_from(100)).await.ok();
    let fields = json!({ "price": { "min": 0 } });
    let config = json!({ "model": "ventas", "expectations": { "mode": "warn", "fields": fields } });
    server.put("/api/v1/services/ventas", &config).await.ok();
    let body = "{\"price\":5,\"store\":\"Quito\"}\n{\"price\":\"x\",\"store\":\"Quito\"}\n{\"price\":-1,\"store\":\"Quito\"}\n";
    let answers = lines(&Answer::of(send(&server, body).await).await.unwrap().text());
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[1]["error"]["errors"][0]["rule"], "type", "{}", answers[1]);
    assert_eq!(answers[2]["warning_count"], 1, "{}", answers[2]);
    assert!(answers[0].get("warnings").is_none(), "{}", answers[0]);
    let body = "{\"price\":1000,\"store\":\"Quito\"}\n";
    let answers = lines(&Answer::of(send(&server, body).await).await.unwrap().text());
    assert_eq!(answers[0]["error"]["status"], 500, "{}", answers[0]);
    let body = "{\"price\":5,\"store\":\"Quito\"}\n";
    let answers = lines(&Answer::of(send(&server, body).await).await.unwrap().text());
    assert_eq!(answers[0]["value"], 55);
}

/// The most memory that a process has had, in KiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends so many lines in pieces and reads the answers as they come; gives how many there were.
async fn exchange(server: &Server, count: usize) -> usize {
    let record = format!("{}\n", sales(1, 4.0, 3).first().map(Sale::record).unwrap());
    let piece = record.repeat(100);
    let pieces = stream::iter((0..count / 100).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let mut answers = send(server, Body::wrap_stream(pieces)).await.bytes_stream();
    let mut ends = 0;
    while let Some(piece) = answers.next().await {
        ends += String::from_utf8_lossy(&piece.unwrap()).matches('\n').count();
    }
    ends
}

#[tokio::test]
async fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let server = shop().await;
    assert_eq!(exchange(&server, 5000).await, 5000);
    let before = peak(&server);
    assert_eq!(exchange(&server, 60_000).await, 60_000);
    let grown = peak(&server).saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB more for twelve times the lines");
}

#[tokio::test]
async fn a_packed_stream_takes_no_more_memory_than_a_loose_one() {
    const LINES: usize = 500_000;
    let server = shop().await;
    assert_eq!(exchange(&server, 5000).await, 5000);
    let before = peak(&server);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all("1\n".repeat(LINES).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 10_000, "it comes in one piece");
    let request = server.request(Method::POST, PREDICT).header("content-type", NDJSON);
    let response = request.header("content-encoding", "gzip").body(packed).send().await.unwrap();
    let mut answers = response.bytes_stream();
    let mut faults = 0;
    while let Some(piece) = answers.next().await {
        faults += String::from_utf8_lossy(&piece.unwrap()).matches('\n').count();
    }
    assert_eq!(faults, LINES);
    let grown = peak(&server).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
}

#[tokio::test]
async fn a_silent_stream_is_ended_with_the_server() {
    let mut server = shop().await;
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receiver))
    });
    sender.send("{\"price\":5,\"store\":\"Quito\"}\n").await.unwrap();
    let mut answers = send(&server, Body::wrap_stream(body)).await.bytes_stream();
    answers.next().await.unwrap().unwrap();
    server.ask_to_end();
    let last = answers.next().await.unwrap().unwrap();
    let last = &lines(std::str::from_utf8(&last).unwrap())[0];
    assert_eq!((&last["line"], &last["error"]["status"]), (&json!(2), &json!(503)), "{last}");
    drop(sender);
    assert!(server.await_end(), "{}", server.log());
}
