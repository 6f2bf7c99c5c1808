//! Compares a pair's values one by one and remembers which: at the end every value of the oracle was compared, or is
//! an exception with a reason.

use std::{cell::RefCell, collections::BTreeSet, fmt::Debug};

use chasqui_drift::TestVerdict;
use serde_json::Value;

use crate::files::{assert_close, assert_p};

pub(crate) struct Checker<'a> {
    pair: &'a str,
    expected: &'a Value,
    compared: RefCell<BTreeSet<String>>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(pair: &'a str, expected: &'a Value) -> Self {
        Self { pair, expected, compared: RefCell::default() }
    }

    /// The value at a path such as `ks/auto/p`, which counts as compared.
    pub(crate) fn take(&self, path: &str) -> &'a Value {
        let value = self.expected.pointer(&format!("/{path}"));
        self.compared.borrow_mut().insert(path.into());
        value.unwrap_or_else(|| panic!("{}: no {path}", self.pair))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.expected.pointer(&format!("/{path}")).is_some()
    }

    pub(crate) fn keys(&self, path: &str) -> Vec<String> {
        let object = self.expected.pointer(&format!("/{path}")).and_then(Value::as_object);
        object.map(|object| object.keys().cloned().collect()).unwrap_or_default()
    }

    fn what(&self, path: &str) -> String {
        format!("{} {path}", self.pair)
    }

    /// Relative 1e-9, absolute 1e-12 near 0.
    pub(crate) fn close(&self, path: &str, actual: f64) {
        self.close_to(path, actual, 1e-9);
    }

    pub(crate) fn close_to(&self, path: &str, actual: f64, relative: f64) {
        assert_close(actual, self.take(path), relative, &self.what(path));
    }

    /// As [`close`](Self::close); of equal columns anything up to 1e-7 (the square root of rounding).
    pub(crate) fn close_root(&self, path: &str, actual: f64) {
        let expected = self.take(path).as_f64().unwrap();
        if expected.max(actual) > 1e-7 {
            self.close(path, actual);
        }
    }

    /// Relative 1e-6; below 1e-12 the logarithm within 1e-3.
    pub(crate) fn p(&self, path: &str, actual: f64) {
        assert_p(actual, self.take(path), &self.what(path));
    }

    pub(crate) fn equal(&self, path: &str, actual: impl Into<Value>) {
        assert_eq!(&actual.into(), self.take(path), "{}", self.what(path));
    }

    pub(crate) fn list(&self, path: &str, actual: &[f64]) {
        let expected = self.take(path).as_array().unwrap();
        assert_eq!(actual.len(), expected.len(), "{}: {actual:?}", self.what(path));
        for (actual, expected) in actual.iter().zip(expected) {
            assert_close(*actual, expected, 1e-9, &self.what(path));
        }
    }

    pub(crate) fn counts(&self, path: &str, actual: &[u64]) {
        assert_eq!(&Value::from(actual), self.take(path), "{}", self.what(path));
    }

    /// The original refuses or gives no number; so do we.
    pub(crate) fn refused<T: Debug, E: Debug>(&self, path: &str, actual: &Result<T, E>) {
        assert!(actual.is_err(), "{}: {actual:?}", self.what(path));
        let value = self.take(path);
        let refused = value.get("error").is_some()
            || ["p", "score"].iter().any(|key| value.get(key).is_some_and(|p| p == "NaN"));
        assert!(refused, "{}: {value}", self.what(path));
    }

    /// Threshold and decision of an Evidently test.
    pub(crate) fn decision(&self, path: &str, answer: &TestVerdict) {
        self.close(&format!("{path}/threshold"), answer.threshold);
        self.equal(&format!("{path}/drifted"), answer.drifted);
    }

    /// Every value was compared or begins with an exception.
    pub(crate) fn finish(self, exceptions: &[(&str, &str)]) {
        let mut leaves = Vec::new();
        collect_leaves(self.expected, String::new(), &mut leaves);
        let compared = self.compared.into_inner();
        let within = |leaf: &str, path: &str| leaf == path || leaf.starts_with(&format!("{path}/"));
        let forgotten: Vec<String> = leaves
            .into_iter()
            .filter(|leaf| !compared.iter().any(|path| within(leaf, path)))
            .filter(|leaf| !exceptions.iter().any(|(path, _)| within(leaf, path)))
            .collect();
        assert!(forgotten.is_empty(), "{}: not compared: {forgotten:?}", self.pair);
    }
}

fn collect_leaves(value: &Value, path: String, leaves: &mut Vec<String>) {
    let Value::Object(entries) = value else {
        leaves.push(path);
        return;
    };
    for (key, value) in entries {
        let path = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
        collect_leaves(value, path, leaves);
    }
}
