//! Logistic regression with an L2 penalty: one output for two classes, one per class for more.

use candle_core::{Device, Tensor};

use super::linear::{LinearModel, fit_link};
use super::{Link, Report, TrainingData};
use crate::TrainError;
use crate::spec::Linear;
use crate::target::Target;

/// Fits the classes by maximum likelihood minus `l2/2 · ‖w‖²`.
pub(super) fn fit(
    settings: &Linear,
    data: &TrainingData<'_>,
    report: &mut Report<'_>,
) -> Result<LinearModel, TrainError> {
    let Target::Classes(classes, codes) = data.target else {
        return Err(TrainError::invalid("the learner `logistic` predicts classes"));
    };
    let link = Link::of(data.target);
    let outputs = if link == Link::Logistic { 1 } else { classes.len() };
    let mut target = vec![0.0; data.rows * outputs];
    for (row, &code) in codes.iter().enumerate() {
        if outputs == 1 {
            target[row] = f64::from(code);
        } else {
            target[row * outputs + code as usize] = 1.0;
        }
    }
    let target = Tensor::from_vec(target, (data.rows, outputs), &Device::Cpu)?;
    fit_link(link, settings, data, &target, report)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::features::{Encoded, Feature, FeatureKind};
    use crate::learners::linear::FeatureWeights;
    use crate::learners::sigmoid;
    use crate::random::Random;
    use crate::target::Classes;

    #[test]
    fn two_classes_match_iteratively_reweighted_least_squares() {
        let mut random = Random::new(5, 0);
        let rows = 500;
        let x: Vec<f32> = (0..rows).map(|_| random.below(1000) as f32 / 100.0).collect();
        let codes: Vec<u32> = x
            .iter()
            .map(|&x| u32::from((random.below(10_000) as f64) < 10_000.0 * sigmoid(f64::from(x) - 6.0)))
            .collect();
        let features = [Feature { name: "x".into(), kind: FeatureKind::Number }];
        let columns = [Encoded::Number(x.clone())];
        let target = Target::Classes(Classes::Numbers(vec![0, 1]), codes.clone());
        let data = TrainingData { features: &features, columns: &columns, target: &target, rows };
        let settings = Linear { l2: 1.5, tolerance: 1e-9, ..Linear::default() };
        let model = fit(&settings, &data, &mut |_, _, _| ControlFlow::Continue(())).unwrap();
        let FeatureWeights::Number { center, scale, weights } = &model.weights[0] else {
            panic!("no number")
        };

        // Newton's steps for (weight, intercept) on the standardised column.
        let (mut w, mut b) = (0.0, 0.0);
        for _ in 0..50 {
            let (mut gw, mut gb, mut hww, mut hwb, mut hbb) = (1.5 * w, 0.0, 1.5, 0.0, 0.0);
            for (value, code) in x.iter().zip(&codes) {
                let z = (f64::from(*value) - f64::from(*center)) * f64::from(*scale);
                let p = sigmoid(w * z + b);
                let error = p - f64::from(*code);
                gw += error * z;
                gb += error;
                let curvature = p * (1.0 - p);
                hww += curvature * z * z;
                hwb += curvature * z;
                hbb += curvature;
            }
            let determinant = hww * hbb - hwb * hwb;
            w -= (gw * hbb - gb * hwb) / determinant;
            b -= (gb * hww - gw * hwb) / determinant;
        }
        assert!((weights[0] - w).abs() < 1e-5, "{} {w}", weights[0]);
        assert!((model.intercept[0] - b).abs() < 1e-5, "{} {b}", model.intercept[0]);
    }

    #[test]
    fn many_classes_are_told_apart() {
        let rows = 300;
        let x: Vec<f32> = (0..rows).map(|row| (row % 100) as f32 / 10.0).collect();
        let codes: Vec<u32> = x.iter().map(|x| (x / 3.4) as u32).collect();
        let features = [Feature { name: "x".into(), kind: FeatureKind::Number }];
        let columns = [Encoded::Number(x)];
        let target = Target::Classes(Classes::Numbers(vec![0, 1, 2]), codes.clone());
        let data = TrainingData { features: &features, columns: &columns, target: &target, rows };
        let settings = Linear { l2: 1e-3, ..Linear::default() };
        let model = fit(&settings, &data, &mut |_, _, _| ControlFlow::Continue(())).unwrap();
        let scores = model.scores(&columns, rows);
        let right = scores
            .chunks_exact(3)
            .zip(&codes)
            .filter(|(scores, code)| (0..3).all(|class| scores[class] <= scores[**code as usize]));
        assert!(right.count() > 290);
    }

    #[test]
    fn it_can_be_cancelled() {
        let features = [Feature { name: "x".into(), kind: FeatureKind::Number }];
        let columns = [Encoded::Number(vec![0.0, 1.0, 2.0, 3.0])];
        let target = Target::Classes(Classes::Numbers(vec![0, 1]), vec![0, 1, 0, 1]);
        let data = TrainingData { features: &features, columns: &columns, target: &target, rows: 4 };
        let stopped = fit(&Linear::default(), &data, &mut |_, _, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(TrainError::Cancelled)));
    }
}
