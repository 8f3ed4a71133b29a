//! The numerical tools under everything else: Cholesky factors, sums that keep their rounding
//! errors, means with their standard errors, log-sum-exp, the gamma function and its kin, and seeded random numbers.

mod cholesky;
mod estimate;
mod log_sum_exp;
mod rng;
mod special;
mod structured;
mod sum;

pub use cholesky::Cholesky;
pub(crate) use cholesky::{square, squared};
pub use estimate::Estimate;
pub use log_sum_exp::log_sum_exp;
pub use rng::{Rng, rng, rng_stream};
pub use special::{digamma, ln_gamma, ln_multivariate_gamma};
pub(crate) use special::{
    digamma_difference, ln_gamma_bend, ln_gamma_ratio, stein_loss,
};
pub(crate) use structured::Structured;
pub use sum::Sum;

/// ln 2π, the constant of every Gaussian's log density.
pub const LN_2_PI: f64 = 1.837_877_066_409_345_5;
