//! Text files as companies export them.

use chasqui_registry::dataset::{
    ColumnType, DateOrder, DecimalMark, Dialect, Format, Source, TextEncoding, Upload,
};

use crate::fixture::{Fixture, texts, types};

fn dialect(source: &Source) -> Dialect {
    match source {
        Source::Upload { dialect: Some(dialect), .. } => dialect.clone(),
        other => panic!("not a delimited upload: {other:?}"),
    }
}

/// An Ecuadorian export: semicolons, decimal commas, thousands points, day first, Latin-1, cédulas.
fn ecuadorian() -> String {
    "Fecha;Ciudad;Cédula;Ventas;Unidades;Promoción\r\n\
     31/01/2026;Quito;0912345678;1.234,50;1.200;VERDADERO\r\n\
     01/02/2026;Cañar;1712345678;99,9;8;FALSO\r\n\
     02/02/2026;\"Bahía de Caráquez; centro\";1312345678;;15;\r\n"
        .to_owned()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

#[tokio::test]
async fn an_ecuadorian_export_is_read_in_every_encoding() {
    let text = ecuadorian();
    let mut utf16 = vec![0xFF, 0xFE];
    utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let encodings = [
        (text.clone().into_bytes(), TextEncoding::Utf8),
        (format!("\u{feff}{text}").into_bytes(), TextEncoding::Utf8),
        (latin1(&text), TextEncoding::Latin1),
        (utf16, TextEncoding::Utf16Le),
    ];
    for (bytes, encoding) in encodings {
        let fixture = Fixture::sqlite().await;
        let (version, rows) = fixture.table(bytes).await;
        let found = dialect(&version.source);
        assert_eq!((found.encoding, found.delimiter, found.header), (encoding, ';', true));
        assert_eq!(types(&version), "date text text float64 int64 boolean");
        assert_eq!(texts(&rows, "Fecha"), ["2026-01-31", "2026-02-01", "2026-02-02"]);
        assert_eq!(texts(&rows, "Ciudad"), ["Quito", "Cañar", "Bahía de Caráquez; centro"]);
        assert_eq!(texts(&rows, "Cédula")[0], "0912345678");
        assert_eq!(texts(&rows, "Ventas"), ["1234.5", "99.9", "∅"]);
        assert_eq!(texts(&rows, "Unidades"), ["1200", "8", "15"]);
        assert_eq!(texts(&rows, "Promoción"), ["true", "false", "∅"]);
    }
}

#[tokio::test]
async fn the_profile_says_what_is_in_the_columns() {
    let fixture = Fixture::sqlite().await;
    let (version, _) = fixture.table(ecuadorian()).await;
    let [date, city, _, sales, units, promotion] = &version.profile[..] else { panic!() };
    assert_eq!((date.first.as_deref(), date.last.as_deref()), (Some("2026-01-31"), Some("2026-02-02")));
    assert_eq!((city.count, city.distinct, city.top[0].1), (3, 3, 1));
    assert_eq!((sales.count, sales.missing, sales.min, sales.max), (2, 1, Some(99.9), Some(1234.5)));
    assert_eq!(units.distinct, 3);
    assert!((units.mean.unwrap() - 1223.0 / 3.0).abs() < 1e-9, "{:?}", units.mean);
    // ((8 − 407⅔)² + (15 − 407⅔)² + (1200 − 407⅔)²) / 2 = 470856⅓
    assert!((units.std.unwrap() - 686.189_7).abs() < 1e-3, "{:?}", units.std);
    assert_eq!((promotion.count, promotion.missing), (2, 1));
}

#[tokio::test]
async fn what_is_stated_overrides_what_is_seen() {
    let fixture = Fixture::sqlite().await;
    let text = "día;código;valor\n01/02/2026;7;1.234\n03/04/2026;8;5.678\n";
    let (version, rows) = fixture.table(text).await;
    assert_eq!(types(&version), "date int64 float64");
    assert_eq!(texts(&rows, "día")[0], "2026-02-01");
    let upload = Upload {
        decimal: Some(DecimalMark::Comma),
        date_format: Some(DateOrder::MonthDayYear),
        types: [("código".to_owned(), ColumnType::Text)].into(),
        ..Upload::default()
    };
    let version = fixture.upload(text, upload).await.unwrap();
    let rows = fixture.rows(&version).await;
    assert_eq!((version.version, types(&version).as_str()), (2, "date text int64"));
    assert_eq!((texts(&rows, "día")[0].as_str(), texts(&rows, "valor")[0].as_str()), ("2026-01-02", "1234"));
    let json = r#"{"delimiter":";","decimal":"comma","encoding":"latin-1","date_format":"dd/mm/yyyy","format":"csv"}"#;
    let parsed: Upload = serde_json::from_str(json).unwrap();
    assert_eq!((parsed.delimiter, parsed.encoding), (Some(';'), Some(TextEncoding::Latin1)));
    assert!(serde_json::from_str::<Upload>(r#"{"delimitr":";"}"#).is_err());
}

#[tokio::test]
async fn a_stated_type_that_a_cell_does_not_have_is_refused_with_its_place() {
    let fixture = Fixture::sqlite().await;
    let upload = Upload { types: [("b".to_owned(), ColumnType::Int64)].into(), ..Upload::default() };
    let error = fixture.upload("a,b\n1,2\n3,x\n", upload.clone()).await.unwrap_err().to_string();
    assert_eq!(error, "row 3, column 'b': \"x\" is not an integer");
    let error = fixture.upload("a,c\n1,2\n", upload).await.unwrap_err().to_string();
    assert!(error.contains("the column `b`, which the file does not have"), "{error}");
}

#[tokio::test]
async fn american_dates_are_taken_only_when_nothing_else_fits() {
    let fixture = Fixture::sqlite().await;
    let (version, rows) = fixture.table("d,n\n3/2/12,1\n4/14/12,2\n").await;
    assert_eq!(types(&version), "date int64");
    assert_eq!(texts(&rows, "d"), ["2012-03-02", "2012-04-14"]);
    let (_, rows) = fixture.table("d,n\n3/2/12,1\n4/11/12,2\n").await;
    assert_eq!(texts(&rows, "d"), ["2012-02-03", "2012-11-04"]);
}

#[tokio::test]
async fn types_are_concluded_from_the_last_row_too() {
    let fixture = Fixture::sqlite().await;
    let numbers = (0..200_000).map(|number| number.to_string());
    let lines: Vec<String> = std::iter::once("n".to_owned()).chain(numbers).collect();
    let text = format!("{}\n0.5\n", lines.join("\n"));
    let (version, rows) = fixture.table(text).await;
    assert_eq!((types(&version).as_str(), version.row_count), ("float64", 200_001));
    assert_eq!(texts(&rows, "n").last().unwrap(), "0.5");
    assert!(version.profile[0].distinct_is_bound);
}

#[tokio::test]
async fn files_without_header_and_with_quirks_are_read() {
    let fixture = Fixture::sqlite().await;
    let (version, rows) = fixture.table("1\tQuito\n2\tLoja\n").await;
    assert_eq!(types(&version), "int64 text");
    assert_eq!(texts(&rows, "column_2"), ["Quito", "Loja"]);
    let (_, rows) = fixture.table("a;\"b \"\"c\"\"\"\n\"línea 1\nlínea 2\";x\n").await;
    assert_eq!(texts(&rows, "a"), ["línea 1\nlínea 2"]);
    assert_eq!(texts(&rows, "b \"c\""), ["x"]);
    let (_, rows) = fixture.table("valor\n1,5\n2,25\n").await;
    assert_eq!(texts(&rows, "valor"), ["1.5", "2.25"]);
}

#[tokio::test]
async fn timestamps_keep_their_instant() {
    let fixture = Fixture::sqlite().await;
    let (version, rows) = fixture.table("t,n\n2026-01-31T08:00:00-05:00,1\n2026-01-31 13:00:00.25,2\n").await;
    assert_eq!(types(&version), "timestamp int64");
    assert_eq!(texts(&rows, "t"), ["2026-01-31T13:00:00", "2026-01-31T13:00:00.250"]);
}

#[tokio::test]
async fn json_lines_are_read() {
    let fixture = Fixture::sqlite().await;
    let text = "{\"ciudad\":\"Cañar\",\"n\":1,\"x\":1,\"b\":true,\"d\":\"2026-01-31\",\"id\":\"001\",\"m\":1}\n\n\
                {\"x\":2.5,\"ciudad\":null,\"n\":-7,\"d\":\"\",\"nuevo\":0,\"m\":\"dos\"}\n";
    let (version, rows) = fixture.table(text).await;
    assert!(matches!(version.source, Source::Upload { format: Format::Ndjson, .. }));
    assert_eq!(types(&version), "text int64 float64 boolean date text text int64");
    assert_eq!(texts(&rows, "ciudad"), ["Cañar", "∅"]);
    assert_eq!(texts(&rows, "x"), ["1.0", "2.5"]);
    assert_eq!(texts(&rows, "d"), ["2026-01-31", "∅"]);
    assert_eq!(texts(&rows, "id"), ["001", "∅"]);
    assert_eq!(texts(&rows, "m"), ["1", "dos"]);
    assert_eq!(texts(&rows, "nuevo"), ["∅", "0"]);
}
