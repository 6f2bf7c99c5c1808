//! Joins the rows of a window to the figures: estimates when it closes, measures as outcomes come.

use chasqui_drift::decision::{FairnessPolicy, fairness};
use chasqui_drift::performance::{Confusion, Doubt, Reconciliation, Scored, doubts, reconcile};
use chasqui_registry::name::ModelName;
use chasqui_registry::prediction_log::{Log, PredictionRange};
use chasqui_registry::service::Service;
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
use crate::monitor::rows::{Logged, each_logged, load_model, within};
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
struct Ready {
    estimator: Estimator,
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
                    performance.estimated = estimated(&ready.estimator, &window);
                    if performance.estimated.is_empty() {
                        performance.not_estimated = Some(NotEstimated::FewHeldOutRows);
                    }
                    let known = latest_reconciliation(registry, key).await?;
                    performance.doubts = doubts_of(&ready.estimator, &window, known.as_ref());
                    cells = expected_cells(&ready.estimator, &window);
                    performance.fairness = fairness(&window.groups(), FairnessPolicy::default());
                }
            }
        }
    }
    let mut stored = StoredPerformance {
        service: key.service.clone(),
        model: key.model.clone(),
        version: key.version,
        window_start: key.window_start,
        window_end: span.1,
        fell: false,
        performance,
        updated_at: registry.now(),
    };
    measure(registry, log, service, (key, version), (ready.as_ref(), cells), &mut stored).await?;
    Ok(stored)
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

/// Measures a window again with the outcomes that are known now, and tells when its performance begins to fall. Where
/// another worker has measured it meanwhile, what that one found stands.
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
    let ready = ready(registry, &version).await?;
    let mut stored = StoredPerformance { updated_at: now, ..before.clone() };
    measure(registry, log, service, (key, &version), (ready.as_ref(), None), &mut stored).await?;
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
    Ok(Some(stored))
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

async fn ready(registry: &Registry, version: &Version) -> Result<Option<Ready>> {
    let Some(bytes) = registry.estimator(&version.model, version.version).await? else { return Ok(None) };
    let estimator: Estimator = serde_json::from_slice(&bytes.reference)?;
    let loss_model = match bytes.loss_model {
        Some(bytes) => {
            let load = move || Model::load(&bytes, &Limits::default()).map_err(Error::internal);
            Some(tokio::task::spawn_blocking(load).await??)
        }
        None => None,
    };
    Ok(Some(Ready { estimator, loss_model }))
}

/// Reads the answers of a version in a window, or says why its inputs, where they are needed, cannot be read.
async fn read_answers(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    key: &WindowKey,
    (version, ready): (&Version, &Ready),
) -> Result<std::result::Result<WindowRows, NotEstimated>> {
    if ready.estimator.asks_again() && takes_personal(&service.config, version) {
        return Ok(Err(NotEstimated::PersonalInputs));
    }
    let (from, to) = span(service, key);
    let range = PredictionRange { service: service.name.clone(), from, to };
    let asks_model = ready.estimator.needs_scores();
    let model = if asks_model { Some(load_model(registry, version).await?) } else { None };
    let group = group_of(service);
    let mut window = WindowRows::default();
    let taken = each_logged(registry, log, &range, |logged| {
        let rows = of_version(&logged, key, (from, to));
        window.rows += rows.len() as u64;
        match &ready.estimator.reference {
            Reference::Binary { cbpe, positive, .. } => {
                let groups = group.and_then(|group| logged.inputs.column(group));
                for row in rows {
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
                Ok(())
            }
            Reference::Multiclass { classes, .. } => {
                let Some(model) = &model else { return Ok(()) };
                let answers = ask(model, &logged.inputs, &rows)?;
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
            Reference::Regression { .. } => {
                let Some(model) = &ready.loss_model else { return Ok(()) };
                let table = with_answers(&logged, &ready.estimator.answer_column)?;
                let losses = ask(model, &table, &rows)?.value;
                window.losses.extend(losses.into_iter().map(|loss| loss.max(LEAST_LOSS)));
                Ok(())
            }
        }
    });
    match taken.await {
        // Columns that were personal then are pseudonyms in the log still.
        Err(Error::Invalid(_)) => {
            tracing::debug!(service = %service.name, "the inputs of the window cannot be read again");
            Ok(Err(NotEstimated::InputsNotLogged))
        }
        other => other.map(|()| Ok(window)),
    }
}

fn of_version(logged: &Logged, key: &WindowKey, (from, to): (Micros, Micros)) -> Vec<usize> {
    let mut rows = within(&logged.at, from, to);
    rows.retain(|row| logged.version[*row] as i64 == key.version);
    rows
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
    (ready, expected): (Option<&Ready>, Option<Confusion>),
    stored: &mut StoredPerformance,
) -> Result<()> {
    let is_clear = !takes_personal(&service.config, version);
    let estimator = ready.map(|ready| &ready.estimator);
    // Of more than two classes only the model knows every score: without it hits and misses are left.
    let estimator = estimator.filter(|estimator| is_clear || !estimator.needs_scores());
    let window = read_outcomes(registry, log, service, (key, version), estimator).await?;
    let performance = &mut stored.performance;
    performance.labels = window.rows;
    performance.realized = match estimator {
        _ if window.rows == 0 => Vec::new(),
        Some(estimator) => realized(estimator, &window),
        None => unreferenced(&window),
    };
    performance.reconciliation = reconciled(performance);
    let enough = window.rows >= FEWEST_LABELS;
    if enough && !window.groups.is_empty() {
        performance.fairness = fairness(&window.groups(), FairnessPolicy::default());
        performance.fairness_realized = true;
    }
    if let (Some(worth), Some(estimator)) = (&service.config.worth, estimator) {
        let cells = if enough { real_cells(&window) } else { expected };
        let seconds = service.config.monitor.window_seconds;
        let known = value(worth, estimator, performance, cells.as_ref(), seconds);
        performance.value = known.or(performance.value);
    }
    stored.fell = stored.performance.fell();
    let mut earlier = history(registry, key, WINDOWS).await?;
    earlier.retain(|window| window.window_start < key.window_start);
    let mut timed: Vec<(Micros, &WindowPerformance)> =
        earlier.iter().map(|window| (window.window_start, &window.performance)).collect();
    timed.push((key.window_start, &stored.performance));
    let seed = u64::try_from(key.window_start.0).unwrap_or(0);
    stored.performance.forecast = outlook(&timed, seed);
    Ok(())
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
