//! The linear part that linear and logistic regression share, as a candle graph: standardised numbers times
//! weights, plus a weight per level of every category, plus an intercept.

use candle_core::{DType, Device, Tensor, Var};

use super::linear::FeatureWeights;
use super::{Link, TrainingData};
use crate::TrainError;
use crate::features::{Encoded, FeatureKind};

/// The training rows as constant tensors in double precision.
pub(super) struct Design {
    rows: usize,
    outputs: usize,
    /// `[rows, numbers]`, standardised, missing values at the mean; `None` without numeric features.
    numbers: Option<Tensor>,
    /// Per category the codes of the rows and the number of codes, "other" included.
    categories: Vec<(Tensor, usize)>,
    /// Center and scale of every numeric feature.
    scales: Vec<(f32, f32)>,
    /// Per weight its unit: points are in such units, in which the loss curves about as much in every direction.
    units: Vec<f64>,
}

/// The weights as variables: numbers `[numbers, outputs]`, categories `[codes, outputs]` each, intercept `[outputs]`.
pub(super) struct Weights {
    pub(super) numbers: Option<Var>,
    pub(super) categories: Vec<Var>,
    pub(super) intercept: Var,
}

impl Design {
    /// Reads the rows; `l2` is the weight of the penalty beside the summed loss.
    pub(super) fn new(data: &TrainingData<'_>, outputs: usize, l2: f64) -> Result<Design, TrainError> {
        let device = Device::Cpu;
        let (mut scales, mut standardised, mut categories) = (Vec::new(), Vec::new(), Vec::new());
        let mut counts: Vec<f64> = Vec::new(); // rows of each code of each category
        for (feature, column) in data.features.iter().zip(data.columns) {
            match (column, &feature.kind) {
                (Encoded::Number(values), _) => {
                    let (center, scale) = standard(values);
                    scales.push((center, scale));
                    standardised.push(values.iter().map(move |&value| standardise(value, center, scale)));
                }
                (Encoded::Category(codes), FeatureKind::Category(levels)) => {
                    let start = counts.len();
                    counts.resize(start + levels.len() + 1, 0.0);
                    for &code in codes {
                        counts[start + code as usize] += 1.0;
                    }
                    categories.push((Tensor::from_slice(codes, data.rows, &device)?, levels.len() + 1));
                }
                (Encoded::Category(_), FeatureKind::Number) => {}
            }
        }
        let numbers = if standardised.is_empty() {
            None
        } else {
            let features = standardised.len();
            let mut matrix = vec![0.0; data.rows * features];
            for (position, column) in standardised.into_iter().enumerate() {
                for (row, value) in column.enumerate() {
                    matrix[row * features + position] = value;
                }
            }
            Some(Tensor::from_vec(matrix, (data.rows, features), &device)?)
        };
        let rows = data.rows as f64;
        let unit = |squares: f64| if squares > 0.0 { (rows / squares).sqrt() } else { 1.0 };
        let mut units = vec![unit(rows + l2); scales.len()];
        units.extend(counts.iter().map(|count| unit(count + l2)));
        units.push(1.0);
        let units = units.into_iter().flat_map(|unit| std::iter::repeat_n(unit, outputs)).collect();
        Ok(Design { rows: data.rows, outputs, numbers, categories, scales, units })
    }

    /// Number of weights, the intercept included.
    pub(super) fn size(&self) -> usize {
        self.units.len()
    }

    /// Cuts a flat point into variables: numbers, categories, intercept.
    pub(super) fn weights(&self, point: &[f64]) -> Result<Weights, TrainError> {
        let point = self.in_units(point);
        let mut rest = point.as_slice();
        let mut next = |rows: usize| {
            let (own, others) = rest.split_at(rows * self.outputs);
            rest = others;
            Tensor::from_slice(own, (rows, self.outputs), &Device::Cpu)
        };
        let numbers = match &self.numbers {
            Some(_) => Some(Var::from_tensor(&next(self.scales.len())?)?),
            None => None,
        };
        let categories = self
            .categories
            .iter()
            .map(|(_, codes)| Var::from_tensor(&next(*codes)?))
            .collect::<Result<_, _>>()?;
        let intercept = Var::from_tensor(&next(1)?)?;
        Ok(Weights { numbers, categories, intercept })
    }

    /// The scores, `[rows, outputs]`.
    pub(super) fn scores(&self, weights: &Weights) -> Result<Tensor, TrainError> {
        let mut scores = Tensor::zeros((self.rows, self.outputs), DType::F64, &Device::Cpu)?
            .broadcast_add(weights.intercept.as_tensor())?;
        if let (Some(numbers), Some(weights)) = (&self.numbers, &weights.numbers) {
            scores = (scores + numbers.matmul(weights.as_tensor())?)?;
        }
        for ((codes, _), weights) in self.categories.iter().zip(&weights.categories) {
            scores = (scores + weights.as_tensor().index_select(codes, 0)?)?;
        }
        Ok(scores)
    }

    /// Value and gradient of `loss` (a scalar, summed over the rows) plus the penalty, both divided by the rows.
    pub(super) fn objective(
        &self,
        point: &[f64],
        l2: f64,
        loss: impl Fn(&Tensor) -> Result<Tensor, TrainError>,
    ) -> Result<(f64, Vec<f64>), TrainError> {
        let weights = self.weights(point)?;
        let mut total = loss(&self.scores(&weights)?)?;
        for var in weights.penalised() {
            total = (total + (var.as_tensor().sqr()?.sum_all()? * (l2 / 2.0))?)?;
        }
        let mean = (total / self.rows as f64)?;
        let gradients = mean.backward()?;
        let mut flat = Vec::with_capacity(point.len());
        for var in weights.all() {
            match gradients.get(var.as_tensor()) {
                Some(gradient) => flat.extend(gradient.flatten_all()?.to_vec1::<f64>()?),
                None => flat.resize(flat.len() + var.as_tensor().elem_count(), 0.0),
            }
        }
        Ok((mean.to_scalar::<f64>()?, self.in_units(&flat)))
    }

    /// Multiplies every component by its unit.
    fn in_units(&self, vector: &[f64]) -> Vec<f64> {
        vector.iter().zip(&self.units).map(|(component, unit)| component * unit).collect()
    }

    /// Joins a flat point with the scales to the weights of a model, in the order of the features, and the
    /// intercept.
    pub(super) fn unpack(&self, data: &TrainingData<'_>, point: &[f64]) -> (Vec<FeatureWeights>, Vec<f64>) {
        let outputs = self.outputs;
        let point = self.in_units(point);
        let (mut number, mut category) = (0, self.scales.len() * outputs);
        let mut features = Vec::with_capacity(data.features.len());
        for feature in data.features {
            match &feature.kind {
                FeatureKind::Number => {
                    let (center, scale) = self.scales[number];
                    let weights = point[number * outputs..(number + 1) * outputs].to_vec();
                    features.push(FeatureWeights::Number { center, scale, weights });
                    number += 1;
                }
                FeatureKind::Category(levels) => {
                    let end = category + (levels.len() + 1) * outputs;
                    features.push(FeatureWeights::Category(point[category..end].to_vec()));
                    category = end;
                }
            }
        }
        (features, point[category..].to_vec())
    }
}

impl Weights {
    fn penalised(&self) -> impl Iterator<Item = &Var> {
        self.numbers.iter().chain(&self.categories)
    }

    /// All variables in the order of a flat point.
    pub(super) fn all(&self) -> impl Iterator<Item = &Var> {
        self.penalised().chain([&self.intercept])
    }
}

/// The summed loss of a link, as a function of the scores.
pub(super) fn loss(link: Link, scores: &Tensor, target: &Tensor) -> Result<Tensor, TrainError> {
    Ok(match link {
        Link::Identity => ((scores - target)?.sqr()?.sum_all()? * 0.5)?,
        Link::Logistic => {
            // candle's own form takes the logarithm of a rounded probability, which is -inf for sure answers.
            let tail = (scores.abs()?.neg()?.exp()? + 1.0)?.log()?;
            ((scores.relu()? - (scores * target)?)? + tail)?.sum_all()?
        }
        Link::Softmax => {
            let highest = scores.detach().max_keepdim(1)?;
            let shifted = scores.broadcast_sub(&highest)?;
            let normaliser = shifted.exp()?.sum_keepdim(1)?.log()?;
            (normaliser.sum_all()? - (shifted * target)?.sum_all()?)?
        }
    })
}

/// A value in units of its column's spread; the mean where missing.
pub(super) fn standardise(value: f32, center: f32, scale: f32) -> f64 {
    if value.is_nan() { 0.0 } else { (f64::from(value) - f64::from(center)) * f64::from(scale) }
}

/// Mean and inverse standard deviation of the values that are there; 0 and 1 for a constant or empty column.
fn standard(values: &[f32]) -> (f32, f32) {
    let known = || values.iter().filter(|value| !value.is_nan()).map(|&value| f64::from(value));
    let count = known().count() as f64;
    if count == 0.0 {
        return (0.0, 1.0);
    }
    let mean = known().sum::<f64>() / count;
    let variance = known().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let scale = (1.0 / variance.sqrt()) as f32;
    if scale.is_finite() && scale > 0.0 && variance > 1e-14 * mean * mean {
        (mean as f32, scale)
    } else {
        (mean as f32, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Feature, Levels};
    use crate::target::Target;

    fn features() -> Vec<Feature> {
        let category = FeatureKind::Category(Levels::Numbers(vec![1.0, 2.0]));
        vec![
            Feature { name: "a".into(), kind: FeatureKind::Number },
            Feature { name: "c".into(), kind: category },
            Feature { name: "b".into(), kind: FeatureKind::Number },
        ]
    }

    fn with_design(outputs: usize, test: impl Fn(&Design)) {
        let columns = [
            Encoded::Number(vec![1.0, 2.0, 4.0, f32::NAN, -1.0]),
            Encoded::Category(vec![0, 1, 2, 1, 0]),
            Encoded::Number(vec![0.5, 0.5, -2.0, 8.0, 1.0]),
        ];
        let target = Target::Numbers(vec![]);
        let data = TrainingData { features: &features(), columns: &columns, target: &target, rows: 5 };
        test(&Design::new(&data, outputs, 0.7).unwrap());
    }

    fn cases() -> [(Link, usize, Vec<f64>); 3] {
        [
            (Link::Identity, 1, vec![1.0, -2.0, 0.5, 0.0, 3.0]),
            (Link::Logistic, 1, vec![1.0, 0.0, 1.0, 0.0, 0.0]),
            (
                Link::Softmax,
                3,
                [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
                    .concat(),
            ),
        ]
    }

    #[test]
    fn every_variable_gets_a_gradient() {
        for (link, outputs, target) in cases() {
            with_design(outputs, |design| {
                let target = Tensor::from_slice(&target, (5, outputs), &Device::Cpu).unwrap();
                let weights = design.weights(&vec![0.1; design.size()]).unwrap();
                let total = loss(link, &design.scores(&weights).unwrap(), &target).unwrap();
                let gradients = total.backward().unwrap();
                for (position, var) in weights.all().enumerate() {
                    assert!(gradients.get(var.as_tensor()).is_some(), "{link:?}: variable {position}");
                }
            });
        }
    }

    #[test]
    fn gradients_are_those_of_differences_also_at_zero() {
        for (link, outputs, target) in cases() {
            with_design(outputs, |design| {
                let target = Tensor::from_slice(&target, (5, outputs), &Device::Cpu).unwrap();
                for start in [0.0, 0.3] {
                    let point: Vec<f64> = (0..design.size()).map(|i| start * (i as f64).sin()).collect();
                    let value =
                        |point: &[f64]| design.objective(point, 0.7, |z| loss(link, z, &target)).unwrap();
                    let (_, gradient) = value(&point);
                    for i in 0..point.len() {
                        let (mut up, mut down) = (point.clone(), point.clone());
                        up[i] += 1e-6;
                        down[i] -= 1e-6;
                        let expected = (value(&up).0 - value(&down).0) / 2e-6;
                        assert!((gradient[i] - expected).abs() < 1e-7, "{link:?} at {start}: {i}");
                    }
                }
            });
        }
    }

    #[test]
    fn sure_scores_have_a_finite_loss() {
        let scores = Tensor::from_slice(&[800.0, -800.0], (2, 1), &Device::Cpu).unwrap();
        let target = Tensor::from_slice(&[1.0, 1.0], (2, 1), &Device::Cpu).unwrap();
        let total = loss(Link::Logistic, &scores, &target).unwrap().to_scalar::<f64>().unwrap();
        assert!((total - 800.0).abs() < 1e-9);
    }
}
