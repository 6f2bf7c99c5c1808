//! Runs graphs of `ai.onnx.ml` operators directly, without tract: tables in, columns encoded and put side by
//! side, one model, labels and scores out.

use std::collections::HashMap;

use smallvec::SmallVec;
use tract_onnx::pb::{GraphProto, NodeProto};

use crate::array::{Array, Results};
use crate::attributes::Attributes;
use crate::kernel::{Kernel, concat};
use crate::{DataType, ModelError, Tensor, TensorData, initializer};

/// What a step does.
#[derive(Debug)]
enum Operation {
    Kernel(Kernel),
    Same,
    Cast(DataType),
    /// Sizes; 0 keeps the input's, -1 takes what is left.
    Reshape(Vec<i64>),
    /// All axes before the given one are joined, and all from it on.
    Flatten(i64),
    Concat(i64),
    /// With a constant of one element, as exporters put after trees.
    Arithmetic {
        operator: Operator,
        constant: f32,
        constant_first: bool,
    },
}

/// An arithmetic operation, element by element.
#[derive(Debug, Clone, Copy)]
enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operator {
    fn named(name: &str) -> Option<Operator> {
        match name {
            "Add" => Some(Operator::Add),
            "Sub" => Some(Operator::Sub),
            "Mul" => Some(Operator::Mul),
            "Div" => Some(Operator::Div),
            _ => None,
        }
    }

    fn apply(self, left: f32, right: f32) -> f32 {
        match self {
            Operator::Add => left + right,
            Operator::Sub => left - right,
            Operator::Mul => left * right,
            Operator::Div => left / right,
        }
    }
}

/// One step: which slots it reads and fills.
#[derive(Debug)]
struct Step {
    operation: Operation,
    /// The slot, and whether this is the last reader, who may take the array instead of copying it.
    inputs: SmallVec<[(usize, bool); 2]>,
    outputs: SmallVec<[usize; 2]>,
}

/// A graph as a list of steps over slots.
#[derive(Debug)]
pub(crate) struct Native {
    slots: usize,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    constants: Vec<(usize, Tensor)>,
    steps: Vec<Step>,
}

/// Slots by the names of the graph.
#[derive(Default)]
struct Slots(HashMap<String, usize>);

impl Slots {
    fn define(&mut self, name: &str) -> Result<usize, ModelError> {
        let slot = self.0.len();
        match self.0.insert(name.to_owned(), slot) {
            None => Ok(slot),
            Some(_) => Err(ModelError::Invalid(format!("the value `{name}` is defined twice"))),
        }
    }

    fn find(&self, name: &str) -> Result<usize, ModelError> {
        let slot = self.0.get(name).copied();
        slot.ok_or_else(|| ModelError::Invalid(format!("the value `{name}` is used before it is defined")))
    }
}

impl Native {
    /// Plans the graph; `None` when it has an operator that only tract knows.
    pub(crate) fn plan(graph: &GraphProto, double: bool) -> Result<Option<Native>, ModelError> {
        let mut slots = Slots::default();
        let mut constants = Vec::new();
        for tensor in &graph.initializer {
            constants.push((slots.define(&tensor.name)?, initializer::read(tensor)?));
        }
        let mut inputs = Vec::new();
        for input in &graph.input {
            // Old exporters list initializers among the inputs.
            if !slots.0.contains_key(&input.name) {
                inputs.push(slots.define(&input.name)?);
            }
        }
        let mut steps = Vec::with_capacity(graph.node.len());
        for node in &graph.node {
            let constant = |name: &str| {
                // Initializers were given the first slots.
                slots.0.get(name).and_then(|slot| constants.get(*slot)).map(|(_, tensor)| tensor)
            };
            let Some((operation, arity)) = operation(node, constant, double)? else { return Ok(None) };
            let skipped =
                usize::from(matches!(operation, Operation::Arithmetic { constant_first: true, .. }));
            let names = node.input.iter().skip(skipped).take(arity);
            let read = names.map(|name| Ok((slots.find(name)?, false)));
            let read = read.collect::<Result<_, ModelError>>()?;
            let filled = node.output.iter().map(|name| slots.define(name));
            let filled = filled.collect::<Result<_, ModelError>>()?;
            steps.push(Step { operation, inputs: read, outputs: filled });
        }
        let outputs = graph.output.iter().map(|output| slots.find(&output.name));
        let outputs = outputs.collect::<Result<Vec<_>, ModelError>>()?;
        let mut native = Native { slots: slots.0.len(), inputs, outputs, constants, steps };
        native.mark_last_readers();
        Ok(Some(native))
    }

    fn mark_last_readers(&mut self) {
        let mut read = vec![false; self.slots];
        for &output in &self.outputs {
            read[output] = true;
        }
        for step in self.steps.iter_mut().rev() {
            for (slot, last) in step.inputs.iter_mut().rev() {
                *last = !std::mem::replace(&mut read[*slot], true);
            }
        }
    }

    /// The kernels in the order they run.
    pub(crate) fn kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.steps.iter().filter_map(|step| match &step.operation {
            Operation::Kernel(kernel) => Some(kernel),
            _ => None,
        })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let constants = self.constants.iter().map(|(_, tensor)| tensor.data.len() * 8);
        self.kernels().map(Kernel::memory_bytes).sum::<usize>() + constants.sum::<usize>()
    }

    /// Computes the outputs.
    pub(crate) fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, ModelError> {
        let mut slots: Vec<Option<Array<'_>>> = vec![None; self.slots];
        for (slot, tensor) in &self.constants {
            slots[*slot] = Some(Array::borrow(tensor));
        }
        for (slot, tensor) in self.inputs.iter().zip(inputs) {
            slots[*slot] = Some(Array::borrow(tensor));
        }
        let empty = || ModelError::Failed("a step gave fewer results than it promises".into());
        for step in &self.steps {
            let read = step.inputs.iter().map(|&(slot, last)| {
                let array = if last { slots[slot].take() } else { slots[slot].clone() };
                array.ok_or_else(empty)
            });
            let read = read.collect::<Result<SmallVec<[Array<'_>; 4]>, _>>()?;
            let results = evaluate(&step.operation, read)?;
            for (slot, result) in step.outputs.iter().zip(results) {
                slots[*slot] = Some(result);
            }
        }
        let outputs = self.outputs.iter().map(|&slot| slots[slot].clone().ok_or_else(empty));
        outputs.map(|array| array.map(Array::into_tensor)).collect()
    }
}

/// The operation of a node and how many of its inputs are read at run time.
fn operation<'a>(
    node: &NodeProto,
    constant: impl Fn(&str) -> Option<&'a Tensor>,
    double: bool,
) -> Result<Option<(Operation, usize)>, ModelError> {
    let attributes = Attributes(node);
    let operation = match node.op_type.as_str() {
        "Identity" => Operation::Same,
        "Flatten" => Operation::Flatten(attributes.int("axis").unwrap_or(1)),
        "Concat" => match attributes.int("axis") {
            Some(axis) => return Ok(Some((Operation::Concat(axis), usize::MAX))),
            None => return Ok(None),
        },
        "Cast" => match attributes.int("to").and_then(|code| i32::try_from(code).ok()) {
            Some(code) => match initializer::datatype(code)? {
                DataType::Bytes | DataType::Fp16 => return Ok(None),
                datatype => Operation::Cast(datatype),
            },
            None => return Ok(None),
        },
        "Reshape" => match node.input.get(1).and_then(|name| constant(name)).map(|tensor| &tensor.data) {
            Some(TensorData::I64(sizes)) => Operation::Reshape(sizes.clone()),
            _ => return Ok(None),
        },
        "Add" | "Sub" | "Mul" | "Div" => match arithmetic(node, constant) {
            Some(operation) => operation,
            None => return Ok(None),
        },
        _ => {
            let kernel = Kernel::read(node, double)?;
            return Ok(kernel.map(|kernel| (Operation::Kernel(kernel), usize::MAX)));
        }
    };
    Ok(Some((operation, 1)))
}

fn arithmetic<'a>(node: &NodeProto, constant: impl Fn(&str) -> Option<&'a Tensor>) -> Option<Operation> {
    let operator = Operator::named(&node.op_type)?;
    let [left, right] = node.input.as_slice() else { return None };
    let number = |name: &str| {
        let tensor = constant(name).filter(|tensor| tensor.shape.len() <= 1)?;
        let TensorData::F32(values) = &tensor.data else { return None };
        if values.len() == 1 { values.first().copied() } else { None }
    };
    match (number(left), number(right)) {
        (None, Some(constant)) => Some(Operation::Arithmetic { operator, constant, constant_first: false }),
        (Some(constant), None) => Some(Operation::Arithmetic { operator, constant, constant_first: true }),
        _ => None,
    }
}

fn compute(
    input: &Array<'_>,
    operator: Operator,
    constant: f32,
    constant_first: bool,
) -> Result<Array<'static>, ModelError> {
    let TensorData::F32(values) = input.data() else {
        return Err(ModelError::Input("numbers of single precision are expected".into()));
    };
    let operate = |value: &f32| {
        if constant_first { operator.apply(constant, *value) } else { operator.apply(*value, constant) }
    };
    Ok(Array::new(input.shape(), TensorData::F32(values.iter().map(operate).collect())))
}

fn evaluate<'a>(
    operation: &Operation,
    mut inputs: SmallVec<[Array<'a>; 4]>,
) -> Result<Results<'a>, ModelError> {
    let result = match operation {
        Operation::Kernel(kernel) => return kernel.evaluate(&inputs),
        Operation::Concat(axis) => concat(&inputs, *axis)?,
        _ => {
            let input = inputs.pop().ok_or_else(|| ModelError::Invalid("an operator has no input".into()))?;
            match operation {
                Operation::Cast(datatype) => input.cast(*datatype)?,
                Operation::Arithmetic { operator, constant, constant_first } => {
                    compute(&input, *operator, *constant, *constant_first)?
                }
                Operation::Reshape(sizes) => {
                    let shape = reshaped(input.shape(), sizes)?;
                    input.reshape(&shape)?
                }
                Operation::Flatten(axis) => {
                    let shape = flattened(input.shape(), *axis)?;
                    input.reshape(&shape)?
                }
                _ => input,
            }
        }
    };
    Ok([result].into_iter().collect())
}

fn reshaped(shape: &[usize], sizes: &[i64]) -> Result<SmallVec<[usize; 4]>, ModelError> {
    let misfit = || ModelError::Input(format!("the shape {shape:?} cannot become {sizes:?}"));
    let total: usize = shape.iter().product();
    let mut result: SmallVec<[usize; 4]> = SmallVec::new();
    for (axis, &size) in sizes.iter().enumerate() {
        result.push(match size {
            -1 => 0,
            0 => *shape.get(axis).ok_or_else(misfit)?,
            size => usize::try_from(size).map_err(|_| misfit())?,
        });
    }
    if let Some(axis) = sizes.iter().position(|size| *size == -1) {
        let mut others = result.iter().enumerate().filter(|(at, _)| *at != axis);
        let known = others.try_fold(1_usize, |product, (_, size)| product.checked_mul(*size));
        let known = known.filter(|known| *known > 0 && total.is_multiple_of(*known)).ok_or_else(misfit)?;
        result[axis] = total / known;
    }
    Ok(result)
}

fn flattened(shape: &[usize], axis: i64) -> Result<[usize; 2], ModelError> {
    let rank = shape.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    if !(0..=rank).contains(&axis) {
        return Err(ModelError::Input(format!("the shape {shape:?} has no axis {axis}")));
    }
    let (before, after) = shape.split_at(axis as usize);
    Ok([before.iter().product(), after.iter().product()])
}
