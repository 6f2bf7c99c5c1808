//! Faults of single columns, from sketches.

use super::{Check, Fault};
use crate::{
    ColumnProfile, DriftPolicy, Profile, Reference, Sketch, WindowSketch,
    comparison::fits,
    fisher::Shares,
    reference::TextReference,
    sketch::{Cells, NumberTally, TextTally, reads_as_number, saturating_sum},
    summary::share,
};

/// A share of rows below this is a stray value, not a fault of the data.
const MIN_TYPE_SHARE: f64 = 0.01;
/// More unknown categories than expected by so much.
const MIN_CATEGORY_SHARE: f64 = 0.02;

/// The faults of the columns of one window beside the training data, in the profile's order.
///
/// Shares without a value are tested by Fisher's exact test; what training never had (a sign, a fraction, a number as
/// far out) by the chance that all of its k rows are among the window's when window and training are one sample:
/// Π (n − i) / (n + N − i) over i < k, whatever the distribution.
pub fn column_faults(profile: &Profile, window: &WindowSketch, policy: &DriftPolicy) -> Vec<Fault> {
    let columns = profile.features.len().max(1) as f64;
    let threshold = policy.alpha / (columns * policy.windows_per_year.max(1.0));
    let judge = Judge { policy, threshold };
    let pairs = profile.features.iter().zip(&window.features);
    pairs.flat_map(|(column, sketch)| judge.column(column, sketch)).collect()
}

struct Judge<'a> {
    policy: &'a DriftPolicy,
    threshold: f64,
}

impl Judge<'_> {
    fn column(&self, column: &ColumnProfile, sketch: &Sketch) -> Vec<Fault> {
        if !fits(&column.reference, sketch) || sketch.count() < self.policy.min_rows {
            return Vec::new();
        }
        let of_kind = match (&column.reference, &sketch.cells) {
            (Reference::Number(number), Cells::Number(tally)) => vec![
                self.number_type(number.whole, &number.tally, sketch, tally),
                self.range(&number.cuts, &number.tally, tally),
            ],
            (Reference::Text(text), Cells::Text(tally)) => {
                vec![self.text_type(text, tally), self.category(text, tally)]
            }
            _ => Vec::new(),
        };
        let all = std::iter::once(self.missing(&column.reference, sketch)).chain(of_kind);
        all.flatten().map(|fault| Fault { column: Some(column.name.clone()), ..fault }).collect()
    }

    fn missing(&self, reference: &Reference, sketch: &Sketch) -> Option<Fault> {
        // A text where a number should be is told as such, not as a missing value.
        let (hits_after, rows_after) = (sketch.missing() - sketch.mistyped(), sketch.count());
        let (hits_before, rows_before) = (reference.missing(), reference.rows());
        let (before, after) = (share(hits_before, rows_before), share(hits_after, rows_after));
        if rows_before == 0 || (after - before).abs() < self.policy.min_missing_change {
            return None;
        }
        let p_value = Shares { hits_before, rows_before, hits_after, rows_after }.change_p();
        (p_value <= self.threshold).then(|| fault(Check::Missing, before, after, None))
    }

    fn number_type(
        &self,
        whole: bool,
        trained: &NumberTally,
        sketch: &Sketch,
        tally: &NumberTally,
    ) -> Option<Fault> {
        let fractional = if whole { tally.fractional } else { 0 };
        let wrong = fractional.saturating_add(sketch.mistyped());
        self.never_before(Check::Type, wrong, sketch.count(), trained.finite)
            .filter(|fault| fault.after >= MIN_TYPE_SHARE)
    }

    fn text_type(&self, text: &TextReference, tally: &TextTally) -> Option<Fault> {
        if text.values.is_empty() || text.values.iter().any(|value| reads_as_number(value)) {
            return None;
        }
        let known = text.tally.seen();
        let fault = self.never_before(Check::Type, tally.new_numbers, tally.seen(), known)?;
        let frequent = tally.new_values.most_frequent();
        let example = frequent.into_iter().map(|(value, _)| value).find(|value| reads_as_number(value));
        let example = example.map(str::to_owned);
        (fault.after >= MIN_TYPE_SHARE).then_some(Fault { example, ..fault })
    }

    fn range(&self, cuts: &[f64], trained: &NumberTally, tally: &NumberTally) -> Option<Fault> {
        let (least, most) = trained.min.zip(trained.max)?;
        let width = most - least;
        let infinite = if trained.infinite() == 0 { tally.infinite() } else { 0 };
        let beyond = if width > 0.0 { beyond(cuts, tally, (least - width, most + width)) } else { 0 };
        let negative = if least >= 0.0 { tally.negative } else { 0 };
        let rows = tally.seen();
        // A negative number may be far out as well: the larger count, not both.
        let wrong = beyond.max(negative).saturating_add(infinite);
        let fault = self.never_before(Check::Range, wrong, rows, trained.finite)?;
        let outermost = match (tally.min, tally.max) {
            (Some(min), Some(max)) if least - min > max - most => Some(min),
            (_, max) => max,
        };
        let example = if infinite > 0 { Some("∞".to_owned()) } else { outermost.map(|x| x.to_string()) };
        Some(Fault { example, ..fault })
    }

    fn category(&self, text: &TextReference, tally: &TextTally) -> Option<Fault> {
        let (rows_before, rows_after) = (text.tally.seen(), tally.seen());
        // Numbers among texts are a fault of their own.
        let hits_after = tally.new.saturating_sub(self.mistyped_texts(text, tally));
        let (before, after) = (share(text.single, rows_before), share(hits_after, rows_after));
        if rows_before == 0 || after - before < MIN_CATEGORY_SHARE {
            return None;
        }
        let p_value = Shares { hits_before: text.single, rows_before, hits_after, rows_after }.rise_p();
        let example = tally.new_values.most_frequent().first().map(|(value, _)| (*value).to_owned());
        (p_value <= self.threshold).then(|| fault(Check::Category, before, after, example))
    }

    fn mistyped_texts(&self, text: &TextReference, tally: &TextTally) -> u64 {
        self.text_type(text, tally).map_or(0, |_| tally.new_numbers)
    }

    /// `wrong` of `rows` rows where none of `trained` was.
    fn never_before(&self, check: Check, wrong: u64, rows: u64, trained: u64) -> Option<Fault> {
        let surely = wrong > 0 && trained > 0 && all_in_the_window(wrong, rows, trained) <= self.threshold;
        surely.then(|| fault(check, 0.0, share(wrong, rows), None))
    }
}

fn fault(check: Check, before: f64, after: f64, example: Option<String>) -> Fault {
    Fault { check, column: None, before, after, example }
}

/// Rows in the cells that lie wholly outside `limits`.
fn beyond(cuts: &[f64], tally: &NumberTally, (least, most): (f64, f64)) -> u64 {
    let below = cuts.partition_point(|cut| *cut <= least);
    let above = cuts.partition_point(|cut| *cut < most) + 1;
    let low = saturating_sum(tally.counts.iter().take(below));
    let high = saturating_sum(tally.counts.iter().skip(above));
    low.saturating_add(high)
}

/// The chance that `wrong` rows drawn from `rows` + `trained` are all among the `rows`.
fn all_in_the_window(wrong: u64, rows: u64, trained: u64) -> f64 {
    let mut chance = 1.0;
    for i in 0..wrong.min(rows) {
        chance *= (rows - i) as f64 / (rows as f64 + trained as f64 - i as f64);
        if chance < 1e-30 {
            break;
        }
    }
    chance
}

#[cfg(test)]
mod tests {
    use super::column_faults;
    use crate::quality::{Check, Fault};
    use crate::{ColumnProfile, DriftPolicy, Profile, Reference, WindowSketch};

    fn of_numbers(trained: &[f64], now: &[f64]) -> Vec<Fault> {
        let profile = profile(Reference::of_numbers(trained));
        let mut window = WindowSketch::new(&profile);
        for x in now {
            window.rows += 1;
            window.features[0].add_number(&profile.features[0].reference, *x);
        }
        column_faults(&profile, &window, &DriftPolicy::default())
    }

    fn of_texts(trained: &[&str], now: &[&str]) -> Vec<Fault> {
        let profile = profile(Reference::of_texts(trained.iter().map(|text| Some(*text))));
        let mut window = WindowSketch::new(&profile);
        for text in now {
            window.rows += 1;
            window.features[0].add_text(&profile.features[0].reference, text);
        }
        column_faults(&profile, &window, &DriftPolicy::default())
    }

    fn profile(reference: Reference) -> Profile {
        let column = ColumnProfile { name: "x".into(), importance: None, reference };
        Profile { rows: 1000, features: vec![column], prediction: None }
    }

    fn checks(faults: &[Fault]) -> Vec<Check> {
        faults.iter().map(|fault| fault.check).collect()
    }

    fn prices(rows: usize) -> Vec<f64> {
        (0..rows).map(|i| 10.0 + (i * 37 % 100) as f64).collect()
    }

    #[test]
    fn data_like_those_of_training_have_no_faults() {
        assert!(of_numbers(&prices(1000), &prices(200)).is_empty());
        let cities = ["Quito", "Guayaquil", "Cuenca"].repeat(300);
        assert!(of_texts(&cities, &cities[..100]).is_empty());
        // A season moves the values, and that is no fault.
        let dearer: Vec<f64> = prices(200).iter().map(|price| price + 60.0).collect();
        assert!(of_numbers(&prices(1000), &dearer).is_empty());
    }

    #[test]
    fn empty_cells_are_missing_and_texts_among_numbers_are_mistyped() {
        let mut half = prices(100);
        half.extend([f64::NAN; 30]);
        let faults = of_numbers(&prices(1000), &half);
        assert_eq!(checks(&faults), [Check::Missing]);
        assert!((faults[0].after - 30.0 / 130.0).abs() < 1e-12 && faults[0].column.as_deref() == Some("x"));

        let profile = profile(Reference::of_numbers(&prices(1000)));
        let mut window = WindowSketch::new(&profile);
        for i in 0..200 {
            window.rows += 1;
            let text = if i % 5 == 0 { "N/D" } else { "25" };
            window.features[0].add_text(&profile.features[0].reference, text);
        }
        let faults = column_faults(&profile, &window, &DriftPolicy::default());
        assert_eq!(checks(&faults), [Check::Type]);
        assert!((faults[0].after - 0.2).abs() < 1e-12);
    }

    #[test]
    fn fractions_of_whole_numbers_and_numbers_of_texts_are_of_another_type() {
        let cents: Vec<f64> = prices(200).iter().map(|price| price + 0.5).collect();
        assert_eq!(checks(&of_numbers(&prices(1000), &cents)), [Check::Type]);
        let cities = ["Quito", "Cuenca"].repeat(400);
        let mut now = ["Quito", "Cuenca"].repeat(80);
        now.extend(["17"; 20]);
        let faults = of_texts(&cities, &now);
        assert_eq!(checks(&faults), [Check::Type]);
        assert_eq!(faults[0].example.as_deref(), Some("17"));
    }

    #[test]
    fn impossible_numbers_are_out_of_range() {
        let mut negative = prices(200);
        negative.extend([-1.0; 10]);
        let faults = of_numbers(&prices(1000), &negative);
        assert_eq!(checks(&faults), [Check::Range]);
        assert!(faults[0].is_damage());
        let mut thousandfold = prices(200);
        thousandfold.extend([45_000.0; 10]);
        let faults = of_numbers(&prices(1000), &thousandfold);
        assert_eq!((checks(&faults), faults[0].example.as_deref()), (vec![Check::Range], Some("45000")));
        let mut one = prices(200);
        one.push(45_000.0);
        assert!(of_numbers(&prices(1000), &one).is_empty(), "one stray value is not a fault of the data");
        let mut infinite = prices(200);
        infinite.extend([f64::INFINITY; 10]);
        assert_eq!(of_numbers(&prices(1000), &infinite)[0].example.as_deref(), Some("∞"));
    }

    #[test]
    fn unknown_categories_are_a_fault_unless_training_had_many_rare_ones() {
        let cities = ["Quito", "Cuenca"].repeat(400);
        let mut now = ["Quito", "Cuenca"].repeat(90);
        now.extend(["quito "; 20]);
        let faults = of_texts(&cities, &now);
        assert_eq!((checks(&faults), faults[0].example.as_deref()), (vec![Check::Category], Some("quito ")));
        let ids: Vec<String> = (0..1000).map(|i| format!("c{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let others: Vec<String> = (0..200).map(|i| format!("d{i}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert!(of_texts(&ids, &others).is_empty());
    }

    #[test]
    fn too_few_rows_tell_nothing() {
        assert!(of_numbers(&prices(1000), &[-1.0; 20]).is_empty());
        assert!(of_numbers(&[], &prices(100)).is_empty());
    }
}
