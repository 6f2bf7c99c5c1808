//! A registry, a queue and a clock of its own for each test, and small real models.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chasqui_pipelines::jobs::JobStore;
use chasqui_pipelines::queue::{Queue, QueueConfig};
use chasqui_pipelines::{Worker, WorkerConfig, WorkerHandle};
use chasqui_registry::clock::ManualClock;
use chasqui_registry::dataset::Upload;
use chasqui_registry::name::{Actor, AliasName, DatasetName, ModelName, PipelineName, ServiceName};
use chasqui_registry::prediction_log::{Log, LogConfig, Pseudonymiser, Record};
use chasqui_registry::version::{NewVersion, Version};
use chasqui_registry::{Db, Micros, PageRequest, Registry};
use chasqui_runtime::Value;
use chasqui_trainer::{Column, ColumnData, Holdout, Learner, Linear, Table, Task, TrainSpec, train};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

/// How long a test waits for something to happen in the background.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Fixture {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) queue: Queue,
    pub(crate) jobs: JobStore,
    pub(crate) log: Arc<Log>,
    database: Option<(Db, String)>,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("chasqui.db").to_str().unwrap().to_owned();
        let queue = QueueConfig::Sqlite(folder.path().join("queue.db"));
        Self::open(url, queue, None, folder).await
    }

    /// A database of its own on the server that the environment names.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(url) = std::env::var("CHASQUI_TEST_POSTGRES_URL") else {
            eprintln!("SKIPPED: CHASQUI_TEST_POSTGRES_URL is not set");
            return None;
        };
        let server = Db::connect(&url).await.unwrap();
        let name = format!("test_{}", Uuid::now_v7().simple());
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(server.pool()).await.unwrap();
        let (head, tail) = url.rsplit_once('/').unwrap();
        let options = tail.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
        let url = format!("{head}/{name}{options}");
        let queue = QueueConfig::Postgres(url.clone());
        Some(Self::open(url, queue, Some((server, name)), tempfile::tempdir().unwrap()).await)
    }

    async fn open(url: String, queue: QueueConfig, database: Option<(Db, String)>, folder: TempDir) -> Self {
        let clock = Arc::new(ManualClock::new(Micros(1_700_000_000_000_000)));
        let registry = Registry::open(&url, "memory://", clock.clone()).await.unwrap();
        let queue = Queue::open(&queue).await.unwrap();
        let jobs = JobStore::new(registry.clone(), queue.clone());
        let config = LogConfig::new(clock.clone(), Pseudonymiser::new(b"test"));
        let log = Arc::new(Log::open(folder.path().join("log"), config).unwrap());
        Self { registry, clock, queue, jobs, log, database, _folder: folder }
    }

    pub(crate) async fn drop_database(self) {
        self.registry.db.close().await;
        if let Some((server, name)) = self.database {
            let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::query(drop).execute(server.pool()).await.unwrap();
        }
    }

    /// A worker that looks often.
    pub(crate) async fn worker(&self) -> WorkerHandle {
        let often = Duration::from_millis(50);
        let config = WorkerConfig {
            concurrency: 2,
            rollout_tick: often,
            drift_check: often,
            cron: often,
            sweep: often,
        };
        let log = Some(Arc::clone(&self.log));
        Worker::start(self.registry.clone(), self.queue.clone(), log, config).await.unwrap()
    }

    /// Registers a linear model with this slope.
    pub(crate) async fn register(&self, slope: f64) -> Version {
        let (onnx, profile) = linear(slope);
        let new = NewVersion { profile: Some(profile), ..NewVersion::default() };
        self.registry.register_version(&actor(), &model("ventas"), onnx.into(), new).await.unwrap()
    }

    pub(crate) async fn champion(&self) -> Option<i64> {
        self.registry.resolve_alias(&model("ventas"), &AliasName::champion()).await.unwrap()
    }

    /// Adds a version of the dataset `ventas`.
    pub(crate) async fn upload(&self, csv: String) {
        let name = DatasetName::try_from("ventas").unwrap();
        self.registry.add_dataset_version(&actor(), &name, csv.into(), Upload::default()).await.unwrap();
    }

    pub(crate) async fn alerts(&self, kind: &str) -> usize {
        let page =
            chasqui_pipelines::alert::list(&self.registry, None, &PageRequest::default()).await.unwrap();
        page.items.iter().filter(|alert| alert.kind == kind).count()
    }
}

/// Looks again and again until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub(crate) fn actor() -> Actor {
    Actor::try_from("author").unwrap()
}

pub(crate) fn model(name: &str) -> ModelName {
    ModelName::try_from(name).unwrap()
}

pub(crate) fn service() -> ServiceName {
    ServiceName::try_from("ventas").unwrap()
}

pub(crate) fn pipeline() -> PipelineName {
    PipelineName::try_from("ventas").unwrap()
}

/// A row in the log: `x` in every column but the store's, and what was answered.
pub(crate) fn answered(version: &Version, at: Micros, x: f64, answer: f64) -> Record<'static> {
    let inputs = version.signature.features.iter().map(|feature| match feature.name.as_str() {
        "store" => Value::Text("Quito"),
        _ => Value::Number(x),
    });
    Record {
        id: at.new_id(),
        at,
        latency_us: 900,
        rollout: None,
        key: None,
        request_id: None,
        inputs: inputs.collect(),
        label: Value::Missing,
        score: None,
        value: Some(answer),
        error: false,
    }
}

/// A linear model of one number and its profile.
fn linear(slope: f64) -> (Vec<u8>, chasqui_drift::Profile) {
    let x: Vec<f64> = (0..200).map(|i| f64::from(i % 37) / 10.0).collect();
    let y = x.iter().map(|x| slope * x + 1.0).collect();
    let column = |name: &str, values| Column { name: name.into(), data: ColumnData::Number(values) };
    let table = Table::new(vec![column("x", x), column("y", y)]).unwrap();
    let spec = TrainSpec {
        target: "y".into(),
        task: Task::Regression,
        numeric: vec!["x".into()],
        categorical: Vec::new(),
        learner: Learner::Linear(Linear::default()),
        time_column: None,
        holdout: Holdout::default(),
        seed: 1,
    };
    let trained = train(&table, &spec, &mut |_| ControlFlow::Continue(())).unwrap();
    (trained.onnx, trained.profile)
}

/// Rows of a curved function with noise, one a day: a straight line fits them badly, trees fit them well.
pub(crate) fn curve(rows: usize) -> String {
    let mut csv = String::from("date,x,store,y\n");
    let mut state = 12345_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for row in 0..rows {
        let x = 6.0 * uniform() - 3.0;
        let store = if uniform() < 0.5 { "Quito" } else { "Manta" };
        let y = x * x + if store == "Quito" { 2.0 } else { 0.0 } + 0.2 * uniform();
        let day = jiff::civil::date(2020, 1, 1).checked_add(jiff::Span::new().days(row as i64)).unwrap();
        csv.extend([format!("{day},{x:.4},{store},{y:.4}\n")]);
    }
    csv
}

/// A pipeline over it.
pub(crate) fn declaration(learner: &str, more: &str) -> String {
    format!(
        r#"
        service = "ventas"
        seed = 1
        source = {{ dataset = "ventas" }}
        learner = {{ {learner} }}

        [features]
        target = "y"
        task = "regression"
        numeric = ["x"]
        categorical = ["store"]
        time = "date"

        [rollout]
        steps = [{{ weight = 0.1, hold = "1s", min_requests = 50 }}, {{ weight = 0.5, hold = "1s", min_requests = 50 }}]
        bake = {{ hold = "1s", min_requests = 50 }}

        {more}
        "#
    )
}
