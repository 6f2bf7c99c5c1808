//! `SVMClassifier` and `SVMRegressor`: sums of similarities to support vectors.

mod coupling;

use super::dot::{distance_squared, dot};
use crate::array::Array;
use crate::attributes::Attributes;
use crate::classes::Classes;
use crate::transform::{Transform, logistic};
use crate::{ModelError, TensorData};

/// How alike two rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Similarity {
    /// x·v
    Linear,
    /// (γ x·v + c)^d
    Polynomial { gamma: f64, offset: f64, degree: f64 },
    /// e^(−γ |x − v|²)
    Radial { gamma: f64 },
    /// tanh(γ x·v + c)
    Sigmoid { gamma: f64, offset: f64 },
}

impl Similarity {
    fn read(node: Attributes<'_>) -> Result<Similarity, ModelError> {
        let [gamma, offset, degree] = match *node.floats("kernel_params") {
            [] => [0.0; 3],
            [gamma, offset, degree] => [gamma, offset, degree].map(f64::from),
            _ => return Err(node.invalid("`kernel_params` has not three entries")),
        };
        match node.text("kernel_type")?.unwrap_or("LINEAR") {
            "LINEAR" => Ok(Similarity::Linear),
            "POLY" => Ok(Similarity::Polynomial { gamma, offset, degree }),
            "RBF" => Ok(Similarity::Radial { gamma }),
            "SIGMOID" => Ok(Similarity::Sigmoid { gamma, offset }),
            other => Err(ModelError::Unsupported(format!("{}: kernel `{other}`", node.title()))),
        }
    }

    fn between(self, row: &[f32], vector: &[f32]) -> f32 {
        let value = match self {
            Similarity::Linear => dot(row, vector),
            Similarity::Polynomial { gamma, offset, degree } => {
                (gamma * dot(row, vector) + offset).powf(degree)
            }
            Similarity::Radial { gamma } => (-gamma * distance_squared(row, vector)).exp(),
            Similarity::Sigmoid { gamma, offset } => (gamma * dot(row, vector) + offset).tanh(),
        };
        value as f32
    }
}

/// Vectors `[vectors, columns]` with what compares them to rows.
#[derive(Debug)]
struct Vectors {
    similarity: Similarity,
    values: Vec<f32>,
    columns: usize,
}

impl Vectors {
    fn new(
        node: Attributes<'_>,
        similarity: Similarity,
        values: &[f32],
        count: usize,
    ) -> Result<Vectors, ModelError> {
        if count == 0 || values.is_empty() || !values.len().is_multiple_of(count) {
            return Err(node.invalid(&format!("{} numbers do not make {count} vectors", values.len())));
        }
        Ok(Vectors { similarity, values: values.to_vec(), columns: values.len() / count })
    }

    /// The rows of `input` as a table of as many columns as the vectors have.
    fn rows(&self, input: &Array<'_>) -> Result<usize, ModelError> {
        let (rows, columns) = input.table(self.columns)?;
        if columns == self.columns {
            return Ok(rows);
        }
        let expected = self.columns;
        Err(ModelError::Input(format!("{expected} columns are expected, {columns} were given")))
    }

    fn similarities(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        self.values.chunks_exact(self.columns).map(|vector| self.similarity.between(row, vector))
    }
}

/// A number from similarities: Σ wᵢ·k(x, vᵢ) + ρ.
#[derive(Debug)]
pub(crate) struct VectorRegressor {
    vectors: Vectors,
    /// One weight per vector.
    weights: Vec<f32>,
    intercept: f32,
    /// Whether only the sign counts: 1 inside the class, -1 outside.
    one_class: bool,
}

impl VectorRegressor {
    pub(super) fn read(node: Attributes<'_>) -> Result<VectorRegressor, ModelError> {
        let coefficients = node.floats("coefficients");
        let Some(&intercept) = node.floats("rho").first() else {
            return Err(node.invalid("`rho` is missing"));
        };
        let supports = node.int("n_supports").unwrap_or(0);
        let supports =
            usize::try_from(supports).map_err(|_| node.invalid(&format!("`n_supports` is {supports}")))?;
        // Without support vectors the coefficients are the only one, compared by the product.
        let (vectors, weights) = if supports == 0 {
            (Vectors::new(node, Similarity::Linear, coefficients, 1)?, vec![1.0])
        } else {
            let values = node.floats("support_vectors");
            (Vectors::new(node, Similarity::read(node)?, values, supports)?, coefficients.to_vec())
        };
        if supports > 0 && weights.len() != supports {
            return Err(node.invalid(&format!("{} coefficients for {supports} vectors", weights.len())));
        }
        let one_class = node.int("one_class").unwrap_or(0) != 0;
        Ok(VectorRegressor { vectors, weights, intercept, one_class })
    }

    pub(super) fn columns(&self) -> usize {
        self.vectors.columns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.vectors.values.len() + self.weights.len()) * size_of::<f32>()
    }

    /// Values `[rows, 1]`.
    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<Array<'static>, ModelError> {
        let rows = self.vectors.rows(input)?;
        let mut values = Vec::with_capacity(rows);
        for row in input.floats()?.chunks_exact(self.vectors.columns) {
            let terms = self.vectors.similarities(row).zip(&self.weights);
            let sum: f64 = terms.map(|(similarity, weight)| f64::from(similarity) * f64::from(*weight)).sum();
            let value = (sum + f64::from(self.intercept)) as f32;
            values.push(match self.one_class {
                true if value > 0.0 => 1.0,
                true => -1.0,
                false => value,
            });
        }
        Ok(Array::new(&[rows, 1], TensorData::F32(values)))
    }
}

/// What decides between the classes.
#[derive(Debug)]
enum Decision {
    /// A linear score per class; the coefficients are the vectors, one per class.
    PerClass { intercept: f32, weights_are_positive: bool },
    /// A score per pair of classes, which vote.
    Pairs(Pairs),
}

/// A decision for each pair of classes i < j, in the order (0, 1), (0, 2), …, (1, 2), ….
#[derive(Debug)]
struct Pairs {
    /// Weights `[classes - 1, vectors]`: of a vector of class i for the pair (i, j) in line j - 1, of one of
    /// class j in line i.
    coefficients: Vec<f32>,
    /// First vector of each class, and their number at the end.
    starts: Vec<usize>,
    intercepts: Vec<f32>,
    /// A and B of Platt's probability 1 / (1 + e^(A s + B)) of each pair; empty when there are none.
    platt: Vec<(f32, f32)>,
}

/// Classes from similarities.
#[derive(Debug)]
pub(crate) struct VectorClassifier {
    vectors: Vectors,
    decision: Decision,
    transform: Transform,
    classes: Classes,
}

impl VectorClassifier {
    pub(super) fn read(node: Attributes<'_>) -> Result<VectorClassifier, ModelError> {
        let classes = Classes::read(node, "classlabels_ints", "classlabels_strings")?;
        let transform = Transform::read(node)?;
        let per_class = node.ints("vectors_per_class");
        let (vectors, decision) = if per_class.iter().all(|count| *count == 0) {
            let coefficients = node.floats("coefficients");
            let Some(&intercept) = node.floats("rho").first() else {
                return Err(node.invalid("`rho` is missing"));
            };
            let weights_are_positive = coefficients.iter().all(|weight| *weight >= 0.0);
            let vectors = Vectors::new(node, Similarity::Linear, coefficients, classes.len())?;
            (vectors, Decision::PerClass { intercept, weights_are_positive })
        } else {
            let pairs = Pairs::read(node, per_class, classes.len())?;
            let count = pairs.starts.last().copied().unwrap_or(0);
            let values = node.floats("support_vectors");
            (Vectors::new(node, Similarity::read(node)?, values, count)?, Decision::Pairs(pairs))
        };
        Ok(VectorClassifier { vectors, decision, transform, classes })
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    pub(super) fn columns(&self) -> usize {
        self.vectors.columns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let pairs = match &self.decision {
            Decision::PerClass { .. } => 0,
            Decision::Pairs(pairs) => pairs.coefficients.len() + 3 * pairs.intercepts.len(),
        };
        (self.vectors.values.len() + pairs) * size_of::<f32>()
    }

    /// Columns of the scores: one per class, or one per pair where no probabilities were learned (two of two
    /// classes).
    pub(crate) fn scores(&self) -> usize {
        let classes = self.classes.len();
        match &self.decision {
            Decision::Pairs(pairs) if pairs.platt.is_empty() && classes > 2 => classes * (classes - 1) / 2,
            _ => classes,
        }
    }

    /// Labels `[rows]` and scores `[rows, columns]`.
    pub(super) fn evaluate(&self, input: &Array<'_>) -> Result<[Array<'static>; 2], ModelError> {
        let rows = self.vectors.rows(input)?;
        let mut labels = Vec::with_capacity(rows);
        let mut scores = Vec::with_capacity(rows * self.scores());
        let mut similarities = Vec::new();
        for row in input.floats()?.chunks_exact(self.vectors.columns) {
            similarities.clear();
            similarities.extend(self.vectors.similarities(row));
            labels.push(match &self.decision {
                Decision::PerClass { intercept, weights_are_positive } => {
                    for score in &mut similarities {
                        *score += intercept;
                    }
                    let label = per_class_label(&similarities, *weights_are_positive);
                    self.transform.apply(&mut similarities);
                    scores.extend_from_slice(&similarities);
                    label
                }
                Decision::Pairs(pairs) => pairs.decide(&similarities, self.transform, &mut scores),
            });
        }
        let labels = Array::new(&[rows], self.classes.labels(&labels));
        let scores = Array::new(&[rows, self.scores()], TensorData::F32(scores));
        Ok([labels, scores])
    }
}

/// The class of the highest score; of two classes the second where the score exceeds its threshold, as
/// onnxruntime decides.
fn per_class_label(scores: &[f32], weights_are_positive: bool) -> usize {
    let best = highest(scores);
    let exceeds = if weights_are_positive { scores[best] >= 0.5 } else { scores[best] > 0.0 };
    if scores.len() == 2 && exceeds { 1 } else { best }
}

fn highest<T: PartialOrd>(scores: &[T]) -> usize {
    (1..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best })
}

impl Pairs {
    fn read(node: Attributes<'_>, per_class: &[i64], classes: usize) -> Result<Pairs, ModelError> {
        if per_class.len() != classes || classes < 2 {
            return Err(node.invalid(&format!("vectors of {} classes for {classes}", per_class.len())));
        }
        let mut starts = vec![0_usize];
        for &count in per_class {
            let end =
                usize::try_from(count).ok().and_then(|count| count.checked_add(starts[starts.len() - 1]));
            starts.push(end.ok_or_else(|| node.invalid("`vectors_per_class` is out of range"))?);
        }
        let vectors = starts[classes];
        let coefficients = node.floats("coefficients").to_vec();
        if (classes - 1).checked_mul(vectors) != Some(coefficients.len()) {
            let count = coefficients.len();
            return Err(
                node.invalid(&format!("{count} coefficients for {vectors} vectors of {classes} classes"))
            );
        }
        let pairs = classes * (classes - 1) / 2;
        let intercepts = node.floats("rho").to_vec();
        let (slopes, offsets) = (node.floats("prob_a"), node.floats("prob_b"));
        let fits = |values: &[f32]| values.is_empty() || values.len() == pairs;
        if intercepts.len() != pairs || slopes.len() != offsets.len() || !fits(slopes) {
            return Err(
                node.invalid(&format!("`rho`, `prob_a` or `prob_b` has not one entry for {pairs} pairs"))
            );
        }
        let platt = slopes.iter().copied().zip(offsets.iter().copied()).collect();
        Ok(Pairs { coefficients, starts, intercepts, platt })
    }

    /// Appends the scores of a row and returns the class with the most votes.
    fn decide(&self, similarities: &[f32], transform: Transform, scores: &mut Vec<f32>) -> usize {
        let classes = self.starts.len() - 1;
        let mut votes = vec![0_u32; classes];
        let mut decisions = Vec::with_capacity(self.intercepts.len());
        for first in 0..classes {
            for second in first + 1..classes {
                let sum =
                    self.weigh(similarities, second - 1, first) + self.weigh(similarities, first, second);
                let sum = sum + f64::from(self.intercepts[decisions.len()]);
                votes[if sum > 0.0 { first } else { second }] += 1;
                decisions.push(sum as f32);
            }
        }
        if !self.platt.is_empty() {
            let mut probabilities = coupling::probabilities(classes, &self.of_pairs(&decisions));
            transform.apply(&mut probabilities);
            scores.append(&mut probabilities);
        } else if let [decision] = *decisions {
            scores.extend(match transform {
                Transform::None => [-decision, decision],
                // onnxruntime transforms the single score of a pair by nothing else (and leaves the second
                // unset for the probit; here both are transformed).
                Transform::Probit => transform.pair(decision, crate::transform::Second::Opposite),
                _ => [1.0 - decision, decision],
            });
        } else {
            transform.apply(&mut decisions);
            scores.append(&mut decisions);
        }
        highest(&votes)
    }

    /// Similarities to the vectors of `class` by the weights in `line`.
    fn weigh(&self, similarities: &[f32], line: usize, class: usize) -> f64 {
        let range = self.starts[class]..self.starts[class + 1];
        let weights = &self.coefficients[line * similarities.len()..(line + 1) * similarities.len()];
        dot(&weights[range.clone()], &similarities[range])
    }

    /// Probability of the first class of each pair, away from 0 and 1 (J. Platt, "Probabilistic outputs for
    /// support vector machines", 1999; bounds as in LIBSVM).
    fn of_pairs(&self, decisions: &[f32]) -> Vec<f32> {
        let pairs = decisions.iter().zip(&self.platt);
        pairs.map(|(decision, (a, b))| (1.0 - logistic(decision * a + b)).clamp(1e-7, 1.0 - 1e-7)).collect()
    }
}
