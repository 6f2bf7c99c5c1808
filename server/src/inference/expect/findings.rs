//! What was found in one request: faults that refuse it, warnings that go with its answer, and their counts.

use super::message::Said;
use super::rule::{Broken, Given, Rule};
use super::{MAX_TOLD, message};
use crate::inference::json;
use crate::metrics::Metrics;
use crate::problem::{Fault, Faults, Problem};

/// Warnings that go with an answer.
#[derive(Debug, Default)]
pub(in crate::inference) struct Warnings {
    /// The first of them.
    pub told: Vec<Fault>,
    /// How many there are.
    pub count: usize,
}

impl Warnings {
    /// Writes the members of an answer that tell them; none when there are none.
    pub(in crate::inference) fn write(&self, body: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        body.extend_from_slice(b",\"warnings\":");
        // Writing into a vector cannot fail, and texts and numbers are always valid JSON.
        let _ = serde_json::to_writer(&mut *body, &self.told);
        body.extend_from_slice(b",\"warning_count\":");
        json::integer(body, self.count as i128);
    }
}

/// The faults and warnings of one request, in the order of the records.
#[derive(Debug)]
pub(in crate::inference) struct Findings<'m> {
    service: &'m str,
    metrics: &'m Metrics,
    faults: Vec<Fault>,
    fault_count: usize,
    warnings: Warnings,
}

impl<'m> Findings<'m> {
    /// Nothing found yet.
    pub(in crate::inference) fn new(service: &'m str, metrics: &'m Metrics) -> Self {
        Self { service, metrics, faults: Vec::new(), fault_count: 0, warnings: Warnings::default() }
    }

    /// A value that breaks its rule and refuses the request.
    pub(super) fn refuse(&mut self, record: Option<usize>, rule: &Rule, broken: Broken, said: Said) {
        self.count(rule, broken, "rejected");
        self.fault(record, &rule.name, broken, said);
    }

    /// A value that breaks its rule, as the request is answered.
    pub(super) fn warn(&mut self, record: Option<usize>, rule: &Rule, broken: Broken, given: Given<'_>) {
        self.count(rule, broken, "warned");
        self.warnings.count += 1;
        if self.warnings.told.len() < MAX_TOLD {
            self.warnings.told.push(fault(record, &rule.name, broken, message::broken(rule, broken, given)));
        }
    }

    /// A value that was put right.
    pub(super) fn fix(&self, rule: &Rule, broken: Broken) {
        self.count(rule, broken, "fixed");
    }

    /// A fault of a field that nothing is declared for: it is told, but its name is not a label of a metric.
    pub(super) fn fault(&mut self, record: Option<usize>, field: &str, broken: Broken, said: Said) {
        self.fault_count += 1;
        if self.faults.len() < MAX_TOLD {
            self.faults.push(fault(record, field, broken, said));
        }
    }

    /// The warnings, or the problem that all faults are.
    pub(super) fn finish(self) -> Result<Warnings, Problem> {
        let Some(first) = self.faults.first() else { return Ok(self.warnings) };
        let (count, record) = (self.fault_count, first.record);
        let (detail, detail_es) = if count == 1 {
            (first.message.clone(), first.message_es.clone())
        } else {
            (
                format!("{count} values are not as this service expects; the first: {}", first.message),
                format!(
                    "{count} valores no son como los espera este servicio; el primero: {}",
                    first.message_es
                ),
            )
        };
        let field = first.field.clone();
        let faults = Faults { detail_es, errors: self.faults, count };
        Err(Problem::unprocessable(detail).at(record, Some(&field)).with_faults(faults))
    }

    fn count(&self, rule: &Rule, broken: Broken, outcome: &'static str) {
        self.metrics.expectation(self.service, &rule.name, broken.rule(), outcome);
    }
}

fn fault(record: Option<usize>, field: &str, broken: Broken, said: Said) -> Fault {
    let said = said.at(record, field);
    Fault { record, field: field.to_owned(), rule: broken.rule(), message: said.en, message_es: said.es }
}
