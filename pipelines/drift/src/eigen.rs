//! Eigenvalues of small symmetric matrices.

/// Rounds over all off-diagonal entries; convergence is quadratic, ten are plenty.
const SWEEPS: usize = 50;

/// Eigenvalues (descending) and their unit vectors of a symmetric matrix, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    /// `vectors[k]` belongs to `values[k]`.
    pub(crate) vectors: Vec<Vec<f64>>,
}

impl Eigen {
    /// Cyclic Jacobi rotations (Golub & Van Loan 2013, section 8.5). Entries must be finite.
    pub(crate) fn of_symmetric(mut matrix: Vec<Vec<f64>>) -> Self {
        let size = matrix.len();
        let mut vectors: Vec<Vec<f64>> =
            (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        for _ in 0..SWEEPS {
            let largest = (0..size).map(|i| matrix[i][i].abs()).fold(0.0, f64::max);
            let mut rotated = false;
            for p in 0..size {
                for q in p + 1..size {
                    if matrix[p][q].abs() > largest * 1e-18 && matrix[p][q] != 0.0 {
                        rotate(&mut matrix, &mut vectors, p, q);
                        rotated = true;
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| matrix[*b][*b].total_cmp(&matrix[*a][*a]));
        Self {
            values: order.iter().map(|k| matrix[*k][*k]).collect(),
            vectors: order.iter().map(|k| vectors[*k].clone()).collect(),
        }
    }
}

/// Zeroes the entry (p, q). `vectors` holds the eigenvectors as rows.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in matrix.iter_mut() {
        let (left, right) = (row[p], row[q]);
        row[p] = c * left - s * right;
        row[q] = s * left + c * right;
    }
    rotate_rows(matrix, (p, q), (c, s));
    matrix[p][q] = 0.0;
    matrix[q][p] = 0.0;
    rotate_rows(vectors, (p, q), (c, s));
}

/// Replaces the rows p < q by their combinations.
fn rotate_rows(rows: &mut [Vec<f64>], (p, q): (usize, usize), (c, s): (f64, f64)) {
    let (upper_rows, lower_rows) = rows.split_at_mut(q);
    for (upper, lower) in upper_rows[p].iter_mut().zip(&mut lower_rows[0]) {
        (*upper, *lower) = (c * *upper - s * *lower, s * *upper + c * *lower);
    }
}

#[cfg(test)]
mod tests {
    use super::Eigen;

    #[test]
    fn a_matrix_is_rebuilt_from_its_parts() {
        let matrix = vec![vec![4.0, 1.0, -2.0], vec![1.0, 3.0, 0.5], vec![-2.0, 0.5, 1.0]];
        let eigen = Eigen::of_symmetric(matrix.clone());
        assert!(eigen.values.is_sorted_by(|a, b| a >= b));
        for (i, row) in matrix.iter().enumerate() {
            for (j, entry) in row.iter().enumerate() {
                let rebuilt: f64 =
                    (0..3).map(|k| eigen.values[k] * eigen.vectors[k][i] * eigen.vectors[k][j]).sum();
                assert!((rebuilt - entry).abs() < 1e-12);
            }
        }
    }
}
