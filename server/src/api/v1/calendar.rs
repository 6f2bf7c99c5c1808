//! `/calendar`: holidays by law, what decrees and the company change, and the seasons that explain changes.

use actix_web::{HttpResponse, web};
use chasqui_drift::calendar::{Calendar, Season};
use chasqui_registry::calendar::StoredCalendar;
use chasqui_registry::{Error, Micros};
use chasqui_report::format::local_date;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Why;
use crate::api::ok;
use crate::app::App;
use crate::auth::Identity;
use crate::body::{Json, Query};
use crate::openapi::Operation;
use crate::problem::{Problem, Result};

/// Years that have a calendar here.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2200;

/// `?year=…`, by default the present one in Guayaquil.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedYear")]
pub(super) struct Asked {
    /// The year; without it the present one in Guayaquil.
    #[schemars(range(min = 1990, max = 2200))]
    year: Option<i16>,
}

/// What the company changed, and the year that comes of it and of the law.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CalendarYear")]
struct Seen {
    #[serde(flatten)]
    stored: StoredCalendar,
    /// The year that is told.
    year: i16,
    /// Its days without work, by law and by the company, in their order.
    days_off: Vec<DayOff>,
    /// Its seasons, in the order of their first days.
    seasons: Vec<SeasonSeen>,
}

/// A day without work.
#[derive(Serialize, JsonSchema)]
struct DayOff {
    /// The day.
    date: Date,
    /// Why, for people.
    why: String,
}

/// A season with its name for people.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NamedSeason")]
struct SeasonSeen {
    /// Its name, for people.
    name: String,
    #[serde(flatten)]
    season: Season,
}

impl Seen {
    fn new(stored: StoredCalendar, year: i16) -> Self {
        let days_off = stored.calendar.days_off(year).into_iter().map(|(date, why)| DayOff { date, why });
        let mut seasons = stored.calendar.seasons(year);
        seasons.retain(|season| season.day.year() == year);
        seasons.sort_by_key(|season| season.from);
        let seasons =
            seasons.into_iter().map(|season| SeasonSeen { name: season.event.name().to_owned(), season });
        Self { days_off: days_off.collect(), seasons: seasons.collect(), year, stored }
    }
}

pub(super) async fn get(app: web::Data<App>, Query(asked): Query<Asked>) -> Result<HttpResponse> {
    let year = asked.year.unwrap_or_else(|| year_of(app.registry.now()));
    if !YEARS.contains(&year) {
        return Err(wrong_year());
    }
    ok(&Seen::new(app.registry.calendar().await?, year))
}

pub(super) async fn put(
    app: web::Data<App>,
    who: Identity,
    Query(why): Query<Why>,
    Json(calendar): Json<Calendar>,
) -> Result<HttpResponse> {
    let stored = app.registry.put_calendar(&who.actor, calendar, &why.reason).await?;
    ok(&Seen::new(stored, year_of(app.registry.now())))
}

fn wrong_year() -> Problem {
    Problem::bad_request("`year` must be between 1990 and 2200")
}

fn year_of(now: Micros) -> i16 {
    Timestamp::from_microsecond(now.0).map_or(1990, |now| local_date(now).year())
}

pub(super) fn operations() -> Vec<Operation> {
    let day = "the day 2026-12-24 needs a `why` of 1 to 250 bytes";
    let all = [
        Operation::get("/api/v1/calendar", "getCalendar", "Shows the days off and the seasons of a year")
            .about("By law, and as the company changed it.")
            .query::<Asked>()
            .answers::<Seen>(200, "The year", example())
            .fails(wrong_year()),
        Operation::put(
            "/api/v1/calendar",
            "putCalendar",
            "Replaces what the company changes of the calendar",
        )
        .about("What is left out is changed no more.")
        .query::<Why>()
        .body::<Calendar>(edits())
        .answers::<Seen>(200, "The present year with it", example())
        .fails(Error::Invalid(day.into())),
    ];
    all.into_iter().map(|operation| operation.tag("calendar")).collect()
}

fn edits() -> Value {
    json!({
        "places": ["quito"],
        "added": [{ "date": "2026-12-24", "why": "inventory" }],
        "removed": [],
        "seasons": [],
    })
}

fn example() -> Value {
    json!({
        "calendar": edits(),
        "updated_at": 1_795_280_700_000_000_i64,
        "updated_by": "admin",
        "year": 2026,
        "days_off": [{ "date": "2026-12-24", "why": "inventory" }],
        "seasons": [{
            "name": "Black Friday",
            "event": "black_friday",
            "region": "nacional",
            "day": "2026-11-27",
            "from": "2026-11-23",
            "to": "2026-11-30",
        }],
    })
}
