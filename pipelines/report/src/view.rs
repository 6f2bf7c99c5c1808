//! From figures to the page: sentences, charts and tables, and the template that holds them.
//!
//! Every list is cut and every text from outside is shortened here, which keeps the page below 300 kB whatever
//! the input.

use askama::Template;

use crate::error::ReportError;
use crate::format::{Format, Language};
use crate::level::Level;
use crate::page;
use crate::report::Report;
use crate::report::body::{Distribution, DistributionCell, Fairness, QualityMeasure};
use crate::texts::{Texts, fill};

mod annex;
mod charts;
mod money;
mod sentences;

use annex::AnnexView;
use charts::ChartView;
use sentences::Sentences;

/// Letters that a name from outside may have on the page.
const LONGEST_NAME: usize = 60;

/// Letters that a sentence from outside may have on the page.
const LONGEST_TEXT: usize = 240;

/// Groups of people shown; the rest are counted.
const MOST_GROUPS: usize = 12;

/// A report in one language, with what every part of the view needs.
struct Context<'a> {
    report: &'a Report,
    format: Format,
    texts: &'static Texts,
}

impl<'a> Context<'a> {
    fn new(report: &'a Report, language: Language) -> Self {
        let format = Format { language, numbers: report.draft().numbers };
        Self { report, format, texts: Texts::of(language) }
    }
}

/// The page that the template writes.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    t: &'static Texts,
    language: &'static str,
    style: &'static str,
    title: String,
    service: String,
    company: Option<String>,
    period: String,
    generated: String,
    level: &'static str,
    badge: String,
    call: &'static str,
    verdict: String,
    verdict_more: Vec<String>,
    stats: Vec<Stat>,
    changes: Vec<ChangeView>,
    distribution: Option<ChartView>,
    money: String,
    money_missing: Vec<String>,
    season: String,
    recommendation: Vec<String>,
    responsible: Option<String>,
    due: Option<String>,
    inaction: String,
    confidence: Vec<String>,
    fairness: FairnessView,
    charts: Vec<ChartView>,
    annex: AnnexView,
}

/// A figure at a glance.
struct Stat {
    label: &'static str,
    value: String,
    note: String,
}

/// One change on the page.
struct ChangeView {
    name: String,
    before: String,
    after: String,
    sentences: Vec<String>,
}

/// The section on fairness.
#[derive(Default)]
struct FairnessView {
    sentence: String,
    caption: String,
    groups: Vec<[String; 4]>,
    rest: Option<String>,
}

/// The verdict in one sentence.
pub(crate) fn verdict(report: &Report, language: Language) -> String {
    Sentences(&Context::new(report, language)).verdict()
}

/// The whole page.
pub(crate) fn html(report: &Report, language: Language) -> Result<String, ReportError> {
    Ok(page(&Context::new(report, language)).render()?)
}

fn page(context: &Context) -> Page {
    let (draft, format, texts) = (context.report.draft(), context.format, context.texts);
    let level = context.report.level();
    let tell = Sentences(context);
    let service = clip(&draft.service, LONGEST_NAME);
    let inconclusive = tell.inconclusive();
    let (badge, call) = if inconclusive {
        (page::neutral_badge(texts.no_conclusion), "")
    } else {
        (page::badge(level, format.language), level.call(format.language))
    };
    let must_be_shown = level != Level::Normal;
    let person = draft.recommendation.responsible.as_deref().map(|who| clip(who, LONGEST_NAME));
    let due = draft.recommendation.due.map(|due| format.date(due));
    Page {
        t: texts,
        language: format.language.tag(),
        style: page::STYLESHEET,
        title: fill(texts.report_title, &[("service", &service)]),
        service,
        company: draft.company.as_deref().map(|company| clip(company, LONGEST_NAME)),
        period: fill(texts.period, &[("period", &format.period(draft.period.from, draft.period.to))]),
        generated: fill(texts.generated, &[("datetime", &format.datetime(draft.generated_at))]),
        level: if inconclusive { "neutral" } else { level.code() },
        badge,
        call,
        verdict: tell.verdict(),
        verdict_more: tell.verdict_more(),
        stats: stats(context),
        changes: draft.changes.iter().map(|change| tell.change(change)).collect(),
        distribution: charts::distribution(context),
        money: tell.money(),
        money_missing: tell.money_missing(),
        season: tell.season(),
        recommendation: tell.recommendation(),
        responsible: person.or_else(|| must_be_shown.then(|| texts.not_assigned.into())),
        due: due.or_else(|| must_be_shown.then(|| texts.no_due.into())),
        inaction: tell.inaction(),
        confidence: tell.confidence(),
        fairness: fairness(context),
        charts: charts::history(context),
        annex: annex::view(context),
    }
}

fn stats(context: &Context) -> Vec<Stat> {
    let (draft, format, texts) = (context.report.draft(), context.format, context.texts);
    let mut stats = Vec::new();
    if let Some(quality) = &draft.quality {
        let show = |value: f64| match &quality.measure {
            QualityMeasure::Hits => format.number(value * 100.0, 0),
            QualityMeasure::Error { unit } => format.value(value, unit),
        };
        let label = match quality.measure {
            QualityMeasure::Hits => texts.stat_hits,
            QualityMeasure::Error { .. } => texts.stat_error,
        };
        let range = if quality.estimated { texts.stat_range_estimated } else { texts.stat_range_measured };
        let before = fill(texts.stat_was, &[("before", &show(quality.before))]);
        let range = fill(range, &[("low", &show(quality.range.low)), ("high", &show(quality.range.high))]);
        stats.push(Stat { label, value: show(quality.now), note: format!("{before}; {range}") });
    }
    stats.extend(money::at_a_glance(context));
    let answers: u64 = draft.history.days.iter().fold(0, |sum, day| sum.saturating_add(day.predictions));
    if answers > 0 {
        let per_day = answers / draft.history.days.len().max(1) as u64;
        let note = fill(texts.stat_per_day, &[("count", &format.count(per_day))]);
        stats.push(Stat { label: texts.stat_answers, value: format.count(answers), note });
    }
    if let Some(due) = draft.recommendation.due {
        let note = draft.recommendation.responsible.as_deref().unwrap_or_default();
        stats.push(Stat {
            label: texts.stat_due,
            value: format.day_and_month(due),
            note: clip(note, LONGEST_NAME),
        });
    }
    stats
}

fn fairness(context: &Context) -> FairnessView {
    let (draft, format, texts) = (context.report.draft(), context.format, context.texts);
    let harmed = draft.facts.group_harmed;
    let Fairness::Measured { attribute, groups } = &draft.fairness else {
        let sentence = if harmed { texts.fairness_harmed } else { texts.fairness_not_measured };
        return FairnessView { sentence: sentence.into(), ..FairnessView::default() };
    };
    let rest = groups.len().saturating_sub(MOST_GROUPS);
    let row = |group: &crate::report::body::GroupShare| {
        let range = group
            .range
            .map(|range| format!("{} – {}", format.percent(range.low), format.percent(range.high)));
        [
            clip(&group.group, LONGEST_NAME),
            format.percent(group.favourable),
            range.unwrap_or_else(|| crate::format::NO_VALUE.into()),
            format.count(group.cases),
        ]
    };
    FairnessView {
        sentence: if harmed { texts.fairness_harmed } else { texts.fairness_fine }.into(),
        caption: fill(texts.fairness_by, &[("attribute", &clip(attribute, LONGEST_NAME))]),
        groups: groups.iter().take(MOST_GROUPS).map(row).collect(),
        rest: (rest > 0).then(|| fill(texts.and_more, &[("count", &format.count(rest as u64))])),
    }
}

/// Shortens a text to so many letters, with "…" at its end, and to no more than twice as many bytes once it is
/// escaped: what is written is bounded even when every letter is a quotation mark.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let text = text.trim();
    let (mut letters, mut bytes, mut end) = (0, 0, 0);
    for character in text.chars() {
        letters += 1;
        bytes += if matches!(character, '"' | '\'' | '<' | '>' | '&') { 6 } else { character.len_utf8() };
        if letters > most || bytes > 2 * most {
            return format!("{}…", text[..end].trim_end());
        }
        if letters < most {
            end += character.len_utf8();
        }
    }
    text.into()
}

/// The two sides of a distribution as plain columns of numbers; a missing count is none.
fn sides(distribution: &Distribution) -> (Vec<f64>, Vec<f64>) {
    let known = |values: &[Option<f64>]| values.iter().map(|value| value.unwrap_or(0.0)).collect();
    match distribution {
        Distribution::Intervals { before, after, .. } => (known(before), known(after)),
        Distribution::Categories(cells) => {
            let side = |of: fn(&DistributionCell) -> f64| cells.iter().map(of).collect();
            (side(|cell| cell.before), side(|cell| cell.after))
        }
    }
}
