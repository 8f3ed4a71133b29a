use std::f64::consts::{PI, TAU};

use approx::assert_relative_eq;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DMatrixView, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{
    Dirichlet, Em, GaussianMixture, GaussianWishart, Moments, Posterior, Prior,
    Result, Start, Vb, Wishart, data,
};
use statrs::function::gamma::{digamma, ln_gamma};

use crate::common::*;

/// A posterior of K components in D dimensions, their counts nₖ given.
fn posterior(d: usize, counts: &[f64], seed: u64) -> Posterior {
    let mut rng = rng_stream(1400, seed);
    let prior = Prior {
        alpha0: 0.7,
        beta0: 0.4,
        m0: DVector::zeros(d),
        w0: DMatrix::identity(d, d),
        nu0: d as f64 + 0.5,
    };
    let components = counts.iter().map(|n| {
        let sigma = random_covariance(d, &mut rng);
        let wishart = Wishart::from_inverse(prior.nu0 + n, sigma * (1.0 + n));
        let m = noise(d, &mut rng) * 2.0;
        GaussianWishart::new(m, prior.beta0 + n, wishart.unwrap()).unwrap()
    });
    let components = components.collect();
    let alpha = DVector::from_iterator(counts.len(), counts.iter().map(|n| 0.7 + n));
    Posterior::new(prior, Dirichlet::new(alpha).unwrap(), components).unwrap()
}

/// E ln πₖ + E ln N(x | μₖ, Λₖ⁻¹), by inverse, determinant and digammas.
fn plain_score(p: &Posterior, k: usize, x: &DVector<f64>) -> f64 {
    let d = x.len() as f64;
    let (w, nu) = (p.w(k), p.nu()[k]);
    let digammas: f64 = (0..x.len()).map(|i| digamma(0.5 * (nu - i as f64))).sum();
    let log_det = digammas + d * 2.0_f64.ln() + w.determinant().ln();
    let v = x - p.means().row(k).transpose();
    let squared = nu * v.dot(&(w * &v)) + d / p.beta()[k];
    digamma(p.alpha()[k]) - digamma(p.alpha().sum())
        + 0.5 * (log_det - d * TAU.ln() - squared)
}

fn plain_log_student(
    x: &DVector<f64>,
    m: &DVector<f64>,
    scale: &DMatrix<f64>,
    eta: f64,
) -> f64 {
    let d = x.len() as f64;
    let v = x - m;
    let squared = v.dot(&(scale.clone().try_inverse().unwrap() * &v));
    ln_gamma(0.5 * (eta + d))
        - ln_gamma(0.5 * eta)
        - 0.5 * (scale * PI * eta).determinant().ln()
        - 0.5 * (eta + d) * (1.0 + squared / eta).ln()
}

/// Σₖ αₖ/α̂ St(x | …), as the result has it.
fn plain_predictive(p: &Posterior, x: &DVector<f64>) -> f64 {
    let d = x.len() as f64;
    let one = |k: usize| {
        let (beta, eta) = (p.beta()[k], p.nu()[k] + 1.0 - d);
        let inverse = p.w(k).clone().try_inverse().unwrap();
        let scale = inverse * ((beta + 1.0) / (beta * eta));
        let m = p.means().row(k).transpose();
        p.alpha()[k] / p.alpha().sum() * plain_log_student(x, &m, &scale, eta).exp()
    };
    (0..p.component_count()).map(one).sum()
}

/// With a posterior of three atoms every integral is a quadrature. With a posterior that
/// the library samples, the mean of ln p̄ − ln p̂ under it is KL(p̄ ‖ p̂).
#[test]
fn predictive_is_best() {
    let weights = [0.5, 0.3, 0.2];
    let normal = |x: f64, mu: f64, s: f64| {
        (-0.5 * ((x - mu) / s).powi(2)).exp() / (s * TAU.sqrt())
    };
    let atom = |i: usize, x: f64| match i {
        0 => 0.4 * normal(x, -1.0, 0.7) + 0.6 * normal(x, 1.0, 1.1),
        1 => 0.5 * normal(x, -0.5, 1.2) + 0.5 * normal(x, 2.0, 0.8),
        _ => 0.1 * normal(x, -2.0, 1.0) + 0.9 * normal(x, 0.6, 1.3),
    };
    let average = |x: f64| (0..3).map(|i| weights[i] * atom(i, x)).sum::<f64>();
    let kl = |p: &dyn Fn(f64) -> f64, q: &dyn Fn(f64) -> f64| {
        integral(|x| p(x) * (p(x) / q(x)).ln(), -14.0, 14.0, 4000)
    };
    let loss = |q: &dyn Fn(f64) -> f64| -> f64 {
        (0..3).map(|i| weights[i] * kl(&|x| atom(i, x), q)).sum()
    };
    let best = loss(&average);
    let others: [&dyn Fn(f64) -> f64; 3] =
        [&|x| atom(0, x), &|x| normal(x, 0.4, 1.5), &|x| {
            0.9 * average(x) + 0.1 * normal(x, 0.0, 3.0)
        }];
    for other in others {
        let extra = kl(&average, other);
        assert!(extra > 0.0);
        assert_relative_eq!(loss(other), best + extra, max_relative = 1e-10);
    }

    let p = posterior(1, &[6.0, 9.0], 0);
    let at = |u: f64| dvector![u];
    let exact = integral(
        |u| {
            let density = plain_predictive(&p, &at(u));
            density * (density.ln() - plain_log_plug_in(&p, u))
        },
        -400.0,
        400.0,
        160_000,
    );
    let mut rng = rng(1401);
    let losses: Vec<f64> = (0..160_000)
        .map(|_| {
            let theta = p.sample(&mut rng).unwrap();
            let u = theta.sample(1, &mut rng).0[0];
            plain_predictive(&p, &at(u)).ln() - plain_log_plug_in(&p, u)
        })
        .collect();
    assert!(exact > 0.0);
    assert_mean(&losses, exact);
}

/// ln of the plug-in in one dimension, also where it underflows.
fn plain_log_plug_in(p: &Posterior, u: f64) -> f64 {
    let terms: Vec<f64> = (0..p.component_count())
        .map(|k| {
            let precision = p.w(k)[0] * p.nu()[k];
            (p.alpha()[k] / p.alpha().sum()).ln() + 0.5 * (precision / TAU).ln()
                - 0.5 * precision * (u - p.means()[(k, 0)]).powi(2)
        })
        .collect();
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// The formula is the library's, and the average over draws of the mixture; it
/// integrates to one; and for K = 1 it is the ratio of two evidences.
#[test]
fn mixture_predictive() {
    let p = posterior(2, &[4.0, 7.0, 20.0], 1);
    let mut rng = rng(1410);
    let draws: Vec<GaussianMixture> =
        (0..30_000).map(|_| p.sample(&mut rng).unwrap()).collect();
    for x in [dvector![0.0, 0.0], dvector![2.0, -1.0], dvector![-4.0, 3.0]] {
        let formula = plain_predictive(&p, &x);
        let row = DMatrix::from_row_slice(1, 2, x.as_slice());
        let library = p.predictive().log_density(&row).unwrap()[0].exp();
        assert_relative_eq!(formula, library, max_relative = 1e-10);
        let densities: Vec<f64> = draws
            .iter()
            .map(|m| {
                let of = |k: usize| {
                    let mean = m.means().row(k).transpose();
                    m.weights()[k] * plain_density(&x, &mean, m.covariance(k))
                };
                (0..3).map(of).sum()
            })
            .collect();
        assert_mean(&densities, formula);
    }
    let line = posterior(1, &[20.0, 30.0], 2);
    let total =
        integral(|u| plain_predictive(&line, &dvector![u]), -90.0, 90.0, 9000);
    assert_relative_eq!(total, 1.0, epsilon = 1e-8);

    let (x, _) = data::sample_notebook(8, &mut rng).unwrap();
    let prior = posterior(2, &[1.0], 3).prior().clone();
    let fit = Vb::new(1).prior(prior.clone()).fit(x.rows(0, 7)).unwrap();
    let evidence = |n: usize| {
        let moments = Moments::of(x.rows(0, n)).unwrap();
        prior.gaussian_wishart().unwrap().log_evidence(&moments).unwrap()
    };
    let next = x.row(7).transpose();
    assert_relative_eq!(
        plain_predictive(&fit.posterior, &next).ln(),
        evidence(8) - evidence(7),
        max_relative = 1e-9
    );
}

#[test]
fn plug_in_gap() {
    for d in 1..=3 {
        let size = d as f64;
        for n in [2.5, 12.0, 4e4] {
            let p = posterior(d, &[n], d as u64);
            let (beta, nu) = (p.beta()[0], p.nu()[0]);
            let m = p.means().row(0).transpose();
            let sigma = (p.w(0) * nu).try_inverse().unwrap();
            let mut rng = rng_stream(1420, d as u64);
            for stretch in [0.0, 0.3, 1.0, 2.0, 4.0] {
                let v = noise(d, &mut rng) * stretch;
                let x = &m + random_covariance(d, &mut rng) * v;
                let shift = &x - &m;
                let squared = nu * shift.dot(&(p.w(0) * &shift));
                let gap =
                    plain_predictive(&p, &x).ln() - plain_log_density(&x, &m, &sigma);
                let at_centre = ln_gamma(0.5 * (nu + 1.0))
                    - ln_gamma(0.5 * (nu + 1.0 - size))
                    - 0.5 * size * (0.5 * nu).ln()
                    + 0.5 * size * (beta / (beta + 1.0)).ln();
                let inside = 1.0 + beta * squared / ((beta + 1.0) * nu);
                let formula =
                    at_centre + 0.5 * squared - 0.5 * (nu + 1.0) * inside.ln();
                assert_relative_eq!(
                    gap,
                    formula,
                    epsilon = 1e-9,
                    max_relative = 1e-9
                );
                let limit = 0.25 * (squared * squared - size * (size + 2.0));
                if n > 1e4 && squared < 30.0 {
                    assert_relative_eq!(
                        n * gap,
                        limit,
                        epsilon = 2e-3,
                        max_relative = 2e-3
                    );
                }
            }
        }
    }
}

/// The closed form is the integral of the scores' exponentials; the scores are averages
/// of log densities; and they lie below the predictive.
#[test]
fn score_mass() {
    let p = posterior(2, &[3.0, 8.0], 5);
    let at = |a: f64, b: f64| dvector![a, b];
    let sum = |x: &DVector<f64>| -> f64 {
        (0..2).map(|k| plain_score(&p, k, x).exp()).sum()
    };
    let total = integral(
        |a| integral(|b| sum(&at(a, b)), -15.0, 15.0, 300),
        -15.0,
        15.0,
        300,
    );
    assert_relative_eq!(total, plain_mass(&p), max_relative = 1e-8);

    let x = dvector![0.5, -1.0];
    let row = DMatrix::from_row_slice(1, 2, x.as_slice());
    let r = p.responsibilities(&row).unwrap();
    let mut rng = rng(1430);
    let draws: Vec<GaussianMixture> =
        (0..30_000).map(|_| p.sample(&mut rng).unwrap()).collect();
    for k in 0..2 {
        let logs: Vec<f64> = draws
            .iter()
            .map(|m| {
                let mean = m.means().row(k).transpose();
                m.weights()[k].ln() + plain_log_density(&x, &mean, m.covariance(k))
            })
            .collect();
        assert_mean(&logs, plain_score(&p, k, &x));
        let share = plain_score(&p, k, &x).exp() / sum(&x);
        assert_relative_eq!(r[(0, k)], share, max_relative = 1e-10);
    }

    for seed in 0..50 {
        let mut rng = rng_stream(1431, seed);
        let counts: Vec<f64> = (0..3).map(|_| rng.random_range(0.0..60.0)).collect();
        let p = posterior(2, &counts, seed);
        assert!(plain_mass(&p) < 1.0);
        for _ in 0..20 {
            let x = noise(2, &mut rng) * 5.0;
            let sum: f64 = (0..3).map(|k| plain_score(&p, k, &x).exp()).sum();
            assert!(sum < plain_predictive(&p, &x));
        }
    }
}

/// The right side of the result.
fn plain_mass(p: &Posterior) -> f64 {
    let d = p.dimension() as f64;
    let one = |k: usize| {
        let nu = p.nu()[k];
        let digammas: f64 =
            (0..p.dimension()).map(|i| digamma(0.5 * (nu - i as f64))).sum();
        let log_det = digammas + d * 2.0_f64.ln() + p.w(k).determinant().ln();
        let log_weight = digamma(p.alpha()[k]) - digamma(p.alpha().sum());
        (log_weight + 0.5 * (log_det - d / p.beta()[k])).exp()
            / (p.w(k) * nu).determinant().sqrt()
    };
    (0..p.component_count()).map(one).sum()
}

#[test]
fn score_discount() {
    for d in 1..=3 {
        let parameters = (1 + d + d * (d + 1) / 2) as f64;
        let shares = [0.2, 0.3, 0.5];
        let discount = |total: f64, k: usize| {
            let p = posterior(d, &shares.map(|s| s * total), 7);
            let x = noise(d, &mut rng(1440)) * 2.0;
            let sigma = (p.w(k) * p.nu()[k]).try_inverse().unwrap();
            let m = p.means().row(k).transpose();
            let plug_in = (p.alpha()[k] / p.alpha().sum()).ln()
                + plain_log_density(&x, &m, &sigma);
            total * (plain_score(&p, k, &x) - plug_in)
        };
        for (k, share) in shares.into_iter().enumerate() {
            let limit = 0.5 - 0.5 * parameters / share;
            assert_relative_eq!(discount(1e5, k), limit, max_relative = 1e-3);
            // The error is of order 1/N: ten times the points leave a tenth of it.
            let error = |total| discount(total, k) - limit;
            assert_relative_eq!(error(1e4), 0.1 * error(1e3), max_relative = 0.1);
        }
    }
}

#[test]
fn lost_mass() {
    for (d, shares) in
        [(1, vec![0.4, 0.6]), (2, vec![0.15, 0.35, 0.5]), (3, vec![1.0])]
    {
        let k = shares.len();
        let parameters = (k * (1 + d + d * (d + 1) / 2) - 1) as f64;
        let lost = |total: f64| {
            let counts: Vec<f64> = shares.iter().map(|s| s * total).collect();
            total * (1.0 - plain_mass(&posterior(d, &counts, 8)))
        };
        assert_relative_eq!(lost(1e5), 0.5 * parameters, max_relative = 2e-3);
        let mixture = posterior(d, &vec![9.0; k], 8).expected_mixture();
        assert_eq!(mixture.parameter_count() as f64, parameters);
    }
}

/// A mixture as one vector: for each component π, μ, and Σ on and above the diagonal.
fn flat(
    weights: &[f64],
    means: &[DVector<f64>],
    sigmas: &[DMatrix<f64>],
) -> DVector<f64> {
    let mut v = Vec::new();
    for k in 0..weights.len() {
        let (m, s) = (&means[k], &sigmas[k]);
        v.extend([weights[k], m[0], m[1], s[(0, 0)], s[(0, 1)], s[(1, 1)]]);
    }
    DVector::from_vec(v)
}

fn unflat(v: &DVector<f64>, k: usize) -> (f64, DVector<f64>, DMatrix<f64>) {
    let v = v.rows(6 * k, 6);
    (v[0], dvector![v[1], v[2]], dmatrix![v[3], v[4]; v[4], v[5]])
}

fn flat_mixture(m: &GaussianMixture) -> DVector<f64> {
    let means: Vec<_> = points(m.means());
    let sigmas: Vec<_> = (0..means.len()).map(|k| m.covariance(k).clone()).collect();
    flat(m.weights().as_slice(), &means, &sigmas)
}

/// Counts, means and covariances of the shares under scores, the points counted
/// `weight` times.
fn plain_shares(
    x: &[DVector<f64>],
    weight: f64,
    score: impl Fn(usize, &DVector<f64>) -> f64,
) -> Vec<(f64, DVector<f64>, DMatrix<f64>)> {
    let r: Vec<[f64; 3]> = x
        .iter()
        .map(|x| {
            let e = [0, 1, 2].map(|k| score(k, x).exp());
            e.map(|v| weight * v / e.iter().sum::<f64>())
        })
        .collect();
    (0..3)
        .map(|k| {
            let count: f64 = r.iter().map(|r| r[k]).sum();
            let mean: DVector<f64> =
                x.iter().zip(&r).map(|(x, r)| x * (r[k] / count)).sum();
            let spread = x.iter().zip(&r).map(|(x, r)| {
                let v = x - &mean;
                &v * v.transpose() * (r[k] / count)
            });
            (count, mean.clone(), spread.sum())
        })
        .collect()
}

/// EM's update.
fn em_map(x: &[DVector<f64>], theta: &DVector<f64>) -> DVector<f64> {
    let parts: Vec<_> = (0..3).map(|k| unflat(theta, k)).collect();
    let shares = plain_shares(x, 1.0, |k, x| {
        let (weight, mean, sigma) = &parts[k];
        weight.ln() + plain_log_density(x, mean, sigma)
    });
    let weights: Vec<f64> = shares.iter().map(|s| s.0 / x.len() as f64).collect();
    let means: Vec<_> = shares.iter().map(|s| s.1.clone()).collect();
    let sigmas: Vec<_> = shares.iter().map(|s| s.2.clone()).collect();
    flat(&weights, &means, &sigmas)
}

/// VB's update, from the posterior whose expected mixture is `theta`, to the next one's
/// expected mixture; each point counts `weight` times.
fn vb_map(
    x: &[DVector<f64>],
    weight: f64,
    prior: &Prior,
    theta: &DVector<f64>,
) -> DVector<f64> {
    let total = weight * x.len() as f64;
    let all = total + 3.0 * prior.alpha0;
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    let scores: Vec<_> = (0..3)
        .map(|k| {
            let (share, mean, sigma) = unflat(theta, k);
            let count = share * all - prior.alpha0;
            let (beta, nu) = (prior.beta0 + count, prior.nu0 + count);
            let precision = sigma.try_inverse().unwrap();
            let digammas = digamma(0.5 * nu) + digamma(0.5 * (nu - 1.0));
            let log_det =
                digammas + 2.0 * 2.0_f64.ln() + (&precision / nu).determinant().ln();
            let offset = digamma(share * all) + 0.5 * log_det - 1.0 / beta;
            move |x: &DVector<f64>| {
                let v = x - &mean;
                offset - 0.5 * v.dot(&(&precision * &v))
            }
        })
        .collect();
    let shares = plain_shares(x, weight, |k, x| scores[k](x));
    let mut weights = Vec::new();
    let (mut means, mut sigmas) = (Vec::new(), Vec::new());
    for (count, mean, spread) in shares {
        let beta = prior.beta0 + count;
        let shift = &mean - &prior.m0;
        let pull = &shift * shift.transpose() * (prior.beta0 * count / beta);
        weights.push((prior.alpha0 + count) / all);
        means.push((&prior.m0 * prior.beta0 + mean * count) / beta);
        sigmas.push((&inverse0 + spread * count + pull) / (prior.nu0 + count));
    }
    flat(&weights, &means, &sigmas)
}

fn truth() -> GaussianMixture {
    let (weights, means, covariances) = data::notebook_truth();
    GaussianMixture::new(weights, means, covariances).unwrap()
}

fn weak_prior() -> Prior {
    Prior {
        alpha0: 1.0,
        beta0: 0.01,
        m0: dvector![0.0, 0.0],
        w0: DMatrix::identity(2, 2) * 10.0,
        nu0: 2.0,
    }
}

/// EM's mixture and VB's posterior, both from the truth, each point counted `weight`
/// times.
fn both(
    x: DMatrixView<'_, f64>,
    weight: f64,
    prior: Prior,
) -> Result<(GaussianMixture, Posterior)> {
    let w = DVector::from_element(x.nrows(), weight);
    let start = Start::Given(truth());
    let em = Em::new(3).start(start.clone()).max_iterations(80).tolerance(0.0);
    let vb = Vb::new(3).start(start).max_iterations(80).tolerance(0.0);
    let posterior = vb.prior(prior).fit_weighted(x, &w)?.posterior;
    Ok((em.fit_weighted(x, &w)?.mixture, posterior))
}

/// The rate, measured: N times the difference settles as N grows from 10² to 10⁵. And
/// its constant, by finite differences of the two updates: for more and more copies of
/// the same points nothing else is left.
#[test]
fn em_vb_rate() {
    let at = dmatrix![-3.0, 2.0; 4.0, 2.0; 0.0, 0.0; -7.0, 2.0; 3.0, 1.0; 5.0, -1.0];
    let apart = |x: DMatrixView<'_, f64>, weight: f64, prior: Prior| {
        let size = weight * x.nrows() as f64;
        let (em, posterior) = both(x, weight, prior).unwrap();
        let vb = posterior.predictive().log_density(&at).unwrap();
        (vb - em.log_density(&at).unwrap()) * size
    };
    let (all, _) = data::sample_notebook(100_000, &mut rng(14)).unwrap();
    let scaled: Vec<DVector<f64>> = [100, 1000, 10_000, 100_000]
        .map(|n| apart(all.rows(0, n).as_view(), 1.0, weak_prior()))
        .into();
    let (first, last) = (&scaled[0], &scaled[3]);
    for (early, late) in first.iter().zip(last) {
        // Once 1/N is taken out, three decades change the difference by a small factor.
        assert!((0.1..10.0).contains(&(early / late)), "{early} and {late}");
    }
    assert_relative_eq!(
        scaled[2].component_div(last).add_scalar(-1.0).amax(),
        0.0,
        epsilon = 0.15
    );

    let x = data::notebook();
    let rows = points(&x);
    let (em, _) = both(x.as_view(), 1.0, weak_prior()).unwrap();
    let theta = flat_mixture(&em);
    assert_relative_eq!(em_map(&rows, &theta), theta, epsilon = 1e-9);
    let jacobian = DMatrix::from_columns(
        &(0..18)
            .map(|j| {
                let h = 1e-5;
                let (mut up, mut down) = (theta.clone(), theta.clone());
                up[j] += h;
                down[j] -= h;
                (em_map(&rows, &up) - em_map(&rows, &down)) / (2.0 * h)
            })
            .collect::<Vec<_>>(),
    );
    for prior in [weak_prior(), Prior { beta0: 0.5, alpha0: 3.0, ..weak_prior() }] {
        let g = (vb_map(&rows, 1e4, &prior, &theta) - &theta) * 1e7;
        let shift = (DMatrix::identity(18, 18) - &jacobian).lu().solve(&g).unwrap();
        let predicted = DVector::from_fn(at.nrows(), |i, _| {
            let x = at.row(i).transpose();
            let joint = |theta: &DVector<f64>| {
                [0, 1, 2].map(|k| {
                    let (weight, mean, sigma) = unflat(theta, k);
                    weight * plain_density(&x, &mean, &sigma)
                })
            };
            let log_density =
                |theta: &DVector<f64>| joint(theta).iter().sum::<f64>().ln();
            let h = 1e-5;
            let moved = (log_density(&(&theta + &shift * (h * 1e-3)))
                - log_density(&(&theta - &shift * (h * 1e-3))))
                / (2.0 * h * 1e-3);
            let shares = joint(&theta);
            let widened: f64 = (0..3)
                .map(|k| {
                    let (weight, mean, sigma) = unflat(&theta, k);
                    let v = &x - mean;
                    let squared = v.dot(&(sigma.try_inverse().unwrap() * &v));
                    let r = shares[k] / shares.iter().sum::<f64>();
                    r * (squared * squared - 8.0) / (4.0 * weight)
                })
                .sum();
            moved + widened
        });
        let error = |weight: f64| {
            let measured = apart(x.as_view(), weight, prior.clone());
            (measured - &predicted).component_div(&predicted).amax()
        };
        let (coarse, fine) = (error(10.0), error(1000.0));
        assert!(fine < 2e-3, "{fine}");
        assert!(fine < 0.03 * coarse, "{fine} after {coarse}");
    }
}
