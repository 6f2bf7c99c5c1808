//! CSV as `pandas.DataFrame.to_csv` writes it and `pandas.read_csv` reads it: commas, a header row, quotes where
//! needed (RFC 4180), and pandas' words for a missing value.

use chasqui_runtime::DataType;
use csv::{ReaderBuilder, StringRecord};

use super::rows::short;
use super::{Place, Table};
use crate::inference::cell::Cell;
use crate::problem::Problem;

/// What stands for a missing value (`na_values` in the documentation of `pandas.read_csv`).
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Reads a file into a table.
pub(in crate::inference) fn read(table: &mut Table<'_, '_>, body: &[u8]) -> Result<(), Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(body);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let places = places(table, &header).map_err(|reason| told(table, &reason))?;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| broken(&error))? {
        row(table, &places, &record).map_err(|reason| told(table, &reason))?;
    }
    Ok(())
}

fn broken(error: &csv::Error) -> Problem {
    Problem::bad_request(format!("the body is not CSV in UTF-8: {error}"))
}

fn told(table: &mut Table<'_, '_>, reason: &str) -> Problem {
    std::mem::take(&mut table.fault).because(reason)
}

fn places(table: &mut Table<'_, '_>, header: &StringRecord) -> Result<Vec<Place>, String> {
    if header.is_empty() {
        return Err("the body has no header row with the names of its columns".into());
    }
    let mut places = Vec::with_capacity(header.len());
    for (position, name) in header.iter().enumerate() {
        let place = match table.layout.place(name, position) {
            // A cell is one value: an input of several columns is given by the names of those.
            Ok(Place::Input(fields)) => match fields.as_slice() {
                [field] => Ok(Place::Field(*field)),
                _ => Err("is an input of several columns; name each of them"),
            },
            place => place,
        };
        places.push(place.map_err(|reason| {
            table.fault.field = Some(short(name));
            reason.to_owned()
        })?);
    }
    Ok(places)
}

fn row(table: &mut Table<'_, '_>, places: &[Place], record: &StringRecord) -> Result<(), String> {
    let start = table.begin()?;
    if record.len() > places.len() {
        let (wanted, got) = (places.len(), record.len());
        return Err(format!("expected {wanted} values, one for each column of the header, got {got}"));
    }
    let mut key = None;
    for (text, place) in record.iter().zip(places) {
        match place {
            Place::Field(field) => {
                let datatype = table.layout.schema.fields[*field].datatype;
                table.put(start, *field, cell(text, datatype))?;
            }
            Place::Key => key = Some(cell(text, DataType::Bytes)),
            _ => {}
        }
    }
    table.end(start, key)
}

/// What a text means for an input of this type. A text that is no number stays one, to be refused by its field.
fn cell(text: &str, datatype: DataType) -> Cell<'static> {
    if MISSING.contains(&text) {
        return Cell::Missing;
    }
    let kept = || Cell::Text(text.to_owned().into());
    let trimmed = text.trim();
    match datatype {
        DataType::Bytes => kept(),
        DataType::Bool if trimmed.eq_ignore_ascii_case("true") => Cell::Flag(true),
        DataType::Bool if trimmed.eq_ignore_ascii_case("false") => Cell::Flag(false),
        _ => match (trimmed.parse::<i64>(), trimmed.parse::<f64>()) {
            (Ok(number), _) => Cell::Integer(number),
            (_, Ok(number)) => Cell::Number(number),
            _ => kept(),
        },
    }
}
