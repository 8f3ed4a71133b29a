//! The models: weighted sums of Gaussians, and of the Student-t distributions that they become
//! when their parameters are integrated out.

use nalgebra::{DMatrix, DVector};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;

use crate::distribution::rows;

mod covariance;
mod divergence;
mod gaussian;
mod parts;
mod student_t;

pub use covariance::Covariance;
pub use gaussian::GaussianMixture;
pub use student_t::StudentTMixture;

/// `n` points of dimension `d`, and the component that each came from: the label first, then the point.
/// The weights have been checked, and `draw` gives a point (length D) of component k.
fn sample_labelled<R: rand::Rng + ?Sized>(
    weights: &DVector<f64>,
    (n, d): (usize, usize),
    rng: &mut R,
    draw: impl Fn(usize, &mut R) -> DVector<f64>,
) -> (DMatrix<f64>, Vec<usize>) {
    let labels = WeightedIndex::new(weights).expect("weights are checked by `new`");
    let mut z = Vec::with_capacity(n);
    let x = rows((n, d), || {
        let k = labels.sample(rng);
        z.push(k);
        draw(k, rng)
    });
    (x, z)
}
