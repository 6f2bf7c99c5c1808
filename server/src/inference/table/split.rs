//! pandas' `split` form: `{"columns": ["price", "store"], "index": [0], "data": [[5, "Quito"]]}`, its members in any
//! order.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rows::{Placed, short};
use super::{Place, Table};
use crate::inference::cell::{Cell, Text};

/// Reads a split table.
pub(in crate::inference) struct Split<'t, 's, 'de>(pub(in crate::inference) &'t mut Table<'s, 'de>);

impl<'de> DeserializeSeed<'de> for Split<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Split<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `columns` and `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let table = self.0;
        let mut places: Option<Option<Vec<Place>>> = None;
        let (mut early, mut is_read) = (None::<&'de RawValue>, false);
        let mut seen = [false; 3];
        while let Some(Text(name)) = map.next_key()? {
            let Some(member) = ["columns", "data", "index"].iter().position(|known| *known == name) else {
                let name = short(&name);
                return Err(table.fail(format!("`{name}` is not known here; `columns`, `data`, `index` are")));
            };
            if std::mem::replace(&mut seen[member], true) {
                return Err(table.fail(format!("`{name}` occurs twice")));
            }
            match (member, &places) {
                (0, _) => {
                    let labels = map.next_value::<Option<Vec<Cell<'de>>>>()?;
                    let read = labels.map_or(Ok(None), |labels| columns(table, &labels));
                    places = Some(read.map_err(|reason| table.fail::<A::Error>(reason))?);
                }
                (1, Some(places)) => {
                    map.next_value_seed(Data { table: &mut *table, places: places.as_deref() })?;
                    is_read = true;
                }
                // What comes before its columns is kept as text, unread.
                (1, None) => early = Some(map.next_value()?),
                // The index names rows and is no input.
                _ => drop(map.next_value::<de::IgnoredAny>()?),
            }
        }
        let places = places.flatten();
        match early {
            _ if is_read => Ok(()),
            Some(text) => Data { table: &mut *table, places: places.as_deref() }
                .deserialize(&mut serde_json::Deserializer::from_str(text.get()))
                .map_err(|error| {
                    let reason = table.fault.reason.take();
                    table.fail(reason.unwrap_or_else(|| error.to_string()))
                }),
            None => Err(table.fail("`data` is missing".into())),
        }
    }
}

/// Where the columns lead; `None` when they have only the numbers that pandas gives to columns without names.
fn columns(table: &mut Table<'_, '_>, labels: &[Cell<'_>]) -> Result<Option<Vec<Place>>, String> {
    let is_numbered =
        labels.iter().enumerate().all(|(position, label)| *label == Cell::Integer(position as i64));
    if is_numbered && labels.len() == table.layout.positional() {
        return Ok(None);
    }
    let mut places: Vec<Place> = Vec::with_capacity(labels.len());
    for (position, label) in labels.iter().enumerate() {
        let name = match label {
            Cell::Text(text) => text.to_string(),
            Cell::Integer(number) => number.to_string(),
            other => return Err(format!("`columns` holds names, not {other}")),
        };
        let place = table.layout.place(&name, position);
        places.push(place.map_err(|reason| {
            table.fault.field = Some(short(&name));
            reason.to_owned()
        })?);
    }
    Ok(Some(places))
}

/// The rows of a split table.
struct Data<'t, 's, 'de> {
    table: &'t mut Table<'s, 'de>,
    places: Option<&'t [Place]>,
}

impl<'de> DeserializeSeed<'de> for Data<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self { table, places } = self;
        while sequence.next_element_seed(Placed { table: &mut *table, places })?.is_some() {}
        Ok(())
    }
}
