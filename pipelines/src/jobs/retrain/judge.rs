//! The gates' measurements: losses of both versions on the same held-out rows, and their latencies side by side.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chasqui_registry::Registry;
use chasqui_registry::version::Version;
use chasqui_runtime::{Limits, Model};
use chasqui_trainer::{Table, TrainSpec, evaluate, inputs_for, split};

use crate::error::{Error, Result};
use crate::gate::{self, GatePolicy, GateVerdict, Latency, LatencyGate};
use crate::jobs::JobError;
use crate::pipeline::Pipeline;

/// Calls of one row that are timed for each version.
const TIMED_CALLS: usize = 400;
/// Calls before the clock counts.
const UNTIMED_CALLS: usize = 20;

/// The version that serves, if the service exists and serves one.
pub(super) async fn champion(registry: &Registry, pipeline: &Pipeline) -> Result<Option<Version>> {
    let Some(service) = registry.get_service(&pipeline.spec.service).await? else { return Ok(None) };
    let model = &service.config.model;
    if *model != pipeline.spec.model()? {
        return Err(Error::Conflict(format!(
            "the service `{}` answers with the model `{model}`, the pipeline trains `{}`",
            pipeline.service,
            pipeline.spec.model()?
        )));
    }
    let Some(version) = registry.resolve_target(model, &service.config.routing.stable).await? else {
        return Ok(None);
    };
    Ok(registry.get_version(model, version).await?)
}

/// Holds the candidate against the champion.
pub(super) async fn judge(
    registry: &Registry,
    pipeline: &Pipeline,
    champion: &Version,
    candidate: &Version,
    table: &Arc<Table>,
) -> std::result::Result<GateVerdict, JobError> {
    let bytes = (registry.version_bytes(champion).await?, registry.version_bytes(candidate).await?);
    let names = (candidate.model.to_string(), champion.version, candidate.version);
    let clash = champion.signature.clash(&candidate.signature);
    let (spec, policy) = (pipeline.spec.train_spec(), pipeline.spec.gates.clone());
    let table = Arc::clone(table);
    let seed = pipeline.spec.seed ^ u64::try_from(candidate.version).unwrap_or(0);
    let measured =
        tokio::task::spawn_blocking(move || measure(&bytes, &table, &spec, &policy, seed)).await??;
    Ok(GateVerdict::new(names, measured.0, measured.1, clash))
}

fn measure(
    (champion, candidate): &(Bytes, Bytes),
    table: &Table,
    spec: &TrainSpec,
    policy: &GatePolicy,
    seed: u64,
) -> std::result::Result<(gate::Comparison, LatencyGate), JobError> {
    let load = |bytes: &Bytes| Model::load(bytes, &Limits::default()).map_err(Error::internal);
    let (champion, candidate) = (load(champion)?, load(candidate)?);
    let rows = split(table, spec)?.holdout;
    let old = evaluate(&champion, table, &rows, &spec.target, spec.task)?;
    let new = evaluate(&candidate, table, &rows, &spec.target, spec.task)?;
    let quality = gate::compare(&old.losses, &new.losses, policy, seed)?;
    let latency = latencies(&champion, &candidate, table, &rows, policy)?;
    Ok((quality, latency))
}

/// Times both versions on the same rows, one row a call, turn by turn so that both meet the same machine.
fn latencies(
    champion: &Model,
    candidate: &Model,
    table: &Table,
    rows: &[usize],
    policy: &GatePolicy,
) -> std::result::Result<LatencyGate, JobError> {
    let mut times = (Vec::with_capacity(TIMED_CALLS), Vec::with_capacity(TIMED_CALLS));
    for call in 0..UNTIMED_CALLS + TIMED_CALLS {
        let row = [rows[call % rows.len()]];
        let first = time(champion, table, &row)?;
        let second = time(candidate, table, &row)?;
        if call >= UNTIMED_CALLS {
            times.0.push(first);
            times.1.push(second);
        }
    }
    let (Some(champion), Some(candidate)) = (Latency::of(times.0), Latency::of(times.1)) else {
        return Err(JobError::Fail(Error::Invalid("there are no held-out rows to time".into())));
    };
    Ok(LatencyGate::new(champion, candidate, policy))
}

fn time(model: &Model, table: &Table, row: &[usize]) -> std::result::Result<f64, JobError> {
    let inputs = inputs_for(model.signature(), table, row)?;
    let begin = Instant::now();
    model.predict(&inputs).map_err(Error::internal)?;
    Ok(begin.elapsed().as_secs_f64() * 1e6)
}
