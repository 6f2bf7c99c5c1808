//! Runs graphs of `ai.onnx.ml` operators and dense layers directly, without tract: tables in, columns encoded and
//! put side by side, one model, labels and scores out.

mod arithmetic;
mod dense;
mod operation;
mod shape;

use std::collections::HashMap;

use smallvec::SmallVec;
use tract_onnx::pb::GraphProto;

use crate::array::Array;
use crate::kernel::Kernel;
use crate::{ModelError, Tensor, initializer};
use operation::Operation;

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
            let Some(operation) = Operation::read(node, constant, double)? else { return Ok(None) };
            let names = node.input.iter().skip(operation.skipped()).take(operation.arity());
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
        let operations = self.steps.iter().map(|step| step.operation.memory_bytes());
        operations.sum::<usize>() + constants.sum::<usize>()
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
            let results = step.operation.evaluate(read)?;
            for (slot, result) in step.outputs.iter().zip(results) {
                slots[*slot] = Some(result);
            }
        }
        let outputs = self.outputs.iter().map(|&slot| slots[slot].clone().ok_or_else(empty));
        outputs.map(|array| array.map(Array::into_tensor)).collect()
    }
}
