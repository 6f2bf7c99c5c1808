//! The classification extension: an output's largest elements as texts `value:index[:label]`.

use std::cmp::Ordering;
use std::fmt::Display;

use chasqui_runtime::{Tensor, TensorData};

/// The `count` largest elements of every row, largest first; of equal ones the first comes first, and NaN last.
/// `labels` are told when there is one for each element of a row. Texts stay as they are.
pub fn top(tensor: &Tensor, count: usize, labels: &[String]) -> Tensor {
    let rows = tensor.rows().max(1);
    let width = tensor.data.len() / rows;
    let count = count.min(width);
    let labels = if labels.len() == width { labels } else { &[] };
    macro_rules! told {
        ($values:expr) => {
            $values.chunks_exact(width.max(1)).flat_map(|row| largest(row, count, labels)).collect()
        };
    }
    let texts: Vec<String> = match &tensor.data {
        TensorData::Bool(values) => {
            let bits: Vec<u8> = values.iter().map(|flag| u8::from(*flag)).collect();
            told!(bits)
        }
        TensorData::I8(values) => told!(values),
        TensorData::I16(values) => told!(values),
        TensorData::I32(values) => told!(values),
        TensorData::I64(values) => told!(values),
        TensorData::U8(values) => told!(values),
        TensorData::U16(values) => told!(values),
        TensorData::U32(values) => told!(values),
        TensorData::U64(values) => told!(values),
        TensorData::F32(values) => told!(values),
        TensorData::F64(values) => told!(values),
        TensorData::Text(_) => return tensor.clone(),
    };
    Tensor { shape: vec![rows, count], data: TensorData::Text(texts) }
}

fn largest<T: PartialOrd + Display>(row: &[T], count: usize, labels: &[String]) -> Vec<String> {
    let mut places: Vec<usize> = (0..row.len()).collect();
    places.sort_by(|a, b| descending(&row[*a], &row[*b]));
    let told = places.into_iter().take(count).map(|place| match labels.get(place) {
        Some(label) => format!("{}:{place}:{label}", row[place]),
        None => format!("{}:{place}", row[place]),
    });
    told.collect()
}

/// What does not compare with itself is NaN.
fn descending<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |value: &T| value.partial_cmp(value).is_none();
    b.partial_cmp(a).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tensor: &Tensor) -> Vec<&str> {
        (0..tensor.data.len()).filter_map(|place| tensor.data.text(place)).collect()
    }

    #[test]
    fn the_largest_come_first_in_each_row() {
        let scores =
            Tensor::new(vec![2, 3], TensorData::F32(vec![0.1, 0.7, 0.2, 0.5, f32::NAN, 0.5])).unwrap();
        let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let two = top(&scores, 2, &labels);
        assert_eq!(two.shape, [2, 2]);
        assert_eq!(texts(&two), ["0.7:1:b", "0.2:2:c", "0.5:0:a", "0.5:2:c"]);
        let all = top(&scores, 9, &[]);
        assert_eq!(all.shape, [2, 3]);
        assert_eq!(texts(&all)[5], "NaN:1");
    }

    #[test]
    fn whole_numbers_compare_exactly() {
        let large = 9_007_199_254_740_992;
        let tensor = Tensor::new(vec![1, 2], TensorData::I64(vec![large, large + 1])).unwrap();
        assert_eq!(texts(&top(&tensor, 1, &[])), [format!("{}:1", large + 1)]);
        let column = Tensor::new(vec![3], TensorData::U8(vec![3, 9, 4])).unwrap();
        assert_eq!(texts(&top(&column, 5, &[])), ["3:0", "9:0", "4:0"]);
    }
}
