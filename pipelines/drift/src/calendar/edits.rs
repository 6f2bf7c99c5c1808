//! The calendar of a company: the law's days, changed by hand where decrees or the company's own days say so.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Place, Season, local_holidays, national_holidays, seasons};

/// A day without work that the law does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedDay {
    /// The day.
    pub date: Date,
    /// Why, for people: a decree, an inventory.
    pub why: String,
}

/// Days and seasons of a company.
///
/// A removed day is a working day even when the law says otherwise; an added day wins over a removed one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    use crate::calendar::{Event, Place, Region, Season};

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
