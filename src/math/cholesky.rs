use nalgebra::{DMatrix, DVector};

use crate::math::Structured;
use crate::{Error, Result};

/// Entries that mirror each other may differ by this much, relative to the diagonal's size.
const SYMMETRY: f64 = 1e-8;

/// The Cholesky factor of a covariance: the lower triangular L with L Lᵀ = Σ and a positive
/// diagonal.
///
/// It answers everything that a Gaussian asks of its covariance without an inverse or a
/// determinant: whitening solves a triangular system, and ln det Σ = 2 Σᵢ ln Lᵢᵢ cannot overflow.
///
/// ```
/// use mixtures::{math::Cholesky, nalgebra::dmatrix};
///
/// let factor = Cholesky::new(&dmatrix![4.0, 2.0; 2.0, 5.0], "the covariance")?;
/// assert_eq!(factor.l(), &dmatrix![2.0, 0.0; 1.0, 2.0]);
/// assert_eq!(factor.log_det(), 16.0_f64.ln());
/// # Ok::<(), mixtures::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    l: Structured,
}

impl Cholesky {
    /// Factors a symmetric positive definite D×D matrix; `what` names it in the error.
    ///
    /// # Errors
    /// If the matrix is not square, not finite, not symmetric (to 1e-8 of its diagonal), or not
    /// positive definite in double precision.
    pub fn new(matrix: &DMatrix<f64>, what: &str) -> Result<Self> {
        let d = matrix.nrows();
        if d == 0 || matrix.ncols() != d {
            return Err(Error::shape(
                what,
                "square, with at least one row",
                format!("{d}×{}", matrix.ncols()),
            ));
        }
        let fault = |reason: String| Error::NotPositiveDefinite {
            what: what.to_string(),
            reason,
        };
        for j in 0..d {
            for i in 0..d {
                let (a, b) = (matrix[(i, j)], matrix[(j, i)]);
                if !a.is_finite() {
                    return Err(fault(format!("holds {a} at row {i}, column {j}")));
                }
                let size = matrix[(i, i)].abs().sqrt() * matrix[(j, j)].abs().sqrt();
                if (a - b).abs() > SYMMETRY * size {
                    return Err(fault(format!(
                        "is not symmetric: {b} at row {j}, column {i}, but {a} at row {i}, column {j}"
                    )));
                }
            }
        }
        match nalgebra::Cholesky::new(matrix.clone()) {
            Some(factor) if factor.l_dirty().iter().all(|v| v.is_finite()) => {
                Ok(Cholesky { l: factor.unpack().into() })
            }
            _ => Err(fault("is not positive definite".to_string())),
        }
    }

    /// Of a matrix that may be kept as its diagonal, as its factor then is.
    pub(crate) fn of(matrix: &Structured, what: &str) -> Result<Self> {
        let Structured::Diagonal { diagonal, .. } = matrix else {
            return Cholesky::new(matrix.dense(), what);
        };
        let fault = |reason: String| Error::NotPositiveDefinite {
            what: what.to_string(),
            reason,
        };
        match diagonal.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
            None if diagonal.is_empty() => {
                Err(Error::shape(what, "square, with at least one row", "0×0"))
            }
            None => Ok(Cholesky { l: diagonal.map(f64::sqrt).into() }),
            Some(i) => {
                Err(fault(format!("holds {} at row {i}, column {i}", diagonal[i])))
            }
        }
    }

    /// L, lower triangular, D×D.
    pub fn l(&self) -> &DMatrix<f64> {
        self.l.dense()
    }

    /// L, in its structure.
    pub(crate) fn root(&self) -> &Structured {
        &self.l
    }

    /// The factor of G Gᵀ for a square G, without squaring it: more digits than the product has.
    pub(crate) fn of_square(root: &Structured) -> Self {
        let l = match root {
            // nalgebra's R has a positive diagonal.
            Structured::Dense(g) => g.transpose().qr().r().transpose().into(),
            Structured::Diagonal { diagonal, .. } => diagonal.abs().into(),
        };
        Cholesky { l }
    }

    /// The factor of s Σ, s > 0.
    pub(crate) fn scaled(&self, s: f64) -> Self {
        Cholesky { l: self.l.scaled(s.sqrt()) }
    }

    /// ln det Σ.
    pub fn log_det(&self) -> f64 {
        2.0 * self.l.diagonal().iter().map(|v| v.ln()).sum::<f64>()
    }

    /// L⁻¹ v: `v` in units of Σ's ellipsoid. Its squared length is vᵀ Σ⁻¹ v.
    ///
    /// # Panics
    /// If `v` does not have D entries.
    pub fn whiten(&self, v: &DVector<f64>) -> DVector<f64> {
        match &self.l {
            Structured::Dense(l) => {
                l.solve_lower_triangular(v).expect("L has a positive diagonal")
            }
            Structured::Diagonal { diagonal, .. } => v.component_div(diagonal),
        }
    }

    /// L⁻¹, lower triangular, D×D: for whitening many vectors.
    pub fn whitener(&self) -> DMatrix<f64> {
        self.inverse_root().dense().clone()
    }

    /// L⁻¹, in its structure.
    pub(crate) fn inverse_root(&self) -> Structured {
        match &self.l {
            Structured::Dense(l) => l
                .solve_lower_triangular(&DMatrix::identity(l.nrows(), l.nrows()))
                .expect("L has a positive diagonal")
                .into(),
            Structured::Diagonal { diagonal, .. } => {
                diagonal.map(|sd| 1.0 / sd).into()
            }
        }
    }
}

/// G Gᵀ, symmetric to the last bit.
pub(crate) fn square(root: &DMatrix<f64>) -> DMatrix<f64> {
    let mut product = root * root.transpose();
    product.fill_upper_triangle_with_lower_triangle();
    product
}

/// G Gᵀ, in G's structure.
pub(crate) fn squared(root: &Structured) -> Structured {
    match root {
        Structured::Dense(g) => square(g).into(),
        Structured::Diagonal { diagonal, .. } => diagonal.map(|g| g * g).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use nalgebra::{dmatrix, dvector};

    #[test]
    fn whitener_undoes_the_factor() {
        let sigma = dmatrix![2.0, 0.3, -0.1; 0.3, 1.0, 0.2; -0.1, 0.2, 0.5];
        let factor = Cholesky::new(&sigma, "Σ").unwrap();
        assert_relative_eq!(
            factor.l() * factor.l().transpose(),
            sigma,
            epsilon = 1e-15
        );
        let a = factor.whitener();
        assert_relative_eq!(
            &a * factor.l(),
            DMatrix::identity(3, 3),
            epsilon = 1e-15
        );
        let v = dvector![1.0, -2.0, 3.0];
        assert_relative_eq!(factor.whiten(&v), a * &v, epsilon = 1e-14);
        assert_relative_eq!(
            factor.log_det(),
            sigma.determinant().ln(),
            epsilon = 1e-14
        );
    }

    #[test]
    fn a_product_is_factored_without_multiplying() {
        let g = dmatrix![1.0, -2.0, 0.5; -0.3, -1.0, 0.2; 4.0, 0.1, -3.0];
        let factor = Cholesky::of_square(&g.clone().into());
        assert!(factor.l().diagonal().iter().all(|d| *d > 0.0));
        let product = &g * g.transpose();
        assert_relative_eq!(
            factor.l() * factor.l().transpose(),
            product,
            epsilon = 1e-14
        );
        let plain = Cholesky::new(&product, "G Gᵀ").unwrap();
        assert_relative_eq!(factor.l(), plain.l(), epsilon = 1e-13);
        // Of condition 1e20 the product is singular in double precision; its factor is not.
        let thin = dmatrix![1.0, 0.0; 1.0, 1e-10];
        assert!(Cholesky::new(&(&thin * thin.transpose()), "G Gᵀ").is_err());
        let exact = 2.0 * 1e-10_f64.ln();
        let log_det = Cholesky::of_square(&thin.into()).log_det();
        assert_relative_eq!(log_det, exact, max_relative = 1e-6);
    }

    #[test]
    fn a_diagonal_has_the_factor_of_the_matrix_that_it_stands_for() {
        let variances = dvector![4.0, 2.0, 0.25];
        let plain = Cholesky::new(&DMatrix::from_diagonal(&variances), "Σ").unwrap();
        let factor = Cholesky::of(&variances.clone().into(), "Σ").unwrap();
        assert!(factor.root().is_diagonal() && factor.inverse_root().is_diagonal());
        assert_eq!(factor.l(), plain.l());
        assert_eq!(factor.whitener(), plain.whitener());
        assert_eq!(factor.log_det(), plain.log_det());
        let v = dvector![1.0, -2.0, 3.0];
        assert_eq!(factor.whiten(&v), plain.whiten(&v));
        let signed: Structured = dvector![2.0, -2f64.sqrt(), 0.5].into();
        let of_square = Cholesky::of_square(&signed);
        assert_relative_eq!(of_square.l(), plain.l(), epsilon = 1e-15);
        assert!(squared(&signed).is_diagonal());
        for bad in [dvector![1.0, 0.0], dvector![f64::NAN], dvector![-1.0]] {
            assert!(Cholesky::of(&bad.into(), "Σ").is_err());
        }
    }

    #[test]
    fn log_det_survives_where_the_determinant_does_not() {
        let sigma = DMatrix::identity(200, 200) * 1e-4;
        assert_eq!(sigma.determinant(), 0.0);
        let expected = 200.0 * 1e-4_f64.ln();
        let log_det = Cholesky::new(&sigma, "Σ").unwrap().log_det();
        assert_relative_eq!(log_det, expected, max_relative = 1e-14);
    }

    #[test]
    fn what_is_no_covariance_is_refused_by_name() {
        for (bad, word) in [
            (dmatrix![1.0, 0.5; 0.4, 1.0], "symmetric"),
            (dmatrix![1.0, 2.0; 2.0, 1.0], "positive definite"),
            (dmatrix![0.0, 0.0; 0.0, 0.0], "positive definite"),
            (dmatrix![1.0, f64::NAN; f64::NAN, 1.0], "NaN"),
            (dmatrix![f64::INFINITY, 0.0; 0.0, 1.0], "inf"),
            (dmatrix![1.0, 0.0], "square"),
        ] {
            let message =
                Cholesky::new(&bad, "covariance 3").unwrap_err().to_string();
            assert!(
                message.contains("covariance 3") && message.contains(word),
                "{message}"
            );
        }
    }
}
