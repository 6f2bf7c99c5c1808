//! Measures what a prediction costs in the log: `cargo run --release --example append_latency [threads]`.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use chasqui_registry::clock::{Clock, SystemClock};
use chasqui_registry::name::{ModelName, ServiceName};
use chasqui_registry::prediction_log::{FeatureColumn, Log, LogConfig, Pseudonymiser, Record, Shape};
use chasqui_runtime::{FeatureKind, Value};
use uuid::Uuid;

const FEATURES: usize = 30;
const RECORDS: u128 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |threads| threads.parse::<u64>())?;
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = Log::open(folder.path(), LogConfig::new(Arc::clone(&clock), Pseudonymiser::new(b"a key")))?;
    let features = (0..FEATURES).map(|place| FeatureColumn {
        name: format!("feature_{place}"),
        kind: FeatureKind::Number,
        personal: false,
    });
    let (service, model) = (ServiceName::try_from("ventas")?, ModelName::try_from("ventas")?);
    let shape = Shape::new(service, model, 1, features.collect(), false);
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(|| run(&log, &shape, clock.as_ref()))).collect();
        all.extend(runs.into_iter().filter_map(|run| run.join().ok()).flatten());
    });
    all.sort_unstable();
    let mean = all.iter().sum::<u64>() / all.len().max(1) as u64;
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    writeln!(
        std::io::stdout(),
        "{threads} threads, {FEATURES} features, {} records, {} bytes each: mean {mean} ns, p50 {} ns, p99 {} ns, p99.9 {} ns",
        all.len(),
        log.lag().bytes / log.lag().records.max(1),
        at(0.5),
        at(0.99),
        at(0.999),
    )?;
    Ok(())
}

fn run(log: &Log, shape: &Shape, clock: &dyn Clock) -> Vec<u64> {
    let mut nanoseconds = Vec::new();
    for number in 0..RECORDS {
        let record = Record {
            id: Uuid::from_u128(number),
            at: clock.now(),
            latency_us: 120,
            rollout: None,
            key: Some("tienda 42"),
            request_id: Some("0190b5c2-0000-7000-8000-000000000000"),
            inputs: vec![Value::Number(1.25); FEATURES],
            label: Value::Text("sí"),
            score: Some(0.875),
            value: None,
            error: false,
        };
        let start = Instant::now();
        if log.append(shape, &[record]).is_err() {
            break;
        }
        nanoseconds.push(start.elapsed().as_nanos() as u64);
    }
    nanoseconds
}
