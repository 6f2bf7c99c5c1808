//! What changed in the data, in the words of a manager: sentences, the table of columns and the charts.

mod charts;
mod column;
mod meaning;
pub(super) mod page;

use chasqui_drift::quality::Fault;
use chasqui_drift::{DriftVerdict, FeatureDrift};
use chasqui_pipelines::monitor::StoredVerdict;
use chasqui_report::{Level, fill};

use super::voice::Voice;

pub(super) use charts::ChartView;
pub(super) use column::ColumnView;

/// Unchanged columns beyond this many are not listed.
const MOST_UNCHANGED: usize = 100;

/// The section on drift of a service.
pub(super) struct DriftView {
    pub(super) sentence: String,
    /// What is wrong with the data.
    pub(super) faults: Vec<String>,
    /// What the season makes of the change.
    pub(super) season: Option<String>,
    /// Why no groups are named.
    pub(super) groups: Option<String>,
    /// The stretch of time and its rows.
    pub(super) window: String,
    /// Columns that changed, the strongest first.
    pub(super) changed: Vec<ColumnView>,
    /// The others, the most important first.
    pub(super) unchanged: Vec<ColumnView>,
    pub(super) unchanged_title: String,
    /// The column that changed most, before and now.
    pub(super) distribution: Option<ChartView>,
    /// Verdict by verdict; none with fewer than two.
    pub(super) evolution: Option<ChartView>,
}

impl DriftView {
    /// The view of the latest verdict; `verdicts` are those of the same version, in any order.
    pub(super) fn new(stored: &StoredVerdict, verdicts: &[StoredVerdict], voice: Voice) -> Self {
        let verdict = &stored.verdict;
        let changed = changed(verdict);
        let columns = verdict.features.iter().chain(&verdict.prediction);
        let mut unchanged: Vec<&FeatureDrift> = columns.filter(|column| !has_changed(column)).collect();
        unchanged.sort_by(|a, b| importance(b).total_cmp(&importance(a)));
        unchanged.truncate(MOST_UNCHANGED);
        let view = |column: &&FeatureDrift| column_view(stored, column, voice);
        let rows = voice.many(voice.t.rows, usize::try_from(verdict.rows).unwrap_or(usize::MAX));
        Self {
            sentence: sentence(stored, voice),
            faults: stored.assessment.faults.iter().map(|fault| meaning::fault(fault, voice)).collect(),
            season: stored.assessment.season.as_ref().and_then(|season| meaning::season(season, voice)),
            groups: stored.assessment.too_many_groups.then(|| meaning::too_many_groups(voice)),
            window: voice.many_with(
                voice.t.drift_window,
                verdict.windows,
                &[("to", &voice.at(stored.window_end)), ("rows", &rows)],
            ),
            changed: changed.iter().map(view).collect(),
            unchanged_title: voice.many(voice.t.unchanged_columns, unchanged.len()),
            unchanged: unchanged.iter().map(view).collect(),
            distribution: changed.iter().find_map(|column| charts::distribution(column, voice)),
            evolution: charts::evolution(verdicts, voice),
        }
    }
}

/// The columns that changed, the strongest first.
fn changed(verdict: &DriftVerdict) -> Vec<&FeatureDrift> {
    let columns = verdict.features.iter().chain(&verdict.prediction);
    let mut changed: Vec<&FeatureDrift> = columns.filter(|column| has_changed(column)).collect();
    changed.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    changed
}

/// A column with what is known of its change.
fn column_view(stored: &StoredVerdict, column: &FeatureDrift, voice: Voice) -> ColumnView {
    let answers = stored.verdict.prediction.as_ref().map(|column| column.name.as_str());
    let change = stored.assessment.changes.iter().find(|change| change.column == column.name);
    let change = change.filter(|_| has_changed(column)).and_then(|change| meaning::change(change, voice));
    let mut view = ColumnView::new(column, answers == Some(&column.name), voice);
    if let Some(change) = change {
        view.words = format!("{} {change}", view.words);
    }
    view
}

/// The level that a verdict alone gives: faulty data are important, a change is to be reviewed and so is one that is
/// watched, and one that the season explains is for information.
pub(super) fn level(stored: &StoredVerdict) -> Level {
    let faults = &stored.assessment.faults;
    if stored.verdict.missing_changed || faults.iter().any(Fault::is_damage) {
        Level::Importante
    } else if stored.drifted || stored.assessment.is_watched() || !faults.is_empty() {
        Level::Atencion
    } else if stored.verdict.drifted {
        Level::Esperado
    } else {
        Level::Normal
    }
}

/// What changed, in a sentence or two; what the season explains is told as that.
pub(super) fn sentence(stored: &StoredVerdict, voice: Voice) -> String {
    let is_of_season = stored.assessment.is_explained() || stored.assessment.is_watched();
    let season = stored.assessment.season.as_ref().filter(|_| is_of_season);
    if let Some(told) = season.and_then(|season| meaning::season(season, voice)) {
        return told;
    }
    if stored.assessment.few_rows {
        return voice.t.drift_few.into();
    }
    what_changed(&stored.verdict, voice)
}

fn what_changed(verdict: &DriftVerdict, voice: Voice) -> String {
    let t = voice.t;
    let mut drifted: Vec<&FeatureDrift> = verdict.features.iter().filter(|column| column.drifted).collect();
    drifted.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    let names: Vec<String> = drifted.iter().take(2).map(|column| voice.quoted(&column.name)).collect();
    let incomplete: Vec<&str> = verdict
        .features
        .iter()
        .filter(|column| column.missing_changed)
        .map(|column| column.name.as_str())
        .take(3)
        .collect();
    let changed = match names.as_slice() {
        [] => None,
        [a] => Some(fill(t.drift_one, &[("a", a)])),
        [a, b, ..] if drifted.len() == 2 => Some(fill(t.drift_two, &[("a", a), ("b", b)])),
        [a, b, ..] => Some(voice.many_with(t.drift_many, drifted.len() - 2, &[("a", a), ("b", b)])),
    };
    let missing =
        (!incomplete.is_empty()).then(|| fill(t.drift_missing, &[("names", &voice.list(&incomplete))]));
    let sentences: Vec<String> = missing.into_iter().chain(changed).collect();
    match sentences.as_slice() {
        [] if verdict.prediction.as_ref().is_some_and(has_changed) => t.drift_answers.into(),
        [] => t.drift_none.into(),
        told => told.join(" "),
    }
}

fn has_changed(column: &FeatureDrift) -> bool {
    column.drifted || column.missing_changed
}

/// For ordering: how much more than chance a column moved, faults of the data first.
fn strength(column: &FeatureDrift) -> f64 {
    let fault = if column.missing_changed { 1.0 } else { 0.0 };
    column.effect - column.effect_floor + fault
}

fn importance(column: &FeatureDrift) -> f64 {
    column.importance.unwrap_or(0.0)
}

#[cfg(test)]
pub(super) mod tests {
    use chasqui_drift::calendar::{Event, SeasonalVerdict};
    use chasqui_drift::{Bin, ColumnKind, Summary};
    use chasqui_pipelines::monitor::{Assessment, SeasonReading};
    use chasqui_registry::Micros;
    use chasqui_report::Language;

    use super::*;

    /// A numeric column whose mean went from 100 to 80.
    pub(in super::super) fn column(name: &str, drifted: bool) -> FeatureDrift {
        let summary = |mean: f64, low: f64| Summary {
            rows: 500,
            mean: Some(mean),
            std: Some(10.0),
            histogram: vec![
                Bin { from: 0.0, to: 90.0, share: low },
                Bin { from: 90.0, to: 200.0, share: 1.0 - low },
            ],
            ..Summary::default()
        };
        FeatureDrift {
            name: name.into(),
            kind: ColumnKind::Number,
            importance: Some(0.25),
            test: "ks".into(),
            statistic: 0.4,
            p_value: 0.0001,
            adjusted_p: 0.0002,
            psi: 0.5,
            effect: if drifted { 0.4 } else { 0.02 },
            effect_floor: 0.1,
            windows: 1,
            drifted,
            reason: None,
            missing_before: 0.0,
            missing_after: 0.0,
            missing_p_value: 1.0,
            missing_changed: false,
            before: summary(100.0, 0.2),
            after: summary(if drifted { 80.0 } else { 100.0 }, 0.7),
        }
    }

    pub(in super::super) fn verdict(features: Vec<FeatureDrift>) -> DriftVerdict {
        DriftVerdict {
            drifted: features.iter().any(|column| column.drifted),
            missing_changed: features.iter().any(|column| column.missing_changed),
            rows: 1_250,
            windows: 1,
            features,
            prediction: None,
        }
    }

    pub(in super::super) fn stored(week: i64, verdict: DriftVerdict) -> StoredVerdict {
        let start = Micros(1_795_237_200_000_000).plus_seconds(week * 7 * 86_400);
        StoredVerdict {
            id: week.to_string(),
            service: "ventas".into(),
            model: "ventas".into(),
            version: 1,
            window_start: start,
            window_end: start.plus_seconds(7 * 86_400),
            drifted: verdict.drifted,
            verdict,
            assessment: Assessment::default(),
            created_at: start,
        }
    }

    #[test]
    fn sentences_name_what_changed() {
        let voice = Voice::new(Language::Es);
        let say = |columns: Vec<FeatureDrift>| sentence(&stored(0, verdict(columns)), voice);
        assert_eq!(say(vec![column("a", false)]), "Los datos se parecen a los del entrenamiento.");
        assert!(say(vec![column("precio", true)]).starts_with("Cambió «precio»:"));
        assert!(say(vec![column("a", true), column("b", true)]).starts_with("Cambiaron «a» y «b»:"));
        let four = ["a", "b", "c", "d"].map(|name| column(name, true)).to_vec();
        assert_eq!(say(four), "Cambiaron «a», «b» y 2 columnas más.");
    }

    #[test]
    fn incomplete_data_come_first_and_are_important() {
        let voice = Voice::new(Language::Es);
        let empty = FeatureDrift { missing_changed: true, ..column("edad", false) };
        let told = sentence(&stored(0, verdict(vec![column("precio", true), empty.clone()])), voice);
        assert!(told.starts_with("Llegan datos incompletos en «edad». Cambió «precio»"), "{told}");
        let level = |columns: Vec<FeatureDrift>| level(&stored(0, verdict(columns)));
        assert_eq!(level(vec![empty]), Level::Importante);
        assert_eq!(level(vec![column("a", true)]), Level::Atencion);
        assert_eq!(level(vec![column("a", false)]), Level::Normal);
    }

    #[test]
    fn too_few_rows_are_not_called_alike() {
        let mut few = stored(0, verdict(vec![column("a", false)]));
        few.assessment.few_rows = true;
        let told = sentence(&few, Voice::new(Language::Es));
        assert!(told.contains("muy pocos pedidos"), "{told}");
    }

    #[test]
    fn what_is_watched_is_to_be_reviewed_and_what_a_season_explains_is_not() {
        let of = |season| {
            let reading = SeasonReading {
                verdict: season,
                compared_with: None,
                since: None,
                source: None,
                rows: 0,
                columns: Vec::new(),
            };
            let mut stored = stored(0, verdict(vec![column("a", true)]));
            stored.drifted = false;
            stored.assessment.season = Some(reading);
            level(&stored)
        };
        let since = jiff::civil::date(2026, 2, 14);
        assert_eq!(of(SeasonalVerdict::Watched { event: Event::Carnaval, since }), Level::Atencion);
        assert_eq!(of(SeasonalVerdict::Expected { event: Event::Carnaval, notice: false }), Level::Esperado);
    }

    #[test]
    fn changed_answers_alone_are_told() {
        let mut verdict = verdict(vec![column("a", false)]);
        verdict.prediction = Some(column("prediction", true));
        assert!(
            sentence(&stored(0, verdict), Voice::new(Language::Es)).contains("las respuestas del modelo sí")
        );
    }

    #[test]
    fn the_view_has_the_strongest_change_first_and_both_charts() {
        let weak = FeatureDrift { effect: 0.2, ..column("débil", true) };
        let last = stored(1, verdict(vec![column("igual", false), weak, column("fuerte", true)]));
        let view = DriftView::new(
            &last,
            &[last.clone(), stored(0, verdict(vec![column("fuerte", false)]))],
            Voice::new(Language::Es),
        );
        let names: Vec<&str> = view.changed.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["fuerte", "débil"]);
        assert_eq!(view.unchanged.len(), 1);
        assert!(view.window.contains("1.250 predicciones"), "{}", view.window);
        assert!(view.distribution.is_some_and(|chart| chart.title.contains("fuerte")));
        assert!(view.evolution.is_some_and(|chart| chart.svg.contains("cambio detectado")));
    }
}
