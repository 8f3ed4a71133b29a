//! The Gibbs sampler draws from the posterior: the exact one where that can be summed, and
//! in any case the one that belongs to the prior and the model (Geweke's test).

#[path = "common/mod.rs"]
mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::{Rng, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{GaussianMixture, Gibbs, Posterior, Prior, Result, data};

/// The mean of correlated draws with its standard error, from the means of 50 batches.
fn batch_mean_and_error(draws: &[f64]) -> (f64, f64) {
    let length = draws.len() / 50;
    let batches: Vec<f64> = draws
        .chunks_exact(length)
        .map(|batch| batch.iter().sum::<f64>() / length as f64)
        .collect();
    mean_and_error(&batches)
}

/// With moments of every functional below: ν₀ is large enough.
fn geweke_prior() -> Prior {
    Prior {
        alpha0: 1.5,
        beta0: 0.7,
        m0: dvector![0.5, -0.3],
        w0: dmatrix![0.10, 0.03; 0.03, 0.15],
        nu0: 9.0,
    }
}

/// What is compared, of parameters, data and labels drawn together; names count.
fn functionals(m: &GaussianMixture, x: &DMatrix<f64>, z: &[usize]) -> Vec<f64> {
    let log_det = |k: usize| m.covariance(k).determinant().ln();
    let (pi, mu) = (m.weights()[0], m.means());
    let same = |a: usize, b: usize| f64::from(u8::from(a == b));
    vec![
        pi,
        pi * pi,
        pi.ln(),
        mu[(0, 0)],
        mu[(1, 1)].powi(2),
        mu[(0, 0)] * mu[(0, 1)],
        mu[(0, 0)] * mu[(1, 0)],
        log_det(0),
        log_det(0) * log_det(1),
        m.covariance(1)[(0, 0)],
        m.covariance(1)[(0, 1)],
        m.covariance(0)[(0, 0)] * mu[(0, 0)].powi(2),
        x.column(0).mean(),
        x[(0, 0)] * x[(1, 0)],
        x[(0, 0)] * x[(0, 1)],
        x[(0, 0)] * mu[(0, 0)],
        x[(0, 0)] * mu[(z[0], 0)],
        same(z[0], 0),
        same(z[0], z[1]),
        pi * same(z[1], 0),
    ]
}

/// Parameters, N points and their labels, straight from the prior and the model.
fn from_the_prior(
    prior: &Prior,
    n: usize,
    rng: &mut Rng,
) -> Result<(GaussianMixture, DMatrix<f64>, Vec<usize>)> {
    let components = vec![prior.gaussian_wishart()?; 2];
    let before = Posterior::new(prior.clone(), prior.dirichlet(2)?, components)?;
    let mixture = before.sample(rng)?;
    let (x, z) = mixture.sample(n, rng);
    Ok((mixture, x, z))
}

/// Geweke's test (2004, *Getting it right*). There are two ways to draw parameters, labels
/// and data from their joint distribution: from the prior downwards; or by a chain that
/// sweeps, given the data, and draws new data, given parameters and labels. The second is
/// right only if the sweep is. The largest difference of any functional's means, in standard
/// errors; `sweeps_with` is the prior that the sweep is told.
fn geweke(prior: &Prior, sweeps_with: &Prior, seed: u64) -> Result<f64> {
    let (n, draws) = (4, 40_000);
    let mut rng = rng_stream(seed, 0);
    let mut down: Vec<Vec<f64>> = Vec::new();
    for _ in 0..draws {
        let (m, x, z) = from_the_prior(prior, n, &mut rng)?;
        down.push(functionals(&m, &x, &z));
    }
    let mut rng = rng_stream(seed, 1);
    let (_, mut x, z) = from_the_prior(prior, n, &mut rng)?;
    let mut gibbs = Gibbs::new(sweeps_with.clone(), 2, z)?;
    let mut round: Vec<Vec<f64>> = Vec::new();
    for _ in 0..draws {
        let mixture = gibbs.sweep(&x, &mut rng)?;
        for (mut row, &k) in x.row_iter_mut().zip(gibbs.labels()) {
            let (point, _) = component(&mixture, k).sample(1, &mut rng);
            row.copy_from(&point);
        }
        round.push(functionals(&mixture, &x, gibbs.labels()));
    }
    let column = |of: &[Vec<f64>], i: usize| -> Vec<f64> {
        of.iter().map(|row| row[i]).collect()
    };
    let mut largest = 0.0_f64;
    for i in 0..down[0].len() {
        let (expected, error) = mean_and_error(&column(&down, i));
        let (mean, batch_error) = batch_mean_and_error(&column(&round, i));
        largest = largest.max((mean - expected).abs() / error.hypot(batch_error));
    }
    Ok(largest)
}

/// Component k alone, as a mixture of one.
fn component(m: &GaussianMixture, k: usize) -> GaussianMixture {
    let mean = m.means().rows(k, 1).into_owned();
    let sigma = vec![m.covariance(k).clone()];
    GaussianMixture::new(dvector![1.0], mean, sigma).unwrap()
}

#[test]
fn the_sweep_leaves_the_joint_distribution_alone() -> Result<()> {
    let prior = geweke_prior();
    for seed in [15, 16] {
        let largest = geweke(&prior, &prior, seed)?;
        assert!(largest < 5.0, "{largest} standard errors");
    }
    Ok(())
}

/// The test above can fail: a sweep with one degree of freedom, a half of a point in each
/// component, or a tenth of a point at m₀ too many is found out.
#[test]
fn a_sweep_with_another_prior_is_found_out() -> Result<()> {
    let prior = geweke_prior();
    for wrong in [
        Prior { nu0: prior.nu0 + 1.0, ..prior.clone() },
        Prior { alpha0: prior.alpha0 + 0.5, ..prior.clone() },
        Prior { beta0: prior.beta0 + 0.1, ..prior.clone() },
        Prior { m0: &prior.m0 * 1.5, ..prior.clone() },
        Prior { w0: &prior.w0 * 1.1, ..prior.clone() },
    ] {
        let largest = geweke(&prior, &wrong, 17)?;
        assert!(largest > 6.0, "only {largest} standard errors: {wrong:?}");
    }
    Ok(())
}

fn small_prior() -> Prior {
    Prior {
        alpha0: 0.8,
        beta0: 0.3,
        m0: dvector![0.2, 0.0],
        w0: dmatrix![0.8, 0.1; 0.1, 0.6],
        nu0: 3.5,
    }
}

fn small_data() -> DMatrix<f64> {
    dmatrix![
        -1.6, 0.3; -1.1, -0.7; -0.6, 0.2; -0.2, 0.9;
        0.3, -0.4; 1.0, 0.6; 1.4, -0.2; 1.9, 0.5
    ]
}

/// ln p(X_k) of the rows of one component by PRML's normalisers, with inverse and
/// determinant.
fn plain_log_evidence(prior: &Prior, rows: &[DVector<f64>]) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let (n, d) = (rows.len() as f64, prior.m0.len() as f64);
    if rows.is_empty() {
        return 0.0;
    }
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    let mean = rows.iter().sum::<DVector<f64>>() / n;
    let shift = &mean - &prior.m0;
    let mut inverse = &inverse0
        + &shift * shift.transpose() * (prior.beta0 * n / (prior.beta0 + n));
    for row in rows {
        inverse += (row - &mean) * (row - &mean).transpose();
    }
    let gammas = |nu: f64| -> f64 {
        (0..prior.m0.len()).map(|i| ln_gamma(0.5 * (nu - i as f64))).sum()
    };
    let nu = prior.nu0 + n;
    gammas(nu) - gammas(prior.nu0) - 0.5 * n * d * std::f64::consts::PI.ln()
        + 0.5 * prior.nu0 * inverse0.determinant().ln()
        - 0.5 * nu * inverse.determinant().ln()
        + 0.5 * d * (prior.beta0 / (prior.beta0 + n)).ln()
}

/// p(z | X) of all 2⁸ assignments; bit n of the index is the label of point n.
fn exact_label_posterior(prior: &Prior, x: &DMatrix<f64>) -> Vec<f64> {
    use statrs::function::gamma::ln_gamma;
    let rows = points(x);
    let joint: Vec<f64> = (0..1_usize << rows.len())
        .map(|code| {
            (0..2)
                .map(|k| {
                    let of_k: Vec<DVector<f64>> = (0..rows.len())
                        .filter(|n| code >> n & 1 == k)
                        .map(|n| rows[n].clone())
                        .collect();
                    // The Dirichlet–multinomial, but for constants.
                    ln_gamma(prior.alpha0 + of_k.len() as f64)
                        + plain_log_evidence(prior, &of_k)
                })
                .sum()
        })
        .collect();
    let total = log_sum_exp(&joint);
    joint.iter().map(|j| (j - total).exp()).collect()
}

/// The assignments' frequencies are the exact probabilities.
#[test]
fn the_labels_of_eight_points_have_their_exact_probabilities() -> Result<()> {
    let (prior, x) = (small_prior(), small_data());
    let exact = exact_label_posterior(&prior, &x);
    let (mut gibbs, mut rng) = (Gibbs::new(prior, 2, vec![0; 8])?, rng(21));
    let sweeps = 100_000;
    let mut visited = Vec::with_capacity(sweeps);
    for _ in 0..100 {
        gibbs.sweep(&x, &mut rng)?;
    }
    for _ in 0..sweeps {
        gibbs.sweep(&x, &mut rng)?;
        let code = gibbs.labels().iter().rev().fold(0, |code, k| 2 * code + k);
        visited.push(code);
    }
    let (mut variation, mut compared) = (0.0, 0);
    for (code, &probability) in exact.iter().enumerate() {
        let here: Vec<f64> =
            visited.iter().map(|c| f64::from(u8::from(*c == code))).collect();
        let (frequency, error) = batch_mean_and_error(&here);
        variation += 0.5 * (frequency - probability).abs();
        if probability > 5e-4 {
            compared += 1;
            let z = (frequency - probability) / error;
            assert!(
                z.abs() < 5.0,
                "{code:08b}: {frequency} for {probability}, z {z}"
            );
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(variation < 0.03, "total variation {variation}");
    Ok(())
}

/// Given the labels, the parameters' posterior is what VB's update makes of responsibilities
/// of 0 and 1; an empty component's is the prior.
#[test]
fn given_the_labels_the_posterior_is_the_update_with_hard_responsibilities()
-> Result<()> {
    let (prior, x) = (small_prior(), small_data());
    let labels = vec![0, 0, 2, 0, 2, 2, 0, 2];
    let r = DMatrix::from_fn(8, 3, |n, k| f64::from(u8::from(labels[n] == k)));
    let expected = Posterior::from_responsibilities(&prior, &x, &r)?;
    let given = Gibbs::new(prior.clone(), 3, labels)?.given_labels(&x)?;
    assert_relative_eq!(given.alpha(), expected.alpha(), max_relative = 1e-14);
    assert_relative_eq!(given.means(), expected.means(), epsilon = 1e-13);
    for k in 0..3 {
        assert_relative_eq!(given.w(k), expected.w(k), max_relative = 1e-12);
    }
    assert_eq!(given.components()[1], prior.gaussian_wishart()?);
    Ok(())
}

/// The same chain at an offset, and on any number of threads.
#[test]
fn a_chain_depends_on_nothing_but_seed_and_data() -> Result<()> {
    let chain = |x: &DMatrix<f64>, m0: DVector<f64>| {
        let prior = Prior { m0, alpha0: 1.0, ..Prior::from_data(&data::notebook())? };
        let begin = (0..x.nrows()).map(|n| n % 3).collect();
        let (mut gibbs, mut rng) = (Gibbs::new(prior, 3, begin)?, rng(3));
        for _ in 0..20 {
            gibbs.sweep(x, &mut rng)?;
        }
        let mixture = gibbs.sweep(x, &mut rng)?;
        Ok::<_, mixtures::Error>((mixture, gibbs.labels().to_vec()))
    };
    let x = data::notebook();
    let run = || chain(&x, dvector![0.0, 1.0]);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(run)
    };
    let (mixture, labels) = on(1)?;
    assert_eq!(on(3)?, (mixture.clone(), labels.clone()));
    let (far, far_labels) = chain(&x.add_scalar(1e5), dvector![1e5, 1e5 + 1.0])?;
    assert_eq!(labels, far_labels);
    assert_relative_eq!(
        far.means().add_scalar(-1e5),
        mixture.means(),
        epsilon = 1e-8
    );
    Ok(())
}

#[test]
fn a_sampler_survives_json() -> Result<()> {
    let gibbs = Gibbs::new(small_prior(), 2, vec![0, 1, 1])?;
    let text = serde_json::to_string(&gibbs).unwrap();
    assert_eq!(serde_json::from_str::<Gibbs>(&text).unwrap(), gibbs);
    let broken = text.replace("[0,1,1]", "[0,7,1]");
    let fault = serde_json::from_str::<Gibbs>(&broken).unwrap_err().to_string();
    assert!(fault.contains("row 1 = 7"), "{fault}");
    Ok(())
}

#[test]
fn bad_labels_and_bad_data_are_refused() -> Result<()> {
    let new = |k, labels| Gibbs::new(small_prior(), k, labels);
    let says = |fault: mixtures::Error, words: &[&str]| {
        let text = fault.to_string();
        words
            .iter()
            .for_each(|word| assert!(text.contains(word), "{word:?}: {text}"));
    };
    says(
        new(2, vec![0, 1, 2]).unwrap_err(),
        &["row 2 = 2", "2 components", "0 to 1"],
    );
    says(new(2, vec![]).unwrap_err(), &["labels", "no entries"]);
    says(new(0, vec![0]).unwrap_err(), &["no concentration"]);
    let prior = Prior { nu0: 0.5, ..small_prior() };
    says(Gibbs::new(prior, 2, vec![0]).unwrap_err(), &["nu0 = 0.5"]);

    let (x, mut rng) = (small_data(), rng(1));
    let mut gibbs = new(2, vec![0; 8])?;
    let before = gibbs.clone();
    let mut fault = |x: &DMatrix<f64>| {
        assert!(gibbs.given_labels(x).is_err());
        gibbs.sweep(x, &mut rng).unwrap_err()
    };
    says(fault(&x.rows(0, 7).into_owned()), &["x is 7 rows", "8 rows"]);
    says(fault(&x.columns(0, 1).into_owned()), &["8×1", "2 dimensions"]);
    says(fault(&DMatrix::zeros(0, 2)), &["no rows"]);
    says(fault(&x.map(|v| if v == 1.0 { f64::NAN } else { v })), &["NaN", "row 5"]);
    assert_eq!(gibbs, before);
    Ok(())
}
