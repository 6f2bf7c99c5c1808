//! `…/stats` and `…/config`, in the shapes that Triton gives them.

use actix_web::HttpResponse;
use actix_web::web;
use chasqui_runtime::{DataType, TensorSpec};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{Asked, Names, PLATFORM};
use crate::app::App;
use crate::inference::Pin;
use crate::inference::statistics::{VersionTotals, dims};
use crate::metrics::Spent;
use crate::problem::Result;

/// How often something was done, and how long it took.
#[derive(Serialize, JsonSchema)]
struct DurationStatistic {
    /// How often.
    count: u64,
    /// Nanoseconds in all.
    ns: u64,
}

impl From<Spent> for DurationStatistic {
    fn from(spent: Spent) -> Self {
        Self { count: spent.count, ns: spent.nanoseconds }
    }
}

/// What versions have done.
#[derive(Serialize, JsonSchema)]
pub(super) struct Statistics {
    /// Version by version.
    model_stats: Vec<ModelStatistics>,
}

/// What one version has done.
#[derive(Serialize, JsonSchema)]
struct ModelStatistics {
    /// The service.
    name: String,
    /// The version's number.
    version: String,
    /// When it was last asked, in milliseconds since 1970; 0 is never.
    last_inference: u64,
    /// Rows that were answered.
    inference_count: u64,
    /// How often the model ran.
    execution_count: u64,
    /// The stages of its requests.
    inference_stats: InferenceStatistics,
    /// The same by rows of a run.
    batch_stats: Vec<BatchStatistics>,
}

/// Where the time of requests went.
#[derive(Serialize, JsonSchema)]
struct InferenceStatistics {
    /// Requests that were answered.
    success: DurationStatistic,
    /// Requests that failed.
    fail: DurationStatistic,
    /// Waiting for a turn.
    queue: DurationStatistic,
    /// Reading inputs.
    compute_input: DurationStatistic,
    /// Running the model.
    compute_infer: DurationStatistic,
    /// Writing outputs.
    compute_output: DurationStatistic,
}

/// Runs of so many rows.
#[derive(Serialize, JsonSchema)]
struct BatchStatistics {
    /// The rows of a run.
    batch_size: u64,
    /// Reading inputs.
    compute_input: DurationStatistic,
    /// Running the model.
    compute_infer: DurationStatistic,
    /// Writing outputs.
    compute_output: DurationStatistic,
}

impl From<VersionTotals> for ModelStatistics {
    fn from(VersionTotals { service, version, totals }: VersionTotals) -> Self {
        let batches = totals.batches.into_iter().map(|batch| BatchStatistics {
            batch_size: batch.rows,
            compute_input: batch.input.into(),
            compute_infer: batch.infer.into(),
            compute_output: batch.output.into(),
        });
        Self {
            name: service,
            version: version.to_string(),
            last_inference: totals.last_millis,
            inference_count: totals.rows,
            execution_count: totals.executions,
            inference_stats: InferenceStatistics {
                success: totals.success.into(),
                fail: totals.fail.into(),
                queue: totals.queue.into(),
                compute_input: totals.input.into(),
                compute_infer: totals.infer.into(),
                compute_output: totals.output.into(),
            },
            batch_stats: batches.collect(),
        }
    }
}

pub(super) async fn all_statistics(app: web::Data<App>) -> Result<HttpResponse> {
    Ok(told(app.inference.statistics(None, Pin::None)?))
}

pub(super) async fn statistics(app: web::Data<App>, path: web::Path<Names>) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    Ok(told(app.inference.statistics(Some(&asked.model), asked.pin)?))
}

fn told(totals: Vec<VersionTotals>) -> HttpResponse {
    HttpResponse::Ok().json(Statistics { model_stats: totals.into_iter().map(Into::into).collect() })
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    data_type: String,
    dims: &'a [i64],
}

impl<'a> Tensor<'a> {
    fn of(spec: &'a TensorSpec, max_batch_size: i32) -> Self {
        Self { name: &spec.name, data_type: data_type(spec.datatype), dims: dims(spec, max_batch_size) }
    }
}

/// The name of a type in configurations.
fn data_type(datatype: DataType) -> String {
    match datatype {
        DataType::Bytes => "TYPE_STRING".into(),
        other => format!("TYPE_{other}"),
    }
}

pub(super) async fn configuration(app: web::Data<App>, path: web::Path<Names>) -> Result<HttpResponse> {
    let asked = Asked::of(path.into_inner())?;
    let found = app.inference.configuration(&asked.model, asked.pin)?;
    let max_batch_size = found.max_batch_size(app.config.limits.rows);
    let signature = found.signature();
    let tensors = |specs: &[TensorSpec]| -> serde_json::Value {
        json!(specs.iter().map(|spec| Tensor::of(spec, max_batch_size)).collect::<Vec<_>>())
    };
    Ok(HttpResponse::Ok().json(json!({
        "name": found.route.name.as_str(),
        "platform": PLATFORM,
        "backend": "onnx",
        "version_policy": { "specific": { "versions": found.route.numbers() } },
        "max_batch_size": max_batch_size,
        "input": tensors(&signature.inputs),
        "output": tensors(&signature.outputs),
    })))
}
