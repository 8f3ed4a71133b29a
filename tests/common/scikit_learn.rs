//! What scikit-learn says, and where its fits began.

use mixtures::nalgebra::DMatrix;
use serde_json::Value;

/// What scikit-learn says of the book's data.
pub fn recorded() -> Value {
    serde_json::from_str(include_str!("../../data/scikit_learn.json")).unwrap()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Equal parts of the sorted first column, as one-hot responsibilities.
pub fn equal_parts(x: &DMatrix<f64>, k: usize) -> DMatrix<f64> {
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.sort_by(|&a, &b| x[(a, 0)].total_cmp(&x[(b, 0)]));
    let mut r = DMatrix::zeros(x.nrows(), k);
    for (rank, n) in order.into_iter().enumerate() {
        r[(n, rank * k / x.nrows())] = 1.0;
    }
    r
}
