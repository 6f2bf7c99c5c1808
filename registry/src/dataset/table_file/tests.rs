use std::fmt::Write as _;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use bytes::Bytes;

use super::*;
use crate::dataset::columnar::{self, Wanted};

/// More text than a beginning has, so that what follows comes as a surprise.
fn many(line: &str) -> String {
    line.repeat(BEGINNING_BYTES as usize / line.len() + 2000)
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// The rows after the last beginning, and how often it began.
fn read(bytes: &[u8]) -> Result<(RecordBatch, usize)> {
    let file = written(bytes);
    let mut table = TableFile::open(file.path(), &Upload::default())?;
    let (mut begun, mut schema, mut batches) = (0, None, Vec::new());
    while let Some(piece) = table.next_piece()? {
        match piece {
            Piece::Begin(found) => {
                begun += 1;
                batches.clear();
                schema = Some(found);
            }
            Piece::Rows(batch) => batches.push(batch),
        }
    }
    assert!((table.share() - 1.0).abs() < 1e-9, "{}", table.share());
    let joined = concat_batches(&schema.unwrap(), &batches).unwrap();
    assert_eq!(table.rows(), joined.num_rows() as u64);
    Ok((joined, begun))
}

/// The same file by way of an upload, which looks at every row first.
fn uploaded(bytes: &[u8]) -> RecordBatch {
    let (written, _) = upload::convert(&Bytes::copy_from_slice(bytes), &Upload::default()).unwrap();
    let batches = columnar::read_own(written.parquet, &Wanted::All).unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn as_number(column: &ArrayRef) -> ArrayRef {
    if *column.data_type() == DataType::Int64 {
        cast(column, &DataType::Float64).unwrap()
    } else {
        column.clone()
    }
}

/// Reads the same as an upload; returns how often it had to begin.
fn assert_same(bytes: &[u8]) -> usize {
    let ((rows, begun), whole) = (read(bytes).unwrap(), uploaded(bytes));
    assert_eq!(rows.num_rows(), whole.num_rows());
    let names = |batch: &RecordBatch| -> Vec<String> {
        batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    assert_eq!(names(&rows), names(&whole));
    for (streamed, stored) in rows.columns().iter().zip(whole.columns()) {
        assert_eq!(as_number(streamed).as_ref(), as_number(stored).as_ref());
    }
    begun
}

#[test]
fn what_the_beginning_says_is_read_in_one_pass() {
    let text = many("12;3,5;Quito;31/12/2026;verdadero;2.5\n");
    assert_eq!(assert_same(format!("a;b;c;d;e;f\n{text}").as_bytes()), 1);
    // Whole numbers with fractions further on are numbers all the same.
    assert_eq!(assert_same(format!("a,b\n{}1.5,x\n", many("7,x\n")).as_bytes()), 1);
    assert_eq!(assert_same(many("{\"a\": 1, \"b\": \"x\"}\n").as_bytes()), 1);
}

#[test]
fn what_later_rows_prove_is_read_again() {
    for (beginning, end) in [
        ("1;x\n", "uno;x\n"),
        ("1.234;5\n", "1.234,5;6\n"),
        ("1.234;5\n", "1.234;6,500\n"),
        (";x\n", "17;x\n"),
        ("true;x\n", "no;x\n"),
        ("2026-01-02;x\n", "2026-01-02 10:00;x\n"),
        ("01/02/2026;x\n", "02/28/2026;x\n"),
    ] {
        let text = format!("a;b\n{}{end}", many(beginning));
        assert_eq!(assert_same(text.as_bytes()), 2, "{beginning} {end}");
    }
}

#[test]
fn other_encodings_are_met_early_or_late() {
    let mut late = format!("ciudad;n\n{}", many("Quito;1\n")).into_bytes();
    late.extend_from_slice(b"Bah\xEDa;2\n");
    assert_eq!(assert_same(&late), 2);
    let (rows, _) = read(&late).unwrap();
    let last = rows.num_rows() - 1;
    assert_eq!(rows.column(0).as_string::<i32>().value(last), "Bahía");
    assert_eq!(assert_same(b"ciudad;n\nBah\xEDa;2\nQuito;3\n"), 1);
    let mut utf16 = vec![0xFF, 0xFE];
    utf16.extend(format!("ciudad;n\n{}", many("Cañar;1,5\n")).encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(assert_same(&utf16), 1);
    let mut broken = format!("ciudad;n\n{}", many("Cañar;1\n")).into_bytes();
    broken.extend_from_slice(b"Ca\xF1ar;2\n");
    assert!(read(&broken).unwrap_err().to_string().contains("although the rest of the file is"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let refused = |text: &[u8]| read(text).unwrap_err().to_string();
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"a;b\n1;2\n3\n").contains("row 3 has 1 cells instead of 2"));
    assert!(refused(format!("a;b\n{}1;\"x\n", many("1;2\n")).as_bytes()).contains("never ends"));
    assert!(refused(b"PK\x03\x04....").contains("Excel"));
    assert!(refused(b"\x1F\x8B\x08....").contains("gzip"));
    assert!(refused(b" <!DOCTYPE html><p>no</p>").contains("HTML"));
    assert!(refused(b"PAR1 and no more").contains("Parquet"));
    let folder = tempfile::tempdir().unwrap();
    let missing = TableFile::open(&folder.path().join("x.csv"), &Upload::default()).err().unwrap();
    assert!(matches!(missing, Error::NotFound(_)), "{missing}");
    assert!(TableFile::open(folder.path(), &Upload::default()).err().unwrap().to_string().contains("folder"));
    assert_eq!(read(b"a;b\n").unwrap().0.num_rows(), 0);
}

#[test]
fn parquet_is_read_from_its_file() {
    let mut text = String::from("x;city\n");
    for row in 0..20_000 {
        writeln!(text, "{};{}", f64::from(row) / 8.0, ["Quito", "Loja"][row as usize % 2]).unwrap();
    }
    let (stored, _) = upload::convert(&Bytes::from(text), &Upload::default()).unwrap();
    let file = written(&stored.parquet);
    let mut table = TableFile::open(file.path(), &Upload::default()).unwrap();
    assert_eq!(table.seen().to_string(), "Parquet");
    let mut sum = 0.0;
    while let Some(piece) = table.next_piece().unwrap() {
        let Piece::Rows(batch) = piece else { continue };
        sum += batch.column(0).as_primitive::<Float64Type>().iter().flatten().sum::<f64>();
    }
    assert_eq!(sum, (0..20_000).map(|row| f64::from(row) / 8.0).sum::<f64>());
    assert_eq!((table.rows(), table.share()), (20_000, 1.0));
}

#[test]
fn what_was_seen_can_be_told() {
    let file = written("a;b\n1;2\n".as_bytes());
    let seen = TableFile::open(file.path(), &Upload::default()).unwrap().seen().to_string();
    assert_eq!(seen, "delimited text in UTF-8, delimiter ';', names in the first row");
}
