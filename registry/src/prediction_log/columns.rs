//! The columns of logged predictions: the same in a local segment, in Parquet and in what readers get.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use chasqui_runtime::Value;

use super::record::Record;
use super::shape::Shape;
use crate::{Error, Result};

/// Begins the names of the columns in [`super::labelled`] that are not features.
pub const LABELLED_PREFIX: &str = "_";

/// Begins the names of the columns that hold inputs.
pub(crate) const INPUT_PREFIX: &str = "in.";

pub(crate) const ID: &str = "id";
pub(crate) const AT: &str = "at";
pub(crate) const VERSION: &str = "version";
pub(crate) const KEY: &str = "key";
pub(crate) const LATENCY: &str = "latency_us";
pub(super) const REQUEST_ID: &str = "request_id";
pub(crate) const LABEL: &str = "out.label";
pub(crate) const SCORE: &str = "out.score";
pub(crate) const VALUE: &str = "out.value";

/// An owned [`Value`].
#[derive(Debug, Clone, PartialEq)]
pub enum LoggedValue {
    /// Nothing.
    Missing,
    /// A number.
    Number(f64),
    /// A text, or the pseudonym of a personal value.
    Text(String),
}

/// The text of a predicted class: a whole number is written without a fraction, so that `1` and `1.0` are one.
pub fn label_text(label: Value<'_>) -> Option<String> {
    match label {
        Value::Missing => None,
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.to_owned()),
    }
}

/// The type of every time column.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// The columns that every prediction has, before its inputs.
pub(crate) fn fixed_fields() -> Vec<Field> {
    vec![
        Field::new(ID, DataType::Utf8, false),
        Field::new(AT, time_type(), false),
        Field::new("model", DataType::Utf8, false),
        Field::new(VERSION, DataType::Int64, false),
        Field::new("rollout_id", DataType::Utf8, true),
        Field::new("rollout_segment", DataType::Int64, true),
        Field::new("arm", DataType::Utf8, true),
        Field::new(KEY, DataType::Utf8, true),
        Field::new(LATENCY, DataType::Int64, false),
        Field::new(REQUEST_ID, DataType::Utf8, true),
        Field::new(LABEL, DataType::Utf8, true),
        Field::new(SCORE, DataType::Float64, true),
        Field::new(VALUE, DataType::Float64, true),
        Field::new("error", DataType::Boolean, false),
    ]
}

enum Input {
    Number(Float64Builder),
    Text(StringBuilder),
}

impl Input {
    fn push(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Number(builder), Value::Number(number)) if !number.is_nan() => {
                builder.append_value(number);
            }
            (Self::Number(builder), _) => builder.append_null(),
            (Self::Text(builder), value) => builder.append_option(label_text(value)),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Rows of one shape under construction.
pub(super) struct SegmentRows {
    schema: SchemaRef,
    model: String,
    version: i64,
    id: StringBuilder,
    at: TimestampMicrosecondBuilder,
    rollout_id: StringBuilder,
    rollout_segment: Int64Builder,
    arm: StringBuilder,
    key: StringBuilder,
    latency: Int64Builder,
    request_id: StringBuilder,
    label: StringBuilder,
    score: Float64Builder,
    value: Float64Builder,
    error: BooleanBuilder,
    inputs: Vec<Input>,
}

impl SegmentRows {
    pub(super) fn new(shape: &Shape) -> Self {
        let mut fields = fixed_fields();
        let mut inputs = Vec::new();
        for feature in shape.features() {
            let (data_type, input) = if feature.is_text() {
                (DataType::Utf8, Input::Text(StringBuilder::new()))
            } else {
                (DataType::Float64, Input::Number(Float64Builder::new()))
            };
            fields.push(Field::new(format!("{INPUT_PREFIX}{}", feature.name), data_type, true));
            inputs.push(input);
        }
        Self {
            schema: Arc::new(Schema::new(fields)),
            model: shape.model().to_string(),
            version: shape.version(),
            id: StringBuilder::new(),
            at: TimestampMicrosecondBuilder::new(),
            rollout_id: StringBuilder::new(),
            rollout_segment: Int64Builder::new(),
            arm: StringBuilder::new(),
            key: StringBuilder::new(),
            latency: Int64Builder::new(),
            request_id: StringBuilder::new(),
            label: StringBuilder::new(),
            score: Float64Builder::new(),
            value: Float64Builder::new(),
            error: BooleanBuilder::new(),
            inputs,
        }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        self.id.append_value(record.id.hyphenated().to_string());
        self.at.append_value(record.at.0);
        self.rollout_id.append_option(record.rollout.map(|rollout| rollout.id.hyphenated().to_string()));
        self.rollout_segment.append_option(record.rollout.map(|rollout| rollout.segment));
        self.arm.append_option(record.rollout.map(|rollout| rollout.arm.as_str()));
        self.key.append_option(record.key);
        self.latency.append_value(record.latency_us as i64);
        self.request_id.append_option(record.request_id);
        self.label.append_option(label_text(record.label));
        self.score.append_option(record.score);
        self.value.append_option(record.value);
        self.error.append_value(record.error);
        for (place, input) in self.inputs.iter_mut().enumerate() {
            input.push(record.inputs.get(place).copied().unwrap_or(Value::Missing));
        }
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch> {
        let id = self.id.finish();
        let rows = arrow::array::Array::len(&id);
        let mut model = StringBuilder::new();
        let mut version = Int64Builder::new();
        for _ in 0..rows {
            model.append_value(&self.model);
            version.append_value(self.version);
        }
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(id),
            Arc::new(self.at.finish()),
            Arc::new(model.finish()),
            Arc::new(version.finish()),
            Arc::new(self.rollout_id.finish()),
            Arc::new(self.rollout_segment.finish()),
            Arc::new(self.arm.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.latency.finish()),
            Arc::new(self.request_id.finish()),
            Arc::new(self.label.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.error.finish()),
        ];
        arrays.extend(self.inputs.iter_mut().map(Input::finish));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(Error::internal)
    }
}
