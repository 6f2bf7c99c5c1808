//! The friendly form: cells as they stand in the JSON, before they become tensors.

use std::borrow::Cow;

use chasqui_registry::service::Mode;

use super::Expected;
use super::findings::{Findings, Warnings};
use super::format::Form;
use super::message::{self, Said};
use super::rule::{Broken, Fixed, Given, Rule};
use crate::inference::cell::Cell;
use crate::inference::records::Records;
use crate::inference::schema::{Field, Schema};
use crate::problem::Problem;

/// Looks at every value of a request whose parser left that to this: at its type, which the model needs, and at
/// what the service expects. Puts values right where that is asked for.
pub(in crate::inference) fn check(
    expected: Option<&Expected>,
    mut findings: Findings<'_>,
    schema: &Schema,
    records: &mut Records<'_>,
) -> Result<Warnings, Problem> {
    let Some(expected) = expected else { return Ok(Warnings::default()) };
    for (record, cells) in records.cells.chunks_exact_mut(schema.fields.len().max(1)).enumerate() {
        for (position, (field, cell)) in schema.fields.iter().zip(cells).enumerate() {
            match expected.rule(position) {
                Some(rule) => declared(&mut findings, record, field, rule, cell),
                None => undeclared(&mut findings, record, field, expected, cell),
            }
        }
    }
    if let Some(rule) = &expected.key {
        for (record, key) in records.separate_keys() {
            super::tensors::check_key(&mut findings, record, rule, key);
        }
    }
    findings.finish()
}

/// The signature is all that such a field must meet.
fn undeclared(
    findings: &mut Findings<'_>,
    record: usize,
    field: &Field,
    expected: &Expected,
    cell: &Cell<'_>,
) {
    if field.required && *cell == Cell::Absent {
        return findings.fault(Some(record), &field.name, Broken::Absent, message::absent());
    }
    let Some(refusal) = cell.refusal(field.datatype) else { return };
    let is_personal = expected.personal.contains(&field.name);
    let said = message::wrong_type(field.datatype, refusal, &shown(cell, is_personal), is_personal);
    findings.fault(Some(record), &field.name, Broken::Type, said);
}

fn declared(findings: &mut Findings<'_>, record: usize, field: &Field, rule: &Rule, cell: &mut Cell<'_>) {
    if field.required && *cell == Cell::Absent {
        return findings.refuse(Some(record), rule, Broken::Absent, message::absent());
    }
    let refusal = cell.refusal(rule.datatype);
    let verdict = if refusal.is_some() { Err(Broken::Type) } else { rule.check(given(cell), 0.0) };
    let broken = match (verdict, rule.mode) {
        (Ok(Form::Normal), _) | (Ok(Form::Variant), Mode::Reject | Mode::Warn) => return,
        (Err(broken), Mode::Warn) if refusal.is_none() => {
            return findings.warn(Some(record), rule, broken, given(cell));
        }
        (Ok(Form::Variant), Mode::Coerce) => Broken::Format(super::format::Flaw::Shape),
        (Err(broken), _) => broken,
    };
    if rule.mode == Mode::Coerce
        && let Some(fixed) = fixed(rule, cell)
    {
        *cell = fixed;
        return findings.fix(rule, broken);
    }
    let said = match refusal {
        Some(refusal) => {
            message::wrong_type(rule.datatype, refusal, &shown(cell, rule.is_personal), rule.is_personal)
        }
        None => message::broken(rule, broken, given(cell)),
    };
    findings.refuse(Some(record), rule, broken, said);
}

/// The cell that a value certainly means and the model can take.
fn fixed(rule: &Rule, cell: &Cell<'_>) -> Option<Cell<'static>> {
    let fixed = match rule.fix(given(cell))? {
        Fixed::Text(text) => Cell::Text(Cow::Owned(text)),
        Fixed::Number(number) => Cell::Number(number),
    };
    fixed.refusal(rule.datatype).is_none().then_some(fixed)
}

/// A cell of the wrong type as it was sent: an empty text and a flag are not what they mean elsewhere.
fn shown(cell: &Cell<'_>, is_personal: bool) -> Said {
    match cell {
        Cell::Text(text) => message::shown(Given::Text(text), is_personal),
        Cell::Flag(true) => message::shown_word("true", is_personal),
        Cell::Flag(false) => message::shown_word("false", is_personal),
        other => message::shown(given(other), is_personal),
    }
}

fn given<'a>(cell: &'a Cell<'_>) -> Given<'a> {
    match cell {
        Cell::Absent | Cell::Missing => Given::Missing,
        Cell::Integer(number) => Given::Number(*number as f64),
        Cell::Number(number) => Given::number(*number),
        Cell::Flag(flag) => Given::Number(f64::from(u8::from(*flag))),
        Cell::Text(text) => Given::text(text),
    }
}
