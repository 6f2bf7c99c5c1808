//! `kill -9` at any moment loses no prediction whose answer was received and no outcome that was acknowledged.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chasqui_tests::{Server, ServerBuilder};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{items, text};
use crate::fixtures::{Random, register, regression};

const KILLS: u64 = 20;
const CLIENTS: u64 = 6;
/// Every so many predictions one gets its outcome.
const OUTCOME_EVERY: u64 = 5;

/// What the outside world knows to be done.
#[derive(Default)]
struct Acknowledged {
    predictions: Vec<String>,
    outcomes: Vec<(String, f64)>,
}

#[tokio::test]
async fn twenty_kills_under_load_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut random = Random(17);
    for kill in 0..KILLS {
        let mut server = ServerBuilder::default().data_dir(folder.path()).start().await;
        if kill == 0 {
            register(&server, "ventas", regression(4.0)).await.ok();
        }
        // A different moment every time: between two writes, within one, before and after the first second's flush.
        let life = Duration::from_millis(150 + random.bits() % 900);
        let clients = join_all((0..CLIENTS).map(|client| load(&server, kill * CLIENTS + client)));
        let done = {
            let pid = server.pid();
            let killer = async {
                tokio::time::sleep(life).await;
                kill_now(pid);
            };
            futures::future::join(clients, killer).await.0
        };
        server.kill();
        for one in done {
            assert!(!one.predictions.is_empty(), "kill {kill} came before any answer");
            acknowledged.predictions.extend(one.predictions);
            acknowledged.outcomes.extend(one.outcomes);
        }
    }
    let server = ServerBuilder::default().data_dir(folder.path()).start().await;
    assert_logged(&server, &acknowledged).await;
    assert_outcomes(&server, &acknowledged).await;
    // The recovered files become Parquet in the object store, and nothing is lost or doubled on that way either.
    server.wait_for_answer("/metrics", |answer| answer.text().contains("chasqui_log_lag_records 0\n")).await;
    assert_logged(&server, &acknowledged).await;
}

fn kill_now(pid: u32) {
    let killed = std::process::Command::new("kill").arg("-KILL").arg(pid.to_string()).status();
    assert!(killed.unwrap().success());
}

/// Asks until the server is gone.
async fn load(server: &Server, client: u64) -> Acknowledged {
    let mut done = Acknowledged::default();
    for number in 0_u64.. {
        let price = number as f64 / 100.0;
        let body = json!({ "records": [{ "price": price, "store": "Quito" }], "key": format!("c{client}") });
        let body = body.to_string().into_bytes();
        let Ok(answer) =
            server.try_send(Method::POST, "/api/v1/services/ventas/predict", "application/json", body).await
        else {
            break;
        };
        let answer = answer.ok();
        let id = text(&answer["predictions"][0]["prediction_id"]).to_owned();
        done.predictions.push(id.clone());
        if number % OUTCOME_EVERY != 0 {
            continue;
        }
        let outcome = json!([{ "prediction_id": id, "value": price }]).to_string().into_bytes();
        match server.try_send(Method::POST, "/api/v1/outcomes", "application/json", outcome).await {
            Ok(stored) => {
                stored.ok();
                done.outcomes.push((id, price));
            }
            Err(_) => break,
        }
    }
    done
}

async fn assert_logged(server: &Server, acknowledged: &Acknowledged) {
    let mut logged = HashSet::new();
    let mut rows = 0;
    let mut path = "/api/v1/services/ventas/log?limit=1000".to_owned();
    loop {
        let page = server.get(&path).await.ok();
        for row in items(&page) {
            rows += 1;
            assert!(row["outputs"]["value"].is_number() && row["inputs"]["store"] == "Quito", "{row}");
            logged.insert(text(&row["id"]).to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/services/ventas/log?limit=1000&cursor={cursor}");
    }
    let lost: Vec<&String> = acknowledged.predictions.iter().filter(|id| !logged.contains(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} predictions are lost: {lost:?}",
        lost.len(),
        acknowledged.predictions.len()
    );
    assert_eq!(rows, logged.len(), "no prediction is in the log twice");
    // A request that was logged when the server died, and never answered, may be there too: one a client and kill.
    let most = acknowledged.predictions.len() as u64 + KILLS * CLIENTS;
    assert!(rows as u64 <= most, "{rows} rows for {} answers", acknowledged.predictions.len());
}

async fn assert_outcomes(server: &Server, acknowledged: &Acknowledged) {
    assert!(acknowledged.outcomes.len() as u64 >= KILLS * CLIENTS);
    let started = Instant::now();
    for chunk in acknowledged.outcomes.chunks(16) {
        let found = join_all(chunk.iter().map(|(id, _)| stored_outcome(server, id))).await;
        for ((id, value), found) in chunk.iter().zip(found) {
            assert_eq!(found["value"], *value, "the outcome of {id} after {:?}", started.elapsed());
        }
    }
}

async fn stored_outcome(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/predictions/{id}")).await.ok()["outcome"].clone()
}
