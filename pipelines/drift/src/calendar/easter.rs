//! Easter.

use jiff::civil::Date;

use super::day;

/// Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, 2nd edition, chapter 8).
pub fn easter_sunday(year: i16) -> Date {
    let y = i32::from(year);
    let (golden, century, of_century) = (y.rem_euclid(19), y.div_euclid(100), y.rem_euclid(100));
    let lunar_correction = (8 * century + 13).div_euclid(25);
    let epact = (19 * golden + century - century.div_euclid(4) - lunar_correction + 15).rem_euclid(30);
    let to_sunday =
        (32 + 2 * century.rem_euclid(4) + 2 * (of_century / 4) - epact - of_century % 4).rem_euclid(7);
    let exception = (golden + 11 * epact + 19 * to_sunday) / 433;
    let month = (epact + to_sunday - 7 * exception + 90) / 25;
    let of_month = (epact + to_sunday - 7 * exception + 33 * month + 19) % 32;
    day(year, month as i8, of_month as i8)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date};

    use super::easter_sunday;

    #[test]
    fn it_falls_where_the_church_puts_it() {
        let known = [
            (1818, 3, 22),
            (1943, 4, 25),
            (2000, 4, 23),
            (2016, 3, 27),
            (2024, 3, 31),
            (2038, 4, 25),
            (2285, 3, 22),
        ];
        for (year, month, day) in known {
            assert_eq!(easter_sunday(year), date(year, month, day));
        }
    }

    #[test]
    fn it_is_a_sunday_between_22_march_and_25_april() {
        for year in 1583..4000 {
            let easter = easter_sunday(year);
            assert_eq!(easter.weekday(), Weekday::Sunday, "{easter}");
            assert!((date(year, 3, 22)..=date(year, 4, 25)).contains(&easter), "{easter}");
        }
    }
}
