//! SIGTERM under load: not ready any more, everything that was accepted is answered, and the end is clean.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chasqui_tests::{Answer, Server, ServerBuilder};
use futures::future::{join, join3, join_all};
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::answers::{items, text};
use crate::fixtures::{Sale, register, regression, sales};

#[tokio::test]
async fn no_accepted_request_fails_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let builder = ServerBuilder::default().data_dir(folder.path()).env("CHASQUI_DRAIN_SECONDS", "2");
    let mut server = builder.start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let ended = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let asking = join_all((0..12).map(|_| ask_until_the_end(&server, &ended, &answered)));
    let ending = async {
        while answered.load(Ordering::Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.ask_to_end();
        ended.store(true, Ordering::Relaxed);
    };
    let watching = async {
        while !ended.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watch_readiness(&server).await
    };
    let (ids, (), states) = join3(asking, ending, watching).await;
    assert!(states.iter().any(|state| state["state"] == "draining" && state["ready"] == false), "{states:?}");
    assert!(server.await_end(), "the exit code is not 0: {}", server.log());

    let ids: Vec<String> = ids.into_iter().flatten().collect();
    let server = ServerBuilder::default().data_dir(folder.path()).start().await;
    let performance = server.get("/api/v1/services/ventas/performance").await.ok();
    assert_eq!(performance["predictions"], ids.len(), "{performance}");
}

/// Asks on kept-alive connections until nothing listens any more; answers what was answered.
async fn ask_until_the_end(server: &Server, ended: &AtomicBool, answered: &AtomicU64) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }] }).to_string().into_bytes();
        match server.try_send(Method::POST, "/api/v1/services/ventas/predict", "", body).await {
            Ok(answer) => {
                let answer = answer.ok();
                ids.push(text(&answer["predictions"][0]["prediction_id"]).to_owned());
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(ended.load(Ordering::Relaxed), "before the end: {error:?}");
                // Nobody listens: not accepted. Anything else is a request that was taken and not answered.
                assert!(error.is_connect(), "an accepted request failed: {error:?}");
                return ids;
            }
        }
    }
}

async fn watch_readiness(server: &Server) -> Vec<Value> {
    let mut states = Vec::new();
    while let Ok(answer) = server.try_send(Method::GET, "/health/ready", "", Vec::new()).await {
        let state = answer.json();
        assert_eq!(answer.status.is_success(), state["ready"] == true, "{state}");
        states.push(state);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    states
}

#[tokio::test]
async fn a_request_that_began_before_the_end_is_answered() {
    let mut server = ServerBuilder::default().env("CHASQUI_DRAIN_SECONDS", "0").start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let records: Vec<Value> = sales(50, 4.0, 2).iter().map(Sale::record).collect();
    let mut first = json!({ "records": records }).to_string().into_bytes();
    let second = first.split_off(100);
    // The second half of the body is sent only when the server has been told to end.
    let (sender, receiver) = oneshot::channel::<()>();
    let halves = stream::once(async { Ok::<_, std::io::Error>(first) }).chain(stream::once(async {
        receiver.await.unwrap();
        Ok(second)
    }));
    let request = server.request(Method::POST, "/api/v1/services/ventas/predict").body(Body::wrap_stream(halves));
    let end = async {
        server.wait_for_answer("/metrics", |answer| answer.text().contains("chasqui_http_in_flight 2")).await;
        server.ask_to_end();
        while server.try_send(Method::GET, "/health/live", "", Vec::new()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sender.send(()).unwrap();
    };
    let (response, ()) = join(request.send(), end).await;
    let answer = Answer::of(response.unwrap()).await.unwrap().ok();
    assert_eq!(answer["predictions"].as_array().unwrap().len(), 50);
    assert!(server.await_end());
}

#[tokio::test]
async fn it_is_ready_again_with_everything_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerBuilder::default().data_dir(folder.path()).start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let record = json!({ "records": [{ "price": 1.0, "store": "Quito" }] });
    let before = server.post("/api/v1/services/ventas/predict", &record).await.ok();
    assert!(server.terminate());
    let server = ServerBuilder::default().data_dir(folder.path()).start().await;
    let after = server.post("/api/v1/services/ventas/predict", &record).await.ok();
    assert_eq!(before["predictions"][0]["value"], after["predictions"][0]["value"]);
    assert_eq!(items(&server.get("/api/v1/services/ventas/log").await.ok()).len(), 2);
}
