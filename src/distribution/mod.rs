//! Distributions: log densities with every constant, the expectations that the book uses,
//! entropies and divergences, and sampling.

mod dirichlet;
mod gaussian;
mod gaussian_wishart;
mod stick_breaking;
mod structure;
mod student_t;
mod weights;
mod wishart;

pub use dirichlet::Dirichlet;
pub use gaussian::Gaussian;
pub use gaussian_wishart::GaussianWishart;
pub use stick_breaking::StickBreaking;
pub use student_t::StudentT;
pub use weights::Weights;
pub use wishart::Wishart;

use nalgebra::{DMatrix, DVector};

pub(crate) use dirichlet::check_weights;
pub(crate) use gaussian::check_spread;
pub(crate) use structure::Structure;
pub(crate) use wishart::inverse;

/// `n` draws of a point (length D), one a row (n×D).
pub(crate) fn rows(
    (n, d): (usize, usize),
    mut draw: impl FnMut() -> DVector<f64>,
) -> DMatrix<f64> {
    let mut x = DMatrix::zeros(n, d);
    for mut row in x.row_iter_mut() {
        row.copy_from(&draw().transpose());
    }
    x
}
