//! Time of gradient boosting on 100,000 rows of 30 features: 100 trees of depth 6.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its figures and fails loudly"
)]

use std::ops::ControlFlow;
use std::time::Instant;

use chasqui_trainer::{Boosting, Column, ColumnData, Holdout, Learner, Table, Task, TrainSpec, train};

const ROWS: usize = 125_000; // of which 100,000 train
const FEATURES: usize = 30;

fn main() {
    let table = table();
    for (task, target) in [(Task::Binary, "class"), (Task::Regression, "value")] {
        for threads in [1, 2] {
            let spec = TrainSpec {
                target: target.into(),
                task,
                numeric: (0..FEATURES).map(|feature| format!("x{feature}")).collect(),
                categorical: vec![],
                learner: Learner::GradientBoosting(Boosting {
                    trees: 100,
                    early_stopping: 0,
                    threads,
                    ..Boosting::default()
                }),
                time_column: None,
                holdout: Holdout::default(),
                seed: 1,
            };
            let start = Instant::now();
            let mut learned = 0.0;
            let trained = train(&table, &spec, &mut |progress| {
                if progress.message.starts_with("round") {
                    learned = start.elapsed().as_secs_f64();
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            let whole = start.elapsed().as_secs_f64();
            println!(
                "{task:?}, {threads} threads: {learned:.2} s to learn, {whole:.2} s in all, {:?}",
                trained.metrics
            );
        }
    }
}

/// Standard normal-like features, a target of products and steps.
fn table() -> Table {
    let mut state = 42_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut normal = || (0..4).map(|_| uniform()).sum::<f64>() - 2.0;
    let columns: Vec<Vec<f64>> = (0..FEATURES).map(|_| (0..ROWS).map(|_| normal()).collect()).collect();
    let value: Vec<f64> = (0..ROWS)
        .map(|row| {
            let x = |feature: usize| columns[feature][row];
            2.0 * x(0) * x(1)
                + x(2)
                + (3.0 * x(3)).sin()
                + if x(4) > 0.3 { 1.0 } else { 0.0 }
                + x(5) * x(6) * x(7)
        })
        .collect();
    let class = value.iter().map(|value| if value + normal() > 0.8 { 1.0 } else { 0.0 }).collect();
    let mut table: Vec<Column> = Vec::new();
    for (feature, values) in columns.into_iter().enumerate() {
        table.push(Column { name: format!("x{feature}"), data: ColumnData::Number(values) });
    }
    table.push(Column { name: "value".into(), data: ColumnData::Number(value) });
    table.push(Column { name: "class".into(), data: ColumnData::Number(class) });
    Table::new(table).unwrap()
}
