use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Gaussian, GaussianMixture, data, math};

use crate::common::*;

fn truth() -> GaussianMixture {
    let (weights, means, covariances) = data::notebook_truth();
    GaussianMixture::new(weights, means, covariances).unwrap()
}

fn plain_mixture_density(m: &GaussianMixture, x: &DVector<f64>) -> f64 {
    (0..m.weights().len())
        .map(|k| {
            m.weights()[k]
                * plain_density(x, &m.means().row(k).transpose(), m.covariance(k))
        })
        .sum()
}

/// The library's density is the weighted sum, and integrates to 1.
#[test]
fn mixture_density() {
    let m = truth();
    for x in points(&data::notebook().rows(0, 200).into_owned()) {
        let ours = m.log_density(&x.transpose()).unwrap()[0];
        assert_relative_eq!(
            ours,
            plain_mixture_density(&m, &x).ln(),
            max_relative = 1e-10
        );
    }
    let density = |a: f64, b: f64| m.log_density(&dmatrix![a, b]).unwrap()[0].exp();
    let mass =
        integral(|a| integral(|b| density(a, b), -9.0, 12.0, 250), -12.0, 14.0, 300);
    assert_relative_eq!(mass, 1.0, epsilon = 1e-10);
}

#[test]
fn mixture_moments() {
    let m = truth();
    let (x, _) = m.sample(40_000, &mut rng(31));
    let mean: DVector<f64> =
        (0..3).map(|k| m.means().row(k).transpose() * m.weights()[k]).sum();
    let covariance: DMatrix<f64> = (0..3)
        .map(|k| {
            let gap = m.means().row(k).transpose() - &mean;
            (m.covariance(k) + &gap * gap.transpose()) * m.weights()[k]
        })
        .sum();
    for i in 0..2 {
        assert_mean(x.column(i).as_slice(), mean[i]);
        for j in 0..2 {
            let products: Vec<f64> = x
                .row_iter()
                .map(|row| (row[i] - mean[i]) * (row[j] - mean[j]))
                .collect();
            assert_mean(&products, covariance[(i, j)]);
        }
    }
}

fn plain_complete(m: &GaussianMixture, x: &[DVector<f64>], z: &[usize]) -> f64 {
    let mut product = 0.0;
    for (x, &k) in x.iter().zip(z) {
        let mean = m.means().row(k).transpose();
        product += (m.weights()[k] * plain_density(x, &mean, m.covariance(k))).ln();
    }
    product
}

/// Summed over all labellings of a few points, p(X, z) is the library's p(X).
#[test]
fn complete_log_likelihood() {
    let m = truth();
    let (x, _) = m.sample(6, &mut rng(32));
    let rows = points(&x);
    let total: f64 = (0..3_usize.pow(6))
        .map(|code| {
            let z: Vec<usize> = (0..6).map(|n| code / 3_usize.pow(n) % 3).collect();
            plain_complete(&m, &rows, &z).exp()
        })
        .sum();
    assert_relative_eq!(
        total.ln(),
        m.log_density(&x).unwrap().sum(),
        max_relative = 1e-12
    );
}

/// Weights, means and covariances of a mixture, each moved a little.
fn nudged(m: &GaussianMixture, size: f64, rng: &mut Rng) -> GaussianMixture {
    let weights = m.weights().map(|w| w * (1.0 + size * rng.random_range(-0.5..0.5)));
    let covariances = (0..m.weights().len())
        .map(|k| m.covariance(k) * (1.0 - size) + random_covariance(2, rng) * size)
        .collect();
    let means = m.means().map(|v| v + size * rng.random_range(-1.0..1.0));
    GaussianMixture::new(&weights / weights.sum(), means, covariances).unwrap()
}

#[test]
fn complete_mle() {
    let mut rng = rng(33);
    let (x, z) = truth().sample(500, &mut rng);
    let rows = points(&x);
    let mut weights = DVector::zeros(3);
    let mut means = DMatrix::zeros(3, 2);
    let mut covariances = vec![DMatrix::zeros(2, 2); 3];
    for k in 0..3 {
        let group: Vec<&DVector<f64>> =
            rows.iter().zip(&z).filter(|(_, z)| **z == k).map(|(x, _)| x).collect();
        let count = group.len() as f64;
        let mean = group.iter().copied().sum::<DVector<f64>>() / count;
        weights[k] = count / 500.0;
        for x in &group {
            covariances[k] += (*x - &mean) * (*x - &mean).transpose() / count;
        }
        means.set_row(k, &mean.transpose());
    }
    let best = GaussianMixture::new(weights, means, covariances).unwrap();
    let highest = plain_complete(&best, &rows, &z);
    for trial in 0..500 {
        let other = nudged(&best, 10.0_f64.powi(-(1 + trial % 3)), &mut rng);
        assert!(plain_complete(&other, &rows, &z) < highest);
        // The weights alone, lest the other parameters' fall hide a better choice of them.
        let covariances = (0..3).map(|k| best.covariance(k).clone()).collect();
        let weights = other.weights().clone();
        let other = GaussianMixture::new(weights, best.means().clone(), covariances);
        assert!(plain_complete(&other.unwrap(), &rows, &z) < highest);
    }
}

#[test]
fn mixture_log_likelihood() {
    let m = truth();
    let x = data::notebook();
    let plain: f64 =
        points(&x).iter().map(|x| plain_mixture_density(&m, x).ln()).sum();
    assert_relative_eq!(
        m.log_density(&x).unwrap().sum(),
        plain,
        max_relative = 1e-12
    );
    let summary = mixtures::e_step(&m, &x, None).unwrap();
    assert_relative_eq!(summary.log_likelihood(), plain, max_relative = 1e-12);
}

#[test]
fn label_symmetry() {
    let m = truth();
    let x = data::notebook();
    let log_likelihood = m.log_density(&x).unwrap().sum();
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let renamed = GaussianMixture::new(
            m.weights().select_rows(&order),
            m.means().select_rows(&order),
            order.map(|k| m.covariance(k).clone()).to_vec(),
        )
        .unwrap();
        let theirs = renamed.log_density(&x).unwrap().sum();
        assert_relative_eq!(theirs, log_likelihood, max_relative = 1e-14);
    }
}

#[test]
fn log_sum_exp() {
    let mut rng = rng(34);
    for _ in 0..1000 {
        let values: Vec<f64> =
            (0..5).map(|_| rng.random_range(-30.0..30.0)).collect();
        let ours = math::log_sum_exp(&values);
        let plain = values.iter().map(|v| v.exp()).sum::<f64>().ln();
        assert_relative_eq!(ours, plain, max_relative = 1e-12, epsilon = 1e-12);
        let largest = values.iter().copied().fold(f64::MIN, f64::max);
        assert!(ours >= largest && ours <= largest + 5.0_f64.ln());
        let far: Vec<f64> = values.iter().map(|v| v - 5000.0).collect();
        assert_relative_eq!(
            math::log_sum_exp(&far),
            ours - 5000.0,
            max_relative = 1e-12
        );
    }
    assert_relative_eq!(
        math::log_sum_exp(&[3.0; 7]),
        3.0 + 7.0_f64.ln(),
        max_relative = 1e-15
    );
    let gaussian = Gaussian::new(dvector![0.0], dmatrix![1.0]).unwrap();
    let alone = gaussian.log_density(&dmatrix![60.0]).unwrap()[0];
    let mixture = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![0.0; 0.0],
        vec![dmatrix![1.0]; 2],
    )
    .unwrap();
    assert_eq!(mixture.log_density(&dmatrix![60.0]).unwrap()[0], alone);
}
