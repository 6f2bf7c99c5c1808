//! A column in a few figures, for tables and charts.

mod histogram;

pub(crate) use histogram::edges;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Reference, Sketch, TextReference,
    sketch::{Cells, NumberTally, TextTally},
};

/// Categories shown by name.
pub(crate) const SHOWN_CATEGORIES: usize = 10;

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bin {
    /// Lower end; the first bin also holds everything below.
    pub from: f64,
    /// Upper end; the last bin also holds everything above.
    pub to: f64,
    /// Share of the usable values (0–1).
    pub share: f64,
}

/// One category and how common it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CategoryShare")]
pub struct Category {
    /// The value.
    pub value: String,
    /// Share of the usable values (0–1).
    pub share: f64,
}

/// A column at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ColumnAtOneTime")]
pub struct Summary {
    /// Rows, missing ones included.
    pub rows: u64,
    /// Share of rows without a value.
    pub missing: f64,
    /// Share of rows that are ±infinity.
    pub infinite: f64,
    /// Mean of the finite numbers.
    pub mean: Option<f64>,
    /// Standard deviation of the finite numbers (n − 1).
    pub std: Option<f64>,
    /// Smallest finite number.
    pub min: Option<f64>,
    /// Largest finite number.
    pub max: Option<f64>,
    /// At most 20 bins, the same before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bin>,
    /// The ten most common categories of before and after together, in the same order in both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Share of all other categories that training knew.
    pub other: f64,
    /// Share of categories that training never saw.
    pub new: f64,
    /// The most common of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_categories: Vec<Category>,
}

/// The training data and a sketch in the same bins and categories. The sketch was made over the reference.
pub(crate) fn summaries(reference: &Reference, sketch: &Sketch) -> (Summary, Summary) {
    match (reference, &sketch.cells) {
        (Reference::Number(number), Cells::Number(tally)) => {
            let (before, after) = histogram::shared(number, tally);
            (
                Summary { histogram: before, ..of_numbers(&number.tally, number.missing) },
                Summary { histogram: after, ..of_numbers(tally, sketch.missing) },
            )
        }
        (Reference::Text(text), Cells::Text(tally)) => {
            let shown = shown_categories(text, tally);
            (of_texts(text, &text.tally, text.missing, &shown), of_texts(text, tally, sketch.missing, &shown))
        }
        _ => (Summary::default(), Summary::default()),
    }
}

fn of_numbers(tally: &NumberTally, missing: u64) -> Summary {
    let rows = tally.seen().saturating_add(missing);
    Summary {
        rows,
        missing: share(missing, rows),
        infinite: share(tally.infinite(), rows),
        mean: tally.mean(),
        std: tally.standard_deviation(),
        min: tally.min,
        max: tally.max,
        ..Summary::default()
    }
}

/// Positions of the categories with the largest sum of shares.
fn shown_categories(text: &TextReference, after: &TextTally) -> Vec<usize> {
    let shares = |tally: &TextTally, position: usize| {
        tally.counts.get(position).map_or(0.0, |count| share(*count, tally.seen()))
    };
    let mut ordered: Vec<(f64, usize)> = (0..text.values.len())
        .map(|position| (shares(&text.tally, position) + shares(after, position), position))
        .collect();
    ordered.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ordered.into_iter().take(SHOWN_CATEGORIES).map(|(_, position)| position).collect()
}

fn of_texts(text: &TextReference, tally: &TextTally, missing: u64, shown: &[usize]) -> Summary {
    let (seen, rows) = (tally.seen(), tally.seen().saturating_add(missing));
    let categories: Vec<Category> = shown
        .iter()
        .filter_map(|position| Some((text.values.get(*position)?, tally.counts.get(*position)?)))
        .map(|(value, count)| Category { value: value.clone(), share: share(*count, seen) })
        .collect();
    let new = share(tally.new, seen);
    let named: f64 = categories.iter().map(|category| category.share).sum();
    let frequent = tally.new_values.most_frequent().into_iter().take(SHOWN_CATEGORIES);
    Summary {
        rows,
        missing: share(missing, rows),
        other: if seen > 0 { (1.0 - named - new).clamp(0.0, 1.0) } else { 0.0 },
        new,
        new_categories: frequent
            .map(|(value, count)| Category { value: value.to_owned(), share: share(count, seen).min(1.0) })
            .collect(),
        categories,
        ..Summary::default()
    }
}

/// A share of nothing is 0.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
