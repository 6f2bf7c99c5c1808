//! Processes killed at any moment lose nothing that they acknowledged. A test starts this test binary again as
//! the process that is killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use chasqui_registry::clock::{Clock, SystemClock};
use chasqui_registry::prediction_log::{Log, read_predictions};
use chasqui_registry::{Micros, Registry};

use crate::fixture::{config, open_log, record, service, shape};

const FOLDER: &str = "CHASQUI_TEST_CRASH_FOLDER";
const SEALING: &str = "CHASQUI_TEST_CRASH_SEALING";

async fn registry(folder: &Path) -> Registry {
    let database = folder.join("chasqui.db");
    let storage = format!("file://{}", folder.join("artifacts").display());
    Registry::open(database.to_str().unwrap(), &storage, Arc::new(SystemClock)).await.unwrap()
}

/// The process that is killed: three threads append and acknowledge until the end.
#[tokio::test]
#[ignore = "started by the tests below"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut config = config(Arc::new(SystemClock));
    config.segment_bytes = 20_000;
    let log = Arc::new(Log::open(folder.join("log"), config).unwrap());
    for thread in 0..3 {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            let shape = shape("s", thread);
            loop {
                let record = record(SystemClock.now(), "a");
                let line = format!("ack {}\n", record.id);
                log.append(&shape, &[record]).unwrap();
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    if std::env::var_os(SEALING).is_none() {
        std::future::pending::<()>().await;
    }
    let registry = registry(folder).await;
    loop {
        log.seal(&registry).await.unwrap();
    }
}

/// Starts the child, kills it after `acknowledged` lines and returns all that it acknowledged.
fn run_and_kill(folder: &Path, acknowledged: usize, sealing: bool) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    if sealing {
        command.env(SEALING, "1");
    }
    let mut child: Child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ids = Vec::new();
    let id_of =
        |line: &str| line.split_once("ack ").filter(|(_, id)| id.len() == 36).map(|(_, id)| id.to_owned());
    while ids.len() < acknowledged {
        let line = lines.next().expect("the child acknowledges until it is killed").unwrap();
        ids.extend(id_of(&line));
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    ids.extend(lines.filter_map(|line| id_of(&line.ok()?)));
    ids
}

fn logged(batches: &[RecordBatch]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for batch in batches {
        for id in batch.column_by_name("id").unwrap().as_string::<i32>() {
            *counts.entry(id.unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

fn assert_kept(acknowledged: &[String], batches: &[RecordBatch]) {
    let logged = logged(batches);
    let lost = acknowledged.iter().filter(|id| !logged.contains_key(*id)).count();
    assert_eq!(lost, 0, "of {} acknowledged predictions", acknowledged.len());
    assert!(logged.values().all(|&count| count == 1), "a prediction appears twice");
}

#[tokio::test]
async fn twenty_killed_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..20 {
        acknowledged.extend(run_and_kill(folder.path(), 1 + round * 97, false));
    }
    let registry = registry(folder.path()).await;
    let log = open_log(&folder.path().join("log"), Arc::new(SystemClock));
    let (from, to) = (Micros(0), Micros(i64::MAX));
    assert_kept(
        &acknowledged,
        &read_predictions(&registry, Some(&log), &service("s"), from, to).await.unwrap(),
    );
    log.seal(&registry).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("log")).unwrap().count(), 0);
    assert_kept(&acknowledged, &read_predictions(&registry, None, &service("s"), from, to).await.unwrap());
}

#[tokio::test]
async fn processes_killed_while_they_seal_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(folder.path()).await;
    let mut acknowledged = Vec::new();
    for round in 0..8 {
        acknowledged.extend(run_and_kill(folder.path(), 500 + round * 411, true));
    }
    let log = open_log(&folder.path().join("log"), Arc::new(SystemClock));
    log.seal(&registry).await.unwrap();
    let (from, to) = (Micros(0), Micros(i64::MAX));
    assert_kept(&acknowledged, &read_predictions(&registry, None, &service("s"), from, to).await.unwrap());
}
