//! The model repository of the Open Inference Protocol: a service that is unloaded answers nothing, the others do, and
//! every replica follows.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chasqui_tests::{Answer, Server, ServerBuilder, postgres_database};
use futures::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::items;
use crate::fixtures::register;
use crate::graphs;

async fn infer(server: &Server, service: &str) -> Answer {
    let body =
        json!({ "inputs": [{ "name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4] }] });
    server.post(&format!("/v2/models/{service}/infer"), &body).await
}

async fn change(server: &Server, service: &str, what: &str) -> Answer {
    server.send(Method::POST, &format!("/v2/repository/models/{service}/{what}"), "", Vec::new()).await
}

async fn index(server: &Server, body: &str) -> Value {
    server.send(Method::POST, "/v2/repository/index", "", body.into()).await.ok()
}

async fn two() -> Server {
    let server = Server::start().await;
    for name in ["pares", "otros"] {
        register(&server, name, graphs::two_outputs()).await.ok();
    }
    server
}

#[tokio::test]
async fn an_unloaded_service_answers_nothing_until_it_is_loaded() {
    let server = two().await;
    let ready = json!([
        { "name": "otros", "version": "1", "state": "READY", "reason": "" },
        { "name": "pares", "version": "1", "state": "READY", "reason": "" },
    ]);
    assert_eq!(index(&server, "").await, ready);
    assert_eq!(index(&server, "{\"ready\":true}").await, ready);

    assert_eq!(change(&server, "pares", "unload").await.status, 200);
    assert_eq!(change(&server, "pares", "unload").await.status, 200, "twice is as once");
    let refused = infer(&server, "pares").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("5")));
    assert!(refused.json()["error"].as_str().unwrap().contains("unloaded"), "{}", refused.text());
    let seen = server.get("/v2/models/pares/ready").await;
    assert_eq!((seen.status.as_u16(), &seen.json()["ready"]), (503, &json!(false)));
    infer(&server, "otros").await.ok();
    let all = index(&server, "{}").await;
    assert_eq!((&all[1]["state"], &all[1]["version"]), (&json!("UNAVAILABLE"), &json!("")));
    assert_eq!(index(&server, "{\"ready\":true}").await.as_array().unwrap().len(), 1);
    let service = server.get("/api/v1/services/pares").await.ok();
    assert_eq!(
        (&service["ready"], &service["config"]["unloaded"]),
        (&json!(false), &json!(true)),
        "{service}"
    );

    assert_eq!(change(&server, "pares", "load").await.status, 200);
    infer(&server, "pares").await.ok();
    assert_eq!(change(&server, "pares", "load").await.status, 200, "what is loaded stays loaded");
    let actions: Vec<String> = items(&server.get("/api/v1/audit").await.ok())
        .iter()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect();
    let count = |wanted: &str| actions.iter().filter(|action| *action == wanted).count();
    assert_eq!((count("service.unload"), count("service.load")), (1, 1), "{actions:?}");
}

#[tokio::test]
async fn wrong_changes_are_refused_in_words() {
    let server = two().await;
    change(&server, "nada", "load").await.refused(404, "nada");
    change(&server, "nada", "unload").await.refused(404, "nada");
    let path = "/v2/repository/models/pares/load";
    server.post(path, &json!({ "parameters": { "config": "{}" } })).await.refused(501, "config");
    server.post(path, &json!({ "parameters": 7 })).await.refused(422, "error");
    server.get(path).await.refused(405, "POST");
    server.send(Method::POST, "/v2/repository/index", "", b"{\"ready\":".to_vec()).await.refused(400, "JSON");
    let key = server.post("/api/v1/keys", &json!({ "name": "lector", "role": "viewer" })).await.ok();
    let mut reader = server;
    reader.key = key["secret"].as_str().unwrap().to_owned();
    reader.wait_for_answer("/v2", |answer| answer.status == 200).await;
    change(&reader, "pares", "unload").await.refused(403, "editor");
    assert_eq!(index(&reader, "").await.as_array().unwrap().len(), 2, "whoever reads may ask what there is");
}

#[tokio::test]
async fn the_others_are_answered_while_one_comes_and_goes() {
    let server = two().await;
    let done = AtomicBool::new(false);
    let asking = async {
        let mut answered = 0;
        while !done.load(Ordering::Relaxed) {
            infer(&server, "otros").await.ok();
            answered += 1;
        }
        answered
    };
    let changing = async {
        for _ in 0..5 {
            change(&server, "pares", "unload").await.ok();
            change(&server, "pares", "load").await.ok();
        }
        done.store(true, Ordering::Relaxed);
    };
    let (answered, ()) = join(asking, changing).await;
    assert!(answered > 10, "{answered}");
    infer(&server, "pares").await.ok();
}

#[tokio::test]
async fn every_replica_and_the_next_start_follow() {
    let Some(url) = postgres_database("repository_replicas") else { return };
    let folder = tempfile::tempdir().unwrap();
    let storage = format!("file://{}", folder.path().display());
    let replica = async || {
        let builder = ServerBuilder::default().env("CHASQUI_DATABASE_URL", url.clone());
        builder.env("CHASQUI_STORAGE_URL", storage.clone()).start().await
    };
    let (first, second) = (replica().await, replica().await);
    register(&first, "pares", graphs::two_outputs()).await.ok();
    second.wait_for_answer("/v2/models/pares/ready", |answer| answer.status == 200).await;
    change(&first, "pares", "unload").await.ok();
    second.wait_for_answer("/v2/models/pares/ready", |answer| answer.status == 503).await;
    let third = replica().await;
    assert_eq!(infer(&third, "pares").await.status, 503, "it is a row, not a memory");
    change(&third, "pares", "load").await.ok();
    second.wait_for_answer("/v2/models/pares/ready", |answer| answer.status == 200).await;
}

#[tokio::test]
async fn a_canary_answers_by_the_names_of_the_outputs_and_is_not_unloaded() {
    let server = two().await;
    register(&server, "pares", graphs::two_outputs_the_other_way()).await.ok();
    let plan = json!({ "version": 2, "steps": [{ "weight": 0.5, "hold": "1h" }] });
    let rollout = server.post("/api/v1/services/pares/rollouts", &plan).await;
    let place = rollout.header("location").unwrap().to_owned();
    server.wait_for(&place, |rollout| rollout["status"] == "step").await;
    server.wait_for("/api/v1/services/pares", |service| service["shares"][1]["share"] == 0.5).await;
    let mut versions = BTreeSet::new();
    for _ in 0..60 {
        let answer = infer(&server, "pares").await;
        versions.insert(answer.header("x-model-version").unwrap().to_owned());
        let outputs = answer.ok()["outputs"].clone();
        assert_eq!((&outputs[0]["name"], &outputs[0]["data"]), (&json!("first"), &json!([1, 2, 3, 4])));
        assert_eq!(outputs[1]["data"], json!([-1, -2, -3, -4]));
    }
    assert_eq!(versions.len(), 2, "{versions:?}");
    change(&server, "pares", "unload").await.refused(409, "rollout");
    infer(&server, "pares").await.ok();
    let of_versions = server.get("/v2/models/pares/stats").await.ok();
    let counts = of_versions["model_stats"].as_array().unwrap();
    let sum: u64 = counts.iter().map(|version| version["inference_count"].as_u64().unwrap()).sum();
    assert_eq!((counts.len(), sum), (2, 61), "{of_versions}");
}
