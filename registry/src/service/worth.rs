//! What a service's answers are worth, what a retraining costs, and whom answers must treat alike.

use chasqui_drift::decision::RetrainingCost;
use chasqui_drift::performance::ValueMatrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::check_text;
use crate::{Error, Result};

const FIELD_BYTES: usize = 250;
const MOST_DOLLARS: f64 = 1e12;

/// What answers are worth in dollars. Without it nothing is said in dollars.
///
/// - Every figure is finite; costs, chances and limits are not negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ServiceWorth")]
pub struct Worth {
    /// Of a binary classification: what one answer is worth by what was predicted and what was true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<ValueMatrix>,
    /// Of a regression: what one unit of absolute error costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_error: Option<f64>,
    /// What a retraining costs.
    pub retraining: RetrainingCost,
    /// How likely a retraining recovers what is lost, 0–1.
    pub success: f64,
    /// Weeks over which a retraining must pay.
    pub weeks: f64,
    /// Dollars a week at risk from which a change is important.
    pub important: f64,
    /// Dollars a week at risk from which a change is urgent.
    pub urgent: f64,
}

impl Default for Worth {
    fn default() -> Self {
        Self {
            matrix: None,
            per_error: None,
            retraining: RetrainingCost::default(),
            success: 0.7,
            weeks: 8.0,
            important: 500.0,
            urgent: 5000.0,
        }
    }
}

impl Worth {
    pub(super) fn check(&self) -> Result<()> {
        let RetrainingCost { compute, people, validation, risk } = self.retraining;
        let costs = [compute, people, validation, risk, self.important, self.urgent];
        if costs.iter().any(|cost| !(0.0..=MOST_DOLLARS).contains(cost)) {
            return Err(Error::Invalid("`worth` has a cost or limit that is no amount of dollars".into()));
        }
        let values = self.matrix.iter().flat_map(|matrix| {
            [matrix.true_negative, matrix.false_positive, matrix.false_negative, matrix.true_positive]
        });
        if values.chain(self.per_error).any(|value| !value.is_finite() || value.abs() > MOST_DOLLARS) {
            return Err(Error::Invalid("`worth` has a value that is no amount of dollars".into()));
        }
        if self.per_error.is_some_and(|cost| cost < 0.0) {
            return Err(Error::Invalid("`worth.per_error` is a cost and cannot be negative".into()));
        }
        let has_weeks = self.weeks > 0.0 && self.weeks <= 520.0;
        let has_chance = (0.0..=1.0).contains(&self.success);
        if !has_chance || !has_weeks {
            return Err(Error::Invalid(
                "`worth.success` must be between 0 and 1, `worth.weeks` above 0 and at most 520".into(),
            ));
        }
        Ok(())
    }
}

/// The groups of people or places that a service's answers are compared for.
///
/// - `column` is an input of the model that is not personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceGroups")]
pub struct Groups {
    /// The input that names the group.
    pub column: String,
    /// Whether the groups are people who must be treated alike: then their answers and errors are compared.
    #[serde(default)]
    pub fairness: bool,
}

impl Groups {
    pub(super) fn check(&self, personal: &[String]) -> Result<()> {
        check_text("field name", &self.column, FIELD_BYTES)?;
        if self.column.is_empty() {
            return Err(Error::Invalid("`groups.column` must not be empty".into()));
        }
        if personal.contains(&self.column) {
            return Err(Error::Invalid(format!(
                "`groups.column` names `{}`, which is personal: its values are not in the log",
                self.column
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Groups, Worth};

    #[test]
    fn amounts_are_amounts() {
        assert!(Worth::default().check().is_ok());
        let broken: [fn(&mut Worth); 5] = [
            |worth| worth.retraining.people = -1.0,
            |worth| worth.per_error = Some(-2.0),
            |worth| worth.per_error = Some(f64::NAN),
            |worth| worth.success = 1.5,
            |worth| worth.weeks = 0.0,
        ];
        for break_it in broken {
            let mut worth = Worth::default();
            break_it(&mut worth);
            assert!(worth.check().is_err(), "{worth:?}");
        }
        assert!(serde_json::from_str::<Worth>(r#"{"matriz": {}}"#).is_err());
    }

    #[test]
    fn groups_are_of_a_column_that_is_not_personal() {
        let of = |column: &str| Groups { column: column.into(), fairness: true };
        assert!(of("región").check(&[]).is_ok());
        assert!(of("cédula").check(&["cédula".into()]).is_err());
        assert!(of("").check(&[]).is_err());
    }
}
