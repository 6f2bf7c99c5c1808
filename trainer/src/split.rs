//! Which rows train, which stop the training early, and which measure the result.

use crate::{ColumnData, Table, TrainError, TrainSpec};

/// Fewest training rows that a model is made from.
const MIN_TRAIN: usize = 20;
/// Fewest held-out rows that a model is measured on.
const MIN_HOLDOUT: usize = 5;

/// Row numbers of the table, each part in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The rows to learn from.
    pub train: Vec<usize>,
    /// The rows to measure on, all later than those of `train`.
    pub holdout: Vec<usize>,
}

/// Orders the rows that have a target by time and cuts off the latest as held-out rows.
///
/// Rows of one moment stay on one side of the cut where the table has more than one moment to offer. Rows
/// without a time count as the earliest; without a time column the order of the table is the order of time.
pub fn split(table: &Table, spec: &TrainSpec) -> Result<Split, TrainError> {
    let mut rows = labelled_rows(table.required(&spec.target)?);
    let times = match &spec.time_column {
        None => None,
        Some(name) => Some(times(name, table.required(name)?)?),
    };
    if let Some(times) = &times {
        rows.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    }
    let wanted = (rows.len() as f64 * spec.holdout.fraction).round() as usize;
    let mut cut = rows.len() - wanted.min(rows.len());
    if let Some(times) = &times {
        cut = boundary(&rows, times, cut);
    }
    let holdout = rows.split_off(cut);
    if rows.len() < MIN_TRAIN || holdout.len() < MIN_HOLDOUT {
        return Err(TrainError::invalid(format!(
            "too few rows with a value of `{}`: {} to train and {} held out, at least {MIN_TRAIN} and {MIN_HOLDOUT} \
             are needed",
            spec.target,
            rows.len(),
            holdout.len(),
        )));
    }
    Ok(Split { train: rows, holdout })
}

/// Cuts the latest `fraction` off the training rows, which are in the order of time: (to fit, to validate).
pub(crate) fn validation(train: usize, fraction: f64) -> (usize, usize) {
    let validation = ((train as f64 * fraction).round() as usize).clamp(1, train - 1);
    (train - validation, validation)
}

fn labelled_rows(target: &ColumnData) -> Vec<usize> {
    let labelled = |row: &usize| match target {
        ColumnData::Number(values) => values[*row].is_finite(),
        ColumnData::Text(values) => values[*row].as_ref().is_some_and(|text| !text.is_empty()),
        ColumnData::Time(values) => values[*row].is_some(),
    };
    (0..target.len()).filter(labelled).collect()
}

fn times(name: &str, data: &ColumnData) -> Result<Vec<f64>, TrainError> {
    match data {
        // Microseconds stay exact in a double until the year 2255.
        ColumnData::Time(values) => {
            Ok(values.iter().map(|time| time.map_or(f64::NEG_INFINITY, |time| time as f64)).collect())
        }
        ColumnData::Number(values) => {
            Ok(values.iter().map(|&time| if time.is_nan() { f64::NEG_INFINITY } else { time }).collect())
        }
        ColumnData::Text(_) => Err(TrainError::invalid(format!(
            "the time column `{name}` holds texts, it must hold times or numbers"
        ))),
    }
}

/// Moves `cut` to the start of its moment, or to its end when that would take more than half of the rows.
fn boundary(rows: &[usize], times: &[f64], cut: usize) -> usize {
    if cut == 0 || cut >= rows.len() {
        return cut;
    }
    let moment = times[rows[cut]];
    let start = rows.partition_point(|&row| times[row] < moment);
    let end = rows.partition_point(|&row| times[row] <= moment);
    if start == cut || start >= rows.len() / 2 {
        start
    } else if end < rows.len() {
        end
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Learner, spec::Linear};

    fn spec(time_column: Option<&str>) -> TrainSpec {
        TrainSpec {
            target: "y".into(),
            task: crate::Task::Regression,
            numeric: vec!["x".into()],
            categorical: vec![],
            learner: Learner::Linear(Linear::default()),
            time_column: time_column.map(str::to_owned),
            holdout: crate::Holdout::default(),
            seed: 0,
        }
    }

    fn table(times: Vec<Option<i64>>, target: Vec<f64>) -> Table {
        Table::new(vec![
            Column { name: "t".into(), data: ColumnData::Time(times) },
            Column { name: "y".into(), data: ColumnData::Number(target) },
        ])
        .unwrap()
    }

    #[test]
    fn the_latest_rows_are_held_out() {
        let times = (0..50).map(|row| Some((row * 37) % 50)).collect::<Vec<_>>();
        let split = split(&table(times.clone(), vec![1.0; 50]), &spec(Some("t"))).unwrap();
        assert_eq!((split.train.len(), split.holdout.len()), (40, 10));
        assert!(split.holdout.iter().all(|&row| times[row] >= Some(40)));
        assert!(split.train.windows(2).all(|pair| times[pair[0]] < times[pair[1]]));
    }

    #[test]
    fn without_time_the_last_rows_are_held_out_and_rows_without_target_dropped() {
        let mut target = vec![1.0; 50];
        target[49] = f64::NAN;
        let split = split(&table(vec![None; 50], target), &spec(None)).unwrap();
        assert_eq!(split.holdout, (39..49).collect::<Vec<_>>());
    }

    #[test]
    fn one_moment_stays_on_one_side() {
        // 20 % of 69 rows are 14, which would cut through the eighth day of seven rows.
        let times: Vec<Option<i64>> = (0..69).map(|row| Some(row / 7)).collect();
        let split = split(&table(times.clone(), vec![1.0; 69]), &spec(Some("t"))).unwrap();
        assert!(times[*split.train.last().unwrap()] < times[split.holdout[0]]);
        assert_eq!(split.holdout.len(), 20);
    }

    #[test]
    fn a_single_moment_is_cut_by_count() {
        let split = split(&table(vec![Some(5); 50], vec![1.0; 50]), &spec(Some("t"))).unwrap();
        assert_eq!(split.holdout.len(), 10);
    }

    #[test]
    fn too_few_rows_are_refused() {
        let error = split(&table(vec![None; 10], vec![1.0; 10]), &spec(None)).unwrap_err();
        assert!(error.to_string().starts_with("too few rows with a value of `y`"), "{error}");
    }
}
