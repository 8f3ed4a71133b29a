//! Distributions: log densities with every constant, sampling, and their fits.

mod gaussian;

pub use gaussian::Gaussian;
pub(crate) use gaussian::check_spread;
