use approx::assert_relative_eq;
use mixtures::math::{log_sum_exp, rng};
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{GaussianMixture, Gibbs, Prior, Result, Start, Vb, data};

// ANCHOR: one
#[test]
fn one_component_leaves_nothing_out() -> Result<()> {
    let x = data::faithful();
    let prior = Prior::from_data(&x)?;
    let fit = Vb::new(1).prior(prior.clone()).fit(&x)?;
    let mut gibbs = Gibbs::new(prior.clone(), 1, vec![0; x.nrows()])?;
    let before = gibbs.given_labels(&x)?;
    assert_relative_eq!(before.w(0), fit.posterior.w(0), max_relative = 1e-9);
    let drawn = gibbs.sweep(&x, &mut rng(1))?;
    assert_eq!(gibbs.given_labels(&x)?, before); // the labels cannot change
    let again = Gibbs::new(prior, 1, vec![0; x.nrows()])?.sweep(&x, &mut rng(2))?;
    assert_ne!(drawn, again); // an independent draw
    Ok(())
}
// ANCHOR_END: one

// ANCHOR: two_means
/// Draws of μ for two standard normals at ±μ with equal weights and the prior
/// N(μ | 0, 1/β₀): signs given μ, then μ given signs.
fn sample_two_means(x: &[f64], beta0: f64, sweeps: usize) -> Vec<f64> {
    let (mut rng, mut mu) = (rng(15), 1.0_f64);
    let precision = beta0 + x.len() as f64;
    (0..sweeps)
        .map(|_| {
            let mut sum = 0.0;
            for x in x {
                let right = 1.0 / (1.0 + (-2.0 * mu * x).exp());
                sum += if rng.random::<f64>() < right { *x } else { -x };
            }
            let noise: f64 = rng.sample(StandardNormal);
            mu = sum / precision + noise / precision.sqrt();
            mu
        })
        .collect()
}

#[test]
fn slowness_and_narrowness_are_one_number() -> Result<()> {
    let truth = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![-1.0; 1.0],
        vec![dmatrix![1.0]; 2],
    )?;
    let (x, _) = truth.sample(200, &mut rng(3));
    let beta0 = 0.1;
    let draws = sample_two_means(x.as_slice(), beta0, 40_000);
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let covariance = |lag: usize| {
        let pairs = draws.iter().zip(&draws[lag..]);
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n
    };
    let rho = covariance(1) / covariance(0);
    let of_q = 1.0 / (beta0 + x.len() as f64); // VB's variance of μ
    assert_relative_eq!(of_q / covariance(0), 1.0 - rho, max_relative = 0.05);
    assert!(0.2 < rho && rho < 0.4);
    Ok(())
}
// ANCHOR_END: two_means

// ANCHOR: far
/// λ by the trapezium rule, and its bound.
fn share_missing(mu: f64) -> (f64, f64) {
    let step = 0.005;
    let sum: f64 = (-2000..=2000)
        .map(|i| step * f64::from(i))
        .map(|x| x * x * (-0.5 * x * x).exp() / (mu * x).cosh())
        .sum();
    let outside = (-0.5 * mu * mu).exp() / std::f64::consts::TAU.sqrt();
    (outside * sum * step, outside * (std::f64::consts::PI / mu).powi(3) / 4.0)
}

#[test]
fn the_missing_share_vanishes_with_distance() {
    for mu in [0.5, 1.0, 2.0, 3.0, 6.0] {
        let (exact, bound) = share_missing(mu);
        assert!(exact < bound);
    }
    assert!(share_missing(3.0).1 < 0.0013);
    let (exact, bound) = share_missing(8.0);
    assert_relative_eq!(exact, bound, max_relative = 0.2);
}
// ANCHOR_END: far

// ANCHOR: evidence
#[test]
fn weights_of_one_mode_miss_the_other() -> Result<()> {
    let x = dmatrix![-2.0; -1.7; -1.1; -0.2; 0.4; 1.2; 1.6; 2.1];
    let log_evidence = -17.3059; // over all 256 assignments, from the text
    let prior = Prior {
        alpha0: 2.0,
        beta0: 0.25,
        m0: dvector![0.0],
        w0: dmatrix![0.5],
        nu0: 8.0,
    };
    let vb = Vb::new(2).prior(prior).start(Start::Means(dmatrix![-1.0; 1.0]));
    let fit = vb.tolerance(1e-10).fit(&x)?;
    let q: DMatrix<f64> = fit.posterior.responsibilities(&x)?;
    let (mut rng, draws) = (rng(4), 20_000);
    let mut logs = Vec::with_capacity(draws);
    for _ in 0..draws {
        let r = fit.posterior.sample(&mut rng)?.responsibilities(&x)?;
        let terms = q.iter().zip(r.iter()).filter(|(q, _)| **q > 0.0);
        logs.push(terms.map(|(q, r)| q * (q / r).ln()).sum::<f64>());
    }
    let estimate = fit.elbo() + log_sum_exp(&logs) - (draws as f64).ln();
    assert!(fit.elbo() < estimate - 0.5);
    let short = log_evidence - estimate;
    assert!((short - 2.0_f64.ln()).abs() < 0.1, "{short}");
    Ok(())
}
// ANCHOR_END: evidence
