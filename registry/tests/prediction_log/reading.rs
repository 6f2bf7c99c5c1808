//! Reading: object storage and local segments as one, labelled rows, single predictions.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use chasqui_registry::Micros;
use chasqui_registry::name::{DatasetName, ModelName};
use chasqui_registry::outcome::{Outcome, Target};
use chasqui_registry::prediction_log::{
    Arm, FeatureColumn, LoggedValue, PredictionRange, PredictionStream, RolloutMark, Shape,
    count_predictions, find_prediction, labelled, read_predictions,
};
use chasqui_runtime::{FeatureKind, Value};
use uuid::Uuid;

use crate::fixture::{Fixture, START, actor, record, service, shape};
use crate::on_both_databases;

on_both_databases!(
    a_span_is_read_across_both_halves,
    versions_with_different_inputs_come_in_one_schema,
    labelled_rows_carry_features_and_outcomes,
    one_prediction_is_found_by_its_id,
    labelled_rows_become_a_dataset,
);

fn whole(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches).unwrap()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name} in {:?}", batch.schema()))
}

async fn a_span_is_read_across_both_halves(fixture: &Fixture) {
    let registry = &fixture.registry;
    let log = fixture.log();
    let second = |seconds: i64| START.plus_seconds(seconds);
    for seconds in 0..10 {
        log.append(&shape("s", 1), &[record(second(seconds), "a")]).unwrap();
        log.append(&shape("otra", 1), &[record(second(seconds), "a")]).unwrap();
        if seconds == 4 {
            log.seal_all(registry).await.unwrap();
        }
    }
    let batches = read_predictions(registry, Some(&log), &service("s"), second(2), second(8)).await.unwrap();
    let rows = whole(&batches);
    let at = column(&rows, "at").as_primitive::<TimestampMicrosecondType>();
    assert_eq!(at.values().to_vec(), (2..8).map(|seconds| second(seconds).0).collect::<Vec<_>>());
    assert_eq!(column(&rows, "in.precio").as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(column(&rows, "in.ciudad").as_string::<i32>().value(5), "Quito");
    assert_eq!(column(&rows, "out.label").as_string::<i32>().value(0), "1");
    let range = PredictionRange { service: service("s"), from: second(0), to: second(10) };
    assert_eq!(count_predictions(registry, Some(&log), &range).await.unwrap(), 10);
    assert_eq!(count_predictions(registry, None, &range).await.unwrap(), 5);
    // From both halves only what was asked for.
    let columns = ["in.precio".to_owned(), "in.otra".to_owned()];
    let mut stream = PredictionStream::open(registry, Some(&log), &range, &columns).await.unwrap();
    let mut rows = 0;
    while let Some(batches) = stream.next().await.unwrap() {
        for batch in batches {
            let names: Vec<String> =
                batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names, ["id", "at", "in.precio"]);
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 10);
}

async fn versions_with_different_inputs_come_in_one_schema(fixture: &Fixture) {
    let log = fixture.log();
    log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    let feature = |name: &str, kind| FeatureColumn { name: name.into(), kind, personal: false };
    let features = vec![feature("precio", FeatureKind::Text), feature("descuento", FeatureKind::Number)];
    let other = Shape::new(service("s"), ModelName::try_from("ventas").unwrap(), 2, features, false);
    let mut second = record(START.plus_seconds(1), "a");
    second.inputs = vec![Value::Text("caro"), Value::Number(f64::NAN)];
    log.append(&other, &[second]).unwrap();
    log.seal_all(&fixture.registry).await.unwrap();
    let batches =
        read_predictions(&fixture.registry, None, &service("s"), Micros(0), Micros(i64::MAX)).await.unwrap();
    let rows = whole(&batches);
    let price: Vec<_> = column(&rows, "in.precio").as_string::<i32>().iter().collect();
    assert_eq!(price, [Some("1.5"), Some("caro")]);
    assert_eq!(column(&rows, "in.ciudad").null_count(), 1);
    assert_eq!(column(&rows, "in.descuento").null_count(), 2);
    assert_eq!(column(&rows, "version").as_primitive::<Int64Type>().values().to_vec(), [1, 2]);
}

async fn label_every_second(fixture: &Fixture) -> std::sync::Arc<chasqui_registry::prediction_log::Log> {
    let log = fixture.log();
    let mut outcomes = Vec::new();
    for seconds in 0..10 {
        let prediction = record(START.plus_seconds(seconds), "tienda 1");
        if seconds % 2 == 0 {
            outcomes.push(Outcome {
                target: Target::Prediction(prediction.id),
                label: Some(seconds.to_string()),
                value: Some(seconds as f64 * 1.5),
                converted: None,
                occurred_at: Some(START.plus_seconds(1000)),
            });
        }
        log.append(&shape("s", 1), &[prediction]).unwrap();
        if seconds == 4 {
            log.seal_all(&fixture.registry).await.unwrap();
        }
    }
    fixture.registry.store_outcomes(&actor(), &outcomes, None).await.unwrap();
    log
}

async fn labelled_rows_carry_features_and_outcomes(fixture: &Fixture) {
    let log = label_every_second(fixture).await;
    let end = START.plus_seconds(10);
    let range = |name: &str| PredictionRange { service: service(name), from: START, to: end };
    let rows = whole(&labelled(&fixture.registry, Some(&log), &range("s"), None).await.unwrap());
    let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    let expected = "precio ciudad _prediction_id _at _version _key _latency_us _label _score _value \
                    _outcome_label _outcome_value _outcome_converted _outcome_at";
    assert_eq!(names.join(" "), expected);
    let labels: Vec<_> = column(&rows, "_outcome_label").as_string::<i32>().iter().flatten().collect();
    assert_eq!(labels, ["0", "2", "4", "6", "8"]);
    let values = column(&rows, "_outcome_value").as_primitive::<Float64Type>().values().to_vec();
    assert_eq!(values, [0.0, 3.0, 6.0, 9.0, 12.0]);
    assert_eq!(column(&rows, "_outcome_converted").null_count(), 5);
    assert_eq!(column(&rows, "_key").as_string::<i32>().value(4), "tienda 1");
    let few = labelled(&fixture.registry, Some(&log), &range("s"), Some(&["precio".into()])).await.unwrap();
    let few = whole(&few);
    assert!(few.column_by_name("precio").is_some() && few.column_by_name("ciudad").is_none());
    assert_eq!(column(&few, "_outcome_value").len(), rows.num_rows());
    let none = labelled(&fixture.registry, None, &range("otra"), None).await.unwrap();
    assert!(none.is_empty());
}

async fn one_prediction_is_found_by_its_id(fixture: &Fixture) {
    let registry = &fixture.registry;
    let log = fixture.log();
    let mut prediction = record(START, "a");
    let rollout = RolloutMark { id: START.new_id(), segment: 3, arm: Arm::Canary };
    prediction.rollout = Some(rollout);
    prediction.inputs[1] = Value::Missing;
    log.append(&shape("s", 7), &[record(START, "b"), prediction.clone(), record(START, "c")]).unwrap();
    let local = find_prediction(registry, Some(&log), prediction.id).await.unwrap().unwrap();
    log.seal_all(registry).await.unwrap();
    let stored = find_prediction(registry, None, prediction.id).await.unwrap().unwrap();
    assert_eq!(local, stored);
    assert_eq!((stored.version, stored.at, stored.key.as_deref()), (7, START, Some("a")));
    assert_eq!(stored.rollout, Some(rollout));
    let inputs = [("precio".into(), LoggedValue::Number(1.5)), ("ciudad".into(), LoggedValue::Missing)];
    assert_eq!(stored.inputs, inputs);
    assert_eq!((stored.label.as_deref(), stored.score, stored.value), (Some("1"), Some(0.75), None));
    assert!(find_prediction(registry, Some(&log), START.new_id()).await.unwrap().is_none());
    assert!(find_prediction(registry, Some(&log), Uuid::nil()).await.unwrap().is_none());
}

async fn labelled_rows_become_a_dataset(fixture: &Fixture) {
    let registry = &fixture.registry;
    let log = label_every_second(fixture).await;
    let range = PredictionRange { service: service("s"), from: START, to: START.plus_seconds(10) };
    let name = DatasetName::try_from("ventas reales").unwrap();
    let version = registry.add_from_predictions(&actor(), &name, &range, Some(&log)).await.unwrap();
    assert_eq!((version.version, version.row_count, version.schema.len()), (1, 5, 14));
    log.seal_all(registry).await.unwrap();
    let rows = whole(&registry.read_dataset(&name, 1).await.unwrap());
    assert_eq!(column(&rows, "ciudad").as_string::<i32>().value(0), "Quito");
    let empty = PredictionRange { to: START, ..range };
    assert!(registry.add_from_predictions(&actor(), &name, &empty, None).await.is_err());
}
