//! The tables of the technical annex: cut to their most important rows, with the rest counted.

use jiff::Timestamp;

use super::charts::ChartView;
use super::{Context, LONGEST_NAME, LONGEST_TEXT, clip};
use crate::chart::{Bar, Bars, bars};
use crate::format::{Format, NO_VALUE, Unit};
use crate::page;
use crate::report::annex::{
    Annex, FeatureTest, GateCheck, GateOutcome, GateReport, Lineage, RolloutEvent, RolloutReport, VersionUse,
};
use crate::texts::{Texts, fill};

/// Rows of each table.
const MOST_FEATURES: usize = 30;
const MOST_BARS: usize = 10;
const MOST_VERSIONS: usize = 12;
const MOST_CHECKS: usize = 20;
const MOST_GUARDS: usize = 5;

/// A long rollout is told by its first and its last events.
const FIRST_EVENTS: usize = 5;
const LAST_EVENTS: usize = 20;

/// Below this a p-value is "< 0,0001".
const SMALLEST_P: f64 = 0.0001;

/// The annex as the template shows it.
pub(super) struct AnnexView {
    pub(super) features_note: String,
    pub(super) features: Vec<FeatureRow>,
    pub(super) features_rest: Option<String>,
    pub(super) chart: Option<ChartView>,
    pub(super) versions: Vec<VersionRow>,
    pub(super) versions_rest: Option<String>,
    pub(super) gate: Option<GateView>,
    pub(super) rollout: Option<RolloutView>,
    pub(super) lineage: Vec<(&'static str, String)>,
}

/// The tests of one column.
pub(super) struct FeatureRow {
    pub(super) feature: String,
    pub(super) test: String,
    pub(super) figures: [String; 7],
    pub(super) drifted: bool,
}

/// One version.
pub(super) struct VersionRow {
    pub(super) version: String,
    pub(super) aliases: String,
    pub(super) share: String,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) sha256: String,
}

/// The gates.
pub(super) struct GateView {
    pub(super) title: String,
    pub(super) outcome: &'static str,
    pub(super) at: String,
    pub(super) checks: Vec<CheckRow>,
    pub(super) rest: Option<String>,
}

/// One gate.
pub(super) struct CheckRow {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) figures: [String; 4],
    pub(super) outcome: &'static str,
}

/// The rollout.
pub(super) struct RolloutView {
    pub(super) title: String,
    pub(super) state: String,
    pub(super) id: String,
    pub(super) events: Vec<EventRow>,
}

/// One step of the rollout, or the note that some are not shown.
pub(super) struct EventRow {
    pub(super) at: String,
    pub(super) state: String,
    pub(super) weight: String,
    pub(super) reason: String,
    pub(super) guards: Vec<String>,
}

/// Cuts the annex to what the page shows.
pub(super) fn view(context: &Context) -> AnnexView {
    let annex = &context.report.draft().annex;
    let (format, texts) = (context.format, context.texts);
    let features = sorted(&annex.features);
    let rest = features.get(MOST_FEATURES..).unwrap_or_default();
    AnnexView {
        features_note: features_note(annex, format, texts),
        features: features.iter().take(MOST_FEATURES).map(|test| feature_row(test, format)).collect(),
        features_rest: (!rest.is_empty()).then(|| {
            let drifted = rest.iter().filter(|test| test.drifted).count();
            let (count, drifted) = (format.count(rest.len() as u64), format.count(drifted as u64));
            fill(texts.features_rest, &[("count", &count), ("drifted", &drifted)])
        }),
        chart: chart(context, &features),
        versions: annex
            .versions
            .iter()
            .take(MOST_VERSIONS)
            .map(|used| version_row(used, format, texts))
            .collect(),
        versions_rest: more(annex.versions.len(), MOST_VERSIONS, format, texts),
        gate: annex.gate.as_ref().map(|gate| gate_view(gate, format, texts)),
        rollout: annex.rollout.as_ref().map(|rollout| rollout_view(rollout, format, texts)),
        lineage: lineage(&annex.lineage, format, texts),
    }
}

/// Drifted columns first, then by importance, then by evidence; the name decides ties.
fn sorted(features: &[FeatureTest]) -> Vec<&FeatureTest> {
    let mut features: Vec<&FeatureTest> = features.iter().collect();
    let importance = |test: &FeatureTest| crate::nan::finite(test.importance).unwrap_or(0.0);
    features.sort_by(|a, b| {
        (b.drifted.cmp(&a.drifted))
            .then(importance(b).total_cmp(&importance(a)))
            .then(a.adjusted_p.total_cmp(&b.adjusted_p))
            .then(a.feature.cmp(&b.feature))
    });
    features
}

fn features_note(annex: &Annex, format: Format, texts: &Texts) -> String {
    if annex.features.is_empty() {
        return texts.no_features.into();
    }
    let windows = annex.windows.map_or_else(|| NO_VALUE.into(), |windows| format.count(windows));
    let alpha = optional(annex.alpha, format);
    fill(texts.features_note, &[("windows", &windows), ("alpha", &alpha)])
}

fn feature_row(test: &FeatureTest, format: Format) -> FeatureRow {
    FeatureRow {
        feature: clip(&test.feature, LONGEST_NAME),
        test: clip(&test.test, LONGEST_NAME),
        figures: [
            distance(test.statistic, format),
            p_value(test.p_value, format),
            p_value(test.adjusted_p, format),
            distance(test.psi, format),
            distance(test.effect, format),
            distance(test.effect_floor, format),
            test.importance.map_or_else(|| NO_VALUE.into(), |importance| format.percent(importance)),
        ],
        drifted: test.drifted,
    }
}

/// Three decimals, so that the figures of a column stand under one another.
fn distance(value: f64, format: Format) -> String {
    if value.abs() < 1000.0 { format.number(value, 3) } else { format.plain(value) }
}

fn p_value(p: f64, format: Format) -> String {
    if p < SMALLEST_P { format!("< {}", format.plain(SMALLEST_P)) } else { format.number(p, 4) }
}

/// How many times its floor each change reached; none when no column has a floor.
fn chart(context: &Context, features: &[&FeatureTest]) -> Option<ChartView> {
    let texts = context.texts;
    let bar = |test: &&FeatureTest| {
        let value = test.effect / test.effect_floor;
        value.is_finite().then(|| Bar {
            label: clip(&test.feature, LONGEST_NAME),
            value,
            alert: test.drifted,
        })
    };
    let drawn: Vec<Bar> = features.iter().filter_map(bar).take(MOST_BARS).collect();
    if drawn.is_empty() {
        return None;
    }
    let chart = Bars {
        title: texts.features_chart.into(),
        description: texts.features_chart.into(),
        unit: Unit::Plain,
        bars: drawn,
    };
    Some(ChartView {
        title: texts.features_chart.into(),
        note: String::new(),
        svg: bars(&chart, context.format),
    })
}

fn version_row(used: &VersionUse, format: Format, texts: &Texts) -> VersionRow {
    let aliases: Vec<String> = used.aliases.iter().take(4).map(|alias| clip(alias, 30)).collect();
    VersionRow {
        version: clip(&used.version, LONGEST_NAME),
        aliases: aliases.join(", "),
        share: page::meter(used.share, format),
        since: moment(used.since, format),
        until: used.until.map_or_else(|| texts.still.into(), |until| format.short_datetime(until)),
        sha256: used.sha256.as_deref().map_or_else(|| NO_VALUE.into(), |hash| clip(hash, 13)),
    }
}

fn gate_view(gate: &GateReport, format: Format, texts: &'static Texts) -> GateView {
    let row = |check: &GateCheck| CheckRow {
        name: clip(&check.name, LONGEST_NAME),
        detail: check.detail.as_deref().map(|detail| clip(detail, LONGEST_TEXT)).unwrap_or_default(),
        figures: [
            optional(check.champion, format),
            optional(check.candidate, format),
            optional(check.difference, format),
            interval(check, format),
        ],
        outcome: outcome(check.outcome, texts),
    };
    let (candidate, champion) = (clip(&gate.candidate, LONGEST_NAME), clip(&gate.champion, LONGEST_NAME));
    GateView {
        title: fill(texts.gate_title, &[("candidate", &candidate), ("champion", &champion)]),
        outcome: outcome(gate.outcome, texts),
        at: gate.at.map(|at| format.datetime(at)).unwrap_or_default(),
        checks: gate.checks.iter().take(MOST_CHECKS).map(row).collect(),
        rest: more(gate.checks.len(), MOST_CHECKS, format, texts),
    }
}

fn interval(check: &GateCheck, format: Format) -> String {
    match (crate::nan::finite(check.low), crate::nan::finite(check.high)) {
        (None, None) => NO_VALUE.into(),
        (low, high) => format!("{} … {}", optional(low, format), optional(high, format)),
    }
}

fn outcome(outcome: GateOutcome, texts: &Texts) -> &'static str {
    match outcome {
        GateOutcome::Passed => texts.gate_passed,
        GateOutcome::Failed => texts.gate_failed,
        GateOutcome::Undecided => texts.gate_undecided,
    }
}

fn rollout_view(rollout: &RolloutReport, format: Format, texts: &Texts) -> RolloutView {
    let skipped = rollout.events.len().saturating_sub(FIRST_EVENTS + LAST_EVENTS);
    let (first, last) = rollout.events.split_at(FIRST_EVENTS.min(rollout.events.len()));
    let mut events: Vec<EventRow> = first.iter().map(|event| event_row(event, format, texts)).collect();
    if skipped > 0 {
        events.push(EventRow {
            at: String::new(),
            state: fill(texts.rollout_skipped, &[("count", &format.count(skipped as u64))]),
            weight: String::new(),
            reason: String::new(),
            guards: Vec::new(),
        });
    }
    events.extend(last.iter().skip(skipped).map(|event| event_row(event, format, texts)));
    RolloutView {
        title: fill(texts.rollout_title, &[("version", &clip(&rollout.version, LONGEST_NAME))]),
        state: fill(texts.rollout_state, &[("state", &clip(&rollout.state, LONGEST_NAME))]),
        id: clip(&rollout.id, LONGEST_NAME),
        events,
    }
}

fn event_row(event: &RolloutEvent, format: Format, texts: &Texts) -> EventRow {
    let guard = |guard: &crate::report::annex::Guard| {
        let (evidence, threshold) = (format.plain(guard.evidence), format.plain(guard.threshold));
        let metric = clip(&guard.metric, 30);
        fill(texts.guard, &[("metric", &*metric), ("evidence", &*evidence), ("threshold", &*threshold)])
    };
    EventRow {
        at: format.short_datetime(event.at),
        state: clip(&event.state, LONGEST_NAME),
        weight: event
            .weight
            .map(|weight| fill(texts.rollout_weight, &[("share", &format.percent(weight))]))
            .unwrap_or_default(),
        reason: event.reason.as_deref().map(|reason| clip(reason, LONGEST_TEXT)).unwrap_or_default(),
        guards: event.guards.iter().take(MOST_GUARDS).map(guard).collect(),
    }
}

fn lineage(lineage: &Lineage, format: Format, texts: &Texts) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.as_deref().map(|value| clip(value, 80));
    [
        (texts.lineage_version, text(&lineage.version)),
        (texts.lineage_dataset, text(&lineage.dataset)),
        (texts.lineage_dataset_sha, text(&lineage.dataset_sha256)),
        (texts.lineage_run, text(&lineage.run)),
        (texts.lineage_parent, text(&lineage.parent)),
        (texts.lineage_algorithm, text(&lineage.algorithm)),
        (texts.lineage_code, text(&lineage.code)),
        (texts.lineage_trained, lineage.trained_at.map(|at| format.datetime(at))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn optional(value: Option<f64>, format: Format) -> String {
    value.map_or_else(|| NO_VALUE.into(), |value| format.plain(value))
}

fn moment(at: Option<Timestamp>, format: Format) -> String {
    at.map_or_else(|| NO_VALUE.into(), |at| format.short_datetime(at))
}

fn more(all: usize, shown: usize, format: Format, texts: &Texts) -> Option<String> {
    let rest = all.saturating_sub(shown);
    (rest > 0).then(|| fill(texts.and_more, &[("count", &format.count(rest as u64))]))
}
