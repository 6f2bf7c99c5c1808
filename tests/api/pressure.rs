//! More than it can do: what cannot be answered in time is refused at once and in words, and everything else goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chasqui_tests::{ADMIN_KEY, Answer, Server, ServerBuilder};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::fixtures::{classification, register, regression};
use crate::graphs;

/// Rows that keep the slow model busy for a good while.
fn many_rows() -> Value {
    json!({ "inputs": [{ "name": "x", "shape": [64, 4], "datatype": "FP32", "data": vec![1.0; 256] }] })
}

/// A server whose model is slow and is known to be.
async fn slow_server(setting: &str, value: &str) -> Server {
    let server = ServerBuilder::default().env(setting, value).start().await;
    server.upload("/api/v1/models/lento/versions", graphs::slow()).await.ok();
    server.post("/v2/models/lento/infer", &many_rows()).await.ok();
    server
}

async fn all_at_once(server: &Server, requests: usize) -> Vec<Answer> {
    let body = many_rows();
    join_all((0..requests).map(|_| server.post("/v2/models/lento/infer", &body))).await
}

/// How many were answered and how many refused; whoever was refused was told when to come again.
fn counted(answers: &[Answer], refusal: u16, words: &str) -> (usize, usize) {
    let mut counts = (0, 0);
    for answer in answers {
        if answer.status.as_u16() == 200 {
            counts.0 += 1;
        } else {
            assert_eq!(answer.status.as_u16(), refusal, "{}", answer.text());
            assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.text());
            assert!(answer.text().contains(words), "{}", answer.text());
            counts.1 += 1;
        }
    }
    counts
}

#[tokio::test]
async fn a_full_line_is_refused_at_once_and_the_rest_is_answered() {
    let server = slow_server("CHASQUI_LIMITS_QUEUE", "3").await;
    let answers = all_at_once(&server, 16).await;
    let (answered, refused) = counted(&answers, 503, "wait for version 1 of `lento` already");
    assert!(answered >= 3, "{answered} answered, {refused} refused");
    assert!(refused >= 1, "{answered} answered, {refused} refused");
    // Places are given back: the next one is served.
    server.post("/v2/models/lento/infer", &many_rows()).await.ok();
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains(r#"chasqui_refused_total{code="unavailable",service="lento"}"#), "{metrics}");
}

#[tokio::test]
async fn whoever_waits_beyond_the_deadline_is_told_so() {
    let server = slow_server("CHASQUI_LIMITS_DEADLINE_MS", "1").await;
    let answers = all_at_once(&server, 12).await;
    let (answered, refused) = counted(&answers, 504, "which is its deadline");
    assert!(answered >= 1 && refused >= 1, "{answered} answered, {refused} refused");
    server.post("/v2/models/lento/infer", &many_rows()).await.ok();
}

fn one_row(first: f64) -> Value {
    json!({ "inputs": [{ "name": "x", "shape": [1, 4], "datatype": "FP32", "data": [first, 1.0, 1.0, 1.0] }] })
}

/// Requests that a model has answered, and how often it ran for them.
async fn executions(server: &Server, model: &str) -> (u64, u64) {
    let told = server.get(&format!("/v2/models/{model}/stats")).await.ok();
    let of_version = &told["model_stats"][0];
    let count = |name: &str| of_version[name].as_u64().unwrap();
    (count("inference_count"), count("execution_count"))
}

#[tokio::test]
async fn what_gathers_while_the_cores_are_busy_is_computed_at_once() {
    let server = slow_server("CHASQUI_LIMITS_QUEUE", "64").await;
    let url = "/v2/models/lento/infer";
    let mut alone = Vec::new();
    for first in 0..24 {
        alone.push(server.post(url, &one_row(f64::from(first))).await.ok()["outputs"][0]["data"][0].clone());
    }
    let before = executions(&server, "lento").await;
    let bodies: Vec<Value> = (0..24).map(|first| one_row(f64::from(first))).collect();
    let answers = join_all(bodies.iter().map(|body| server.post(url, body))).await;
    for (answer, alone) in answers.into_iter().zip(&alone) {
        let (told, alone) = (answer.ok()["outputs"][0]["data"][0].as_f64().unwrap(), alone.as_f64().unwrap());
        assert!((told - alone).abs() <= 1e-4 * alone.abs(), "{told} {alone}");
    }
    let after = executions(&server, "lento").await;
    assert_eq!(after.0 - before.0, 24);
    assert!(after.1 - before.1 < 20, "{} executions for 24 requests", after.1 - before.1);

    let config = json!({ "model": "lento", "batching": { "max_rows": 1 } });
    server.put("/api/v1/services/lento", &config).await.ok();
    join_all(bodies.iter().map(|body| server.post(url, body))).await.into_iter().for_each(|answer| {
        answer.ok();
    });
    assert_eq!(executions(&server, "lento").await.1 - after.1, 24);
}

#[tokio::test]
async fn a_service_may_wait_for_others_but_never_mix_rows_that_depend_on_each_other() {
    let server = Server::start().await;
    for (name, graph) in [("eco", graphs::two_outputs()), ("suma", graphs::entangled_rows())] {
        server.upload(&format!("/api/v1/models/{name}/versions"), graph).await.ok();
        let config = json!({ "model": name, "batching": { "max_rows": 8, "max_delay_ms": 300.0 } });
        server.put(&format!("/api/v1/services/{name}"), &config).await.ok();
    }
    let bodies: Vec<Value> = (0..8).map(|first| one_row(f64::from(first))).collect();
    let told = join_all(bodies.iter().map(|body| server.post("/v2/models/eco/infer", body))).await;
    for (first, answer) in told.into_iter().enumerate() {
        assert_eq!(answer.ok()["outputs"][0]["data"], json!([first, 1, 1, 1]));
    }
    let (requests, runs) = executions(&server, "eco").await;
    assert_eq!(requests, 8);
    assert!(runs <= 4, "{runs} executions for 8 requests that could wait");

    let told = join_all(bodies.iter().map(|body| server.post("/v2/models/suma/infer", body))).await;
    for answer in told {
        assert_eq!(answer.ok()["outputs"][0]["data"], json!([0, 0, 0, 0]));
    }
    let wrong = json!({ "model": "eco", "batching": { "max_rows": 0 } });
    server.put("/api/v1/services/eco", &wrong).await.refused(422, "`batching.max_rows` must be at least 1");
}

#[tokio::test]
async fn models_over_the_budget_give_way_to_those_that_are_routed() {
    let server = ServerBuilder::default().env("CHASQUI_LIMITS_MODELS_BYTES", "1").start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    register(&server, "ventas", regression(5.0)).await.ok();
    let record = json!({ "records": [{ "price": 2.0, "store": "Quito" }] });
    server.post("/api/v1/services/ventas/predict", &record).await.ok();
    let pinned = server
        .request(reqwest::Method::POST, "/api/v1/services/ventas/predict")
        .header("x-model-version", "2")
        .json(&record)
        .send()
        .await
        .unwrap();
    Answer::of(pinned).await.unwrap().refused(404, "version 2 of the service `ventas` is not loaded");
    assert!(server.log().contains("`limits.models_bytes` is reached"), "{}", server.log());
}

#[tokio::test]
async fn versions_come_and_go_under_load_without_a_failed_request() {
    let server = Server::start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let record = json!({ "records": [{ "price": 2.0, "store": "Quito" }] });
    let (done, over) = tokio::sync::watch::channel(false);
    let asking = (0..8).map(|_| async {
        let mut asked = 0;
        while !*over.borrow() {
            server.post("/api/v1/services/ventas/predict", &record).await.ok();
            asked += 1;
        }
        asked
    });
    let changing = async {
        for slope in 0..6 {
            let version = register(&server, "ventas", regression(5.0 + f64::from(slope))).await.ok();
            let alias = json!({ "version": version["version"] });
            server.put("/api/v1/models/ventas/aliases/champion", &alias).await.ok();
            register(&server, &format!("otro-{slope}"), classification()).await.ok();
            server
                .send(reqwest::Method::DELETE, &format!("/api/v1/services/otro-{slope}"), "", Vec::new())
                .await;
        }
        done.send(true).unwrap();
    };
    let (asked, ()) = tokio::join!(join_all(asking), changing);
    assert!(asked.iter().sum::<usize>() > 50, "{asked:?}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start().await;
    server.upload("/api/v1/models/eco/versions", graphs::whole_number()).await.ok();
    let mut sent = Vec::new();
    for number in 0..50 {
        let body = json!({ "id": number.to_string(), "inputs": [
            { "name": "n", "shape": [1, 1], "datatype": "INT64", "data": [number] }] })
        .to_string();
        let close = if number == 49 { "connection: close\r\n" } else { "" };
        write!(
            sent,
            "POST /v2/models/eco/infer HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
             content-length: {}\r\n{close}\r\n{body}",
            body.len()
        )
        .unwrap();
    }
    let address = server.url.socket_addrs(|| None).unwrap()[0];
    let answered = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.write_all(&sent).unwrap();
        let mut answered = String::new();
        stream.read_to_string(&mut answered).unwrap();
        answered
    })
    .await
    .unwrap();
    let ids: Vec<&str> =
        answered.split("\"id\":\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(ids, expected, "{answered}");
}
