//! How well a classifier does is estimated before any outcome comes, and outcomes agree.

use std::fmt::Write;

use chasqui_tests::Server;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{items, text};
use crate::fixtures::Random;

const PIPELINE: &str = r#"
service = "compras"
seed = 7
source = { dataset = "visitas" }
features = { target = "compra", task = "binary", numeric = ["edad", "visitas"] }
learner = { kind = "logistic" }
"#;

/// Two weeks, each from a Thursday on.
const WEEKS: [&str; 2] = ["2026-01-01T12:00:00Z", "2026-01-08T12:00:00Z"];

/// A visitor and whether they bought: the more visits the likelier, never for certain.
struct Visitor {
    age: f64,
    visits: f64,
    bought: bool,
}

fn visitors(rows: usize, seed: u64) -> Vec<Visitor> {
    let mut random = Random(seed);
    let visitor = |_| {
        let (age, visits) = ((18.0 + random.unit() * 50.0).floor(), (random.unit() * 10.0).floor());
        let chance = 1.0 / (1.0 + (4.5 - visits).exp());
        Visitor { age, visits, bought: random.unit() < chance }
    };
    (0..rows).map(visitor).collect()
}

fn label(visitor: &Visitor) -> &'static str {
    if visitor.bought { "si" } else { "no" }
}

async fn trained_classifier() -> Server {
    let server = Server::start().await;
    let mut csv = String::from("edad,visitas,compra\n");
    for visitor in visitors(4000, 1) {
        writeln!(csv, "{},{},{}", visitor.age, visitor.visits, label(&visitor)).unwrap();
    }
    server.upload("/api/v1/datasets/visitas/versions", csv.into_bytes()).await.ok();
    server.send(Method::PUT, "/api/v1/pipelines/compras", "", PIPELINE.as_bytes().to_vec()).await.ok();
    let started = server.post("/api/v1/pipelines/compras/runs", &json!({})).await.ok();
    let job = format!("/api/v1/jobs/{}", text(&started["job"]["id"]));
    let job = server.wait_for(&job, |job| job["state"] != "queued" && job["state"] != "running").await;
    assert_eq!(job["state"], "succeeded", "{job}");
    server.wait_for("/api/v1/services/compras", |service| service["ready"] == true).await;
    server
}

async fn ask(server: &Server, at: &str, visitors: &[Visitor]) -> Value {
    let record = |visitor: &Visitor| json!({ "edad": visitor.age, "visitas": visitor.visits });
    let records: Vec<Value> = visitors.iter().map(record).collect();
    server.post("/api/v1/services/compras/predict", &json!({ "records": records, "at": at })).await.ok()
}

#[tokio::test]
async fn a_classifiers_accuracy_is_estimated_and_outcomes_agree() {
    let server = trained_classifier().await;
    let week = visitors(800, 2);
    let said = ask(&server, WEEKS[0], &week).await;
    ask(&server, WEEKS[1], &visitors(5, 3)).await;
    let verdicts = server.wait_for("/api/v1/services/compras/drift", |page| !items(page).is_empty()).await;
    assert_eq!(items(&verdicts)[0]["drifted"], false, "{verdicts}");

    let performance = "/api/v1/services/compras/performance";
    let is_estimated = |page: &Value| !page["windows"][0]["estimated"][0].is_null();
    let told = server.wait_for(performance, is_estimated).await;
    let window = &told["windows"][0];
    assert_eq!(
        (&window["labels"], &window["rows"], &window["fell"]),
        (&json!(0), &json!(800), &json!(false))
    );
    let estimate = &window["estimated"][0];
    let of = |figure: &Value, field: &str| figure[field].as_f64().unwrap();
    assert_eq!(estimate["measure"], "accuracy");
    let (value, low, high) = (of(estimate, "value"), of(estimate, "lower"), of(estimate, "upper"));
    assert!(low < value && value < high && high - low < 0.2 && value > 0.7, "{estimate}");
    assert!(estimate["thresholds"]["lower"].is_number() && estimate["reference"].is_number(), "{estimate}");

    let predictions = said["predictions"].as_array().unwrap();
    let outcome = |(said, visitor): (&Value, &Visitor)| json!({ "prediction_id": said["prediction_id"], "label": label(visitor) });
    let outcomes: Vec<Value> = predictions.iter().zip(&week).map(outcome).collect();
    server.post("/api/v1/outcomes", &Value::from(outcomes)).await.ok();
    let is_measured = |page: &Value| page["windows"][0]["labels"] == 800;
    let told = server.wait_for(performance, is_measured).await;
    let window = &told["windows"][0];
    let real = &window["realized"][0];
    assert_eq!(real["measure"], "accuracy");
    let hits =
        predictions.iter().zip(&week).filter(|(said, visitor)| said["label"] == label(visitor)).count();
    assert!((of(real, "value") - hits as f64 / 800.0).abs() < 1e-9, "{real}");
    assert!((low..=high).contains(&of(real, "value")), "{estimate} {real}");
    assert_eq!((&window["reconciliation"]["contradicted"], &window["fell"]), (&json!(false), &json!(false)));
}
