//! The database itself: transactions, concurrency, what survives.

use chasqui_registry::alias::SetAlias;
use chasqui_registry::db::is_unique_violation;
use chasqui_registry::model::NewModel;
use chasqui_registry::name::AliasName;
use chasqui_registry::service::ServiceConfig;
use chasqui_registry::version::NewVersion;
use chasqui_registry::{Db, Error};
use sqlx::Row;

use crate::fixture::{Fixture, actor, model, service};
use crate::onnx::linear;

on_both_databases!(
    what_is_not_committed_is_gone,
    writers_at_once_lose_nothing,
    what_was_acknowledged_is_there_after_reopening,
    migrations_run_again_and_at_once,
    a_taken_key_is_recognised,
    null_and_large_numbers_pass_through,
    changes_of_every_kind_at_once_do_not_stop_each_other,
);

async fn what_is_not_committed_is_gone(fixture: &Fixture) {
    let registry = &fixture.registry;
    let epoch = registry.epoch().await.unwrap();
    let mut tx = registry.db.begin().await.unwrap();
    chasqui_registry::routing::bump_epoch(&mut tx).await.unwrap();
    drop(tx);
    let mut tx = registry.db.begin().await.unwrap();
    chasqui_registry::routing::bump_epoch(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(registry.epoch().await.unwrap(), epoch + 1);
}

async fn writers_at_once_lose_nothing(fixture: &Fixture) {
    let before = fixture.registry.epoch().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let registry = fixture.registry.clone();
        tasks.spawn(async move {
            if number % 2 == 0 {
                return registry.bump_epoch().await.unwrap();
            }
            let mut tx = registry.db.begin().await.unwrap();
            let row = sqlx::query("SELECT epoch FROM routing_epoch WHERE id = 1")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert!(row.get::<i64, _>("epoch") >= 1);
            chasqui_registry::routing::bump_epoch(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(fixture.registry.epoch().await.unwrap(), before + 50);
}

async fn what_was_acknowledged_is_there_after_reopening(fixture: &Fixture) {
    fixture.registry.create_model(&actor(), &model("ventas"), NewModel::default()).await.unwrap();
    // A second pool reads what the first has acknowledged while that one is still open, as after a crash.
    let db = Db::connect(&fixture.database_url).await.unwrap();
    db.ping().await.unwrap();
    let rows = sqlx::query("SELECT name FROM models").fetch_all(db.pool()).await.unwrap();
    assert_eq!(rows[0].get::<String, _>("name"), "ventas");
    db.close().await;
    assert!(matches!(db.ping().await, Err(Error::Unavailable(_))));
}

async fn migrations_run_again_and_at_once(fixture: &Fixture) {
    let db = &fixture.registry.db;
    let (first, second) = futures::future::join(db.migrate(), db.migrate()).await;
    first.unwrap();
    second.unwrap();
}

async fn a_taken_key_is_recognised(fixture: &Fixture) {
    let pool = fixture.registry.db.pool();
    let insert = "INSERT INTO routing_epoch (id, epoch) VALUES (1, 1)";
    assert!(is_unique_violation(&sqlx::query(insert).execute(pool).await.unwrap_err()));
    let dangling = "INSERT INTO aliases (model, alias, version, updated_at) VALUES ('no', 'a', 1, 1)";
    assert!(!is_unique_violation(&sqlx::query(dangling).execute(pool).await.unwrap_err()));
}

async fn null_and_large_numbers_pass_through(fixture: &Fixture) {
    let pool = fixture.registry.db.pool();
    let insert = "INSERT INTO outcomes (prediction_id, service, label, value, converted, occurred_at, received_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $6)";
    sqlx::query(insert)
        .bind("p")
        .bind(None::<String>)
        .bind("sí")
        .bind(0.1_f64 + 0.2)
        .bind(None::<i64>)
        .bind(i64::MAX)
        .execute(pool)
        .await
        .unwrap();
    let row = sqlx::query("SELECT * FROM outcomes WHERE prediction_id = $1")
        .bind("p")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(row.get::<Option<String>, _>("service"), None);
    assert_eq!(row.get::<String, _>("label"), "sí");
    assert_eq!(row.get::<f64, _>("value"), 0.1 + 0.2);
    assert_eq!(row.get::<Option<i64>, _>("converted"), None);
    assert_eq!(row.get::<i64, _>("occurred_at"), i64::MAX);
    let row =
        sqlx::query("SELECT COUNT(*) AS n, MAX(value) AS top FROM outcomes").fetch_one(pool).await.unwrap();
    assert_eq!((row.get::<i64, _>("n"), row.get::<f64, _>("top")), (1, 0.1 + 0.2));
}

async fn changes_of_every_kind_at_once_do_not_stop_each_other(fixture: &Fixture) {
    fixture.register("ventas", linear(&[0.5])).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..36_i16 {
        let registry = fixture.registry.clone();
        tasks.spawn(async move {
            let (name, champion) = (model("ventas"), AliasName::champion());
            match number % 6 {
                0 | 1 => {
                    let bytes = linear(&[f32::from(number)]);
                    let new = NewVersion::default();
                    registry.register_version(&actor(), &name, bytes, new).await.map(|_| ())
                }
                2 => {
                    let set = SetAlias { model: &name, alias: &champion, version: 1, reason: "" };
                    registry.set_alias(&actor(), set).await.map(|_| ())
                }
                3 => {
                    let config = ServiceConfig::of_model(name);
                    registry.put_service(&actor(), &service("ventas"), config, "").await.map(|_| ())
                }
                4 => registry.delete_service(&actor(), &service("ventas"), "").await,
                _ => registry.delete_version(&actor(), &name, 1, "").await,
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        let result = done.unwrap();
        // Some find their service deleted or their version in use: that is an answer, a deadlock is none.
        assert!(matches!(result, Ok(()) | Err(Error::NotFound(_) | Error::Conflict(_))), "{result:?}");
    }
    assert_eq!(fixture.registry.verify_audit().await.unwrap().broken_at, None);
}

#[tokio::test]
async fn sqlite_keeps_what_it_acknowledged_through_a_power_cut() {
    let fixture = Fixture::sqlite().await;
    // Every connection of the pool, not only the first.
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(fixture.registry.db.pool().acquire().await.unwrap());
    }
    for connection in &mut connections {
        for (pragma, value) in
            [("PRAGMA journal_mode", "wal"), ("PRAGMA synchronous", "2"), ("PRAGMA foreign_keys", "1")]
        {
            let row = sqlx::query(pragma).fetch_one(&mut **connection).await.unwrap();
            let found =
                row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()));
            assert_eq!(found.unwrap(), value, "{pragma}");
        }
    }
}
