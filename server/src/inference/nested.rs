//! Nested arrays without a declared shape, as TensorFlow Serving's forms write tensors: rows one after another, each an
//! array or an object of arrays; or one array for each input, rows first. For models whose inputs are no tables.

use std::fmt;

use chasqui_runtime::{Signature, Tensor, TensorSpec};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, Text};
use super::schema::collect;
use super::table::single_values;
use crate::limits::NESTING;
use crate::problem::Problem;

/// The tensors of a request in the making.
#[derive(Debug)]
pub(super) struct Nested<'s, 'a> {
    signature: &'s Signature,
    /// Most rows.
    limit: usize,
    /// Rows that have begun, where they come one after another.
    rows: usize,
    /// By input.
    given: Vec<Array<'a>>,
}

/// Rows of one shape, element by element.
#[derive(Debug, Default)]
struct Array<'a> {
    rows: usize,
    /// Sizes of the axes of a row, as far as an array has ended there.
    axes: Vec<Option<usize>>,
    /// How many axes a row has, once an element was read.
    depth: Option<usize>,
    cells: Vec<Cell<'a>>,
}

impl<'a> Array<'a> {
    fn shape(&self) -> Vec<usize> {
        let axes = self.axes.iter().map(|axis| axis.unwrap_or(0));
        std::iter::once(self.rows).chain(axes).collect()
    }

    /// Takes an element that stands `depth` arrays deep in a row.
    fn element(&mut self, depth: usize, cell: Cell<'a>) -> Result<(), String> {
        if *self.depth.get_or_insert(depth) != depth || self.axes.len() > depth {
            return Err("elements and arrays are mixed".into());
        }
        self.cells.push(cell);
        Ok(())
    }

    /// Takes an array that begins `depth` arrays deep in a row.
    fn array<A: SeqAccess<'a>>(&mut self, depth: usize, mut sequence: A) -> Result<(), A::Error> {
        if depth >= NESTING {
            return Err(de::Error::custom(format!("arrays are nested deeper than {NESTING}")));
        }
        if self.depth.is_some_and(|elements| elements <= depth) {
            return Err(de::Error::custom("elements and arrays are mixed"));
        }
        if self.axes.len() <= depth {
            self.axes.resize(depth + 1, None);
        }
        let mut count = 0;
        while sequence.next_element_seed(Member { array: &mut *self, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        let size = *self.axes[depth].get_or_insert(count);
        if size != count {
            return Err(de::Error::custom(format!("an array of {count} stands where others have {size}")));
        }
        Ok(())
    }
}

impl<'s, 'a> Nested<'s, 'a> {
    /// No tensors yet.
    pub(super) fn new(signature: &'s Signature, limit: usize) -> Self {
        Self { signature, limit, rows: 0, given: signature.inputs.iter().map(|_| Array::default()).collect() }
    }

    /// The tensors in the signature's order.
    pub(super) fn finish(self) -> Result<Vec<Tensor>, Problem> {
        let limit = self.limit;
        let mut tensors: Vec<Tensor> = Vec::with_capacity(self.given.len());
        for (spec, array) in self.signature.inputs.iter().zip(self.given) {
            let is_missing = array.rows == 0 && array.axes.is_empty() && self.signature.inputs.len() > 1;
            let tensor = if is_missing { Err("is missing".into()) } else { tensor(spec, &array) };
            let tensor = tensor.map_err(|reason| {
                Problem::unprocessable(format!("the input `{}` {reason}", spec.name))
                    .at(None, Some(&spec.name))
            })?;
            let rows = tensor.rows();
            if rows == 0 {
                return Err(Problem::unprocessable("there are no rows; send at least one"));
            }
            if rows > limit {
                let text = format!("more than {limit} rows; send them in several requests");
                return Err(Problem::unprocessable(text));
            }
            if let Some(first) = tensors.first().filter(|first| first.rows() != rows) {
                let (name, other) = (&spec.name, first.rows());
                let text = format!(
                    "the input `{name}` has {rows} rows where the first has {other}; they must agree"
                );
                return Err(Problem::unprocessable(text));
            }
            tensors.push(tensor);
        }
        Ok(tensors)
    }

    /// Begins a row.
    fn begin(&mut self) -> Result<(), String> {
        self.rows += 1;
        let limit = self.limit;
        if self.rows > limit {
            Err(format!("more than {limit} rows; send them in several requests"))
        } else {
            Ok(())
        }
    }

    /// Ends a row that names its inputs: each must have been in it.
    fn end(&self) -> Result<(), String> {
        let mut inputs = self.signature.inputs.iter().zip(&self.given);
        match inputs.find(|(_, array)| array.rows != self.rows) {
            Some((spec, _)) => Err(format!("the input `{}` is missing in a row", spec.name)),
            None => Ok(()),
        }
    }

    fn named(&mut self, name: &str) -> Result<&mut Array<'a>, String> {
        let names = self.signature.inputs.iter().map(|spec| &spec.name);
        for (known, array) in names.zip(&mut self.given) {
            if known == name {
                return Ok(array);
            }
        }
        let short: String = name.chars().take(100).collect();
        Err(format!("`{short}` is not an input of this model"))
    }

    /// The array of the only input.
    fn only(&mut self) -> Result<&mut Array<'a>, String> {
        match self.given.as_mut_slice() {
            [only] => Ok(only),
            _ => Err("this model has several inputs; name them".into()),
        }
    }
}

/// The tensor of an array that fits its specification.
fn tensor(spec: &TensorSpec, array: &Array<'_>) -> Result<Tensor, String> {
    let shape = array.shape();
    if !spec.fits(&shape) || shape.iter().product::<usize>() != array.cells.len() {
        let wanted = &spec.shape;
        return Err(format!("must have the shape {wanted:?} (-1: any), not {shape:?}"));
    }
    if let Some(refusal) = array.cells.iter().find_map(|cell| cell.refusal(spec.datatype)) {
        return Err(format!("holds a value that does not fit: {refusal}"));
    }
    Ok(Tensor { shape, data: collect(array.cells.iter(), spec.datatype, array.cells.len())? })
}

/// Reads rows, or an object with an array for each input.
pub(super) struct Tensors<'t, 's, 'de>(pub(super) &'t mut Nested<'s, 'de>);

impl<'de> DeserializeSeed<'de> for Tensors<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tensors<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows or an object of arrays")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Row(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let array = self.0.named(&name).map_err(<A::Error as de::Error>::custom)?;
            if array.rows > 0 {
                return Err(de::Error::custom(format!("`{name}` occurs twice")));
            }
            map.next_value_seed(Batch(array))?;
        }
        Ok(())
    }
}

/// The rows of one input.
struct Batch<'t, 'de>(&'t mut Array<'de>);

impl<'de> DeserializeSeed<'de> for Batch<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Batch<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Member { array: &mut *self.0, depth: 0 })?.is_some() {
            self.0.rows += 1;
        }
        Ok(())
    }
}

/// One row of every input: of the only one, or an object with an array for each.
struct Row<'t, 's, 'de>(&'t mut Nested<'s, 'de>);

impl<'de> Row<'_, '_, 'de> {
    fn single<E: de::Error>(self, cell: Cell<'de>) -> Result<(), E> {
        let taken = self.0.begin().and_then(|()| {
            let array = self.0.only()?;
            array.rows += 1;
            array.element(0, cell)
        });
        taken.map_err(E::custom)
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
        self.0.begin().map_err(<A::Error as de::Error>::custom)?;
        let array = self.0.only().map_err(<A::Error as de::Error>::custom)?;
        array.rows += 1;
        array.array(0, sequence)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.begin().map_err(<A::Error as de::Error>::custom)?;
        while let Some(Text(name)) = map.next_key()? {
            let row = self.0.rows;
            let array = self.0.named(&name).map_err(<A::Error as de::Error>::custom)?;
            array.rows += 1;
            if array.rows > row {
                return Err(de::Error::custom(format!("the input `{name}` stands twice in a row")));
            }
            map.next_value_seed(Member { array, depth: 0 })?;
        }
        self.0.end().map_err(de::Error::custom)
    }
}

/// What stands at one place of nested arrays: an element, or an array.
struct Member<'t, 'de> {
    array: &'t mut Array<'de>,
    depth: usize,
}

impl<'de> Member<'_, 'de> {
    fn single<E: de::Error>(self, cell: Cell<'de>) -> Result<(), E> {
        self.array.element(self.depth, cell).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Member<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an element or an array")
    }

    single_values!(single);

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        self.array.array(self.depth, sequence)
    }
}

#[cfg(test)]
mod tests {
    use chasqui_runtime::{DataType, Outputs, TensorData};

    use super::*;

    /// Images of two by two points, and a size.
    fn signature(inputs: usize) -> Signature {
        let spec = |name: &str, datatype, shape: &[i64]| TensorSpec {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
        };
        let mut specs =
            vec![spec("image", DataType::Fp32, &[-1, 2, 2]), spec("size", DataType::Int64, &[-1])];
        specs.truncate(inputs);
        Signature {
            inputs: specs,
            outputs: Vec::new(),
            features: Vec::new(),
            task: None,
            classes: Vec::new(),
            roles: Outputs::default(),
        }
    }

    fn read(inputs: usize, body: &str) -> Result<Vec<Tensor>, String> {
        let signature = signature(inputs);
        let mut nested = Nested::new(&signature, 3);
        let mut deserializer = serde_json::Deserializer::from_str(body);
        Tensors(&mut nested).deserialize(&mut deserializer).map_err(|error| error.to_string())?;
        nested.finish().map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn rows_and_arrays_give_the_same_tensors() {
        let images = TensorData::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let image = Tensor::new(vec![2, 2, 2], images).unwrap();
        let size = Tensor::new(vec![2], TensorData::I64(vec![7, 9])).unwrap();
        let rows = "[[[1,2],[3,4]],[[5,6],[7,8]]]";
        let only = std::slice::from_ref(&image);
        assert_eq!(read(1, rows).unwrap(), only);
        assert_eq!(read(1, &format!("{{\"image\":{rows}}}")).unwrap(), only);
        let both = [image, size];
        assert_eq!(read(2, &format!("{{\"size\":[7,9],\"image\":{rows}}}")).unwrap(), both);
        let objects = "[{\"image\":[[1,2],[3,4]],\"size\":7},{\"size\":9,\"image\":[[5,6],[7,8]]}]";
        assert_eq!(read(2, objects).unwrap(), both);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (inputs, body, reason) in [
            (1, "[]", "shape"),
            (1, "[[[1,2],[3]]]", "array of 1"),
            (1, "[[[1,2],3]]", "mixed"),
            (1, "[[1,[2,3]]]", "mixed"),
            (1, "[[[1,2],[3,4]],5]", "mixed"),
            (1, "[[1,2,3,4]]", "shape"),
            (1, "[[[1,\"x\"],[3,4]]]", "does not fit"),
            (1, "[[[1,2],[3,4]],[[1,2],[3,4]],[[1,2],[3,4]],[[1,2],[3,4]]]", "more than 3"),
            (2, "[[[1,2],[3,4]]]", "several inputs"),
            (2, "{\"size\":[7]}", "`image` is missing"),
            (2, "{\"size\":[7],\"size\":[7]}", "twice"),
            (2, "{\"size\":[7],\"image\":[[[1,2],[3,4]],[[1,2],[3,4]]]}", "agree"),
            (2, "[{\"size\":7,\"image\":[[1,2],[3,4]],\"hue\":1}]", "`hue` is not an input"),
            (
                2,
                "[{\"size\":7},{\"size\":8,\"image\":[[1,2],[3,4]]},{\"image\":[[1,2],[3,4]]}]",
                "missing in a row",
            ),
            (
                2,
                "[{\"size\":7,\"size\":8,\"image\":[[1,2],[3,4]]},{\"image\":[[1,2],[3,4]]}]",
                "twice in a row",
            ),
            (1, "[{},{\"image\":[[1,2],[3,4]]}]", "missing in a row"),
        ] {
            let refusal = read(inputs, body).unwrap_err();
            assert!(refusal.contains(reason), "{body}: {refusal}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(1, &deep).is_err());
    }
}
