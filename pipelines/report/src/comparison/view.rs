//! From figures to the page.

use askama::Template;

use super::cards::{self, Shown};
use super::sentences::{LONGEST_NAME, Sentences, is_tested};
use super::texts::ComparisonTexts;
use super::{Comparison, ComparisonRules, LeftOutReason, LineScore, TestLine};
use crate::error::ReportError;
use crate::format::Language;
use crate::level::Level;
use crate::page;
use crate::texts::fill;
use crate::view::clip;

/// The page that the template writes.
#[derive(Template)]
#[template(path = "comparison.html")]
struct Page {
    t: &'static ComparisonTexts,
    language: &'static str,
    style: &'static str,
    title: String,
    current: String,
    reference: String,
    generated: String,
    level: &'static str,
    badge: String,
    verdict: String,
    rules: String,
    sampling: Vec<String>,
    stats: Vec<[String; 3]>,
    cards: Vec<String>,
    drawn: String,
    lines: Vec<[String; 5]>,
    missing: Option<String>,
    left_out: Vec<String>,
    reading: Vec<String>,
}

/// The whole page.
pub(super) fn html(comparison: &Comparison, language: Language) -> Result<String, ReportError> {
    let tell = Sentences::new(language);
    let t = tell.t;
    let (level, badge) = match (comparison.drifted, comparison.columns.iter().any(is_tested)) {
        (true, _) => (Level::Importante.code(), cards::sign(Level::Importante, t.badge_drift)),
        (false, true) => (Level::Normal.code(), cards::sign(Level::Normal, t.badge_same)),
        (false, false) => ("neutral", page::neutral_badge(t.not_tested)),
    };
    let Shown { drawn: cards, lines, missing } = cards::shown(&comparison.columns, tell)?;
    let (current, reference) =
        (clip(&comparison.current.name, LONGEST_NAME), clip(&comparison.reference.name, LONGEST_NAME));
    let count = |number: usize| tell.format.count(number as u64);
    let drawn = if cards.len() == comparison.columns.len() {
        t.order.into()
    } else {
        let (drawn, all) = (count(cards.len()), count(comparison.columns.len()));
        fill(t.drawn, &[("drawn", &drawn), ("count", &all)])
    };
    let page = Page {
        t,
        language: language.tag(),
        style: page::STYLESHEET,
        title: fill(t.title, &[("current", &current), ("reference", &reference)]),
        current,
        reference,
        generated: fill(t.generated, &[("datetime", &tell.format.datetime(comparison.generated_at))]),
        level,
        badge,
        verdict: tell.verdict(comparison),
        rules: tell.rules(comparison.rules),
        sampling: comparison
            .sampling
            .as_ref()
            .map(|sampling| tell.sampling(comparison, sampling))
            .unwrap_or_default(),
        stats: stats(comparison, tell),
        cards,
        drawn,
        lines,
        missing: (missing > 0).then(|| fill(t.rest_missing, &[("count", &count(missing))])),
        left_out: left_out(comparison, tell),
        reading: reading(comparison, tell),
    };
    Ok(page.render()?)
}

/// Label, value, note.
fn stats(comparison: &Comparison, tell: Sentences) -> Vec<[String; 3]> {
    let t = tell.t;
    let rows = |rows: u64| fill(t.rows, &[("rows", &tell.format.count(rows))]);
    let count = |count: usize| tell.format.count(count as u64);
    let tested = comparison.columns.iter().filter(|column| is_tested(column)).count();
    let drifted = comparison.columns.iter().filter(|column| column.drifted).count();
    let name = |name: &str| clip(name, LONGEST_NAME);
    vec![
        [t.stat_reference.into(), rows(comparison.reference.rows), name(&comparison.reference.name)],
        [t.stat_current.into(), rows(comparison.current.rows), name(&comparison.current.name)],
        [t.stat_columns.into(), count(tested), String::new()],
        [t.stat_drifted.into(), count(drifted), String::new()],
    ]
}

fn left_out(comparison: &Comparison, tell: Sentences) -> Vec<String> {
    let sentence = |text, names: &[String]| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        fill(text, &[("names", &tell.names(&names))])
    };
    let text = |why| match why {
        LeftOutReason::OnlyInReference => tell.t.left_out_reference,
        LeftOutReason::OnlyInCurrent => tell.t.left_out_current,
        LeftOutReason::Times => tell.t.left_out_times,
        LeftOutReason::TimesInOne => tell.t.left_out_times_in_one,
        LeftOutReason::NotAsked => tell.t.left_out_not_asked,
    };
    comparison.left_out.iter().map(|left_out| sentence(text(left_out.why), &left_out.names)).collect()
}

/// How to read the kinds of tests that are on the page.
fn reading(comparison: &Comparison, tell: Sentences) -> Vec<String> {
    let lines = || comparison.columns.iter().flat_map(|column| &column.tests);
    let of_kind = |kind: LineScore| {
        let mut names: Vec<&str> = Vec::new();
        for test in lines().filter(|test: &&TestLine| test.score_kind == kind) {
            if !names.contains(&test.name) {
                names.push(test.name);
            }
        }
        (!names.is_empty()).then(|| names.join(", "))
    };
    let kinds = [
        (LineScore::PValue, tell.t.reading_p_value),
        (LineScore::Distance, tell.t.reading_distance),
        (LineScore::AreaUnderCurve, tell.t.reading_auc),
    ];
    let mut reading: Vec<String> = kinds
        .into_iter()
        .filter_map(|(kind, text)| Some(fill(text, &[("tests", &of_kind(kind)?)])))
        .collect();
    let both = lines().any(|test| test.decides) && lines().any(|test| !test.decides);
    if both && matches!(comparison.rules, ComparisonRules::Calibrated { .. }) {
        reading.push(tell.t.reading_decides.into());
    }
    reading
}
