//! Numbers, money, percentages, dates and times as they are written in Ecuador, and in English.
//!
//! Ecuador: `USD 1.384,10`, `20,9 %`, `21 de noviembre de 2026`, `14:05` (time of Guayaquil). A company may
//! prefer the decimal point ([`NumberStyle::Point`]). A number that is NaN, infinite or missing is shown as `—`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands in the place of a number that does not exist.
pub const NO_VALUE: &str = "—";

/// From here on a number is written with an exponent: 15 digits are all that a double carries.
const LARGEST_PLAIN: f64 = 1e15;

/// More decimals than this are never written.
const MAX_DECIMALS: usize = 12;

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Spanish of Ecuador.
    #[default]
    Es,
    /// English.
    En,
}

impl Language {
    /// The language tag for `<html lang>` and `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Es => "es-EC",
            Self::En => "en",
        }
    }

    /// The language that a tag or an `Accept-Language` header asks for first; Spanish unless it is English.
    pub fn of_tag(tag: &str) -> Self {
        if tag.trim_start().get(..2).is_some_and(|start| start.eq_ignore_ascii_case("en")) {
            Self::En
        } else {
            Self::Es
        }
    }
}

/// Which sign separates the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportNumberStyle")]
pub enum NumberStyle {
    /// Comma in Spanish, point in English.
    #[default]
    ByLanguage,
    /// `1.384,10`.
    Comma,
    /// `1,384.10`.
    Point,
}

/// A range of numbers, both ends included; the ends may be given in either order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportRange")]
pub struct Range {
    /// One end.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub low: f64,
    /// The other end.
    #[serde(deserialize_with = "crate::nan::or_nan")]
    #[schemars(with = "Option<f64>")]
    pub high: f64,
}

impl Range {
    /// The range between two numbers.
    pub fn new(a: f64, b: f64) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }
}

/// The unit in which a number is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportUnit")]
pub enum Unit {
    /// Dollars: `USD 1.384,10`.
    Money,
    /// A fraction of 1 told as a percentage: `20,9 %`.
    Percent,
    /// A whole number: `12.480`.
    Count,
    /// A plain number with up to three significant decimals.
    #[default]
    Plain,
    /// A number with a fixed number of decimals and a word after it: `3,5 días`.
    Of {
        /// Decimals.
        decimals: usize,
        /// The word after the number.
        name: String,
    },
}

/// How everything is written: the language, and the company's decimal sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Format {
    /// The language.
    pub language: Language,
    /// The decimal sign.
    pub numbers: NumberStyle,
}

impl Format {
    /// Spanish with decimal comma.
    pub const ECUADOR: Self = Self { language: Language::Es, numbers: NumberStyle::ByLanguage };

    /// The format of a language, with its usual decimal sign.
    pub fn new(language: Language) -> Self {
        Self { language, numbers: NumberStyle::ByLanguage }
    }

    fn uses_comma(self) -> bool {
        match self.numbers {
            NumberStyle::Comma => true,
            NumberStyle::Point => false,
            NumberStyle::ByLanguage => self.language == Language::Es,
        }
    }

    /// `1384.1` with two decimals → `1.384,10`.
    pub fn number(self, value: f64, decimals: usize) -> String {
        if !value.is_finite() {
            return NO_VALUE.into();
        }
        let (decimal, group) = if self.uses_comma() { (',', '.') } else { ('.', ',') };
        if value.abs() >= LARGEST_PLAIN {
            return format!("{value:.2e}").replace('.', &decimal.to_string());
        }
        let plain = format!("{:.*}", decimals.min(MAX_DECIMALS), value.abs());
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let is_zero = plain.bytes().all(|digit| digit == b'0' || digit == b'.');
        let mut text = String::with_capacity(plain.len() + 6);
        if value < 0.0 && !is_zero {
            text.push('-');
        }
        for (position, digit) in whole.char_indices() {
            if position > 0 && (whole.len() - position).is_multiple_of(3) {
                text.push(group);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(decimal);
            text.push_str(fraction);
        }
        text
    }

    /// `12480` → `12.480`.
    pub fn count(self, value: u64) -> String {
        self.number(value as f64, 0)
    }

    /// Dollars: `USD 1.384,10`.
    pub fn money(self, value: f64) -> String {
        if value.is_finite() { format!("USD {}", self.number(value, 2)) } else { NO_VALUE.into() }
    }

    /// A fraction of 1 as a percentage with one decimal: `0.209` → `20,9 %` (English: `20.9%`).
    pub fn percent(self, fraction: f64) -> String {
        self.percent_with(fraction, 1)
    }

    /// A fraction of 1 as a percentage with so many decimals.
    pub fn percent_with(self, fraction: f64, decimals: usize) -> String {
        if !fraction.is_finite() {
            return NO_VALUE.into();
        }
        let space = if self.language == Language::Es { " " } else { "" };
        format!("{}{space}%", self.number(fraction * 100.0, decimals))
    }

    /// A plain number with as many decimals as its size asks for, without trailing zeros: `0,0312`, `83,4`, `1.250`.
    pub fn plain(self, value: f64) -> String {
        if !value.is_finite() {
            return NO_VALUE.into();
        }
        let size = value.abs();
        let decimals = match size {
            _ if size >= 1000.0 || size == 0.0 => 0,
            _ if size >= 100.0 => 1,
            _ if size >= 1.0 => 2,
            _ => (2 - size.log10().floor() as i32).clamp(2, MAX_DECIMALS as i32) as usize,
        };
        let text = self.number(value, decimals);
        let decimal = if self.uses_comma() { ',' } else { '.' };
        if decimals > 0 && text.contains(decimal) {
            return text.trim_end_matches('0').trim_end_matches(decimal).into();
        }
        text
    }

    /// Two numbers told beside each other, with the decimals that their difference asks for: `0,50` and `0,80`.
    pub fn pair(self, a: f64, b: f64) -> (String, String) {
        let gap = (a - b).abs();
        let decimals =
            if gap > 0.0 && gap.is_finite() { (1.0 - gap.log10().floor()).clamp(0.0, 9.0) } else { 2.0 };
        (self.number(a, decimals as usize), self.number(b, decimals as usize))
    }

    /// A value in its unit.
    pub fn value(self, value: f64, unit: &Unit) -> String {
        match unit {
            Unit::Money => self.money(value),
            Unit::Percent => self.percent(value),
            Unit::Count => self.number(value, 0),
            Unit::Plain => self.plain(value),
            Unit::Of { decimals, name } => {
                format!("{} {name}", self.number(value, *decimals)).trim_end().into()
            }
        }
    }

    /// `21 de noviembre de 2026`.
    pub fn date(self, date: Date) -> String {
        let (day, month, year) = (date.day(), self.month(date.month()), date.year());
        match self.language {
            Language::Es => format!("{day} de {month} de {year}"),
            Language::En => format!("{day} {month} {year}"),
        }
    }

    /// `21 de noviembre`.
    pub fn day_and_month(self, date: Date) -> String {
        let (day, month) = (date.day(), self.month(date.month()));
        match self.language {
            Language::Es => format!("{day} de {month}"),
            Language::En => format!("{day} {month}"),
        }
    }

    /// `21 nov`, for axes and narrow tables.
    pub fn short_date(self, date: Date) -> String {
        format!("{} {}", date.day(), self.short_month(date.month()))
    }

    /// From the first to the last day, without repeating month or year: `1 al 21 de noviembre de 2026`.
    pub fn period(self, from: Date, to: Date) -> String {
        let joint = match self.language {
            Language::Es => "al",
            Language::En => "to",
        };
        if from == to {
            self.date(to)
        } else if from.year() != to.year() {
            format!("{} {joint} {}", self.date(from), self.date(to))
        } else if from.month() != to.month() {
            format!("{} {joint} {}", self.day_and_month(from), self.date(to))
        } else {
            format!("{} {joint} {}", from.day(), self.date(to))
        }
    }

    /// The hour in Guayaquil: `14:05`.
    pub fn time(self, at: Timestamp) -> String {
        let local = guayaquil(at);
        format!("{:02}:{:02}", local.hour(), local.minute())
    }

    /// Day and hour in Guayaquil: `21 de noviembre de 2026, 14:05`.
    pub fn datetime(self, at: Timestamp) -> String {
        format!("{}, {}", self.date(local_date(at)), self.time(at))
    }

    /// Day and hour in Guayaquil, short: `21 nov 2026, 14:05`.
    pub fn short_datetime(self, at: Timestamp) -> String {
        let date = local_date(at);
        format!("{} {}, {}", self.short_date(date), date.year(), self.time(at))
    }

    /// A probability as people count: `8 de cada 10`, `97 de cada 100`, `menos de 1 de cada 100`.
    pub fn frequency(self, probability: f64) -> String {
        if !probability.is_finite() {
            return NO_VALUE.into();
        }
        let share = probability.clamp(0.0, 1.0);
        let of = match self.language {
            Language::Es => "de cada",
            Language::En => "out of",
        };
        if (0.095..=0.905).contains(&share) {
            return format!("{} {of} 10", (share * 10.0).round());
        }
        let (less, more) = match self.language {
            Language::Es => ("menos de", "más de"),
            Language::En => ("fewer than", "more than"),
        };
        if share < 0.01 {
            format!("{less} 1 {of} 100")
        } else if share > 0.99 {
            format!("{more} 99 {of} 100")
        } else {
            format!("{} {of} 100", (share * 100.0).round())
        }
    }

    /// The name of a month (1–12).
    pub fn month(self, month: i8) -> &'static str {
        const ES: [&str; 12] = [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ];
        const EN: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let names = match self.language {
            Language::Es => ES,
            Language::En => EN,
        };
        names[(month.clamp(1, 12) - 1) as usize]
    }

    /// The three letters of a month (1–12).
    pub fn short_month(self, month: i8) -> &'static str {
        self.month(month).get(..3).unwrap_or_default()
    }
}

/// The local date in Guayaquil.
pub fn local_date(at: Timestamp) -> Date {
    guayaquil(at).date()
}

/// The moment at which a day begins in Guayaquil.
pub fn start_of_day(date: Date) -> Timestamp {
    date.at(0, 0, 0, 0).to_zoned(time_zone()).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

fn guayaquil(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(time_zone())
}

/// Ecuador's mainland keeps UTC−5 all year, so the fixed offset is the same clock if the database lacks the name.
fn time_zone() -> TimeZone {
    TimeZone::get("America/Guayaquil").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(-5)))
}

/// [`Format::number`] of Ecuador.
pub fn number(value: f64, decimals: usize) -> String {
    Format::ECUADOR.number(value, decimals)
}

/// [`Format::money`] of Ecuador.
pub fn money(value: f64) -> String {
    Format::ECUADOR.money(value)
}

/// [`Format::percent`] of Ecuador.
pub fn percent(fraction: f64) -> String {
    Format::ECUADOR.percent(fraction)
}

/// [`Format::date`] of Ecuador.
pub fn date(date: Date) -> String {
    Format::ECUADOR.date(date)
}

/// [`Format::datetime`] of Ecuador.
pub fn datetime(at: Timestamp) -> String {
    Format::ECUADOR.datetime(at)
}

#[cfg(test)]
#[path = "format/tests.rs"]
mod tests;
