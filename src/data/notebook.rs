use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::Result;
use crate::math::Cholesky;

/// The mixture that the notebook draws its points from: weights (3), means (3×2) and
/// three covariances (2×2). The second component is thin: its precision has 32.5 and
/// 20 on the diagonal.
///
/// ```
/// use mixtures::{GaussianMixture, data};
///
/// let (weights, means, covariances) = data::notebook_truth();
/// let truth = GaussianMixture::new(weights, means, covariances)?;
/// # Ok::<(), mixtures::Error>(())
/// ```
pub fn notebook_truth() -> (DVector<f64>, DMatrix<f64>, Vec<DMatrix<f64>>) {
    (
        dvector![0.15, 0.35, 0.5],
        dmatrix![-3.0, 2.0; 4.0, 2.0; 3.0, 1.0],
        vec![
            dmatrix![1.0, 0.2; 0.2, 2.0],
            dmatrix![0.8, -1.0; -1.0, 1.3],
            dmatrix![1.5, 1.4; 1.4, 1.5],
        ],
    )
}

/// Draws `n` points from [`notebook_truth`] as the notebook does: a component by its
/// weight, then a point μ + L ε with L the Cholesky factor of its covariance and ε
/// standard normal. Returns the points (n×2) and the components they came from.
///
/// The numbers are not the notebook's, whose generator was NumPy's; those are in
/// [`notebook`](super::notebook).
///
/// # Errors
/// None for the built-in parameters; it is a `Result` because factoring a covariance
/// is.
///
/// ```
/// let (x, z) = mixtures::data::sample_notebook(500, &mut mixtures::math::rng(1))?;
/// assert_eq!((x.shape(), z.len()), ((500, 2), 500));
/// # Ok::<(), mixtures::Error>(())
/// ```
// ANCHOR: sample
pub fn sample_notebook<R: rand::Rng + ?Sized>(
    n: usize,
    rng: &mut R,
) -> Result<(DMatrix<f64>, Vec<usize>)> {
    let (weights, means, covariances) = notebook_truth();
    let factors: Vec<Cholesky> = covariances
        .iter()
        .map(|sigma| Cholesky::new(sigma, "the notebook's covariance"))
        .collect::<Result<_>>()?;
    let mut x = DMatrix::zeros(n, 2);
    let mut z = Vec::with_capacity(n);
    for mut row in x.row_iter_mut() {
        let u: f64 = rng.random();
        let k = if u < weights[0] {
            0
        } else if u < weights[0] + weights[1] {
            1
        } else {
            2
        };
        let noise = DVector::from_fn(2, |_, _| rng.sample(StandardNormal));
        row.copy_from(&(means.row(k) + (factors[k].l() * noise).transpose()));
        z.push(k);
    }
    Ok((x, z))
}
// ANCHOR_END: sample
