use std::collections::BTreeSet;

use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{Covariance, GaussianMixture, Result, data};

// ANCHOR: tied
/// ‖L⁻¹ (x − μ_k)‖² for all k: one whitening for the point, one for each mean beforehand.
fn squared_distances(
    whitener: &DMatrix<f64>,
    white_means: &[DVector<f64>],
    x: &DVector<f64>,
) -> Vec<f64> {
    let y = whitener * x;
    white_means.iter().map(|m| (&y - m).norm_squared()).collect()
}
// ANCHOR_END: tied

#[test]
fn a_tied_covariance_is_whitened_once() -> Result<()> {
    let sigma = dmatrix![2.0, 0.6, 0.1; 0.6, 1.0, -0.3; 0.1, -0.3, 0.8];
    let mixture = GaussianMixture::with_shape(
        dvector![0.5, 0.3, 0.2],
        dmatrix![0.0, 1.0, 2.0; -3.0, 0.0, 1.0; 2.0, 2.0, 0.0],
        vec![sigma; 3],
        Covariance::Tied,
    )?;
    let (x, _) = mixture.sample(50, &mut rng(1));
    let factor = mixture.components()[0].factor();
    let white_means: Vec<_> =
        mixture.components().iter().map(|c| factor.whiten(c.mean())).collect();
    for row in x.row_iter() {
        let point = row.transpose();
        let found = squared_distances(&factor.whitener(), &white_means, &point);
        for (component, found) in mixture.components().iter().zip(found) {
            let expected = factor.whiten(&(&point - component.mean()));
            assert_relative_eq!(found, expected.norm_squared(), max_relative = 1e-12);
        }
    }
    Ok(())
}
// ANCHOR: roofline
/// Seconds that an E-step takes at least, on one thread: of arithmetic, and of memory.
fn at_least(n: f64, d: f64, k: f64, flops: f64, bytes: f64) -> (f64, f64) {
    let operations = n * (k * (2.0 * d * d + 7.0 * d + 43.0) + 35.0);
    (operations / flops, 8.0 * n * d / bytes)
}

#[test]
fn the_roofline_predicts_what_is_slow() {
    let (flops, bytes) = (40e9, 10e9); // a second
    let (arithmetic, memory) = at_least(1e6, 2.0, 3.0, flops, bytes);
    assert!((5.0e-3..7.0e-3).contains(&arithmetic)); // 6 ms
    assert!((1.5e-3..1.7e-3).contains(&memory)); // 1.6 ms
    let (arithmetic, memory) = at_least(1e5, 32.0, 16.0, flops, bytes);
    assert!((0.09..0.10).contains(&arithmetic));
    assert!((0.0025..0.0027).contains(&memory));
    // Cores add up, and memory is shared: with so many of them it becomes the limit.
    let (arithmetic, memory) = at_least(1e6, 2.0, 3.0, flops, bytes);
    assert_eq!((arithmetic / memory).ceil(), 4.0);
}
// ANCHOR_END: roofline

// ANCHOR: single
/// ln Σₖ exp scoreₖ in single precision, of one-dimensional components with variance 1.
fn log_density(x: f32, means: &[f32]) -> f32 {
    let scores: Vec<f32> = means.iter().map(|m| -0.5 * (x - m) * (x - m)).collect();
    let largest = scores.iter().copied().fold(f32::MIN, f32::max);
    largest + scores.iter().map(|s| (s - largest).exp()).sum::<f32>().ln()
}
#[test]
fn what_single_precision_loses() {
    let mut rng = rng(3);
    let x: Vec<f64> = (0..1_000_000).map(|_| rng.sample(StandardNormal)).collect();
    let means: [f64; 3] = [-1.0, 0.0, 2.0];
    let density =
        |x: &f64| means.iter().map(|m| (-0.5 * (x - m).powi(2)).exp()).sum::<f64>();
    let double: f64 = x.iter().map(|x| density(x).ln()).sum();
    let means = means.map(|m| m as f32);
    let each: Vec<f32> = x.iter().map(|x| log_density(*x as f32, &means)).collect();
    // Each in single precision, their sum in double: good enough for the stopping rule.
    let stop = 1e-6 * x.len() as f64;
    let in_double: f64 = each.iter().map(|l| f64::from(*l)).sum();
    assert!((in_double - double).abs() < 0.1 * stop);
    // The sum in single as well: wrong by many times the gain at which a fit stops.
    let in_single: f32 = each.iter().sum();
    assert!((f64::from(in_single) - double).abs() > 10.0 * stop);
    // And data far from zero are lost before the first operation.
    let count =
        |v: Vec<f64>| BTreeSet::from_iter(v.iter().map(|v| v.to_bits())).len();
    let far: Vec<f64> = data::faithful().column(1).iter().map(|w| w + 1e8).collect();
    let rounded = far.iter().map(|w| f64::from(*w as f32)).collect();
    assert_eq!((count(far), count(rounded)), (51, 8));
}
// ANCHOR_END: single
