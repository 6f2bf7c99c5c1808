//! An object of columns: `{"price": [1, 2], "store": ["Quito", "Loja"]}`, an input of several columns as a list of
//! lists, a single row as single values.
//!
//! The columns are kept until all are there: nothing is laid out for fields that nobody sent.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::rows::short;
use super::{MISSING, Place, Table, single_values};
use crate::inference::cell::{Cell, Text};

/// Reads columns into a table.
pub(super) struct Columns<'t, 's, 'de>(pub(super) &'t mut Table<'s, 'de>);

impl<'de> Columns<'_, '_, 'de> {
    /// Reads the members of an object.
    pub(super) fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let table = self.0;
        let mut columns: Vec<(Place, Block<'de>)> = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let place = table.layout.place(&name, columns.len());
            let block = place.map_err(|reason| table.fail::<A::Error>(reason.into())).and_then(|place| {
                if place == Place::Nowhere {
                    map.next_value::<de::IgnoredAny>()?;
                    return Ok(None);
                }
                let block = map.next_value_seed(BlockSeed { limit: table.layout.limit })?;
                Ok(Some((place, block)))
            });
            match block {
                Ok(block) => columns.extend(block),
                Err(error) => {
                    table.fault.field.get_or_insert_with(|| short(&name));
                    return Err(error);
                }
            }
        }
        assemble(table, columns).map_err(|reason| table.fail(reason))
    }
}

/// Turns columns into rows.
fn assemble<'de>(table: &mut Table<'_, 'de>, columns: Vec<(Place, Block<'de>)>) -> Result<(), String> {
    let Some(rows) = columns.first().map(|(_, block)| block.rows) else { return Ok(()) };
    check_complete(table, &columns)?;
    let mut sources = Vec::with_capacity(columns.len());
    for (place, block) in columns {
        let width = match &place {
            Place::Input(fields) => fields.len(),
            _ => 1,
        };
        if block.width != width || block.rows != rows {
            let (got, other) = (block.width, block.rows);
            table.fault.field = Some(name_of(table, &place));
            return Err(if block.rows == rows {
                format!("expected {width} values a row, got {got}")
            } else {
                format!("has {other} rows where the first column has {rows}; they must agree")
            });
        }
        sources.push((place, block.cells.into_iter()));
    }
    for _ in 0..rows {
        let start = table.begin()?;
        let mut key = None;
        for (place, cells) in &mut sources {
            match place {
                Place::Field(field) => put(table, start, *field, cells.next())?,
                Place::Input(fields) => {
                    for field in fields {
                        put(table, start, *field, cells.next())?;
                    }
                }
                _ => key = cells.next(),
            }
        }
        table.end(start, key)?;
    }
    Ok(())
}

fn put<'de>(
    table: &mut Table<'_, 'de>,
    start: usize,
    field: usize,
    cell: Option<Cell<'de>>,
) -> Result<(), String> {
    cell.map_or(Ok(()), |cell| table.put(start, field, cell))
}

/// Refuses when a field that every row needs is in no column. Whoever looks at the expectations later tells it with
/// all other faults, but then memory for it would have been taken.
fn check_complete(table: &mut Table<'_, '_>, columns: &[(Place, Block<'_>)]) -> Result<(), String> {
    let mut given = vec![false; table.layout.width()];
    for (place, _) in columns {
        match place {
            Place::Field(field) => given[*field] = true,
            Place::Input(fields) => fields.iter().for_each(|field| given[*field] = true),
            _ => {}
        }
    }
    let fields = table.layout.schema.fields.iter().zip(given);
    match fields.into_iter().find(|(field, is_given)| field.required && !is_given) {
        None => Ok(()),
        Some((field, _)) => {
            table.fault.field = Some(field.name.clone());
            Err(MISSING.into())
        }
    }
}

fn name_of(table: &Table<'_, '_>, place: &Place) -> String {
    let field = match place {
        Place::Field(field) => *field,
        Place::Input(fields) => {
            let signature = table.layout.signature;
            let feature = fields.first().and_then(|field| signature.features.get(*field));
            let input = feature.and_then(|feature| signature.inputs.get(feature.input));
            return input.map_or_else(String::new, |input| input.name.clone());
        }
        _ => return "key".into(),
    };
    table.layout.schema.fields[field].name.clone()
}

/// The values of a column, or of the columns of an input, row by row.
#[derive(Default)]
struct Block<'a> {
    rows: usize,
    width: usize,
    cells: Vec<Cell<'a>>,
}

impl Block<'_> {
    /// Ends a row that began after so many cells.
    fn end_row(&mut self, start: usize, limit: usize) -> Result<(), String> {
        let width = self.cells.len() - start;
        if self.rows > 0 && width != self.width {
            let (row, first) = (self.rows, self.width);
            return Err(format!("row {row} has {width} values where the first has {first}"));
        }
        self.width = width;
        self.rows += 1;
        if self.rows > limit {
            return Err(format!("more than {limit} rows; send them in several requests"));
        }
        Ok(())
    }
}

struct BlockSeed {
    limit: usize,
}

impl BlockSeed {
    fn single<E: de::Error>(self, cell: Cell<'_>) -> Result<Block<'_>, E> {
        let mut block = Block { cells: vec![cell], ..Block::default() };
        block.end_row(0, self.limit).map_err(E::custom)?;
        Ok(block)
    }
}

impl<'de> DeserializeSeed<'de> for BlockSeed {
    type Value = Block<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BlockSeed {
    type Value = Block<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of the values of a column")
    }

    single_values!(single);

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut block = Block::default();
        loop {
            let start = block.cells.len();
            if sequence.next_element_seed(Element(&mut block.cells))?.is_none() {
                return Ok(block);
            }
            block.end_row(start, self.limit).map_err(<A::Error as de::Error>::custom)?;
        }
    }
}

/// One row of a block: a single value, or a list of them.
struct Element<'b, 'de>(&'b mut Vec<Cell<'de>>);

impl<'de> Element<'_, 'de> {
    #[expect(clippy::unnecessary_wraps, reason = "the visits of single values may fail elsewhere")]
    fn single<E: de::Error>(self, cell: Cell<'de>) -> Result<(), E> {
        self.0.push(cell);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or an array of values")
    }

    single_values!(single);

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(cell) = sequence.next_element()? {
            self.0.push(cell);
        }
        Ok(())
    }
}
