use approx::assert_relative_eq;
use mixtures::math::{log_sum_exp as lse, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, GaussianMixture, Start, data};

use crate::common::*;

/// A mixture that does not fit the notebook's data well, and a few of those data.
fn problem() -> (GaussianMixture, DMatrix<f64>) {
    let mixture = GaussianMixture::new(
        dvector![0.5, 0.2, 0.3],
        dmatrix![-2.0, 1.0; 3.5, 1.5; 2.0, 0.0],
        vec![
            dmatrix![1.5, 0.4; 0.4, 2.0],
            dmatrix![1.0, -0.6; -0.6, 0.9],
            dmatrix![1.2, 0.3; 0.3, 1.1],
        ],
    );
    (mixture.unwrap(), data::notebook().rows(0, 60).into_owned())
}

/// π_k N(x_n | μ_k, Σ_k), N×K.
fn plain_joint(m: &GaussianMixture, x: &DMatrix<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), m.weights().len(), |n, k| {
        let mean = m.means().row(k).transpose();
        m.weights()[k] * plain_density(&x.row(n).transpose(), &mean, m.covariance(k))
    })
}

fn plain_log_likelihood(m: &GaussianMixture, x: &DMatrix<f64>) -> f64 {
    plain_joint(m, x).column_sum().iter().map(|p| p.ln()).sum()
}

fn plain_responsibilities(m: &GaussianMixture, x: &DMatrix<f64>) -> DMatrix<f64> {
    let mut joint = plain_joint(m, x);
    for mut row in joint.row_iter_mut() {
        let total = row.sum();
        row /= total;
    }
    joint
}

/// The mixture with component k's mean and covariance replaced.
fn with(
    m: &GaussianMixture,
    k: usize,
    mean: &DVector<f64>,
    sigma: &DMatrix<f64>,
) -> GaussianMixture {
    let mut means = m.means().clone();
    means.set_row(k, &mean.transpose());
    let mut covariances: Vec<_> =
        (0..m.weights().len()).map(|k| m.covariance(k).clone()).collect();
    covariances[k] = (sigma + sigma.transpose()) * 0.5;
    GaussianMixture::new(m.weights().clone(), means, covariances).unwrap()
}

#[test]
fn log_sum_exp_gradient() {
    let v = dvector![1.0, -0.5, 2.0, 0.3];
    let numeric = gradient(|v| lse(v.as_slice()), &v);
    let total: f64 = v.iter().map(|v| v.exp()).sum();
    assert_relative_eq!(numeric, v.map(|v| v.exp() / total), epsilon = 1e-9);
}

/// The library's responsibilities are Bayes' rule; and they are frequencies: of the
/// points drawn in a region, the share that came from each component is the mean
/// responsibility there.
#[test]
fn responsibilities() {
    let (m, x) = problem();
    let ours = m.responsibilities(&x).unwrap();
    assert_relative_eq!(ours, plain_responsibilities(&m, &x), max_relative = 1e-9);
    assert!(ours.column_sum().iter().all(|sum| (sum - 1.0).abs() < 1e-14));

    let (x, z) = m.sample(40_000, &mut rng(41));
    let r = m.responsibilities(&x).unwrap();
    for k in 0..3 {
        let inside = |n: &usize| x[(*n, 0)] > 1.0 && x[(*n, 1)] > 0.5;
        let excess: Vec<f64> = (0..z.len())
            .filter(inside)
            .map(|n| f64::from(u8::from(z[n] == k)) - r[(n, k)])
            .collect();
        assert_mean(&excess, 0.0);
    }
}

/// For every parameter of a component, the responsibilities weight the gradients of
/// its own terms.
#[test]
fn mixture_gradient() {
    let (m, x) = problem();
    let r = m.responsibilities(&x).unwrap();
    for k in 0..3 {
        // All of a component's parameters in one vector: ln π, μ, Σ₁₁, Σ₁₂, Σ₂₂.
        let sigma = m.covariance(k);
        let at = dvector![
            m.weights()[k].ln(),
            m.means()[(k, 0)],
            m.means()[(k, 1)],
            sigma[(0, 0)],
            sigma[(0, 1)],
            sigma[(1, 1)]
        ];
        let term = |p: &DVector<f64>, n: usize| {
            let (mean, sigma) =
                (dvector![p[1], p[2]], dmatrix![p[3], p[4]; p[4], p[5]]);
            p[0] + plain_density(&x.row(n).transpose(), &mean, &sigma).ln()
        };
        let joint = plain_joint(&m, &x);
        let whole = |p: &DVector<f64>| -> f64 {
            (0..x.nrows())
                .map(|n| (joint.row(n).sum() - joint[(n, k)] + term(p, n).exp()).ln())
                .sum()
        };
        let shared = |p: &DVector<f64>| -> f64 {
            (0..x.nrows()).map(|n| r[(n, k)] * term(p, n)).sum()
        };
        assert_relative_eq!(
            gradient(whole, &at),
            gradient(shared, &at),
            epsilon = 1e-6
        );
    }
}

#[test]
fn mixture_gradient_mean() {
    let (m, x) = problem();
    let r = m.responsibilities(&x).unwrap();
    for k in 0..3 {
        let mean = m.means().row(k).transpose();
        let numeric = gradient(
            |mean| plain_log_likelihood(&with(&m, k, mean, m.covariance(k)), &x),
            &mean,
        );
        let sum: DVector<f64> =
            (0..x.nrows()).map(|n| (x.row(n).transpose() - &mean) * r[(n, k)]).sum();
        let formula = m.covariance(k).clone().try_inverse().unwrap() * sum;
        assert_relative_eq!(numeric, formula, epsilon = 1e-7 * formula.amax());
    }
}

#[test]
fn mixture_gradient_precision() {
    let (m, x) = problem();
    let r = m.responsibilities(&x).unwrap();
    for k in 0..3 {
        let mean = m.means().row(k).transpose();
        let precision = m.covariance(k).clone().try_inverse().unwrap();
        let f = |precision: &DMatrix<f64>| {
            let sigma = precision.clone().try_inverse().unwrap();
            plain_log_likelihood(&with(&m, k, &mean, &sigma), &x)
        };
        let formula: DMatrix<f64> = (0..x.nrows())
            .map(|n| {
                let v = x.row(n).transpose() - &mean;
                (m.covariance(k) - &v * v.transpose()) * (0.5 * r[(n, k)])
            })
            .sum();
        let numeric = matrix_gradient(f, &precision);
        assert_relative_eq!(numeric, formula, epsilon = 1e-6 * formula.amax());
    }
}

/// One update of the library, from the same start.
fn one_update(m: &GaussianMixture, x: &DMatrix<f64>) -> GaussianMixture {
    let em =
        Em::new(3).start(Start::Given(m.clone())).max_iterations(1).tolerance(0.0);
    em.fit(x).unwrap().mixture
}

/// The library's update is the weighted mean and covariance, and with the
/// responsibilities held fixed the gradients with respect to means and precisions are
/// zero there.
#[test]
fn em_update_components() {
    let (m, x) = problem();
    let r = plain_responsibilities(&m, &x);
    let next = one_update(&m, &x);
    for k in 0..3 {
        let share = r.column(k);
        let mean = x.transpose() * share / share.sum();
        let residuals = DMatrix::from_fn(x.nrows(), 2, |n, j| x[(n, j)] - mean[j]);
        let weighted =
            DMatrix::from_fn(x.nrows(), 2, |n, j| share[n] * residuals[(n, j)]);
        let sigma = weighted.transpose() * residuals / share.sum();
        assert_relative_eq!(
            next.means().row(k).transpose(),
            mean,
            max_relative = 1e-10
        );
        assert_relative_eq!(*next.covariance(k), sigma, max_relative = 1e-9);
        let shared = |mean: &DVector<f64>, sigma: &DMatrix<f64>| -> f64 {
            (0..x.nrows())
                .map(|n| {
                    share[n] * plain_density(&x.row(n).transpose(), mean, sigma).ln()
                })
                .sum()
        };
        let slope = gradient(|mean| shared(mean, &sigma), &mean);
        assert!(slope.amax() < 1e-7, "{slope}");
        let precision = sigma.clone().try_inverse().unwrap();
        let slope = matrix_gradient(
            |p| shared(&mean, &p.clone().try_inverse().unwrap()),
            &precision,
        );
        assert!(slope.amax() < 1e-6, "{slope}");
    }
}

#[test]
fn em_update_weights() {
    let (m, x) = problem();
    let counts = plain_responsibilities(&m, &x).row_sum().transpose();
    let weights = &counts / x.nrows() as f64;
    assert_relative_eq!(*one_update(&m, &x).weights(), weights, max_relative = 1e-10);
    assert_relative_eq!(weights.sum(), 1.0, max_relative = 1e-14);
    let shared = |p: &DVector<f64>| -> f64 {
        counts.iter().zip(p).map(|(c, p)| c * p.ln()).sum()
    };
    let slope = gradient(shared, &weights);
    assert_relative_eq!(
        slope,
        DVector::from_element(3, x.nrows() as f64),
        max_relative = 1e-8
    );
    for other in [dvector![0.4, 0.3, 0.3], m.weights().clone()] {
        assert!(shared(&other) < shared(&weights));
    }
}
