//! The style sheet and the building blocks that reports and dashboard share.
//!
//! Classes of the style sheet, for templates elsewhere:
//!
//! - page: `page` (the column), `wide` (beside `page`: room for a dashboard), `topbar`, `masthead`, `lead`, `muted`, `small`, `num` (tabular figures, right-aligned in tables), `nowrap`;
//! - layout: `grid` (cards that wrap by themselves), `span-all`, `stack`, `row` (a wrapping line of items);
//! - `card` with `card-title` and `card-note`; `stat` with `stat-label`, `stat-value`, `stat-note`;
//! - `badge` with `badge-normal`, `badge-esperado`, `badge-atencion`, `badge-importante`, `badge-urgente`, `badge-neutral`; the same words with `level-` colour the left edge of a card;
//! - tables: `table-scroll` around `<table class="data">`;
//! - `meter` (a share bar made of HTML: [`meter`]), `callout`, `button`, `empty` (nothing to show), `chart`.

use crate::chart::escape;
use crate::format::{Format, Language};
use crate::level::Level;
use crate::texts::Texts;

/// The style sheet of reports and dashboard: light by default, dark where the reader prefers it, printable.
pub const STYLESHEET: &str = include_str!("../templates/style.css");

/// The badge of a level: its sign, its colour and its word.
pub fn badge(level: Level, language: Language) -> String {
    let word = level.word(language);
    format!("<span class=\"badge badge-{}\">{}<span>{word}</span></span>", level.code(), level.icon())
}

/// A grey badge with any text (a state, a count).
pub fn neutral_badge(text: &str) -> String {
    format!("<span class=\"badge badge-neutral\"><span>{}</span></span>", escape(text))
}

/// A share of 1 as a small bar with its percentage, for table cells.
pub fn meter(share: f64, format: Format) -> String {
    let text = format.percent(share);
    let width = if share.is_finite() { (share * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    format!(
        "<span class=\"meter\"><span class=\"meter-track\"><span class=\"meter-fill\" style=\"width:{width:.1}%\"></span></span><span class=\"num\">{text}</span></span>"
    )
}

impl Level {
    /// The level's word: `Importante`.
    pub fn word(self, language: Language) -> &'static str {
        let words = Texts::of(language).levels;
        words[self as usize]
    }

    /// What the level asks of its reader: `Decidir esta semana`.
    pub fn call(self, language: Language) -> &'static str {
        let calls = Texts::of(language).level_calls;
        calls[self as usize]
    }

    /// A sign that differs in shape, not only in colour, as inline SVG.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Normal => {
                r#"<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="8" fill="currentColor"/><path d="M4.4 8.3l2.4 2.4 4.8-5" fill="none" stroke="var(--sign,#fff)" stroke-width="1.8"/></svg>"#
            }
            Self::Esperado => {
                r#"<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><rect width="16" height="16" rx="4" fill="currentColor"/><path d="M3.4 9.6c1.5-3 3-3 4.6-1.6s3.1 1.4 4.6-1.6" fill="none" stroke="var(--sign,#fff)" stroke-width="1.8"/></svg>"#
            }
            Self::Atencion => {
                r#"<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 .8L15.8 15H.2z" fill="currentColor"/><path d="M8 6v4.4M8 11.6v1.6" stroke="var(--sign,#fff)" stroke-width="1.7"/></svg>"#
            }
            Self::Importante => {
                r#"<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 0l8 8-8 8-8-8z" fill="currentColor"/><path d="M8 4v5M8 10.4v1.8" stroke="var(--sign,#fff)" stroke-width="1.8"/></svg>"#
            }
            Self::Urgente => {
                r#"<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7z" fill="currentColor"/><path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" stroke="var(--sign,#fff)" stroke-width="1.8"/></svg>"#
            }
        }
    }
}
