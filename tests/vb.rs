//! The laws of variational Bayes: its bound is exact where it can be, never falls, and
//! means the same in any units.

mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::{log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{
    Concentration, Covariance, GaussianMixture, Moments, Posterior, Prior, Result,
    Start, StickBreaking, Vb, VbFit, data,
};
use proptest::prelude::*;

fn prior(d: usize, seed: u64) -> Prior {
    let mut rng = rng_stream(400, seed);
    Prior {
        alpha0: rng.random_range(0.05..3.0),
        beta0: rng.random_range(0.01..4.0),
        m0: noise(d, &mut rng),
        w0: random_covariance(d, &mut rng),
        nu0: d as f64 - 0.9 + rng.random_range(0.0..5.0),
    }
}

/// The log evidence of one Gaussian by PRML's normalisers, with inverse and determinant.
fn plain_log_evidence(prior: &Prior, x: &DMatrix<f64>) -> f64 {
    let (n, d) = (x.nrows() as f64, x.ncols() as f64);
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    if n == 0.0 {
        return 0.0;
    }
    let mean = x.row_mean().transpose();
    let mut inverse = inverse0.clone();
    for row in x.row_iter() {
        let v = row.transpose() - &mean;
        inverse += &v * v.transpose();
    }
    let shift = &mean - &prior.m0;
    inverse += &shift * shift.transpose() * (prior.beta0 * n / (prior.beta0 + n));
    let gammas = |nu: f64| -> f64 {
        (0..x.ncols())
            .map(|i| statrs::function::gamma::ln_gamma(0.5 * (nu - i as f64)))
            .sum()
    };
    let nu = prior.nu0 + n;
    gammas(nu) - gammas(prior.nu0) - 0.5 * n * d * std::f64::consts::PI.ln()
        + 0.5 * prior.nu0 * inverse0.determinant().ln()
        - 0.5 * nu * inverse.determinant().ln()
        + 0.5 * d * (prior.beta0 / (prior.beta0 + n)).ln()
}

/// The Dirichlet–multinomial probability of labels with these counts.
fn plain_log_label_probability(alpha0: f64, counts: &[f64]) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let (k, n) = (counts.len() as f64, counts.iter().sum::<f64>());
    ln_gamma(k * alpha0) - ln_gamma(k * alpha0 + n)
        + counts.iter().map(|c| ln_gamma(alpha0 + c) - ln_gamma(alpha0)).sum::<f64>()
}

/// The bound in both forms, at the best responsibilities.
fn both(posterior: &Posterior, x: &DMatrix<f64>) -> Result<(f64, f64)> {
    let r = posterior.responsibilities(x)?;
    Ok((posterior.elbo(x)?, posterior.elbo_with(x, &r)?))
}

#[test]
fn with_one_component_the_bound_is_the_evidence() -> Result<()> {
    for (d, n) in [(1, 3), (1, 40), (2, 1), (2, 30), (5, 4), (5, 200)] {
        for seed in 0..4 {
            let prior = prior(d, seed);
            let mut rng = rng_stream(410, seed);
            let x = DMatrix::from_fn(n, d, |_, _| 3.0 * noise(1, &mut rng)[0]);
            let fit = Vb::new(1).prior(prior.clone()).fit(&x)?;
            let exact = plain_log_evidence(&prior, &x);
            assert_relative_eq!(fit.elbo(), exact, max_relative = 1e-9);
            let (collapsed, terms) = both(&fit.posterior, &x)?;
            assert_relative_eq!(collapsed, exact, max_relative = 1e-9);
            assert_relative_eq!(terms, exact, max_relative = 1e-9);
            let r = DMatrix::from_element(n, 1, 1.0);
            let seven = fit.posterior.elbo_terms(&x, &r)?.total();
            assert_relative_eq!(seven, exact, max_relative = 1e-9);
            let moments = Moments::of(&x)?;
            let library = prior.gaussian_wishart()?.log_evidence(&moments)?;
            assert_relative_eq!(library, exact, max_relative = 1e-9);
        }
    }
    Ok(())
}

/// Far from zero the same numbers come out, to what the rounding of the data themselves allows;
/// the offset is a power of two and the data lie on a grid, so that it allows all.
#[test]
fn the_evidence_at_an_offset() -> Result<()> {
    let grid = 2.0_f64.powi(-20);
    for (d, offset) in [(1, 1e6), (2, 1e6), (5, 1e6), (2, 2.0_f64.powi(27))] {
        let prior = prior(d, 9);
        let mut rng = rng(411);
        let x = DMatrix::from_fn(50, d, |_, _| {
            (noise(1, &mut rng)[0] / grid).round() * grid
        });
        let near = Prior { m0: prior.m0.map(|v| (v / grid).round() * grid), ..prior };
        let exact = plain_log_evidence(&near, &x);
        let far = Prior { m0: near.m0.add_scalar(offset), ..near.clone() };
        let fit = Vb::new(1).prior(far).fit(&x.add_scalar(offset))?;
        assert_relative_eq!(fit.elbo(), exact, max_relative = 1e-9);
        let elbo = fit.posterior.elbo(&x.add_scalar(offset))?;
        assert_relative_eq!(elbo, exact, max_relative = 1e-9);

        // With m₀ left at zero the mean term swamps W₀⁻¹: condition 1e12.
        let away = Prior { m0: DVector::zeros(d), ..near };
        let x = x.add_scalar(1e6);
        let fit = Vb::new(1).prior(away.clone()).fit(&x)?;
        let expected = away.gaussian_wishart()?.log_evidence(&Moments::of(&x)?)?;
        assert_relative_eq!(fit.elbo(), expected, max_relative = 1e-5);
        let plain = plain_log_evidence(&away, &x);
        assert_relative_eq!(fit.elbo(), plain, max_relative = 1e-5);
    }
    Ok(())
}

/// Eight points and two components: all 256 assignments.
#[test]
fn one_hot_assignments_are_exact() -> Result<()> {
    let (n, k) = (8, 2);
    for seed in 0..3 {
        let prior = prior(2, seed);
        let mut rng = rng_stream(420, seed);
        let x = DMatrix::from_fn(n, 2, |n, _| {
            noise(1, &mut rng)[0] + if n < 4 { 3.0 } else { -1.0 }
        });
        let mut joint = Vec::new();
        for code in 0..1_usize << n {
            let label = |i: usize| code >> i & 1;
            let r = DMatrix::from_fn(n, k, |i, k| f64::from(u8::from(label(i) == k)));
            let posterior = Posterior::from_responsibilities(&prior, &x, &r)?;
            let bound = posterior.elbo_with(&x, &r)?;

            let members = |k: usize| (0..n).filter(move |&i| label(i) == k);
            let counts = [members(0).count() as f64, members(1).count() as f64];
            let exact = plain_log_label_probability(prior.alpha0, &counts)
                + (0..k)
                    .map(|k| {
                        let rows: Vec<usize> = members(k).collect();
                        plain_log_evidence(&prior, &x.select_rows(&rows))
                    })
                    .sum::<f64>();
            assert_relative_eq!(bound, exact, epsilon = 1e-10, max_relative = 1e-12);
            let seven = posterior.elbo_terms(&x, &r)?.total();
            assert_relative_eq!(seven, exact, epsilon = 1e-10, max_relative = 1e-12);
            joint.push(exact);
        }
        let evidence = log_sum_exp(&joint);
        let fit = Vb::new(k).prior(prior).restarts(20).fit(&x)?;
        assert!(fit.elbo() < evidence, "{} against {evidence}", fit.elbo());
        assert!(fit.elbo() > evidence - 20.0, "{} against {evidence}", fit.elbo());
    }
    Ok(())
}

#[test]
fn both_forms_of_the_bound_agree_on_the_notebook() -> Result<()> {
    let x = data::notebook();
    for (k, seed) in [(1, 0), (3, 1), (6, 2)] {
        let prior = Prior { m0: dvector![0.5, 1.0], ..prior(2, seed) };
        let fit = Vb::new(k).prior(prior).seed(seed).max_iterations(7).fit(&x)?;
        let (collapsed, terms) = both(&fit.posterior, &x)?;
        assert_relative_eq!(collapsed, terms, max_relative = 1e-12);
        assert_relative_eq!(collapsed, fit.elbo(), max_relative = 1e-12);
    }
    Ok(())
}

/// Other responsibilities than the best give a lower bound; and each update of one factor
/// with the other fixed is that factor's best.
#[test]
fn each_factor_is_the_best_for_the_other() -> Result<()> {
    let x = data::notebook().rows(0, 80).into_owned();
    let prior = prior(2, 5);
    let mut rng = rng(430);
    let mut random_r = || {
        let mut r = DMatrix::from_fn(80, 3, |_, _| rng.random_range(0.01..1.0));
        for mut row in r.row_iter_mut() {
            let total: f64 = row.sum();
            row /= total;
        }
        r
    };
    let r = random_r();
    let best = Posterior::from_responsibilities(&prior, &x, &r)?;
    let (elbo, with) = (best.elbo(&x)?, best.elbo_with(&x, &r)?);
    assert!(elbo > with);
    for _ in 0..20 {
        let other = random_r();
        assert!(best.elbo_with(&x, &other)? < elbo);
        let worse = Posterior::from_responsibilities(&prior, &x, &other)?;
        assert!(worse.elbo_with(&x, &r)? < with);
        // A little away from the best, too.
        let near = &r * 0.999 + other * 0.001;
        let near = Posterior::from_responsibilities(&prior, &x, &near)?;
        assert!(near.elbo_with(&x, &r)? < with);
    }
    Ok(())
}

/// A component without points falls back to the prior, and the bound climbs through it.
#[test]
fn empty_components_fall_back_to_the_prior() -> Result<()> {
    let x = data::faithful();
    let prior = Prior { alpha0: 1e-3, ..Prior::from_data(&x)? };
    let fit = Vb::new(8).prior(prior.clone()).seed(3).tolerance(1e-9).fit(&x)?;
    let empty: Vec<usize> =
        (0..8).filter(|&k| fit.posterior.alpha()[k] < 2e-3).collect();
    assert!(!empty.is_empty());
    for k in empty {
        assert_relative_eq!(fit.posterior.beta()[k], prior.beta0, epsilon = 1e-3);
        assert_relative_eq!(fit.posterior.nu()[k], prior.nu0, epsilon = 1e-3);
        assert_relative_eq!(*fit.posterior.w(k), prior.w0, max_relative = 1e-2);
    }
    let away = dmatrix![3.5, 70.0; 3.0, 60.0; 1e4, 1e6];
    let fit = Vb::new(3).prior(prior.clone()).start(Start::Means(away)).fit(&x)?;
    assert_eq!(fit.posterior.alpha()[2], prior.alpha0);
    assert_relative_eq!(
        fit.posterior.means().row(2).transpose(),
        prior.m0,
        max_relative = 1e-12
    );
    assert_monotone(&fit);
    Ok(())
}

fn assert_monotone(fit: &VbFit) {
    for pair in fit.trace.windows(2) {
        let slack = 1e-10 * (1.0 + pair[0].abs());
        assert!(pair[1] >= pair[0] - slack, "{} after {}", pair[1], pair[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        rng_seed: proptest::test_runner::RngSeed::Fixed(12),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any shape of problem: few rows, more dimensions than rows, duplicates, any scale.
    #[test]
    fn the_bound_never_falls(
        n in 1_usize..40,
        d in 1_usize..5,
        k in 1_usize..6,
        log_scale in -6.0..6.0_f64,
        log_prior in -3.0..3.0_f64,
        log_alpha in -3.0..2.0_f64,
        log_beta in -3.0..2.0_f64,
        more_nu in 0.01..10.0_f64,
        copies in 1_usize..4,
        seed in any::<u64>(),
    ) {
        let scale = 10.0_f64.powf(log_scale);
        let mut rng = rng(seed);
        let x = DMatrix::from_fn(n, d, |_, _| 0.0);
        let mut x: DMatrix<f64> = x.map(|_: f64| scale * noise(1, &mut rng)[0]);
        for i in 0..n {
            let original = x.row(i - i % copies).into_owned();
            x.set_row(i, &original);
        }
        let prior = Prior {
            alpha0: 10.0_f64.powf(log_alpha),
            beta0: 10.0_f64.powf(log_beta),
            m0: noise(d, &mut rng) * scale,
            w0: random_covariance(d, &mut rng)
                / (scale * 10.0_f64.powf(log_prior)).powi(2),
            nu0: d as f64 - 1.0 + more_nu,
        };
        let means = DMatrix::from_fn(k, d, |_, _| scale * noise(1, &mut rng)[0]);
        let fit = Vb::new(k)
            .prior(prior.clone())
            .start(Start::Means(means))
            .tolerance(0.0)
            .max_iterations(30)
            .fit(&x)
            .unwrap();
        assert_monotone(&fit);
        let (collapsed, terms) = both(&fit.posterior, &x).unwrap();
        let size = collapsed.abs().max(n as f64);
        prop_assert!((collapsed - terms).abs() < 1e-9 * size, "{collapsed} {terms}");
        if n > k * copies {
            let fit = Vb::new(k).prior(prior).seed(seed).fit(&x).unwrap();
            assert_monotone(&fit);
        }
    }
}

/// The default prior: other units, axes or origin change the fit in the same way, and nothing
/// else.
#[test]
fn the_default_prior_is_free_of_units() -> Result<()> {
    let x = data::faithful();
    let (shift, map) = (dvector![30.0, -7.0], dmatrix![0.3, -40.0; 2.0, 5.0]);
    let moved = DMatrix::from_fn(x.nrows(), 2, |n, i| {
        (&map * x.row(n).transpose() + &shift)[i]
    });
    let (a, b) = (Prior::from_data(&x)?, Prior::from_data(&moved)?);
    assert_relative_eq!(&map * &a.m0 + &shift, b.m0, max_relative = 1e-12);
    let inverse = map.clone().try_inverse().unwrap();
    assert_relative_eq!(
        inverse.transpose() * &a.w0 * &inverse,
        b.w0,
        max_relative = 1e-10
    );
    let vb = Vb::new(4).restarts(3).seed(11).tolerance(1e-9);
    let (a, b) = (vb.fit(&x)?, vb.fit(&moved)?);
    assert_eq!(a.iterations, b.iterations);
    assert_relative_eq!(
        a.posterior.alpha(),
        b.posterior.alpha(),
        max_relative = 1e-6
    );
    let log_det = map.determinant().abs().ln() * x.nrows() as f64;
    assert_relative_eq!(a.elbo(), b.elbo() + log_det, max_relative = 1e-10);
    for k in 0..4 {
        let mean = &map * a.posterior.means().row(k).transpose() + &shift;
        let other = b.posterior.means().row(k).transpose();
        assert_relative_eq!(mean, other, max_relative = 1e-6);
    }
    Ok(())
}

#[test]
fn weights_count_rows() -> Result<()> {
    let x = data::notebook().rows(0, 60).into_owned();
    let twice = DMatrix::from_fn(120, 2, |n, j| x[(n / 2, j)]);
    let means = dmatrix![1.0, 0.0; 4.0, 2.0; -3.0, 2.0];
    let start = || Vb::new(3).start(Start::Means(means.clone())).max_iterations(40);
    let a = start().fit(&twice)?;
    let b = start().fit_weighted(&x, &DVector::from_element(60, 2.0))?;
    assert_eq!(a.iterations, b.iterations);
    assert_relative_eq!(a.elbo(), b.elbo(), max_relative = 1e-12);
    assert_relative_eq!(
        a.posterior.alpha(),
        b.posterior.alpha(),
        max_relative = 1e-10
    );
    assert_relative_eq!(a.posterior.means(), b.posterior.means(), epsilon = 1e-10);
    assert_relative_eq!(a.posterior.w(0), b.posterior.w(0), epsilon = 1e-10);
    Ok(())
}

/// A given mixture gives the first responsibilities.
#[test]
fn a_given_start_shares_the_points_out_once() -> Result<()> {
    let x = data::notebook();
    let (weights, means, covariances) = data::notebook_truth();
    let truth = GaussianMixture::new(weights, means, covariances)?;
    let prior = prior(2, 3);
    let expected =
        Posterior::from_responsibilities(&prior, &x, &truth.responsibilities(&x)?)?;
    let fit = Vb::new(3)
        .prior(prior)
        .start(Start::Given(truth))
        .tolerance(0.0)
        .max_iterations(0)
        .fit(&x)?;
    assert_eq!((fit.iterations, fit.trace.len()), (0, 1));
    assert_relative_eq!(
        fit.posterior.alpha(),
        expected.alpha(),
        max_relative = 1e-12
    );
    assert_relative_eq!(fit.posterior.means(), expected.means(), epsilon = 1e-12);
    assert_relative_eq!(fit.elbo(), expected.elbo(&x)?, max_relative = 1e-12);
    Ok(())
}

#[test]
fn fits_are_the_same_bits_on_any_number_of_threads() -> Result<()> {
    let x = data::notebook();
    let fit = || Vb::new(5).restarts(4).seed(2).max_iterations(30).fit(&x);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(fit)
    };
    let one = on(1)?;
    for threads in [2, 3, 8] {
        assert_eq!(one, on(threads)?);
    }
    Ok(())
}

#[test]
fn a_fit_survives_json_bit_by_bit() -> Result<()> {
    let mut rng = rng(450);
    // Two columns that nearly agree: W and W⁻¹ are inverses to few digits only.
    let mut near = data::notebook();
    for n in 0..near.nrows() {
        near[(n, 1)] = near[(n, 0)] + 3e-6 * noise(1, &mut rng)[0];
    }
    let mut text = String::new();
    for x in [near, data::notebook()] {
        let fit = Vb::new(3).max_iterations(5).fit(&x)?;
        text = serde_json::to_string(&fit).unwrap();
        let back: VbFit = serde_json::from_str(&text).unwrap();
        assert_eq!(fit, back);
        assert_eq!(text, serde_json::to_string(&back).unwrap());
        let predictive = fit.posterior.predictive();
        let text = serde_json::to_string(&predictive).unwrap();
        assert_eq!(predictive, serde_json::from_str(&text).unwrap());
        let mixture = fit.posterior.expected_mixture();
        let text = serde_json::to_string(&mixture).unwrap();
        assert_eq!(mixture, serde_json::from_str(&text).unwrap());
    }
    let broken = text.replace("\"alpha0\":0.01", "\"alpha0\":-1.0");
    let fault = serde_json::from_str::<VbFit>(&broken).unwrap_err().to_string();
    assert!(fault.contains("-1") && fault.contains("positive"), "{fault}");
    Ok(())
}

/// The marginals of a draw are known: Beta for a weight, Student-t for a mean.
#[test]
fn credible_intervals_are_quantiles_of_the_posterior() -> Result<()> {
    use statrs::distribution::{Beta, ContinuousCDF, StudentsT};
    let q = Vb::new(2).seed(7).fit(&data::faithful())?.posterior;
    let credible = q.credible(0.9, 20_000, &mut rng(440))?;
    let total: f64 = q.alpha().sum();
    for k in 0..2 {
        let beta = Beta::new(q.alpha()[k], total - q.alpha()[k]).unwrap();
        let lower = beta.cdf(credible.weights.lower[k]);
        let upper = beta.cdf(credible.weights.upper[k]);
        assert!((lower - 0.05).abs() < 0.008, "{lower}");
        assert!((upper - 0.95).abs() < 0.008, "{upper}");

        let degrees = q.nu()[k] - 1.0;
        let inverse = q.w(k).clone().try_inverse().unwrap();
        for j in 0..2 {
            let scale = (inverse[(j, j)] / (q.beta()[k] * degrees)).sqrt();
            let t = StudentsT::new(q.means()[(k, j)], scale, degrees).unwrap();
            assert!((t.cdf(credible.means.lower[(k, j)]) - 0.05).abs() < 0.008);
            assert!((t.cdf(credible.means.upper[(k, j)]) - 0.95).abs() < 0.008);
        }
        let within = &credible.covariances[k];
        let expected = inverse / (q.nu()[k] - 3.0);
        for i in 0..4 {
            assert!(within.lower[i] < expected[i] && expected[i] < within.upper[i]);
        }
    }
    Ok(())
}

/// A random start's components have the prior's shape and the data's size. Three different
/// points and three components: k-means++ has no choice of means.
#[test]
fn random_starts_have_the_priors_shape_and_the_datas_size() -> Result<()> {
    let corners = [dvector![0.0, 0.0], dvector![1.0, 0.2], dvector![0.3, 0.8]];
    let x = DMatrix::from_fn(6, 2, |n, j| corners[[0, 0, 0, 1, 1, 2][n]][j]);
    let prior = prior(2, 6);
    let mean = x.row_mean().transpose();
    let scatter = points(&x).iter().fold(DMatrix::zeros(2, 2), |sum, x| {
        sum + (x - &mean) * (x - &mean).transpose() / 6.0
    });
    let size = (&prior.w0 * scatter).trace() / 2.0;
    let sigma = prior.w0.clone().try_inverse().unwrap() * size / 3.0; // K^(2/D) = 3
    let densities = DMatrix::from_fn(6, 3, |n, k| {
        plain_density(&x.row(n).transpose(), &corners[k], &sigma)
    });
    let r = DMatrix::from_fn(6, 3, |n, k| densities[(n, k)] / densities.row(n).sum());
    let mut expected: Vec<f64> =
        r.row_sum().iter().map(|n| n + prior.alpha0).collect();
    let fit = Vb::new(3).prior(prior).max_iterations(0).fit(&x)?;
    let mut found = fit.posterior.alpha().as_slice().to_vec();
    expected.sort_by(f64::total_cmp);
    found.sort_by(f64::total_cmp);
    assert_relative_eq!(found[..], expected[..], max_relative = 1e-9);
    Ok(())
}

/// Tiny or huge concentrations and degrees of freedom: terms as large as 1/α₀ or ν₀ cancel, and
/// must do so before they are rounded.
#[test]
fn the_bound_keeps_its_digits_at_extreme_priors() -> Result<()> {
    let x = data::faithful();
    let default = Prior::from_data(&x)?;
    for (alpha0, nu0) in
        [(1e-12, 4.0), (1e-6, 1.0 + 1e-9), (1e6, 4.0), (1.0, 1e8), (1.0, 1e12)]
    {
        let w0 = &default.w0 * (default.nu0 / f64::max(nu0, 4.0));
        let prior = Prior { alpha0, nu0, w0, ..default.clone() };
        let fit = Vb::new(6).prior(prior).seed(1).fit(&x)?;
        let (collapsed, with) = both(&fit.posterior, &x)?;
        assert_relative_eq!(collapsed, with, max_relative = 1e-9);
        assert_relative_eq!(collapsed, fit.elbo(), max_relative = 1e-9);
        // KL(q ‖ p) is never negative, and nothing if q is p.
        let component = fit.posterior.prior().gaussian_wishart()?;
        for q in fit.posterior.components() {
            assert!(q.kl(&component)? >= 0.0);
        }
        assert!(component.kl(&component)?.abs() < 1e-15);
    }
    Ok(())
}

/// Components without points and with barely enough degrees of freedom: their draws are nearly
/// singular, and no reason to give up.
#[test]
fn draws_of_nearly_improper_components() -> Result<()> {
    let x = data::faithful();
    let prior = Prior { nu0: 1.2, alpha0: 0.01, ..Prior::from_data(&x)? };
    let q = Vb::new(6).prior(prior).restarts(3).fit(&x)?.posterior;
    assert!(q.alpha().min() < 0.1);
    let credible = q.credible(0.9, 1000, &mut rng(460))?;
    let full = q.alpha().imax();
    assert!(credible.covariances[full].upper[(0, 0)] < 2.0);
    Ok(())
}

/// Counts are read from what they were added to, the sticks: β₀ may be far larger.
#[test]
fn counts_survive_a_large_beta0() -> Result<()> {
    let x = data::faithful();
    let prior = Prior { beta0: 1e20, ..Prior::from_data(&x)? };
    let r =
        DMatrix::from_fn(x.nrows(), 2, |n, k| f64::from(usize::from(n < 100) == k));
    let process = Concentration::DirichletProcess { alpha: 1.0 };
    let vb = Vb::new(2).prior(prior).concentration(process);
    let posterior = vb.given_responsibilities(&x, &r)?;
    assert_eq!(posterior.counts()[0], 172.0);
    Ok(())
}

/// Weights of another kind than the prior's are refused, by name.
#[test]
fn weights_of_another_kind_are_refused() -> Result<()> {
    let prior = Prior::from_data(&data::faithful())?;
    let (component, sticks) =
        (prior.gaussian_wishart()?, StickBreaking::process(1.0, 1)?);
    let fault = Posterior::new(prior, sticks, vec![component]).unwrap_err();
    let words = "the sticks of a Dirichlet process, but must be a Dirichlet,";
    assert!(fault.to_string().contains(words), "{fault}");
    Ok(())
}

/// However large α is, the order of the components is decided by their counts, and the bound climbs.
#[test]
fn a_dirichlet_process_of_any_concentration_climbs() -> Result<()> {
    let x = data::faithful();
    for alpha in [1e-24, 1e3, 1e16, 1e20, 1e24] {
        let process = Concentration::DirichletProcess { alpha };
        for shape in Covariance::ALL {
            for seed in 0..4 {
                let vb = Vb::new(2).covariance(shape).concentration(process);
                let fit = vb.seed(seed).max_iterations(80).fit(&x)?;
                assert_monotone(&fit);
            }
        }
    }
    Ok(())
}
