//! Holidays and the days on which they are observed.

use jiff::civil::{Date, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{day, easter_sunday, shift};

/// First year of the law that moves holidays (Ley Orgánica Reformatoria a la LOSEP y al Código del Trabajo,
/// 20 December 2016); before it each year's decree moved them.
const FIRST_YEAR_OF_LAW: i16 = 2017;

/// A day without work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    /// Its name.
    pub name: String,
    /// The day it remembers.
    pub date: Date,
    /// The day on which nobody works for it, perhaps in the year before.
    pub observed: Date,
}

/// A city with a holiday of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HolidayPlace")]
pub enum Place {
    /// 25 July.
    Guayaquil,
    /// 6 December.
    Quito,
    /// 12 April.
    Cuenca,
}

/// The eleven national holidays of a year, in the order of their own dates.
///
/// From 2017 on they are observed as the law says; before that on their own dates, and the decrees of the year can
/// be added to the calendar by hand.
pub fn national_holidays(year: i16) -> Vec<Holiday> {
    let easter = easter_sunday(year);
    let (souls, cuenca) = november(year);
    let own = |name: &str, date: Date| holiday(name, date, date);
    let by_law = |name: &str, month: i8, of_month: i8| {
        let date = day(year, month, of_month);
        holiday(name, date, observed(date))
    };
    let by_weekend = |name: &str, month: i8, of_month: i8| {
        let date = day(year, month, of_month);
        holiday(name, date, off_the_weekend(date))
    };
    vec![
        by_weekend("Año Nuevo", 1, 1),
        own("Carnaval (lunes)", shift(easter, -48)),
        own("Carnaval (martes)", shift(easter, -47)),
        own("Viernes Santo", shift(easter, -2)),
        by_law("Día del Trabajo", 5, 1),
        by_law("Batalla de Pichincha", 5, 24),
        by_law("Primer Grito de Independencia", 8, 10),
        by_law("Independencia de Guayaquil", 10, 9),
        holiday("Día de los Difuntos", day(year, 11, 2), souls),
        holiday("Independencia de Cuenca", day(year, 11, 3), cuenca),
        by_weekend("Navidad", 12, 25),
    ]
}

/// The holidays of a city, besides the national ones.
pub fn local_holidays(year: i16, place: Place) -> Vec<Holiday> {
    let (name, month, of_month) = match place {
        Place::Guayaquil => ("Fundación de Guayaquil", 7, 25),
        Place::Quito => ("Fundación de Quito", 12, 6),
        Place::Cuenca => ("Fundación de Cuenca", 4, 12),
    };
    let date = day(year, month, of_month);
    vec![holiday(name, date, observed(date))]
}

/// The day on which a movable holiday is observed: Saturday and Sunday go to the nearest weekday, Tuesday to
/// Monday, Wednesday and Thursday to Friday. Before 2017 the day itself.
pub fn observed(date: Date) -> Date {
    if date.year() < FIRST_YEAR_OF_LAW {
        return date;
    }
    match date.weekday() {
        Weekday::Monday | Weekday::Friday => date,
        Weekday::Tuesday => shift(date, -1),
        Weekday::Wednesday => shift(date, 2),
        Weekday::Thursday => shift(date, 1),
        Weekday::Saturday | Weekday::Sunday => off_the_weekend(date),
    }
}

/// Saturday to Friday, Sunday to Monday; other days stay. The New Year of the law's first year is ruled by it too.
fn off_the_weekend(date: Date) -> Date {
    match date.weekday() {
        _ if date.year() < FIRST_YEAR_OF_LAW => date,
        Weekday::Saturday => shift(date, -1),
        Weekday::Sunday => shift(date, 1),
        _ => date,
    }
}

/// The days of rest for 2 and 3 November, which follow each other: they become the two days nearest to a weekend,
/// and each holiday keeps its own day where that is one of them.
fn november(year: i16) -> (Date, Date) {
    let (souls, cuenca) = (day(year, 11, 2), day(year, 11, 3));
    if year < FIRST_YEAR_OF_LAW {
        return (souls, cuenca);
    }
    match souls.weekday() {
        // Monday and Tuesday, Thursday and Friday already lie at a weekend.
        Weekday::Monday | Weekday::Thursday => (souls, cuenca),
        Weekday::Tuesday | Weekday::Friday => (souls, shift(souls, -1)),
        Weekday::Wednesday | Weekday::Sunday => (shift(cuenca, 1), cuenca),
        Weekday::Saturday => (shift(souls, -1), shift(cuenca, 1)),
    }
}

fn holiday(name: &str, date: Date, observed: Date) -> Holiday {
    Holiday { name: name.to_owned(), date, observed }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date};

    use super::{national_holidays, observed};

    fn november(year: i16) -> Vec<jiff::civil::Date> {
        let days: Vec<_> = national_holidays(year)
            .into_iter()
            .filter(|holiday| holiday.date.month() == 11)
            .map(|holiday| holiday.observed)
            .collect();
        days
    }

    #[test]
    fn november_has_four_days_of_rest_in_every_year() {
        assert_eq!(november(2018), [date(2018, 11, 2), date(2018, 11, 1)]);
        assert_eq!(november(2021), [date(2021, 11, 2), date(2021, 11, 1)]);
        assert_eq!(november(2022), [date(2022, 11, 4), date(2022, 11, 3)]);
        for year in 2017..2200 {
            let mut days = november(year);
            days.sort();
            let weekdays: Vec<_> = days.iter().map(|day| day.weekday()).collect();
            let together = [Weekday::Monday, Weekday::Tuesday];
            let before = [Weekday::Thursday, Weekday::Friday];
            let around = [Weekday::Friday, Weekday::Monday];
            assert!([together, before, around].contains(&[weekdays[0], weekdays[1]]), "{days:?}");
        }
    }

    #[test]
    fn before_the_law_every_holiday_is_on_its_own_day() {
        for year in [2008, 2016] {
            assert!(national_holidays(year).iter().all(|holiday| holiday.date == holiday.observed));
        }
        assert_eq!(observed(date(2016, 8, 10)), date(2016, 8, 10));
    }

    #[test]
    fn new_year_can_be_observed_in_the_year_before() {
        let names = |year: i16| national_holidays(year).swap_remove(0);
        assert_eq!(names(2022).observed, date(2021, 12, 31));
        assert_eq!(names(2023).observed, date(2023, 1, 2));
        assert_eq!(names(2025).observed, date(2025, 1, 1));
    }
}
