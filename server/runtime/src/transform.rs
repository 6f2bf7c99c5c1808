//! The `post_transform` of `ai.onnx.ml` operators.

use crate::ModelError;
use crate::attributes::Attributes;

/// What is done to the scores of a row before they are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

/// How the scores of two classes follow from a single one, that of the second class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    /// The score is a probability: the first class has the rest.
    Complement,
    /// The score is a margin around zero: the first class has its opposite.
    Opposite,
}

impl Transform {
    /// Reads `post_transform`.
    pub(crate) fn read(node: Attributes<'_>) -> Result<Transform, ModelError> {
        match node.text("post_transform")?.unwrap_or("NONE") {
            "NONE" => Ok(Transform::None),
            "LOGISTIC" => Ok(Transform::Logistic),
            "SOFTMAX" => Ok(Transform::Softmax),
            "SOFTMAX_ZERO" => Ok(Transform::SoftmaxZero),
            "PROBIT" => Ok(Transform::Probit),
            other => Err(ModelError::Unsupported(format!("{}: post transform `{other}`", node.title()))),
        }
    }

    /// Reads `post_transform` where it is a number, as `TreeEnsemble` has it.
    pub(crate) fn numbered(node: Attributes<'_>) -> Result<Transform, ModelError> {
        match node.int("post_transform").unwrap_or(0) {
            0 => Ok(Transform::None),
            1 => Ok(Transform::Softmax),
            2 => Ok(Transform::Logistic),
            3 => Ok(Transform::SoftmaxZero),
            4 => Ok(Transform::Probit),
            other => Err(ModelError::Unsupported(format!("{}: post transform {other}", node.title()))),
        }
    }

    /// Transforms the scores of a row.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Transform::None => {}
            Transform::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Transform::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Transform::Softmax => softmax(scores),
            Transform::SoftmaxZero => softmax_zero(scores),
        }
    }

    /// Makes the scores of two classes from one, as onnxruntime does. (For the probit it leaves the second
    /// unset; here both are transformed.)
    pub(crate) fn pair(self, score: f32, second: Second) -> [f32; 2] {
        match (self, second) {
            (Transform::Probit, _) => [-probit(score), probit(score)],
            (Transform::Logistic, _) => [logistic(-score), logistic(score)],
            (_, Second::Complement) => [1.0 - score, score],
            (_, Second::Opposite) => [-score, score],
        }
    }
}

/// 1 / (1 + e^-x), computed on the side where the exponential cannot overflow.
pub(crate) fn logistic(score: f32) -> f32 {
    let upper = 1.0 / (1.0 + (-score.abs()).exp());
    if score < 0.0 { 1.0 - upper } else { upper }
}

/// e^x / Σ e^x over the row, shifted by the highest score.
pub(crate) fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

/// Softmax over the scores that are not zero.
fn softmax_zero(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let scale = (-highest).exp();
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        if score.abs() > 1e-7 {
            *score = (*score - highest).exp();
            sum += *score;
        } else {
            *score *= scale;
        }
    }
    for score in scores {
        *score /= sum;
    }
}

/// √2 · erf⁻¹(2p − 1), with the approximation of the inverse error function that onnxruntime uses
/// (S. Winitzki, "A handy approximation for the error function and its inverse", 2008, a = 0.147).
fn probit(probability: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * probability - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let inverse = sign * (-half + (half * half - 1.0 / A * log).sqrt()).sqrt();
    std::f32::consts::SQRT_2 * inverse
}
