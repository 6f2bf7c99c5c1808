//! Whether the season explains a change: the window beside training (R0) and beside the same stretch of an earlier
//! year (R1), aligned by distance to the season's event.
//!
//! A week can lie in several seasons (a payday, the end of Carnival, the weeks before school): it is explained by the
//! earlier year in any of them. Outside every season the same weeks of the year before are the second reference.

use std::sync::Arc;

use chasqui_drift::calendar::{
    Calendar, Counterpart, Event, Likeness, SeasonalChange, SeasonalVerdict, counterparts, judge, likeness,
};
use chasqui_drift::{
    ColumnProfile, DriftPolicy, DriftVerdict, FeatureDrift, Floors, Profile, Sketch, WindowSketch,
};
use chasqui_registry::prediction_log::{Log, PredictionRange};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};
use chasqui_report::format::local_date;
use chasqui_runtime::Model;
use chasqui_trainer::{ColumnData, Table};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::assessment::{ColumnLikeness, SeasonReading, SeasonSource};
use super::rows::{Logged, count, fold_logged, input_columns, load_model, within};
use super::verdict::StoredVerdict;
use crate::error::{Error, Result};
use crate::pipeline;

const HALF_A_DAY: i64 = 12 * 3600;
const DAY: i64 = 86_400;

/// A window that changed, and what is known around it.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The training data.
    pub profile: &'a Profile,
    /// The windows up to this one, the oldest first.
    pub windows: &'a [WindowSketch],
    /// What the scan found in them.
    pub verdict: &'a DriftVerdict,
    /// How sure the scan was to be.
    pub policy: &'a DriftPolicy,
    /// First and last day of the last window.
    pub days: (Date, Date),
    /// The yearly season that the window lies in.
    pub season: Option<Event>,
    /// Since when the change is there, if it was there before.
    pub since: Option<Date>,
    /// The window before raised an alarm about a column that still differs.
    pub alarmed: bool,
    /// The data are faulty or performance fell: no season explains that.
    pub fault_or_loss: bool,
    /// Seed of what chance makes of distances.
    pub seed: u64,
}

/// The same stretch of an earlier year.
#[derive(Debug, Clone)]
pub struct EarlierYear {
    /// Which season aligns it.
    pub counterpart: Counterpart,
    /// Its windows, the oldest first.
    pub windows: Vec<WindowSketch>,
    /// Where they are from.
    pub source: SeasonSource,
}

/// What the season makes of a change, from the earlier years that there are rows of.
pub fn read_season(stretch: &Stretch<'_>, earlier: &[EarlierYear]) -> SeasonReading {
    let changed = changed_columns(stretch);
    let columns = stretch.policy.columns(stretch.profile);
    let threshold = stretch.policy.alpha / (columns as f64 * stretch.policy.windows_per_year.max(1.0));
    let mut floors = Floors::new(stretch.seed);
    let mut nearest: Vec<(usize, ColumnLikeness)> = Vec::new();
    for column in &changed {
        let likenesses = earlier.iter().enumerate().filter_map(|(year, earlier)| {
            let then = merged(column.profile, &earlier.windows, column.place, column.drift.windows)?;
            let reference = &column.profile.reference;
            let now = merged(column.profile, stretch.windows, column.place, column.drift.windows)?;
            let likeness =
                likeness(reference, &now, &then, (threshold, stretch.policy.min_rows), &mut floors)?;
            Some((year, likeness))
        });
        let best = likenesses
            .min_by(|a, b| rank(&a.1).partial_cmp(&rank(&b.1)).unwrap_or(std::cmp::Ordering::Equal));
        nearest.extend(
            best.map(|(year, likeness)| {
                (year, ColumnLikeness { column: column.drift.name.clone(), likeness })
            }),
        );
    }
    let strongest =
        nearest.iter().max_by(|a, b| a.1.likeness.from_training.total_cmp(&b.1.likeness.from_training));
    let differs = strongest
        .map(|_| nearest.len() < changed.len() || nearest.iter().any(|(_, column)| column.likeness.differs));
    let year = strongest.map(|(year, _)| &earlier[*year]);
    let verdict = judge(&SeasonalChange {
        differs_from_training: true,
        differs_from_last_year: differs,
        season: year.map(|year| year.counterpart.event).or(stretch.season),
        size: strongest.map_or(0.0, |(_, column)| column.likeness.from_training),
        size_last_year: strongest.map(|(_, column)| column.likeness.last_year),
        since: stretch.since,
        alarmed: stretch.alarmed,
        today: stretch.days.1,
        fault_or_loss: stretch.fault_or_loss,
    });
    let since = match verdict {
        SeasonalVerdict::Watched { since, .. } => Some(since),
        SeasonalVerdict::Alarm => Some(stretch.since.unwrap_or(stretch.days.1)),
        SeasonalVerdict::Steady | SeasonalVerdict::Expected { .. } => None,
    };
    SeasonReading {
        verdict,
        since,
        compared_with: year.map(|year| (year.counterpart.from, year.counterpart.to)),
        source: year.map(|year| year.source),
        rows: year.and_then(|year| year.windows.last()).map_or(0, |window| window.rows),
        columns: nearest.into_iter().map(|(_, column)| column).collect(),
    }
}

/// A year that explains comes before one that does not, a nearer one before a farther.
fn rank(likeness: &Likeness) -> (bool, f64) {
    (likeness.differs, likeness.between_years)
}

/// A column that the scan found, and where its sketches stand: a feature's place, or none for the answers.
struct Changed<'a> {
    profile: &'a ColumnProfile,
    drift: &'a FeatureDrift,
    place: Option<usize>,
}

fn changed_columns<'a>(stretch: &Stretch<'a>) -> Vec<Changed<'a>> {
    let features = stretch.profile.features.iter().zip(&stretch.verdict.features).enumerate();
    let features = features.map(|(place, (profile, drift))| Changed { profile, drift, place: Some(place) });
    let answers = stretch.profile.prediction.iter().zip(&stretch.verdict.prediction);
    let answers = answers.map(|(profile, drift)| Changed { profile, drift, place: None });
    features.chain(answers).filter(|changed| changed.drift.drifted).collect()
}

/// A column's last `look` windows merged.
fn merged(
    column: &ColumnProfile,
    windows: &[WindowSketch],
    place: Option<usize>,
    look: usize,
) -> Option<Sketch> {
    let mut merged = Sketch::new(&column.reference);
    for window in windows.iter().rev().take(look.max(1)) {
        let sketch = match place {
            Some(place) => window.features.get(place),
            None => window.prediction.as_ref(),
        };
        merged.merge(sketch?).ok()?;
    }
    Some(merged)
}

/// The days of a window: those whose noon in Guayaquil lies in it.
pub(super) fn days_of(start: Micros, end: Micros) -> Option<(Date, Date)> {
    let date = |at: Micros| Timestamp::from_microsecond(at.0).ok().map(local_date);
    let before_noon = |at: Micros| Micros(at.plus_seconds(-HALF_A_DAY).0.saturating_sub(1));
    let first = date(before_noon(start))?.checked_add(1.day()).ok()?;
    let last = date(before_noon(end))?;
    Some((first.min(last), last))
}

/// The yearly season of a window that tells most about it.
pub(super) fn season_of(calendar: &Calendar, (from, to): (Date, Date)) -> Option<Event> {
    let all = calendar.seasons_around(from, to);
    let yearly: Vec<_> = all.into_iter().filter(|season| !season.event.is_monthly()).collect();
    chasqui_drift::calendar::counterpart(&yearly, from, to).map(|found| found.event)
}

/// Who asks for rows of earlier years.
pub(super) struct Source<'a> {
    pub(super) registry: &'a Registry,
    pub(super) log: Option<&'a Log>,
    pub(super) service: &'a chasqui_registry::name::ServiceName,
    pub(super) version: &'a Version,
    pub(super) profile: &'a Arc<Profile>,
    /// Rows below which a year is not compared.
    pub(super) min_rows: u64,
    /// The log holds the version's inputs as they were sent: none is a pseudonym.
    pub(super) asks_log: bool,
}

/// The windows that are looked for in earlier years: the last `look` of `length` seconds up to `end`.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) end: Micros,
    pub(super) length: i64,
    pub(super) look: usize,
}

impl Source<'_> {
    /// The earlier years of a window's days that there are rows of, in the log or in the dataset that the version was
    /// trained on.
    pub(super) async fn earlier_years(
        &self,
        calendar: &Calendar,
        days: (Date, Date),
        span: Span,
    ) -> Result<Vec<EarlierYear>> {
        let all = calendar.seasons_around(days.0, days.1);
        let model = load_model(self.registry, self.version).await?;
        let mut dataset = None;
        let mut years: Vec<EarlierYear> = Vec::new();
        for counterpart in counterparts(&all, days.0, days.1) {
            let back = days.0.since(counterpart.from).map_or(0, |span| i64::from(span.get_days()));
            if back <= 0 || years.iter().any(|year| year.counterpart.from == counterpart.from) {
                continue;
            }
            let shifted = Span { end: span.end.plus_seconds(-back * DAY), ..span };
            let mut windows = if self.asks_log { self.logged(&model, shifted).await? } else { Vec::new() };
            let mut source = SeasonSource::Log;
            if windows.last().is_none_or(|window| window.rows < self.min_rows) {
                if dataset.is_none() {
                    dataset = Some(self.dataset().await?);
                }
                windows = match &dataset {
                    Some(Some(dataset)) => self.of_table(&model, dataset, shifted).await?,
                    _ => Vec::new(),
                };
                source = SeasonSource::Dataset;
            }
            if windows.last().is_some_and(|window| window.rows >= self.min_rows) {
                years.push(EarlierYear { counterpart, windows, source });
            }
        }
        Ok(years)
    }

    async fn logged(&self, model: &Arc<Model>, span: Span) -> Result<Vec<WindowSketch>> {
        let range = PredictionRange { service: self.service.clone(), from: span.start(), to: span.end };
        let columns = input_columns(model);
        let (asked, profile) = (Arc::clone(model), Arc::clone(self.profile));
        let count = move |windows: &mut Vec<WindowSketch>, logged: Logged| {
            for (number, window) in windows.iter_mut().enumerate() {
                let (from, to) = span.window(number);
                count(&asked, &profile, &logged.inputs, &within(&logged.at, from, to), window)?;
            }
            Ok(())
        };
        let taken = fold_logged(self.registry, self.log, &range, &columns, span.empty(self.profile), count);
        match taken.await {
            // Another version may have taken other inputs: then the log says nothing about this one's.
            Err(Error::Invalid(_)) => {
                tracing::debug!(service = %self.service, "the log of the earlier year does not fit the version");
                Ok(Vec::new())
            }
            other => other,
        }
    }

    /// The dataset that the version was trained on, with the time of each row; none where it has no times.
    async fn dataset(&self) -> Result<Option<Arc<(Table, Vec<i64>)>>> {
        let (Some(dataset), Some(pipeline)) =
            (&self.version.lineage.dataset, self.version.tags.get("pipeline"))
        else {
            return Ok(None);
        };
        let Some(pipeline) = pipeline::get(self.registry, pipeline).await? else { return Ok(None) };
        let Some(time) = pipeline.spec.features.time else { return Ok(None) };
        let batches = self.registry.read_dataset(&dataset.name, dataset.version).await?;
        let read = move || Table::from_batches(&batches).map_err(Error::internal);
        let table = tokio::task::spawn_blocking(read).await??;
        let Some(ColumnData::Time(times)) = table.column(&time) else { return Ok(None) };
        let at = noon_of_dates(times);
        Ok(Some(Arc::new((table, at))))
    }

    async fn of_table(
        &self,
        model: &Arc<Model>,
        dataset: &Arc<(Table, Vec<i64>)>,
        span: Span,
    ) -> Result<Vec<WindowSketch>> {
        let (model, profile, dataset) = (Arc::clone(model), Arc::clone(self.profile), Arc::clone(dataset));
        let counted = tokio::task::spawn_blocking(move || {
            let (table, at) = &*dataset;
            let mut windows = span.empty(&profile);
            for (number, window) in windows.iter_mut().enumerate() {
                let (from, to) = span.window(number);
                count(&model, &profile, table, &within(at, from, to), window)?;
            }
            Ok(windows)
        });
        match counted.await? {
            Err(Error::Invalid(_)) => {
                tracing::debug!(service = %self.service, "the dataset does not fit the version");
                Ok(Vec::new())
            }
            other => other,
        }
    }
}

/// The rows' times; days without an hour are taken at noon in Guayaquil, as traffic of that day would come.
fn noon_of_dates(times: &[Option<i64>]) -> Vec<i64> {
    const DAY_MICROS: i64 = DAY * Micros::PER_SECOND;
    const NOON_IN_GUAYAQUIL: i64 = 17 * 3600 * Micros::PER_SECOND;
    let are_dates = times.iter().flatten().all(|at| at.rem_euclid(DAY_MICROS) == 0);
    let more = if are_dates { NOON_IN_GUAYAQUIL } else { 0 };
    times.iter().map(|at| at.map_or(i64::MIN, |at| at.saturating_add(more))).collect()
}

impl Span {
    fn start(self) -> Micros {
        self.window(0).0
    }

    /// First instant and the first one after of a window, the oldest being 0.
    fn window(self, number: usize) -> (Micros, Micros) {
        let back = (self.look - number) as i64;
        (self.end.plus_seconds(-back * self.length), self.end.plus_seconds((1 - back) * self.length))
    }

    fn empty(self, profile: &Profile) -> Vec<WindowSketch> {
        (0..self.look).map(|_| WindowSketch::new(profile)).collect()
    }
}

/// Since when a change is there, and whether it was an alarm, as the window before says. Of columns that did not differ
/// then it says nothing.
pub(super) fn history_of(verdict: &DriftVerdict, before: Option<&StoredVerdict>) -> (Option<Date>, bool) {
    let differs = |verdict: &DriftVerdict, name: &str| {
        let mut columns = verdict.features.iter().chain(&verdict.prediction);
        columns.any(|column| column.drifted && column.name == name)
    };
    let lasts = |before: &&StoredVerdict| {
        let mut columns = verdict.features.iter().chain(&verdict.prediction);
        columns.any(|column| column.drifted && differs(&before.verdict, &column.name))
    };
    let Some(before) = before.filter(lasts) else { return (None, false) };
    (before.assessment.season.as_ref().and_then(|reading| reading.since), before.drifted)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_days_of_a_window_are_those_whose_noon_lies_in_it() {
        // Thursday 14 April 2016, 0:00 UTC, is Wednesday evening in Guayaquil.
        let start = Micros(1_460_592_000_000_000);
        assert_eq!(days_of(start, start.plus_seconds(7 * DAY)), Some((date(2016, 4, 14), date(2016, 4, 20))));
        assert_eq!(days_of(start, start.plus_seconds(DAY)), Some((date(2016, 4, 14), date(2016, 4, 14))));
        let midnight = start.plus_seconds(5 * 3600);
        assert_eq!(days_of(midnight, midnight.plus_seconds(DAY)).unwrap().0, date(2016, 4, 14));
    }

    #[test]
    fn windows_of_a_span_follow_each_other() {
        let span = Span { end: Micros(40_000_000), length: 10, look: 2 };
        assert_eq!(span.window(0), (Micros(20_000_000), Micros(30_000_000)));
        assert_eq!(span.window(1), (Micros(30_000_000), Micros(40_000_000)));
    }

    #[test]
    fn paydays_are_no_season_to_wait_for() {
        let calendar = Calendar::default();
        assert_eq!(season_of(&calendar, (date(2026, 1, 15), date(2026, 1, 21))), None);
        assert_eq!(
            season_of(&calendar, (date(2026, 12, 10), date(2026, 12, 16))),
            Some(Event::DecimoTercero)
        );
    }
}
