//! What a change costs a week, and whether retraining pays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

/// Retraining is recommended when it pays with at least this probability.
const SURE_ENOUGH: f64 = 0.8;
/// The normal deviations of an 80 % interval.
const NORMAL_80: f64 = 1.2816;

/// Dollars lost in a week, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WeeklyLoss")]
pub struct Loss {
    /// Expected dollars; negative when the model is worth more than before.
    pub dollars: f64,
    /// Their standard error.
    pub error: f64,
}

impl Loss {
    /// The ends of its 80 % interval, in dollars.
    pub fn interval(&self) -> (f64, f64) {
        let reach = NORMAL_80 * self.error;
        (self.dollars - reach, self.dollars + reach)
    }
}

/// What a retraining costs, in dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetrainingCost {
    /// Machines.
    pub compute: f64,
    /// The hours of those who do it.
    pub people: f64,
    /// Checking the candidate.
    pub validation: f64,
    /// What a bad candidate would cost, times its chance.
    pub risk: f64,
}

impl RetrainingCost {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.compute + self.people + self.validation + self.risk
    }
}

/// What a retraining is expected to bring.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RetrainingPayoff")]
pub struct Payoff {
    /// Expected dollars over the weeks looked at, costs taken off.
    pub net: f64,
    /// Probability that it is above 0, 0–1.
    pub probability: f64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "advice")]
#[schemars(rename = "RetrainingAdvice")]
pub enum Advice {
    /// Retrain: it pays with a probability of at least 80 %.
    Retrain {
        /// What it brings.
        payoff: Payoff,
    },
    /// Wait, knowing what a week of it costs.
    Wait {
        /// What retraining would bring.
        payoff: Payoff,
        /// Dollars that a week of waiting is expected to cost, at least 0.
        week: f64,
    },
}

/// Dollars lost in a week of `volume` predictions: volume × (value per prediction at the reference − value now),
/// each value as (dollars per prediction, standard error).
pub fn weekly_loss(volume: f64, at_reference: (f64, f64), now: (f64, f64)) -> Loss {
    Loss { dollars: volume * (at_reference.0 - now.0), error: volume * at_reference.1.hypot(now.1) }
}

/// Weighs a retraining that recovers the loss of each of `weeks` weeks with probability `success` (0–1) against its
/// cost: net = Σ loss · success − cost, the loss normally distributed.
pub fn advise(loss: Loss, weeks: f64, success: f64, cost: &RetrainingCost) -> Advice {
    let success = success.clamp(0.0, 1.0);
    let net = weeks * loss.dollars * success - cost.total();
    // The loss of every week is the same unknown number: its error grows with the weeks, not with their root.
    let error = weeks * loss.error * success;
    let probability = if error > 0.0 { standard_normal(net / error) } else { f64::from(u8::from(net > 0.0)) };
    let payoff = Payoff { net, probability };
    if probability >= SURE_ENOUGH {
        Advice::Retrain { payoff }
    } else {
        Advice::Wait { payoff, week: loss.dollars.max(0.0) }
    }
}

/// Probability that a standard normal number is at most `z`.
fn standard_normal(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::{Advice, RetrainingCost, advise, weekly_loss};

    const COST: RetrainingCost =
        RetrainingCost { compute: 20.0, people: 200.0, validation: 80.0, risk: 50.0 };

    #[test]
    fn a_large_sure_loss_is_worth_a_retraining() {
        let loss = weekly_loss(10_000.0, (0.5, 0.001), (0.45, 0.002));
        assert!((loss.dollars - 500.0).abs() < 1e-9);
        let Advice::Retrain { payoff } = advise(loss, 8.0, 0.7, &COST) else { panic!("it pays") };
        assert!((payoff.net - (8.0 * 500.0 * 0.7 - 350.0)).abs() < 1e-9);
        assert!(payoff.probability > 0.99);
    }

    #[test]
    fn a_loss_lies_in_its_interval_in_eight_of_ten_cases() {
        let (low, high) = weekly_loss(1.0, (10.0, 2.0), (0.0, 0.0)).interval();
        let inside = super::standard_normal((high - 10.0) / 2.0) - super::standard_normal((low - 10.0) / 2.0);
        assert!((inside - 0.8).abs() < 1e-4, "{low} to {high}");
    }

    #[test]
    fn a_small_or_unsure_loss_waits_and_says_what_a_week_costs() {
        let small = weekly_loss(100.0, (0.5, 0.0), (0.45, 0.0));
        let Advice::Wait { payoff, week } = advise(small, 8.0, 0.7, &COST) else { panic!("it does not pay") };
        assert_eq!(payoff.probability, 0.0);
        assert!((week - 5.0).abs() < 1e-9);
        let unsure = weekly_loss(10_000.0, (0.5, 0.05), (0.45, 0.05));
        assert!(matches!(advise(unsure, 8.0, 0.7, &COST), Advice::Wait { .. }));
        let gain = weekly_loss(100.0, (0.5, 0.0), (0.9, 0.0));
        assert!(matches!(advise(gain, 8.0, 1.0, &COST), Advice::Wait { week: 0.0, .. }));
    }
}
