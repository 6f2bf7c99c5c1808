//! What services are, how they are configured and what they have done, as messages.

use chasqui_runtime::{DataType, TensorSpec};

use super::pin;
use crate::api::oip::PLATFORM;
use crate::app::App;
use crate::grpc::messages::inference as messages;
use crate::grpc::messages::inference::model_metadata_response::TensorMetadata;
use crate::grpc::messages::inference::model_version_policy::{PolicyChoice, Specific};
use crate::grpc::messages::inference::repository_index_response::ModelIndex;
use crate::grpc::messages::inference::{
    InferBatchStatistics, InferStatistics, ModelConfig, ModelConfigResponse, ModelInput,
    ModelMetadataResponse, ModelOutput, ModelStatistics, ModelStatisticsResponse, ModelVersionPolicy,
    RepositoryIndexResponse, StatisticDuration,
};
use crate::inference::statistics::{VersionTotals, dims};
use crate::metrics::Spent;
use crate::problem::Problem;

/// What a service takes and gives.
pub(super) fn metadata(app: &App, name: &str, version: &str) -> Result<ModelMetadataResponse, Problem> {
    let found = app.inference.configuration(name, pin(version)?)?;
    let tensors = |specs: &[TensorSpec]| -> Vec<TensorMetadata> {
        let told = specs.iter().map(|spec| TensorMetadata {
            name: spec.name.clone(),
            datatype: spec.datatype.name().to_owned(),
            shape: spec.shape.clone(),
        });
        told.collect()
    };
    Ok(ModelMetadataResponse {
        name: found.route.name.to_string(),
        versions: found.route.numbers().iter().map(ToString::to_string).collect(),
        platform: PLATFORM.into(),
        inputs: tensors(&found.signature().inputs),
        outputs: tensors(&found.signature().outputs),
    })
}

/// How a service is configured.
pub(super) fn configuration(app: &App, name: &str, version: &str) -> Result<ModelConfigResponse, Problem> {
    let found = app.inference.configuration(name, pin(version)?)?;
    let max_batch_size = found.max_batch_size(app.config.limits.rows);
    let signature = found.signature();
    let input = signature.inputs.iter().map(|spec| ModelInput {
        name: spec.name.clone(),
        data_type: data_type(spec.datatype).into(),
        dims: dims(spec, max_batch_size).to_vec(),
    });
    let output = signature.outputs.iter().map(|spec| ModelOutput {
        name: spec.name.clone(),
        data_type: data_type(spec.datatype).into(),
        dims: dims(spec, max_batch_size).to_vec(),
    });
    let versions = Specific { versions: found.route.numbers() };
    let config = ModelConfig {
        name: found.route.name.to_string(),
        platform: PLATFORM.into(),
        version_policy: Some(ModelVersionPolicy { policy_choice: Some(PolicyChoice::Specific(versions)) }),
        max_batch_size,
        input: input.collect(),
        output: output.collect(),
        backend: "onnx".into(),
    };
    Ok(ModelConfigResponse { config: Some(config) })
}

fn data_type(datatype: DataType) -> messages::DataType {
    match datatype {
        DataType::Bool => messages::DataType::TypeBool,
        DataType::Int8 => messages::DataType::TypeInt8,
        DataType::Int16 => messages::DataType::TypeInt16,
        DataType::Int32 => messages::DataType::TypeInt32,
        DataType::Int64 => messages::DataType::TypeInt64,
        DataType::Uint8 => messages::DataType::TypeUint8,
        DataType::Uint16 => messages::DataType::TypeUint16,
        DataType::Uint32 => messages::DataType::TypeUint32,
        DataType::Uint64 => messages::DataType::TypeUint64,
        DataType::Fp16 => messages::DataType::TypeFp16,
        DataType::Fp32 => messages::DataType::TypeFp32,
        DataType::Fp64 => messages::DataType::TypeFp64,
        DataType::Bytes => messages::DataType::TypeString,
    }
}

/// What versions have done.
pub(super) fn statistics(app: &App, name: &str, version: &str) -> Result<ModelStatisticsResponse, Problem> {
    let service = (!name.is_empty()).then_some(name);
    if service.is_none() && !version.is_empty() {
        return Err(Problem::bad_request("a version is one of a model; name it too"));
    }
    let totals = app.inference.statistics(service, pin(version)?)?;
    Ok(ModelStatisticsResponse { model_stats: totals.into_iter().map(ModelStatistics::from).collect() })
}

impl From<Spent> for StatisticDuration {
    fn from(spent: Spent) -> Self {
        Self { count: spent.count, ns: spent.nanoseconds }
    }
}

impl From<VersionTotals> for ModelStatistics {
    fn from(VersionTotals { service, version, totals }: VersionTotals) -> Self {
        let batches = totals.batches.into_iter().map(|batch| InferBatchStatistics {
            batch_size: batch.rows,
            compute_input: Some(batch.input.into()),
            compute_infer: Some(batch.infer.into()),
            compute_output: Some(batch.output.into()),
        });
        Self {
            name: service,
            version: version.to_string(),
            last_inference: totals.last_millis,
            inference_count: totals.rows,
            execution_count: totals.executions,
            inference_stats: Some(InferStatistics {
                success: Some(totals.success.into()),
                fail: Some(totals.fail.into()),
                queue: Some(totals.queue.into()),
                compute_input: Some(totals.input.into()),
                compute_infer: Some(totals.infer.into()),
                compute_output: Some(totals.output.into()),
            }),
            batch_stats: batches.collect(),
        }
    }
}

/// Which services there are.
pub(super) fn index(app: &App, ready_only: bool) -> RepositoryIndexResponse {
    let models = app.inference.index(ready_only).into_iter().map(|entry| ModelIndex {
        name: entry.name,
        version: entry.version,
        state: entry.state.to_owned(),
        reason: entry.reason,
    });
    RepositoryIndexResponse { models: models.collect() }
}
