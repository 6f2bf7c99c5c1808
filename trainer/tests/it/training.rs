//! Specifications and trainings that tests share.

use std::ops::ControlFlow;

use chasqui_trainer::{
    Boosting, Holdout, Learner, Linear, Table, Task, TrainError, TrainSpec, Trained, train,
};

pub(super) fn boosting() -> Learner {
    Learner::GradientBoosting(Boosting { trees: 80, ..Boosting::default() })
}

pub(super) fn linear_for(task: Task) -> Learner {
    match task {
        Task::Regression => Learner::Linear(Linear::default()),
        Task::Binary | Task::Multiclass => Learner::Logistic(Linear::default()),
    }
}

/// The specification for the table `shop`.
pub(super) fn shop_spec(task: Task, learner: Learner) -> TrainSpec {
    let target = match task {
        Task::Regression => "sales",
        Task::Binary => "bought",
        Task::Multiclass => "size",
    };
    TrainSpec {
        target: target.into(),
        task,
        numeric: vec!["price".into(), "year".into()],
        categorical: vec!["city".into(), "store".into()],
        learner,
        time_column: Some("day".into()),
        holdout: Holdout::default(),
        seed: 7,
    }
}

pub(super) fn run(table: &Table, spec: &TrainSpec) -> Result<Trained, TrainError> {
    train(table, spec, &mut |_| ControlFlow::Continue(()))
}
