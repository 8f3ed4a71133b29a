use std::sync::OnceLock;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A square matrix, D×D, kept as its diagonal where all else is zero by construction: then it costs
/// D numbers, and D operations where a dense one costs D². It is a covariance, or the triangular
/// factor of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub(crate) enum Structured {
    Dense(DMatrix<f64>),
    Diagonal {
        diagonal: DVector<f64>,
        /// All D² entries, written out when somebody asks for them.
        dense: OnceLock<DMatrix<f64>>,
    },
}

impl Structured {
    pub fn diagonal(&self) -> DVector<f64> {
        match self {
            Structured::Dense(m) => m.diagonal(),
            Structured::Diagonal { diagonal, .. } => diagonal.clone(),
        }
    }

    pub fn dense(&self) -> &DMatrix<f64> {
        match self {
            Structured::Dense(m) => m,
            Structured::Diagonal { diagonal, dense } => {
                dense.get_or_init(|| DMatrix::from_diagonal(diagonal))
            }
        }
    }

    pub fn dimension(&self) -> usize {
        match self {
            Structured::Dense(m) => m.nrows(),
            Structured::Diagonal { diagonal, .. } => diagonal.len(),
        }
    }

    pub fn is_diagonal(&self) -> bool {
        matches!(self, Structured::Diagonal { .. })
    }

    /// The largest entry in size.
    pub fn amax(&self) -> f64 {
        match self {
            Structured::Dense(m) => m.amax(),
            Structured::Diagonal { diagonal, .. } => diagonal.amax(),
        }
    }

    pub fn is_finite(&self) -> bool {
        match self {
            Structured::Dense(m) => m.iter().all(|v| v.is_finite()),
            Structured::Diagonal { diagonal, .. } => {
                diagonal.iter().all(|v| v.is_finite())
            }
        }
    }

    /// M v, with `v` of length D.
    pub fn times(&self, v: &DVector<f64>) -> DVector<f64> {
        match self {
            Structured::Dense(m) => m * v,
            Structured::Diagonal { diagonal, .. } => diagonal.component_mul(v),
        }
    }

    /// M N, of the same size: diagonal if both are.
    pub fn product(&self, other: &Structured) -> Structured {
        match (self, other) {
            (Structured::Diagonal { diagonal, .. }, other) if other.is_diagonal() => {
                diagonal.component_mul(&other.diagonal()).into()
            }
            (m, n) => (m.dense() * n.dense()).into(),
        }
    }

    /// M S Mᵀ for a symmetric S of the same size: diagonal if both are.
    pub fn congruence(&self, s: &Structured) -> Structured {
        match (self, s) {
            (Structured::Diagonal { diagonal: m, .. }, s) if s.is_diagonal() => {
                s.diagonal().component_mul(m).component_mul(m).into()
            }
            (m, s) => (m.dense() * s.dense() * m.dense().transpose()).into(),
        }
    }

    /// s M.
    pub fn scaled(&self, s: f64) -> Structured {
        match self {
            Structured::Dense(m) => (m * s).into(),
            Structured::Diagonal { diagonal, .. } => (diagonal * s).into(),
        }
    }

    /// M/s.
    pub fn divided(&self, s: f64) -> Structured {
        match self {
            Structured::Dense(m) => (m / s).into(),
            Structured::Diagonal { diagonal, .. } => (diagonal / s).into(),
        }
    }

    /// M + S: dense unless both are diagonal.
    pub fn plus(self, other: &Structured) -> Structured {
        match (self, other) {
            (Structured::Diagonal { diagonal, .. }, other) if other.is_diagonal() => {
                (diagonal + other.diagonal()).into()
            }
            (Structured::Dense(m), other) => (m + other.dense()).into(),
            (m, other) => (m.dense() + other.dense()).into(),
        }
    }

    /// M + s v vᵀ, or its diagonal if M is kept as one.
    pub fn plus_square(mut self, s: f64, v: &DVector<f64>) -> Structured {
        match &mut self {
            Structured::Dense(m) => m.ger(s, v, v, 1.0),
            Structured::Diagonal { diagonal, dense } => {
                dense.take();
                diagonal.zip_apply(v, |m, v| *m += s * v * v);
            }
        }
        self
    }

    /// The lower triangle (all that is kept up) of M + s a bᵀ.
    pub fn add_lower(&mut self, s: f64, a: &DVector<f64>, b: &DVector<f64>) {
        match self {
            Structured::Dense(m) => m.syger(s, a, b, 1.0),
            Structured::Diagonal { diagonal, dense } => {
                dense.take();
                diagonal.zip_zip_apply(a, b, |m, a, b| *m += s * a * b);
            }
        }
    }

    /// A symmetric matrix from its lower triangle.
    pub fn mirrored(mut self) -> Structured {
        if let Structured::Dense(m) = &mut self {
            m.fill_upper_triangle_with_lower_triangle();
        }
        self
    }

    pub fn transposed(&self) -> Structured {
        match self {
            Structured::Dense(m) => m.transpose().into(),
            diagonal => diagonal.clone(),
        }
    }

    /// The sum of the squares of all entries.
    pub fn norm_squared(&self) -> f64 {
        match self {
            Structured::Dense(m) => m.norm_squared(),
            Structured::Diagonal { diagonal, .. } => diagonal.norm_squared(),
        }
    }

    /// The rows and columns `which`, in that order.
    pub fn select(&self, which: &[usize]) -> Structured {
        match self {
            Structured::Dense(m) => m.select_rows(which).select_columns(which).into(),
            Structured::Diagonal { diagonal, .. } => {
                diagonal.select_rows(which).into()
            }
        }
    }
}

impl From<DMatrix<f64>> for Structured {
    fn from(m: DMatrix<f64>) -> Self {
        Structured::Dense(m)
    }
}

/// The diagonal matrix with these entries.
impl From<DVector<f64>> for Structured {
    fn from(diagonal: DVector<f64>) -> Self {
        Structured::Diagonal { diagonal, dense: OnceLock::new() }
    }
}

/// By the numbers, whether or not they have been written out.
impl PartialEq for Structured {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Structured::Dense(a), Structured::Dense(b)) => a == b,
            (
                Structured::Diagonal { diagonal: a, .. },
                Structured::Diagonal { diagonal: b, .. },
            ) => a == b,
            _ => false,
        }
    }
}

/// In a file: the matrix, or the vector of its diagonal.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Dense(DMatrix<f64>),
    Diagonal(DVector<f64>),
}

impl From<Form> for Structured {
    fn from(form: Form) -> Self {
        match form {
            Form::Dense(m) => m.into(),
            Form::Diagonal(v) => v.into(),
        }
    }
}

impl From<Structured> for Form {
    fn from(it: Structured) -> Self {
        match it {
            Structured::Dense(m) => Form::Dense(m),
            Structured::Diagonal { diagonal, .. } => Form::Diagonal(diagonal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    /// Each operation on a diagonal is the same operation on the matrix written out.
    #[test]
    fn a_diagonal_is_the_matrix_that_it_stands_for() {
        let m = Structured::from(dvector![2.0, -3.0]);
        let plain = Structured::from(dmatrix![2.0, 0.0; 0.0, -3.0]);
        let s = Structured::from(dvector![5.0, 7.0]);
        let full = Structured::from(dmatrix![1.0, 4.0; 4.0, 9.0]);
        let v = dvector![1.5, -0.5];
        assert_eq!(m.dense(), plain.dense());
        assert_eq!(m.diagonal(), plain.diagonal());
        assert_eq!((m.dimension(), m.amax()), (2, 3.0));
        assert_eq!(m.times(&v), plain.times(&v));
        assert_eq!(m.norm_squared(), plain.norm_squared());
        let lower = Structured::from(dmatrix![1.0, 0.0; 4.0, 9.0]);
        assert_eq!(lower.transposed().dense(), &dmatrix![1.0, 4.0; 0.0, 9.0]);
        assert_eq!(lower.mirrored(), full);
        assert!(m.transposed() == m);
        assert_eq!(m.scaled(3.0).dense(), plain.scaled(3.0).dense());
        assert_eq!(m.select(&[1]).dense(), plain.select(&[1]).dense());
        for other in [&s, &full] {
            assert_eq!(
                m.clone().plus(other).dense(),
                plain.clone().plus(other).dense()
            );
            assert_eq!(m.product(other).dense(), plain.product(other).dense());
            assert_eq!(m.congruence(other).dense(), plain.congruence(other).dense());
            assert_eq!(m.clone().plus(other).is_diagonal(), other.is_diagonal());
            assert_eq!(m.product(other).is_diagonal(), other.is_diagonal());
            assert_eq!(m.congruence(other).is_diagonal(), other.is_diagonal());
        }
        let mut summed = m.clone(); // written out above
        summed.add_lower(2.0, &v, &v);
        assert_eq!(summed.dense().diagonal(), summed.diagonal());
        let squared = m.clone().plus_square(2.0, &v);
        assert!(squared.is_diagonal());
        let written_out = plain.plus_square(2.0, &v);
        assert_eq!(squared.dense().diagonal(), written_out.diagonal());
    }

    #[test]
    fn a_diagonal_stays_one_in_a_file() {
        for m in [dvector![2.0, -3.0].into(), dmatrix![1.0, 4.0; 4.0, 9.0].into()] {
            let m: Structured = m;
            let text = serde_json::to_string(&m).unwrap();
            let back: Structured = serde_json::from_str(&text).unwrap();
            assert!(back == m && back.is_diagonal() == m.is_diagonal(), "{text}");
        }
        // A diagonal and the same matrix written out are kept apart.
        assert!(Structured::from(dvector![1.0]) != Structured::from(dmatrix![1.0]));
    }
}
