//! Which groups (shops, provinces, channels) moved otherwise than the rest when a column changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{kind::without_weekdays, tail};

/// A group must lie this many standard errors from the groups' median move.
const APART: f64 = 4.0;
/// The chance that any group of calm ones is told.
const ALPHA: f64 = 0.05;
/// What the calm days are measured from: a mean for each weekday.
const WEEKDAYS: f64 = 7.0;
/// Days without the change that a group must have.
const MIN_CALM: usize = 14;
/// Days of the window that a group must have.
const MIN_DAYS: usize = 2;
/// Groups told.
const MOST: usize = 8;

/// One group's mean of a column day by day.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDays {
    /// The group.
    pub name: String,
    /// A mean for every day, the oldest first; NaN without rows.
    pub means: Vec<f64>,
}

/// How a group moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupShift {
    /// The group.
    pub name: String,
    /// Its mean before, over the days without the change.
    pub before: f64,
    /// Its mean in the window.
    pub after: f64,
    /// Its move in standard errors.
    pub own: f64,
    /// The same less the median of all groups: negative when it fell beside the rest.
    pub beside_others: f64,
}

/// The groups whose move differs most from that of the others, the most different first.
///
/// The last `window` days are compared with the days before, each as the deviation from the group's own mean of that
/// weekday. What moves all groups alike (a payday, a holiday) is the median and drops out. Of groups that all move alike
/// one is told in a twentieth of the cases at most: Student's distribution, each group at its share of that chance.
pub fn group_shifts(groups: &[GroupDays], window: usize) -> Vec<GroupShift> {
    let shifts: Vec<(GroupShift, f64)> = groups.iter().filter_map(|group| shift(group, window)).collect();
    if shifts.len() < 3 {
        return Vec::new();
    }
    let mut moves: Vec<f64> = shifts.iter().map(|(shift, _)| shift.own).collect();
    moves.sort_by(f64::total_cmp);
    let median = moves[moves.len() / 2];
    let sure = ALPHA / shifts.len() as f64;
    let beside = |(shift, freedom): (GroupShift, f64)| {
        let beside_others = shift.own - median;
        let apart = beside_others.abs() >= APART && tail::student_two_sided(beside_others, freedom) <= sure;
        apart.then_some(GroupShift { beside_others, ..shift })
    };
    let mut shifts: Vec<GroupShift> = shifts.into_iter().filter_map(beside).collect();
    shifts.sort_by(|a, b| b.beside_others.abs().total_cmp(&a.beside_others.abs()));
    shifts.truncate(MOST);
    shifts
}

/// How a group moved, and the degrees of freedom behind it. The variance of n calm days has n − 7, a mean of k days less
/// those of their weekdays the standard error σ (1/k + 7/n)^½ at most.
fn shift(group: &GroupDays, window: usize) -> Option<(GroupShift, f64)> {
    let calm = group.means.len().checked_sub(window)?;
    let adjusted = without_weekdays(&group.means, calm);
    let known = |range: std::ops::Range<usize>, of: &[f64]| -> Vec<f64> {
        of[range].iter().copied().filter(|value| value.is_finite()).collect()
    };
    let end = group.means.len();
    let (before, after) = (known(0..calm, &adjusted), known(calm..end, &adjusted));
    if before.len() < MIN_CALM || after.len() < MIN_DAYS {
        return None;
    }
    let (n, k) = (before.len() as f64, after.len() as f64);
    let freedom = n - WEEKDAYS;
    let variance = before.iter().map(|value| value * value).sum::<f64>() / freedom;
    let error = (variance * (1.0 / k + WEEKDAYS / n)).sqrt();
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let shift = GroupShift {
        name: group.name.clone(),
        before: mean(&known(0..calm, &group.means)),
        after: mean(&known(calm..end, &group.means)),
        own: mean(&after) / error,
        beside_others: 0.0,
    };
    Some((shift, freedom))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::{GroupDays, group_shifts};
    use crate::random::Random;

    /// Eight weeks and one: weekdays differ, the last week is higher everywhere.
    fn group(name: &str, seed: u64, extra: f64) -> GroupDays {
        let mut random = Random::new(seed);
        let means = (0..63)
            .map(|day| {
                let weekday = if day % 7 == 5 { 0.4 } else { 0.0 };
                let moved = if day >= 56 { 0.2 + extra } else { 0.0 };
                1.0 + weekday + moved + 0.1 * (random.uniform() - 0.5)
            })
            .collect();
        GroupDays { name: name.into(), means }
    }

    #[test]
    fn what_moves_all_is_nobodys_and_one_that_fell_is_named() {
        let mut groups: Vec<GroupDays> =
            (0..20).map(|number| group(&format!("T{number:02}"), number + 1, 0.0)).collect();
        assert!(group_shifts(&groups, 7).is_empty());
        groups.push(group("Manta", 77, -0.35));
        let found = group_shifts(&groups, 7);
        assert_eq!(found[0].name, "Manta");
        assert!(found[0].beside_others < -4.0 && found[0].after < found[0].before, "{found:?}");
    }

    #[test]
    fn of_calm_groups_hardly_any_is_named() {
        let calm = |seed: u64| GroupDays {
            name: seed.to_string(),
            means: {
                let mut random = Random::new(seed);
                (0..21).map(|_| random.normal()).collect()
            },
        };
        let named = |trial: u64| {
            let groups: Vec<GroupDays> = (0..100).map(|group| calm(1 + trial * 100 + group)).collect();
            !group_shifts(&groups, 7).is_empty()
        };
        let false_claims = (0..200).filter(|trial| named(*trial)).count();
        assert!(false_claims <= 10, "{false_claims} of 200 calm columns name a group");
    }

    #[test]
    fn a_group_without_a_past_or_without_rows_is_passed_over() {
        let young = GroupDays { name: "nueva".into(), means: vec![1.0; 10] };
        let silent = GroupDays { name: "cerrada".into(), means: vec![f64::NAN; 63] };
        assert!(group_shifts(&[young, silent, group("a", 1, 0.0), group("b", 2, 5.0)], 7).is_empty());
    }
}
