//! The features of a model: which columns, and for categories which levels it knows.

use std::collections::HashMap;

use crate::{ColumnData, Table, TrainError, TrainSpec};

/// Most levels of a category that are told apart, the most frequent; all others count as one, "other".
pub(crate) const MAX_LEVELS: usize = 200;

/// The levels of a category that a model knows, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Levels {
    /// Of a column of texts; a missing text is the level "".
    Texts(Vec<String>),
    /// Of a column of numbers; a missing number is "other".
    Numbers(Vec<f32>),
}

impl Levels {
    /// Number of known levels, and the code of "other".
    pub(crate) fn len(&self) -> usize {
        match self {
            Levels::Texts(levels) => levels.len(),
            Levels::Numbers(levels) => levels.len(),
        }
    }
}

/// How a column enters a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeatureKind {
    /// As a number.
    Number,
    /// As one of its levels.
    Category(Levels),
}

/// A column that a model reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) kind: FeatureKind,
}

/// A feature's values as learners read them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Encoded {
    /// Single-precision numbers, as the model will get them; NaN where missing or infinite.
    Number(Vec<f32>),
    /// Codes of levels, ascending with the levels; their number is "other".
    Category(Vec<u32>),
}

/// Reads the levels of the categories from the training rows.
pub(crate) fn fit(table: &Table, spec: &TrainSpec, rows: &[usize]) -> Result<Vec<Feature>, TrainError> {
    let mut features = Vec::new();
    for name in &spec.numeric {
        features.push(Feature { name: name.clone(), kind: FeatureKind::Number });
    }
    for name in &spec.categorical {
        let levels = match table.required(name)? {
            ColumnData::Text(values) => {
                Levels::Texts(frequent(rows.iter().map(|&row| values[row].clone().unwrap_or_default())))
            }
            ColumnData::Number(values) => {
                let bits = rows.iter().map(|&row| number(values[row])).filter(|value| !value.is_nan());
                let mut levels: Vec<f32> =
                    frequent(bits.map(f32::to_bits)).into_iter().map(f32::from_bits).collect();
                levels.sort_by(f32::total_cmp);
                if levels.is_empty() {
                    // An encoder needs a key; one that no row has changes nothing.
                    levels.push(0.0);
                }
                Levels::Numbers(levels)
            }
            ColumnData::Time(_) => {
                return Err(TrainError::invalid(format!("the categorical feature `{name}` holds times")));
            }
        };
        features.push(Feature { name: name.clone(), kind: FeatureKind::Category(levels) });
    }
    Ok(features)
}

/// Encodes `rows` of the table for the learners.
pub(crate) fn encode(
    features: &[Feature],
    table: &Table,
    rows: &[usize],
) -> Result<Vec<Encoded>, TrainError> {
    features.iter().map(|feature| encode_one(feature, table.required(&feature.name)?, rows)).collect()
}

/// A cell as the model's input of type FLOAT gets it; NaN where missing or beyond that type.
pub(crate) fn number(value: f64) -> f32 {
    let value = value as f32;
    // Adding zero turns -0 into 0, which are one level of a category.
    if value.is_finite() { value + 0.0 } else { f32::NAN }
}

fn encode_one(feature: &Feature, data: &ColumnData, rows: &[usize]) -> Result<Encoded, TrainError> {
    match (&feature.kind, data) {
        (FeatureKind::Number, ColumnData::Number(values)) => {
            Ok(Encoded::Number(rows.iter().map(|&row| number(values[row])).collect()))
        }
        (FeatureKind::Category(Levels::Texts(levels)), ColumnData::Text(values)) => {
            let codes: HashMap<&str, u32> = levels.iter().map(String::as_str).zip(0..).collect();
            let other = levels.len() as u32;
            let code = |&row: &usize| {
                let text = values[row].as_deref().unwrap_or_default();
                codes.get(text).copied().unwrap_or(other)
            };
            Ok(Encoded::Category(rows.iter().map(code).collect()))
        }
        (FeatureKind::Category(Levels::Numbers(levels)), ColumnData::Number(values)) => {
            let other = levels.len() as u32;
            let code = |&row: &usize| {
                let value = number(values[row]);
                levels.binary_search_by(|level| level.total_cmp(&value)).map_or(other, |code| code as u32)
            };
            Ok(Encoded::Category(rows.iter().map(code).collect()))
        }
        _ => Err(TrainError::invalid(format!(
            "the feature `{}` holds {}, which is not what the model was trained on",
            feature.name,
            data.kind()
        ))),
    }
}

/// The [`MAX_LEVELS`] most frequent values, ascending; of equally frequent ones the smaller.
fn frequent<T: Ord + Clone + std::hash::Hash>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(MAX_LEVELS);
    let mut levels: Vec<T> = counts.into_iter().map(|(value, _)| value).collect();
    levels.sort_unstable();
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Holdout, Learner, spec::Linear};

    fn category(data: ColumnData, train: &[usize], rows: &[usize]) -> (Levels, Vec<u32>) {
        let table = Table::new(vec![Column { name: "c".into(), data }]).unwrap();
        let spec = TrainSpec {
            target: "y".into(),
            task: crate::Task::Regression,
            numeric: vec![],
            categorical: vec!["c".into()],
            learner: Learner::Linear(Linear::default()),
            time_column: None,
            holdout: Holdout::default(),
            seed: 0,
        };
        let features = fit(&table, &spec, train).unwrap();
        let encoded = encode(&features, &table, rows).unwrap();
        match (&features[0].kind, &encoded[0]) {
            (FeatureKind::Category(levels), Encoded::Category(codes)) => (levels.clone(), codes.clone()),
            _ => panic!("not a category"),
        }
    }

    #[test]
    fn unseen_levels_are_other_and_missing_texts_a_level() {
        let data = ["b", "a", "z", ""].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        let (levels, codes) = category(ColumnData::Text(data.to_vec()), &[0, 1, 3], &[0, 1, 2, 3]);
        assert_eq!(levels, Levels::Texts(vec![String::new(), "a".into(), "b".into()]));
        assert_eq!(codes, [2, 1, 3, 0]);
    }

    #[test]
    fn numbers_can_name_something() {
        let data = ColumnData::Number(vec![12.0, -3.0, 12.0, f64::NAN, 5.0, -0.0, 0.0]);
        let (levels, codes) = category(data, &[0, 1, 2, 3, 5], &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(levels, Levels::Numbers(vec![-3.0, 0.0, 12.0]));
        assert_eq!(codes, [2, 0, 2, 3, 3, 1, 1]);
    }

    #[test]
    fn the_most_frequent_levels_are_kept() {
        let values: Vec<f64> =
            (0..300).flat_map(|value| vec![f64::from(value); 1 + value as usize / 100]).collect();
        let rows: Vec<usize> = (0..values.len()).collect();
        let (levels, codes) = category(ColumnData::Number(values), &rows, &rows);
        let Levels::Numbers(numbers) = &levels else { panic!("not numbers") };
        assert_eq!((numbers.len(), numbers[0], numbers[199]), (200, 100.0, 299.0));
        assert_eq!(codes[0], 200);
    }

    #[test]
    fn what_a_float_cannot_hold_is_missing() {
        assert!(number(1e300).is_nan() && number(f64::INFINITY).is_nan() && number(0.1) == 0.1);
    }
}
