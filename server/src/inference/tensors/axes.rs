//! A shape as JSON tells it, of so few axes that none can be longer than what it describes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Most axes of a tensor; models have four or so.
pub(super) const MOST: usize = 64;

/// The sizes of the axes, as sent.
#[derive(Debug)]
pub(super) struct Axes(pub Vec<i64>);

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AxesVisitor;
        impl<'de> Visitor<'de> for AxesVisitor {
            type Value = Axes;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of whole numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Axes, A::Error> {
                let mut axes = Vec::new();
                while let Some(axis) = sequence.next_element()? {
                    if axes.len() == MOST {
                        return Err(A::Error::custom(format!("a shape has at most {MOST} axes")));
                    }
                    axes.push(axis);
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_seq(AxesVisitor)
    }
}
