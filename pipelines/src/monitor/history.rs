//! The days before a verdict, column by column and group by group: when a change began, of which kind it is, which
//! groups it is about, and which columns changed together.
//!
//! A column is followed by one number a row: its value, or 1 where it is the category that moved most. Sums over days
//! and groups are kept, never rows.

use std::collections::BTreeMap;

use chasqui_drift::groups::{GroupDays, group_shifts};
use chasqui_drift::kind::{ChangeKind, describe_since, without_weekdays};
use chasqui_drift::{ColumnKind, DriftVerdict, FeatureDrift};
use chasqui_registry::prediction_log::{Log, PredictionRange};
use chasqui_registry::{Micros, Registry};
use chasqui_trainer::ColumnData;
use jiff::ToSpan;
use jiff::civil::Date;

use super::assessment::{ChangeInterval, ColumnChange};
use super::rows::{LABEL, Logged, SCORE, VALUE, fold_logged, input_column};
use crate::error::Result;

/// Days before the window that are looked at: twelve weeks.
const DAYS_BEFORE: i64 = 84;
/// More groups than this are no groups but entities without a past: none is followed.
pub const MOST_GROUPS: usize = 500;
/// Columns followed, the strongest.
const MOST_COLUMNS: usize = 24;
const DAY_MICROS: i64 = 86_400 * Micros::PER_SECOND;
/// Guayaquil keeps UTC−5 all the year.
const BEHIND_UTC: i64 = 5 * 3600 * Micros::PER_SECOND;

/// What a column is followed by.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Its value.
    Number,
    /// Whether it is this category.
    Category(String),
    /// Whether it has no value.
    Missing,
    /// Nothing: its values are not told.
    Hidden,
}

/// A column that is followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Its name.
    pub column: String,
    /// By what.
    pub signal: Signal,
    /// It is the model's answer.
    pub is_answer: bool,
    /// How many windows the change was found in.
    pub look: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    rows: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.rows += 1.0;
    }

    fn get(self) -> f64 {
        if self.rows > 0.0 { self.sum / self.rows } else { f64::NAN }
    }
}

/// Sums of the followed columns over days, groups and pairs.
#[derive(Debug)]
pub struct DailyHistory {
    watches: Vec<Watch>,
    /// The first day, counted from 1970 in Guayaquil.
    first: i64,
    days: usize,
    window: usize,
    columns: Vec<Vec<Mean>>,
    groups: Vec<BTreeMap<String, Vec<Mean>>>,
    has_too_many_groups: bool,
    pairs: Pairs,
}

impl DailyHistory {
    /// An empty history of the 12 weeks before a window and of the window, whose last instant is before `end` and
    /// which is `window` days long.
    pub fn new(watches: Vec<Watch>, end: Micros, window: usize) -> Self {
        let window = window.max(1);
        let days = DAYS_BEFORE as usize + window;
        let last = day_of(end.0.saturating_sub(1));
        let columns = vec![vec![Mean::default(); days]; watches.len()];
        let groups = vec![BTreeMap::new(); watches.len()];
        let pairs = Pairs::new(watches.len());
        let first = last - days as i64 + 1;
        Self { watches, first, days, window, columns, groups, has_too_many_groups: false, pairs }
    }

    /// Adds a row: a number for every followed column in their order (NaN when it has none), and its group.
    pub fn add(&mut self, at: Micros, values: &[f64], group: Option<&str>) {
        let Some(day) = usize::try_from(day_of(at.0) - self.first).ok().filter(|day| *day < self.days) else {
            return;
        };
        for (column, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let Some(means) = self.columns.get_mut(column) else { return };
            means[day].add(*value);
            let (Some(group), Some(groups)) = (group, self.groups.get_mut(column)) else { continue };
            if self.has_too_many_groups {
                continue;
            }
            if !groups.contains_key(group) && groups.len() >= MOST_GROUPS {
                self.has_too_many_groups = true;
                self.groups.iter_mut().for_each(BTreeMap::clear);
                continue;
            }
            groups.entry(group.to_owned()).or_insert_with(|| vec![Mean::default(); self.days])[day]
                .add(*value);
        }
        if day < self.days - self.window {
            self.pairs.add(values);
        }
    }

    /// Kind, date and groups of every followed column.
    pub fn changes(&self) -> Vec<ColumnChange> {
        (0..self.watches.len()).map(|column| self.change(column)).collect()
    }

    /// There are more groups than are followed.
    pub fn has_too_many_groups(&self) -> bool {
        self.has_too_many_groups
    }

    /// Correlations of the followed columns in the rows before the window, as triples of two places and a correlation.
    pub fn correlations(&self) -> Vec<(usize, usize, f64)> {
        self.pairs.correlations()
    }

    /// The names of the followed columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.watches.iter().map(|watch| watch.column.as_str())
    }

    fn change(&self, column: usize) -> ColumnChange {
        let watch = &self.watches[column];
        let means: Vec<f64> = self.columns[column].iter().map(|mean| mean.get()).collect();
        // Days before the first row are no days of the series.
        let begins = means.iter().position(|mean| mean.is_finite()).unwrap_or(means.len());
        let means = &means[begins..];
        let changed = (watch.look.max(1) * self.window).min(means.len());
        let calm = means.len() - changed;
        let description = describe_since(&without_weekdays(means, calm), calm.saturating_sub(self.window));
        let began = description.began.filter(|_| dated(description.kind)).and_then(|began| {
            let date = |place: usize| self.date(begins + place);
            Some(ChangeInterval {
                on: date(began.window)?,
                earliest: date(began.earliest)?,
                latest: date(began.latest)?,
            })
        });
        let groups = self.groups[column].iter().map(|(name, means)| GroupDays {
            name: name.clone(),
            means: means.iter().map(|mean| mean.get()).collect(),
        });
        let groups = group_shifts(&groups.collect::<Vec<_>>(), self.window);
        ColumnChange { column: watch.column.clone(), description, began, groups }
    }

    fn date(&self, place: usize) -> Option<Date> {
        let days = self.first + place as i64;
        Date::constant(1970, 1, 1).checked_add(days.days()).ok()
    }
}

fn dated(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Sudden | ChangeKind::Gradual { .. } | ChangeKind::OneOff { .. })
}

fn day_of(at: i64) -> i64 {
    at.saturating_sub(BEHIND_UTC).div_euclid(DAY_MICROS)
}

/// Sums for the correlations of pairs of columns.
#[derive(Debug)]
struct Pairs {
    columns: usize,
    sums: Vec<[f64; 6]>,
}

impl Pairs {
    fn new(columns: usize) -> Self {
        Self { columns, sums: vec![[0.0; 6]; columns * columns] }
    }

    fn add(&mut self, values: &[f64]) {
        for one in 0..self.columns.min(values.len()) {
            for other in one + 1..self.columns.min(values.len()) {
                let (x, y) = (values[one], values[other]);
                if x.is_finite() && y.is_finite() {
                    let sums = &mut self.sums[one * self.columns + other];
                    for (sum, term) in sums.iter_mut().zip([1.0, x, y, x * x, y * y, x * y]) {
                        *sum += term;
                    }
                }
            }
        }
    }

    /// Pearson's correlation of every pair that has one.
    fn correlations(&self) -> Vec<(usize, usize, f64)> {
        let mut found = Vec::new();
        for one in 0..self.columns {
            for other in one + 1..self.columns {
                let [n, x, y, xx, yy, xy] = self.sums[one * self.columns + other];
                let scatter = (n * xx - x * x) * (n * yy - y * y);
                let correlation = (n * xy - x * y) / scatter.sqrt();
                if n > 2.0 && scatter > 0.0 && correlation.is_finite() {
                    found.push((one, other, correlation.clamp(-1.0, 1.0)));
                }
            }
        }
        found
    }
}

/// The columns that a verdict found, the strongest first, and what each is followed by.
pub(super) fn watches(verdict: &DriftVerdict) -> Vec<Watch> {
    let features = verdict.features.iter().map(|drift| (drift, false));
    let answers = verdict.prediction.iter().map(|drift| (drift, true));
    let mut changed: Vec<(&FeatureDrift, bool)> =
        features.chain(answers).filter(|(drift, _)| drift.drifted || drift.missing_changed).collect();
    changed.sort_by(|a, b| b.0.effect.total_cmp(&a.0.effect));
    changed.truncate(MOST_COLUMNS);
    changed
        .into_iter()
        .map(|(drift, is_answer)| Watch {
            column: drift.name.clone(),
            signal: signal(drift),
            is_answer,
            look: drift.windows,
        })
        .collect()
}

fn signal(drift: &FeatureDrift) -> Signal {
    if !drift.drifted {
        return Signal::Missing;
    }
    if drift.kind == ColumnKind::Number {
        return Signal::Number;
    }
    let moved = drift.before.categories.iter().zip(&drift.after.categories);
    let known = moved.map(|(was, is)| (is.value.clone(), (is.share - was.share).abs()));
    let new = drift.after.new_categories.iter().map(|new| (new.value.clone(), new.share));
    let most = known.chain(new).max_by(|a, b| a.1.total_cmp(&b.1));
    most.map_or(Signal::Hidden, |(value, _)| Signal::Category(value))
}

/// Reads the history of a window from the log. None without rows.
pub(super) async fn read(
    registry: &Registry,
    log: Option<&Log>,
    range: PredictionRange,
    (watches, group): (Vec<Watch>, Option<&str>),
    window: usize,
) -> Result<Option<DailyHistory>> {
    let before = DAYS_BEFORE * DAY_MICROS;
    let range = PredictionRange { from: Micros(range.from.0.saturating_sub(before)), ..range };
    let inputs = watches.iter().map(|watch| watch.column.as_str()).chain(group);
    let answers = [LABEL, SCORE, VALUE].map(str::to_owned);
    let columns: Vec<String> = inputs.map(input_column).chain(answers).collect();
    let history = DailyHistory::new(watches, range.to, window);
    let group = group.map(str::to_owned);
    let add = move |(history, rows): &mut (DailyHistory, usize), logged: Logged| {
        *rows += logged.rows();
        add_rows(history, &logged, group.as_deref());
        Ok(())
    };
    let (history, rows) = fold_logged(registry, log, &range, &columns, (history, 0), add).await?;
    Ok((rows > 0).then_some(history))
}

fn add_rows(history: &mut DailyHistory, logged: &Logged, group: Option<&str>) {
    let columns: Vec<Option<&ColumnData>> =
        history.watches.iter().map(|watch| logged.inputs.column(&watch.column)).collect();
    let columns: Vec<(Watch, Option<&ColumnData>)> =
        history.watches.clone().into_iter().zip(columns).collect();
    let groups = group.and_then(|group| logged.inputs.column(group));
    let mut values = vec![f64::NAN; columns.len()];
    for row in 0..logged.rows() {
        for (value, (watch, data)) in values.iter_mut().zip(&columns) {
            *value =
                if watch.is_answer { answer(watch, logged, row) } else { cell(&watch.signal, *data, row) };
        }
        let name = groups.and_then(|data| text(data, row));
        history.add(Micros(logged.at[row]), &values, name.as_deref());
    }
}

fn answer(watch: &Watch, logged: &Logged, row: usize) -> f64 {
    match &watch.signal {
        Signal::Category(wanted) => {
            let label = logged.label[row].as_deref();
            label.map_or(f64::NAN, |label| f64::from(u8::from(label == wanted)))
        }
        _ if logged.value[row].is_finite() => logged.value[row],
        _ => logged.score[row],
    }
}

fn cell(signal: &Signal, data: Option<&ColumnData>, row: usize) -> f64 {
    let Some(data) = data else { return f64::NAN };
    match (signal, data) {
        (Signal::Number, ColumnData::Number(values)) => values[row],
        (Signal::Missing, ColumnData::Number(values)) => f64::from(u8::from(values[row].is_nan())),
        (Signal::Missing, ColumnData::Text(values)) => f64::from(u8::from(values[row].is_none())),
        (Signal::Category(wanted), _) => {
            text(data, row).map_or(f64::NAN, |value| f64::from(u8::from(value == *wanted)))
        }
        _ => f64::NAN,
    }
}

fn text(data: &ColumnData, row: usize) -> Option<String> {
    match data {
        ColumnData::Text(values) => values[row].clone(),
        ColumnData::Number(values) => (!values[row].is_nan()).then(|| values[row].to_string()),
        ColumnData::Time(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Midnight in Guayaquil at the end of 20 April 2016.
    const END: Micros = Micros(1_461_214_800_000_000);

    fn watch(column: &str) -> Watch {
        Watch { column: column.into(), signal: Signal::Number, is_answer: false, look: 1 }
    }

    fn noon(days_back: i64) -> Micros {
        END.plus_seconds(-days_back * 86_400 + 12 * 3600)
    }

    #[test]
    fn a_jump_is_dated_and_the_group_that_did_not_follow_is_named() {
        let mut history = DailyHistory::new(vec![watch("nivel")], END, 7);
        for back in (1..=60).rev() {
            for store in 0..10 {
                let wave = ((back * 7 + store * 3) % 10) as f64 * 0.005;
                let jump = if back <= 3 && store != 4 { 0.5 } else { 0.0 };
                history.add(noon(back), &[1.0 + wave + jump], Some(&format!("T{store}")));
            }
        }
        let change = history.changes().remove(0);
        assert_eq!(change.began.unwrap().on, date(2016, 4, 18), "{change:?}");
        assert_eq!(change.groups[0].name, "T4", "{:?}", change.groups);
        assert!(change.groups[0].beside_others < 0.0);
    }

    #[test]
    fn more_groups_than_are_followed_are_told_of_and_not_named() {
        let mut history = DailyHistory::new(vec![watch("nivel"), watch("precio")], END, 7);
        for back in (1..=60).rev() {
            for store in 0..10 {
                let wave = ((back * 7 + store * 3) % 10) as f64 * 0.005;
                let jump = if back <= 3 && store != 4 { 0.5 } else { 0.0 };
                history.add(noon(back), &[1.0 + wave + jump, 1.0], Some(&format!("T{store}")));
            }
        }
        assert!(!history.has_too_many_groups() && !history.changes()[0].groups.is_empty());
        for customer in 0..MOST_GROUPS {
            history.add(noon(1), &[1.0, 1.0], Some(&format!("C{customer}")));
        }
        assert!(history.has_too_many_groups());
        assert!(history.changes().iter().all(|change| change.groups.is_empty()));
    }

    #[test]
    fn columns_that_move_together_are_correlated() {
        let mut history = DailyHistory::new(vec![watch("a"), watch("b"), watch("c")], END, 7);
        for back in 8..=60 {
            for row in 0..20 {
                let x = ((back * 31 + row * 17) % 97) as f64;
                let z = ((back * 13 + row * 29) % 89) as f64;
                history.add(noon(back), &[x, -2.0 * x + 1.0, z], None);
            }
        }
        let found = history.correlations();
        let of = |pair: (usize, usize)| found.iter().find(|found| (found.0, found.1) == pair).unwrap().2;
        assert!((of((0, 1)) + 1.0).abs() < 1e-9);
        assert!(of((0, 2)).abs() < 0.3);
    }

    #[test]
    fn without_days_nothing_is_told_apart() {
        let history = DailyHistory::new(vec![watch("a")], END, 7);
        let change = history.changes().remove(0);
        assert_eq!((change.description.kind, change.began), (ChangeKind::Unknown, None));
    }
}
