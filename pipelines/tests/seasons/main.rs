//! Seasons on real data: the daily transactions of the 54 stores of Corporación Favorita (Ecuador), 2013 to 2017.
//!
//! A store's day is followed as its transactions beside the mean of its own four weeks before. After the first year
//! December, Carnival and paydays raise no alarm; the week of the earthquake of 16 April 2016 (Manabí) does, with its
//! date and the stores that moved otherwise than the rest.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod store_days;

use chasqui_drift::calendar::{Calendar, Event, SeasonalVerdict, counterparts};
use chasqui_drift::{ColumnProfile, DriftPolicy, Profile, Reference, WindowSketch, scan};
use chasqui_pipelines::monitor::{
    DailyHistory, EarlierYear, SeasonReading, SeasonSource, Signal, Stretch, Watch, drift_policy, read_season,
};
use chasqui_registry::Micros;
use chasqui_registry::service::MonitorPolicy;
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use store_days::{StoreDay, store_days};

const QUAKE: Date = date(2016, 4, 16);
/// The first day of the week in which the earth shook; weeks of monitoring begin on Thursdays.
const QUAKE_WEEK: Date = date(2016, 4, 14);

struct Chain {
    days: Vec<StoreDay>,
    profile: Profile,
    policy: DriftPolicy,
    calendar: Calendar,
}

impl Chain {
    /// None when the data is not there.
    fn read() -> Option<Self> {
        let days = store_days()?;
        let learned: Vec<f64> =
            days.iter().filter(|day| day.date < date(2015, 1, 1)).map(|day| day.level).collect();
        let reference = Reference::of_numbers(&learned);
        let column = ColumnProfile { name: "level".into(), importance: Some(1.0), reference };
        let profile = Profile { rows: learned.len() as u64, features: vec![column], prediction: None };
        let policy = drift_policy(&MonitorPolicy::default());
        Some(Self { days, profile, policy, calendar: Calendar::default() })
    }

    fn between(&self, from: Date, to: Date) -> &[StoreDay] {
        let first = self.days.partition_point(|day| day.date < from);
        let last = self.days.partition_point(|day| day.date <= to);
        &self.days[first..last]
    }

    fn sketch(&self, from: Date) -> WindowSketch {
        let mut sketch = WindowSketch::new(&self.profile);
        for day in self.between(from, plus(from, 6)) {
            sketch.rows += 1;
            sketch.features[0].add_number(&self.profile.features[0].reference, day.level);
        }
        sketch
    }

    /// The windows of so many weeks up to the one that begins on `from`.
    fn weeks(&self, from: Date, count: usize) -> Vec<WindowSketch> {
        (0..count as i32).rev().map(|back| self.sketch(plus(from, -7 * back))).collect()
    }

    /// What the season makes of the week; none when nothing changed.
    fn judge(&self, from: Date, before: Option<&SeasonReading>) -> Option<SeasonReading> {
        let windows = self.weeks(from, 8);
        let verdict = scan(&self.profile, &windows, &self.policy, 1);
        if !verdict.drifted {
            return None;
        }
        let days = (from, plus(from, 6));
        let look = verdict.features[0].windows;
        let all = self.calendar.seasons_around(days.0, days.1);
        let earlier: Vec<EarlierYear> = counterparts(&all, days.0, days.1)
            .into_iter()
            .map(|counterpart| EarlierYear {
                counterpart,
                windows: self.weeks(counterpart.from, look),
                source: SeasonSource::Log,
            })
            .collect();
        let stretch = Stretch {
            profile: &self.profile,
            windows: &windows,
            verdict: &verdict,
            policy: &self.policy,
            days,
            season: None,
            since: before.and_then(|before| before.since),
            alarmed: before.is_some_and(|before| before.verdict == SeasonalVerdict::Alarm),
            fault_or_loss: false,
            seed: 1,
        };
        Some(read_season(&stretch, &earlier))
    }
}

fn plus(date: Date, days: i32) -> Date {
    date.checked_add(Span::new().days(days)).unwrap()
}

/// Noon in Guayaquil.
fn noon(date: Date) -> Micros {
    let at = date.at(17, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    Micros(at.timestamp().as_microsecond())
}

/// The weeks of the second and third year, with what the season makes of those that changed.
fn judged(chain: &Chain) -> Vec<(Date, SeasonReading)> {
    let (mut week, mut before, mut found) = (date(2015, 1, 1), None, Vec::new());
    while week < date(2016, 7, 1) {
        let reading = chain.judge(week, before.as_ref());
        found.extend(reading.clone().map(|reading| (week, reading)));
        before = reading;
        week = plus(week, 7);
    }
    found
}

fn is_alarm(reading: &SeasonReading) -> bool {
    reading.verdict == SeasonalVerdict::Alarm
}

#[test]
fn december_carnival_and_paydays_are_expected_and_the_earthquake_is_not() {
    let Some(chain) = Chain::read() else { return };
    let judged = judged(&chain);
    let alarms: Vec<Date> =
        judged.iter().filter(|(_, reading)| is_alarm(reading)).map(|(week, _)| *week).collect();
    let touches = |week: Date, events: &[Event]| {
        let all = chain.calendar.seasons_around(week, plus(week, 6));
        all.iter()
            .any(|season| events.contains(&season.event) && season.from <= plus(week, 6) && season.to >= week)
    };
    let muted = [Event::DecimoTercero, Event::Carnaval, Event::Quincena, Event::FinDeMes];
    // The looks of the scan reach eight weeks back, so that the shock is seen in the weeks after it as well.
    let of_the_quake = |week: &Date| (QUAKE_WEEK..=plus(QUAKE_WEEK, 7 * 7)).contains(week);
    let wrong: Vec<&Date> =
        alarms.iter().filter(|week| !of_the_quake(week) && touches(**week, &muted)).collect();
    assert!(wrong.is_empty(), "alarms in a season: {wrong:?}");
    assert!(alarms.contains(&QUAKE_WEEK), "{alarms:?}");
    let others = alarms.iter().filter(|week| !of_the_quake(week)).count();
    assert!(others <= 2, "ordinary weeks that alarm: {alarms:?}");
    let december = judged.iter().filter(|(week, _)| touches(*week, &[Event::DecimoTercero]));
    let expected =
        december.filter(|(_, reading)| matches!(reading.verdict, SeasonalVerdict::Expected { .. }));
    assert!(expected.count() >= 4, "December differs from training, and is expected");
}

#[test]
fn the_earthquake_has_its_date_and_its_stores() {
    let Some(chain) = Chain::read() else { return };
    let watch = Watch { column: "level".into(), signal: Signal::Number, is_answer: false, look: 1 };
    // The week ends with Wednesday the 20th.
    let end = noon(plus(QUAKE_WEEK, 6)).plus_seconds(12 * 3600);
    let mut history = DailyHistory::new(vec![watch], end, 7);
    for day in chain.between(plus(QUAKE_WEEK, -84), plus(QUAKE_WEEK, 6)) {
        history.add(noon(day.date), &[day.level], Some(&day.store));
    }
    let change = history.changes().remove(0);
    let began = change.began.unwrap();
    let apart = began.on.since(QUAKE).unwrap().get_days().abs();
    assert!(apart <= 2, "{:?}", change.description);
    assert!(began.earliest <= began.on && began.on <= began.latest);
    let named: Vec<&str> = change.groups.iter().map(|group| group.name.as_str()).collect();
    // Store 53 is in Manta, the city nearest to the epicentre: it sold less while the country sold more.
    let manta = change.groups.iter().find(|group| group.name == "53");
    let manta = manta.unwrap_or_else(|| panic!("{named:?}"));
    assert!(manta.beside_others < -4.0 && manta.after < manta.before, "{manta:?}");
    let fell_most = change.groups.iter().min_by(|a, b| a.beside_others.total_cmp(&b.beside_others)).unwrap();
    assert_eq!(fell_most.name, "53", "no store fell further beside the rest");
}

#[test]
fn in_the_first_year_a_season_is_watched_for_two_weeks() {
    let Some(chain) = Chain::read() else { return };
    let december = date(2015, 12, 17);
    let windows = chain.weeks(december, 8);
    let verdict = scan(&chain.profile, &windows, &chain.policy, 1);
    let of = |since, today: Date| {
        let stretch = Stretch {
            profile: &chain.profile,
            windows: &windows,
            verdict: &verdict,
            policy: &chain.policy,
            days: (today.checked_sub(6.days()).unwrap(), today),
            season: Some(Event::DecimoTercero),
            since,
            alarmed: false,
            fault_or_loss: false,
            seed: 1,
        };
        read_season(&stretch, &[]).verdict
    };
    let today = date(2015, 12, 23);
    let watched = SeasonalVerdict::Watched { event: Event::DecimoTercero, since: today };
    assert_eq!(of(None, today), watched);
    assert_eq!(of(Some(today), date(2016, 1, 6)), SeasonalVerdict::Alarm);
}
