//! The charts of the body.

use jiff::Timestamp;
use jiff::civil::Date;

use super::sentences::label;
use super::{Context, LONGEST_NAME, clip, sides};
use crate::chart::{
    Band, HistogramCells, HistogramPair, LineChart, Marker, Series, ShareHistory, ShareSeries,
    histogram_pair, line, share_history,
};
use crate::format::{Unit, start_of_day};
use crate::report::body::Distribution;
use crate::report::history::{Day, Event, EventKind, History};
use crate::texts::fill;

/// Categories handed to the chart.
const MOST_CATEGORIES: usize = 12;

/// One chart with its heading.
pub(super) struct ChartView {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) svg: String,
}

/// Before and now, of the first change that has a distribution.
pub(super) fn distribution(context: &Context) -> Option<ChartView> {
    let (format, texts) = (context.format, context.texts);
    let changes = &context.report.draft().changes;
    let (change, distribution) =
        changes.iter().find_map(|change| Some((change, change.distribution.as_ref()?)))?;
    let (before, after) = sides(distribution);
    let cells = match distribution {
        Distribution::Intervals { edges, .. } => HistogramCells::Intervals {
            edges: edges.iter().map(|edge| edge.unwrap_or(f64::NAN)).collect(),
            unit: change.unit.clone(),
        },
        Distribution::Categories(cells) => HistogramCells::Categories(
            cells.iter().take(MOST_CATEGORIES).map(|cell| clip(&cell.label, LONGEST_NAME)).collect(),
        ),
    };
    let unit = match (distribution, &change.unit) {
        (Distribution::Intervals { .. }, Unit::Money) => " (USD)".into(),
        (Distribution::Intervals { .. }, Unit::Of { name, .. }) => format!(" ({})", clip(name, LONGEST_NAME)),
        _ => String::new(),
    };
    let title = format!("{}{unit}", fill(texts.chart_distribution, &[("label", &label(change))]));
    let chart = HistogramPair {
        title: title.clone(),
        description: texts.chart_distribution_note.into(),
        before_name: texts.before.into(),
        after_name: texts.now.into(),
        cells,
        before,
        after,
    };
    let svg = histogram_pair(&chart, format);
    Some(ChartView { title, note: texts.chart_distribution_note.into(), svg })
}

/// Day by day: predicted and actual, the error, the answers, the versions; what there are figures for.
pub(super) fn history(context: &Context) -> Vec<ChartView> {
    let history = &context.report.draft().history;
    let mut charts = Vec::new();
    if history.days.is_empty() {
        return charts;
    }
    charts.extend(predicted_and_actual(context, history));
    charts.extend(error(context, history));
    charts.push(volume(context, history));
    charts.extend(shares(context, history));
    charts
}

fn predicted_and_actual(context: &Context, history: &History) -> Option<ChartView> {
    let texts = context.texts;
    let has =
        |of: fn(&Day) -> Option<f64>| history.days.iter().any(|day| crate::nan::finite(of(day)).is_some());
    let (predicted, actual) = (has(|day| day.predicted), has(|day| day.actual));
    if !predicted && !actual {
        return None;
    }
    let title = match &history.target {
        _ if !actual => texts.chart_predicted_only.into(),
        Some(target) => {
            fill(texts.chart_daily_of, &[("target", &crate::texts::capitalised(&clip(target, LONGEST_NAME)))])
        }
        None => texts.chart_daily.into(),
    };
    let mut series = Vec::new();
    if predicted {
        let values = history.days.iter().map(|day| day.predicted).collect();
        series.push(Series { name: texts.series_predicted.into(), values, dashed: actual });
    }
    if actual {
        let values = history.days.iter().map(|day| day.actual).collect();
        series.push(Series { name: texts.series_actual.into(), values, dashed: false });
    }
    let band = (has(|day| day.low) && has(|day| day.high)).then(|| Band {
        name: texts.series_band.into(),
        low: history.days.iter().map(|day| day.low).collect(),
        high: history.days.iter().map(|day| day.high).collect(),
    });
    Some(over_days(context, title, history.unit.clone(), series, band))
}

fn error(context: &Context, history: &History) -> Option<ChartView> {
    let values: Vec<Option<f64>> = history.days.iter().map(|day| day.error).collect();
    values.iter().copied().find_map(crate::nan::finite)?;
    let series = vec![Series { name: context.texts.series_error.into(), values, dashed: false }];
    Some(over_days(context, context.texts.chart_error.into(), history.unit.clone(), series, None))
}

fn volume(context: &Context, history: &History) -> ChartView {
    let values = history.days.iter().map(|day| Some(day.predictions as f64)).collect();
    let series = vec![Series { name: context.texts.series_volume.into(), values, dashed: false }];
    over_days(context, context.texts.chart_volume.into(), Unit::Count, series, None)
}

/// A line chart over the days of the history, with its marks and a description in words.
fn over_days(
    context: &Context,
    title: String,
    unit: Unit,
    series: Vec<Series>,
    band: Option<Band>,
) -> ChartView {
    let (format, texts) = (context.format, context.texts);
    let history = &context.report.draft().history;
    let values =
        || series.iter().flat_map(|line| line.values.iter().flatten()).filter(|value| value.is_finite());
    let low = values().copied().fold(f64::INFINITY, f64::min);
    let high = values().copied().fold(f64::NEG_INFINITY, f64::max);
    let dates: Vec<Date> = history.days.iter().map(|day| day.date).collect();
    let period = match (dates.first(), dates.last()) {
        (Some(first), Some(last)) => format.period(*first, *last),
        _ => String::new(),
    };
    let (low, high) = (format.value(low, &unit), format.value(high, &unit));
    let note = fill(texts.chart_from_to, &[("period", &period), ("low", &low), ("high", &high)]);
    let markers = markers(context, &history.events);
    let marks: Vec<String> = history
        .events
        .iter()
        .take(6)
        .map(|event| format!("{}, {}", format.day_and_month(event.date), event_name(context, event)))
        .collect();
    let description = if marks.is_empty() {
        note
    } else {
        format!("{note} {}", fill(texts.chart_marks, &[("marks", &marks.join("; "))]))
    };
    let chart = LineChart {
        title: title.clone(),
        description,
        from_zero: unit == Unit::Count,
        unit,
        at: dates.into_iter().map(start_of_day).collect(),
        series,
        band,
        markers,
    };
    ChartView { title, note: String::new(), svg: line(&chart, format) }
}

fn event_name(context: &Context, event: &Event) -> String {
    let texts = context.texts;
    let name = match event.kind {
        EventKind::ChangeDetected => texts.event_change,
        EventKind::Retrained => texts.event_retrained,
        EventKind::NewVersion => texts.event_version,
        EventKind::RolledBack => texts.event_rollback,
    };
    match &event.detail {
        Some(detail) => format!("{name}: {}", clip(detail, LONGEST_NAME)),
        None => name.into(),
    }
}

fn markers(context: &Context, events: &[Event]) -> Vec<Marker> {
    let marker = |event: &Event| Marker {
        at: start_of_day(event.date),
        label: event_name(context, event),
        alert: matches!(event.kind, EventKind::ChangeDetected | EventKind::RolledBack),
    };
    events.iter().map(marker).collect()
}

/// The versions in the order of their whole traffic, the largest first.
fn shares(context: &Context, history: &History) -> Option<ChartView> {
    let (format, texts) = (context.format, context.texts);
    if history.shares.is_empty() {
        return None;
    }
    let mut totals: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for share in history.shares.iter().flat_map(|day| &day.shares) {
        *totals.entry(&share.version).or_default() += if share.share.is_finite() { share.share } else { 0.0 };
    }
    let mut versions: Vec<(&str, f64)> = totals.into_iter().collect();
    versions.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let of_version = |version: &str| ShareSeries {
        name: fill(texts.version_name, &[("version", &clip(version, LONGEST_NAME))]),
        values: history
            .shares
            .iter()
            .map(|day| {
                day.shares.iter().filter(|share| share.version == version).map(|share| share.share).sum()
            })
            .collect(),
    };
    let at: Vec<Timestamp> = history.shares.iter().map(|day| start_of_day(day.date)).collect();
    let chart = ShareHistory {
        title: texts.chart_shares.into(),
        description: texts.chart_shares_note.into(),
        at,
        series: versions.iter().map(|(version, _)| of_version(version)).collect(),
    };
    let svg = share_history(&chart, format);
    Some(ChartView { title: texts.chart_shares.into(), note: texts.chart_shares_note.into(), svg })
}
