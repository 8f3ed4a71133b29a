//! Distributions: log densities with every constant, the expectations that the book uses,
//! entropies and divergences, and sampling.

mod dirichlet;
mod gaussian;
mod gaussian_wishart;
mod student_t;
mod wishart;

pub use dirichlet::Dirichlet;
pub use gaussian::Gaussian;
pub use gaussian_wishart::GaussianWishart;
pub use student_t::StudentT;
pub use wishart::Wishart;

pub(crate) use dirichlet::check_weights;
pub(crate) use gaussian::check_spread;
pub(crate) use wishart::inverse;
