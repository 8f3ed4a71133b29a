//! Draws of precisions, and of the noise that they describe.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::distr::Distribution;
use rand_distr::{ChiSquared, StandardNormal};

use super::Wishart;
use crate::distribution::Structure;
use crate::math::{Cholesky, Structured, squared};

impl Wishart {
    /// One draw of Λ, D×D, by Bartlett's decomposition.
    pub fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DMatrix<f64> {
        self.precision(&self.draw_root(rng))
    }

    /// Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ.
    pub(crate) fn precision(&self, a: &Structured) -> DMatrix<f64> {
        squared(&self.whitener.transposed().product(a)).dense().clone()
    }

    /// A, lower triangular, with Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ a draw, in W's structure.
    pub(crate) fn draw_root<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> Structured {
        let d = self.dimension();
        let mut chi = || {
            let chi_squared = ChiSquared::new(self.nu).expect("ν > 0");
            chi_squared.sample(rng).sqrt()
        };
        match self.structure {
            Structure::Dense => self.bartlett(rng).into(),
            Structure::Diagonal => DVector::from_fn(d, |_, _| chi()).into(),
            Structure::Spherical => DVector::from_element(d, chi()).into(),
        }
    }

    /// A, lower triangular, with Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ a draw: Aᵢᵢ² is χ² with ν + 1 − i degrees
    /// of freedom, and what lies below is standard normal.
    // ANCHOR: bartlett
    fn bartlett<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> DMatrix<f64> {
        let d = self.dimension();
        let mut a = DMatrix::zeros(d, d);
        for i in 0..d {
            for j in 0..i {
                a[(i, j)] = rng.sample(StandardNormal);
            }
            let chi_squared = ChiSquared::new(self.nu - i as f64);
            a[(i, i)] = chi_squared.expect("ν > D − 1").sample(rng).sqrt();
        }
        a
    }
    // ANCHOR_END: bartlett
}

/// A draw of Gaussian noise with precision Λ = (L⁻ᵀ A)(L⁻ᵀ A)ᵀ, and the factor G = L A⁻ᵀ of its
/// covariance G Gᵀ; none if A is singular in double precision.
pub(crate) fn noise_with<R: rand::Rng + ?Sized>(
    factor: &Cholesky,
    a: &Structured,
    rng: &mut R,
) -> Option<(DVector<f64>, Structured)> {
    // G = L A⁻ᵀ = (A⁻¹ Lᵀ)ᵀ
    let g: Structured = match (a, factor.root()) {
        (Structured::Diagonal { diagonal: a, .. }, l) if l.is_diagonal() => {
            l.diagonal().component_div(a).into()
        }
        (a, l) => {
            let l = l.dense().transpose();
            a.dense().solve_lower_triangular(&l)?.transpose().into()
        }
    };
    let noise = DVector::from_fn(g.dimension(), |_, _| rng.sample(StandardNormal));
    let v = g.times(&noise);
    g.is_finite().then_some((v, g))
}
