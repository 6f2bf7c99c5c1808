//! Sketches per service version and window.
//!
//! A version's inputs are those of its service: while a rollout divides the traffic by key, each side sees other
//! entities, which says nothing about the data. So every row counts in the windows of both sides, its answer
//! only in the window of the version that gave it.

use std::collections::HashMap;
use std::sync::Arc;

use chasqui_drift::{ColumnProfile, Profile, RecentRows, RowHash, Sketch, WindowSketch};
use chasqui_pipelines::monitor::FlowTotal;
use chasqui_registry::Micros;
use chasqui_registry::name::{ModelName, ServiceName};
use chasqui_runtime::{Value, feature_value, prediction};
use smallvec::SmallVec;

use super::Batch;
use crate::inference::snapshot::{LoadedVersion, ServiceRoute};

/// A window's sketch as counted so far on this replica.
#[derive(Debug, Clone)]
pub(crate) struct WindowTotal {
    /// The service.
    pub service: ServiceName,
    /// The model.
    pub model: ModelName,
    /// The version whose traffic this is.
    pub version: i64,
    /// Where the window begins.
    pub start: Micros,
    /// The counts.
    pub sketch: WindowSketch,
    /// How the rows came.
    pub flow: FlowTotal,
}

#[derive(Debug, Default)]
pub(super) struct Sketches {
    windows: HashMap<String, Vec<Window>>,
}

#[derive(Debug)]
struct Window {
    service: ServiceName,
    model: ModelName,
    version: i64,
    start: Micros,
    length: i64,
    /// Where the profiled columns stand in the signature of each version that answered.
    places: Vec<Places>,
    sketch: WindowSketch,
    flow: FlowTotal,
    recent: RecentRows,
    is_changed: bool,
}

/// The position of each profiled column in the signature of an answering version; none where it takes no such column.
#[derive(Debug)]
struct Places {
    version: i64,
    positions: Vec<Option<usize>>,
}

impl Sketches {
    /// Counts the rows of one answer.
    pub(super) fn count(&mut self, route: &ServiceRoute, batch: &Batch, at: Micros) {
        let length = route.config.monitor.window_seconds.max(1) * Micros::PER_SECOND;
        let start = Micros(at.0.div_euclid(length) * length);
        let windows = match self.windows.get_mut(route.name.as_str()) {
            Some(windows) => windows,
            None => self.windows.entry(route.name.to_string()).or_default(),
        };
        for version in route.sharing(&batch.version) {
            let Some(profile) = &version.profile else { continue };
            let window = window_of(windows, route, version, profile, Span { start, length });
            window.is_changed = true;
            add_rows(window, profile, batch, at);
            forget_values(window, profile, &route.config.personal);
            if Arc::ptr_eq(version, &batch.version) {
                add_predictions(window, profile, batch);
            }
        }
    }

    /// The windows that changed since the last call. Past ones are forgotten one window later than they end:
    /// a slow answer may still belong to them.
    pub(super) fn changed(&mut self) -> Vec<WindowTotal> {
        let mut totals = Vec::new();
        for windows in self.windows.values_mut() {
            let latest = windows.iter().map(|window| window.start.0).max().unwrap_or_default();
            windows.retain(|window| window.is_changed || window.start.0 >= latest - window.length);
            for window in windows.iter_mut().filter(|window| window.is_changed) {
                window.is_changed = false;
                totals.push(WindowTotal {
                    service: window.service.clone(),
                    model: window.model.clone(),
                    version: window.version,
                    start: window.start,
                    sketch: window.sketch.clone(),
                    flow: window.flow,
                });
            }
        }
        totals
    }
}

#[derive(Clone, Copy)]
struct Span {
    start: Micros,
    length: i64,
}

fn window_of<'w>(
    windows: &'w mut Vec<Window>,
    route: &ServiceRoute,
    version: &LoadedVersion,
    profile: &Profile,
    span: Span,
) -> &'w mut Window {
    let is_it = |window: &Window| {
        window.version == version.number && window.start == span.start && window.model == version.model_name
    };
    let position = windows.iter().position(is_it).unwrap_or_else(|| {
        windows.push(Window {
            service: route.name.clone(),
            model: version.model_name.clone(),
            version: version.number,
            start: span.start,
            length: span.length,
            places: Vec::new(),
            sketch: WindowSketch::new(profile),
            flow: FlowTotal { rows: 0, repeated: 0, first_at: Micros(i64::MAX), last_at: Micros(i64::MIN) },
            recent: RecentRows::default(),
            is_changed: true,
        });
        windows.len() - 1
    });
    &mut windows[position]
}

impl Places {
    fn new(profile: &Profile, answered_by: &LoadedVersion) -> Self {
        let features = &answered_by.signature.features;
        let place = |column: &ColumnProfile| features.iter().position(|feature| feature.name == column.name);
        Self { version: answered_by.number, positions: profile.features.iter().map(place).collect() }
    }
}

/// Counts the rows: their values, when they came, and which were sent a moment before already.
fn add_rows(window: &mut Window, profile: &Profile, batch: &Batch, at: Micros) {
    let Batch { version, inputs, rows, .. } = batch;
    window.sketch.rows += *rows as u64;
    window.flow.rows += *rows as u64;
    window.flow.first_at = window.flow.first_at.min(at);
    window.flow.last_at = window.flow.last_at.max(at);
    let known = window.places.iter().position(|places| places.version == version.number);
    let known = known.unwrap_or_else(|| {
        window.places.push(Places::new(profile, version));
        window.places.len() - 1
    });
    let positions = &window.places[known].positions;
    let features = version.signature.features.len();
    for row in 0..*rows {
        let value = |feature| feature_value(&version.signature, inputs, row, feature);
        let values: SmallVec<[Value<'_>; 64]> = (0..features).map(value).collect();
        window.flow.repeated += u64::from(window.recent.add(hash_of(&values)));
        let columns = profile.features.iter().zip(&mut window.sketch.features).zip(positions);
        for ((column, sketch), position) in columns {
            // A column that the answering version does not take was not read: that is not a missing value.
            let Some(position) = *position else { continue };
            add(sketch, column, values[position]);
        }
    }
}

/// Of personal columns no value is kept.
fn forget_values(window: &mut Window, profile: &Profile, personal: &[String]) {
    for name in personal {
        let place = profile.features.iter().position(|column| column.name == *name);
        if let Some(sketch) = place.and_then(|place| window.sketch.features.get_mut(place)) {
            sketch.forget_values();
        }
    }
}

fn hash_of(values: &[Value<'_>]) -> RowHash {
    let mut hash = RowHash::default();
    for value in values {
        match *value {
            Value::Missing => hash.missing(),
            Value::Number(number) => hash.number(number),
            Value::Text(text) => hash.text(text),
        }
    }
    hash
}

fn add_predictions(window: &mut Window, profile: &Profile, batch: &Batch) {
    let (Some(column), Some(sketch)) = (&profile.prediction, &mut window.sketch.prediction) else { return };
    let is_text = matches!(column.reference, chasqui_drift::Reference::Text(_));
    for row in 0..batch.rows {
        let said = prediction(&batch.version.signature, &batch.outputs, row);
        // The profile of a classifier may hold its scores or its labels, of a regression its numbers.
        let number = said.value.or(said.score).map(Value::Number);
        let value = if is_text { said.label.or(number) } else { number.or(said.label) };
        add(sketch, column, value.unwrap_or(Value::Missing));
    }
}

fn add(sketch: &mut Sketch, column: &ColumnProfile, value: Value<'_>) {
    match value {
        // An empty text is how a missing one travels through ONNX.
        Value::Missing | Value::Text("") => sketch.add_missing(),
        Value::Text(text) => sketch.add_text(&column.reference, text),
        Value::Number(number) => sketch.add_number(&column.reference, number),
    }
}
