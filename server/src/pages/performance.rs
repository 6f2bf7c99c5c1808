//! How well the model does, in words and a chart: estimated beside real, with the limits of the usual, what it is worth,
//! when retraining will be needed, and whether groups are treated alike.

use chasqui_drift::decision::{Advice, GroupFairness, RetrainingForecast};
use chasqui_drift::performance::Doubt;
use chasqui_pipelines::monitor::performance::{Figure, StoredPerformance, Value, WindowPerformance};
use chasqui_report::chart::{Band, LineChart, Marker, Series, line};
use chasqui_report::{Unit, fill};
use jiff::Timestamp;

use super::drift::ChartView;
use super::voice::{Voice, clip, timestamp};

/// The section on performance.
pub(super) struct PerformanceView {
    /// What is known, the most important first.
    pub(super) sentences: Vec<String>,
    /// Why the estimate must not be believed.
    pub(super) doubts: Vec<String>,
    pub(super) chart: Option<ChartView>,
    pub(super) groups: Vec<GroupView>,
    pub(super) groups_estimated: bool,
}

/// One group of the table.
pub(super) struct GroupView {
    pub(super) name: String,
    pub(super) favourable: String,
    pub(super) beside: String,
    pub(super) treatment: &'static str,
    pub(super) is_unfair: bool,
}

impl PerformanceView {
    /// The view of a version's windows, the oldest first.
    pub(super) fn new(windows: &[StoredPerformance], voice: Voice) -> Self {
        let t = voice.t;
        let Some(last) = windows.iter().rev().find(|window| window.performance.decisive().is_some()) else {
            return Self {
                sentences: vec![t.perf_none.into()],
                doubts: Vec::new(),
                chart: None,
                groups: Vec::new(),
                groups_estimated: false,
            };
        };
        let performance = &last.performance;
        let mut sentences: Vec<String> = quality(performance, voice).into_iter().collect();
        sentences.push(if last.fell { t.perf_fell } else { t.perf_usual }.into());
        sentences.extend(performance.value.as_ref().map(|value| worth(value, voice)));
        sentences.extend(performance.value.as_ref().map(|value| advice(value, voice)));
        sentences.extend(performance.forecast.as_ref().map(|forecast| outlook(forecast, voice)));
        Self {
            sentences,
            doubts: performance.doubts.iter().map(|known| doubt(known, voice)).collect(),
            chart: chart(windows, voice),
            groups: performance.fairness.iter().map(|group| GroupView::new(group, voice)).collect(),
            groups_estimated: !performance.fairness_realized,
        }
    }
}

/// The decisive figure beside that of the held-out rows.
fn quality(performance: &WindowPerformance, voice: Voice) -> Option<String> {
    let t = voice.t;
    let (figure, estimated) = performance.decisive()?;
    let text = match (figure.is_loss(), estimated) {
        (false, true) => t.perf_hits_estimated,
        (false, false) => t.perf_hits_realized,
        (true, true) => t.perf_error_estimated,
        (true, false) => t.perf_error_realized,
    };
    let show = |value: f64| {
        if figure.is_loss() { voice.format.plain(value) } else { voice.format.number(value * 100.0, 0) }
    };
    let before = figure.reference.map_or_else(|| t.nothing_known.to_owned(), show);
    let range = if figure.is_loss() {
        (figure.lower, figure.upper)
    } else {
        (figure.lower.max(0.0), figure.upper.min(1.0))
    };
    let told = fill(
        text,
        &[
            ("before", &before),
            ("now", &show(figure.value)),
            ("low", &show(range.0)),
            ("high", &show(range.1)),
        ],
    );
    if estimated {
        return Some(told);
    }
    let labels = usize::try_from(performance.labels).unwrap_or(usize::MAX);
    Some(format!("{told} ({})", voice.many(t.perf_labels, labels)))
}

fn doubt(doubt: &Doubt, voice: Voice) -> String {
    let t = voice.t;
    match doubt {
        Doubt::TooFewRows { .. } => t.perf_doubt_few.into(),
        Doubt::OutsideReference { share } => {
            fill(t.perf_doubt_outside, &[("share", &voice.format.percent_with(*share, 0))])
        }
        Doubt::ConceptChange { .. } => t.perf_doubt_concept.into(),
    }
}

fn worth(value: &Value, voice: Voice) -> String {
    let loss = value.weekly_loss;
    let text = if loss.dollars >= 0.0 { voice.t.value_loss } else { voice.t.value_gain };
    let money = |dollars: f64| voice.format.money(dollars);
    let (low, high) = loss.interval();
    let (low, high) = if loss.dollars >= 0.0 { (low, high) } else { (-high, -low) };
    let middle = money(loss.dollars.abs());
    fill(text, &[("loss", &middle), ("gain", &middle), ("low", &money(low)), ("high", &money(high))])
}

fn advice(value: &Value, voice: Voice) -> String {
    match value.advice {
        Advice::Retrain { payoff } => {
            fill(voice.t.advice_retrain, &[("net", &voice.format.money(payoff.net))])
        }
        Advice::Wait { week, .. } => fill(voice.t.advice_wait, &[("week", &voice.format.money(week))]),
    }
}

fn outlook(forecast: &RetrainingForecast, voice: Voice) -> String {
    let t = voice.t;
    match forecast {
        RetrainingForecast::TooEarly { .. } => t.outlook_early.into(),
        RetrainingForecast::Now => t.outlook_now.into(),
        RetrainingForecast::NoDate { .. } => t.outlook_none.into(),
        RetrainingForecast::Beyond { .. } => t.outlook_beyond.into(),
        RetrainingForecast::Due { crossing, .. } => {
            let low = crossing.earliest.to_string();
            match crossing.latest {
                Some(latest) => fill(t.outlook_due, &[("low", &low), ("high", &latest.to_string())]),
                None => fill(t.outlook_due_open, &[("low", &low)]),
            }
        }
    }
}

/// Estimated and real over time; none with fewer than two windows.
fn chart(windows: &[StoredPerformance], voice: Voice) -> Option<ChartView> {
    let t = voice.t;
    let last = windows.iter().rev().find_map(|window| window.performance.decisive())?.0;
    let measure = last.measure.clone();
    let timed: Vec<(Timestamp, &StoredPerformance)> =
        windows.iter().filter_map(|window| Some((timestamp(window.window_start)?, window))).collect();
    if timed.len() < 2 {
        return None;
    }
    let of = |figures: fn(&WindowPerformance) -> &[Figure]| -> Vec<Option<Figure>> {
        let find = |window: &StoredPerformance| {
            figures(&window.performance).iter().find(|figure| figure.measure == measure).cloned()
        };
        timed.iter().map(|(_, window)| find(window)).collect()
    };
    let (estimated, realized) = (of(|known| &known.estimated), of(|known| &known.realized));
    let values = |figures: &[Option<Figure>], get: fn(&Figure) -> Option<f64>| -> Vec<Option<f64>> {
        figures.iter().map(|figure| figure.as_ref().and_then(get)).collect()
    };
    let either: Vec<Option<Figure>> = realized
        .iter()
        .zip(&estimated)
        .map(|(real, estimate)| real.clone().or_else(|| estimate.clone()))
        .collect();
    let lower = values(&either, |figure| figure.thresholds.map(|usual| usual.lower));
    let upper = values(&either, |figure| figure.thresholds.map(|usual| usual.upper));
    let series =
        |name: &str, values: Vec<Option<f64>>, dashed: bool| Series { name: name.into(), values, dashed };
    let mut lines = vec![
        series(t.perf_realized, values(&realized, |figure| Some(figure.value)), false),
        series(t.perf_estimated, values(&estimated, |figure| Some(figure.value)), true),
    ];
    // Of a share only the lower limit is a fall, of an error only the upper.
    if last.is_loss() {
        lines.push(series(t.perf_limit_high, upper, true));
    } else {
        lines.push(series(t.perf_limit_low, lower, true));
    }
    lines.retain(|line| line.values.iter().any(Option::is_some));
    let falls = timed.windows(2).filter(|pair| !pair[0].1.fell && pair[1].1.fell).map(|pair| pair[1].0);
    let first = timed.first().filter(|(_, window)| window.fell).map(|(at, _)| *at);
    let mark = |at: Timestamp| Marker { at, label: t.perf_fell.trim_end_matches('.').into(), alert: true };
    let has_band = estimated.iter().any(Option::is_some);
    let band = has_band.then(|| Band {
        name: t.perf_band.into(),
        low: values(&estimated, |figure| Some(figure.lower)),
        high: values(&estimated, |figure| Some(figure.upper)),
    });
    let chart = LineChart {
        title: t.perf_chart.into(),
        description: t.perf_chart_note.into(),
        unit: if last.is_loss() { Unit::Plain } else { Unit::Percent },
        at: timed.iter().map(|(at, _)| *at).collect(),
        series: lines,
        band,
        markers: first.into_iter().chain(falls).map(mark).collect(),
        from_zero: false,
    };
    Some(ChartView { title: t.perf_chart.into(), note: t.perf_chart_note, svg: line(&chart, voice.format) })
}

impl GroupView {
    fn new(group: &GroupFairness, voice: Voice) -> Self {
        let t = voice.t;
        let percent = |share: f64| voice.format.percent_with(share, 0);
        let favourable = group.selection.map_or_else(
            || t.nothing_known.to_owned(),
            |known| {
                format!(
                    "{} ({}–{})",
                    percent(known.rate.rate),
                    percent(known.rate.lower),
                    percent(known.rate.upper)
                )
            },
        );
        let treatment = match group.selection {
            None => t.treatment_few,
            Some(_) if group.unfair() => t.treatment_uneven,
            Some(_) => t.treatment_even,
        };
        Self {
            name: clip(&group.name),
            favourable,
            beside: group.selection.map_or_else(|| t.nothing_known.to_owned(), |known| percent(known.ratio)),
            treatment,
            is_unfair: group.unfair(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chasqui_drift::performance::Thresholds;
    use chasqui_registry::Micros;
    use chasqui_report::Language;

    use super::*;

    fn window(week: i64, value: f64, fell: bool) -> StoredPerformance {
        let start = Micros(1_795_237_200_000_000).plus_seconds(week * 7 * 86_400);
        let figure = Figure {
            measure: "accuracy".into(),
            value,
            sampling_error: 0.007,
            lower: value - 0.02,
            upper: value + 0.02,
            thresholds: Some(Thresholds { lower: 0.8, upper: 0.9 }),
            reference: Some(0.83),
            fell,
        };
        StoredPerformance {
            service: "ventas".into(),
            model: "ventas".into(),
            version: 1,
            window_start: start,
            window_end: start.plus_seconds(7 * 86_400),
            fell,
            performance: WindowPerformance {
                rows: 1000,
                estimated: vec![figure],
                ..WindowPerformance::default()
            },
            updated_at: start,
        }
    }

    #[test]
    fn an_estimate_is_told_with_its_range_and_drawn() {
        let voice = Voice::new(Language::Es);
        let view = PerformanceView::new(&[window(0, 0.83, false), window(1, 0.78, true)], voice);
        assert_eq!(
            view.sentences[0],
            "De cada 100 respuestas, antes acertaba 83; ahora estimamos que acierta 78 (entre 76 y 80)."
        );
        assert_eq!(view.sentences[1], "Es peor que lo usual.");
        let chart = view.chart.unwrap();
        assert!(chart.svg.contains("Estimado") && chart.svg.contains("Límite inferior"));
        assert!(PerformanceView::new(&[window(0, 0.83, false)], voice).chart.is_none());
    }

    #[test]
    fn nothing_known_is_said() {
        let view = PerformanceView::new(&[], Voice::new(Language::En));
        assert_eq!(view.sentences.len(), 1);
        assert!(view.sentences[0].starts_with("It can neither"));
    }
}
