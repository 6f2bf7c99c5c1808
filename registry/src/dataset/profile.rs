//! What a dataset's columns hold, in figures.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Field, Float64Type, Int64Type, TimestampMicrosecondType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::infer::ColumnType;
use super::moment;
use crate::{Error, Result};

/// Distinct values are counted up to this many; beyond, a column is as good as continuous.
const DISTINCT_BOUND: usize = 10_000;
const TOP: usize = 10;
/// What two texts share up to here makes them one for the profile.
const TEXT_BYTES: usize = 200;

/// The figures of one column. Those that do not apply to its type are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnSummary {
    /// The column.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Rows with a value.
    pub count: u64,
    /// Rows without.
    pub missing: u64,
    /// Different values, as far as they were counted.
    pub distinct: u64,
    /// There are more different values than were counted.
    pub distinct_is_bound: bool,
    /// Smallest number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<f64>,
    /// Largest number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<f64>,
    /// Mean of the numbers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean: Option<f64>,
    /// Their standard deviation, with n − 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub std: Option<f64>,
    /// First day or instant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<String>,
    /// Last day or instant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<String>,
    /// The most frequent texts or booleans with their counts, of the values that were counted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub top: Vec<(String, u64)>,
}

/// Adds up the figures of one column.
pub(super) struct Profiler {
    name: String,
    kind: ColumnType,
    count: u64,
    missing: u64,
    /// Counts by value; numbers and times by their bits.
    values: HashMap<u64, u64>,
    texts: HashMap<String, u64>,
    overflow: bool,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squared deviations (Welford 1962).
    m2: f64,
    first: i64,
    last: i64,
}

impl Profiler {
    pub(super) fn new(field: &Field) -> Result<Self> {
        let kind = ColumnType::of(field.data_type())
            .ok_or_else(|| Error::internal(format!("column {} has no type of a dataset", field.name())))?;
        Ok(Self {
            name: field.name().clone(),
            kind,
            count: 0,
            missing: 0,
            values: HashMap::new(),
            texts: HashMap::new(),
            overflow: false,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            m2: 0.0,
            first: i64::MAX,
            last: i64::MIN,
        })
    }

    pub(super) fn add(&mut self, column: &ArrayRef) {
        let missing = column.null_count() as u64;
        self.missing += missing;
        match self.kind {
            ColumnType::Int64 => {
                for value in column.as_primitive::<Int64Type>().iter().flatten() {
                    self.add_number(value as f64);
                    self.add_value(value as u64);
                }
            }
            ColumnType::Float64 => {
                for value in column.as_primitive::<Float64Type>().iter().flatten() {
                    self.add_number(value);
                    self.add_value(value.to_bits());
                }
            }
            ColumnType::Boolean => {
                for value in column.as_boolean().iter().flatten() {
                    self.count += 1;
                    self.add_text(if value { "true" } else { "false" });
                }
            }
            ColumnType::Text => {
                for value in column.as_string::<i32>().iter().flatten() {
                    self.count += 1;
                    self.add_text(value);
                }
            }
            ColumnType::Date => {
                for value in column.as_primitive::<Date32Type>().iter().flatten() {
                    self.add_moment(i64::from(value));
                }
            }
            ColumnType::Timestamp => {
                for value in column.as_primitive::<TimestampMicrosecondType>().iter().flatten() {
                    self.add_moment(value);
                }
            }
        }
    }

    fn add_number(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.m2 += delta * (value - self.mean);
    }

    fn add_moment(&mut self, value: i64) {
        self.count += 1;
        self.first = self.first.min(value);
        self.last = self.last.max(value);
        self.add_value(value as u64);
    }

    fn add_value(&mut self, bits: u64) {
        let room = self.values.len() < DISTINCT_BOUND;
        match self.values.entry(bits) {
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(entry) if room => {
                entry.insert(1);
            }
            Entry::Vacant(_) => self.overflow = true,
        }
    }

    fn add_text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
        if let Some(count) = self.texts.get_mut(text) {
            *count += 1;
        } else if self.texts.len() < DISTINCT_BOUND {
            self.texts.insert(text.to_owned(), 1);
        } else {
            self.overflow = true;
        }
    }

    pub(super) fn finish(self) -> ColumnSummary {
        let numeric = matches!(self.kind, ColumnType::Int64 | ColumnType::Float64) && self.count > 0;
        let number = |value: f64| (numeric && value.is_finite()).then_some(value);
        let (first, last) = (self.moment(self.first), self.moment(self.last));
        let variance = if self.count > 1 { self.m2 / (self.count - 1) as f64 } else { 0.0 };
        let distinct = (self.values.len() + self.texts.len()) as u64;
        let mut top: Vec<(String, u64)> = self.texts.into_iter().collect();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top.truncate(TOP);
        ColumnSummary {
            kind: self.kind,
            count: self.count,
            missing: self.missing,
            distinct,
            distinct_is_bound: self.overflow,
            min: number(self.min),
            max: number(self.max),
            mean: number(self.mean),
            std: number(variance.sqrt()),
            first,
            last,
            top,
            name: self.name,
        }
    }

    fn moment(&self, value: i64) -> Option<String> {
        match self.kind {
            _ if self.count == 0 => None,
            ColumnType::Date => Some(moment::format_date(value)),
            ColumnType::Timestamp => Some(moment::format_timestamp(value)),
            _ => None,
        }
    }
}
