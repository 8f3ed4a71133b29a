//! The numerical tools under everything else: Cholesky factors, sums that keep their rounding
//! errors, log-sum-exp, and seeded random numbers.

mod cholesky;
mod log_sum_exp;
mod rng;
mod sum;

pub use cholesky::Cholesky;
pub use log_sum_exp::log_sum_exp;
pub use rng::{Rng, rng, rng_stream};
pub use sum::Sum;

/// ln 2π, the constant of every Gaussian's log density.
pub const LN_2_PI: f64 = 1.837_877_066_409_345_5;
