//! A loaded model: checked, planned for one of the two engines, tried once, then immutable.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;
use tract_onnx::pb::GraphProto;

use crate::kernel::Kernel;
use crate::native::Native;
use crate::network::Network;
use crate::{
    DataType, Limits, ModelError, Signature, Tensor, TensorData, TensorSpec, conversion, expansion,
    inspection, reading,
};

/// What runs the graph.
#[derive(Debug)]
enum Engine {
    Native(Native),
    Network(Network),
}

/// A checked, immutable, shareable model.
#[derive(Debug)]
pub struct Model {
    engine: Engine,
    signature: Signature,
    memory_bytes: usize,
    has_independent_rows: bool,
}

impl Model {
    /// Reads an ONNX file: checks it against the limits, plans it, and runs it once on an empty row.
    ///
    /// Whatever the bytes are, this returns; panics of the inference engine become [`ModelError::Invalid`].
    pub fn load(bytes: &[u8], limits: &Limits) -> Result<Model, ModelError> {
        let loaded = catch_unwind(AssertUnwindSafe(|| load(bytes, limits)));
        loaded.unwrap_or_else(|panic| {
            Err(ModelError::Invalid(format!("reading the model failed: {}", panic_text(&*panic))))
        })
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Bytes that the model keeps in memory, estimated.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether rows can be computed beside those of others: every input and output has the batch as its first axis,
    /// and when the model was tried, a row's answer did not change with another row below it. Of a model of texts alone
    /// that is not known: which texts it takes only its makers know.
    pub fn has_independent_rows(&self) -> bool {
        self.has_independent_rows
    }

    /// Answers a batch: tensors in the order of the signature's inputs, outputs in the order of its outputs.
    ///
    /// All inputs have the same, positive number of rows. Any numeric type may stand for a floating-point one
    /// (rounded to the nearest), whole numbers of any type for whole numbers in range, and a tensor `[N]` for
    /// `[N, 1]` and the reverse. Panics of the engine become [`ModelError::Failed`].
    pub fn predict(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
        let specs = &self.signature.inputs;
        if inputs.len() != specs.len() {
            return Err(ModelError::Input(format!(
                "{} inputs are expected, {} were given",
                specs.len(),
                inputs.len()
            )));
        }
        let rows = inputs.first().map_or(0, Tensor::rows);
        if rows == 0 {
            return Err(ModelError::Input("a batch needs at least one row".into()));
        }
        let mut fitted: SmallVec<[Cow<'_, Tensor>; 8]> = SmallVec::with_capacity(inputs.len());
        for (tensor, spec) in inputs.iter().zip(specs) {
            fitted.push(fit(tensor, spec, rows)?);
        }
        let references: SmallVec<[&Tensor; 8]> = fitted.iter().map(AsRef::as_ref).collect();
        let answer = catch_unwind(AssertUnwindSafe(|| self.engine.run(&references, rows)));
        answer.unwrap_or_else(|panic| Err(ModelError::Failed(panic_text(&*panic))))
    }
}

impl Engine {
    fn run(&self, inputs: &[&Tensor], rows: usize) -> Result<Vec<Tensor>, ModelError> {
        match self {
            Engine::Native(native) => native.run(inputs),
            Engine::Network(network) => network.run(inputs, rows),
        }
    }
}

fn load(bytes: &[u8], limits: &Limits) -> Result<Model, ModelError> {
    let proto = inspection::decode(bytes, limits)?;
    let Some(graph) = &proto.graph else {
        return Err(ModelError::Invalid("the file is not ONNX: it has no graph".into()));
    };
    let inputs = reading::inputs(graph)?;
    expansion::check(graph, &inputs, limits.max_memory)?;
    let native = Native::plan(graph, reading::computes_in_double(&proto))?;
    let native = native.filter(|native| suits(native, &inputs));
    let columns = native.as_ref().and_then(|native| native.kernels().filter_map(Kernel::columns).max());
    let (engine, memory_bytes) = match native {
        Some(native) => {
            let memory = native.memory_bytes();
            (Engine::Native(native), memory)
        }
        // Two plans, each with its own packing of the weights.
        None => (Engine::Network(Network::plan(proto.clone(), &inputs)?), 3 * bytes.len()),
    };
    let outputs = try_out(&engine, graph, &inputs, columns)?;
    let meaning = reading::meaning(&proto, graph, &outputs)?;
    let signature = Signature {
        features: reading::features(&proto, &inputs, columns)?,
        inputs,
        outputs,
        task: meaning.task,
        classes: meaning.classes,
        roles: meaning.roles,
    };
    let has_independent_rows = has_independent_rows(&engine, &signature, columns);
    Ok(Model { engine, signature, memory_bytes: memory_bytes + size_of::<Model>(), has_independent_rows })
}

/// Whether the native engine, which knows shapes only when it runs, can run the graph. Where the input is at fault
/// it is taken to.
fn suits(native: &Native, inputs: &[TensorSpec]) -> bool {
    let columns = native.kernels().filter_map(Kernel::columns).max();
    let fails = |rows: usize| {
        let tensors: Vec<Tensor> = inputs.iter().map(|spec| empty(spec, rows, columns)).collect();
        matches!(native.run(&tensors.iter().collect::<Vec<_>>()), Err(ModelError::Failed(_)))
    };
    !fails(1) && !fails(2)
}

/// Runs the model on empty rows, one and two: it must run, and what comes out is what it declares.
///
/// Input that the model rightly refuses (an unknown category, an axis whose size only its author knows) is no
/// fault; then the file's word is taken.
fn try_out(
    engine: &Engine,
    graph: &GraphProto,
    inputs: &[TensorSpec],
    columns: Option<usize>,
) -> Result<Vec<TensorSpec>, ModelError> {
    let declared = reading::declared_outputs(graph);
    let attempt = |rows: usize| {
        let tensors: Vec<Tensor> = inputs.iter().map(|spec| empty(spec, rows, columns)).collect();
        engine.run(&tensors.iter().collect::<Vec<_>>(), rows)
    };
    let unknown_axes = inputs.iter().any(|spec| spec.shape.iter().skip(1).any(|axis| *axis == -1));
    match attempt(1).and_then(|one| Ok((one, attempt(2)?))) {
        Ok((one, two)) => Ok(reading::tried_outputs(declared, &one, &two)),
        Err(ModelError::Input(_)) => Ok(declared),
        Err(_) if unknown_axes => Ok(declared),
        Err(error) => Err(ModelError::Invalid(format!("the model does not run: {error}"))),
    }
}

/// How much an answer may differ with the number of rows, relative to 1: products are added in another order.
const NEARLY: f64 = 1e-4;

/// See [`Model::has_independent_rows`].
fn has_independent_rows(engine: &Engine, signature: &Signature, columns: Option<usize>) -> bool {
    let has_batches = match engine {
        Engine::Native(_) => true,
        Engine::Network(network) => network.has_batches(),
    };
    let specs = || signature.inputs.iter().chain(&signature.outputs);
    if !has_batches || !specs().all(|spec| spec.shape.first() == Some(&-1)) {
        return false;
    }
    if signature.inputs.iter().all(|spec| spec.datatype == DataType::Bytes) {
        return false;
    }
    let row = |number| signature.inputs.iter().map(move |spec| numbered(spec, number, columns));
    let first: Vec<Tensor> = row(0).collect();
    let mut both = first.clone();
    if !both.iter_mut().zip(row(1)).all(|(tensor, below)| tensor.append(&below).is_ok()) {
        return false;
    }
    let run = |tensors: &[Tensor], rows| engine.run(&tensors.iter().collect::<Vec<_>>(), rows);
    let (Ok(alone), Ok(beside)) = (run(&first, 1), run(&both, 2)) else { return false };
    alone.iter().zip(&beside).all(|(alone, beside)| beside.rows() == 2 && is_near(alone, &beside.slice(0..1)))
}

/// A row that differs from the next: fractions that are not 0, whole numbers and truth values 0 or 1, empty texts.
fn numbered(spec: &TensorSpec, number: u8, columns: Option<usize>) -> Tensor {
    let Tensor { shape, data } = empty(spec, 1, columns);
    let fraction = |place: usize| f64::from(number) * 1.75 + (place % 5 + 1) as f64 / 4.0;
    let data = match data {
        TensorData::F32(values) => {
            TensorData::F32((0..values.len()).map(|place| fraction(place) as f32).collect())
        }
        TensorData::F64(values) => TensorData::F64((0..values.len()).map(fraction).collect()),
        TensorData::Text(texts) => TensorData::Text(texts),
        whole => {
            let numbers = TensorData::U8(vec![number; whole.len()]);
            conversion::cast(&numbers, whole.datatype()).unwrap_or(whole)
        }
    };
    Tensor { shape, data }
}

fn is_near(one: &Tensor, other: &Tensor) -> bool {
    let numbers = |index| Some((one.data.number(index)?, other.data.number(index)?));
    one.shape == other.shape
        && (0..one.data.len()).all(|index| match numbers(index) {
            Some((a, b)) => a == b || (a - b).abs() <= NEARLY * a.abs().max(1.0) || a.is_nan() && b.is_nan(),
            None => one.data.text(index) == other.data.text(index),
        })
}

/// Rows of zeros or empty texts.
fn empty(spec: &TensorSpec, rows: usize, columns: Option<usize>) -> Tensor {
    let axes = spec.shape.iter().enumerate().map(|(axis, &size)| match (axis, size) {
        (0, _) => rows,
        (1, -1) => columns.unwrap_or(1),
        (_, -1) => 1,
        (_, size) => size as usize,
    });
    let shape: Vec<usize> = axes.collect();
    let count = shape.iter().product();
    let data = match spec.datatype {
        DataType::Bytes => TensorData::Text(vec![String::new(); count]),
        datatype => {
            let zeros = TensorData::U8(vec![0; count]);
            conversion::cast(&zeros, datatype).unwrap_or(zeros)
        }
    };
    Tensor { shape, data }
}

/// The tensor as the model takes it, borrowed where it already is.
fn fit<'a>(tensor: &'a Tensor, spec: &TensorSpec, rows: usize) -> Result<Cow<'a, Tensor>, ModelError> {
    let named = |error: ModelError| match error {
        ModelError::Input(text) => ModelError::Input(format!("input `{}`: {text}", spec.name)),
        other => other,
    };
    tensor.check().map_err(named)?;
    if !spec.shape.is_empty() && tensor.rows() != rows {
        return Err(ModelError::Input(format!(
            "input `{}` has {} rows, the first input has {rows}",
            spec.name,
            tensor.rows()
        )));
    }
    let shape = fit_shape(&tensor.shape, spec).ok_or_else(|| {
        ModelError::Input(format!(
            "input `{}` has the shape {:?}, {:?} is expected",
            spec.name, tensor.shape, spec.shape
        ))
    })?;
    let carried = if spec.datatype == DataType::Fp16 { DataType::Fp32 } else { spec.datatype };
    if tensor.datatype() == carried && shape == tensor.shape {
        return Ok(Cow::Borrowed(tensor));
    }
    let data = if tensor.datatype() == carried {
        tensor.data.clone()
    } else {
        conversion::accept(&tensor.data, carried).map_err(named)?
    };
    Ok(Cow::Owned(Tensor { shape: shape.into_owned(), data }))
}

fn fit_shape<'a>(shape: &'a [usize], spec: &TensorSpec) -> Option<Cow<'a, [usize]>> {
    if spec.fits(shape) {
        return Some(Cow::Borrowed(shape));
    }
    let other = match *shape {
        [rows] => vec![rows, 1],
        [rows, 1] => vec![rows],
        _ => return None,
    };
    spec.fits(&other).then_some(Cow::Owned(other))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("the engine panicked").to_owned()
}
