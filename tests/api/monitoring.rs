//! Drift is found in the window in which it begins, in the column that moved, and starts what waits for it.

use std::path::PathBuf;

use chasqui_tests::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{items, text};
use crate::fixtures::{Sale, csv, register, regression, sales};
use crate::telemetry::metric;

const PIPELINE: &str = r#"
service = "ventas"
seed = 7
source = { dataset = "ventas" }
features = { target = "sales", task = "regression", numeric = ["price"], categorical = ["store"] }
learner = { kind = "linear" }

[triggers]
drift = true
cooldown = "0s"
"#;

/// Four weeks of history; each begins on a Thursday, as the weeks of 1970 did.
const WEEKS: [&str; 4] =
    ["2026-01-01T12:00:00Z", "2026-01-08T12:00:00Z", "2026-01-15T12:00:00Z", "2026-01-22T12:00:00Z"];

async fn trained_service() -> Server {
    let server = Server::start().await;
    server.upload("/api/v1/datasets/ventas/versions", csv(&sales(3000, 4.0, 3)).into_bytes()).await.ok();
    server.send(Method::PUT, "/api/v1/pipelines/reentrenar", "", PIPELINE.as_bytes().to_vec()).await.ok();
    let started = server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await.ok();
    let job = format!("/api/v1/jobs/{}", text(&started["job"]["id"]));
    let job = server.wait_for(&job, |job| job["state"] != "queued" && job["state"] != "running").await;
    assert_eq!(job["state"], "succeeded", "{job}");
    // The new service is routed within the poll.
    server.wait_for("/api/v1/services/ventas", |service| service["ready"] == true).await;
    server
}

async fn week(server: &Server, at: &str, sales: &[Sale]) {
    let records: Vec<Value> = sales.iter().map(Sale::record).collect();
    let body = json!({ "records": records, "at": at });
    server.post("/api/v1/services/ventas/predict", &body).await.ok();
}

/// Whether a text stands anywhere in the database.
fn is_stored(server: &Server, text: &str) -> bool {
    let files = std::fs::read_dir(server.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let databases: Vec<_> = files.filter(|path| path.to_string_lossy().contains(".db")).collect();
    assert!(!databases.is_empty());
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    databases.iter().any(holds)
}

#[tokio::test]
async fn new_values_are_kept_unless_they_are_personal() {
    let mut server = trained_service().await;
    let config = json!({ "model": "ventas", "personal": ["store"] });
    server.put("/api/v1/services/reservado", &config).await.ok();
    server.wait_for("/api/v1/services/reservado", |service| service["ready"] == true).await;
    for (service, store) in [("ventas", "Calle Larga 77"), ("reservado", "Calle Corta 11")] {
        let record = json!({ "price": 5.0, "store": store });
        server
            .post(&format!("/api/v1/services/{service}/predict"), &json!({ "records": [record] }))
            .await
            .ok();
    }
    assert!(server.terminate());
    assert!(
        is_stored(&server, "Calle Larga 77"),
        "a new value is told to whoever looks for the reason of a drift"
    );
    assert!(!is_stored(&server, "Calle Corta 11"), "a personal value is in the database");
}

#[tokio::test]
async fn drift_is_found_where_and_when_it_begins() {
    let server = trained_service().await;
    let shifted: Vec<Sale> =
        sales(400, 4.0, 103).into_iter().map(|sale| Sale { price: sale.price * 0.5 + 6.0, ..sale }).collect();
    week(&server, WEEKS[0], &sales(400, 4.0, 101)).await;
    week(&server, WEEKS[1], &sales(400, 4.0, 102)).await;
    week(&server, WEEKS[2], &shifted).await;
    // A later window has begun: the ones before are over.
    week(&server, WEEKS[3], &sales(5, 4.0, 104)).await;
    let verdicts = server.wait_for("/api/v1/services/ventas/drift", |page| items(page).len() == 3).await;
    let verdicts: Vec<&Value> = items(&verdicts).iter().rev().collect();
    let drifted: Vec<bool> = verdicts.iter().map(|verdict| verdict["drifted"] == true).collect();
    assert_eq!(drifted, [false, false, true], "{verdicts:?}");
    let feature = |name: &str| {
        let features = verdicts[2]["verdict"]["features"].as_array().unwrap();
        features.iter().find(|feature| feature["name"] == name).unwrap()
    };
    assert_eq!((&feature("price")["drifted"], &feature("store")["drifted"]), (&json!(true), &json!(false)));
    // The scan looks at the last window and at the last two together; the strongest look is the one that is told.
    assert_eq!(
        (&verdicts[2]["verdict"]["windows"], &verdicts[2]["verdict"]["rows"]),
        (&json!(2), &json!(800))
    );
    assert_eq!(feature("price")["windows"], 1);
    assert!(feature("price")["psi"].as_f64().unwrap() > 0.25, "{}", feature("price"));
    assert!(feature("store")["psi"].as_f64().unwrap() < 0.1, "{}", feature("store"));
    assert!(feature("price")["p_value"].as_f64().unwrap() < 1e-6);
    let means = ["before", "after"].map(|side| feature("price")[side]["mean"].as_f64().unwrap());
    assert!(means[1] - means[0] > 2.0, "{means:?}");

    let alerts = server.wait_for("/api/v1/alerts?service=ventas", |page| !items(page).is_empty()).await;
    let alert = items(&alerts).iter().find(|alert| alert["kind"] == "drift").expect("drift raises an alert");
    let acknowledge = format!("/api/v1/alerts/{}/acknowledge", text(&alert["id"]));
    assert_eq!(server.post(&acknowledge, &json!({})).await.status, 204);
    let of_drift = |page: &Value| items(page).iter().any(|run| run["trigger"] == "drift");
    server.wait_for("/api/v1/pipelines/reentrenar/runs", of_drift).await;

    let service = ("service", "ventas");
    let seen = |answer: &Answer| {
        let text = answer.text();
        metric(&text, "chasqui_drifted", &[service]) == Some(1.0)
            && metric(&text, "chasqui_drift_psi", &[service, ("feature", "price")])
                .is_some_and(|psi| psi > 0.25)
            && metric(&text, "chasqui_drift_psi", &[service, ("feature", "store")])
                .is_some_and(|psi| psi < 0.1)
    };
    server.wait_for_answer("/metrics", seen).await;
}

#[tokio::test]
async fn a_model_that_was_trained_elsewhere_is_watched_by_its_dataset() {
    let server = Server::start().await;
    server.upload("/api/v1/datasets/historia/versions", csv(&sales(3000, 4.0, 3)).into_bytes()).await.ok();
    server.upload("/api/v1/datasets/otra/versions", csv(&sales(3000, 4.0, 4)).into_bytes()).await.ok();
    server.upload("/api/v1/datasets/ajena/versions", b"color\nrojo\n".to_vec()).await.ok();
    register(&server, "ventas", regression(4.0)).await.ok();
    let profile = "/api/v1/models/ventas/versions/1/profile";
    server.get(profile).await.refused(404, "no reference profile");
    let from = |name: &str| json!({ "name": name, "version": 1 });
    server.put(profile, &from("ninguna")).await.refused(404, "ninguna");
    server.put(profile, &from("ajena")).await.refused(422, "the column `price` does not exist");
    let version = server.put(profile, &from("historia")).await.ok();
    assert!(version["profile_sha256"].is_string(), "{version}");
    assert_eq!(server.put(profile, &from("historia")).await.ok(), version);
    server.put(profile, &from("otra")).await.refused(409, "another reference profile");
    let names: Vec<Value> = server.get(profile).await.ok()["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| feature["name"].clone())
        .collect();
    assert_eq!(names, ["price", "store"]);

    let dearer: Vec<Sale> =
        sales(400, 4.0, 103).into_iter().map(|sale| Sale { price: sale.price * 0.5 + 6.0, ..sale }).collect();
    week(&server, WEEKS[0], &sales(400, 4.0, 101)).await;
    week(&server, WEEKS[1], &dearer).await;
    week(&server, WEEKS[2], &sales(5, 4.0, 104)).await;
    let verdicts = server.wait_for("/api/v1/services/ventas/drift", |page| items(page).len() == 2).await;
    let drifted: Vec<&Value> = items(&verdicts).iter().rev().map(|verdict| &verdict["drifted"]).collect();
    assert_eq!(drifted, [false, true], "{verdicts}");

    // Whoever says at once what it was trained on has it at once; what gives no profile is no reason to refuse.
    let registered = |model: &str, dataset: &str| {
        let lineage = format!("%7B%22dataset%22:%7B%22name%22:%22{dataset}%22,%22version%22:1%7D%7D");
        format!("/api/v1/models/{model}/versions?lineage={lineage}")
    };
    let watched = server.upload(&registered("vigilado", "historia"), regression(4.0)).await.ok();
    assert_eq!(watched["profile_sha256"], version["profile_sha256"]);
    let unwatched = server.upload(&registered("suelto", "ajena"), regression(4.0)).await.ok();
    assert_eq!(unwatched["profile_sha256"], Value::Null);
}

#[tokio::test]
async fn what_two_processes_counted_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || chasqui_tests::ServerBuilder::default().data_dir(folder.path());
    let mut server = builder().start().await;
    server.upload("/api/v1/datasets/ventas/versions", csv(&sales(3000, 4.0, 3)).into_bytes()).await.ok();
    server.send(Method::PUT, "/api/v1/pipelines/reentrenar", "", PIPELINE.as_bytes().to_vec()).await.ok();
    server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await.ok();
    server.wait_for("/api/v1/services/ventas", |service| service["ready"] == true).await;
    week(&server, WEEKS[0], &sales(150, 4.0, 101)).await;
    // Totals are written every second; a clean end writes the last ones.
    assert!(server.terminate());
    let server = builder().start().await;
    week(&server, WEEKS[0], &sales(150, 4.0, 105)).await;
    week(&server, WEEKS[1], &sales(5, 4.0, 104)).await;
    let verdicts = server.wait_for("/api/v1/services/ventas/drift", |page| !items(page).is_empty()).await;
    assert_eq!(items(&verdicts)[0]["verdict"]["rows"], 300, "both processes' counts are added: {verdicts}");
}

#[tokio::test]
async fn a_rollout_does_not_hide_half_of_the_entities_from_either_side() {
    let server = trained_service().await;
    server.upload("/api/v1/datasets/ventas/versions", csv(&sales(3000, 4.0, 4)).into_bytes()).await.ok();
    let again = server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await.ok();
    let job = format!("/api/v1/jobs/{}", text(&again["job"]["id"]));
    server.wait_for(&job, |job| job["state"] == "succeeded").await;
    let plan = json!({ "version": 2, "steps": [{ "weight": 0.5, "hold": "1h" }] });
    let rollout = server.post("/api/v1/services/ventas/rollouts", &plan).await;
    assert_eq!(rollout.status, 201, "{}", rollout.text());
    let place = rollout.header("location").unwrap().to_owned();
    server.wait_for(&place, |rollout| rollout["weight"] == 0.5).await;
    // The row is there before this process routes by it.
    let routed = |answer: &Answer| {
        let share = [("service", "ventas"), ("version", "2")];
        metric(&answer.text(), "chasqui_share", &share) == Some(0.5)
    };
    server.wait_for_answer("/metrics", routed).await;

    // Each customer buys at a price of their own, so that the half that a side answers for has other prices.
    let mut of_the_week = sales(400, 4.0, 101);
    of_the_week.sort_by(|a, b| a.price.total_cmp(&b.price));
    let mut answered = std::collections::BTreeMap::new();
    for (customer, bought) in of_the_week.chunks(10).enumerate() {
        let records: Vec<Value> = bought.iter().map(Sale::record).collect();
        let body = json!({ "records": records, "key": format!("cliente-{customer}"), "at": WEEKS[0] });
        let answer = server.post("/api/v1/services/ventas/predict", &body).await.ok();
        *answered.entry(answer["predictions"][0]["version"].to_string()).or_insert(0) += bought.len();
    }
    assert!(answered.len() == 2, "both sides answered: {answered:?}");
    week(&server, WEEKS[1], &sales(5, 4.0, 104)).await;
    let verdicts = server.wait_for("/api/v1/services/ventas/drift", |page| items(page).len() == 2).await;
    for verdict in items(&verdicts) {
        let what = &verdict["verdict"];
        assert_eq!((&what["rows"], &what["drifted"]), (&json!(400), &json!(false)), "{verdict}");
        assert!(
            what["prediction"]["reason"].is_string(),
            "answers for some say nothing about all: {verdict}"
        );
    }
}

#[tokio::test]
async fn the_calendar_is_the_laws_until_the_company_changes_it() {
    let server = Server::start().await;
    let law = server.get("/api/v1/calendar?year=2026").await.ok();
    let days = law["days_off"].as_array().unwrap();
    assert!(days.iter().any(|day| day["date"] == "2026-02-17"), "Carnival Tuesday: {law}");
    assert!(law["seasons"].as_array().unwrap().iter().any(|season| season["event"] == "decimo_tercero"));
    let own = json!({
        "places": ["quito"],
        "added": [{ "date": "2026-07-17", "why": "Inventario" }],
        "seasons": [{ "event": { "propio": "Aniversario" }, "day": "2026-07-10", "from": "2026-07-05", "to": "2026-07-15" }],
    });
    let changed = server.put("/api/v1/calendar?reason=aniversario", &own).await.ok();
    assert_eq!(changed["calendar"]["seasons"][0]["event"]["propio"], "Aniversario");
    let year = server.get("/api/v1/calendar?year=2026").await.ok();
    let names: Vec<&str> =
        year["seasons"].as_array().unwrap().iter().filter_map(|season| season["name"].as_str()).collect();
    assert!(names.contains(&"Aniversario"), "{names:?}");
    assert!(year["days_off"].as_array().unwrap().iter().any(|day| day["why"] == "Inventario"));
    let audit = server.get("/api/v1/audit").await.ok();
    assert!(items(&audit).iter().any(|entry| entry["action"] == "calendar.put"), "{audit}");
    let backwards = json!({
        "seasons": [{ "event": "carnaval", "day": "2026-02-17", "from": "2026-02-19", "to": "2026-02-13" }],
    });
    assert_eq!(server.put("/api/v1/calendar", &backwards).await.status, 422);
}

#[tokio::test]
async fn faulty_data_are_told_and_performance_is_estimated_then_measured() {
    let server = trained_service().await;
    week(&server, WEEKS[0], &sales(400, 4.0, 101)).await;
    let broken: Vec<Sale> = sales(400, 4.0, 102)
        .into_iter()
        .enumerate()
        .map(|(row, sale)| if row % 10 == 0 { Sale { price: -sale.price, ..sale } } else { sale })
        .collect();
    let records: Vec<Value> = broken.iter().map(Sale::record).collect();
    let body = json!({ "records": records, "at": WEEKS[1] });
    let said = server.post("/api/v1/services/ventas/predict", &body).await.ok();
    week(&server, WEEKS[2], &sales(5, 4.0, 104)).await;
    let verdicts = server.wait_for("/api/v1/services/ventas/drift", |page| items(page).len() == 2).await;
    let faults = |verdict: &Value| verdict["assessment"]["faults"].as_array().unwrap().clone();
    assert!(faults(&items(&verdicts)[1]).is_empty(), "{verdicts}");
    let found = faults(&items(&verdicts)[0]);
    assert!(found.iter().any(|fault| fault["check"] == "range" && fault["column"] == "price"), "{found:?}");
    let of_data = |page: &Value| items(page).iter().any(|alert| alert["kind"] == "data");
    let alerts = server.wait_for("/api/v1/alerts?service=ventas", of_data).await;
    let alert = items(&alerts).iter().find(|alert| alert["kind"] == "data").unwrap().clone();
    assert!(text(&alert["title"]).contains("«price» trae valores fuera de lo posible"), "{alert}");

    let estimated = |page: &Value| {
        let windows = page["windows"].as_array();
        windows.is_some_and(|windows| {
            windows.iter().all(|window| !window["estimated"].as_array().unwrap().is_empty())
        })
    };
    let performance = "/api/v1/services/ventas/performance";
    let told = server.wait_for(performance, estimated).await;
    let figure = &told["windows"][0]["estimated"][0];
    assert_eq!(figure["measure"], "mean_absolute");
    assert!(figure["lower"].as_f64() < figure["value"].as_f64() && figure["thresholds"]["upper"].is_number());
    let outcomes: Vec<Value> = said["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| json!({ "prediction_id": said["prediction_id"], "value": said["value"].as_f64().unwrap() + 1.0 }))
        .collect();
    server.post("/api/v1/outcomes", &Value::from(outcomes)).await.ok();
    let measured = |page: &Value| page["windows"][0]["realized"][0]["value"].as_f64().is_some();
    let told = server.wait_for(performance, measured).await;
    let real = told["windows"][0]["realized"][0]["value"].as_f64().unwrap();
    assert!((real - 1.0).abs() < 1e-3 && told["windows"][0]["labels"] == 400, "{told}");
    let page = server.get("/services/ventas/drift").await;
    assert_eq!(page.status, 200);
}
