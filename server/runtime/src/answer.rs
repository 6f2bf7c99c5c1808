//! Reads single values out of input and output tensors by the signature, without copying.

use crate::{Signature, Tensor};

/// One cell: nothing, a number or a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NaN, or absent.
    Missing,
    /// Any numeric type, booleans as 0 and 1.
    Number(f64),
    /// UTF-8 text.
    Text(&'a str),
}

/// What a model said about one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction<'a> {
    /// The class.
    pub label: Option<Value<'a>>,
    /// Probability of the positive class (the last of two), or of the predicted class among more.
    pub score: Option<f64>,
    /// The number of a regression.
    pub value: Option<f64>,
}

/// The value of `feature` in `row`; missing when either does not exist.
pub fn feature_value<'a>(
    signature: &Signature,
    inputs: &'a [Tensor],
    row: usize,
    feature: usize,
) -> Value<'a> {
    let Some(feature) = signature.features.get(feature) else { return Value::Missing };
    let Some(tensor) = inputs.get(feature.input) else { return Value::Missing };
    cell(tensor, row, feature.column)
}

/// The prediction for `row`, read from the outputs that the signature gives a role.
///
/// A model with scores but no label output gets the label from the highest score, of two classes the positive
/// one from 0.5 upwards.
pub fn prediction<'a>(signature: &'a Signature, outputs: &'a [Tensor], row: usize) -> Prediction<'a> {
    let output = |position: Option<usize>| position.and_then(|position| outputs.get(position));
    let value = output(signature.roles.value).and_then(|tensor| number(cell(tensor, row, 0)));
    let own_label = output(signature.roles.label).map(|tensor| cell(tensor, row, 0));
    let Some(scores) = output(signature.roles.scores) else {
        return Prediction { label: own_label, score: None, value };
    };
    let columns = columns(scores);
    let (best, best_score) = highest(scores, row, columns);
    let positive = if columns <= 2 { number(cell(scores, row, columns - 1)) } else { None };
    let label = own_label.or_else(|| {
        let class = if columns == 1 { usize::from(best_score? >= 0.5) } else { best };
        signature.classes.get(class).map(|name| class_value(name))
    });
    let score = positive.or_else(|| {
        let class = label.and_then(|label| class_position(signature, label));
        class.map_or(best_score, |class| number(cell(scores, row, class)))
    });
    Prediction { label, score, value }
}

fn columns(tensor: &Tensor) -> usize {
    if tensor.shape.len() < 2 { 1 } else { tensor.shape[1..].iter().product::<usize>().max(1) }
}

fn cell(tensor: &Tensor, row: usize, column: usize) -> Value<'_> {
    let columns = columns(tensor);
    if column >= columns {
        return Value::Missing;
    }
    let index = row * columns + column;
    match tensor.data.number(index) {
        Some(number) if number.is_nan() => Value::Missing,
        Some(number) => Value::Number(number),
        None => tensor.data.text(index).map_or(Value::Missing, Value::Text),
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

fn highest(scores: &Tensor, row: usize, columns: usize) -> (usize, Option<f64>) {
    let mut best = (0, None);
    for column in 0..columns {
        let Some(score) = number(cell(scores, row, column)) else { continue };
        // Of two equal halves the positive class wins, as a threshold of 0.5 would have it.
        let wins = best.1.is_none_or(|highest| score > highest || (columns == 2 && score == highest));
        if wins {
            best = (column, Some(score));
        }
    }
    best
}

fn class_value(name: &str) -> Value<'_> {
    name.parse().map_or(Value::Text(name), Value::Number)
}

fn class_position(signature: &Signature, label: Value<'_>) -> Option<usize> {
    signature.classes.iter().position(|class| match label {
        Value::Text(text) => class == text,
        Value::Number(number) => class.parse() == Ok(number),
        Value::Missing => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataType, Feature, FeatureKind, Outputs, Task, TensorData, TensorSpec};

    fn signature(classes: &[&str], roles: Outputs) -> Signature {
        let feature = |name: &str, kind, input, column| Feature { name: name.into(), kind, input, column };
        let inputs = ["x", "city"].map(|name| TensorSpec {
            name: name.into(),
            datatype: DataType::Fp32,
            shape: vec![-1, 2],
        });
        Signature {
            inputs: inputs.to_vec(),
            outputs: Vec::new(),
            features: vec![
                feature("a", FeatureKind::Number, 0, 0),
                feature("b", FeatureKind::Number, 0, 1),
                feature("city", FeatureKind::Text, 1, 0),
            ],
            task: Some(Task::Binary),
            classes: classes.iter().map(|class| (*class).into()).collect(),
            roles,
        }
    }

    fn table(columns: usize, values: &[f32]) -> Tensor {
        Tensor::new(vec![values.len() / columns, columns], TensorData::F32(values.to_vec())).unwrap()
    }

    #[test]
    fn features_are_found_by_input_and_column() {
        let signature = signature(&[], Outputs::default());
        let cities = TensorData::Text(vec!["Quito".into(), "Cuenca".into()]);
        let inputs = [table(2, &[1.0, 2.0, f32::NAN, 4.0]), Tensor::new(vec![2], cities).unwrap()];
        assert_eq!(feature_value(&signature, &inputs, 0, 1), Value::Number(2.0));
        assert_eq!(feature_value(&signature, &inputs, 1, 0), Value::Missing);
        assert_eq!(feature_value(&signature, &inputs, 1, 2), Value::Text("Cuenca"));
        assert_eq!(feature_value(&signature, &inputs, 2, 2), Value::Missing);
        assert_eq!(feature_value(&signature, &inputs, 0, 9), Value::Missing);
    }

    #[test]
    fn of_two_classes_the_score_is_the_positive_ones() {
        let roles = Outputs { label: Some(0), scores: Some(1), value: None };
        let signature = signature(&["no", "yes"], roles);
        let label = Tensor::new(vec![1], TensorData::Text(vec!["no".into()])).unwrap();
        let outputs = [label, table(2, &[0.75, 0.25])];
        let answer = prediction(&signature, &outputs, 0);
        assert_eq!((answer.label, answer.score), (Some(Value::Text("no")), Some(0.25)));
    }

    #[test]
    fn of_many_classes_the_score_is_the_labels() {
        let roles = Outputs { label: Some(0), scores: Some(1), value: None };
        let signature = signature(&["10", "20", "30"], roles);
        let label = Tensor::new(vec![2], TensorData::I64(vec![20, 30])).unwrap();
        let outputs = [label, table(3, &[0.25, 0.5, 0.25, 0.125, 0.125, 0.75])];
        assert_eq!(prediction(&signature, &outputs, 0).score, Some(0.5));
        assert_eq!(prediction(&signature, &outputs, 1).score, Some(0.75));
    }

    #[test]
    fn without_a_label_the_highest_score_gives_it() {
        let roles = Outputs { label: None, scores: Some(0), value: None };
        let two = signature(&["no", "yes"], roles);
        let pairs = [table(2, &[0.5, 0.5, 0.75, 0.25])];
        assert_eq!(prediction(&two, &pairs, 0).label, Some(Value::Text("yes")));
        assert_eq!(prediction(&two, &pairs, 1).label, Some(Value::Text("no")));
        let single = [table(1, &[0.5, 0.25])];
        assert_eq!(prediction(&two, &single, 0).label, Some(Value::Text("yes")));
        assert_eq!(prediction(&two, &single, 1).label, Some(Value::Text("no")));
        assert_eq!(prediction(&two, &single, 1).score, Some(0.25));
    }

    #[test]
    fn a_regression_has_a_value() {
        let roles = Outputs { value: Some(0), ..Outputs::default() };
        let outputs = [table(1, &[3.5, f32::NAN])];
        let signature = signature(&[], roles);
        assert_eq!(prediction(&signature, &outputs, 0).value, Some(3.5));
        assert_eq!(prediction(&signature, &outputs, 1).value, None);
    }
}
