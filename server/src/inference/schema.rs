//! What a record for a service looks like, and how its fields become the tensors of a version.
//!
//! A [`Schema`] is compiled once per version when routing is loaded; a request only follows it.

use std::collections::HashMap;

use chasqui_runtime::{DataType, Signature, Tensor, TensorData};

use super::cell::Cell;

/// One field of a record.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The type of the input that takes it.
    pub datatype: DataType,
    /// Whether a record must have it (`null` counts as having it).
    pub required: bool,
}

/// Where a name in a record leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The field at this position.
    Field(usize),
    /// The entity's key, which is not an input of the model.
    Key,
}

/// The fields of a record, in the order of the signature.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The fields.
    pub fields: Vec<Field>,
    /// The field that is also the entity's key.
    pub key_feature: Option<usize>,
    /// Whether the parser leaves it to a later look to find values that do not fit, so that all are found.
    pub is_lenient: bool,
    key_name: Option<String>,
    positions: HashMap<String, usize>,
}

impl Schema {
    /// The schema of a model; `None` when its inputs are not all named columns.
    pub fn of(signature: &Signature, key_field: Option<&str>) -> Option<Self> {
        Plan::new(signature, None)?;
        let mut schema = Self {
            fields: Vec::new(),
            key_feature: None,
            is_lenient: false,
            key_name: None,
            positions: HashMap::new(),
        };
        for feature in &signature.features {
            let datatype = signature.inputs.get(feature.input)?.datatype;
            schema.push(Field { name: feature.name.clone(), datatype, required: true });
        }
        let Some(key) = key_field else { return Some(schema) };
        match schema.positions.get(key) {
            Some(position) => schema.key_feature = Some(*position),
            None => schema.key_name = Some(key.to_owned()),
        }
        Some(schema)
    }

    /// Adds the fields that only `other` has; records may have them.
    pub fn extend(&mut self, other: &Signature) {
        for feature in &other.features {
            if self.positions.contains_key(&feature.name) || self.key_name.as_ref() == Some(&feature.name) {
                continue;
            }
            let Some(input) = other.inputs.get(feature.input) else { continue };
            self.push(Field { name: feature.name.clone(), datatype: input.datatype, required: false });
        }
    }

    fn push(&mut self, field: Field) {
        self.positions.insert(field.name.clone(), self.fields.len());
        self.fields.push(field);
    }

    /// Where `name` leads. `expected` is the position it would have in a record written in our order, which
    /// most are: then no hash is computed.
    pub fn slot(&self, name: &str, expected: usize) -> Option<Slot> {
        if self.fields.get(expected).is_some_and(|field| field.name == name) {
            return Some(Slot::Field(expected));
        }
        if let Some(position) = self.positions.get(name) {
            return Some(Slot::Field(*position));
        }
        (self.key_name.as_deref() == Some(name)).then_some(Slot::Key)
    }

    /// Whether records may carry a key that is not a feature.
    pub fn has_separate_key(&self) -> bool {
        self.key_name.is_some()
    }
}

/// How the tensors of one version are filled from the cells of a schema.
#[derive(Debug, Clone)]
pub struct Plan {
    inputs: Vec<InputPlan>,
}

#[derive(Debug, Clone)]
struct InputPlan {
    datatype: DataType,
    /// Whether the input has a second axis.
    is_matrix: bool,
    /// Positions of the fields in the schema, by column.
    fields: Vec<usize>,
}

impl Plan {
    /// The plan for `signature` over `schema`, or over its own features when there is none. `None` when an
    /// input has a column without a name or the schema lacks a field.
    pub fn new(signature: &Signature, schema: Option<&Schema>) -> Option<Self> {
        let inputs: Option<Vec<_>> =
            (0..signature.inputs.len()).map(|input| InputPlan::new(signature, schema, input)).collect();
        inputs.filter(|inputs| !inputs.is_empty()).map(|inputs| Self { inputs })
    }

    /// The tensors of the chosen rows. `cells` has `width` cells a row.
    pub fn tensors(&self, cells: &[Cell<'_>], width: usize, rows: &[usize]) -> Result<Vec<Tensor>, String> {
        self.inputs.iter().map(|input| input.tensor(cells, width, rows)).collect()
    }
}

impl InputPlan {
    fn new(signature: &Signature, schema: Option<&Schema>, input: usize) -> Option<Self> {
        let spec = &signature.inputs[input];
        let mut columns: Vec<(usize, usize)> = Vec::new();
        for (position, feature) in signature.features.iter().enumerate() {
            if feature.input != input {
                continue;
            }
            let place = match schema {
                Some(schema) => *schema.positions.get(&feature.name)?,
                None => position,
            };
            columns.push((feature.column, place));
        }
        columns.sort_unstable();
        let width = match spec.shape.as_slice() {
            [_] => 1,
            [_, -1] => columns.len(),
            [_, width] => usize::try_from(*width).ok()?,
            _ => return None,
        };
        let is_complete =
            columns.len() == width && columns.iter().enumerate().all(|(i, (column, _))| i == *column);
        if !is_complete || width == 0 {
            return None;
        }
        let fields = columns.into_iter().map(|(_, place)| place).collect();
        Some(Self { datatype: spec.datatype, is_matrix: spec.shape.len() == 2, fields })
    }

    fn tensor(&self, cells: &[Cell<'_>], width: usize, rows: &[usize]) -> Result<Tensor, String> {
        let chosen =
            rows.iter().flat_map(|row| self.fields.iter().map(move |field| &cells[row * width + field]));
        let data = collect(chosen, self.datatype, rows.len() * self.fields.len())?;
        let shape = if self.is_matrix { vec![rows.len(), self.fields.len()] } else { vec![rows.len()] };
        Ok(Tensor { shape, data })
    }
}

/// The elements of a tensor of this type.
pub(super) fn collect<'a, 'c: 'a>(
    cells: impl Iterator<Item = &'a Cell<'c>>,
    datatype: DataType,
    count: usize,
) -> Result<TensorData, String> {
    macro_rules! gather {
        ($variant:ident, $value:expr) => {{
            let mut values = Vec::with_capacity(count);
            for cell in cells {
                let value = $value(cell).ok_or_else(|| {
                    cell.refusal(datatype).unwrap_or_else(|| format!("{cell} is not {datatype}"))
                })?;
                values.push(value);
            }
            Ok(TensorData::$variant(values))
        }};
    }
    macro_rules! integers {
        ($variant:ident) => {
            gather!($variant, |cell: &Cell<'_>| cell.integer().and_then(|number| number.try_into().ok()))
        };
    }
    match datatype {
        DataType::Fp16 | DataType::Fp32 => {
            gather!(F32, |cell: &Cell<'_>| cell.number().map(|number| number as f32))
        }
        DataType::Fp64 => gather!(F64, |cell: &Cell<'_>| cell.number()),
        DataType::Bool => gather!(Bool, |cell: &Cell<'_>| cell.integer().map(|number| number != 0)),
        DataType::Bytes => gather!(Text, text),
        DataType::Int8 => integers!(I8),
        DataType::Int16 => integers!(I16),
        DataType::Int32 => integers!(I32),
        DataType::Int64 => integers!(I64),
        DataType::Uint8 => integers!(U8),
        DataType::Uint16 => integers!(U16),
        DataType::Uint32 => integers!(U32),
        DataType::Uint64 => integers!(U64),
    }
}

/// A missing text is the empty one: ONNX has no other.
fn text(cell: &Cell<'_>) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.clone().into_owned()),
        Cell::Missing | Cell::Absent => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chasqui_runtime::{Feature, FeatureKind, Outputs, TensorSpec};

    /// Two numbers in one matrix, a text and a whole number of their own.
    pub(crate) fn signature() -> Signature {
        let spec = |name: &str, datatype, shape: &[i64]| TensorSpec {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
        };
        let feature = |name: &str, kind, input, column| Feature { name: name.into(), kind, input, column };
        Signature {
            inputs: vec![
                spec("x", DataType::Fp32, &[-1, 2]),
                spec("city", DataType::Bytes, &[-1, 1]),
                spec("units", DataType::Int64, &[-1]),
            ],
            outputs: vec![],
            features: vec![
                feature("price", FeatureKind::Number, 0, 0),
                feature("age", FeatureKind::Number, 0, 1),
                feature("city", FeatureKind::Text, 1, 0),
                feature("units", FeatureKind::Number, 2, 0),
            ],
            task: None,
            classes: vec![],
            roles: Outputs::default(),
        }
    }

    #[test]
    fn chosen_rows_become_tensors() {
        let signature = signature();
        let schema = Schema::of(&signature, None).unwrap();
        let plan = Plan::new(&signature, Some(&schema)).unwrap();
        let row = |price, city: &'static str, units| {
            vec![Cell::Number(price), Cell::Missing, Cell::Text(city.into()), Cell::Integer(units)]
        };
        let cells = [row(1.5, "Quito", 3), row(2.5, "Loja", 4)].concat();
        let tensors = plan.tensors(&cells, 4, &[1]).unwrap();
        assert_eq!(tensors[0].shape, [1, 2]);
        let TensorData::F32(numbers) = &tensors[0].data else { panic!("not FP32") };
        assert!(numbers[0] == 2.5 && numbers[1].is_nan());
        assert_eq!(tensors[1].data, TensorData::Text(vec!["Loja".into()]));
        assert_eq!(tensors[2], Tensor { shape: vec![1], data: TensorData::I64(vec![4]) });
    }

    #[test]
    fn a_column_without_a_name_has_no_schema() {
        let mut signature = signature();
        signature.features.remove(1);
        assert!(Schema::of(&signature, None).is_none());
    }

    #[test]
    fn the_key_is_a_feature_or_separate() {
        let schema = Schema::of(&signature(), Some("city")).unwrap();
        assert_eq!((schema.key_feature, schema.has_separate_key()), (Some(2), false));
        let schema = Schema::of(&signature(), Some("customer")).unwrap();
        assert_eq!(schema.slot("customer", 0), Some(Slot::Key));
        assert_eq!(schema.slot("age", 1), Some(Slot::Field(1)));
        assert_eq!(schema.slot("age", 3), Some(Slot::Field(1)));
        assert_eq!(schema.slot("agee", 1), None);
    }
}
