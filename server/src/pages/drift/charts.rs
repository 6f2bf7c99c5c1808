//! The charts on drift: a column before and now, and how far the columns moved over time.

use chasqui_drift::FeatureDrift;
use chasqui_pipelines::monitor::StoredVerdict;
use chasqui_report::chart::{HistogramCells, HistogramPair, LineChart, Marker, Series, histogram_pair, line};
use chasqui_report::{Unit, fill};
use jiff::Timestamp;

use crate::pages::voice::{Voice, clip, timestamp};

/// Columns drawn over time.
const MOST_LINES: usize = 3;

/// A chart with its title and a note below it.
pub(in crate::pages) struct ChartView {
    pub(in crate::pages) title: String,
    pub(in crate::pages) note: &'static str,
    pub(in crate::pages) svg: String,
}

/// The values of a column in the training data and now; none when they are not comparable cell by cell.
pub(super) fn distribution(column: &FeatureDrift, voice: Voice) -> Option<ChartView> {
    let (old, new) = (&column.before, &column.after);
    let (cells, before, after) = if !old.histogram.is_empty() && old.histogram.len() == new.histogram.len() {
        let mut edges: Vec<f64> = old.histogram.iter().map(|bin| bin.from).collect();
        edges.extend(old.histogram.last().map(|bin| bin.to));
        let shares = |bins: &[chasqui_drift::Bin]| bins.iter().map(|bin| bin.share).collect();
        let cells = HistogramCells::Intervals { edges, unit: Unit::Plain };
        (cells, shares(&old.histogram), shares(&new.histogram))
    } else if !old.categories.is_empty() && old.categories.len() == new.categories.len() {
        let names = old.categories.iter().map(|category| clip(&category.value)).collect();
        let shares = |all: &[chasqui_drift::Category]| all.iter().map(|category| category.share).collect();
        (HistogramCells::Categories(names), shares(&old.categories), shares(&new.categories))
    } else {
        return None;
    };
    let title = fill(voice.t.drift_chart, &[("name", &clip(&column.name))]);
    let chart = HistogramPair {
        title: title.clone(),
        description: voice.t.drift_chart_note.into(),
        before_name: voice.t.before.into(),
        after_name: voice.t.now.into(),
        cells,
        before,
        after,
    };
    Some(ChartView { svg: histogram_pair(&chart, voice.format), title, note: voice.t.drift_chart_note })
}

/// How far the columns that moved most were from the training data in every window.
pub(super) fn evolution(verdicts: &[StoredVerdict], voice: Voice) -> Option<ChartView> {
    let mut ordered: Vec<(Timestamp, &StoredVerdict)> =
        verdicts.iter().filter_map(|stored| Some((timestamp(stored.window_start)?, stored))).collect();
    ordered.sort_by_key(|(at, _)| *at);
    ordered.dedup_by_key(|(at, _)| *at);
    if ordered.len() < 2 {
        return None;
    }
    let series = strongest(&ordered).into_iter().map(|name| Series {
        values: ordered.iter().map(|(_, stored)| effect_of(stored, &name)).collect(),
        name: clip(&name),
        dashed: false,
    });
    let began =
        ordered.windows(2).filter(|pair| !pair[0].1.drifted && pair[1].1.drifted).map(|pair| pair[1].0);
    let first = ordered.first().filter(|(_, stored)| stored.drifted).map(|(at, _)| *at);
    let mark = |at: Timestamp| Marker { at, label: voice.t.drift_found.into(), alert: true };
    let chart = LineChart {
        title: voice.t.drift_over_time.into(),
        description: voice.t.drift_over_time_note.into(),
        unit: Unit::Percent,
        at: ordered.iter().map(|(at, _)| *at).collect(),
        series: series.collect(),
        band: None,
        markers: first.into_iter().chain(began).map(mark).collect(),
        from_zero: true,
    };
    let svg = line(&chart, voice.format);
    Some(ChartView { title: voice.t.drift_over_time.into(), note: voice.t.drift_over_time_note, svg })
}

/// How far one column was from the training data in every window, beside what chance explains.
pub(super) fn trend(column: &FeatureDrift, verdicts: &[StoredVerdict], voice: Voice) -> Option<String> {
    let t = voice.t;
    let mut ordered: Vec<(Timestamp, &StoredVerdict)> =
        verdicts.iter().filter_map(|stored| Some((timestamp(stored.window_start)?, stored))).collect();
    ordered.sort_by_key(|(at, _)| *at);
    ordered.dedup_by_key(|(at, _)| *at);
    if ordered.len() < 2 {
        return None;
    }
    let of = |get: fn(&FeatureDrift) -> f64| -> Vec<Option<f64>> {
        let known = |stored: &StoredVerdict| {
            let mut columns = stored.verdict.features.iter().chain(&stored.verdict.prediction);
            columns.find(|known| known.name == column.name && known.reason.is_none()).map(get)
        };
        ordered.iter().map(|(_, stored)| known(stored)).collect()
    };
    let series = |name: &str, values, dashed| Series { name: name.into(), values, dashed };
    let chart = LineChart {
        title: t.column_trend.into(),
        description: t.drift_over_time_note.into(),
        unit: Unit::Percent,
        at: ordered.iter().map(|(at, _)| *at).collect(),
        series: vec![
            series(t.column_distance, of(|column| column.effect), false),
            series(t.column_trend_floor, of(|column| column.effect_floor), true),
        ],
        band: None,
        markers: Vec::new(),
        from_zero: true,
    };
    Some(line(&chart, voice.format))
}

/// The names of the columns that moved most in any window.
fn strongest(ordered: &[(Timestamp, &StoredVerdict)]) -> Vec<String> {
    let mut most: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for column in ordered.iter().flat_map(|(_, stored)| &stored.verdict.features) {
        let known = most.entry(&column.name).or_default();
        *known = known.max(column.effect);
    }
    let mut ranked: Vec<(&str, f64)> = most.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.into_iter().take(MOST_LINES).map(|(name, _)| name.to_owned()).collect()
}

/// None in windows where the column could not be compared.
fn effect_of(stored: &StoredVerdict, name: &str) -> Option<f64> {
    let column = stored.verdict.features.iter().find(|column| column.name == name)?;
    column.reason.is_none().then_some(column.effect)
}

#[cfg(test)]
mod tests {
    use chasqui_report::Language;

    use super::*;
    use crate::pages::drift::tests::{column, stored, verdict};

    #[test]
    fn one_window_makes_no_line() {
        let voice = Voice::new(Language::Es);
        let one = stored(0, verdict(vec![column("a", true)]));
        assert!(evolution(std::slice::from_ref(&one), voice).is_none());
        assert!(evolution(&[one, stored(1, verdict(vec![column("a", true)]))], voice).is_some());
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let chart = distribution(&column("<script>", true), Voice::new(Language::Es));
        assert!(chart.is_some_and(|chart| !chart.svg.contains("<script>")));
    }

    #[test]
    fn a_column_without_cells_has_no_chart() {
        let mut bare = column("a", true);
        bare.before.histogram.clear();
        assert!(distribution(&bare, Voice::new(Language::Es)).is_none());
    }
}
