//! The report: its figures, the rules they must keep, and the page.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::format::{Language, NumberStyle};
use crate::level::{Facts, Level};
use crate::view;

pub(crate) mod annex;
pub(crate) mod body;
pub(crate) mod history;

use annex::Annex;
use body::{Change, Confidence, Fairness, Inaction, Money, Quality, Recommendation, Season};
use history::History;

/// A report names at most this many changes.
pub const MAX_CHANGES: usize = 3;

/// The days that a report covers, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportPeriod")]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// Every figure of a report, before its rules were checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportDraft")]
pub struct Draft {
    /// The service that the report is about.
    pub service: String,
    /// The company's name.
    #[serde(default)]
    pub company: Option<String>,
    /// Whom the data are about, with the article (`los clientes`); "los datos" without it.
    #[serde(default)]
    pub subject: Option<String>,
    /// When the figures were computed.
    pub generated_at: Timestamp,
    /// The days covered.
    pub period: Period,
    /// How the company writes decimals.
    #[serde(default)]
    pub numbers: NumberStyle,
    /// The facts that decide the level.
    pub facts: Facts,
    /// How good the answers are, when known or estimated.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// What changed, the most important first; the first [`MAX_CHANGES`] are kept.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// What it means in dollars.
    #[serde(default)]
    pub money: Money,
    /// Whether the season explains it.
    #[serde(default)]
    pub season: Season,
    /// What to do, who, until when.
    pub recommendation: Recommendation,
    /// What happens otherwise.
    #[serde(default)]
    pub inaction: Inaction,
    /// How sure this is.
    #[serde(default)]
    pub confidence: Confidence,
    /// Whether groups are treated alike.
    #[serde(default)]
    pub fairness: Fairness,
    /// Day by day, for the charts.
    #[serde(default)]
    pub history: History,
    /// For engineers and auditors.
    #[serde(default)]
    pub annex: Annex,
}

/// A report whose rules hold:
///
/// - its level is the one that [`Level::of`] gives to its facts;
/// - orange and red have a responsible and a due date;
/// - the period does not end before it begins;
/// - it names at most [`MAX_CHANGES`] changes.
///
/// As JSON it is its [`Draft`] with the level added; reading it checks the rules again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Draft")]
pub struct Report {
    level: Level,
    #[serde(flatten)]
    draft: Draft,
}

impl Report {
    /// Checks the rules and decides the level.
    ///
    /// # Errors
    /// [`ReportError::Invalid`] when a rule of the report does not hold.
    pub fn new(mut draft: Draft) -> Result<Self, ReportError> {
        let level = Level::of(&draft.facts);
        if draft.service.trim().is_empty() {
            return Err(ReportError::Invalid("service is empty: name the service".into()));
        }
        if draft.period.to < draft.period.from {
            let Period { from, to } = draft.period;
            return Err(ReportError::Invalid(format!("period ends on {to}, before it begins on {from}")));
        }
        if level.needs_responsible() {
            let named = draft.recommendation.responsible.as_deref().is_some_and(|who| !who.trim().is_empty());
            if !named {
                let message =
                    format!("recommendation.responsible is missing: level {} needs one", level.code());
                return Err(ReportError::Invalid(message));
            }
            if draft.recommendation.due.is_none() {
                let message = format!("recommendation.due is missing: level {} needs a date", level.code());
                return Err(ReportError::Invalid(message));
            }
        }
        draft.changes.truncate(MAX_CHANGES);
        Ok(Self { level, draft })
    }

    /// The level that the facts give.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The figures.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The one sentence of the verdict, for notifications and lists.
    pub fn verdict(&self, language: Language) -> String {
        view::verdict(self, language)
    }

    /// The whole report as one self-contained page (style and charts inside, no script), smaller than 300 kB
    /// whatever the input: lists are cut and say how much was left out, long texts are shortened.
    ///
    /// # Errors
    /// [`ReportError::Internal`] when the page cannot be written.
    pub fn html(&self, language: Language) -> Result<String, ReportError> {
        view::html(self, language)
    }
}

impl TryFrom<Draft> for Report {
    type Error = ReportError;

    fn try_from(draft: Draft) -> Result<Self, ReportError> {
        Self::new(draft)
    }
}
