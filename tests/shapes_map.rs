//! Maximum a posteriori in the four shapes of covariance: the objective is the log posterior with
//! every constant, climbs, and ends where it is level.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::{Covariance, Em, GaussianMixture, Prior, Result, Start};
use statrs::function::gamma::ln_gamma;

/// A mixture as the numbers that its shape leaves free: log ratios of the weights, the means, and
/// the covariances' lower triangle, diagonal, or one variance (once, if they are tied).
fn free(m: &GaussianMixture) -> DVector<f64> {
    let (k, d) = (m.component_count(), m.dimension());
    let mut v: Vec<f64> =
        (1..k).map(|k| (m.weights()[k] / m.weights()[0]).ln()).collect();
    v.extend(m.means().iter());
    for sigma in (0..k).map(|k| m.covariance(k)) {
        match m.shape() {
            Covariance::Diagonal => v.extend(sigma.diagonal().iter()),
            Covariance::Spherical => v.push(sigma[(0, 0)]),
            _ => v.extend((0..d).flat_map(|j| (j..d).map(move |i| sigma[(i, j)]))),
        }
        if m.shape() == Covariance::Tied {
            break;
        }
    }
    assert_eq!(v.len(), m.parameter_count());
    DVector::from_vec(v)
}

struct Plain {
    weights: Vec<f64>,
    means: Vec<DVector<f64>>,
    sigmas: Vec<DMatrix<f64>>,
}

/// Back again.
fn plain(shape: Covariance, (k, d): (usize, usize), v: &DVector<f64>) -> Plain {
    let mut v = v.iter().copied();
    let odds: Vec<f64> =
        std::iter::once(1.0).chain(v.by_ref().take(k - 1).map(f64::exp)).collect();
    let total: f64 = odds.iter().sum();
    let means = DMatrix::from_iterator(k, d, v.by_ref().take(k * d));
    let mut sigmas: Vec<DMatrix<f64>> = Vec::new();
    for k in 0..k {
        let sigma = match shape {
            Covariance::Tied if k > 0 => sigmas[0].clone(),
            Covariance::Full | Covariance::Tied => {
                let mut sigma = DMatrix::zeros(d, d);
                for (j, i) in (0..d).flat_map(|j| (j..d).map(move |i| (j, i))) {
                    sigma[(i, j)] = v.next().unwrap();
                    sigma[(j, i)] = sigma[(i, j)];
                }
                sigma
            }
            Covariance::Diagonal => {
                DMatrix::from_diagonal(&DVector::from_iterator(d, v.by_ref().take(d)))
            }
            _ => DMatrix::identity(d, d) * v.next().unwrap(),
        };
        sigmas.push(sigma);
    }
    let weights = odds.iter().map(|odds| odds / total).collect();
    Plain { weights, means: points(&means), sigmas }
}

/// ln p(X | θ) and ln p(θ), a density over (π, μ, Σ) where Σ is what the shape leaves free of it.
fn plain_log(
    shape: Covariance,
    prior: &Prior,
    m: &Plain,
    x: &[DVector<f64>],
) -> (f64, f64) {
    let (k, d) = (m.weights.len(), prior.m0.len());
    let density = |x: &DVector<f64>| -> f64 {
        (0..k)
            .map(|k| m.weights[k] * plain_density(x, &m.means[k], &m.sigmas[k]))
            .sum()
    };
    let likelihood = x.iter().map(|x| density(x).ln()).sum();
    let mut log =
        ln_gamma(k as f64 * prior.alpha0) - k as f64 * ln_gamma(prior.alpha0);
    log += m.weights.iter().map(|w| (prior.alpha0 - 1.0) * w.ln()).sum::<f64>();
    for (mean, sigma) in m.means.iter().zip(&m.sigmas) {
        log += plain_log_density(mean, &prior.m0, &(sigma / prior.beta0));
    }
    let psi = prior.w0.clone().try_inverse().unwrap();
    let distinct = if shape == Covariance::Tied { 1 } else { k };
    // Inverse gamma: b^a/Γ(a) s^(−a−1) exp(−b/s).
    let inverse_gamma = |a: f64, b: f64, s: f64| {
        a * b.ln() - ln_gamma(a) - (a + 1.0) * s.ln() - b / s
    };
    for sigma in &m.sigmas[..distinct] {
        log += match shape {
            Covariance::Full | Covariance::Tied => {
                0.5 * prior.nu0 * psi.determinant().ln()
                    - 0.5 * prior.nu0 * d as f64 * 2.0_f64.ln()
                    - ln_multi_gamma(d, 0.5 * prior.nu0)
                    - 0.5 * (prior.nu0 + d as f64 + 1.0) * sigma.determinant().ln()
                    - 0.5 * (&psi * sigma.clone().try_inverse().unwrap()).trace()
            }
            Covariance::Diagonal => {
                let (a, b) = gamma_of_variances(shape, prior);
                (0..d).map(|j| inverse_gamma(a, b[j], sigma[(j, j)])).sum()
            }
            _ => {
                let (a, b) = gamma_of_variances(shape, prior);
                inverse_gamma(a, b[0], sigma[(0, 0)])
            }
        };
    }
    (likelihood, log)
}

fn random_map_prior(d: usize, rng: &mut mixtures::math::Rng) -> Prior {
    Prior { alpha0: 1.0 + rng.random_range(0.0..3.0), ..random_prior(d, rng) }
}

#[test]
fn the_trace_is_the_log_posterior() -> Result<()> {
    for (shape, d) in SHAPES.into_iter().flat_map(|s| [(s, 1), (s, 2), (s, 4)]) {
        let mut rng = rng_stream(560, d as u64);
        let (x, prior) = (clumps(40, d, 3, &mut rng), random_map_prior(d, &mut rng));
        let em = Em::new(3).covariance(shape).prior(prior.clone()).seed(4);
        for updates in [0, 1, 6] {
            let em = em.clone().max_iterations(updates).tolerance(0.0);
            let fit = em.fit(&x)?;
            let m = plain(shape, (3, d), &free(&fit.mixture));
            let (likelihood, log_prior) = plain_log(shape, &prior, &m, &points(&x));
            assert_relative_eq!(fit.log_prior, log_prior, max_relative = 1e-11);
            assert_relative_eq!(
                fit.log_likelihood(),
                likelihood,
                max_relative = 1e-11
            );
            let last = fit.trace[updates];
            assert_relative_eq!(last, likelihood + log_prior, max_relative = 1e-11);
        }
    }
    Ok(())
}

/// At the end no change of a free parameter helps, to first order; a step off, each of them hurts.
#[test]
fn the_end_is_level() -> Result<()> {
    let mut worst: f64 = 0.0;
    for (shape, d) in SHAPES.into_iter().flat_map(|s| [(s, 1), (s, 2), (s, 3)]) {
        for (k, seed) in [(1, 0), (2, 1), (3, 2)] {
            let mut rng = rng_stream(570, seed);
            let (x, prior) =
                (clumps(60, d, 3, &mut rng), random_map_prior(d, &mut rng));
            let em = Em::new(k).covariance(shape).prior(prior.clone()).seed(1);
            let fit = em.tolerance(1e-16).max_iterations(20_000).fit(&x)?;
            let x = points(&x);
            let at = free(&fit.mixture);
            // (The weights' prior is a density on the simplex: no Jacobian of the log ratios.)
            let log_posterior = |v: &DVector<f64>| {
                let (a, b) = plain_log(shape, &prior, &plain(shape, (k, d), v), &x);
                a + b
            };
            let slope = gradient(log_posterior, &at).amax();
            assert!(slope < 1e-4, "{shape}, D = {d}, K = {k}: {slope:e}");
            worst = worst.max(slope);
            let height = log_posterior(&at);
            for i in 0..at.len() {
                let mut aside = at.clone();
                aside[i] += 1e-3;
                assert!(log_posterior(&aside) < height);
            }
        }
    }
    println!("steepest slope: {worst:e}");
    Ok(())
}

#[test]
fn the_log_posterior_never_falls() -> Result<()> {
    let mut fall: f64 = 0.0;
    for (shape, seed) in
        SHAPES.into_iter().flat_map(|s| (0..300).map(move |i| (s, i)))
    {
        let mut rng = rng_stream(580, seed);
        let (n, d) = (rng.random_range(1..30), rng.random_range(1..5));
        let k = rng.random_range(1..=n.min(5));
        let mut x = clumps(n, d, 3, &mut rng);
        for copy in 0..rng.random_range(0..n) {
            let row = x.row(rng.random_range(0..n)).into_owned();
            x.set_row(copy, &row);
        }
        let prior = random_map_prior(d, &mut rng);
        let from = SHAPES[rng.random_range(0..4)];
        let wide = clumps(5, d, 5, &mut rng);
        let start = Start::Given(random_mixture(from, &wide, k, &mut rng));
        let em = Em::new(k).covariance(shape).prior(prior).start(start);
        let fit = em.tolerance(0.0).max_iterations(25).fit(&x)?;
        // The first update may fall from a start that the fit could not have found.
        let [full, _, diagonal, spherical] = SHAPES;
        let found =
            [from, full].contains(&shape) || (shape, from) == (diagonal, spherical);
        for pair in fit.trace.windows(2).skip(if found { 0 } else { 1 }) {
            fall = fall.max((pair[0] - pair[1]) / (1.0 + pair[0].abs()));
        }
        assert!(fall < 1e-12, "{shape}, {seed}: {fall:e}");
    }
    println!("worst fall: {fall:e}");
    Ok(())
}

/// Nothing collapses: repeated points, data in a line, in one point.
#[test]
fn no_shape_collapses() -> Result<()> {
    let mut rng = rng(590);
    let prior = random_map_prior(2, &mut rng);
    let line = DMatrix::from_fn(30, 2, |n, _| n as f64);
    let point = DMatrix::from_element(30, 2, 1.0);
    for (shape, x) in SHAPES.into_iter().flat_map(|s| [(s, &line), (s, &point)]) {
        let em = Em::new(4).covariance(shape).prior(prior.clone());
        let fit = em.start(Start::RandomPoints).restarts(3).fit(x)?;
        assert!(fit.converged && fit.reseeded.is_empty());
    }
    Ok(())
}
