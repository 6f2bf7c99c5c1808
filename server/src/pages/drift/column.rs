//! One column of the table: what happened to it, in plain words, and its figures.

use chasqui_drift::{ColumnKind, FeatureDrift, Summary, Untested};
use chasqui_report::fill;
use chasqui_report::format::NO_VALUE;

use crate::pages::picture;
use crate::pages::voice::{Voice, clip};

/// A mean that moved less than this many standard deviations is called similar.
const SIMILAR: f64 = 0.1;

/// A spread that grew or shrank by less than this is called similar.
const SIMILAR_SPREAD: f64 = 0.1;

/// A row of the table.
pub(in crate::pages) struct ColumnView {
    pub(in crate::pages) name: String,
    pub(in crate::pages) has_changed: bool,
    pub(in crate::pages) words: String,
    pub(in crate::pages) before: String,
    pub(in crate::pages) after: String,
    /// How much the model depends on it, as a bar and in figures.
    pub(in crate::pages) importance: Option<(String, String)>,
    /// Test, statistic, adjusted p, PSI, effect and its floor.
    pub(in crate::pages) figures: [String; 6],
}

impl ColumnView {
    pub(super) fn new(column: &FeatureDrift, is_answer: bool, voice: Voice) -> Self {
        let plain = |value: f64| voice.format.plain(value);
        let (before, after) = match (column.kind, column.before.mean, column.after.mean) {
            (ColumnKind::Number, Some(before), Some(after)) => voice.pair(before, after),
            _ => (typical(&column.before, column.kind, voice), typical(&column.after, column.kind, voice)),
        };
        let importance =
            column.importance.map(|share| (picture::bar(share, "quiet"), whole_percent(share, voice)));
        Self {
            name: if is_answer { voice.t.answers_column.into() } else { clip(&column.name) },
            has_changed: column.drifted || column.missing_changed,
            words: words(column, voice),
            before,
            after,
            importance,
            figures: [
                column.test.clone(),
                plain(column.statistic),
                plain(column.adjusted_p),
                plain(column.psi),
                plain(column.effect),
                plain(column.effect_floor),
            ],
        }
    }
}

/// A share in whole percents; a little is not told as nothing.
fn whole_percent(share: f64, voice: Voice) -> String {
    if share > 0.0 && share < 0.005 {
        format!("< {}", voice.format.percent_with(0.01, 0))
    } else {
        voice.format.percent_with(share, 0)
    }
}

/// What happened to a column.
fn words(column: &FeatureDrift, voice: Voice) -> String {
    let t = voice.t;
    let mut sentences = Vec::new();
    if column.missing_changed {
        let (before, after) =
            (voice.format.percent(column.missing_before), voice.format.percent(column.missing_after));
        sentences.push(fill(t.column_missing, &[("before", &before), ("after", &after)]));
    }
    if column.drifted {
        sentences.push(match column.kind {
            ColumnKind::Number => number_words(&column.before, &column.after, voice),
            ColumnKind::Text => text_words(&column.before, &column.after, voice),
        });
    }
    match (sentences.is_empty(), &column.reason) {
        (false, _) => sentences.join(" "),
        (true, Some(reason)) => reason_words(*reason, voice).into(),
        (true, None) => t.column_same.into(),
    }
}

fn number_words(before: &Summary, after: &Summary, voice: Voice) -> String {
    let t = voice.t;
    let (Some(old), Some(new)) = (before.mean, after.mean) else { return t.column_values.into() };
    let (old_spread, new_spread) = (before.std.unwrap_or(0.0), after.std.unwrap_or(0.0));
    if (new - old).abs() > SIMILAR * old_spread {
        let (old, new) = voice.pair(old, new);
        return fill(t.column_mean, &[("before", &old), ("after", &new)]);
    }
    let text = if new_spread > old_spread * (1.0 + SIMILAR_SPREAD) {
        t.column_wider
    } else if new_spread < old_spread * (1.0 - SIMILAR_SPREAD) {
        t.column_narrower
    } else {
        t.column_shape
    };
    text.into()
}

fn text_words(before: &Summary, after: &Summary, voice: Voice) -> String {
    let t = voice.t;
    let pairs = before.categories.iter().zip(&after.categories);
    let moved = pairs.max_by(|a, b| (a.1.share - a.0.share).abs().total_cmp(&(b.1.share - b.0.share).abs()));
    let of_moved = moved.map_or(0.0, |(old, new)| (new.share - old.share).abs());
    if after.new > of_moved && !after.new_categories.is_empty() {
        let names: Vec<&str> = after.new_categories.iter().take(3).map(|new| new.value.as_str()).collect();
        let share = voice.format.percent(after.new);
        return fill(t.column_new, &[("names", &voice.list(&names)), ("share", &share)]);
    }
    let Some((old, new)) = moved else { return t.column_values.into() };
    let (before, after) = (voice.format.percent(old.share), voice.format.percent(new.share));
    fill(t.column_category, &[("value", &clip(&old.value)), ("before", &before), ("after", &after)])
}

/// Why a column was not compared.
fn reason_words(reason: Untested, voice: Voice) -> &'static str {
    let t = voice.t;
    match reason {
        Untested::FewValues { .. } => t.column_reason_few,
        Untested::NoValues => t.column_reason_none,
        Untested::Constant => t.column_reason_constant,
        Untested::Ignored | Untested::NotHeld | Untested::NoTrainingValues => t.column_reason_other,
    }
}

/// The mean of a number; the most common category of a text.
fn typical(summary: &Summary, kind: ColumnKind, voice: Voice) -> String {
    match kind {
        ColumnKind::Number => summary.mean.map_or_else(|| NO_VALUE.into(), |mean| voice.format.plain(mean)),
        ColumnKind::Text => {
            let most = summary.categories.iter().max_by(|a, b| a.share.total_cmp(&b.share));
            most.map_or_else(
                || NO_VALUE.into(),
                |most| format!("{} {}", clip(&most.value), voice.format.percent_with(most.share, 0)),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use chasqui_drift::Category;
    use chasqui_report::Language;

    use super::*;
    use crate::pages::drift::tests::column;

    fn say(column: &FeatureDrift) -> String {
        words(column, Voice::new(Language::Es))
    }

    #[test]
    fn a_mean_that_moved_is_told_before_and_after() {
        assert_eq!(say(&column("precio", true)), "El promedio pasó de 100,0 a 80,0.");
        assert_eq!(say(&column("precio", false)), "Sin cambio importante.");
    }

    #[test]
    fn a_little_is_not_told_as_nothing() {
        let voice = Voice::new(Language::Es);
        let told = [0.0, 0.001, 0.25].map(|share| whole_percent(share, voice));
        assert_eq!(told, ["0 %", "< 1 %", "25 %"]);
    }

    #[test]
    fn a_similar_mean_is_not_called_a_change_of_the_mean() {
        let mut wider = column("precio", true);
        wider.after.mean = Some(100.5);
        assert!(say(&wider).ends_with("se reparten de otra manera."));
        wider.after.std = Some(20.0);
        assert!(say(&wider).ends_with("varían más que antes."));
        wider.after.std = Some(5.0);
        assert!(say(&wider).ends_with("varían menos que antes."));
    }

    #[test]
    fn the_category_that_moved_most_or_new_values_are_told() {
        let category = |value: &str, share: f64| Category { value: value.into(), share };
        let mut city = FeatureDrift { kind: ColumnKind::Text, ..column("ciudad", true) };
        city.before.categories = vec![category("Quito", 0.5), category("Cuenca", 0.2)];
        city.after.categories = vec![category("Quito", 0.45), category("Cuenca", 0.4)];
        assert_eq!(say(&city), "«Cuenca» pasó de 20,0 % a 40,0 % de los casos.");
        city.after.new = 0.3;
        city.after.new_categories = vec![category("Manta", 0.3)];
        assert_eq!(say(&city), "Aparecieron valores que el modelo no conoce: «Manta» (30,0 % de los casos).");
        assert_eq!(typical(&city.before, ColumnKind::Text, Voice::new(Language::Es)), "Quito 50 %");
    }

    #[test]
    fn a_column_whose_values_are_not_told_has_changed_all_the_same() {
        let hidden = Summary { rows: 500, ..Summary::default() };
        for kind in [ColumnKind::Number, ColumnKind::Text] {
            let column = FeatureDrift {
                kind,
                before: hidden.clone(),
                after: hidden.clone(),
                ..column("cédula", true)
            };
            assert_eq!(say(&column), "Los valores se reparten de otra manera.");
        }
    }

    #[test]
    fn missing_values_and_reasons_are_told() {
        let empty = FeatureDrift {
            missing_changed: true,
            missing_before: 0.001,
            missing_after: 0.12,
            ..column("edad", false)
        };
        assert_eq!(say(&empty), "Llega vacía en 12,0 % de los casos; antes, en 0,1 %.");
        let reason = Some(Untested::FewValues { values: 12, needed: 30 });
        let few = FeatureDrift { reason, ..column("edad", false) };
        assert_eq!(say(&few), "Hay muy pocos valores para comparar.");
    }
}
