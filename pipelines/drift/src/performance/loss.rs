//! DLE: the performance of a regression from the losses that another model predicts row by row.

use serde::{Deserialize, Serialize};

use super::measure::INTERVAL;
use super::thresholds::Thresholds;
use crate::DriftError;

/// A regression's answer and the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// What was answered.
    pub answer: f64,
    /// What is true.
    pub truth: f64,
}

impl Prediction {
    /// |truth − answer|, what the predictor of absolute losses learns.
    pub fn absolute_loss(&self) -> f64 {
        (self.truth - self.answer).abs()
    }

    /// (truth − answer)², what the predictor of squared losses learns.
    pub fn squared_loss(&self) -> f64 {
        (self.truth - self.answer).powi(2)
    }
}

/// Which loss of a regression is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean of the absolute losses, in the answer's unit.
    MeanAbsolute,
    /// Root of the mean of the squared losses, in the answer's unit.
    RootMeanSquared,
}

impl Loss {
    /// The loss of one row that the predictor learns and is asked for.
    pub fn of(self, row: &Prediction) -> f64 {
        match self {
            Self::MeanAbsolute => row.absolute_loss(),
            Self::RootMeanSquared => row.squared_loss(),
        }
    }

    /// The measure from the mean of the rows' losses.
    fn measured(self, mean: f64) -> f64 {
        match self {
            Self::MeanAbsolute => mean,
            Self::RootMeanSquared => mean.max(0.0).sqrt(),
        }
    }
}

/// An estimated or realized loss of one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossEstimate {
    /// What is estimated.
    pub loss: Loss,
    /// The loss, in the answer's unit.
    pub value: f64,
    /// Standard error from the window's size alone.
    pub sampling_error: f64,
    /// Three sampling errors below, not below 0.
    pub lower: f64,
    /// Three above.
    pub upper: f64,
    /// Where the reference's chunks lie.
    pub thresholds: Thresholds,
    /// The loss lies outside the thresholds.
    pub alert: bool,
}

/// A reference's usual loss and its scatter.
///
/// The predictor of losses is the caller's: any regression trained on the reference's inputs and answers against
/// [`Loss::of`] of its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossEstimator {
    loss: Loss,
    mean: f64,
    variance: f64,
    thresholds: Thresholds,
}

impl LossEstimator {
    /// Learns from a reference in the order of time, in chunks of `chunk_rows`.
    ///
    /// # Errors
    /// [`DriftError::Invalid`] without rows, with `chunk_rows` 0, or with a loss that is not finite.
    pub fn fit(loss: Loss, reference: &[Prediction], chunk_rows: usize) -> Result<Self, DriftError> {
        if reference.is_empty() || chunk_rows == 0 {
            return Err(DriftError::Invalid("no labelled rows, or chunks of 0 rows".to_owned()));
        }
        let losses: Vec<f64> = reference.iter().map(|row| loss.of(row)).collect();
        if !losses.iter().all(|loss| loss.is_finite()) {
            return Err(DriftError::Invalid("an answer or a truth is not a finite number".to_owned()));
        }
        let values: Vec<f64> = losses.chunks(chunk_rows).map(|chunk| loss.measured(mean(chunk))).collect();
        let mean = mean(&losses);
        let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / losses.len() as f64;
        let thresholds = Thresholds::of_chunks(&values, (0.0, f64::INFINITY))
            .ok_or_else(|| DriftError::Invalid("no chunks".to_owned()))?;
        Ok(Self { loss, mean, variance, thresholds })
    }

    /// Estimates the loss of a window from its rows' predicted losses. None without a finite one.
    pub fn estimate(&self, predicted_losses: &[f64]) -> Option<LossEstimate> {
        let usable: Vec<f64> = predicted_losses.iter().copied().filter(|loss| loss.is_finite()).collect();
        (!usable.is_empty()).then(|| self.judge(self.loss.measured(mean(&usable)), usable.len()))
    }

    /// Measures the loss of rows whose truth has come. None without rows.
    pub fn realized(&self, rows: &[Prediction]) -> Option<LossEstimate> {
        let losses: Vec<f64> = rows.iter().map(|row| self.loss.of(row)).collect();
        (!losses.is_empty()).then(|| self.judge(self.loss.measured(mean(&losses)), losses.len()))
    }

    /// Standard error of the loss of so many rows of the reference, in the answer's unit.
    pub fn sampling_error_of(&self, rows: u64) -> f64 {
        let of_mean = (self.variance / rows.max(1) as f64).sqrt();
        match self.loss {
            Loss::MeanAbsolute => of_mean,
            // The error of a root by the delta method.
            Loss::RootMeanSquared if self.mean > 0.0 => of_mean / (2.0 * self.mean.sqrt()),
            Loss::RootMeanSquared => 0.0,
        }
    }

    fn judge(&self, value: f64, rows: usize) -> LossEstimate {
        let sampling_error = self.sampling_error_of(rows as u64);
        LossEstimate {
            loss: self.loss,
            value,
            sampling_error,
            lower: (value - INTERVAL * sampling_error).max(0.0),
            upper: value + INTERVAL * sampling_error,
            thresholds: self.thresholds,
            alert: self.thresholds.excludes(value),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{Loss, LossEstimator, Prediction};

    fn rows(error: f64) -> Vec<Prediction> {
        (0..100)
            .map(|i| Prediction { answer: f64::from(i), truth: f64::from(i) + error * f64::from(i % 3) })
            .collect()
    }

    #[test]
    fn larger_losses_are_an_alert_and_the_usual_are_not() {
        for loss in [Loss::MeanAbsolute, Loss::RootMeanSquared] {
            let estimator = LossEstimator::fit(loss, &rows(2.0), 20).unwrap();
            assert!(!estimator.realized(&rows(2.0)).unwrap().alert);
            let worse: Vec<f64> = rows(3.0).iter().map(|row| loss.of(row)).collect();
            let estimate = estimator.estimate(&worse).unwrap();
            assert!(estimate.alert && estimate.sampling_error > 0.0, "{estimate:?}");
        }
    }

    #[test]
    fn nothing_is_not_estimated() {
        let estimator = LossEstimator::fit(Loss::MeanAbsolute, &rows(1.0), 10).unwrap();
        assert!(estimator.estimate(&[]).is_none() && estimator.estimate(&[f64::NAN]).is_none());
        assert!(estimator.realized(&[]).is_none());
        assert!(LossEstimator::fit(Loss::MeanAbsolute, &[], 10).is_err());
        let exact = LossEstimator::fit(Loss::RootMeanSquared, &rows(0.0), 10).unwrap();
        assert_eq!(exact.estimate(&[0.0]).unwrap().sampling_error, 0.0);
    }
}
