//! What to train: the columns, the learner and its settings.

use chasqui_runtime::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ColumnData, Table, TrainError};

/// Everything that decides what a training makes, the table aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// The column to predict.
    pub target: String,
    /// What kind of prediction.
    pub task: Task,
    /// Features that are numbers; they may have missing values.
    #[serde(default)]
    pub numeric: Vec<String>,
    /// Features that are categories: texts, or numbers that only name something.
    #[serde(default)]
    pub categorical: Vec<String>,
    /// The learner and its settings.
    pub learner: Learner,
    /// The column that orders the rows in time; without it the order of the table counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// The rows kept from training.
    #[serde(default)]
    pub holdout: Holdout,
    /// Seed of every random choice.
    #[serde(default)]
    pub seed: u64,
}

/// The rows kept from training to measure the model: the latest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holdout {
    /// Their share, above 0 and at most 0.8.
    pub fraction: f64,
}

impl Default for Holdout {
    fn default() -> Self {
        Holdout { fraction: 0.2 }
    }
}

/// A learner with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Learner {
    /// Linear regression with an L2 penalty (ridge).
    Linear(Linear),
    /// Logistic regression, multinomial for more than two classes, with an L2 penalty.
    Logistic(Linear),
    /// Gradient boosting of decision trees on histograms.
    GradientBoosting(Boosting),
}

impl Learner {
    /// The learner's name as the specification writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Learner::Linear(_) => "linear",
            Learner::Logistic(_) => "logistic",
            Learner::GradientBoosting(_) => "gradient_boosting",
        }
    }
}

/// Settings of linear and logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LinearSettings")]
pub struct Linear {
    /// Weight of the penalty `l2/2 · ‖w‖²` beside the summed loss, for standardised features; the intercept is free.
    pub l2: f64,
    /// Limit of the optimiser's iterations.
    pub max_iterations: usize,
    /// The optimiser stops when no component of the mean loss's gradient, by weights in units that curve alike,
    /// exceeds this.
    pub tolerance: f64,
}

impl Default for Linear {
    fn default() -> Self {
        Linear { l2: 1.0, max_iterations: 500, tolerance: 1e-5 }
    }
}

/// Settings of gradient boosting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BoostingSettings")]
pub struct Boosting {
    /// Most rounds of boosting; a round is one tree, or one per class for more than two classes.
    pub trees: usize,
    /// Most splits from a root to a leaf.
    pub depth: usize,
    /// Most leaves of a tree, which grows where the gain is highest; absent: as many as `depth` allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<usize>,
    /// Share of every tree's answer that is added.
    pub learning_rate: f64,
    /// Fewest training rows of a leaf.
    pub min_leaf: usize,
    /// Least sum of second derivatives of a leaf.
    pub min_hessian: f64,
    /// L2 penalty on the answers of leaves.
    pub lambda: f64,
    /// Least gain of a split.
    pub min_gain: f64,
    /// Most bins of a feature, 2 to 255, one for missing values included.
    pub bins: usize,
    /// Share of the rows that every round sees.
    pub row_fraction: f64,
    /// Share of the features that every tree sees.
    pub column_fraction: f64,
    /// Rounds without a better validation loss after which boosting stops; 0 runs all rounds.
    ///
    /// The best number of rounds is then trained again on all training rows, the validation part included: it is
    /// the latest and the one nearest to what the model will see.
    pub early_stopping: usize,
    /// Share of the training rows, the latest, on which early stopping looks.
    pub validation_fraction: f64,
    /// Most threads; the result does not depend on it.
    pub threads: usize,
}

impl Default for Boosting {
    fn default() -> Self {
        Boosting {
            trees: 300,
            depth: 6,
            leaves: None,
            learning_rate: 0.1,
            min_leaf: 20,
            min_hessian: 1e-3,
            lambda: 1.0,
            min_gain: 0.0,
            bins: 255,
            row_fraction: 1.0,
            column_fraction: 1.0,
            early_stopping: 20,
            validation_fraction: 0.15,
            threads: 2,
        }
    }
}

impl TrainSpec {
    /// Checks everything that can be known without the table.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.validate_columns()?;
        let fraction = self.holdout.fraction;
        check(fraction > 0.0 && fraction <= 0.8, || {
            format!("holdout.fraction is {fraction}, it must be above 0 and at most 0.8")
        })?;
        match (&self.learner, self.task) {
            (Learner::Linear(_), Task::Binary | Task::Multiclass) => {
                Err(TrainError::invalid("the learner `linear` predicts numbers; take `logistic` for classes"))
            }
            (Learner::Logistic(_), Task::Regression) => {
                Err(TrainError::invalid("the learner `logistic` predicts classes; take `linear` for numbers"))
            }
            (Learner::Linear(linear) | Learner::Logistic(linear), _) => linear.validate(),
            (Learner::GradientBoosting(boosting), _) => boosting.validate(),
        }
    }

    /// Checks the specification against the columns of `table`.
    pub fn validate_for(&self, table: &Table) -> Result<(), TrainError> {
        self.validate()?;
        for name in &self.numeric {
            let data = table.required(name)?;
            check(matches!(data, ColumnData::Number(_)), || {
                let advice = match data {
                    ColumnData::Time(_) => "derive numbers from it, such as the weekday",
                    _ => "list it under `categorical`",
                };
                format!("the numeric feature `{name}` holds {}; {advice}", data.kind())
            })?;
        }
        for name in &self.categorical {
            let data = table.required(name)?;
            check(!matches!(data, ColumnData::Time(_)), || {
                format!("the categorical feature `{name}` holds times; derive categories from it")
            })?;
        }
        if let Some(name) = &self.time_column {
            let data = table.required(name)?;
            check(!matches!(data, ColumnData::Text(_)), || {
                format!("the time column `{name}` holds texts, it must hold times or numbers")
            })?;
        }
        let target = table.required(&self.target)?;
        let fits = match self.task {
            Task::Regression => matches!(target, ColumnData::Number(_)),
            Task::Binary | Task::Multiclass => !matches!(target, ColumnData::Time(_)),
        };
        check(fits, || {
            format!("the target `{}` holds {}, which do not suit the task", self.target, target.kind())
        })
    }

    /// The features' names in the order of the model's inputs: numbers, then categories.
    pub fn feature_names(&self) -> impl Iterator<Item = &String> {
        self.numeric.iter().chain(&self.categorical)
    }

    fn validate_columns(&self) -> Result<(), TrainError> {
        check(!self.target.is_empty(), || "the target has no name".into())?;
        check(self.feature_names().next().is_some(), || {
            "there are no features; name columns under `numeric` or `categorical`".into()
        })?;
        for (position, name) in self.feature_names().enumerate() {
            check(!name.is_empty(), || format!("the name of feature {position} is empty"))?;
            check(name != &self.target, || format!("the target `{name}` cannot be a feature of itself"))?;
            check(!self.feature_names().take(position).any(|other| other == name), || {
                format!("the feature `{name}` is named twice")
            })?;
        }
        check(self.time_column.as_ref() != Some(&self.target), || {
            format!("the target `{}` cannot be the time column", self.target)
        })
    }
}

impl Linear {
    fn validate(&self) -> Result<(), TrainError> {
        check(self.l2.is_finite() && self.l2 >= 0.0, || {
            format!("l2 is {}, it must not be negative", self.l2)
        })?;
        check((1..=100_000).contains(&self.max_iterations), || {
            format!("max_iterations is {}, it must be 1 to 100000", self.max_iterations)
        })?;
        check(self.tolerance > 0.0 && self.tolerance < 1.0, || {
            format!("tolerance is {}, it must be between 0 and 1", self.tolerance)
        })
    }
}

impl Boosting {
    fn validate(&self) -> Result<(), TrainError> {
        let range = |name: &str, value: usize, low: usize, high: usize| {
            check((low..=high).contains(&value), || format!("{name} is {value}, it must be {low} to {high}"))
        };
        range("trees", self.trees, 1, 10_000)?;
        range("depth", self.depth, 1, 16)?;
        range("leaves", self.leaves.unwrap_or(2), 2, 65_536)?;
        range("bins", self.bins, 2, 255)?;
        range("min_leaf", self.min_leaf, 1, usize::MAX)?;
        range("threads", self.threads, 1, 64)?;
        let share = |name: &str, value: f64| {
            check(value > 0.0 && value <= 1.0, || {
                format!("{name} is {value}, it must be above 0 and at most 1")
            })
        };
        share("learning_rate", self.learning_rate)?;
        share("row_fraction", self.row_fraction)?;
        share("column_fraction", self.column_fraction)?;
        share("validation_fraction", self.validation_fraction)?;
        check(self.validation_fraction <= 0.5, || {
            format!("validation_fraction is {}, it must be at most 0.5", self.validation_fraction)
        })?;
        let natural = |name: &str, value: f64| {
            check(value.is_finite() && value >= 0.0, || format!("{name} is {value}, it must not be negative"))
        };
        natural("lambda", self.lambda)?;
        natural("min_gain", self.min_gain)?;
        natural("min_hessian", self.min_hessian)
    }
}

fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(TrainError::Invalid(message())) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Column;

    fn spec() -> TrainSpec {
        serde_json::from_value(json!({
            "target": "y", "task": "regression", "numeric": ["a"], "categorical": ["b"],
            "learner": {"kind": "gradient_boosting", "trees": 50},
        }))
        .unwrap()
    }

    #[test]
    fn defaults_fill_what_is_not_written() {
        let Learner::GradientBoosting(boosting) = spec().learner else { panic!("another learner") };
        assert_eq!(boosting, Boosting { trees: 50, ..Boosting::default() });
        assert_eq!(spec().holdout.fraction, 0.2);
        spec().validate().unwrap();
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in [
            r#"{"target":"y","task":"binary","learner":{"kind":"logistic"},"colour":1}"#,
            r#"{"target":"y","task":"binary","learner":{"kind":"logistic","trees":3}}"#,
            r#"{"target":"y","task":"binary","learner":{"kind":"oracle"}}"#,
        ] {
            assert!(serde_json::from_str::<TrainSpec>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_spec_survives_json() {
        let text = serde_json::to_string(&spec()).unwrap();
        assert_eq!(serde_json::from_str::<TrainSpec>(&text).unwrap(), spec());
    }

    #[test]
    fn errors_name_the_column_or_the_setting() {
        let message = |change: fn(&mut TrainSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.validate().unwrap_err().to_string()
        };
        assert_eq!(
            message(|spec| spec.numeric.push("y".into())),
            "the target `y` cannot be a feature of itself"
        );
        assert_eq!(message(|spec| spec.numeric.push("b".into())), "the feature `b` is named twice");
        assert_eq!(
            message(|spec| spec.learner = Learner::Logistic(Linear::default())),
            "the learner `logistic` predicts classes; take `linear` for numbers"
        );
        let depth = |spec: &mut TrainSpec| {
            spec.learner = Learner::GradientBoosting(Boosting { depth: 40, ..Boosting::default() });
        };
        assert_eq!(message(depth), "depth is 40, it must be 1 to 16");
        assert_eq!(
            message(|spec| spec.holdout.fraction = 0.0),
            "holdout.fraction is 0, it must be above 0 and at most 0.8"
        );
    }

    #[test]
    fn columns_must_suit_their_part() {
        let texts = || ColumnData::Text(vec![Some("x".into())]);
        let column = |name: &str, data| Column { name: name.into(), data };
        let message = |columns| spec().validate_for(&Table::new(columns).unwrap()).unwrap_err().to_string();
        let numbers = || ColumnData::Number(vec![1.0]);
        assert_eq!(
            message(vec![column("a", texts()), column("b", texts()), column("y", numbers())]),
            "the numeric feature `a` holds texts; list it under `categorical`"
        );
        assert_eq!(
            message(vec![column("a", numbers()), column("b", texts()), column("y", texts())]),
            "the target `y` holds texts, which do not suit the task"
        );
        assert_eq!(
            message(vec![column("a", numbers()), column("y", numbers())]),
            "the column `b` does not exist; there are a, y"
        );
    }
}
