//! The rows of a window whose outcome is known, as far as the kind of prediction needs them.

use std::sync::Arc;

use chasqui_drift::performance::{Confusion, Prediction};
use chasqui_registry::Registry;
use chasqui_registry::prediction_log::{Log, PredictionRange, labelled};
use chasqui_registry::service::Service;
use chasqui_registry::version::Version;
use chasqui_runtime::{Model, Task};
use chasqui_trainer::{ColumnData, Table};

use super::answers::{ask, label_of, same_label};
use super::estimator::Reference;
use super::figures::WindowRows;
use super::watch::{Ready, group_of, span};
use crate::error::{Error, Result};
use crate::monitor::WindowKey;
use crate::monitor::rows::load_model;

/// The rows of a window whose outcome is known.
pub(super) async fn read_outcomes(
    registry: &Registry,
    log: Option<&Log>,
    service: &Service,
    (key, version): (&WindowKey, &Version),
    ready: Option<Arc<Ready>>,
) -> Result<WindowRows> {
    let (from, to) = span(service, key);
    if registry.outcomes_of_span(from, to).await?.0 == 0 {
        return Ok(WindowRows::default());
    }
    let asks_model = ready.as_ref().is_some_and(|ready| ready.estimator.needs_scores());
    let model = if asks_model { Some(load_model(registry, version).await?) } else { None };
    let group = group_of(service).map(str::to_owned);
    let inputs =
        model.iter().flat_map(|model| &model.signature().features).map(|feature| feature.name.clone());
    let features: Vec<String> = inputs.chain(group.clone()).collect();
    let range = PredictionRange { service: service.name.clone(), from, to };
    let batches = labelled(registry, log, &range, Some(&features)).await?;
    let (number, task) = (key.version, version.signature.task);
    let rows = move || {
        let table = Table::from_batches(&batches).map_err(Error::internal)?;
        let reference = ready.as_deref().map(|ready| &ready.estimator.reference);
        Known::new(&table, number).rows(task, reference, model.as_deref(), group.as_deref())
    };
    tokio::task::spawn_blocking(rows).await?
}

/// The rows of a table of [`labelled`] that a version answered.
struct Known<'a> {
    table: &'a Table,
    rows: Vec<usize>,
}

impl<'a> Known<'a> {
    fn new(table: &'a Table, version: i64) -> Self {
        let rows = match table.column("_version") {
            Some(ColumnData::Number(versions)) => {
                (0..versions.len()).filter(|row| versions[*row] as i64 == version).collect()
            }
            _ => Vec::new(),
        };
        Self { table, rows }
    }

    fn number(&self, name: &str, row: usize) -> f64 {
        match self.table.column(name) {
            Some(ColumnData::Number(values)) => values[row],
            _ => f64::NAN,
        }
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        self.table.column(name).and_then(|data| label_of(data, row))
    }

    /// What was true, as a label: the label told, or whether the customer did it.
    fn truth(&self, row: usize) -> Option<String> {
        let converted = self.number("_outcome_converted", row);
        self.text("_outcome_label", row).or_else(|| converted.is_finite().then(|| converted.to_string()))
    }

    fn rows(
        &self,
        task: Option<Task>,
        reference: Option<&Reference>,
        model: Option<&Model>,
        group: Option<&str>,
    ) -> Result<WindowRows> {
        let mut window = WindowRows::default();
        match reference {
            Some(Reference::Binary { positive, .. }) => self.binary(positive, group, &mut window),
            Some(Reference::Multiclass { classes, .. }) => self.multiclass(classes, model, &mut window)?,
            None if matches!(task, Some(Task::Binary | Task::Multiclass)) => {
                self.hits(&mut window);
            }
            _ => self.regression(&mut window),
        }
        Ok(window)
    }

    fn binary(&self, positive: &str, group: Option<&str>, window: &mut WindowRows) {
        for &row in &self.rows {
            let (Some(truth), Some(said)) = (self.truth(row), self.text("_label", row)) else { continue };
            let score = self.number("_score", row);
            if !score.is_finite() {
                continue;
            }
            // Whether the customer did it is a yes or a no, whatever the classes are called.
            let converted = self.number("_outcome_converted", row);
            let yes = if converted.is_finite() { converted != 0.0 } else { same_label(&truth, positive) };
            let predicted = same_label(&said, positive);
            window.rows += 1;
            window.scores.push(score);
            window.predicted.push(predicted);
            window.labels.push(yes);
            if let Some(name) = group.and_then(|group| self.text(group, row)) {
                window.groups.entry(name).or_default().add(predicted, f64::from(u8::from(yes)));
            }
        }
    }

    fn multiclass(&self, classes: &[String], model: Option<&Model>, window: &mut WindowRows) -> Result<()> {
        let Some(model) = model else { return Ok(()) };
        let answers = ask(model, self.table, &self.rows)?;
        let class_of = |label: &str| classes.iter().position(|class| same_label(class, label));
        window.class_scores.resize(classes.len(), Vec::new());
        for (place, &row) in self.rows.iter().enumerate() {
            let truth = self.truth(row).and_then(|truth| class_of(&truth));
            let said = self.text("_label", row).and_then(|said| class_of(&said));
            let (Some(truth), Some(said)) = (truth, said) else { continue };
            if answers.classes.len() != classes.len() {
                continue;
            }
            window.rows += 1;
            window.predicted_class.push(said);
            window.label_class.push(truth);
            let pairs = window.class_scores.iter_mut().zip(&answers.classes);
            pairs.for_each(|(column, scores)| column.push(scores[place]));
        }
        Ok(())
    }

    /// Right and wrong answers alone, as two classes.
    fn hits(&self, window: &mut WindowRows) {
        for &row in &self.rows {
            let (Some(truth), Some(said)) = (self.truth(row), self.text("_label", row)) else { continue };
            window.rows += 1;
            window.predicted_class.push(1);
            window.label_class.push(usize::from(same_label(&truth, &said)));
        }
    }

    fn regression(&self, window: &mut WindowRows) {
        for &row in &self.rows {
            let (answer, truth) = (self.number("_value", row), self.number("_outcome_value", row));
            if answer.is_finite() && truth.is_finite() {
                window.rows += 1;
                window.pairs.push(Prediction { answer, truth });
            }
        }
    }
}

/// The real cells of a binary window.
pub(super) fn real_cells(window: &WindowRows) -> Option<Confusion> {
    let pairs = window.predicted.iter().zip(&window.labels);
    let cells = || Confusion::of(pairs.map(|(said, truth)| (*said, f64::from(u8::from(*truth)))));
    (!window.labels.is_empty()).then(cells)
}
