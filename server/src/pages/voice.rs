//! How a page speaks: its language, its texts and its formats, and sentences that several pages share.

use chasqui_registry::Micros;
use chasqui_report::format::{Format, NO_VALUE, local_date};
use chasqui_report::{Language, Level, fill};
use jiff::Timestamp;

use super::texts::Texts;

/// Letters that a name from outside may have on a page.
const LONGEST_NAME: usize = 60;

/// A language with its texts and formats.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    pub(super) t: &'static Texts,
    pub(super) format: Format,
}

impl Voice {
    pub(super) fn new(language: Language) -> Self {
        Self { t: Texts::of(language), format: Format::new(language) }
    }

    pub(super) fn language(self) -> Language {
        self.format.language
    }

    /// Day and hour in Guayaquil.
    pub(super) fn at(self, at: Micros) -> String {
        timestamp(at).map_or_else(|| NO_VALUE.into(), |at| self.format.short_datetime(at))
    }

    /// The first and the last day of a stretch of time whose end is the first instant after it.
    pub(super) fn period(self, from: Micros, to: Micros) -> String {
        let (first, last) = (timestamp(from), timestamp(Micros(to.0.saturating_sub(1))));
        match (first, last) {
            (Some(first), Some(last)) => self.format.period(local_date(first), local_date(last)),
            _ => NO_VALUE.into(),
        }
    }

    /// Two figures with the same decimals, as many as the larger one asks for.
    pub(super) fn pair(self, a: f64, b: f64) -> (String, String) {
        let size = a.abs().max(b.abs());
        let decimals = match size {
            _ if size >= 1000.0 || !size.is_finite() => 0,
            _ if size >= 100.0 => 1,
            _ if size >= 1.0 => 2,
            _ if size > 0.0 => (2.0 - size.log10().floor()).clamp(2.0, 9.0) as usize,
            _ => 0,
        };
        (self.format.number(a, decimals), self.format.number(b, decimals))
    }

    /// The singular or the plural, with `{n}` told.
    pub(super) fn many(self, [one, several]: [&str; 2], count: usize) -> String {
        self.many_with([one, several], count, &[])
    }

    /// The same with further values.
    pub(super) fn many_with(self, pair: [&str; 2], count: usize, values: &[(&str, &str)]) -> String {
        let told = self.format.count(count as u64);
        let mut all = vec![("n", told.as_str())];
        all.extend_from_slice(values);
        fill(pair[usize::from(count != 1)], &all)
    }

    /// A name from outside between quotes.
    pub(super) fn quoted(self, name: &str) -> String {
        let name = clip(name);
        match self.language() {
            Language::Es => format!("«{name}»"),
            Language::En => format!("“{name}”"),
        }
    }

    /// `«a», «b» y «c»`.
    pub(super) fn list(self, names: &[&str]) -> String {
        let quoted: Vec<String> = names.iter().map(|name| self.quoted(name)).collect();
        match quoted.split_last() {
            None => String::new(),
            Some((only, [])) => only.clone(),
            Some((last, rest)) => format!("{} {} {last}", rest.join(", "), self.t.and),
        }
    }

    /// The champion and the challenger have words of their own; other aliases keep their names.
    pub(super) fn alias(self, alias: &str) -> String {
        match alias {
            "champion" => self.t.aliases[0].into(),
            "challenger" => self.t.aliases[1].into(),
            other => clip(other),
        }
    }

    /// Who did something; the system is named for what it is.
    pub(super) fn actor(self, actor: &str) -> String {
        if actor == "system" { self.t.automatic.into() } else { clip(actor) }
    }
}

/// The level that a severity or a report's level stands for.
pub(super) fn level_of(code: &str) -> Level {
    Level::ALL.into_iter().find(|level| level.code() == code).unwrap_or(Level::Atencion)
}

/// An instant for the charts; none far outside the years that a calendar has.
pub(super) fn timestamp(at: Micros) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}

/// A name from outside, not longer than a line.
pub(super) fn clip(text: &str) -> String {
    let text = text.trim();
    let mut ends = text.char_indices().skip(LONGEST_NAME).map(|(end, _)| end);
    match ends.next() {
        None => text.into(),
        Some(end) => format!("{}…", text[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Micros = Micros(1_795_280_700_000_000); // 21 November 2026, 17:05 UTC

    #[test]
    fn times_are_those_of_guayaquil() {
        assert_eq!(Voice::new(Language::Es).at(NOON), "21 nov 2026, 12:05");
        assert_eq!(Voice::new(Language::En).at(Micros(i64::MAX)), "—");
    }

    #[test]
    fn the_end_of_a_period_is_not_in_it() {
        let midnight = Micros(1_795_237_200_000_000); // 21 November 2026, 0:00 in Guayaquil
        let voice = Voice::new(Language::Es);
        let week_before = midnight.plus_seconds(-7 * 86_400);
        assert_eq!(voice.period(week_before, midnight), "14 al 20 de noviembre de 2026");
    }

    #[test]
    fn one_is_singular_and_none_is_plural() {
        let voice = Voice::new(Language::Es);
        assert_eq!(voice.many(voice.t.open_alerts, 1), "1 alerta abierta");
        assert_eq!(voice.many(voice.t.open_alerts, 0), "0 alertas abiertas");
        assert_eq!(voice.many(voice.t.rows, 12_480), "12.480 predicciones");
        assert_eq!(Voice::new(Language::En).many(voice.t.rows, 12_480), "12,480 predicciones");
    }

    #[test]
    fn two_figures_have_the_same_decimals() {
        let voice = Voice::new(Language::Es);
        assert_eq!(voice.pair(12.406, 10.1), ("12,41".to_owned(), "10,10".to_owned()));
        assert_eq!(voice.pair(1_250.4, 3.0), ("1.250".to_owned(), "3".to_owned()));
        assert_eq!(voice.pair(0.0312, 0.02), ("0,0312".to_owned(), "0,0200".to_owned()));
        assert_eq!(voice.pair(0.0, f64::NAN), ("0".to_owned(), "—".to_owned()));
    }

    #[test]
    fn names_are_listed_as_people_do_and_cut() {
        let voice = Voice::new(Language::Es);
        assert_eq!(voice.list(&["precio"]), "«precio»");
        assert_eq!(voice.list(&["precio", "ciudad", "día"]), "«precio», «ciudad» y «día»");
        assert_eq!(clip(&"ñ".repeat(70)).chars().count(), 61);
    }

    #[test]
    fn unknown_severities_ask_for_attention() {
        assert_eq!(level_of("urgente"), Level::Urgente);
        assert_eq!(level_of("strange"), Level::Atencion);
    }
}
