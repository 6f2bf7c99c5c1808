//! The local half: appending, rotating, sharing a folder, failing.

use std::path::PathBuf;
use std::sync::Arc;

use chasqui_registry::prediction_log::{Lag, Log, Sealed, read_predictions};
use chasqui_registry::{Error, Micros};

use crate::fixture::{Fixture, START, config, record, service, shape};

fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(fixture.log_folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn count(fixture: &Fixture, log: Option<&Log>) -> usize {
    let (from, to) = (Micros(0), Micros(i64::MAX));
    let batches = read_predictions(&fixture.registry, log, &service("s"), from, to).await.unwrap();
    batches.iter().map(arrow::array::RecordBatch::num_rows).sum()
}

#[tokio::test]
async fn a_segment_is_sealed_when_it_is_old_and_not_before() {
    let fixture = Fixture::sqlite().await;
    let log = fixture.log();
    assert_eq!(log.lag(), Lag::default());
    log.append(&shape("s", 1), &[record(START, "a"), record(START, "b")]).unwrap();
    let lag = log.lag();
    assert_eq!((lag.segments, lag.records, lag.oldest_at), (1, 2, Some(START)));
    assert_eq!(log.seal(&fixture.registry).await.unwrap(), Sealed::default());
    assert_eq!((count(&fixture, None).await, count(&fixture, Some(&log)).await), (0, 2));
    fixture.clock.advance_seconds(60);
    let sealed = log.seal(&fixture.registry).await.unwrap();
    assert_eq!(sealed, Sealed { segments: 1, files: 1, records: 2 });
    assert_eq!(files(&fixture), Vec::<PathBuf>::new());
    assert_eq!((count(&fixture, None).await, count(&fixture, Some(&log)).await), (2, 2));
    assert_eq!(log.lag(), Lag::default());
}

#[tokio::test]
async fn a_segment_that_is_full_gives_way_to_the_next() {
    let fixture = Fixture::sqlite().await;
    let mut config = config(fixture.clock.clone());
    config.segment_bytes = 2000;
    let log = Arc::new(Log::open(fixture.log_folder(), config).unwrap());
    for _ in 0..100 {
        log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    }
    assert!(files(&fixture).len() > 5);
    assert_eq!(log.lag().records, 100);
    assert_eq!(log.seal_all(&fixture.registry).await.unwrap().records, 100);
    assert_eq!(count(&fixture, Some(&log)).await, 100);
}

#[tokio::test]
async fn threads_at_once_lose_and_mix_nothing() {
    let fixture = Fixture::sqlite().await;
    let mut config = config(fixture.clock.clone());
    config.segment_bytes = 50_000;
    let log = Arc::new(Log::open(fixture.log_folder(), config).unwrap());
    let sealing = {
        let (log, registry) = (Arc::clone(&log), fixture.registry.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                log.seal(&registry).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let writers: Vec<_> = (0..4)
        .map(|thread| {
            let log = Arc::clone(&log);
            tokio::task::spawn_blocking(move || {
                for _ in 0..2000 {
                    log.append(&shape("s", thread), &[record(START, "a")]).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    sealing.await.unwrap();
    assert_eq!(count(&fixture, Some(&log)).await, 8000);
    log.seal_all(&fixture.registry).await.unwrap();
    assert_eq!(count(&fixture, None).await, 8000);
    assert_eq!(files(&fixture), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_living_neighbour_keeps_its_segment_and_a_dead_one_leaves_it() {
    let fixture = Fixture::sqlite().await;
    let (first, second) = (fixture.log(), fixture.log());
    first.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    second.append(&shape("s", 1), &[record(START, "b")]).unwrap();
    assert_eq!(second.seal_all(&fixture.registry).await.unwrap().records, 1);
    assert_eq!(count(&fixture, Some(&second)).await, 2);
    drop(first);
    assert_eq!(second.seal(&fixture.registry).await.unwrap().records, 1);
    assert_eq!(count(&fixture, None).await, 2);
}

#[tokio::test]
async fn a_torn_tail_is_cut_off() {
    let fixture = Fixture::sqlite().await;
    let log = fixture.log();
    for _ in 0..3 {
        log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    }
    drop(log);
    let path = files(&fixture).remove(0);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let log = fixture.log();
    assert_eq!(log.lag().records, 2);
    assert_eq!(log.seal(&fixture.registry).await.unwrap().records, 2);
    assert_eq!(count(&fixture, None).await, 2);
}

#[tokio::test]
async fn a_seal_that_was_cut_short_is_done_again_without_doubling() {
    let fixture = Fixture::sqlite().await;
    let log = fixture.log();
    log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    log.append(&shape("t", 2), &[record(START, "a")]).unwrap();
    let path = files(&fixture).remove(0);
    let bytes = std::fs::read(&path).unwrap();
    log.seal_all(&fixture.registry).await.unwrap();
    drop(log);
    // As if the process had ended before it deleted the file.
    std::fs::write(&path, bytes).unwrap();
    let log = fixture.log();
    assert_eq!(count(&fixture, Some(&log)).await, 1);
    assert_eq!(log.seal(&fixture.registry).await.unwrap().files, 2);
    assert_eq!(count(&fixture, Some(&log)).await, 1);
    let objects = fixture.registry.artifacts.list("predictions").await.unwrap();
    assert_eq!(objects.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sealed_stays_and_what_is_no_segment_is_put_aside() {
    let fixture = Fixture::sqlite().await;
    std::fs::create_dir_all(fixture.log_folder()).unwrap();
    let alien = fixture.log_folder().join("alien.seg");
    std::fs::write(&alien, b"not a segment").unwrap();
    let log = fixture.log();
    log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    fixture.registry.db.close().await;
    assert!(log.seal_all(&fixture.registry).await.is_err());
    assert_eq!(log.lag().records, 1);
    assert_eq!(std::fs::read(alien.with_extension("unreadable")).unwrap(), b"not a segment");
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(chasqui_registry::clock::ManualClock::new(START));
    let log = Log::open(folder.path(), config(clock)).unwrap();
    let mut short = record(START, "a");
    short.inputs.pop();
    assert!(matches!(log.append(&shape("s", 1), &[short]), Err(Error::Invalid(_))));
    log.append(&shape("s", 1), &[]).unwrap();
    assert_eq!(log.lag(), Lag::default());
}

#[tokio::test]
async fn a_folder_that_takes_no_file_is_an_error_and_not_a_lost_record() {
    let fixture = Fixture::sqlite().await;
    let log = fixture.log();
    std::fs::remove_dir(fixture.log_folder()).unwrap();
    let refused = log.append(&shape("s", 1), &[record(START, "a")]);
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    std::fs::create_dir(fixture.log_folder()).unwrap();
    log.append(&shape("s", 1), &[record(START, "a")]).unwrap();
    assert_eq!(count(&fixture, Some(&log)).await, 1);
}
