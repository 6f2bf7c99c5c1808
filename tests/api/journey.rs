//! The main job from end to end, small: one contract for every pair of database and object store.

use std::time::{Duration, Instant};

use chasqui_tests::Server;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{items, text};
use crate::fixtures::{Sale, csv, register, regression, sales};

const PIPELINE: &str = r#"
service = "ventas"
seed = 7
source = { dataset = "ventas", append_predictions = true }
features = { target = "sales", task = "regression", numeric = ["price"], categorical = ["store"] }
learner = { kind = "linear" }

[rollout]
steps = [{ weight = 0.5, hold = "1s", min_requests = 10 }]
bake = { weight = 0.9, hold = "1s", min_requests = 10, requests = 5000 }
metrics = ["errors"]
"#;

/// Registers, predicts, learns what became of it, trains on new data, holds the candidate against the champion, brings
/// it in by canary, and reports.
pub(crate) async fn whole(server: &Server) {
    let first = register(server, "ventas", regression(4.0)).await.ok();
    let download = server.get("/api/v1/models/ventas/versions/1/download").await;
    assert_eq!(download.bytes.len(), first["size_bytes"].as_u64().unwrap() as usize);
    let ids = predict(server).await;
    let outcomes: Vec<Value> = ids.iter().map(|id| json!({ "prediction_id": id, "value": 60.0 })).collect();
    assert_eq!(server.post("/api/v1/outcomes", &json!(outcomes)).await.ok()["stored"], 40);
    let performance = server.get("/api/v1/services/ventas/performance").await.ok();
    assert_eq!((&performance["predictions"], &performance["with_outcome"]), (&json!(40), &json!(40)));

    let file = csv(&sales(3000, 9.0, 21)).into_bytes();
    assert_eq!(server.upload("/api/v1/datasets/ventas/versions", file).await.ok()["row_count"], 3000);
    let body = PIPELINE.as_bytes().to_vec();
    server.send(Method::PUT, "/api/v1/pipelines/reentrenar", "", body).await.ok();
    let started = server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await.ok();
    let job = format!("/api/v1/jobs/{}", text(&started["job"]["id"]));
    let ended = |job: &Value| ["succeeded", "failed", "cancelled"].contains(&job["state"].as_str().unwrap());
    let job = server.wait_for(&job, ended).await;
    assert_eq!((&job["state"], &job["result"]["verdict"]), (&json!("succeeded"), &json!("better")), "{job}");

    bring_in(server, text(&job["result"]["rollout_id"])).await;
    report(server).await;
    let audit = server.get("/api/v1/audit/verification").await.ok();
    assert_eq!(audit["broken_at"], Value::Null);
}

async fn predict(server: &Server) -> Vec<String> {
    let records: Vec<Value> = sales(40, 4.0, 5).iter().map(Sale::record).collect();
    let body = json!({ "records": records });
    let answer = server.post("/api/v1/services/ventas/predict", &body).await.ok();
    let ids: Vec<String> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(&one["prediction_id"]).to_owned())
        .collect();
    assert_eq!(items(&server.get("/api/v1/services/ventas/log").await.ok()).len(), 40);
    ids
}

async fn bring_in(server: &Server, rollout: &str) {
    let limit = Instant::now() + Duration::from_secs(90);
    loop {
        for _ in 0..20 {
            let body = json!({ "records": [{ "price": 5.0, "store": "Quito" }] });
            server.post("/api/v1/services/ventas/predict", &body).await.ok();
        }
        let seen = server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok();
        if seen["terminal"] == true {
            assert_eq!(seen["status"], "succeeded", "{seen}");
            break;
        }
        assert!(Instant::now() < limit, "it is still {seen}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 2);
    // Routing follows what the worker did within its poll.
    let all = json!([{ "version": 2, "share": 1.0 }]);
    server.wait_for("/api/v1/services/ventas", |service| service["shares"] == all).await;
    let body = json!({ "records": [{ "price": 5.0, "store": "Quito" }] });
    let answer = server.post("/api/v1/services/ventas/predict", &body).await.ok();
    let value = answer["predictions"][0]["value"].as_f64().unwrap();
    assert!((value - 95.0).abs() < 2.0, "50 + 9 · 5, not {value}");
}

async fn report(server: &Server) {
    let asked = server.post("/api/v1/services/ventas/reports", &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let id = text(&asked.json()["report_id"]).to_owned();
    let written =
        server.wait_for_answer(&format!("/api/v1/reports/{id}"), |answer| answer.status == 200).await;
    assert!(written.json().is_object());
    let page = server.get(&format!("/api/v1/reports/{id}.html")).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("lang=\"es") && page.bytes.len() < 300_000);
    assert_eq!(items(&server.get("/api/v1/services/ventas/reports").await.ok()).len(), 1);
}
