//! The gate on real trainings: equal ones rarely "beat" each other, a better one does.

use std::ops::ControlFlow;

use chasqui_pipelines::gate::{GatePolicy, Verdict, compare};
use chasqui_runtime::{Limits, Model};
use chasqui_trainer::{
    Boosting, Column, ColumnData, Holdout, Learner, Table, Task, TrainSpec, evaluate, train,
};

const RETRAININGS: u64 = 24;

/// A number with noise that no model can explain.
fn table() -> Table {
    let mut state = 99_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let a: Vec<f64> = (0..1_500).map(|_| uniform()).collect();
    let b: Vec<f64> = (0..1_500).map(|_| uniform()).collect();
    let y = a.iter().zip(&b).map(|(a, b)| (6.0 * a).sin() + 2.0 * b + 2.0 * (uniform() - 0.5)).collect();
    let column = |name: &str, values| Column { name: name.into(), data: ColumnData::Number(values) };
    Table::new(vec![column("a", a), column("b", b), column("y", y)]).unwrap()
}

/// Absolute errors on the held-out rows of a training that differs from others by its seed only.
fn losses(table: &Table, trees: usize, seed: u64) -> Vec<f64> {
    let boosting = Boosting { trees, depth: 3, row_fraction: 0.7, early_stopping: 0, ..Boosting::default() };
    let spec = TrainSpec {
        target: "y".into(),
        task: Task::Regression,
        numeric: vec!["a".into(), "b".into()],
        categorical: Vec::new(),
        learner: Learner::GradientBoosting(boosting),
        time_column: None,
        holdout: Holdout::default(),
        seed,
    };
    let trained = train(table, &spec, &mut |_| ControlFlow::Continue(())).unwrap();
    let model = Model::load(&trained.onnx, &Limits::default()).unwrap();
    evaluate(&model, table, &trained.holdout_rows, "y", Task::Regression).unwrap().losses
}

#[test]
fn equal_retrainings_are_rarely_called_better() {
    let table = table();
    let policy = GatePolicy::default();
    let (mut better, mut smaller) = (0, 0);
    for pair in 0..RETRAININGS {
        let champion = losses(&table, 40, 2 * pair + 1);
        let candidate = losses(&table, 40, 2 * pair + 2);
        let comparison = compare(&champion, &candidate, &policy, pair).unwrap();
        better += u64::from(comparison.verdict == Verdict::Better);
        smaller += u64::from(comparison.mean_difference < 0.0);
    }
    assert!(better <= 2, "{better} of {RETRAININGS} equal retrainings were called better");
    assert!(smaller >= 6, "comparing figures alone takes {smaller} of {RETRAININGS}");
    let found = compare(&losses(&table, 2, 1), &losses(&table, 40, 1), &policy, 1).unwrap();
    assert_eq!(found.verdict, Verdict::Better);
}
