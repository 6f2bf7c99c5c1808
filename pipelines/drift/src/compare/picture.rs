//! A compared column as it is drawn: the same bins or categories before and after.

use super::measure::Pair;
use crate::summary::{Category, SHOWN_CATEGORIES, Summary, share};
use crate::{CategoryPair, NumberPair};

/// What a compared column looked like and looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnPicture {
    /// The reference.
    pub before: Summary,
    /// The current data.
    pub after: Summary,
}

impl Pair<'_> {
    /// The column in figures of the compared rows; nothing for free text, and no categories where they are too many to
    /// be counted one by one.
    pub(super) fn picture(&self) -> ColumnPicture {
        match self {
            Self::Numbers { pair, .. } => of_numbers(pair),
            Self::Categories { pair, sides, .. } => {
                let mut picture = of_categories(pair);
                for (summary, side) in [&mut picture.before, &mut picture.after].into_iter().zip(sides) {
                    summary.rows = side.rows() as u64;
                    summary.missing = share(side.missing() as u64, side.rows() as u64);
                }
                picture
            }
            Self::Texts { reference, current } => {
                let of = |texts: &[Option<&str>]| {
                    let missing = texts.iter().filter(|text| text.is_none()).count();
                    let (rows, missing) = (texts.len() as u64, missing as u64);
                    Summary { rows, missing: share(missing, rows), ..Summary::default() }
                };
                ColumnPicture { before: of(reference), after: of(current) }
            }
        }
    }
}

fn of_numbers(pair: &NumberPair) -> ColumnPicture {
    let (before, after) = pair.histograms();
    let [reference, current] = pair.summaries();
    ColumnPicture {
        before: Summary { histogram: before, ..reference },
        after: Summary { histogram: after, ..current },
    }
}

fn of_categories(pair: &CategoryPair<'_>) -> ColumnPicture {
    let (mut before, mut after) = (0, 0);
    for (_, old, new) in pair.by_value() {
        (before, after) = (before + old, after + new);
    }
    let shares =
        |(value, old, new): (&str, u64, u64)| (value.to_owned(), share(old, before), share(new, after));
    let most = |only_new: bool| {
        let mut values: Vec<(&str, u64, u64)> =
            pair.by_value().filter(|(_, old, _)| !only_new || *old == 0).collect();
        values.sort_by(|a, b| {
            let sum = |of: &(&str, u64, u64)| share(of.1, before) + share(of.2, after);
            sum(b).total_cmp(&sum(a)).then(a.0.cmp(b.0))
        });
        values.into_iter().take(SHOWN_CATEGORIES).map(shares).collect::<Vec<_>>()
    };
    let shown = most(false);
    let new: u64 = pair.by_value().filter(|(_, old, _)| *old == 0).map(|(_, _, new)| new).sum();
    let named = |side: fn(&(String, f64, f64)) -> f64| -> Vec<Category> {
        shown.iter().map(|cell| Category { value: cell.0.clone(), share: side(cell) }).collect()
    };
    let rest = |categories: &[Category], total: u64| {
        let sum: f64 = categories.iter().map(|category| category.share).sum();
        if total > 0 && pair.cells() > categories.len() { (1.0 - sum).clamp(0.0, 1.0) } else { 0.0 }
    };
    let (old_named, new_named) = (named(|cell| cell.1), named(|cell| cell.2));
    ColumnPicture {
        before: Summary { other: rest(&old_named, before), categories: old_named, ..Summary::default() },
        after: Summary {
            other: rest(&new_named, after),
            categories: new_named,
            new: share(new, after),
            new_categories: most(true)
                .into_iter()
                .map(|(value, _, share)| Category { value, share })
                .collect(),
            ..Summary::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::compare::{ColumnData, measure::Pair};

    #[test]
    fn numbers_are_drawn_in_the_same_bins() {
        let before: Vec<f64> = (0..1000).map(|row| f64::from(row % 100)).collect();
        let after: Vec<f64> = (0..500).map(|row| f64::from(row % 100) + 50.0).chain([f64::NAN]).collect();
        let pair = Pair::of(ColumnData::Numbers(&before), ColumnData::Numbers(&after)).unwrap();
        let picture = pair.picture();
        let bins = |bins: &[crate::Bin]| bins.iter().map(|bin| (bin.from, bin.to)).collect::<Vec<_>>();
        assert_eq!(bins(&picture.before.histogram), bins(&picture.after.histogram));
        for side in [&picture.before, &picture.after] {
            assert!((side.histogram.iter().map(|bin| bin.share).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!((picture.before.mean, picture.after.mean), (Some(49.5), Some(99.5)));
        assert_eq!((picture.after.rows, picture.after.max), (501, Some(149.0)));
        assert!(picture.after.missing > 0.0 && picture.before.missing == 0.0);
    }

    #[test]
    fn few_whole_numbers_have_a_bin_each_and_constants_one() {
        let (before, after) = ([1.0, 2.0, 2.0, 3.0], [3.0, 3.0, 4.0]);
        let pair = Pair::of(ColumnData::Numbers(&before), ColumnData::Numbers(&after)).unwrap();
        let shares: Vec<f64> = pair.picture().before.histogram.iter().map(|bin| bin.share).collect();
        assert_eq!(shares, [0.25, 0.5, 0.25, 0.0]);
        let pair = Pair::of(ColumnData::Numbers(&[0.5; 4]), ColumnData::Numbers(&[0.5; 3])).unwrap();
        assert_eq!(pair.picture().before.histogram.len(), 1);
        let pair = Pair::of(ColumnData::Numbers(&[]), ColumnData::Numbers(&[f64::NAN])).unwrap();
        assert!(pair.picture().before.histogram.is_empty());
    }

    #[test]
    fn categories_are_drawn_in_one_order_with_the_new_ones_apart() {
        let before: Vec<Option<&str>> = [Some("a"), Some("a"), Some("b"), None].to_vec();
        let after: Vec<Option<&str>> = [Some("a"), Some("z"), Some("z"), Some("z")].to_vec();
        let pair = Pair::of(ColumnData::Categories(&before), ColumnData::Categories(&after)).unwrap();
        let picture = pair.picture();
        let names: Vec<&str> = picture.before.categories.iter().map(|shown| shown.value.as_str()).collect();
        assert_eq!(names, ["a", "z", "b"]);
        assert_eq!(picture.after.categories[1].share, 0.75);
        assert_eq!((picture.after.new, picture.after.new_categories.len()), (0.75, 1));
        assert_eq!((picture.before.rows, picture.before.missing), (4, 0.25));
    }
}
