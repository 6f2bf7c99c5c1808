//! The column to predict: numbers, or classes in their order.

use chasqui_runtime::Task;

use crate::{ColumnData, Table, TrainError};

/// Most classes of a target; more is nearly always a number or an identifier declared as a class.
const MAX_CLASSES: usize = 100;

/// The labels of the classes, ascending; of two, the last is the positive one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Classes {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Classes {
    pub(crate) fn len(&self) -> usize {
        match self {
            Classes::Numbers(labels) => labels.len(),
            Classes::Texts(labels) => labels.len(),
        }
    }
}

/// The values to learn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// Numbers, all finite.
    Numbers(Vec<f64>),
    /// Positions among the classes.
    Classes(Classes, Vec<u32>),
}

impl Target {
    /// Reads the target in `rows`, which all have one; the classes are those that occur there.
    pub(crate) fn read(table: &Table, name: &str, task: Task, rows: &[usize]) -> Result<Target, TrainError> {
        let data = table.required(name)?;
        match (task, data) {
            (Task::Regression, ColumnData::Number(values)) => {
                Ok(Target::Numbers(rows.iter().map(|&row| values[row]).collect()))
            }
            (Task::Binary | Task::Multiclass, ColumnData::Number(values)) => {
                let numbers =
                    rows.iter().map(|&row| whole(name, values[row])).collect::<Result<Vec<_>, _>>()?;
                let (labels, codes) = encode(&numbers);
                check_classes(name, task, labels.len())?;
                Ok(Target::Classes(Classes::Numbers(labels), codes))
            }
            (Task::Binary | Task::Multiclass, ColumnData::Text(values)) => {
                let text = |&row: &usize| values[row].clone().unwrap_or_default();
                let (labels, codes) = encode(&rows.iter().map(text).collect::<Vec<String>>());
                check_classes(name, task, labels.len())?;
                Ok(Target::Classes(Classes::Texts(labels), codes))
            }
            _ => Err(TrainError::invalid(format!(
                "the target `{name}` holds {}, which do not suit the task",
                data.kind()
            ))),
        }
    }
}

/// The class label of a row as the signature of a model writes it: whole numbers in decimal.
pub(crate) fn label(data: &ColumnData, row: usize) -> Option<String> {
    match data {
        ColumnData::Number(values) => {
            let value = values[row];
            if value.is_finite() && value.fract() == 0.0 {
                Some(format!("{:.0}", value + 0.0)) // + 0.0 turns -0 into 0
            } else {
                value.is_finite().then(|| value.to_string())
            }
        }
        ColumnData::Text(values) => values[row].clone().filter(|text| !text.is_empty()),
        ColumnData::Time(_) => None,
    }
}

fn whole(name: &str, value: f64) -> Result<i64, TrainError> {
    // 2⁵³: up to here every whole number is exact.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Ok(value as i64);
    }
    Err(TrainError::invalid(format!(
        "the target `{name}` has the value {value}; classes must be texts or whole numbers"
    )))
}

fn encode<T: Ord + Clone>(values: &[T]) -> (Vec<T>, Vec<u32>) {
    let mut labels = values.to_vec();
    labels.sort_unstable();
    labels.dedup();
    let codes = values.iter().map(|value| labels.partition_point(|label| label < value) as u32).collect();
    (labels, codes)
}

fn check_classes(name: &str, task: Task, classes: usize) -> Result<(), TrainError> {
    let message = match (task, classes) {
        (Task::Binary, 2) => return Ok(()),
        (Task::Binary, _) => {
            format!("the target `{name}` has {classes} classes in the training rows, not two")
        }
        (_, 0..=2) => {
            format!(
                "the target `{name}` has only {classes} classes in the training rows; the task may be `binary`"
            )
        }
        (_, 3..=MAX_CLASSES) => return Ok(()),
        _ => format!("the target `{name}` has {classes} classes, at most {MAX_CLASSES} are supported"),
    };
    Err(TrainError::Invalid(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    fn read(data: ColumnData, task: Task) -> Result<Target, TrainError> {
        let rows: Vec<usize> = (0..data.len()).collect();
        let table = Table::new(vec![Column { name: "y".into(), data }]).unwrap();
        Target::read(&table, "y", task, &rows)
    }

    #[test]
    fn classes_ascend_and_the_last_is_positive() {
        let texts = ["yes", "no", "yes"].map(|text| Some(text.to_owned())).to_vec();
        let expected = Target::Classes(Classes::Texts(vec!["no".into(), "yes".into()]), vec![1, 0, 1]);
        assert_eq!(read(ColumnData::Text(texts), Task::Binary).unwrap(), expected);
        let expected = Target::Classes(Classes::Numbers(vec![-1, 2, 10]), vec![2, 0, 1]);
        assert_eq!(read(ColumnData::Number(vec![10.0, -1.0, 2.0]), Task::Multiclass).unwrap(), expected);
    }

    #[test]
    fn unsuitable_targets_are_refused_by_name() {
        let message = |data, task| read(data, task).unwrap_err().to_string();
        assert_eq!(
            message(ColumnData::Number(vec![0.0, 1.0, 2.0]), Task::Binary),
            "the target `y` has 3 classes in the training rows, not two"
        );
        assert_eq!(
            message(ColumnData::Number(vec![0.5, 1.0]), Task::Binary),
            "the target `y` has the value 0.5; classes must be texts or whole numbers"
        );
    }

    #[test]
    fn labels_are_written_as_signatures_write_them() {
        assert_eq!(label(&ColumnData::Number(vec![3.0]), 0).as_deref(), Some("3"));
        assert_eq!(label(&ColumnData::Number(vec![-0.0]), 0).as_deref(), Some("0"));
        assert_eq!(label(&ColumnData::Number(vec![f64::NAN]), 0), None);
        assert_eq!(label(&ColumnData::Text(vec![Some("sí".into())]), 0).as_deref(), Some("sí"));
    }
}
