//! Gaussian mixtures, derived and run.
mod error;
mod kernel;

pub mod data;
pub mod distribution;
pub mod inference;
pub mod math;
pub mod mixture;
pub mod plot;
pub mod stats;

pub use distribution::Gaussian;
pub use error::{Error, Result};
pub use inference::{Em, EmFit, Start, Summary, e_step};
pub use mixture::{Covariance, GaussianMixture};
pub use stats::Moments;

pub use {nalgebra, plotters, rand, rand_distr};
