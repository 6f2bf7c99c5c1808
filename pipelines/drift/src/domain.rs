//! The domain classifier: can a model tell reference rows from current ones? If no better than by chance (area
//! under the curve 0.5), nothing that it can see has changed.

use crate::{NotApplicable, NumberPair, random::Random};

/// Rows of a side used at most, half to learn and half to judge.
pub(crate) const MOST_ROWS: usize = 5_000;
/// Rows of a side needed.
const NEEDED: usize = 10;
const EPOCHS: usize = 10;
/// AdaGrad's step (Duchi, Hazan & Singer 2011).
const STEP: f64 = 0.3;
/// Strength of the pull towards 0.
const PENALTY: f64 = 1e-4;

/// How well held-out rows were told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DomainResult {
    /// Area under the curve on held-out rows: 0.5 is chance, 1 is certainty.
    pub auc: f64,
    /// One-sided Mann–Whitney p-value that the area is no more than 0.5.
    pub p_value: f64,
}

/// Features of one row: positions and values.
pub(crate) type Features = Vec<(u32, f32)>;

/// Trains a logistic regression on half of the rows and measures it on the other half. `features(side, row)` gives
/// the features of a row (side 0 is the reference) at positions below `width`; `rows` counts both sides.
pub(crate) fn classify(
    rows: [usize; 2],
    width: usize,
    seed: u64,
    features: impl Fn(usize, usize) -> Features,
) -> Result<DomainResult, NotApplicable> {
    if rows[0] == 0 {
        return Err(NotApplicable::EmptyReference);
    }
    if rows[1] == 0 {
        return Err(NotApplicable::EmptyCurrent);
    }
    if rows[0].min(rows[1]) < NEEDED {
        return Err(NotApplicable::TooFewRows(NEEDED));
    }
    let mut random = Random::new(seed);
    let (mut learn, mut judge) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (side, count) in rows.into_iter().enumerate() {
        let chosen = choose(count, &mut random);
        let (first, second) = chosen.split_at(chosen.len() / 2);
        learn.extend(first.iter().map(|row| (side, features(side, *row))));
        judge[side].extend(second.iter().map(|row| features(side, *row)));
    }
    let model = Logistic::learn(&mut learn, width, &mut random);
    let scores = judge.map(|rows| rows.iter().map(|row| model.score(row)).collect::<Vec<f64>>());
    let ranks = NumberPair::of(&scores[0], &scores[1]).mann_whitney()?;
    let pairs = scores[0].len() as f64 * scores[1].len() as f64;
    Ok(DomainResult { auc: (1.0 - ranks.u / pairs).clamp(0.0, 1.0), p_value: ranks.less_p })
}

/// At most [`MOST_ROWS`] of `count` rows in random order.
fn choose(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let kept = count.min(MOST_ROWS);
    for position in 0..kept {
        let other = position + random.below(count - position);
        order.swap(position, other);
    }
    order.truncate(kept);
    order
}

struct Logistic {
    weights: Vec<f64>,
    bias: f64,
}

impl Logistic {
    /// Stochastic gradient descent; both sides weigh the same whatever their sizes.
    fn learn(rows: &mut [(usize, Features)], width: usize, random: &mut Random) -> Self {
        let current = rows.iter().filter(|(side, _)| *side == 1).count() as f64;
        let weight_of = [rows.len() as f64 - current, current].map(|count| rows.len() as f64 / (2.0 * count));
        let mut model = Self { weights: vec![0.0; width], bias: 0.0 };
        let mut squares = vec![1e-8; width + 1];
        for _ in 0..EPOCHS {
            for position in (1..rows.len()).rev() {
                rows.swap(position, random.below(position + 1));
            }
            for (side, row) in rows.iter() {
                let chance = 1.0 / (1.0 + (-model.score(row)).exp());
                let slope = (chance - *side as f64) * weight_of[*side];
                squares[width] += slope * slope;
                model.bias -= STEP * slope / squares[width].sqrt();
                for (feature, value) in row {
                    let feature = *feature as usize;
                    let slope = slope * f64::from(*value) + PENALTY * model.weights[feature];
                    squares[feature] += slope * slope;
                    model.weights[feature] -= STEP * slope / squares[feature].sqrt();
                }
            }
        }
        model
    }

    fn score(&self, row: &Features) -> f64 {
        let sum: f64 =
            row.iter().map(|(feature, value)| self.weights[*feature as usize] * f64::from(*value)).sum();
        sum + self.bias
    }
}
