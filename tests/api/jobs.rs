//! Pipelines and their jobs: declared in TOML, seen as they go, ended on demand, and taken over when a worker dies.

use std::path::Path;
use std::time::{Duration, Instant};

use chasqui_tests::{Server, ServerBuilder, postgres_database};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{assert_problem, items, text};
use crate::fixtures::{csv, sales};

/// A declaration for the dataset `ventas`; `more` follows it.
fn declaration(learner: &str, more: &str) -> String {
    format!(
        "service = \"ventas\"\nseed = 7\nlearner = {learner}\n\
         source = {{ dataset = \"ventas\" }}\n\
         features = {{ target = \"sales\", task = \"regression\", numeric = [\"price\"], categorical = [\"store\"] }}\n\
         {more}"
    )
}

const LINEAR: &str = "{ kind = \"linear\" }";

/// A learner that takes its time on twenty thousand rows, and tells how far it is.
fn slow(trees: usize) -> String {
    format!(
        "{{ kind = \"gradient_boosting\", trees = {trees}, depth = 10, min_leaf = 2, early_stopping = 0, threads = 1 }}"
    )
}

async fn put(server: &Server, declaration: &str) -> chasqui_tests::Answer {
    let body = declaration.as_bytes().to_vec();
    server.send(Method::PUT, "/api/v1/pipelines/reentrenar", "application/toml", body).await
}

async fn upload(server: &Server, rows: usize) {
    let file = csv(&sales(rows, 4.0, 3)).into_bytes();
    server.upload("/api/v1/datasets/ventas/versions", file).await.ok();
}

/// Starts a run; answers its job's id.
async fn run(server: &Server) -> String {
    let answer = server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = text(&answer.json()["job"]["id"]).to_owned();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/jobs/{id}").as_str()));
    id
}

#[tokio::test]
async fn a_declaration_is_checked_to_the_last_key() {
    let server = Server::start().await;
    for (bad, named) in [
        (declaration(LINEAR, "sede = 7"), "sede"),
        (declaration("{ kind = \"linear\", l3 = 1.0 }", ""), "l3"),
        (declaration("{ kind = \"forest\" }", ""), "forest"),
        (declaration(LINEAR, "[triggers]\nschedule = \"0 33 * * 1\""), "33"),
        (declaration(LINEAR, "[triggers]\ndrfit = true"), "drfit"),
        (declaration(LINEAR, "[gates]\nholdout = 1.5"), "holdout"),
        (declaration(LINEAR, "[rollout]\nsteps = [{ weight = 2.0 }]"), "weight"),
        (declaration("{ kind = \"logistic\" }", ""), "logistic"),
        ("service = ".to_owned(), ""),
        (String::new(), "service"),
    ] {
        assert_problem(&put(&server, &bad).await, 422, named);
    }
    let not_utf8 = server.send(Method::PUT, "/api/v1/pipelines/reentrenar", "", vec![0xff]).await;
    assert_problem(&not_utf8, 400, "UTF-8");
    assert_problem(&server.get("/api/v1/pipelines/reentrenar").await, 404, "reentrenar");

    let good = declaration(LINEAR, "");
    let stored = put(&server, &good).await.ok();
    assert_eq!((&stored["declaration"], &stored["service"]), (&json!(good), &json!("ventas")));
    assert_eq!(put(&server, &good).await.ok(), stored, "the same again changes nothing");
    assert_eq!(items(&server.get("/api/v1/pipelines").await.ok()).len(), 1);
    let gone = server.send(Method::DELETE, "/api/v1/pipelines/reentrenar", "", Vec::new()).await;
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn the_first_run_makes_the_service_and_is_told_as_it_goes() {
    let server = Server::start().await;
    upload(&server, 20_000).await;
    put(&server, &declaration(&slow(300), "")).await.ok();
    let id = run(&server).await;
    let events = events(&server, &id).await;
    let job = events.last().unwrap();
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(
        (&job["kind"], &job["subject"], &job["progress"]),
        (&json!("retrain"), &json!("reentrenar"), &json!(1.0))
    );
    let progress: Vec<f64> = events.iter().map(|job| job["progress"].as_f64().unwrap()).collect();
    assert!(progress.is_sorted() && events.len() > 2, "{progress:?}");
    assert!(events.iter().any(|job| job["state"] == "running" && job["message"] != ""), "{events:?}");
    assert_eq!(server.get(&format!("/api/v1/jobs/{id}")).await.ok()["result"], job["result"]);

    let runs = server.get("/api/v1/pipelines/reentrenar/runs").await.ok();
    let run = &items(&runs)[0];
    assert_eq!(
        (&run["trigger"], &run["dataset_version"], &run["version"]),
        (&json!("hand"), &json!(1), &json!(1))
    );
    let version = server.get("/api/v1/models/ventas/versions/1").await.ok();
    assert_eq!(version["lineage"]["pipeline_run"], run["id"]);
    assert_eq!(version["lineage"]["dataset"], json!({ "name": "ventas", "version": 1 }));
    assert!(version["metrics"]["rmse"].as_f64().is_some_and(|rmse| rmse < 5.0), "{version}");
    let profile = server.get("/api/v1/models/ventas/versions/1/profile").await.ok();
    assert_eq!(profile["features"].as_array().unwrap().len(), 2);

    // Routing follows what the worker did within its poll.
    server.wait_for("/api/v1/services/ventas", |service| service["ready"] == true).await;
    let body = json!({ "records": [{ "price": 5.0, "store": "Quito" }] });
    let answer = server.post("/api/v1/services/ventas/predict", &body).await.ok();
    let value = answer["predictions"][0]["value"].as_f64().unwrap();
    assert!((value - 70.0).abs() < 3.0, "50 + 4 · 5, not {value}");

    let again = self::events(&server, &self::run(&server).await).await;
    assert_eq!(again.last().unwrap()["state"], "succeeded");
    assert_eq!(
        items(&server.get("/api/v1/models/ventas/versions").await.ok()).len(),
        1,
        "the same data, the same bytes"
    );
}

/// Every event of a job's stream, to its end.
async fn events(server: &Server, id: &str) -> Vec<Value> {
    let mut response =
        server.request(Method::GET, &format!("/api/v1/jobs/{id}/events")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        stream.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let events = stream.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':'));
    events
        .map(|event| {
            let data =
                event.strip_prefix("event: job\ndata: ").unwrap_or_else(|| panic!("not an event: {event}"));
            serde_json::from_str(data).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn what_cannot_succeed_fails_with_its_reason() {
    let server = Server::start().await;
    put(&server, &declaration(LINEAR, "")).await.ok();
    let id = run(&server).await;
    let job = server.wait_for(&format!("/api/v1/jobs/{id}"), |job| job["state"] == "failed").await;
    assert!(text(&job["error"]).contains("ventas"), "{job}");
    let of_failure = |page: &Value| items(page).iter().any(|alert| alert["kind"] == "retrain_failed");
    server.wait_for("/api/v1/alerts", of_failure).await;
    assert_problem(&server.get("/api/v1/jobs/none/events").await, 404, "none");
    assert_problem(&server.post("/api/v1/pipelines/none/runs", &json!({})).await, 404, "none");
}

#[tokio::test]
async fn a_job_is_ended_when_a_person_asks() {
    let server = Server::start().await;
    upload(&server, 20_000).await;
    put(&server, &declaration(&slow(10_000), "")).await.ok();
    let id = run(&server).await;
    let path = format!("/api/v1/jobs/{id}");
    let training = |job: &Value| job["state"] == "running" && job["progress"].as_f64().unwrap() > 0.1;
    server.wait_for(&path, training).await;
    // While it runs, asking again gives the same run.
    let again = server.post("/api/v1/pipelines/reentrenar/runs", &json!({})).await.ok();
    assert_eq!((&again["started"], &again["job"]["id"]), (&json!(false), &json!(id)));

    let asked = Instant::now();
    server.post(&format!("{path}/cancel"), &json!({ "reason": "me equivoqué" })).await.ok();
    let job = server.wait_for(&path, |job| job["state"] != "running").await;
    assert_eq!(job["state"], "cancelled", "{job}");
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_problem(&server.post(&format!("{path}/cancel"), &json!({})).await, 409, "cancelled");
    assert_eq!(server.get("/api/v1/models/ventas").await.status, 404, "nothing was registered");
}

/// How soon another worker has the job of a dead one.
const RESUMED: Duration = Duration::from_secs(30);

/// A worker dies with a job in its hands; another has it within half a minute and brings it to its end.
async fn another_worker_takes_over(folder: &Path, database: Option<String>) {
    let builder = || {
        let builder = ServerBuilder::default().data_dir(folder);
        database.iter().fold(builder, |builder, url| builder.env("CHASQUI_DATABASE_URL", url))
    };
    let server = builder().arg("--no-worker").start().await;
    upload(&server, 20_000).await;
    put(&server, &declaration(&slow(900), "")).await.ok();
    let id = run(&server).await;
    let path = format!("/api/v1/jobs/{id}");
    assert_eq!(server.get(&path).await.ok()["state"], "queued", "nobody runs jobs yet");

    let mut first = builder().worker().start().await;
    let training = |job: &Value| job["state"] == "running" && job["progress"].as_f64().unwrap() > 0.12;
    let held = server.wait_for(&path, training).await;
    let second = builder().worker().start().await;
    first.kill();
    let killed = Instant::now();
    let taken = loop {
        let job = server.get(&path).await.ok();
        if job["worker"] != held["worker"] {
            break job;
        }
        assert!(killed.elapsed() < RESUMED, "nobody else has the job: {job}\n{}", second.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(
        (&taken["state"], &taken["attempts"]),
        (&json!("running"), &json!(2)),
        "{taken}\n{}",
        second.log()
    );
    let done = server.wait_for(&path, |job| job["state"] != "running").await;
    assert_eq!(done["state"], "succeeded", "{done}\n{}", second.log());
    assert_eq!(items(&server.get("/api/v1/models/ventas/versions").await.ok()).len(), 1);
    server.wait_for("/api/v1/services/ventas", |service| service["ready"] == true).await;
    let body = json!({ "records": [{ "price": 5.0, "store": "Quito" }] });
    server.post("/api/v1/services/ventas/predict", &body).await.ok();
}

#[tokio::test]
async fn another_worker_takes_over_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    another_worker_takes_over(folder.path(), None).await;
}

#[tokio::test]
async fn another_worker_takes_over_on_postgresql() {
    let Some(database) = postgres_database("chasqui_api_workers") else { return };
    let folder = tempfile::tempdir().unwrap();
    another_worker_takes_over(folder.path(), Some(database)).await;
}
