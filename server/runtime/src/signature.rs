//! What a model takes and gives: tensors, named features, classes and the roles of its outputs.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataType, ModelError, Tensor, TensorData};

/// Name, type and shape of one input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TensorSpec {
    /// The name in the graph.
    pub name: String,
    /// The type of its elements.
    pub datatype: DataType,
    /// Sizes of the axes, -1 where variable; the first is the batch.
    pub shape: Vec<i64>,
}

/// Whether a named feature is a number or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// Any numeric or boolean type.
    Number,
    /// UTF-8 text.
    Text,
}

/// Where a named field of a record lives among the input tensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// The field's name.
    pub name: String,
    /// Number or text.
    pub kind: FeatureKind,
    /// Position of the input tensor.
    pub input: usize,
    /// Column within its second axis; 0 for an input of one axis.
    pub column: usize,
}

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A number.
    Regression,
    /// One of two classes.
    Binary,
    /// One of three or more classes.
    Multiclass,
}

/// Positions of the outputs that carry the prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OutputRoles")]
pub struct Outputs {
    /// The class, as text or whole number, one per row.
    pub label: Option<usize>,
    /// The probabilities, one column per class, or a single column for the positive class.
    pub scores: Option<usize>,
    /// The predicted number of a regression.
    pub value: Option<usize>,
}

/// Everything a caller needs to know to ask a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// Inputs in the order `predict` takes them.
    pub inputs: Vec<TensorSpec>,
    /// Outputs in the order `predict` returns them.
    pub outputs: Vec<TensorSpec>,
    /// Named fields; empty when the inputs are not tables (images, for instance).
    pub features: Vec<Feature>,
    /// What is predicted, where the graph or its metadata says so.
    pub task: Option<Task>,
    /// Class labels in the order of the columns of the scores; whole numbers in decimal.
    pub classes: Vec<String>,
    /// Which output is what.
    pub roles: Outputs,
}

impl TensorSpec {
    /// Whether a tensor may have this shape.
    pub fn fits(&self, shape: &[usize]) -> bool {
        let mut axes = self.shape.iter().zip(shape);
        self.shape.len() == shape.len() && axes.all(|(want, got)| *want < 0 || *want as usize == *got)
    }

    /// Elements of one row; a variable axis counts as one.
    pub fn row_elements(&self) -> usize {
        let axes = self.shape.iter().skip(1).map(|size| usize::try_from(*size).unwrap_or(1));
        axes.fold(1, usize::saturating_mul)
    }

    /// A tensor of one row of zeros or empty texts, every variable axis one long; `None` for a type or a size that
    /// nobody sends as one row.
    fn blank_row(&self) -> Option<Tensor> {
        const MOST_ELEMENTS: usize = 1 << 24;
        let shape: Vec<usize> = self.shape.iter().map(|size| usize::try_from(*size).unwrap_or(1)).collect();
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
        if count > MOST_ELEMENTS {
            return None;
        }
        let data = match self.datatype {
            DataType::Bool => TensorData::Bool(vec![false; count]),
            DataType::Int32 => TensorData::I32(vec![0; count]),
            DataType::Int64 => TensorData::I64(vec![0; count]),
            DataType::Fp32 => TensorData::F32(vec![0.0; count]),
            DataType::Fp64 => TensorData::F64(vec![0.0; count]),
            DataType::Bytes => TensorData::Text(vec![String::new(); count]),
            _ => return None,
        };
        Tensor::new(shape, data).ok()
    }
}

impl Signature {
    /// Inputs of one row that any model should answer or complain about: zeros and empty texts. `None` when an
    /// input is of a kind that only the model's makers can fill.
    pub fn blank_row(&self) -> Option<Vec<Tensor>> {
        self.inputs.iter().map(TensorSpec::blank_row).collect()
    }

    /// Renames the features in input and column order.
    pub fn with_feature_names(mut self, names: &[String]) -> Result<Self, ModelError> {
        if names.len() != self.features.len() {
            return Err(ModelError::Input(format!(
                "{} feature names given, the model has {} features",
                names.len(),
                self.features.len()
            )));
        }
        let mut seen = HashSet::new();
        for (position, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(ModelError::Input(format!("the name of feature {position} is empty")));
            }
            if !seen.insert(name) {
                return Err(ModelError::Input(format!("the feature name `{name}` occurs twice")));
            }
        }
        for (feature, name) in self.features.iter_mut().zip(names) {
            feature.name.clone_from(name);
        }
        Ok(self)
    }

    /// Says why `other` may not replace this signature under its callers; `None` when it may.
    ///
    /// Inputs, outputs they may ask for, features, classes and task must stay; a numeric input may change to
    /// another numeric type that holds the old one's values, and a fixed axis may become variable.
    pub fn clash(&self, other: &Signature) -> Option<String> {
        self.clash_of_inputs(other)
            .or_else(|| self.clash_of_outputs(other))
            .or_else(|| self.clash_of_features(other))
            .or_else(|| self.clash_of_meaning(other))
    }

    fn clash_of_inputs(&self, other: &Signature) -> Option<String> {
        for input in &self.inputs {
            let Some(replacement) = other.inputs.iter().find(|spec| spec.name == input.name) else {
                return Some(format!("the input `{}` is missing", input.name));
            };
            if !holds(replacement.datatype, input.datatype) {
                return Some(format!(
                    "the input `{}` is {}, was {}",
                    input.name, replacement.datatype, input.datatype
                ));
            }
            let fits = input.shape.len() == replacement.shape.len()
                && input.shape.iter().zip(&replacement.shape).all(|(old, new)| *new == -1 || new == old);
            if !fits {
                return Some(format!(
                    "the input `{}` has the shape {:?}, had {:?}",
                    input.name, replacement.shape, input.shape
                ));
            }
        }
        let added = other.inputs.iter().find(|spec| self.inputs.iter().all(|old| old.name != spec.name))?;
        Some(format!("the input `{}` is new", added.name))
    }

    fn clash_of_outputs(&self, other: &Signature) -> Option<String> {
        for output in &self.outputs {
            let Some(replacement) = other.outputs.iter().find(|spec| spec.name == output.name) else {
                return Some(format!("the output `{}` is missing", output.name));
            };
            if replacement.datatype != output.datatype {
                return Some(format!(
                    "the output `{}` is {}, was {}",
                    output.name, replacement.datatype, output.datatype
                ));
            }
            if replacement.shape.len() != output.shape.len() {
                return Some(format!(
                    "the output `{}` has {} axes, had {}",
                    output.name,
                    replacement.shape.len(),
                    output.shape.len()
                ));
            }
        }
        None
    }

    fn clash_of_features(&self, other: &Signature) -> Option<String> {
        for feature in &self.features {
            let input = &self.inputs.get(feature.input)?.name;
            let Some(replacement) = other.features.iter().find(|candidate| candidate.name == feature.name)
            else {
                return Some(format!("the feature `{}` is missing", feature.name));
            };
            if replacement.kind != feature.kind {
                return Some(format!("the feature `{}` changed between number and text", feature.name));
            }
            let place = other.inputs.get(replacement.input).map(|spec| &spec.name);
            if place != Some(input) || replacement.column != feature.column {
                return Some(format!("the feature `{}` has moved to another column", feature.name));
            }
        }
        let added = other.features.iter().find(|new| self.features.iter().all(|old| old.name != new.name))?;
        Some(format!("the feature `{}` is new", added.name))
    }

    fn clash_of_meaning(&self, other: &Signature) -> Option<String> {
        if self.task != other.task {
            return Some(format!("the task is {:?}, was {:?}", other.task, self.task));
        }
        if self.classes != other.classes {
            return Some(format!("the classes are {:?}, were {:?}", other.classes, self.classes));
        }
        None
    }
}

/// Whether an input of type `wide` takes every value of `narrow` ([`crate::Model::predict`] converts).
fn holds(wide: DataType, narrow: DataType) -> bool {
    use DataType::{Bool, Fp16, Fp32, Fp64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32};
    if wide == narrow {
        return true;
    }
    match narrow {
        Bool => wide.is_number(),
        Fp16 => matches!(wide, Fp32 | Fp64),
        Fp32 | Int32 | Uint32 => wide == Fp64 || (wide == Int64 && narrow != Fp32),
        Int8 | Uint8 => matches!(wide, Int16 | Int32 | Int64 | Fp32 | Fp64),
        Int16 | Uint16 => matches!(wide, Int32 | Int64 | Fp32 | Fp64),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        let spec = |name: &str, datatype, shape: &[i64]| TensorSpec {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
        };
        let feature = |name: &str, kind, input| Feature { name: name.into(), kind, input, column: 0 };
        Signature {
            inputs: vec![spec("age", DataType::Fp32, &[-1, 1]), spec("city", DataType::Bytes, &[-1, 1])],
            outputs: vec![spec("label", DataType::Int64, &[-1]), spec("scores", DataType::Fp32, &[-1, 2])],
            features: vec![feature("age", FeatureKind::Number, 0), feature("city", FeatureKind::Text, 1)],
            task: Some(Task::Binary),
            classes: vec!["0".into(), "1".into()],
            roles: Outputs { label: Some(0), scores: Some(1), value: None },
        }
    }

    fn clash(change: impl Fn(&mut Signature)) -> String {
        let mut other = signature();
        change(&mut other);
        signature().clash(&other).unwrap_or_default()
    }

    #[test]
    fn equal_and_wider_signatures_do_not_clash() {
        assert_eq!(clash(|_| {}), "");
        assert_eq!(clash(|other| other.inputs[0].datatype = DataType::Fp64), "");
        assert_eq!(clash(|other| other.inputs[0].shape[1] = -1), "");
        assert_eq!(clash(|other| other.outputs.push(other.outputs[0].clone())), "");
    }

    #[test]
    fn clashes_are_named() {
        assert!(clash(|other| other.inputs[0].name = "years".into()).contains("`age` is missing"));
        assert!(clash(|other| other.inputs[0].datatype = DataType::Int64).contains("INT64, was FP32"));
        assert!(clash(|other| other.inputs[0].shape[1] = 2).contains("shape [-1, 2]"));
        assert!(clash(|other| other.inputs.push(other.inputs[0].clone())).is_empty());
        assert!(clash(|other| drop(other.outputs.pop())).contains("`scores` is missing"));
        assert!(clash(|other| other.features[1].name = "town".into()).contains("`city` is missing"));
        assert!(clash(|other| other.features[0].column = 3).contains("another column"));
        assert!(clash(|other| other.task = Some(Task::Regression)).contains("task"));
        assert!(clash(|other| other.classes.reverse()).contains("classes"));
    }

    #[test]
    fn feature_names_are_checked() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let renamed = signature().with_feature_names(&names(&["years", "town"])).unwrap();
        assert_eq!(renamed.features[1].name, "town");
        for wrong in [&["a"][..], &["a", "a"], &["a", ""]] {
            assert!(signature().with_feature_names(&names(wrong)).is_err());
        }
    }

    #[test]
    fn the_serialised_form_names_types_as_the_protocol_does() {
        let json = serde_json::to_string(&signature()).unwrap();
        assert!(json.contains(r#""datatype":"BYTES""#) && json.contains(r#""task":"binary""#), "{json}");
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature());
    }
}
