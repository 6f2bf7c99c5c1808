//! The calendar of a company: the law's days, changed by hand where decrees or the company's own days say so.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Place, Season, local_holidays, national_holidays, seasons};
use crate::DriftError;

/// Most entries of each list.
const MOST_ENTRIES: usize = 2000;
/// Longest reason of an added day, in bytes.
const WHY_BYTES: usize = 250;
/// A season of a company lasts so many days at most.
const LONGEST_SEASON: i32 = 366;

/// A day without work that the law does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedDay {
    /// The day.
    pub date: Date,
    /// Why, for people: a decree, an inventory.
    pub why: String,
}

/// Days and seasons of a company.
///
/// A removed day is a working day even when the law says otherwise; an added day wins over a removed one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    /// Cities whose own holidays count.
    pub places: Vec<Place>,
    /// Days that decrees or the company add.
    pub added: Vec<AddedDay>,
    /// Days that they take away.
    pub removed: Vec<Date>,
    /// Seasons of the company's own, such as an anniversary sale or the dates of its schools.
    pub seasons: Vec<Season>,
}

impl Calendar {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`DriftError::Invalid`] when a season ends before it begins, lasts longer than a year or is of no event, when
    /// a day has no reason, or when a list is too long.
    pub fn check(&self) -> Result<(), DriftError> {
        let refuse = |why: String| Err(DriftError::Invalid(why));
        let longest = self.places.len().max(self.added.len()).max(self.removed.len()).max(self.seasons.len());
        if longest > MOST_ENTRIES {
            return refuse(format!(
                "the calendar has a list of {longest} entries; at most {MOST_ENTRIES} are kept"
            ));
        }
        for added in &self.added {
            if added.why.trim().is_empty() || added.why.len() > WHY_BYTES {
                return refuse(format!("the day {} needs a `why` of 1 to {WHY_BYTES} bytes", added.date));
            }
        }
        for Season { event, from, to, .. } in &self.seasons {
            if *event == Event::MismasFechas {
                return refuse(
                    "`mismas_fechas` is no event; name the company's own `{\"propio\": …}`".into(),
                );
            }
            if !(0..LONGEST_SEASON).contains(&super::days_between(*from, *to)) {
                let name = event.name();
                return refuse(format!(
                    "the season `{name}` lasts from {from} to {to}; that is no stretch of a year"
                ));
            }
        }
        Ok(())
    }

    /// The seasons of the years that a stretch of days touches and of the years before: what
    /// [`counterparts`](super::counterparts()) needs.
    pub fn seasons_around(&self, from: Date, to: Date) -> Vec<Season> {
        let mut all = self.seasons(from.year());
        if to.year() != from.year() {
            all.extend(self.seasons(to.year()).into_iter().filter(|season| season.day.year() == to.year()));
        }
        all
    }

    /// The days of a year on which nobody works, with why: those observed in it, whichever year they remember.
    pub fn days_off(&self, year: i16) -> BTreeMap<Date, String> {
        let mut days = BTreeMap::new();
        // The New Year of the next year can be observed on 31 December.
        for of in [year, year.saturating_add(1)] {
            let local = self.places.iter().flat_map(|place| local_holidays(of, *place));
            for holiday in national_holidays(of).into_iter().chain(local) {
                days.insert(holiday.observed, holiday.name);
            }
        }
        days.retain(|day, _| day.year() == year && !self.removed.contains(day));
        let added = self.added.iter().filter(|added| added.date.year() == year);
        days.extend(added.map(|added| (added.date, added.why.clone())));
        days
    }

    /// Nobody works on the day.
    pub fn is_day_off(&self, day: Date) -> bool {
        self.days_off(day.year()).contains_key(&day)
    }

    /// The seasons of a year and of the year before, the company's own included: what
    /// [`counterpart`](super::counterpart()) needs for days of that year.
    pub fn seasons(&self, year: i16) -> Vec<Season> {
        let before = year.saturating_sub(1);
        let own = |season: &&Season| (before..=year).contains(&season.day.year());
        let mut all = [seasons(before), seasons(year)].concat();
        // A season that the company sets replaces the law's of the same year.
        for season in self.seasons.iter().filter(own) {
            all.retain(|other| other.event != season.event || other.day.year() != season.day.year());
        }
        all.extend(self.seasons.iter().filter(own));
        all
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{AddedDay, Calendar};
    use crate::calendar::{Event, EventName, Place, Region, Season, counterpart};

    #[test]
    fn days_are_added_and_removed() {
        let calendar = Calendar {
            places: vec![Place::Quito],
            added: vec![AddedDay { date: date(2026, 1, 2), why: "Decreto 249".into() }],
            removed: vec![date(2026, 5, 25)],
            seasons: Vec::new(),
        };
        assert!(calendar.is_day_off(date(2026, 1, 2)));
        assert!(!calendar.is_day_off(date(2026, 5, 25)));
        assert!(calendar.is_day_off(date(2026, 12, 7)), "Quito's day moves to Monday");
        assert!(!Calendar::default().is_day_off(date(2026, 12, 7)));
        assert_eq!(calendar.days_off(2026).len(), 12);
    }

    #[test]
    fn new_year_on_a_saturday_is_a_day_off_of_the_old_year() {
        assert!(Calendar::default().is_day_off(date(2027, 12, 31)));
        assert!(!Calendar::default().is_day_off(date(2028, 1, 1)));
    }

    #[test]
    fn nonsense_is_refused() {
        let season = |from, to| Season {
            event: Event::Propio(EventName::try_from("Aniversario".to_owned()).unwrap()),
            region: Region::Nacional,
            day: from,
            from,
            to,
        };
        let of = |season| Calendar { seasons: vec![season], ..Calendar::default() };
        assert!(of(season(date(2026, 7, 1), date(2026, 7, 9))).check().is_ok());
        assert!(of(season(date(2026, 7, 9), date(2026, 7, 1))).check().is_err());
        let nothing = Season { event: Event::MismasFechas, ..season(date(2026, 7, 1), date(2026, 7, 9)) };
        assert!(of(nothing).check().is_err());
        let day = AddedDay { date: date(2026, 1, 2), why: " ".into() };
        assert!(Calendar { added: vec![day], ..Calendar::default() }.check().is_err());
    }

    #[test]
    fn an_event_of_the_company_is_aligned_with_that_of_the_year_before() {
        let event = Event::Propio(EventName::try_from("Aniversario".to_owned()).unwrap());
        let of = |day, from, to| Season { event, region: Region::Nacional, day, from, to };
        let seasons = vec![
            of(date(2025, 6, 10), date(2025, 6, 8), date(2025, 6, 14)),
            of(date(2026, 6, 17), date(2026, 6, 15), date(2026, 6, 21)),
        ];
        let calendar = Calendar { seasons, ..Calendar::default() };
        let (from, to) = (date(2026, 6, 16), date(2026, 6, 20));
        let found = counterpart(&calendar.seasons_around(from, to), from, to).unwrap();
        assert_eq!((found.event, found.from, found.to), (event, date(2025, 6, 9), date(2025, 6, 13)));
    }

    #[test]
    fn the_turn_of_the_year_has_the_seasons_of_both_and_of_the_year_before() {
        let (from, to) = (date(2025, 12, 31), date(2026, 1, 6));
        let all = Calendar::default().seasons_around(from, to);
        let found = counterpart(&all, from, to).unwrap();
        assert_eq!((found.event, found.from), (Event::DecimoTercero, date(2024, 12, 31)));
        let december =
            |year| all.iter().filter(|s| s.event == Event::DecimoTercero && s.day.year() == year).count();
        assert_eq!([2024, 2025, 2026].map(december), [1, 1, 1]);
    }

    #[test]
    fn a_season_of_the_company_replaces_the_laws() {
        let own = Season {
            event: Event::ClasesSierra,
            region: Region::SierraAmazonia,
            day: date(2026, 8, 24),
            from: date(2026, 8, 1),
            to: date(2026, 8, 31),
        };
        let calendar = Calendar { seasons: vec![own], ..Calendar::default() };
        let found: Vec<Season> = calendar
            .seasons(2026)
            .into_iter()
            .filter(|season| season.event == Event::ClasesSierra && season.day.year() == 2026)
            .collect();
        assert_eq!(found, [own]);
    }
}
