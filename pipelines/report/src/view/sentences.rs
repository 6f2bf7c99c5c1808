//! The sentences of the body, in plain words: no statistics by name, always a range, causes as hypotheses.

use super::{ChangeView, Context, LONGEST_NAME, LONGEST_TEXT, clip};
use crate::format::{Format, Range, Unit};
use crate::level::{ChangeFact, Level, PerformanceFact};
use crate::report::body::{Action, Change, Inaction, Measure, Pace, Quality, QualityMeasure, Season};
use crate::texts::{Texts, capitalised, fill};

/// The writer of one report's sentences.
pub(super) struct Sentences<'a>(pub(super) &'a Context<'a>);

impl Sentences<'_> {
    pub(super) fn texts(&self) -> &'static Texts {
        self.0.texts
    }

    pub(super) fn format(&self) -> Format {
        self.0.format
    }

    /// Too few rows, and nothing that must be said all the same.
    pub(super) fn inconclusive(&self) -> bool {
        self.0.report.draft().confidence.too_few_rows() && self.0.report.level() <= Level::Esperado
    }

    /// The one sentence of the verdict.
    pub(super) fn verdict(&self) -> String {
        let (draft, texts) = (self.0.report.draft(), self.texts());
        if self.inconclusive() {
            let rows = self.format().count(draft.confidence.rows_current);
            return fill(texts.verdict_few_rows, &[("rows", &rows)]);
        }
        let facts = &draft.facts;
        match self.0.report.level() {
            Level::Normal if facts.performance == PerformanceFact::Unknown => {
                texts.verdict_normal_unmeasured.into()
            }
            Level::Normal => texts.verdict_normal.into(),
            Level::Esperado => self.expected(),
            Level::Atencion => self.changed(),
            Level::Importante if facts.performance == PerformanceFact::LossLikely => {
                texts.verdict_loss.into()
            }
            Level::Importante => self.near_minimum(facts.days_to_minimum),
            Level::Urgente if facts.data_damaged => texts.verdict_damaged.into(),
            Level::Urgente if facts.group_harmed => texts.verdict_harmed.into(),
            Level::Urgente => texts.verdict_below.into(),
        }
    }

    fn expected(&self) -> String {
        match self.0.report.draft().season {
            Season::Expected { .. } => self.season(),
            _ => self.texts().verdict_season.into(),
        }
    }

    fn near_minimum(&self, days: Option<f64>) -> String {
        let days = days.unwrap_or_default();
        if days < 1.0 {
            return self.texts().verdict_at_minimum.into();
        }
        fill(self.texts().verdict_near, &[("days", &self.format().number(days, 0))])
    }

    /// "The data arriving today do not look like …: their average income went from … to …".
    fn changed(&self) -> String {
        let (draft, texts) = (self.0.report.draft(), self.texts());
        let opening = match draft.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty()) {
            None => texts.verdict_changed.into(),
            Some(subject) => {
                let text = if subject.to_lowercase().starts_with("las ") {
                    texts.verdict_changed_feminine
                } else {
                    texts.verdict_changed_masculine
                };
                fill(text, &[("subject", &capitalised(&clip(subject, LONGEST_NAME)))])
            }
        };
        match draft.changes.first() {
            Some(change) => format!("{opening}: {}.", self.change_sentence(change)),
            None => format!("{opening}."),
        }
    }

    /// What follows the verdict: the quality of the answers.
    pub(super) fn verdict_more(&self) -> Vec<String> {
        let (draft, texts) = (self.0.report.draft(), self.texts());
        if self.inconclusive() {
            return Vec::new();
        }
        let mut sentences = Vec::new();
        if self.0.report.level() > Level::Atencion && draft.facts.change == ChangeFact::Confirmed {
            sentences.push(self.changed());
        }
        match &draft.quality {
            Some(quality) => sentences.push(self.quality(quality)),
            None if draft.facts.performance == PerformanceFact::Unknown => {
                sentences.push(texts.performance_unknown.into());
            }
            None => {}
        }
        if draft.facts.performance == PerformanceFact::WithinRange {
            sentences.push(texts.within_range.into());
        }
        sentences
    }

    fn quality(&self, quality: &Quality) -> String {
        let (format, texts) = (self.format(), self.texts());
        let text = match (&quality.measure, quality.estimated) {
            (QualityMeasure::Hits, true) => texts.hits_estimated,
            (QualityMeasure::Hits, false) => texts.hits_measured,
            (QualityMeasure::Error { .. }, true) => texts.error_estimated,
            (QualityMeasure::Error { .. }, false) => texts.error_measured,
        };
        let show = |value: f64| match &quality.measure {
            QualityMeasure::Hits => format.number(value * 100.0, 0),
            QualityMeasure::Error { unit } => format.value(value, unit),
        };
        let range = ordered(quality.range);
        let sentence = fill(
            text,
            &[
                ("before", &show(quality.before)),
                ("now", &show(quality.now)),
                ("low", &show(range.low)),
                ("high", &show(range.high)),
            ],
        );
        match (&quality.awaited, quality.estimated) {
            (_, false) => sentence,
            (Some(what), true) => {
                format!("{sentence} {}", fill(texts.awaited, &[("awaited", &clip(what, LONGEST_TEXT))]))
            }
            (None, true) => format!("{sentence} {}", texts.awaited_outcomes),
        }
    }

    /// The heading, the two figures and the sentences of one change.
    pub(super) fn change(&self, change: &Change) -> ChangeView {
        let texts = self.texts();
        let label = label(change);
        let name = match (&change.measure, &change.label) {
            (Measure::Mean, Some(_)) => texts.mean_of_label,
            (Measure::Mean, None) => texts.mean_of_column,
            (Measure::Share { .. }, _) => texts.share_of,
            (Measure::Moved, _) => texts.moved_of,
            (Measure::Missing, _) => texts.missing_of,
            (Measure::Prediction, _) => texts.prediction_of,
        };
        let value = share_value(change);
        let mut sentences = Vec::new();
        if let Some(range) = change.range.map(ordered) {
            let (low, high) = (self.figure(change, range.low), self.figure(change, range.high));
            sentences.push(fill(texts.range, &[("low", &low), ("high", &high)]));
        }
        sentences.push(self.pace(&change.pace));
        if let Some(cause) = &change.verified_cause {
            sentences.push(fill(texts.verified, &[("cause", &without_stop(cause))]));
        } else if let Some(event) = &change.coincides_with {
            sentences.push(fill(texts.coincides, &[("event", &without_stop(event))]));
        }
        ChangeView {
            name: capitalised(&fill(name, &[("label", &label), ("value", &value)])),
            before: self.figure(change, change.before),
            after: self.figure(change, change.after),
            sentences,
        }
    }

    fn change_sentence(&self, change: &Change) -> String {
        let texts = self.texts();
        let text = match (&change.measure, &change.label) {
            (Measure::Mean, Some(_)) => texts.sentence_label,
            (Measure::Mean, None) => texts.sentence_column,
            (Measure::Share { .. }, _) => texts.sentence_share,
            (Measure::Moved, _) => texts.sentence_moved,
            (Measure::Missing, _) => texts.sentence_missing,
            (Measure::Prediction, _) => texts.sentence_prediction,
        };
        let (before, after) = (self.figure(change, change.before), self.figure(change, change.after));
        fill(
            text,
            &[
                ("label", &label(change)),
                ("value", &share_value(change)),
                ("before", &before),
                ("after", &after),
            ],
        )
    }

    fn figure(&self, change: &Change, value: f64) -> String {
        match change.measure {
            Measure::Share { .. } | Measure::Moved | Measure::Missing => self.format().percent(value),
            Measure::Mean | Measure::Prediction => self.format().value(value, &short_unit(&change.unit)),
        }
    }

    fn pace(&self, pace: &Pace) -> String {
        let (format, texts) = (self.format(), self.texts());
        match pace {
            Pace::Unknown => texts.pace_unknown.into(),
            Pace::Sudden { on } => fill(texts.sudden, &[("date", &format.day_and_month(*on))]),
            Pace::Gradual { since, weeks_left } => {
                let slow = match since {
                    Some(date) => fill(texts.gradual_since, &[("date", &format.day_and_month(*date))]),
                    None => texts.gradual.into(),
                };
                match weeks_left {
                    Some(weeks) => format!("{slow} {}", self.weeks(texts.weeks_left, *weeks)),
                    None => slow,
                }
            }
        }
    }

    fn weeks(&self, text: &str, weeks: Range) -> String {
        let (weeks, format) = (ordered(weeks), self.format());
        fill(text, &[("low", &format.number(weeks.low, 0)), ("high", &format.number(weeks.high, 0))])
    }

    pub(super) fn money_range(&self, text: &str, range: Range) -> String {
        let format = self.format();
        fill(text, &[("low", &format.money(range.low)), ("high", &format.money(range.high))])
    }

    /// Whether the season explains it.
    pub(super) fn season(&self) -> String {
        let (format, texts) = (self.format(), self.texts());
        match &self.0.report.draft().season {
            Season::Unknown => texts.season_unknown.into(),
            Season::NoChange => texts.season_no_change.into(),
            Season::No => texts.season_no.into(),
            Season::Stronger { times, event } => {
                let values = [("times", &*format.number(*times, 1)), ("event", &*without_stop(event))];
                fill(texts.season_stronger, &values)
            }
            Season::Expected { change, event } => {
                let calm = self.0.report.level() <= Level::Esperado;
                let text = match change {
                    _ if *change > 0.0 && calm => texts.season_up,
                    _ if *change > 0.0 => texts.season_up_only,
                    _ if *change < 0.0 && calm => texts.season_down,
                    _ if *change < 0.0 => texts.season_down_only,
                    _ if calm => texts.season_same,
                    _ => texts.season_same_only,
                };
                let size = format.percent(change.abs());
                fill(text, &[("change", &*size), ("event", &*without_stop(event))])
            }
        }
    }

    /// What is recommended.
    pub(super) fn recommendation(&self) -> Vec<String> {
        let (format, texts) = (self.format(), self.texts());
        let sentence = match &self.0.report.draft().recommendation.action {
            Action::Nothing => texts.do_nothing.into(),
            Action::Review => texts.do_review.into(),
            Action::CheckSource => texts.do_check_source.into(),
            Action::Retrain { cost, avoids_per_month } => return self.retrain(*cost, *avoids_per_month),
            Action::Promote { version } => {
                fill(texts.do_promote, &[("version", &clip(version, LONGEST_NAME))])
            }
            Action::KeepPrevious { withdrawn } => {
                fill(texts.do_keep, &[("version", &clip(withdrawn, LONGEST_NAME))])
            }
            Action::SendOutcomes { per_week } => {
                fill(texts.do_send_outcomes, &[("count", &format.count(*per_week))])
            }
            Action::ProtectGroup { group } => {
                fill(texts.do_protect, &[("group", &clip(group, LONGEST_NAME))])
            }
            Action::Other(text) => clip(text, LONGEST_TEXT),
        };
        vec![sentence]
    }

    fn retrain(&self, cost: Option<f64>, avoids: Option<Range>) -> Vec<String> {
        let (format, texts) = (self.format(), self.texts());
        let mut sentences = vec![texts.do_retrain.into()];
        let cost = crate::nan::finite(cost).map(|cost| format.money(cost));
        let avoids = avoids.map(ordered).map(|range| (format.money(range.low), format.money(range.high)));
        match (cost, avoids) {
            (Some(cost), Some((low, high))) => {
                let values = [("cost", &*cost), ("low", &*low), ("high", &*high)];
                sentences.push(fill(texts.retrain_cost_avoids, &values));
            }
            (Some(cost), None) => sentences.push(fill(texts.retrain_cost, &[("cost", &cost)])),
            (None, Some((low, high))) => {
                sentences.push(fill(texts.retrain_avoids, &[("low", &low), ("high", &high)]));
            }
            (None, None) => {}
        }
        sentences
    }

    /// What happens if nobody does anything.
    pub(super) fn inaction(&self) -> String {
        let texts = self.texts();
        match &self.0.report.draft().inaction {
            Inaction::Unknown => texts.inaction_unknown.into(),
            Inaction::NoConsequence => texts.inaction_none.into(),
            Inaction::LossPerMonth(range) => self.money_range(texts.inaction_loss, ordered(*range)),
            Inaction::RetrainInWeeks(weeks) => self.weeks(texts.inaction_weeks, *weeks),
            Inaction::NoDate => texts.inaction_no_date.into(),
        }
    }

    /// How sure this is.
    pub(super) fn confidence(&self) -> Vec<String> {
        let (format, texts) = (self.format(), self.texts());
        let confidence = &self.0.report.draft().confidence;
        let (current, reference) =
            (format.count(confidence.rows_current), format.count(confidence.rows_reference));
        let mut sentences = Vec::new();
        if confidence.too_few_rows() {
            let needed = format.count(confidence.rows_needed);
            sentences.push(fill(texts.few_rows, &[("rows", &current), ("needed", &needed)]));
        }
        sentences.push(match crate::nan::finite(confidence.certainty) {
            Some(certainty) => fill(texts.certainty, &[("frequency", &format.frequency(certainty))]),
            None => texts.certainty_unknown.into(),
        });
        sentences.push(fill(texts.rows, &[("current", &current), ("reference", &reference)]));
        sentences.push(match confidence.outcomes {
            Some(count) if count > 0 => fill(texts.outcomes, &[("count", &format.count(count))]),
            _ => texts.no_outcomes.into(),
        });
        sentences
    }
}

/// The range with its lower end first.
pub(super) fn ordered(range: Range) -> Range {
    if range.high < range.low { Range::new(range.high, range.low) } else { range }
}

pub(super) fn label(change: &Change) -> String {
    clip(change.label.as_deref().unwrap_or(&change.feature), LONGEST_NAME)
}

fn share_value(change: &Change) -> String {
    match &change.measure {
        Measure::Share { value } => clip(value, LONGEST_NAME),
        _ => String::new(),
    }
}

fn short_unit(unit: &Unit) -> Unit {
    match unit {
        Unit::Of { decimals, name } => Unit::Of { decimals: *decimals, name: clip(name, LONGEST_NAME) },
        other => other.clone(),
    }
}

/// A text from outside that a sentence will end.
fn without_stop(text: &str) -> String {
    clip(text.trim().trim_end_matches('.'), LONGEST_TEXT)
}
