//! Joins the rows of a window to the figures: estimates when it closes, measures as outcomes come.

use std::sync::Arc;

use chasqui_drift::decision::{FairnessPolicy, fairness};
use chasqui_drift::performance::{Cbpe, Confusion, Doubt, Reconciliation, Scored, doubts, reconcile};
use chasqui_registry::name::ModelName;
use chasqui_registry::prediction_log::{Log, PredictionRange, holds_any};
use chasqui_registry::service::{Service, Worth};
use chasqui_registry::version::Version;
use chasqui_registry::{Micros, Registry};
use chasqui_runtime::{Limits, Model};
use chasqui_trainer::{Column, ColumnData, Table};

use super::answers::{ask, label_of, same_label};
use super::estimator::{Estimator, Reference};
use super::figures::{WindowRows, estimated, realized, unreferenced};
use super::outcomes::{read_outcomes, real_cells};
use super::outlook::{outlook, value};
use super::store::{StoredPerformance, history, of_window, save};
use super::{FEWEST_LABELS, NotEstimated, WindowPerformance};
use crate::error::{Error, Result};
use crate::monitor::notice;
use crate::monitor::personal::takes_personal;
use crate::monitor::rows::{
    LABEL, Logged, SCORE, VALUE, VERSION, fold_logged, input_column, input_columns, load_model, within,
};
use crate::monitor::verdict::lock;
use crate::monitor::{WindowKey, window_length};

/// Windows of a version that its outlook rests on.
const WINDOWS: i64 = 60;
/// The last windows, which outcomes may still change.
const OPEN_WINDOWS: i64 = 16;
/// Outcomes that come in a stream are taken up so often at most.
const SETTLE: i64 = 5 * Micros::PER_SECOND;
/// Fewer rows estimate nothing.
const FEWEST_ROWS: u64 = 30;
/// Predictions of losses below zero are none.
const LEAST_LOSS: f64 = 0.0;

/// The estimator of a version, ready to be asked.
pub(super) struct Ready {
    pub(super) estimator: Estimator,
    loss_model: Option<Model>,
}

/// Looks at a window that closes: estimates its performance, and measures it where outcomes are known already. The
/// figures are returned and not written: they belong to the transaction of the verdict.
pub async fn estimate(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    key: &WindowKey,
    version: &Version,
) -> Result<StoredPerformance> {
    let span = span(service, key);
    let ready = ready(registry, version).await?;
    let mut performance = WindowPerformance::default();
    let mut cells = None;
    match &ready {
        None => performance.not_estimated = Some(NotEstimated::NoEstimator),
        Some(ready) => {
            let read = read_answers(registry, log, service, key, (version, ready)).await?;
            performance.rows = read.as_ref().map_or(0, |window| window.rows);
            match read {
                Err(why) => performance.not_estimated = Some(why),
                Ok(window) if window.rows < FEWEST_ROWS => {
                    performance.not_estimated = Some(NotEstimated::FewRows);
                }
                Ok(window) => {
                    let known = latest_reconciliation(registry, key).await?;
                    let ready = Arc::clone(ready);
                    let look = move || look_at(&ready.estimator, &window, known.as_ref());
                    let (looked_at, expected) = tokio::task::spawn_blocking(look).await?;
                    (performance, cells) = (looked_at, expected);
                }
            }
        }
    }
    let stored = StoredPerformance {
        service: key.service.clone(),
        model: key.model.clone(),
        version: key.version,
        window_start: key.window_start,
        window_end: span.1,
        fell: false,
        performance,
        updated_at: registry.now(),
    };
    measure(registry, log, service, (key, version), (ready, cells), stored).await
}

/// What the rows of a window say without outcomes, and the cells that are expected of a classifier of two classes.
fn look_at(
    estimator: &Estimator,
    window: &WindowRows,
    known: Option<&Reconciliation>,
) -> (WindowPerformance, Option<Confusion>) {
    let estimated = estimated(estimator, window);
    let performance = WindowPerformance {
        rows: window.rows,
        not_estimated: estimated.is_empty().then_some(NotEstimated::FewHeldOutRows),
        estimated,
        doubts: doubts_of(estimator, window, known),
        fairness: fairness(&window.groups(), FairnessPolicy::default()),
        ..WindowPerformance::default()
    };
    (performance, expected_cells(estimator, window))
}

/// Whether outcomes came for a window of the version since it was last looked at.
pub async fn stale(registry: &Registry, service: &Service, key: &WindowKey) -> Result<Vec<WindowKey>> {
    let now = registry.now();
    let mut stale = Vec::new();
    let Some(latest) = registry.latest_outcome().await? else { return Ok(stale) };
    for stored in history(registry, key, OPEN_WINDOWS).await? {
        if latest < stored.updated_at {
            continue;
        }
        if stored.updated_at.0.saturating_add(SETTLE) > now.0 {
            continue;
        }
        let key = WindowKey { window_start: stored.window_start, ..key.clone() };
        let (from, to) = span(service, &key);
        let (_, latest) = registry.outcomes_of_span(from, to).await?;
        if latest.is_some_and(|latest| latest >= stored.updated_at) {
            stale.push(key);
        }
    }
    Ok(stale)
}

/// Measures a window again with the outcomes that are known now, and tells when its performance begins to fall; none
/// where they are those of other services. Where another worker has measured it meanwhile, what that one found stands.
pub async fn refresh(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    key: &WindowKey,
) -> Result<Option<StoredPerformance>> {
    let model = ModelName::try_from(key.model.as_str())?;
    let Some(version) = registry.get_version(&model, key.version).await? else { return Ok(None) };
    let Some(before) = of_window(registry.db.pool(), key).await? else { return Ok(None) };
    let now = registry.now();
    let mut stored = StoredPerformance { updated_at: now, ..before.clone() };
    let concerned = concerns(registry, log, service, &before).await?;
    if concerned {
        let ready = ready(registry, &version).await?;
        stored = measure(registry, log, service, (key, &version), (ready, None), stored).await?;
    }
    let fell_before = fell_before(registry, key).await?;
    let mut tx = registry.db.begin().await?;
    lock(&mut tx, key).await?;
    let meanwhile = of_window(&mut *tx, key).await?;
    if meanwhile.as_ref() != Some(&before) {
        tx.rollback().await?;
        return Ok(meanwhile);
    }
    save(&mut tx, &stored).await?;
    if stored.fell && !before.fell && !fell_before {
        notice::performance_fell(&mut tx, now, &stored).await?;
    }
    tx.commit().await?;
    Ok(concerned.then_some(stored))
}

/// Whether outcomes that came since a window was last looked at are of its service: only its log knows.
async fn concerns(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    stored: &StoredPerformance,
) -> Result<bool> {
    let (from, to) = (stored.window_start, stored.window_end);
    let received = registry.outcomes_received(from, to, stored.updated_at).await?;
    let range = PredictionRange { service: service.name.clone(), from, to };
    Ok(!received.is_empty() && holds_any(registry, log, &range, |id| received.contains(id)).await?)
}

/// Writes what [`estimate`] found, in the transaction of the verdict.
pub(in crate::monitor) async fn keep(
    tx: &mut chasqui_registry::db::Tx,
    stored: &StoredPerformance,
) -> Result<()> {
    save(tx, stored).await
}

/// Performance had fallen already in the last window before whose performance is known: it is told once.
pub(in crate::monitor) async fn fell_before(registry: &Registry, key: &WindowKey) -> Result<bool> {
    let windows = history(registry, key, WINDOWS).await?;
    let known = |window: &&StoredPerformance| window.performance.decisive().is_some();
    let mut before = windows.iter().rev().filter(|window| window.window_start < key.window_start);
    Ok(before.find(known).is_some_and(|window| window.fell))
}

pub(super) fn span(service: &Service, key: &WindowKey) -> (Micros, Micros) {
    let end = key.window_start.0.saturating_add(window_length(&service.config.monitor));
    (key.window_start, Micros(end))
}

async fn ready(registry: &Registry, version: &Version) -> Result<Option<Arc<Ready>>> {
    let Some(bytes) = registry.estimator(&version.model, version.version).await? else { return Ok(None) };
    let estimator: Estimator = serde_json::from_slice(&bytes.reference)?;
    let loss_model = match bytes.loss_model {
        Some(bytes) => {
            let load = move || Model::load(&bytes, &Limits::default()).map_err(Error::internal);
            Some(tokio::task::spawn_blocking(load).await??)
        }
        None => None,
    };
    Ok(Some(Arc::new(Ready { estimator, loss_model })))
}

/// Reads the answers of a version in a window, or says why its inputs, where they are needed, cannot be read.
async fn read_answers(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    key: &WindowKey,
    (version, ready): (&Version, &Arc<Ready>),
) -> Result<std::result::Result<WindowRows, NotEstimated>> {
    if ready.estimator.asks_again() && takes_personal(&service.config, version) {
        return Ok(Err(NotEstimated::PersonalInputs));
    }
    let (from, to) = span(service, key);
    let range = PredictionRange { service: service.name.clone(), from, to };
    let asks_model = ready.estimator.needs_scores();
    let model = if asks_model { Some(load_model(registry, version).await?) } else { None };
    let (group, number) = (group_of(service).map(str::to_owned), key.version);
    let asked = model.as_deref().or(ready.loss_model.as_ref());
    let inputs = asked.map(input_columns).unwrap_or_default();
    let answers = [VERSION, LABEL, SCORE, VALUE].map(str::to_owned);
    let columns: Vec<String> =
        inputs.into_iter().chain(group.as_deref().map(input_column)).chain(answers).collect();
    let asking = Asking { ready: Arc::clone(ready), model, group };
    let add = move |window: &mut WindowRows, logged: Logged| {
        let mut rows = within(&logged.at, from, to);
        rows.retain(|row| logged.version[*row] as i64 == number);
        window.rows += rows.len() as u64;
        asking.add(window, &logged, &rows)
    };
    match fold_logged(registry, log, &range, &columns, WindowRows::default(), add).await {
        // Columns that were personal then are pseudonyms in the log still.
        Err(Error::Invalid(_)) => {
            tracing::debug!(service = %service.name, "the inputs of the window cannot be read again");
            Ok(Err(NotEstimated::InputsNotLogged))
        }
        other => other.map(Ok),
    }
}

/// What is asked about logged rows.
struct Asking {
    ready: Arc<Ready>,
    /// The version's own model, of more than two classes.
    model: Option<Arc<Model>>,
    group: Option<String>,
}

impl Asking {
    fn add(&self, window: &mut WindowRows, logged: &Logged, rows: &[usize]) -> Result<()> {
        match &self.ready.estimator.reference {
            Reference::Binary { cbpe, positive, .. } => {
                self.add_scores(window, logged, rows, (cbpe, positive));
                Ok(())
            }
            Reference::Multiclass { classes, .. } => self.add_classes(window, logged, rows, classes),
            Reference::Regression { .. } => {
                let Some(model) = &self.ready.loss_model else { return Ok(()) };
                let table = with_answers(logged, &self.ready.estimator.answer_column)?;
                let losses = ask(model, &table, rows)?.value;
                window.losses.extend(losses.into_iter().map(|loss| loss.max(LEAST_LOSS)));
                Ok(())
            }
        }
    }

    fn add_scores(
        &self,
        window: &mut WindowRows,
        logged: &Logged,
        rows: &[usize],
        (cbpe, positive): (&Cbpe, &str),
    ) {
        let groups = self.group.as_deref().and_then(|group| logged.inputs.column(group));
        for &row in rows {
            let Some(said) = &logged.label[row] else { continue };
            let predicted = same_label(said, positive);
            window.scores.push(logged.score[row]);
            window.predicted.push(predicted);
            let name = groups.and_then(|data| label_of(data, row));
            if let Some(name) = name.filter(|_| logged.score[row].is_finite()) {
                let chance = cbpe.calibration().apply(logged.score[row]);
                window.groups.entry(name).or_default().add(predicted, chance);
            }
        }
    }

    fn add_classes(
        &self,
        window: &mut WindowRows,
        logged: &Logged,
        rows: &[usize],
        classes: &[String],
    ) -> Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        let answers = ask(model, &logged.inputs, rows)?;
        window.class_scores.resize(classes.len(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            let said = logged.label[*row].as_deref();
            let said = said.and_then(|said| classes.iter().position(|class| same_label(class, said)));
            let (Some(said), true) = (said, answers.classes.len() == classes.len()) else { continue };
            window.predicted_class.push(said);
            let pairs = window.class_scores.iter_mut().zip(&answers.classes);
            pairs.for_each(|(column, scores)| column.push(scores[place]));
        }
        Ok(())
    }
}

/// The logged inputs with the answer as one more column.
fn with_answers(logged: &Logged, name: &str) -> Result<Table> {
    let mut columns = logged.inputs.columns().to_vec();
    columns.push(Column { name: name.to_owned(), data: ColumnData::Number(logged.value.clone()) });
    Table::new(columns).map_err(|error| Error::Invalid(error.to_string()))
}

pub(super) fn group_of(service: &Service) -> Option<&str> {
    service.config.groups.as_ref().filter(|groups| groups.fairness).map(|groups| groups.column.as_str())
}

/// Adds to a window what outcomes say, and what follows from it.
async fn measure(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    (key, version): (&WindowKey, &Version),
    (ready, expected): (Option<Arc<Ready>>, Option<Confusion>),
    stored: StoredPerformance,
) -> Result<StoredPerformance> {
    let is_clear = !takes_personal(&service.config, version);
    // Of more than two classes only the model knows every score: without it hits and misses are left.
    let ready = ready.filter(|ready| is_clear || !ready.estimator.needs_scores());
    let window = read_outcomes(registry, log, service, (key, version), ready.clone()).await?;
    let mut earlier = history(registry, key, WINDOWS).await?;
    earlier.retain(|window| window.window_start < key.window_start);
    let measured = Measured {
        ready,
        expected,
        window,
        earlier,
        worth: service.config.worth.clone(),
        window_seconds: service.config.monitor.window_seconds,
    };
    Ok(tokio::task::spawn_blocking(move || measured.added_to(stored)).await?)
}

/// What outcomes say of a window, and what is known around it.
struct Measured {
    ready: Option<Arc<Ready>>,
    /// The cells that were expected before outcomes came.
    expected: Option<Confusion>,
    window: WindowRows,
    /// The windows before, the oldest first.
    earlier: Vec<StoredPerformance>,
    worth: Option<Worth>,
    window_seconds: i64,
}

impl Measured {
    fn added_to(self, mut stored: StoredPerformance) -> StoredPerformance {
        let window = &self.window;
        let estimator = self.ready.as_deref().map(|ready| &ready.estimator);
        let performance = &mut stored.performance;
        performance.labels = window.rows;
        performance.realized = match estimator {
            _ if window.rows == 0 => Vec::new(),
            Some(estimator) => realized(estimator, window),
            None => unreferenced(window),
        };
        performance.reconciliation = reconciled(performance);
        let enough = window.rows >= FEWEST_LABELS;
        if enough && !window.groups.is_empty() {
            performance.fairness = fairness(&window.groups(), FairnessPolicy::default());
            performance.fairness_realized = true;
        }
        if let (Some(worth), Some(estimator)) = (&self.worth, estimator) {
            let cells = if enough { real_cells(window) } else { self.expected };
            let known = value(worth, estimator, performance, cells.as_ref(), self.window_seconds);
            performance.value = known.or(performance.value);
        }
        stored.fell = stored.performance.fell();
        let mut timed: Vec<(Micros, &WindowPerformance)> =
            self.earlier.iter().map(|window| (window.window_start, &window.performance)).collect();
        timed.push((stored.window_start, &stored.performance));
        let seed = u64::try_from(stored.window_start.0).unwrap_or(0);
        let forecast = outlook(&timed, seed);
        stored.performance.forecast = forecast;
        stored
    }
}

/// The decisive estimate beside what outcomes say of it.
fn reconciled(performance: &WindowPerformance) -> Option<Reconciliation> {
    let estimate = performance.estimated.first()?;
    let real = performance.realized.iter().find(|real| real.measure == estimate.measure)?;
    let pair = |figure: &super::Figure| (figure.value, figure.sampling_error);
    reconcile(pair(estimate), pair(real), performance.labels)
}

/// The newest comparison with outcomes before a window: a concept that changed stays changed.
async fn latest_reconciliation(registry: &Registry, key: &WindowKey) -> Result<Option<Reconciliation>> {
    let windows = history(registry, key, WINDOWS).await?;
    let mut before = windows.iter().rev().filter(|window| window.window_start < key.window_start);
    Ok(before.find_map(|window| window.performance.reconciliation))
}

fn doubts_of(estimator: &Estimator, window: &WindowRows, known: Option<&Reconciliation>) -> Vec<Doubt> {
    let outside = match &estimator.reference {
        Reference::Binary { cbpe, .. } => cbpe.outside_share(&window.scores),
        _ => 0.0,
    };
    doubts(window.rows, outside, known)
}

/// What CBPE expects of a window's cells.
fn expected_cells(estimator: &Estimator, window: &WindowRows) -> Option<Confusion> {
    match &estimator.reference {
        Reference::Binary { cbpe, .. } => {
            Some(cbpe.expected_cells(Scored { scores: &window.scores, predicted: &window.predicted }))
        }
        _ => None,
    }
}
