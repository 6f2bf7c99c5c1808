//! Probabilities of classes from those of pairs of classes.

/// Most rounds before the estimate is taken as it is.
const MAX_ROUNDS: usize = 100;

/// Probabilities p of `classes` classes from the probability of the first class of each pair, in the order
/// (0, 1), (0, 2), …, (1, 2), ….
///
/// With r_ij the probability of class i against j, p minimises Σ_i Σ_{j≠i} (r_ji p_i − r_ij p_j)², that is
/// pᵀQp under Σp = 1 with Q_ii = Σ_{j≠i} r_ji² and Q_ij = −r_ji r_ij. Solved class by class until
/// max_i |(Qp)_i − pᵀQp| is below 0.005 / classes (T.-F. Wu, C.-J. Lin, R. Weng, "Probability estimates for
/// multi-class classification by pairwise coupling", JMLR 5, 2004, algorithm 2). In single precision, as the
/// round that the rule stops at depends on it.
pub(super) fn probabilities(classes: usize, of_pairs: &[f32]) -> Vec<f32> {
    let q = objective(classes, of_pairs);
    let line = |class: usize| &q[class * classes..(class + 1) * classes];
    let enough = 0.005 / classes as f32;
    let mut p = vec![1.0 / classes as f32; classes];
    for _ in 0..MAX_ROUNDS {
        let mut slopes: Vec<f32> =
            (0..classes).map(|class| line(class).iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut value: f32 = p.iter().zip(&slopes).map(|(p, slope)| p * slope).sum();
        let error = slopes.iter().map(|slope| (slope - value).abs()).fold(0.0, f32::max);
        if error < enough {
            break;
        }
        for class in 0..classes {
            let own = line(class)[class];
            let step = (value - slopes[class]) / own;
            // Adding the step to one class and dividing all by the new sum keeps the sum at 1.
            let sum = 1.0 + step;
            value = (value + step * (step * own + 2.0 * slopes[class])) / sum / sum;
            p[class] += step;
            for (other, weight) in line(class).iter().enumerate() {
                slopes[other] = (slopes[other] + step * weight) / sum;
                p[other] /= sum;
            }
        }
    }
    p
}

/// The matrix Q, row by row.
fn objective(classes: usize, of_pairs: &[f32]) -> Vec<f32> {
    let mut against = vec![0.0_f32; classes * classes];
    let mut pairs = of_pairs.iter();
    for first in 0..classes {
        for second in first + 1..classes {
            let probability = pairs.next().copied().unwrap_or(0.5);
            against[first * classes + second] = probability;
            against[second * classes + first] = 1.0 - probability;
        }
    }
    let mut q = vec![0.0; classes * classes];
    for class in 0..classes {
        for other in (0..classes).filter(|other| *other != class) {
            let lost = against[other * classes + class];
            q[class * classes + class] += lost * lost;
            q[class * classes + other] = -lost * against[class * classes + other];
        }
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_agree_give_the_probabilities_they_come_from() {
        let truth = [0.5_f32, 0.3, 0.15, 0.05];
        let mut of_pairs = Vec::new();
        for first in 0..4 {
            for second in first + 1..4 {
                of_pairs.push(truth[first] / (truth[first] + truth[second]));
            }
        }
        let found = probabilities(4, &of_pairs);
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        for (found, truth) in found.iter().zip(truth) {
            assert!((found - truth).abs() < 0.01, "{found} {truth}");
        }
    }

    #[test]
    fn of_two_classes_the_pair_decides() {
        let found = probabilities(2, &[0.8]);
        assert!((found[0] - 0.8).abs() < 1e-3 && (found[1] - 0.2).abs() < 1e-3, "{found:?}");
    }
}
