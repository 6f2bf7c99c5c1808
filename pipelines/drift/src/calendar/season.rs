//! The seasons of a year, and the same day of a season one year earlier.

use jiff::civil::{Date, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventName, day, days_between, easter_sunday, national_holidays, shift};

/// A reason for customers to do otherwise, which comes back every year or every month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CalendarEvent")]
pub enum Event {
    /// Thirteenth salary, paid until 24 December, and Christmas shopping.
    DecimoTercero,
    /// Fourteenth salary of Costa and Galápagos, paid until 15 March.
    DecimoCuartoCosta,
    /// Fourteenth salary of Sierra and Amazonía, paid until 15 August.
    DecimoCuartoSierra,
    /// Carnival.
    Carnaval,
    /// Holy Week.
    SemanaSanta,
    /// 2 and 3 November.
    Difuntos,
    /// Second Sunday of May.
    DiaDeLaMadre,
    /// The Friday after the fourth Thursday of November.
    BlackFriday,
    /// Workers' share of profits, paid until 15 April.
    Utilidades,
    /// School begins in Costa and Galápagos, about the first Monday of May.
    ClasesCosta,
    /// School begins in Sierra and Amazonía, about the first Monday of September.
    ClasesSierra,
    /// Salaries of the middle of the month.
    Quincena,
    /// Salaries of the end of the month.
    FinDeMes,
    /// No event: the same weeks of the year before, weekday by weekday.
    MismasFechas,
    /// An event of the company's own.
    Propio(EventName),
}

/// Where an event moves people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CalendarRegion")]
pub enum Region {
    /// Everywhere.
    #[default]
    Nacional,
    /// Coast and Galápagos.
    CostaInsular,
    /// Highlands and Amazonia.
    SierraAmazonia,
}

/// One event of one year: the days from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Season {
    /// What comes.
    pub event: Event,
    /// Where; everywhere when nothing is said.
    #[serde(default)]
    pub region: Region,
    /// The day that distances are counted from.
    pub day: Date,
    /// First day on which it is felt.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

/// The same stretch of a season one year earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterpart {
    /// The season that the stretch lies in.
    pub event: Event,
    /// First day one year earlier.
    pub from: Date,
    /// Last day one year earlier.
    pub to: Date,
}

impl Event {
    /// Its name, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::DecimoTercero => "Décimo tercero / compras de Navidad",
            Self::DecimoCuartoCosta => "Décimo cuarto Costa y Galápagos (pago hasta 15-mar)",
            Self::DecimoCuartoSierra => "Décimo cuarto Sierra y Amazonía (pago hasta 15-ago)",
            Self::Carnaval => "Carnaval",
            Self::SemanaSanta => "Semana Santa",
            Self::Difuntos => "Difuntos e Independencia de Cuenca",
            Self::DiaDeLaMadre => "Día de la Madre (segundo domingo de mayo)",
            Self::BlackFriday => "Black Friday",
            Self::Utilidades => "Utilidades (pago hasta 15-abr)",
            Self::ClasesCosta => "Inicio de clases Costa y Galápagos",
            Self::ClasesSierra => "Inicio de clases Sierra y Amazonía",
            Self::Quincena => "Quincena",
            Self::FinDeMes => "Fin de mes",
            Self::MismasFechas => "Las mismas fechas del año anterior",
            Self::Propio(name) => name.as_str(),
        }
    }

    fn region(self) -> Region {
        match self {
            Self::DecimoCuartoCosta | Self::ClasesCosta => Region::CostaInsular,
            Self::DecimoCuartoSierra | Self::ClasesSierra => Region::SierraAmazonia,
            _ => Region::Nacional,
        }
    }

    /// It comes every month.
    pub fn is_monthly(self) -> bool {
        matches!(self, Self::Quincena | Self::FinDeMes)
    }
}

/// The seasons whose event lies in a year, yearly ones first; those of the end of December reach into the next.
pub fn seasons(year: i16) -> Vec<Season> {
    let easter = easter_sunday(year);
    let (souls_from, souls_to) = november(year);
    let mother = nth(year, 5, 2, Weekday::Sunday);
    let friday = shift(nth(year, 11, 4, Weekday::Thursday), 1);
    let month = |event, month: i8, of_month: i8| {
        let first = day(year, month, 1);
        season(event, day(year, month, of_month), first, first.last_of_month())
    };
    let around =
        |event, on: Date, before: i32, after: i32| season(event, on, shift(on, -before), shift(on, after));
    let mut seasons = vec![
        month(Event::DecimoTercero, 12, 24),
        month(Event::DecimoCuartoCosta, 3, 15),
        month(Event::DecimoCuartoSierra, 8, 15),
        // Carnival Tuesday, from the Friday before to the Thursday after.
        around(Event::Carnaval, shift(easter, -47), 4, 2),
        around(Event::SemanaSanta, easter, 7, 0),
        season(Event::Difuntos, day(year, 11, 2), shift(souls_from, -3), shift(souls_to, 1)),
        around(Event::DiaDeLaMadre, mother, 7, 0),
        around(Event::BlackFriday, friday, 1, 3),
        month(Event::Utilidades, 4, 15),
        around(Event::ClasesCosta, nth(year, 5, 1, Weekday::Monday), 21, 7),
        around(Event::ClasesSierra, nth(year, 9, 1, Weekday::Monday), 21, 7),
    ];
    for number in 1..=12 {
        let middle = payday(day(year, number, 15));
        let end = payday(day(year, number, 1).last_of_month());
        seasons.push(around(Event::Quincena, middle, 0, 2));
        seasons.push(around(Event::FinDeMes, end, 0, 2));
    }
    seasons
}

/// The first and the last day of the school year that begins in `year`, as they usually fall: in Costa and Galápagos
/// from the first Monday of May to the last Friday of February, in Sierra and Amazonía from the first Monday of
/// September to the last Friday of June. None for the whole country, which has no common one. The ministry sets the
/// days of each year; those of a company's schools are edited as seasons.
pub fn school_year(year: i16, region: Region) -> Option<(Date, Date)> {
    let next = year.checked_add(1)?;
    match region {
        Region::Nacional => None,
        Region::CostaInsular => Some((nth(year, 5, 1, Weekday::Monday), nth(next, 2, -1, Weekday::Friday))),
        Region::SierraAmazonia => Some((nth(year, 9, 1, Weekday::Monday), nth(next, 6, -1, Weekday::Friday))),
    }
}

/// School is on in the region on that day.
pub fn school_is_on(date: Date, region: Region) -> bool {
    [date.year().saturating_sub(1), date.year()]
        .into_iter()
        .filter_map(|year| school_year(year, region))
        .any(|(first, last)| (first..=last).contains(&date))
}

/// The stretch one year earlier that is as far from its season's event as `from..=to` is from this year's. None
/// outside every season.
///
/// Of several seasons the one that holds most of the stretch counts, of equals the shorter one; monthly ones only
/// where no yearly one does. `all` are the seasons of the years concerned and of the years before.
pub fn counterpart(all: &[Season], from: Date, to: Date) -> Option<Counterpart> {
    let season = overlapping(all, from, to).into_iter().next()?;
    earlier(all, season, from, to)
}

/// The stretches one year earlier for every season that `from..=to` touches, the one of [`counterpart`] first, and
/// last the same weeks of the year before: 52 weeks earlier, so that every weekday stands where it stood. A week
/// that holds a payday and the end of Carnival is like an earlier one in one of its seasons, if in any.
pub fn counterparts(all: &[Season], from: Date, to: Date) -> Vec<Counterpart> {
    let seasons = overlapping(all, from, to).into_iter();
    let mut found: Vec<Counterpart> = seasons.filter_map(|season| earlier(all, season, from, to)).collect();
    let weeks = -52 * 7;
    found.push(Counterpart { event: Event::MismasFechas, from: shift(from, weeks), to: shift(to, weeks) });
    found
}

/// The seasons that a stretch touches, the one that tells most about it first.
fn overlapping(all: &[Season], from: Date, to: Date) -> Vec<&Season> {
    let overlap = |season: &Season| days_between(from.max(season.from), to.min(season.to)) + 1;
    let length = |season: &Season| days_between(season.from, season.to);
    let mut touched: Vec<&Season> = all.iter().filter(|season| overlap(season) > 0).collect();
    // Of equals the last one, as the company's own stand behind the law's.
    touched.reverse();
    touched.sort_by_key(|season| (season.event.is_monthly(), -overlap(season), length(season)));
    touched
}

fn earlier(all: &[Season], season: &Season, from: Date, to: Date) -> Option<Counterpart> {
    let apart = |other: &Season| (days_between(other.day, season.day) - 365).abs();
    let earlier = all
        .iter()
        .filter(|other| other.event == season.event && other.day < season.day)
        .min_by_key(|other| apart(other))
        .filter(|other| apart(other) < 60)?;
    let days = days_between(season.day, earlier.day);
    Some(Counterpart { event: season.event, from: shift(from, days), to: shift(to, days) })
}

fn season(event: Event, day: Date, from: Date, to: Date) -> Season {
    Season { event, region: event.region(), day, from, to }
}

/// The n-th weekday of a month, 1–4, or the last for −1.
fn nth(year: i16, month: i8, n: i8, weekday: Weekday) -> Date {
    let first = day(year, month, 1);
    first.nth_weekday_of_month(n, weekday).unwrap_or(first)
}

/// Salaries due on a weekend are paid on the Friday before.
fn payday(due: Date) -> Date {
    match due.weekday() {
        Weekday::Saturday => shift(due, -1),
        Weekday::Sunday => shift(due, -2),
        _ => due,
    }
}

/// The first and the last day of rest for 2 and 3 November.
fn november(year: i16) -> (Date, Date) {
    let rest = national_holidays(year).into_iter().filter(|holiday| holiday.date.month() == 11);
    let days: Vec<Date> = rest.map(|holiday| holiday.observed).collect();
    let own = day(year, 11, 2);
    (days.iter().copied().min().unwrap_or(own), days.iter().copied().max().unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{Event, Region, counterpart, counterparts, school_is_on, school_year, seasons};

    fn both(year: i16) -> Vec<super::Season> {
        [seasons(year - 1), seasons(year)].concat()
    }

    #[test]
    fn carnival_is_compared_with_carnival() {
        // Tuesday of Carnival: 4 March 2025, 13 February 2024.
        let found = counterpart(&both(2025), date(2025, 3, 1), date(2025, 3, 4)).unwrap();
        assert_eq!(found.event, Event::Carnaval);
        assert_eq!((found.from, found.to), (date(2024, 2, 10), date(2024, 2, 13)));
    }

    #[test]
    fn a_payday_is_compared_with_the_same_months_and_gives_way_to_a_season() {
        let found = counterpart(&both(2025), date(2025, 7, 15), date(2025, 7, 16)).unwrap();
        assert_eq!(found.event, Event::Quincena);
        assert_eq!(found.from, date(2024, 7, 15));
        let december = counterpart(&both(2025), date(2025, 12, 15), date(2025, 12, 16)).unwrap();
        assert_eq!(december.event, Event::DecimoTercero);
    }

    #[test]
    fn outside_every_season_and_without_last_year_there_is_none() {
        assert!(counterpart(&both(2025), date(2025, 6, 9), date(2025, 6, 12)).is_none());
        assert!(counterpart(&seasons(2025), date(2025, 3, 1), date(2025, 3, 4)).is_none());
    }

    #[test]
    fn a_week_has_a_counterpart_in_each_of_its_seasons_and_52_weeks_before() {
        // Carnival Tuesday of 2016 is 9 February; the week holds its last days and the quincena.
        let found = counterparts(&both(2016), date(2016, 2, 11), date(2016, 2, 17));
        let events: Vec<Event> = found.iter().map(|one| one.event).collect();
        assert_eq!(events, [Event::Carnaval, Event::Quincena, Event::MismasFechas]);
        assert_eq!(found[2].from, date(2015, 2, 12));
        assert_eq!(found[2].from.weekday(), date(2016, 2, 11).weekday());
        assert_eq!(Some(found[0]), counterpart(&both(2016), date(2016, 2, 11), date(2016, 2, 17)));
    }

    #[test]
    fn the_regions_go_to_school_at_different_times() {
        let sierra = school_year(2025, Region::SierraAmazonia);
        assert_eq!(sierra, Some((date(2025, 9, 1), date(2026, 6, 26))));
        let costa = school_year(2025, Region::CostaInsular);
        assert_eq!(costa, Some((date(2025, 5, 5), date(2026, 2, 27))));
        assert_eq!(school_year(2025, Region::Nacional), None);
        let (march, july) = (date(2026, 3, 20), date(2026, 7, 20));
        assert!(school_is_on(march, Region::SierraAmazonia) && !school_is_on(march, Region::CostaInsular));
        assert!(!school_is_on(july, Region::SierraAmazonia) && school_is_on(july, Region::CostaInsular));
    }
}
