//! Whole trainings on generated tables.

use std::ops::ControlFlow;

use chasqui_drift::Reference;
use chasqui_runtime::{FeatureKind, Limits, Model, Tensor, TensorData};
use chasqui_trainer::{Learner, Linear, Predictions, Task, TrainError, evaluate, inputs_for, train};

use super::tables::{number, shop};
use super::training::{boosting, linear_for, run, shop_spec};

const TASKS: [Task; 3] = [Task::Regression, Task::Binary, Task::Multiclass];

#[test]
fn every_learner_and_task_beats_a_guess() {
    let table = shop(3000, 1);
    for task in TASKS {
        for learner in [boosting(), linear_for(task)] {
            let kind = learner.kind();
            let trained = run(&table, &shop_spec(task, learner)).unwrap();
            let metrics = &trained.metrics;
            match task {
                Task::Regression => assert!(metrics["r2"] > 0.8, "{kind}: {metrics:?}"),
                Task::Binary => assert!(metrics["auc"] > 0.95, "{kind}: {metrics:?}"),
                Task::Multiclass => assert!(metrics["accuracy"] > 0.8, "{kind}: {metrics:?}"),
            }
            assert_eq!(trained.holdout_rows, (2400..3000).collect::<Vec<_>>());
            assert!(trained.rounds > 0);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let table = shop(1500, 2);
    for task in TASKS {
        for learner in [boosting(), linear_for(task)] {
            let spec = shop_spec(task, learner);
            let (first, second) = (run(&table, &spec).unwrap(), run(&table, &spec).unwrap());
            assert!(first.onnx == second.onnx, "{task:?} {}", spec.learner.kind());
            assert_eq!(first.profile, second.profile);
        }
    }
}

#[test]
fn the_signature_is_the_raw_columns() {
    let trained = run(&shop(1500, 3), &shop_spec(Task::Binary, boosting())).unwrap();
    let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
    let signature = model.signature();
    let features: Vec<_> =
        signature.features.iter().map(|feature| (feature.name.as_str(), feature.kind)).collect();
    let (number, text) = (FeatureKind::Number, FeatureKind::Text);
    assert_eq!(features, [("price", number), ("year", number), ("city", text), ("store", number)]);
    assert_eq!(signature.task, Some(Task::Binary));
    assert_eq!(signature.classes, ["no", "sí"]);
    let outputs: Vec<_> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["label", "probabilities"]);
}

#[test]
fn a_category_never_seen_is_answered() {
    for task in TASKS {
        for learner in [boosting(), linear_for(task)] {
            let trained = run(&shop(1500, 4), &shop_spec(task, learner)).unwrap();
            let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
            let column = |data| Tensor::new(vec![1, 1], data).unwrap();
            let inputs = [
                column(TensorData::F32(vec![f32::NAN])),
                column(TensorData::F32(vec![2040.0])),
                column(TensorData::Text(vec!["Zaruma".into()])),
                column(TensorData::F32(vec![-5.5])),
            ];
            let outputs = model.predict(&inputs).unwrap();
            let last = outputs.last().unwrap();
            assert!((0..last.data.len()).all(|index| last.data.number(index).unwrap().is_finite()));
        }
    }
}

#[test]
fn losses_are_per_row_and_their_mean_is_the_metric() {
    let table = shop(1500, 5);
    for (task, name) in
        [(Task::Regression, "mae"), (Task::Binary, "log_loss"), (Task::Multiclass, "log_loss")]
    {
        let spec = shop_spec(task, boosting());
        let trained = run(&table, &spec).unwrap();
        let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
        let evaluation = evaluate(&model, &table, &trained.holdout_rows, &spec.target, task).unwrap();
        assert_eq!(evaluation.metrics, trained.metrics);
        assert_eq!(evaluation.predictions.rows(), trained.holdout_rows.len());
        let mean = evaluation.losses.iter().sum::<f64>() / evaluation.losses.len() as f64;
        assert!((mean - trained.metrics[name]).abs() < 1e-12);
    }
}

#[test]
fn evaluation_refuses_what_it_cannot_measure() {
    let table = shop(1500, 6);
    let trained = run(&table, &shop_spec(Task::Regression, boosting())).unwrap();
    let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
    let message = |target, task| evaluate(&model, &table, &[1, 2], target, task).unwrap_err().to_string();
    assert_eq!(message("sales", Task::Binary), "the model's task is Some(Regression), not Binary");
    assert_eq!(
        message("city", Task::Regression),
        "the target `city` holds texts, which do not suit the task"
    );
    assert!(message("profit", Task::Regression).starts_with("the column `profit` does not exist"));
    let missing = (0..1500).find(|&row| {
        let Some(chasqui_trainer::ColumnData::Number(prices)) = table.column("price") else { return false };
        prices[row].is_nan()
    });
    let error = evaluate(&model, &table, &[missing.unwrap()], "price", Task::Regression).unwrap_err();
    assert_eq!(error.to_string(), format!("row {} has no value of the target `price`", missing.unwrap()));
}

#[test]
fn inputs_follow_the_signature() {
    let table = shop(100, 7);
    let trained = run(&table, &shop_spec(Task::Regression, linear_for(Task::Regression))).unwrap();
    let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
    let inputs = inputs_for(model.signature(), &table, &[5, 0]).unwrap();
    assert_eq!(inputs.len(), 4);
    assert!(inputs.iter().all(|input| input.shape == [2, 1]));
    let without = chasqui_trainer::Table::new(vec![number("price", vec![1.0])]).unwrap();
    let error = inputs_for(model.signature(), &without, &[0]).unwrap_err();
    assert_eq!(error.to_string(), "the column `year` does not exist; there are price");
}

#[test]
fn the_profile_is_of_what_the_model_sees() {
    let table = shop(1500, 8);
    for task in TASKS {
        let trained = run(&table, &shop_spec(task, boosting())).unwrap();
        let profile = &trained.profile;
        assert_eq!(profile.rows, 1200);
        let names: Vec<&str> = profile.features.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["price", "year", "city", "store"]);
        let shares: f64 = profile.features.iter().map(|column| column.importance.unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert!(profile.features[0].reference.missing() > 60);
        assert!(matches!(profile.features[2].reference, Reference::Text(_)));
        let prediction = profile.prediction.as_ref().unwrap();
        assert_eq!(prediction.reference.rows(), 300);
        assert_eq!(matches!(prediction.reference, Reference::Text(_)), task == Task::Multiclass);
        let ordered = trained.importance.windows(2).all(|pair| pair[0].1 >= pair[1].1);
        assert!(ordered, "{:?}", trained.importance);
    }
}

#[test]
fn progress_rises_and_can_cancel() {
    let table = shop(1500, 9);
    for learner in [boosting(), linear_for(Task::Regression)] {
        let spec = shop_spec(Task::Regression, learner);
        let mut fractions = Vec::new();
        let mut metrics = 0;
        train(&table, &spec, &mut |progress| {
            fractions.push(progress.fraction);
            metrics += usize::from(progress.metric.is_some());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(fractions.windows(2).all(|pair| pair[0] <= pair[1]), "{fractions:?}");
        assert!(fractions.last() == Some(&1.0) && metrics > 5);
        for stop in [0, fractions.len() / 2, fractions.len() - 1] {
            let mut calls = 0;
            let stopped = train(&table, &spec, &mut |_| {
                calls += 1;
                if calls > stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(matches!(stopped, Err(TrainError::Cancelled)));
        }
    }
}

#[test]
fn linear_models_keep_their_digits_far_from_zero() {
    // Microseconds since 1970 as a feature: the offset is 10⁸ times the spread of an hour.
    let rows = 400;
    let at: Vec<f64> = (0..rows).map(|row| 1_700_000_000.0 + f64::from(row) * 512.0).collect();
    let target: Vec<f64> = (0..rows).map(|row| f64::from(row) * 3.0 + 1000.0).collect();
    let table = chasqui_trainer::Table::new(vec![number("at", at), number("sales", target)]).unwrap();
    let mut spec = shop_spec(Task::Regression, Learner::Linear(Linear { l2: 0.0, ..Linear::default() }));
    (spec.numeric, spec.categorical, spec.time_column) = (vec!["at".into()], vec![], None);
    let trained = run(&table, &spec).unwrap();
    assert!(trained.metrics["mae"] < 0.01, "{:?}", trained.metrics);
}

#[test]
fn useless_columns_do_no_harm() {
    let mut table = shop(800, 10);
    let mut columns = table.columns().to_vec();
    columns.push(number("constant", vec![4.0; 800]));
    columns.push(number("nothing", vec![f64::NAN; 800]));
    columns.push(number("no_category", vec![f64::NAN; 800]));
    columns.push(number("huge", (0..800).map(|row| f64::from(row % 9) * 1e300).collect()));
    columns.push(super::tables::text("label", vec![None; 800]));
    table = chasqui_trainer::Table::new(columns).unwrap();
    for task in TASKS {
        for learner in [boosting(), linear_for(task)] {
            let mut spec = shop_spec(task, learner);
            spec.numeric.extend(["constant", "nothing", "huge"].map(str::to_owned));
            spec.categorical.extend(["no_category", "label"].map(str::to_owned));
            run(&table, &spec).unwrap();
        }
    }
}

#[test]
fn one_sided_leaves_stay_margins() {
    // Nearly all rows are positive and trees are tiny: every leaf is above zero.
    let rows = 1000;
    let x: Vec<f64> = (0..rows).map(|row| f64::from(row % 10)).collect();
    let y: Vec<f64> = (0..rows).map(|row| if row % 50 == 0 { 0.0 } else { 1.0 }).collect();
    let table = chasqui_trainer::Table::new(vec![number("x", x), number("y", y)]).unwrap();
    let mut spec = shop_spec(Task::Binary, boosting());
    (spec.numeric, spec.categorical, spec.time_column) = (vec!["x".into()], vec![], None);
    spec.target = "y".into();
    spec.learner = Learner::GradientBoosting(chasqui_trainer::Boosting {
        trees: 1,
        early_stopping: 0,
        ..chasqui_trainer::Boosting::default()
    });
    let trained = run(&table, &spec).unwrap();
    let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
    let evaluation = evaluate(&model, &table, &[0, 1], "y", Task::Binary).unwrap();
    let Predictions::Probabilities { classes, values } = evaluation.predictions else { panic!("no classes") };
    assert_eq!(classes, ["0", "1"]);
    assert!(values[1] > 0.9 && values[1] < 1.0 && (values[0] + values[1] - 1.0).abs() < 1e-6, "{values:?}");
}
