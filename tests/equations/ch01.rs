use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Gaussian, data};

use crate::common::*;

/// Points, and a mean and covariance that are not theirs.
fn problem(
    d: usize,
    rng: &mut Rng,
) -> (Vec<DVector<f64>>, DVector<f64>, DMatrix<f64>) {
    let stretch = random_covariance(d, rng);
    let points = (0..30).map(|_| &stretch * noise(d, rng)).collect();
    (points, noise(d, rng), random_covariance(d, rng))
}

fn plain_log_likelihood(
    x: &[DVector<f64>],
    mean: &DVector<f64>,
    sigma: &DMatrix<f64>,
) -> f64 {
    x.iter().map(|x| plain_density(x, mean, sigma).ln()).sum()
}

fn mean(x: &[DVector<f64>]) -> DVector<f64> {
    x.iter().sum::<DVector<f64>>() / x.len() as f64
}

fn covariance(x: &[DVector<f64>]) -> DMatrix<f64> {
    let mean = mean(x);
    let outer = |x: &DVector<f64>| (x - &mean) * (x - &mean).transpose();
    x.iter().map(outer).sum::<DMatrix<f64>>() / x.len() as f64
}

/// The library's density integrates to 1, and has the mean and the covariance that it
/// names.
#[test]
fn gaussian_density() {
    let (mean, sigma) = (dvector![1.0, -0.5], dmatrix![1.2, 0.7; 0.7, 0.9]);
    let gaussian = Gaussian::new(mean.clone(), sigma.clone()).unwrap();
    let density =
        |a: f64, b: f64| gaussian.log_density(&dmatrix![a, b]).unwrap()[0].exp();
    let moment = |f: &dyn Fn(f64, f64) -> f64| {
        integral(
            |a| integral(|b| f(a, b) * density(a, b), -10.0, 9.0, 150),
            -9.0,
            11.0,
            150,
        )
    };
    assert_relative_eq!(moment(&|_, _| 1.0), 1.0, epsilon = 1e-12);
    assert_relative_eq!(moment(&|a, _| a), mean[0], epsilon = 1e-12);
    assert_relative_eq!(
        moment(&|a, _| (a - 1.0).powi(2)),
        sigma[(0, 0)],
        epsilon = 1e-12
    );
    assert_relative_eq!(
        moment(&|a, b| (a - 1.0) * (b + 0.5)),
        sigma[(0, 1)],
        epsilon = 1e-12
    );
}

/// The sum of the library's log densities is the formula in N, x̄ and S.
#[test]
fn gaussian_log_likelihood() {
    let mut rng = rng(11);
    for d in 1..=4 {
        let (x, mu, sigma) = problem(d, &mut rng);
        let rows = DMatrix::from_fn(x.len(), d, |n, j| x[n][j]);
        let gaussian = Gaussian::new(mu.clone(), sigma.clone()).unwrap();
        let precision = sigma.clone().try_inverse().unwrap();
        let v = mean(&x) - mu;
        let formula = -0.5
            * x.len() as f64
            * (d as f64 * std::f64::consts::TAU.ln()
                + sigma.determinant().ln()
                + (&precision * covariance(&x)).trace()
                + v.dot(&(&precision * &v)));
        let total = gaussian.log_density(&rows).unwrap().sum();
        assert_relative_eq!(total, formula, max_relative = 1e-12);
    }
}

#[test]
fn gaussian_gradient_mean() {
    let (x, mu, sigma) = problem(3, &mut rng(12));
    let numeric = gradient(|mu| plain_log_likelihood(&x, mu, &sigma), &mu);
    let formula =
        sigma.clone().try_inverse().unwrap() * (mean(&x) - &mu) * x.len() as f64;
    assert_relative_eq!(numeric, formula, max_relative = 1e-7);
}

#[test]
fn gaussian_gradient_precision() {
    let (x, _, sigma) = problem(3, &mut rng(13));
    let centre = mean(&x);
    let precision = sigma.clone().try_inverse().unwrap();
    let f = |precision: &DMatrix<f64>| {
        plain_log_likelihood(&x, &centre, &precision.clone().try_inverse().unwrap())
    };
    let formula = (&sigma - covariance(&x)) * (0.5 * x.len() as f64);
    let numeric = matrix_gradient(f, &precision);
    assert_relative_eq!(numeric, formula, epsilon = 1e-6 * formula.amax());
}

/// The fit is x̄ and S, its log likelihood is the formula, and ten thousand other
/// choices, near and far, do worse.
#[test]
fn gaussian_mle() {
    let x = data::faithful();
    let rows = points(&x);
    let fit = Gaussian::fit(&x).unwrap();
    assert_relative_eq!(*fit.mean(), mean(&rows), max_relative = 1e-13);
    assert_relative_eq!(*fit.covariance(), covariance(&rows), max_relative = 1e-12);

    let (n, d) = (272.0, 2.0);
    let best = fit.log_density(&x).unwrap().sum();
    let log_det = covariance(&rows).determinant().ln();
    let formula = -0.5 * n * (d * std::f64::consts::TAU.ln() + log_det + d);
    assert_relative_eq!(best, formula, max_relative = 1e-13);

    let mut rng = rng(14);
    for trial in 0..10_000 {
        let size = 10.0_f64.powi(-(trial % 4));
        let mean = fit.mean()
            + noise(2, &mut rng).component_mul(&dvector![1.0, 10.0]) * size;
        let stretch = DMatrix::identity(2, 2)
            + (random_covariance(2, &mut rng) - DMatrix::identity(2, 2)) * size;
        let sigma = &stretch * fit.covariance() * stretch.transpose();
        let sigma = (&sigma + sigma.transpose()) * 0.5;
        let other = Gaussian::new(mean, sigma).unwrap();
        assert!(other.log_density(&x).unwrap().sum() < best);
    }
}

/// The library's density, which goes through the Cholesky factor, is the
/// inverse-and-determinant formula.
#[test]
fn whitened_density() {
    let mut rng = rng(15);
    for d in 1..=6 {
        let (x, mu, sigma) = problem(d, &mut rng);
        let gaussian = Gaussian::new(mu.clone(), sigma.clone()).unwrap();
        for x in x {
            let ours = gaussian.log_density(&x.transpose()).unwrap()[0];
            assert_relative_eq!(
                ours,
                plain_density(&x, &mu, &sigma).ln(),
                max_relative = 1e-10
            );
        }
    }
}

#[test]
fn ellipse_mass() {
    let mut rng = rng(16);
    let gaussian =
        Gaussian::new(dvector![3.0, 1.0], dmatrix![1.5, 1.4; 1.4, 1.5]).unwrap();
    let precision = gaussian.covariance().clone().try_inverse().unwrap();
    let squared: Vec<f64> = points(&gaussian.sample(40_000, &mut rng))
        .iter()
        .map(|x| (x - gaussian.mean()).dot(&(&precision * (x - gaussian.mean()))))
        .collect();
    for mass in [0.1, 0.5, 0.9, 0.99] {
        let radius_squared = -2.0 * f64::ln(1.0 - mass);
        let inside: Vec<f64> = squared
            .iter()
            .map(|s| f64::from(u8::from(*s <= radius_squared)))
            .collect();
        assert_mean(&inside, mass);
    }
}
