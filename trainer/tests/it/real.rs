//! Trainings on public data, where it is at hand.

use chasqui_trainer::{Boosting, Holdout, Learner, Linear, Task, TrainSpec};

use super::tables::{Random, read_csv, shared};
use super::training::run;

/// A random order of the rows: the campaign changed so much in time that its end says little of its beginning.
fn shuffled(rows: usize) -> Vec<usize> {
    let mut random = Random(99);
    let mut order: Vec<usize> = (0..rows).collect();
    for position in (1..rows).rev() {
        order.swap(position, random.below(position + 1));
    }
    order
}

#[test]
fn bank_marketing_is_predicted_without_the_duration_of_the_call() {
    let Some(path) = shared("data/bank-marketing/bank-additional-full.csv") else {
        eprintln!("skipped: the bank-marketing data is not at hand");
        return;
    };
    let table = read_csv(&path);
    let table = table.take(&shuffled(table.rows()));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let economy = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"];
    let mut numeric = names(&["age", "campaign", "pdays", "previous"]);
    numeric.extend(names(&economy));
    let categories = [
        "job",
        "marital",
        "education",
        "default",
        "housing",
        "loan",
        "contact",
        "month",
        "day_of_week",
        "poutcome",
    ];
    let categorical = names(&categories).into_iter().filter(|name| table.column(name).is_some()).collect();
    let mut spec = TrainSpec {
        target: "y".into(),
        task: Task::Binary,
        numeric,
        categorical,
        learner: Learner::GradientBoosting(Boosting::default()),
        time_column: None,
        holdout: Holdout::default(),
        seed: 1,
    };
    let boosted = run(&table, &spec).unwrap();
    spec.learner = Learner::Logistic(Linear::default());
    let logistic = run(&table, &spec).unwrap();
    eprintln!("boosting, {} rounds: {:?}", boosted.rounds, boosted.metrics);
    eprintln!("importance: {:?}", boosted.importance);
    eprintln!("logistic, {} iterations: {:?}", logistic.rounds, logistic.metrics);
    assert!(boosted.metrics["auc"] > 0.78, "{:?}", boosted.metrics);
    assert!(logistic.metrics["auc"] > 0.75, "{:?}", logistic.metrics);
    assert!(boosted.metrics["log_loss"] < logistic.metrics["log_loss"]);
}
