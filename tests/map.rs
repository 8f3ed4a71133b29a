//! The laws of maximum a posteriori: its objective is the log posterior with every constant, its
//! end is a maximum, and no data make it collapse.

mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Em, Error, GaussianMixture, Prior, Result, Start, Vb, data};
use proptest::prelude::*;
use statrs::function::gamma::ln_gamma;

fn prior() -> Prior {
    Prior {
        alpha0: 2.5,
        beta0: 0.7,
        m0: dvector![1.0, 2.0],
        w0: dmatrix![0.8, 0.1; 0.1, 0.5],
        nu0: 4.5,
    }
}

/// ln p(π) + Σ ln p(μ_k | Σ_k) + ln p(Σ_k), as the formulas stand, in the plane.
fn plain_log_prior(prior: &Prior, m: &GaussianMixture) -> f64 {
    let k = m.component_count() as f64;
    let mut log = ln_gamma(k * prior.alpha0) - k * ln_gamma(prior.alpha0);
    log += m.weights().iter().map(|w| (prior.alpha0 - 1.0) * w.ln()).sum::<f64>();
    let psi = prior.w0.clone().try_inverse().unwrap();
    let ln_gamma_2 =
        |a: f64| 0.5 * std::f64::consts::PI.ln() + ln_gamma(a) + ln_gamma(a - 0.5);
    for (k, c) in m.components().iter().enumerate() {
        let sigma = c.covariance();
        let mean = m.means().row(k).transpose();
        log += plain_log_density(&mean, &prior.m0, &(sigma / prior.beta0));
        log += 0.5 * prior.nu0 * psi.determinant().ln()
            - prior.nu0 * 2.0_f64.ln()
            - ln_gamma_2(0.5 * prior.nu0)
            - 0.5 * (prior.nu0 + 3.0) * sigma.determinant().ln()
            - 0.5 * (&psi * sigma.clone().try_inverse().unwrap()).trace();
    }
    log
}

#[test]
fn the_trace_is_the_log_posterior() -> Result<()> {
    let x = data::notebook();
    let em = Em::new(3).prior(prior()).seed(4).max_iterations(6).tolerance(0.0);
    let fit = em.fit(&x)?;
    let log_prior = plain_log_prior(&prior(), &fit.mixture);
    assert_relative_eq!(fit.log_prior, log_prior, max_relative = 1e-12);
    let log_likelihood = fit.mixture.log_density(&x)?.sum();
    assert_relative_eq!(fit.log_likelihood(), log_likelihood, max_relative = 1e-12);
    let last = *fit.trace.last().unwrap();
    assert_relative_eq!(last, log_likelihood + log_prior, max_relative = 1e-12);
    assert_eq!(Em::new(3).fit(&x)?.log_prior, 0.0);
    Ok(())
}

/// At the end no parameter's change helps: the gradient of the log posterior is zero, along the
/// simplex for the weights.
#[test]
fn the_end_is_a_maximum() -> Result<()> {
    let x = data::notebook().rows(0, 150).into_owned();
    let fit = Em::new(2).prior(prior()).seed(1).max_iterations(5000).tolerance(1e-15);
    let m = fit.fit(&x)?.mixture;
    // logit of the weight, means, and the covariances' lower triangles
    let mut at = vec![(m.weights()[0] / m.weights()[1]).ln()];
    for k in 0..2 {
        let s = m.covariance(k);
        at.extend([m.means()[(k, 0)], m.means()[(k, 1)]]);
        at.extend([s[(0, 0)], s[(1, 0)], s[(1, 1)]]);
    }
    let log_posterior = |v: &DVector<f64>| {
        let w = 1.0 / (1.0 + (-v[0]).exp());
        let sigma = |i: usize| dmatrix![v[i], v[i + 1]; v[i + 1], v[i + 2]];
        let mixture = GaussianMixture::new(
            dvector![w, 1.0 - w],
            dmatrix![v[1], v[2]; v[6], v[7]],
            vec![sigma(3), sigma(8)],
        );
        let mixture = mixture.unwrap();
        // The weights' prior in the coordinates of the simplex: no Jacobian for the logit.
        mixture.log_density(&x).unwrap().sum() + plain_log_prior(&prior(), &mixture)
    };
    let slope = gradient(log_posterior, &DVector::from_vec(at));
    assert!(slope.amax() < 1e-4, "{slope}");
    Ok(())
}

#[test]
fn nothing_collapses() -> Result<()> {
    // Four copies of each of six points: maximum likelihood runs off to infinity.
    let x = DMatrix::from_fn(24, 2, |n, j| data::faithful()[(n / 4, j)]);
    let collapse = Em::new(5).restarts(3).fit(&x).unwrap_err();
    assert!(matches!(collapse, Error::Collapse { .. }), "{collapse}");
    let fit = Em::new(5).prior(Prior::for_components(&x, 5)?).restarts(3).fit(&x)?;
    assert!(fit.converged && fit.log_likelihood().is_finite());
    // Data in a line, or all in one point, with a prior of one's own.
    let line = DMatrix::from_fn(30, 2, |n, _| n as f64);
    let point = DMatrix::from_element(30, 2, 1.0);
    for x in [line, point] {
        let em = Em::new(3).prior(prior()).start(Start::RandomPoints);
        assert!(em.fit(&x)?.converged);
    }
    Ok(())
}

/// A prior worth nothing gives maximum likelihood back, and so does a million times the data.
#[test]
fn many_points_outvote_the_prior() -> Result<()> {
    let x = data::faithful();
    let start = Em::new(2).seed(7).fit(&x)?.mixture;
    let em = Em::new(2).start(Start::Given(start)).tolerance(1e-12);
    let plain = em.fit(&x)?.mixture;
    let copies = DVector::from_element(272, 1e7);
    let outvoted =
        em.prior(Prior::for_components(&x, 2)?).fit_weighted(&x, &copies)?;
    let map = outvoted.mixture;
    assert_relative_eq!(plain.weights(), map.weights(), epsilon = 1e-5);
    assert_relative_eq!(plain.means(), map.means(), epsilon = 1e-4);
    assert_relative_eq!(plain.covariance(0), map.covariance(0), max_relative = 1e-4);
    Ok(())
}

#[test]
fn options_that_cannot_be() -> Result<()> {
    let x = data::faithful();
    let fault =
        |prior: Prior| Em::new(2).prior(prior).fit(&x).unwrap_err().to_string();
    let sparse = fault(Prior { alpha0: 0.5, ..prior() });
    assert!(
        sparse.contains("alpha0 = 0.5") && sparse.contains("1 or more"),
        "{sparse}"
    );
    assert!(fault(Prior { nu0: 0.9, ..prior() }).contains("nu0"));
    let three =
        Prior { m0: DVector::zeros(3), w0: DMatrix::identity(3, 3), ..prior() };
    assert!(fault(three).contains("3 dimensions"));
    assert!(Prior::for_components(&x, 0).is_err());
    // The same prior serves both.
    assert!(Vb::new(2).prior(Prior::for_components(&x, 2)?).fit(&x)?.converged);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: proptest::test_runner::RngSeed::Fixed(21),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The library itself refuses a fall beyond 1e-12 of the terms.
    #[test]
    fn the_log_posterior_never_falls(
        n in 1_usize..40,
        d in 1_usize..5,
        k in 1_usize..6,
        log_scale in -6.0..6.0_f64,
        log_prior in -2.0..2.0_f64,
        more_alpha in 0.0..3.0_f64,
        log_beta in -3.0..2.0_f64,
        more_nu in 0.01..10.0_f64,
        copies in 1_usize..4,
        seed in any::<u64>(),
    ) {
        let scale = 10.0_f64.powf(log_scale);
        let mut rng = rng_stream(seed, 1);
        let mut x = DMatrix::from_fn(n, d, |_, _| scale * noise(1, &mut rng)[0]);
        for i in 0..n {
            let original = x.row(i - i % copies).into_owned();
            x.set_row(i, &original);
        }
        let prior = Prior {
            alpha0: 1.0 + more_alpha,
            beta0: 10.0_f64.powf(log_beta),
            m0: noise(d, &mut rng) * scale,
            w0: random_covariance(d, &mut rng)
                / (scale * 10.0_f64.powf(log_prior)).powi(2),
            nu0: d as f64 - 1.0 + more_nu,
        };
        let sigma = random_covariance(d, &mut rng) * scale * scale;
        let means = DMatrix::from_fn(k, d, |_, _| scale * rng.random_range(-2.0..2.0));
        let weights = DVector::from_element(k, 1.0 / k as f64);
        let start = GaussianMixture::new(weights, means, vec![sigma; k]).unwrap();
        if k <= n {
            let em = Em::new(k).prior(prior).start(Start::Given(start)).tolerance(0.0);
            let fit = em.max_iterations(30).fit(&x).unwrap();
            prop_assert!(fit.trace.iter().all(|f| f.is_finite()));
        }
    }
}

#[test]
fn the_default_prior_is_scale_aware() -> Result<()> {
    let x = data::faithful();
    let mut rng = rng(5);
    let map = random_covariance(2, &mut rng) * 1e-3;
    let moved = &x * map.transpose();
    let (a, b) = (Prior::for_components(&x, 3)?, Prior::for_components(&moved, 3)?);
    let (a, b) = (
        Em::new(3).prior(a).seed(2).fit(&x)?,
        Em::new(3).prior(b).seed(2).fit(&moved)?,
    );
    assert_eq!(a.iterations, b.iterations);
    assert_relative_eq!(a.mixture.weights(), b.mixture.weights(), epsilon = 1e-7);
    Ok(())
}
