//! SIGTERM under load: not ready any more, everything that was accepted is answered, and the end is clean.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chasqui_tests::{Answer, Server, ServerBuilder};
use futures::future::{join, join_all, join3};
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, oneshot};

use crate::answers::items;
use crate::fixtures::{Sale, register, regression, sales};

/// How long it goes on answering while load balancers notice that it is not ready.
const DRAIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn no_accepted_request_fails_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let builder = ServerBuilder::default().data_dir(folder.path());
    let mut server = builder.env("CHASQUI_DRAIN_SECONDS", DRAIN.as_secs().to_string()).start().await;
    register(&server, "ventas", regression(4.0)).await.ok();
    let ended = OnceCell::new();
    let answered = AtomicUsize::new(0);
    let asking = join_all((0..12).map(|_| ask_until_the_end(&server, &ended, &answered)));
    let ending = async {
        while answered.load(Ordering::Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.ask_to_end();
        ended.set(Instant::now()).unwrap();
    };
    let watching = async {
        while ended.get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watch_readiness(&server).await
    };
    let (_, (), states) = join3(asking, ending, watching).await;
    assert!(states.iter().any(|state| state["state"] == "draining" && state["ready"] == false), "{states:?}");
    assert!(server.await_end(), "the exit code is not 0: {}", server.log());

    // What was taken was answered: there is no prediction in the log that nobody has got.
    let server = ServerBuilder::default().data_dir(folder.path()).start().await;
    let performance = server.get("/api/v1/services/ventas/performance").await.ok();
    assert_eq!(performance["predictions"], answered.into_inner(), "{performance}");
}

/// Asks, whatever readiness says, until nothing listens any more.
async fn ask_until_the_end(server: &Server, ended: &OnceCell<Instant>, answered: &AtomicUsize) {
    loop {
        let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }] }).to_string().into_bytes();
        match server.try_send(Method::POST, "/api/v1/services/ventas/predict", "", body).await {
            Ok(answer) => {
                answer.ok();
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let ended = ended.get().unwrap_or_else(|| panic!("before the end was asked for: {error:?}"));
                assert!(
                    ended.elapsed() >= DRAIN,
                    "{:?} after the end was asked for: {error:?}",
                    ended.elapsed()
                );
                return;
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
    let request =
        server.request(Method::POST, "/api/v1/services/ventas/predict").body(Body::wrap_stream(halves));
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
