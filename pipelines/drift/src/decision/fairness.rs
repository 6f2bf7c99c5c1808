//! Whether groups of people are treated alike: selection rates and error rates per group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

use crate::{benjamini_hochberg, performance::Confusion};

/// Standard deviations of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Parameters of [`fairness`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FairnessPolicy {
    /// Smallest ratio of selection rates that is fair: the four-fifths rule.
    pub min_ratio: f64,
    /// Largest difference of true or false positive rates that is fair.
    pub max_gap: f64,
    /// Fewest cases behind a rate.
    pub min_cases: f64,
    /// Chance of a false finding among the findings (Benjamini–Hochberg).
    pub alpha: f64,
}

impl Default for FairnessPolicy {
    fn default() -> Self {
        Self { min_ratio: 0.8, max_gap: 0.1, min_cases: 100.0, alpha: 0.05 }
    }
}

/// A group's answers by prediction and truth, real or expected from calibrated scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its cells.
    pub cells: Confusion,
}

/// A rate and its 95 % interval (Wilson 1927), 0–1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FairnessInterval")]
pub struct Interval {
    /// The rate.
    pub rate: f64,
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
}

/// How often a group is answered yes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GroupSelection")]
pub struct Selection {
    /// Share of the yes.
    pub rate: Interval,
    /// Ratio to the most favoured group's rate, 0–1.
    pub ratio: f64,
    /// p-value that the group is selected as often as the most favoured one, adjusted over all comparisons.
    pub adjusted_p: f64,
    /// Below four fifths, and surely so.
    pub unfair: bool,
}

/// An error rate of a group beside that of all others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FairnessGap")]
pub struct Gap {
    /// The group's rate.
    pub rate: Interval,
    /// The group's rate less the others'.
    pub gap: f64,
    /// p-value that the two are equal, adjusted over all comparisons.
    pub adjusted_p: f64,
    /// Wider than fair, and surely so.
    pub unfair: bool,
}

/// What is found of one group; None where there are too few cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupFairness {
    /// The group.
    pub name: String,
    /// Its cases.
    #[serde(default)]
    pub cases: f64,
    /// How often it is answered yes.
    pub selection: Option<Selection>,
    /// How often its yes are found.
    pub true_positive: Option<Gap>,
    /// How often its no are taken for yes.
    pub false_positive: Option<Gap>,
}

impl GroupFairness {
    /// Something is unfair.
    pub fn unfair(&self) -> bool {
        self.selection.is_some_and(|selection| selection.unfair)
            || [self.true_positive, self.false_positive].into_iter().flatten().any(|gap| gap.unfair)
    }
}

/// The Wilson interval of `hits` among `cases`. None without cases.
pub fn wilson(hits: f64, cases: f64) -> Option<Interval> {
    if cases.is_nan() || cases <= 0.0 || !(0.0..=cases).contains(&hits) {
        return None;
    }
    let rate = hits / cases;
    let shrunk = Z * Z / cases;
    let middle = (rate + shrunk / 2.0) / (1.0 + shrunk);
    let reach = Z * (rate * (1.0 - rate) / cases + shrunk / (4.0 * cases)).sqrt() / (1.0 + shrunk);
    Some(Interval {
        rate,
        lower: (middle - reach).max(0.0).min(rate),
        upper: (middle + reach).min(1.0).max(rate),
    })
}

/// Compares groups. A rate counts with at least 100 cases of its own; findings are controlled over all groups and
/// rates together by Benjamini–Hochberg.
pub fn fairness(groups: &[Group], policy: FairnessPolicy) -> Vec<GroupFairness> {
    let comparisons: Vec<[Option<Comparison>; 3]> = (0..groups.len())
        .map(|index| {
            [
                selected(groups, index, policy),
                against_others(groups, index, policy, |c| {
                    (c.true_positive, c.true_positive + c.false_negative)
                }),
                against_others(groups, index, policy, |c| {
                    (c.false_positive, c.false_positive + c.true_negative)
                }),
            ]
        })
        .collect();
    let p_values: Vec<f64> = comparisons.iter().flatten().flatten().map(|known| known.p).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    let mut next = || adjusted.next().unwrap_or(1.0);
    groups
        .iter()
        .zip(comparisons)
        .map(|(group, [selection, true_positive, false_positive])| GroupFairness {
            name: group.name.clone(),
            cases: group.cells.rows(),
            selection: selection.map(|known| {
                let (adjusted_p, ratio) = (next(), known.ratio());
                let unfair = ratio < policy.min_ratio && adjusted_p <= policy.alpha;
                Selection { rate: known.rate, ratio, adjusted_p, unfair }
            }),
            true_positive: true_positive.map(|known| known.gap(next(), policy)),
            false_positive: false_positive.map(|known| known.gap(next(), policy)),
        })
        .collect()
}

/// A group's rate, the rate it is compared with, and the p-value that they are equal.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    rate: Interval,
    other: f64,
    p: f64,
}

impl Comparison {
    fn new((hits, cases): (f64, f64), (other_hits, other_cases): (f64, f64)) -> Option<Self> {
        let rate = wilson(hits, cases)?;
        let other = wilson(other_hits, other_cases)?.rate;
        Some(Self { rate, other, p: equal_shares(hits, cases, other_hits, other_cases) })
    }

    fn ratio(&self) -> f64 {
        if self.other > 0.0 { (self.rate.rate / self.other).min(1.0) } else { 1.0 }
    }

    fn gap(&self, adjusted_p: f64, policy: FairnessPolicy) -> Gap {
        let gap = self.rate.rate - self.other;
        Gap {
            rate: self.rate,
            gap,
            adjusted_p,
            unfair: gap.abs() > policy.max_gap && adjusted_p <= policy.alpha,
        }
    }
}

/// The selection rate beside that of the most favoured group that is large enough.
fn selected(groups: &[Group], index: usize, policy: FairnessPolicy) -> Option<Comparison> {
    let of = |group: &Group| (group.cells.true_positive + group.cells.false_positive, group.cells.rows());
    let own = of(&groups[index]);
    let favoured = groups
        .iter()
        .map(of)
        .filter(|(_, cases)| *cases >= policy.min_cases)
        .max_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)))?;
    if own.1 < policy.min_cases {
        return None;
    }
    Comparison::new(own, favoured)
}

/// A rate beside that of all other groups together.
fn against_others(
    groups: &[Group],
    index: usize,
    policy: FairnessPolicy,
    of: impl Fn(&Confusion) -> (f64, f64),
) -> Option<Comparison> {
    let own = of(&groups[index].cells);
    let mut others = Confusion::default();
    for (_, group) in groups.iter().enumerate().filter(|(other, _)| *other != index) {
        others.merge(&group.cells);
    }
    let others = of(&others);
    if own.1 < policy.min_cases || others.1 < policy.min_cases {
        return None;
    }
    Comparison::new(own, others)
}

/// Two-sided p-value that two shares are equal, by the pooled normal approximation.
fn equal_shares(hits: f64, cases: f64, other_hits: f64, other_cases: f64) -> f64 {
    let pooled = (hits + other_hits) / (cases + other_cases);
    let variance = pooled * (1.0 - pooled) * (1.0 / cases + 1.0 / other_cases);
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (hits / cases - other_hits / other_cases) / variance.sqrt();
    erfc(z.abs() / std::f64::consts::SQRT_2).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{FairnessPolicy, Group, fairness, wilson};
    use crate::performance::Confusion;

    fn group(name: &str, cells: [f64; 4]) -> Group {
        let [true_negative, false_positive, false_negative, true_positive] = cells;
        let cells = Confusion { true_negative, false_positive, false_negative, true_positive };
        Group { name: name.into(), cells }
    }

    #[test]
    fn wilson_of_known_figures() {
        // 15 of 100: Wilson (1927) gives 0.0931 to 0.2328.
        let interval = wilson(15.0, 100.0).unwrap();
        assert!((interval.lower - 0.0931).abs() < 5e-5 && (interval.upper - 0.2328).abs() < 5e-5);
        assert_eq!(wilson(0.0, 50.0).unwrap().lower, 0.0);
        assert!(wilson(1.0, 0.0).is_none() && wilson(2.0, 1.0).is_none());
    }

    #[test]
    fn four_fifths_with_certainty() {
        let groups = [
            group("costa", [400.0, 100.0, 100.0, 400.0]),
            group("sierra", [650.0, 50.0, 100.0, 200.0]),
            group("galápagos", [30.0, 1.0, 5.0, 4.0]),
        ];
        let found = fairness(&groups, FairnessPolicy::default());
        assert!(!found[0].unfair() || found[0].selection.is_some_and(|selection| !selection.unfair));
        let sierra = found[1].selection.unwrap();
        assert!((sierra.ratio - 0.5).abs() < 1e-12 && sierra.unfair);
        assert!(found[2].selection.is_none() && found[2].true_positive.is_none(), "too few cases");
        let gap = found[1].true_positive.unwrap();
        assert!(gap.gap < -0.1 && gap.unfair);
    }

    #[test]
    fn equal_groups_are_fair_and_a_small_difference_is_chance() {
        let one = [40.0, 20.0, 10.0, 50.0];
        let other = [45.0, 15.0, 12.0, 48.0];
        let found = fairness(&[group("a", one), group("b", other)], FairnessPolicy::default());
        assert!(found.iter().all(|group| !group.unfair()), "{found:?}");
        assert!(fairness(&[], FairnessPolicy::default()).is_empty());
        let alone = fairness(&[group("a", one)], FairnessPolicy::default());
        assert!(!alone[0].unfair() && alone[0].true_positive.is_none());
    }
}
