//! The same journey on every pair of database and object store: SQLite and a folder, PostgreSQL and S3.

use chasqui_tests::{Server, ServerBuilder, postgres_database, s3_bucket, s3_endpoint};
use serde_json::json;

use crate::answers::items;
use crate::fixtures::{register, regression};
use crate::journey;

#[tokio::test]
async fn the_journey_on_sqlite_and_a_folder() {
    journey::whole(&Server::start().await).await;
}

/// On PostgreSQL and S3, with data folders of their own: nothing but the database and the bucket is shared.
fn shared(database: &str, endpoint: &str, bucket: &str) -> ServerBuilder {
    ServerBuilder::default()
        .env("CHASQUI_DATABASE_URL", database)
        .env("CHASQUI_STORAGE_URL", format!("s3://{bucket}/chasqui"))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
}

#[tokio::test]
async fn the_journey_on_postgresql_and_s3() {
    let (Some(database), Some(endpoint)) = (postgres_database("chasqui_api_journey"), s3_endpoint()) else {
        return;
    };
    s3_bucket(&endpoint, "chasqui-api-journey");
    let mut server = shared(&database, &endpoint, "chasqui-api-journey").start().await;
    journey::whole(&server).await;
    assert!(!server.data_dir().join("artifacts").exists(), "artifacts are in the bucket");
    assert!(!server.data_dir().join("chasqui.db").exists(), "rows are in PostgreSQL");
    let before = server.get("/api/v1/services/ventas/log?limit=1000").await.ok();
    assert!(server.terminate(), "{}", server.log());

    // Another machine: an empty folder, the same database and bucket.
    let server = shared(&database, &endpoint, "chasqui-api-journey").start().await;
    let after = server.get("/api/v1/services/ventas/log?limit=1000").await.ok();
    assert_eq!(items(&after).len(), items(&before).len());
    assert_eq!(server.get("/api/v1/models/ventas/aliases/champion").await.ok()["version"], 2);
}

#[tokio::test]
async fn replicas_follow_each_other() {
    let (Some(database), Some(endpoint)) = (postgres_database("chasqui_api_replicas"), s3_endpoint()) else {
        return;
    };
    s3_bucket(&endpoint, "chasqui-api-replicas");
    let builder = || shared(&database, &endpoint, "chasqui-api-replicas");
    let (one, mut two) = futures::future::join(builder().start(), builder().start()).await;
    register(&one, "ventas", regression(4.0)).await.ok();
    let path = "/api/v1/services/ventas";
    two.wait_for(path, |service| service["ready"] == true).await;
    let body = json!({ "records": [{ "price": 1.0, "store": "Quito" }] });
    let first = one.post(&format!("{path}/predict"), &body).await.ok();
    let second = two.post(&format!("{path}/predict"), &body).await.ok();
    assert_eq!(first["predictions"][0]["value"], second["predictions"][0]["value"]);

    register(&one, "ventas", regression(9.0)).await.ok();
    two.put("/api/v1/models/ventas/aliases/champion", &json!({ "version": 2 })).await.ok();
    one.wait_for(path, |service| service["shares"] == json!([{ "version": 2, "share": 1.0 }])).await;

    // A key made at one works at the other within its poll, and stops working there when it is revoked.
    let made = one.post("/api/v1/keys", &json!({ "name": "caja", "role": "viewer" })).await.ok();
    let admin = std::mem::replace(&mut two.key, made["secret"].as_str().unwrap().to_owned());
    two.wait_for_answer("/api/v1/whoami", |answer| answer.status == 200).await;
    let key = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(one.send(reqwest::Method::DELETE, &key, "", Vec::new()).await.status, 204);
    two.wait_for_answer("/api/v1/whoami", |answer| answer.status == 401).await;
    two.key = admin;

    // What both answered is one log, once both have ended.
    let (mut one, mut two) = (one, two);
    assert!(one.terminate() && two.terminate());
    let third = builder().start().await;
    assert_eq!(items(&third.get(&format!("{path}/log")).await.ok()).len(), 2);
}
