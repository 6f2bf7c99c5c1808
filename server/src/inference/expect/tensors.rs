//! The tensor forms: every named column with a rule, row by row; and keys, which come in every form.

use chasqui_registry::service::Mode;
use chasqui_runtime::{Feature, Signature, Tensor, TensorData, Value, feature_value};

use super::Expected;
use super::findings::{Findings, Warnings};
use super::format::{Flaw, Form};
use super::message;
use super::rule::{Broken, Fixed, Given, Rule, slack};
use crate::problem::Problem;

/// Looks at the named columns of tensors that fit the version's signature, and at the request's key. Puts texts
/// right where that is asked for; a tensor of numbers has nothing that could be.
pub(in crate::inference) fn check(
    expected: Option<&Expected>,
    mut findings: Findings<'_>,
    signature: &Signature,
    inputs: &mut [Tensor],
    key: Option<&str>,
) -> Result<Warnings, Problem> {
    let Some(expected) = expected else { return Ok(Warnings::default()) };
    for row in 0..inputs.first().map_or(0, Tensor::rows) {
        for (position, rule) in expected.rules.iter().enumerate() {
            let Some(rule) = rule else { continue };
            check_cell(&mut findings, signature, inputs, row, position, rule);
        }
    }
    if let Some(rule) = &expected.key {
        check_key(&mut findings, None, rule, key);
    }
    findings.finish()
}

fn check_cell(
    findings: &mut Findings<'_>,
    signature: &Signature,
    inputs: &mut [Tensor],
    row: usize,
    position: usize,
    rule: &Rule,
) {
    let given = match feature_value(signature, inputs, row, position) {
        Value::Missing => Given::Missing,
        Value::Number(number) => Given::Number(number),
        Value::Text(text) => Given::text(text),
    };
    let broken = match (rule.check(given, slack(rule.datatype)), rule.mode) {
        (Ok(Form::Normal), _) | (Ok(Form::Variant), Mode::Reject | Mode::Warn) => return,
        (Ok(Form::Variant), Mode::Coerce) => Broken::Format(Flaw::Shape),
        (Err(broken), Mode::Warn) => return findings.warn(Some(row), rule, broken, given),
        (Err(broken), _) => broken,
    };
    let fixed = if rule.mode == Mode::Coerce { rule.fix(given) } else { None };
    let Some(Fixed::Text(text)) = fixed else {
        return findings.refuse(Some(row), rule, broken, message::broken(rule, broken, given));
    };
    if let Some(place) = place(inputs, &signature.features[position], row) {
        *place = text;
        findings.fix(rule, broken);
    }
}

/// Where the text of a feature stands.
fn place<'t>(inputs: &'t mut [Tensor], feature: &Feature, row: usize) -> Option<&'t mut String> {
    let tensor = inputs.get_mut(feature.input)?;
    let columns = tensor.shape.get(1..).map_or(1, |axes| axes.iter().product());
    match &mut tensor.data {
        TensorData::Text(texts) => texts.get_mut(row * columns + feature.column),
        _ => None,
    }
}

/// Looks at a key that is not a feature. It is never changed, because outcomes are joined by it;
/// such a declaration is refused.
pub(super) fn check_key(findings: &mut Findings<'_>, record: Option<usize>, rule: &Rule, key: Option<&str>) {
    let given = key.map_or(Given::Missing, Given::text);
    let Err(broken) = rule.check(given, 0.0) else { return };
    match rule.mode {
        Mode::Warn => findings.warn(record, rule, broken, given),
        Mode::Reject | Mode::Coerce => {
            findings.refuse(record, rule, broken, message::broken(rule, broken, given));
        }
    }
}
