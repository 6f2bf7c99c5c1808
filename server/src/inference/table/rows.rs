//! Rows one after another, each a list of values, an object of named values, or the single value of a model with one
//! column; and, where these may stand, an object of columns.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::columns::Columns;
use super::{Place, Table, Value, single_values};
use crate::inference::cell::{Cell, Text};

/// Reads rows, or columns, into a table.
pub(in crate::inference) struct Rows<'t, 's, 'de>(pub(in crate::inference) &'t mut Table<'s, 'de>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows or an object of columns")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Row { table: &mut *self.0 })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Columns(self.0).read(map)
    }
}

/// One row.
struct Row<'t, 's, 'de> {
    table: &'t mut Table<'s, 'de>,
}

impl<'de> Row<'_, '_, 'de> {
    fn single<E: de::Error>(self, cell: Cell<'de>) -> Result<(), E> {
        let table = self.table;
        let wanted = table.layout.positional();
        let read = table.begin().and_then(|start| {
            if wanted != 1 {
                return Err(format!("expected {wanted} values or an object, got {cell}"));
            }
            table.put(start, 0, cell)?;
            table.end(start, None)
        });
        read.map_err(|reason| table.fail(reason))
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row")
    }

    single_values!(single);

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        let wanted = self.table.layout.positional();
        positional(self.table, sequence, wanted)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let table = self.table;
        let start = table.begin().map_err(|reason| table.fail::<A::Error>(reason))?;
        let mut key = None;
        let mut expected = 0;
        while let Some(Text(name)) = map.next_key()? {
            let place = match table.layout.place(&name, expected) {
                Ok(place) => place,
                Err(reason) => {
                    table.fault.field = Some(short(&name));
                    return Err(table.fail(reason.into()));
                }
            };
            let value = Value { table: &mut *table, start, place: &place, key: &mut key };
            if let Err(error) = map.next_value_seed(value) {
                table.fault.field.get_or_insert_with(|| short(&name));
                return Err(error);
            }
            expected += 1;
        }
        table.end(start, key).map_err(|reason| table.fail(reason))
    }
}

/// Reads a row without names, of the first `wanted` fields.
fn positional<'de, A: SeqAccess<'de>>(
    table: &mut Table<'_, 'de>,
    mut sequence: A,
    wanted: usize,
) -> Result<(), A::Error> {
    let start = table.begin().map_err(|reason| table.fail::<A::Error>(reason))?;
    let mut count = 0;
    while let Some(cell) = sequence.next_element::<Cell<'de>>()? {
        if count < wanted {
            table.put(start, count, cell).map_err(|reason| table.fail::<A::Error>(reason))?;
        }
        count += 1;
    }
    if count != wanted {
        return Err(table.fail(format!("expected {wanted} values, got {count}")));
    }
    table.end(start, None).map_err(|reason| table.fail(reason))
}

/// Reads a row whose values lead to `places`, or to the fields in their order when there are none.
pub(super) struct Placed<'t, 's, 'de> {
    pub(super) table: &'t mut Table<'s, 'de>,
    pub(super) places: Option<&'t [Place]>,
}

impl<'de> DeserializeSeed<'de> for Placed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Placed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of the values of a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self { table, places } = self;
        let Some(places) = places else {
            let wanted = table.layout.positional();
            return positional(table, sequence, wanted);
        };
        let start = table.begin().map_err(|reason| table.fail::<A::Error>(reason))?;
        let mut key = None;
        let mut count = 0;
        loop {
            let place = places.get(count).unwrap_or(&Place::Nowhere);
            let value = Value { table: &mut *table, start, place, key: &mut key };
            if sequence.next_element_seed(value)?.is_none() {
                break;
            }
            count += 1;
        }
        if count != places.len() {
            let wanted = places.len();
            return Err(table.fail(format!("expected {wanted} values, one for each column, got {count}")));
        }
        table.end(start, key).map_err(|reason| table.fail(reason))
    }
}

/// The beginning of a name that a caller made up.
pub(super) fn short(name: &str) -> String {
    name.chars().take(100).collect()
}
