//! Files as they were published, from the folder `shared/data` beside the workspace where there is one.

use std::path::Path;

use chasqui_registry::dataset::{DatasetVersion, Upload};

use crate::fixture::{Fixture, types};

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn add(path: &str) -> Option<(Fixture, DatasetVersion)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    let Ok(bytes) = std::fs::read(&file) else {
        eprintln!("SKIPPED: there is no {}", file.display());
        return None;
    };
    let fixture = Fixture::sqlite().await;
    let version = fixture.upload(bytes, Upload::default()).await.unwrap();
    let rows = fixture.rows(&version).await.num_rows() as u64;
    assert_eq!(rows, version.row_count);
    Some((fixture, version))
}

#[tokio::test]
async fn transactions_of_favorita() {
    let Some((_fixture, version)) = add("favorita/transactions.csv").await else { return };
    assert_eq!((version.row_count, types(&version).as_str()), (83_488, "date int64 int64"));
    let (date, store, transactions) = (&version.profile[0], &version.profile[1], &version.profile[2]);
    assert_eq!((date.first.as_deref(), date.last.as_deref()), (Some("2013-01-01"), Some("2017-08-15")));
    assert_eq!((store.distinct, transactions.missing), (54, 0));
}

#[tokio::test]
async fn other_files_of_favorita() {
    let Some((_fixture, oil)) = add("favorita/oil.csv").await else { return };
    assert_eq!((oil.row_count, types(&oil).as_str()), (1218, "date float64"));
    assert!(oil.profile[1].missing > 0);
    let Some((_fixture, holidays)) = add("favorita/holidays_events.csv").await else { return };
    assert_eq!((holidays.row_count, types(&holidays).as_str()), (350, "date text text text text boolean"));
    assert_eq!(holidays.profile[0].first.as_deref(), Some("2012-03-02"));
    let Some((_fixture, stores)) = add("favorita/stores.csv").await else { return };
    assert_eq!((stores.row_count, types(&stores).as_str()), (54, "int64 text text text int64"));
}

#[tokio::test]
async fn bank_marketing() {
    let Some((_fixture, version)) = add("bank-marketing/bank-additional-full.csv").await else { return };
    assert_eq!((version.row_count, version.schema.len()), (41_188, 20));
    let expected = "int64 text text text text text text text text text int64 int64 int64 int64 \
                    float64 float64 float64 float64 float64 text";
    assert_eq!(types(&version), expected);
    let target = &version.profile[19];
    assert_eq!(target.top, [("no".to_owned(), 36_548), ("yes".to_owned(), 4640)]);
}

#[tokio::test]
async fn telco_churn() {
    let Some((_fixture, version)) = add("telco-churn/telco-customer-churn.csv").await else { return };
    assert_eq!((version.row_count, version.schema.len()), (7043, 21));
    let total = version.profile.iter().find(|column| column.name == "TotalCharges").unwrap();
    assert_eq!((total.missing, total.max), (11, Some(8684.8)));
}
