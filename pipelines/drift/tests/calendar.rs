//! Ecuador's calendar against every entry of the oracle, and its rules over many years.

use std::{collections::BTreeSet, fs, path::PathBuf};

use chasqui_drift::calendar::{
    AddedDay, Calendar, Event, Place, Region, counterpart, local_holidays, national_holidays, seasons,
};
use jiff::civil::{Date, Weekday};
use proptest::prelude::*;
use serde_json::Value;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skip(path: &std::path::Path) {
    println!("skipped: {} is not there", path.display());
}

fn years() -> Option<Vec<(i16, Value)>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let path = root.join("calendar/ecuador_calendar.json");
    if !path.is_file() {
        skip(&path);
        return None;
    }
    let text = fs::read_to_string(path).expect("the oracle is readable");
    let oracle: Value = serde_json::from_str(&text).expect("the oracle is JSON");
    let years = oracle["years"].as_object().expect("years").iter();
    Some(years.map(|(year, entries)| (year.parse().expect("a year"), entries.clone())).collect())
}

fn date(value: &Value) -> Date {
    value.as_str().expect("a date").parse().expect("a date")
}

fn entries<'a>(year: &'a Value, key: &str) -> &'a Vec<Value> {
    year[key].as_array().expect("a list")
}

#[test]
fn every_national_holiday_is_where_the_law_puts_it() {
    let Some(years) = years() else { return };
    for (year, expected) in years {
        let holidays = national_holidays(year);
        let entries = entries(&expected, "national");
        assert_eq!(holidays.len(), entries.len(), "{year}");
        for (holiday, entry) in holidays.iter().zip(entries) {
            assert_eq!(Some(holiday.name.as_str()), entry["name"].as_str());
            assert_eq!(holiday.date, date(&entry["date"]), "{year} {}", holiday.name);
            assert_eq!(holiday.observed, date(&entry["observed"]), "{year} {}", holiday.name);
        }
    }
}

#[test]
fn local_holidays_and_decrees_are_days_off() {
    let Some(years) = years() else { return };
    let mut decrees = 0;
    for (year, expected) in years {
        for entry in entries(&expected, "local") {
            let place = match entry["city"].as_str() {
                Some("Guayaquil") => Place::Guayaquil,
                Some("Quito") => Place::Quito,
                Some("Cuenca") => Place::Cuenca,
                other => panic!("unknown city {other:?}"),
            };
            let holidays = local_holidays(year, place);
            assert_eq!(holidays.len(), 1);
            assert_eq!(Some(holidays[0].name.as_str()), entry["name"].as_str());
            assert_eq!(holidays[0].date, date(&entry["date"]));
            assert_eq!(holidays[0].observed, date(&entry["observed"]), "{year} {place:?}");
        }
        for entry in entries(&expected, "extra_by_decree") {
            let why = entry["why"].as_str().expect("a reason").to_owned();
            let added = AddedDay { date: date(&entry["date"]), why };
            assert!(!Calendar::default().is_day_off(added.date), "only a decree makes it one");
            let calendar = Calendar { added: vec![added.clone()], ..Calendar::default() };
            assert_eq!(calendar.days_off(year).get(&added.date), Some(&added.why));
            decrees += 1;
        }
    }
    assert_eq!(decrees, 1);
}

#[test]
fn every_season_has_its_days_and_its_region() {
    let Some(years) = years() else { return };
    for (year, expected) in years {
        let seasons = seasons(year);
        for entry in entries(&expected, "season_windows") {
            let name = entry["name"].as_str().expect("a name");
            let found = seasons.iter().find(|season| season.event.name() == name);
            let season = found.unwrap_or_else(|| panic!("{name} is no season"));
            let region = match entry["region"].as_str() {
                Some("nacional") => Region::Nacional,
                Some("costa_insular") => Region::CostaInsular,
                Some("sierra_amazonia") => Region::SierraAmazonia,
                other => panic!("unknown region {other:?}"),
            };
            assert_eq!(season.region, region, "{year} {name}");
            assert_eq!((season.from, season.to), (date(&entry["from"]), date(&entry["to"])), "{year} {name}");
            assert!((season.from..=season.to).contains(&season.day), "{year} {name}");
        }
    }
}

/// National days of the shop chain's file as (date, kind, moved to another day).
fn favorita() -> Option<Vec<(Date, String, bool)>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = root.join("favorita/holidays_events.csv");
    if !path.is_file() {
        skip(&path);
        return None;
    }
    let mut reader = csv::Reader::from_path(path).expect("the file is readable");
    let national = reader.records().map(|row| row.expect("a row")).filter(|row| &row[2] == "National");
    let days = national.map(|row| {
        let date = Date::strptime("%m/%d/%y", &row[0]).expect("a date");
        (date, row[1].to_owned(), &row[5] == "TRUE")
    });
    Some(days.collect())
}

/// The days that a chain of shops in Ecuador really kept.
#[test]
fn a_real_chain_was_closed_on_the_days_of_the_law() {
    let Some(days) = favorita() else { return };
    let kept = |year: i16| -> BTreeSet<Date> {
        let of_year = days.iter().filter(|day| day.0.year() == year);
        of_year
            .filter(|(_, kind, moved)| kind == "Transfer" || (kind == "Holiday" && !moved))
            .map(|day| day.0)
            .collect()
    };
    let by_law: BTreeSet<Date> = Calendar::default().days_off(2017).into_keys().collect();
    assert_eq!(kept(2017), by_law);
    // The file puts the Good Friday of 2013 a month late.
    for year in 2014..=2016 {
        let own: BTreeSet<Date> =
            days.iter().filter(|day| day.0.year() == year && day.1 == "Holiday").map(|day| day.0).collect();
        let dates: BTreeSet<Date> = national_holidays(year).iter().map(|holiday| holiday.date).collect();
        assert_eq!(own, dates, "{year}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Eleven different days of rest, none of them on a weekend, none far from its own date.
    #[test]
    fn holidays_are_weekdays_near_their_dates(year in 2017i16..3000) {
        let holidays = national_holidays(year);
        let days: BTreeSet<Date> = holidays.iter().map(|holiday| holiday.observed).collect();
        prop_assert_eq!(days.len(), 11);
        for holiday in holidays {
            prop_assert!(!matches!(holiday.observed.weekday(), Weekday::Saturday | Weekday::Sunday));
            let moved = holiday.date.until(holiday.observed).unwrap().get_days().abs();
            prop_assert!(moved <= 2, "{:?}", holiday);
        }
    }

    /// The counterpart of a day of a season lies in the same season one year earlier, as far from its event.
    #[test]
    fn counterparts_keep_their_distance(year in 2018i16..2100, month in 1i8..13, day in 1i8..29) {
        let calendar = Calendar::default();
        let today = Date::new(year, month, day).unwrap();
        if let Some(found) = counterpart(&calendar.seasons(year), today, today) {
            let of = |year: i16, near: Date| {
                let all = calendar.seasons(year).into_iter().filter(move |s| s.event == found.event);
                all.min_by_key(|s| s.day.until(near).unwrap().get_days().abs()).unwrap()
            };
            let (now, then) = (of(year, today), of(year, found.from));
            prop_assert_ne!(now.day, then.day);
            prop_assert_eq!(now.day.duration_until(today), then.day.duration_until(found.from));
            prop_assert_eq!(found.from, found.to);
            if !matches!(found.event, Event::Quincena | Event::FinDeMes) {
                prop_assert_eq!(found.from.year(), year - 1);
            }
        }
    }
}
