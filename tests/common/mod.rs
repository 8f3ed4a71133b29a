//! Tools of the checks: finite differences, quadrature, plain densities, random
//! problems. Each test program uses some of them.

#![allow(dead_code)]

pub mod scikit_learn;
pub mod shapes;

use mixtures::math::Rng;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;

/// The gradient of `f` at `at` by central differences with one Richardson step: error
/// O(h⁴).
pub fn gradient(f: impl Fn(&DVector<f64>) -> f64, at: &DVector<f64>) -> DVector<f64> {
    let slope = |i: usize, h: f64| {
        let (mut up, mut down) = (at.clone(), at.clone());
        up[i] += h;
        down[i] -= h;
        (f(&up) - f(&down)) / (up[i] - down[i])
    };
    DVector::from_fn(at.len(), |i, _| {
        let h = 1e-3 * (1.0 + at[i].abs());
        (4.0 * slope(i, h / 2.0) - slope(i, h)) / 3.0
    })
}

/// The gradient of `f` with respect to each entry of a matrix, all entries taken as
/// independent.
pub fn matrix_gradient(
    f: impl Fn(&DMatrix<f64>) -> f64,
    at: &DMatrix<f64>,
) -> DMatrix<f64> {
    let (rows, columns) = at.shape();
    let flat = DVector::from_column_slice(at.as_slice());
    let g = gradient(
        |v| f(&DMatrix::from_column_slice(rows, columns, v.as_slice())),
        &flat,
    );
    DMatrix::from_column_slice(rows, columns, g.as_slice())
}

/// ∫ f over the line from a to b by the trapezium rule: for smooth f that vanishes at
/// both ends its error falls faster than any power of the step.
pub fn integral(f: impl Fn(f64) -> f64, a: f64, b: f64, steps: usize) -> f64 {
    let h = (b - a) / steps as f64;
    (0..=steps).map(|i| f(a + h * i as f64)).sum::<f64>() * h
}

/// A vector of independent standard normals.
pub fn noise(d: usize, rng: &mut Rng) -> DVector<f64> {
    DVector::from_fn(d, |_, _| rng.sample(StandardNormal))
}

/// A random symmetric positive definite matrix, well away from singular.
pub fn random_covariance(d: usize, rng: &mut Rng) -> DMatrix<f64> {
    let a = DMatrix::from_fn(d, d, |_, _| rng.sample::<f64, _>(StandardNormal));
    &a * a.transpose() / d as f64 + DMatrix::identity(d, d) * 0.3
}

/// N(x | μ, Σ) as the formula stands, by inverse and determinant.
pub fn plain_density(
    x: &DVector<f64>,
    mean: &DVector<f64>,
    sigma: &DMatrix<f64>,
) -> f64 {
    plain_log_density(x, mean, sigma).exp()
}

/// ln N(x | μ, Σ), by inverse and determinant, for points so far away that the
/// density underflows.
pub fn plain_log_density(
    x: &DVector<f64>,
    mean: &DVector<f64>,
    sigma: &DMatrix<f64>,
) -> f64 {
    let v = x - mean;
    let squared = v.dot(&(sigma.clone().try_inverse().unwrap() * &v));
    -0.5 * (squared + (sigma * std::f64::consts::TAU).determinant().ln())
}

/// Rows of `x` as column vectors.
pub fn points(x: &DMatrix<f64>) -> Vec<DVector<f64>> {
    x.row_iter().map(|row| row.transpose()).collect()
}

/// A sample mean with its standard error.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Whether the sample mean of `values` is within five standard errors of `expected`.
#[track_caller]
pub fn assert_mean(values: &[f64], expected: f64) {
    let (mean, error) = mean_and_error(values);
    assert!(
        (mean - expected).abs() < 5.0 * error,
        "{mean} ± {error} against {expected}"
    );
}
