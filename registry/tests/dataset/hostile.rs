//! Files that are damaged or made to harm are refused with the reason, and nothing of them is kept.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float32Array, Int32Array, LargeStringArray, ListArray,
    RecordBatch, StringArray, TimestampMillisecondArray, UInt8Array, UInt64Array,
};
use arrow::datatypes::Int32Type;
use chasqui_registry::dataset::Upload;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixture::{Fixture, texts, types};

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let compression = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn small() -> Vec<u8> {
    let numbers: Int32Array = (0..500).map(|n| (n % 7 != 0).then_some(n)).collect();
    let words: StringArray = (0..500).map(|n| Some(["Quito", "Loja", "Cuenca"][n % 3])).collect();
    parquet(vec![("n", Arc::new(numbers)), ("ciudad", Arc::new(words))])
}

#[tokio::test]
async fn parquet_of_many_types_is_read() {
    let fixture = Fixture::sqlite().await;
    let decimals = Decimal128Array::from(vec![12_345]).with_precision_and_scale(10, 2).unwrap();
    let dictionary: DictionaryArray<Int32Type> = vec!["Loja"].into_iter().collect();
    let bytes = parquet(vec![
        ("u8", Arc::new(UInt8Array::from(vec![200])) as ArrayRef),
        ("f32", Arc::new(Float32Array::from(vec![f32::NAN]))),
        ("decimal", Arc::new(decimals)),
        ("large", Arc::new(LargeStringArray::from(vec!["ñ"]))),
        ("dictionary", Arc::new(dictionary)),
        ("zoned", Arc::new(TimestampMillisecondArray::from(vec![1000]).with_timezone("America/Guayaquil"))),
    ]);
    let (version, rows) = fixture.table(bytes).await;
    assert_eq!(types(&version), "int64 float64 float64 text text timestamp");
    let row: Vec<String> =
        rows.schema().fields().iter().map(|field| texts(&rows, field.name())[0].clone()).collect();
    assert_eq!(row, ["200", "∅", "123.45", "ñ", "Loja", "1970-01-01T00:00:01"]);
    let (version, rows) = fixture.table(small()).await;
    assert_eq!((version.row_count, types(&version).as_str()), (500, "int64 text"));
    assert_eq!((texts(&rows, "n")[7].as_str(), texts(&rows, "ciudad")[499].as_str()), ("∅", "Loja"));
}

#[tokio::test]
async fn parquet_that_does_not_fit_a_table_is_refused() {
    let fixture = Fixture::sqlite().await;
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    let message = fixture.refusal(parquet(vec![("lista", Arc::new(list))])).await;
    assert!(message.contains("column `lista` has the type"), "{message}");
    let message = fixture.refusal(parquet(vec![("u64", Arc::new(UInt64Array::from(vec![u64::MAX])))])).await;
    assert!(message.contains("column `u64`") && message.contains("out of range"), "{message}");
    let empty = parquet(vec![("n", Arc::new(Int32Array::from(Vec::<i32>::new())))]);
    assert_eq!(fixture.refusal(empty).await, "there are no rows");
    let long = StringArray::from(vec!["x".repeat((1 << 20) + 1)]);
    let message = fixture.refusal(parquet(vec![("texto", Arc::new(long))])).await;
    assert!(message.contains("row 1, column `texto`"), "{message}");
}

/// A few kilobytes that decompress to more than any page may have.
#[tokio::test]
async fn a_page_that_decompresses_to_too_much_is_refused_before_it_is_read() {
    let words = StringArray::from(vec!["x".repeat(300 << 20)]);
    let bytes = parquet(vec![("bomba", Arc::new(words))]);
    assert!(bytes.len() < 1 << 20);
    let message = Fixture::sqlite().await.refusal(bytes).await;
    assert!(message.contains("a page of column `bomba` claims 3145"), "{message}");
}

/// One long text, repeated by its dictionary for every row: small in the file, huge as a table.
#[tokio::test]
async fn repeated_texts_are_decoded_in_bounded_memory() {
    let fixture = Fixture::sqlite().await;
    let word = "y".repeat(100_000);
    let words: StringArray = std::iter::repeat_n(Some(word.as_str()), 3000).collect();
    let bytes = parquet(vec![("texto", Arc::new(words))]);
    assert!(bytes.len() < 100_000);
    let version = fixture.upload(bytes, Upload::default()).await.unwrap();
    assert_eq!((version.row_count, version.profile[0].distinct), (3000, 1));
}

#[tokio::test]
async fn damaged_parquet_never_panics_and_leaves_nothing() {
    let whole = small();
    let mut rng = StdRng::seed_from_u64(1);
    let mut refused = 0;
    let fixture = Fixture::sqlite().await;
    for round in 0..400 {
        let mut bytes = whole.clone();
        if round % 4 == 0 {
            bytes.truncate(rng.random_range(4..bytes.len()));
        } else {
            for _ in 0..=rng.random_range(0..3) {
                let place = rng.random_range(4..bytes.len());
                bytes[place] = rng.random();
            }
        }
        match fixture.upload(bytes, Upload::default()).await {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error.code(), "invalid" | "too_large"), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[tokio::test]
async fn text_that_is_no_table_is_refused_with_the_place() {
    let fixture = Fixture::sqlite().await;
    let cases: [(&[u8], &str); 14] = [
        (b"", "empty"),
        (b"a,b\n", "there are no rows"),
        (b"{}\n{}\n", "the rows have no columns"),
        (b"a,b\n1,2\n3\n", "row 3 has 1 cells instead of 2: column `b` is missing"),
        (b"a,b\n1,2\n3,4,5\n", "row 3 has 3 cells instead of 2: \"5\" comes after the last column"),
        (b"a,b\n1,\"x\n2,y\n3,z\n", "row 2: a cell begins with '\"' and never ends"),
        (b"a,b\n1,\0\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NUL"),
        (b"PAR1", "damaged"),
        (b"PAR1\xff\xff\xff\x7fPAR1", "damaged"),
        (b"{\"a\":1}\n{\"a\":{\"b\":2}}\n", "row 2: the value of `a` is not a text, number or boolean"),
        (b"{\"a\":1}\n[1]\n", "row 2:"),
        (b"{\"a\":1,\"a\":2}\n", "row 1: `a` is given twice"),
        (b"{\"a\":1}\n{\"a\":", "row 2:"),
    ];
    for (bytes, expected) in cases {
        let message = fixture.refusal(bytes.to_vec()).await;
        assert!(message.contains(expected), "{message:?} does not contain {expected:?}");
    }
    let upload = Upload { header: Some(true), ..Upload::default() };
    let error = fixture.upload("a,a\n1,2\n", upload).await.unwrap_err().to_string();
    assert_eq!(error, "two columns are called `a`; rename one");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let fixture = Fixture::sqlite().await;
    let upload = Upload { max_bytes: 10, ..Upload::default() };
    let error = fixture.upload("a,b\n1,2\n3,4\n", upload).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("too_large", "the file has 12 bytes; at most 10 are taken")
    );
    let wide = vec!["x"; 5000].join(",");
    let message = fixture.refusal(format!("{wide}\n{wide}\n")).await;
    assert!(message.contains("5000 columns"), "{message}");
    let message = fixture.refusal(format!("a,b\n1,{}\n", "z".repeat((1 << 20) + 1))).await;
    assert!(message.contains("row 2, column `b`"), "{message}");
}

#[tokio::test]
async fn random_bytes_are_refused_or_read_but_never_panic() {
    let fixture = Fixture::sqlite().await;
    let mut rng = StdRng::seed_from_u64(2);
    let alphabet = b"a1,;\t|\"'\n\r.-/:{}[] \xC3\xB1\xFF\xE9";
    for _ in 0..300 {
        let length = rng.random_range(1..400);
        let bytes: Vec<u8> = (0..length).map(|_| alphabet[rng.random_range(0..alphabet.len())]).collect();
        if let Err(error) = fixture.upload(bytes.clone(), Upload::default()).await {
            assert!(matches!(error.code(), "invalid" | "too_large"), "{error:?} for {bytes:?}");
        }
    }
}
