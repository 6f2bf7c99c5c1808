//! L-BFGS: minimises a smooth function from its values and gradients.

use std::ops::ControlFlow;

use crate::TrainError;

/// Pairs of steps and gradient changes that the curvature is estimated from.
const MEMORY: usize = 10;
/// Halvings of a step after which the function is taken as flat to rounding.
const MAX_HALVINGS: usize = 40;

/// When to stop.
pub(super) struct Limits {
    pub(super) max_iterations: usize,
    /// Largest component of the gradient at the minimum.
    pub(super) tolerance: f64,
}

/// Where the descent ended.
pub(super) struct Minimum {
    pub(super) point: Vec<f64>,
    pub(super) iterations: usize,
}

/// The function: its value and gradient at a point.
pub(super) type Objective<'a> = dyn FnMut(&[f64]) -> Result<(f64, Vec<f64>), TrainError> + 'a;
/// Told after every iteration its number and the function's value.
pub(super) type Watch<'a> = dyn FnMut(usize, f64) -> ControlFlow<()> + 'a;

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// Minimises `objective` from `start` (Nocedal and Wright, "Numerical Optimization", 2nd edition, algorithms 7.4
/// and 3.1: two-loop recursion, backtracking until the Armijo condition holds; pairs without positive curvature
/// are dropped).
pub(super) fn minimise(
    objective: &mut Objective<'_>,
    start: Vec<f64>,
    limits: &Limits,
    watch: &mut Watch<'_>,
) -> Result<Minimum, TrainError> {
    let mut point = start;
    let (mut value, mut gradient) = objective(&point)?;
    let mut pairs: Vec<Pair> = Vec::new();
    for iteration in 0..limits.max_iterations {
        if largest(&gradient) <= limits.tolerance {
            return Ok(Minimum { point, iterations: iteration });
        }
        let mut direction = direction(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|component| -component).collect();
            slope = -dot(&gradient, &gradient);
        }
        let length = if pairs.is_empty() { (1.0 / largest(&gradient)).min(1.0) } else { 1.0 };
        let Some((next, next_value, next_gradient)) =
            line_search(objective, &point, value, &direction, slope, length)?
        else {
            return Ok(Minimum { point, iterations: iteration });
        };
        let step = difference(&next, &point);
        let change = difference(&next_gradient, &gradient);
        let curvature = dot(&step, &change);
        if curvature > 1e-14 * dot(&change, &change) {
            if pairs.len() == MEMORY {
                pairs.remove(0);
            }
            pairs.push(Pair { step, change, curvature });
        }
        (point, value, gradient) = (next, next_value, next_gradient);
        if watch(iteration + 1, value).is_break() {
            return Err(TrainError::Cancelled);
        }
    }
    Ok(Minimum { point, iterations: limits.max_iterations })
}

type Step = (Vec<f64>, f64, Vec<f64>);

fn line_search(
    objective: &mut Objective<'_>,
    point: &[f64],
    value: f64,
    direction: &[f64],
    slope: f64,
    mut length: f64,
) -> Result<Option<Step>, TrainError> {
    for _ in 0..MAX_HALVINGS {
        let next: Vec<f64> = point.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let (next_value, gradient) = objective(&next)?;
        if next_value <= value + 1e-4 * length * slope {
            return Ok(Some((next, next_value, gradient)));
        }
        // Near the minimum values differ by less than rounding; then the slope has to tell.
        let flat = (next_value - value).abs() <= 1e-13 * value.abs().max(1e-300);
        if flat && dot(direction, &gradient).abs() < 0.9 * slope.abs() {
            return Ok(Some((next, next_value, gradient)));
        }
        length *= 0.5;
    }
    Ok(None)
}

fn direction(gradient: &[f64], pairs: &[Pair]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|component| -component).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.last() {
        let scale = last.curvature / dot(&last.change, &last.change);
        for component in &mut direction {
            *component *= scale;
        }
    }
    for (pair, share) in pairs.iter().zip(shares.iter().rev()) {
        let correction = share - dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, correction, &pair.step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(vector: &mut [f64], factor: f64, other: &[f64]) {
    for (component, other) in vector.iter_mut().zip(other) {
        *component += factor * other;
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |largest, component| component.abs().max(largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { max_iterations: 500, tolerance: 1e-9 }
    }

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let mut valley = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            Ok((a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b]))
        };
        let minimum =
            minimise(&mut valley, vec![-1.2, 1.0], &limits(), &mut |_, _| ControlFlow::Continue(()));
        let point = minimum.unwrap().point;
        assert!((point[0] - 1.0).abs() < 1e-7 && (point[1] - 1.0).abs() < 1e-7, "{point:?}");
    }

    #[test]
    fn badly_scaled_bowls_are_no_obstacle() {
        let mut bowl = |x: &[f64]| {
            let scale = |i: usize| 10_f64.powi(i as i32 % 5);
            let value = x.iter().enumerate().map(|(i, x)| scale(i) * (x - 3.0).powi(2)).sum();
            Ok((value, x.iter().enumerate().map(|(i, x)| 2.0 * scale(i) * (x - 3.0)).collect()))
        };
        let minimum =
            minimise(&mut bowl, vec![0.0; 12], &limits(), &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert!(minimum.point.iter().all(|x| (x - 3.0).abs() < 1e-8), "{:?}", minimum.point);
        assert!(minimum.iterations < 100);
    }

    #[test]
    fn the_watch_can_stop_it() {
        let mut bowl = |x: &[f64]| Ok((x[0] * x[0], vec![2.0 * x[0]]));
        let stopped = minimise(&mut bowl, vec![9.0], &limits(), &mut |_, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(TrainError::Cancelled)));
    }
}
