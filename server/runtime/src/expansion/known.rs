//! What is known of a value: its shape, its number of elements, its numbers when they are few.

use std::collections::HashMap;

use crate::Tensor;

/// The numbers of a small constant.
pub(super) type Numbers = Vec<f64>;

/// Longest constant whose numbers are kept: it may become a shape.
const MAX_NUMBERS: usize = 256;

/// Facts about a value; absent ones are not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    shape: Option<Vec<u128>>,
    elements: Option<u128>,
    numbers: Option<Numbers>,
}

fn product(axes: &[u128]) -> u128 {
    axes.iter().fold(1, |product, &axis| product.saturating_mul(axis))
}

/// A size from a constant: negative ones count as 1, as they stand for "what is left".
fn size(number: f64) -> u128 {
    if number < 0.0 { 1 } else { number as u128 }
}

impl Known {
    pub(super) fn shaped(shape: Vec<u128>) -> Known {
        Known { elements: Some(product(&shape)), shape: Some(shape), numbers: None }
    }

    pub(super) fn numbered(shape: Vec<u128>, numbers: Numbers) -> Known {
        Known {
            numbers: Some(numbers).filter(|numbers| numbers.len() <= MAX_NUMBERS),
            ..Known::shaped(shape)
        }
    }

    pub(super) fn stored(tensor: &Tensor) -> Known {
        let shape: Vec<u128> = tensor.shape.iter().map(|&axis| axis as u128).collect();
        if tensor.data.len() > MAX_NUMBERS {
            return Known::shaped(shape);
        }
        let numbers = (0..tensor.data.len()).map(|index| tensor.data.number(index));
        match numbers.collect::<Option<Numbers>>() {
            Some(numbers) => Known::numbered(shape, numbers),
            None => Known::shaped(shape),
        }
    }

    pub(super) fn elements(&self) -> Option<u128> {
        self.elements
    }

    /// Of `elements` elements where their number is not known.
    pub(super) fn or_of(self, elements: u128) -> Known {
        Known { elements: self.elements.or(Some(elements)), ..self }
    }

    pub(super) fn numbers(&self) -> Option<&Numbers> {
        self.numbers.as_ref()
    }

    pub(super) fn without_numbers(self) -> Known {
        Known { numbers: None, ..self }
    }

    /// As many elements at most, in a shape that is not followed.
    pub(super) fn rearranged(self, keeps_numbers: bool) -> Known {
        let numbers = self.numbers.filter(|_| keeps_numbers);
        let shape = numbers.as_ref().map(|numbers| vec![numbers.len() as u128]);
        Known { elements: self.elements, shape, numbers }
    }

    pub(super) fn of_numbers_as_shape(sizes: &Known) -> Known {
        match &sizes.numbers {
            Some(numbers) => Known::shaped(numbers.iter().map(|&number| size(number)).collect()),
            None => Known::default(),
        }
    }

    pub(super) fn shape_as_numbers(&self) -> Known {
        match &self.shape {
            Some(axes) => {
                Known::numbered(vec![axes.len() as u128], axes.iter().map(|&axis| axis as f64).collect())
            }
            None => Known::default(),
        }
    }

    /// The shape that all inputs stretch to.
    pub(super) fn broadcast<'a>(inputs: impl IntoIterator<Item = &'a Known>) -> Known {
        let mut joined: Vec<u128> = Vec::new();
        for input in inputs {
            let Some(shape) = &input.shape else { return Known::default() };
            if shape.len() > joined.len() {
                joined.splice(0..0, std::iter::repeat_n(1, shape.len() - joined.len()));
            }
            for (all, one) in joined.iter_mut().rev().zip(shape.iter().rev()) {
                *all = (*all).max(*one);
            }
        }
        Known::shaped(joined)
    }

    /// A broadcast that also computes small constants.
    pub(super) fn computed(inputs: &[Known], compute: impl Fn(f64, f64) -> f64) -> Known {
        let known = Known::broadcast(inputs);
        let [Known { numbers: Some(left), .. }, Known { numbers: Some(right), .. }] = inputs else {
            return known;
        };
        let count = left.len().max(right.len());
        if left.is_empty() || right.is_empty() || known.elements != Some(count as u128) {
            return known;
        }
        let numbers = (0..count).map(|at| compute(left[at % left.len()], right[at % right.len()])).collect();
        Known { numbers: Some(numbers), ..known }
    }

    pub(super) fn tiled(&self, repeats: &Known) -> Known {
        let (Some(shape), Some(repeats)) = (&self.shape, &repeats.numbers) else { return Known::default() };
        let axes = shape.iter().zip(repeats).map(|(&axis, &times)| axis.saturating_mul(size(times)));
        Known::shaped(axes.collect())
    }

    pub(super) fn padded(&self, pads: &Known) -> Known {
        let (Some(shape), Some(pads)) = (&self.shape, &pads.numbers) else { return Known::default() };
        let rank = shape.len();
        let pad = |at: usize| pads.get(at).copied().map_or(0, |pad| size(pad.max(0.0)));
        let axes = shape.iter().enumerate();
        let axes = axes.map(|(at, &axis)| axis.saturating_add(pad(at)).saturating_add(pad(at + rank)));
        Known::shaped(axes.collect())
    }

    pub(super) fn range(from: &Known, to: &Known, step: &Known) -> Known {
        let first = |known: &Known| known.numbers.as_ref().and_then(|numbers| numbers.first().copied());
        match (first(from), first(to), first(step)) {
            (Some(from), Some(to), Some(step)) => {
                Known::shaped(vec![((to - from) / step).ceil().max(0.0) as u128])
            }
            _ => Known::default(),
        }
    }

    /// By constant scales or sizes, whichever input they are.
    pub(super) fn resized(&self, inputs: &[Known]) -> Known {
        let Some(shape) = &self.shape else { return Known::default() };
        let rank = shape.len();
        let of_rank = |at: usize| {
            inputs.get(at).and_then(|known| known.numbers.as_ref()).filter(|numbers| numbers.len() == rank)
        };
        if let Some(sizes) = of_rank(3) {
            return Known::shaped(sizes.iter().map(|&number| size(number)).collect());
        }
        let Some(scales) = of_rank(2).or_else(|| of_rank(1)) else { return Known::default() };
        let axes = shape.iter().zip(scales).map(|(&axis, &scale)| (axis as f64 * scale).ceil() as u128);
        Known::shaped(axes.collect())
    }

    /// One more axis of `width`.
    pub(super) fn widened(&self, width: Option<f64>) -> Known {
        let (Some(shape), Some(width)) = (&self.shape, width) else { return Known::default() };
        Known::shaped(shape.iter().copied().chain([size(width)]).collect())
    }

    pub(super) fn concatenated(inputs: &[Known], axis: i64) -> Known {
        let elements = inputs.iter().try_fold(0_u128, |sum, input| Some(sum.saturating_add(input.elements?)));
        let numbers: Option<Vec<Numbers>> = inputs.iter().map(|input| input.numbers.clone()).collect();
        let numbers = numbers.map(|parts| parts.concat()).filter(|numbers| numbers.len() <= MAX_NUMBERS);
        let mut shape = inputs.first().and_then(|input| input.shape.clone());
        if let Some(axes) = &mut shape {
            let axis = if axis < 0 { axis + axes.len() as i64 } else { axis };
            let width = inputs.iter().try_fold(0_u128, |sum, input| {
                Some(sum.saturating_add(*input.shape.as_ref()?.get(usize::try_from(axis).ok()?)?))
            });
            match (usize::try_from(axis).ok().and_then(|axis| axes.get_mut(axis)), width) {
                (Some(place), Some(width)) => *place = width,
                _ => shape = None,
            }
        }
        Known {
            numbers: numbers.filter(|_| shape.as_ref().is_some_and(|axes| axes.len() == 1)),
            shape,
            elements,
        }
    }

    pub(super) fn gathered(&self, indices: &Known, axis: i64) -> Known {
        let (Some(shape), Some(places)) = (&self.shape, &indices.shape) else { return Known::default() };
        let axis = if axis < 0 { axis + shape.len() as i64 } else { axis };
        let Some(axis) = usize::try_from(axis).ok().filter(|axis| *axis < shape.len()) else {
            return Known::default();
        };
        let axes = [&shape[..axis], places, &shape[axis + 1..]].concat();
        let picked = self.numbers.as_ref().zip(indices.numbers.as_ref()).and_then(|(numbers, indices)| {
            let position = |index: f64| if index < 0.0 { index + numbers.len() as f64 } else { index };
            indices.iter().map(|&index| numbers.get(position(index) as usize).copied()).collect()
        });
        Known { numbers: picked.filter(|_| shape.len() == 1), ..Known::shaped(axes) }
    }

    pub(super) fn extracted(&self, indices: &Known) -> Known {
        let (Some(shape), Some(count)) = (&self.shape, indices.elements) else { return Known::default() };
        let mut axes = if shape.len() < 2 { vec![1, 1] } else { shape.clone() };
        if let Some(last) = axes.last_mut() {
            *last = count;
        }
        Known::shaped(axes)
    }

    pub(super) fn transposed(&self) -> Known {
        let shape = self.shape.iter().map(|axes| axes.iter().rev().copied().collect());
        shape.map(Known::shaped).next().unwrap_or_default()
    }

    /// A product of matrices, leading axes broadcast.
    pub(super) fn multiplied(&self, other: &Known) -> Known {
        let (Some(left), Some(right)) = (&self.shape, &other.shape) else { return Known::default() };
        let (&[ref before @ .., rows, _], &[ref rest @ .., _, columns]) = (&left[..], &right[..]) else {
            return Known::default();
        };
        let outer = Known::broadcast([&Known::shaped(before.to_vec()), &Known::shaped(rest.to_vec())]);
        let mut axes = outer.shape.unwrap_or_default();
        axes.extend([rows, columns]);
        Known::shaped(axes)
    }

    /// The result of an Einstein summation with an explicit right-hand side.
    pub(super) fn summed(equation: &str, inputs: &[Known]) -> Known {
        let Some((operands, result)) = equation.split_once("->") else { return Known::default() };
        let mut sizes: HashMap<char, u128> = HashMap::new();
        for (operand, input) in operands.split(',').zip(inputs) {
            let Some(shape) = &input.shape else { return Known::default() };
            sizes.extend(operand.chars().filter(|label| label.is_alphabetic()).zip(shape.iter().copied()));
        }
        let axes =
            result.chars().filter(|label| label.is_alphabetic()).map(|label| sizes.get(&label).copied());
        axes.collect::<Option<Vec<u128>>>().map_or_else(Known::default, Known::shaped)
    }

    pub(super) fn reshaped(&self, sizes: &Known) -> Known {
        let (Some(elements), Some(numbers)) = (self.elements, &sizes.numbers) else {
            return Known { elements: self.elements, ..Known::default() };
        };
        let own = self.shape.clone().unwrap_or_default();
        let mut axes: Vec<u128> = Vec::with_capacity(numbers.len());
        for (at, &number) in numbers.iter().enumerate() {
            axes.push(if number == 0.0 { own.get(at).copied().unwrap_or(1) } else { size(number) });
        }
        if let Some(left) = numbers.iter().position(|number| *number < 0.0) {
            axes[left] = elements / product(&axes).max(1);
        }
        // The count stays, whatever the sizes say.
        Known { shape: Some(axes), elements: Some(elements), numbers: None }
    }
}
