//! How a delimited text file is laid out: encoding, delimiter, quote and header, detected from its beginning.
//!
//! Decimal marks and date orders are not decided here but from every row of every column, in `infer`.

use std::collections::HashSet;
use std::io::Read;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::{self, DecimalMark};
use super::text::{self, TextEncoding};
use super::{Upload, moment};
use crate::error::Error;

const SAMPLE_BYTES: usize = 256 * 1024;
const SAMPLE_ROWS: usize = 500;
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// The layout of a delimited text file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dialect {
    /// Character encoding.
    pub encoding: TextEncoding,
    /// What stands between two cells of a row.
    pub delimiter: char,
    /// What encloses a cell that contains the delimiter or a line break.
    pub quote: char,
    /// Whether the first row names the columns.
    pub header: bool,
}

impl Dialect {
    /// Detects what `upload` leaves open.
    ///
    /// # Errors
    /// `Invalid` when the file is empty, is not text, or a stated delimiter or quote is not one ASCII character.
    pub fn detect(bytes: &[u8], upload: &Upload) -> Result<Self, Error> {
        let encoding = match upload.encoding {
            Some(encoding) => encoding,
            None => text::detect(bytes)?,
        };
        Self::of_sample(&sample(&mut text::reader(bytes, encoding)), encoding, upload)
    }

    /// Detects the rest from the beginning of the text.
    pub(super) fn of_sample(sample: &str, encoding: TextEncoding, upload: &Upload) -> Result<Self, Error> {
        if sample.contains('\0') {
            return Err(Error::Invalid("the file contains NUL characters: it is not a text file".to_owned()));
        }
        if sample.trim().is_empty() {
            return Err(Error::Invalid("the file is empty".to_owned()));
        }
        let quote = match upload.quote {
            Some(quote) => ascii(quote, "quote")?,
            None => detect_quote(sample),
        };
        let delimiter = match upload.delimiter {
            Some(delimiter) => ascii(delimiter, "delimiter")?,
            None => detect_delimiter(sample, quote),
        };
        if delimiter == quote {
            return Err(Error::Invalid("delimiter and quote are the same character".to_owned()));
        }
        let header = upload.header.unwrap_or_else(|| has_header(&rows(sample, delimiter, quote)));
        Ok(Self { encoding, delimiter, quote, header })
    }
}

/// The beginning of a text, as much of it as detection looks at.
pub(super) fn sample(reader: &mut dyn Read) -> String {
    text::sample(reader, SAMPLE_BYTES)
}

fn ascii(character: char, what: &str) -> Result<char, Error> {
    if character.is_ascii() && !character.is_ascii_alphanumeric() && !matches!(character, '\r' | '\n' | '\0')
    {
        return Ok(character);
    }
    Err(Error::Invalid(format!("the {what} {character:?} is not an ASCII sign; use one such as ',' or ';'")))
}

fn rows(sample: &str, delimiter: char, quote: char) -> Vec<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter as u8)
        .quote(quote as u8)
        .has_headers(false)
        .flexible(true)
        .from_reader(sample.as_bytes());
    reader.records().take(SAMPLE_ROWS).filter_map(Result::ok).collect()
}

/// Double quotes unless the file has none and single quotes enclose a cell on nearly every line.
fn detect_quote(sample: &str) -> char {
    if sample.contains('"') {
        return '"';
    }
    let lines: Vec<&str> = sample.lines().skip(1).take(SAMPLE_ROWS).collect();
    // A quoted cell may contain delimiters: its two ends are looked for, not the whole cell.
    let encloses = |line: &&&str| {
        let mut pieces = line.split(DELIMITERS);
        pieces.clone().any(|piece| piece.starts_with('\'')) && pieces.any(|piece| piece.ends_with('\''))
    };
    let enclosed = lines.iter().filter(encloses).count();
    if !lines.is_empty() && enclosed * 10 >= lines.len() * 9 { '\'' } else { '"' }
}

/// How well a delimiter explains the sample.
struct Fit {
    delimiter: char,
    columns: usize,
    /// Share of rows as wide as the first.
    consistency: f64,
    /// Share of cells that are numbers, dates or empty.
    typed: f64,
}

fn detect_delimiter(sample: &str, quote: char) -> char {
    let fits: Vec<Fit> = DELIMITERS.iter().map(|&delimiter| fit(sample, delimiter, quote)).collect();
    let wide = fits.iter().filter(|fit| fit.columns > 1 && fit.consistency >= 0.5);
    let best = wide.max_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
    if let Some(fit) = best {
        return fit.delimiter;
    }
    // One column: any delimiter that does not cut it, so that `1,5` stays a number.
    [';', '\t', '|', ','].into_iter().find(|&delimiter| !sample.contains(delimiter)).unwrap_or(',')
}

/// Rows of equal width first, then what makes cells meaningful, then the finer cut.
fn rank(fit: &Fit) -> (f64, f64, usize) {
    ((fit.consistency * 20.0).floor(), (fit.typed * 20.0).floor(), fit.columns)
}

fn fit(sample: &str, delimiter: char, quote: char) -> Fit {
    let rows = rows(sample, delimiter, quote);
    let columns = rows.first().map_or(0, csv::StringRecord::len);
    let equal = rows.iter().filter(|row| row.len() == columns).count();
    let cells = rows.iter().skip(1).map(csv::StringRecord::len).sum::<usize>().max(1);
    let typed = rows.iter().skip(1).flatten().filter(|cell| cell.trim().is_empty() || is_typed(cell)).count();
    Fit {
        delimiter,
        columns,
        consistency: equal as f64 / rows.len().max(1) as f64,
        typed: typed as f64 / cells as f64,
    }
}

fn is_typed(cell: &str) -> bool {
    number::parse(cell, DecimalMark::Point).is_some()
        || number::parse(cell, DecimalMark::Comma).is_some()
        || moment::orders(cell).is_some()
}

/// The first row names the columns when none of its cells is a value and no two are the same.
fn has_header(rows: &[csv::StringRecord]) -> bool {
    let Some(first) = rows.first() else { return false };
    let mut seen = HashSet::new();
    let names = first.iter().filter(|cell| !cell.trim().is_empty());
    let mut any = false;
    for name in names {
        any = true;
        if is_typed(name) || !seen.insert(name.trim()) {
            return false;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(text: &str) -> Dialect {
        Dialect::detect(text.as_bytes(), &Upload::default()).unwrap()
    }

    #[test]
    fn finds_delimiters() {
        assert_eq!(
            detect("fecha;tienda;venta\n01/02/2024;Quito;1.234,56\n02/02/2024;Loja, centro;3,5\n").delimiter,
            ';'
        );
        assert_eq!(detect("a,b,c\n1,\"x;y;z\",3\n2,u;v;w,4\n").delimiter, ',');
        assert_eq!(detect("a\tb\n1,5\t2,5\n").delimiter, '\t');
        assert_eq!(detect("a|b\nx, y|z\n").delimiter, '|');
        assert_eq!(detect("1,5;2,5\n3,5;4,25\n").delimiter, ';');
        assert_eq!(detect("valor\n1,5\n2,5\n").delimiter, ';');
        assert_eq!(detect("a,b\n1,2\n3\n4,5\n").delimiter, ',');
    }

    #[test]
    fn finds_headers_and_quotes() {
        assert!(detect("a;b\n1;2\n").header);
        assert!(!detect("1;x\n2;y\n").header);
        assert!(!detect("Quito;Quito\nLoja;Cuenca\n").header);
        assert_eq!(detect("a,b\n'x, y',1\n'z',2\n").quote, '\'');
        assert_eq!(detect("a,b\nO'Higgins,1\n").quote, '"');
    }

    #[test]
    fn refuses_what_is_no_text() {
        for bytes in [&b""[..], b" \n \n", b"a\0b,c\n", b"\xEF\xBB\xBF"] {
            assert!(
                matches!(Dialect::detect(bytes, &Upload::default()), Err(Error::Invalid(_))),
                "{bytes:?}"
            );
        }
        let upload = Upload { delimiter: Some('ñ'), ..Upload::default() };
        assert!(matches!(Dialect::detect(b"a,b", &upload), Err(Error::Invalid(_))));
    }

    #[test]
    fn keeps_what_is_stated() {
        let upload =
            Upload { delimiter: Some('|'), header: Some(false), quote: Some('\''), ..Upload::default() };
        let dialect = Dialect::detect(b"a;b\n1;2\n", &upload).unwrap();
        assert_eq!((dialect.delimiter, dialect.header, dialect.quote), ('|', false, '\''));
    }
}
