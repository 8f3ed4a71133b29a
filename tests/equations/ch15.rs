use approx::assert_relative_eq;
use mixtures::math::{Rng, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{GaussianMixture, Gibbs, Posterior, Prior, Start, Vb};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

fn prior() -> Prior {
    Prior {
        alpha0: 0.7,
        beta0: 0.4,
        m0: dvector![0.3, -0.2],
        w0: dmatrix![0.5, 0.1; 0.1, 0.8],
        nu0: 3.2,
    }
}

/// ln Dir(π | α), by the gamma function.
fn plain_log_dirichlet(pi: &DVector<f64>, alpha: &DVector<f64>) -> f64 {
    ln_gamma(alpha.sum())
        + alpha
            .iter()
            .zip(pi)
            .map(|(a, p)| (a - 1.0) * p.ln() - ln_gamma(*a))
            .sum::<f64>()
}

/// ln N(μ | m, (βΛ)⁻¹) W(Λ | W, ν), with inverse and determinant.
fn plain_log_gaussian_wishart(
    mu: &DVector<f64>,
    lambda: &DMatrix<f64>,
    (m, beta, w, nu): (&DVector<f64>, f64, &DMatrix<f64>, f64),
) -> f64 {
    let d = m.len() as f64;
    let covariance = (lambda * beta).try_inverse().unwrap();
    let gammas: f64 = (0..m.len()).map(|i| ln_gamma(0.5 * (nu - i as f64))).sum();
    let normaliser = 0.5 * nu * w.determinant().ln()
        + 0.5 * nu * d * 2.0_f64.ln()
        + 0.25 * d * (d - 1.0) * std::f64::consts::PI.ln()
        + gammas;
    let trace = (w.clone().try_inverse().unwrap() * lambda).trace();
    plain_log_density(mu, m, &covariance)
        + 0.5 * (nu - d - 1.0) * lambda.determinant().ln()
        - 0.5 * trace
        - normaliser
}

/// π, μₖ and Λₖ.
type Parameters = (DVector<f64>, Vec<(DVector<f64>, DMatrix<f64>)>);

fn plain_log_prior(prior: &Prior, (pi, components): &Parameters) -> f64 {
    let alpha = DVector::from_element(pi.len(), prior.alpha0);
    let before = (&prior.m0, prior.beta0, &prior.w0, prior.nu0);
    plain_log_dirichlet(pi, &alpha)
        + components
            .iter()
            .map(|(mu, lambda)| plain_log_gaussian_wishart(mu, lambda, before))
            .sum::<f64>()
}

/// ln πₖ N(xₙ | μₖ, Λₖ⁻¹) for each n and k.
fn plain_scores(x: &DMatrix<f64>, (pi, components): &Parameters) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), pi.len(), |n, k| {
        let (mu, lambda) = &components[k];
        let sigma = lambda.clone().try_inverse().unwrap();
        pi[k].ln() + plain_log_density(&x.row(n).transpose(), mu, &sigma)
    })
}

fn random_parameters(k: usize, rng: &mut Rng) -> Parameters {
    let pi = DVector::from_fn(k, |_, _| rng.random_range(0.1..1.0));
    let components = (0..k).map(|_| (noise(2, rng), random_covariance(2, rng)));
    let components = components.collect();
    (&pi / pi.sum(), components)
}

/// Whatever the parameters, the joint density of everything is the conditional density
/// times something that they are not in: two sets of parameters, one difference. And the
/// library's conditional is this one.
#[test]
fn full_conditionals() {
    let (mut rng, prior) = (rng(1500), prior());
    let x = DMatrix::from_fn(7, 2, |_, _| 2.0 * noise(1, &mut rng)[0]);
    for z in [[0, 2, 2, 0, 1, 2, 0], [0, 0, 0, 2, 2, 0, 2]] {
        let conditional = |parameters: &Parameters| -> f64 {
            let mut alpha = DVector::from_element(3, prior.alpha0);
            let mut total = 0.0;
            for k in 0..3 {
                let rows: Vec<DVector<f64>> = (0..7)
                    .filter(|&n| z[n] == k)
                    .map(|n| x.row(n).transpose())
                    .collect();
                let count = rows.len() as f64;
                let beta = prior.beta0 + count;
                let (mut m, mut inverse) =
                    (prior.m0.clone(), prior.w0.clone().try_inverse().unwrap());
                if count > 0.0 {
                    let sum = rows.iter().sum::<DVector<f64>>();
                    m = (&prior.m0 * prior.beta0 + &sum) / beta;
                    let mean = sum / count;
                    for row in &rows {
                        inverse += (row - &mean) * (row - &mean).transpose();
                    }
                    let shift = &mean - &prior.m0;
                    inverse +=
                        &shift * shift.transpose() * (prior.beta0 * count / beta);
                }
                alpha[k] += count;
                let (mu, lambda) = &parameters.1[k];
                let w = inverse.try_inverse().unwrap();
                let after = (&m, beta, &w, prior.nu0 + count);
                total += plain_log_gaussian_wishart(mu, lambda, after);
            }
            total + plain_log_dirichlet(&parameters.0, &alpha)
        };
        let joint = |parameters: &Parameters| -> f64 {
            let scores = plain_scores(&x, parameters);
            plain_log_prior(&prior, parameters)
                + (0..7).map(|n| scores[(n, z[n])]).sum::<f64>()
        };
        let given = Gibbs::new(prior.clone(), 3, z.to_vec()).unwrap();
        let given = given.given_labels(&x).unwrap();
        let library = |(pi, components): &Parameters| -> f64 {
            let of_components = given.components().iter().zip(components);
            given.weights().log_density(pi).unwrap()
                + of_components
                    .map(|(c, (mu, lambda))| c.log_density(mu, lambda).unwrap())
                    .sum::<f64>()
        };
        for _ in 0..5 {
            let (a, b) =
                (random_parameters(3, &mut rng), random_parameters(3, &mut rng));
            let difference = joint(&a) - joint(&b);
            assert_relative_eq!(
                conditional(&a) - conditional(&b),
                difference,
                epsilon = 1e-9
            );
            assert_relative_eq!(library(&a), conditional(&a), epsilon = 1e-9);
        }
    }
    // And of a label: the joint density of all, normalised over that label.
    let parameters = random_parameters(3, &mut rng);
    let scores = plain_scores(&x, &parameters);
    let sigma = |k: usize| parameters.1[k].1.clone().try_inverse().unwrap();
    let symmetric = |k: usize| (sigma(k) + sigma(k).transpose()) / 2.0;
    let means = DMatrix::from_fn(3, 2, |k, j| parameters.1[k].0[j]);
    let covariances = (0..3).map(symmetric).collect();
    let mixture =
        GaussianMixture::new(parameters.0.clone(), means, covariances).unwrap();
    let r = mixture.responsibilities(&x).unwrap();
    for n in 0..7 {
        let joint: Vec<f64> = (0..3).map(|k| scores[(n, k)].exp()).collect();
        for k in 0..3 {
            let expected = joint[k] / joint.iter().sum::<f64>();
            assert_relative_eq!(r[(n, k)], expected, max_relative = 1e-9);
        }
    }
}

/// A random joint distribution of two variables, a table.
fn table(rows: usize, columns: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = rng_stream(1501, seed);
    let p = DMatrix::from_fn(rows, columns, |_, _| rng.random_range(0.01..1.0_f64));
    &p / p.sum()
}

/// Redrawing either variable given the other turns the joint distribution into itself, and
/// another one into another.
#[test]
fn gibbs_invariance() {
    let p = table(4, 3, 0);
    let redraw_rows = |now: &DMatrix<f64>| {
        // From (a, b) to (a′, b) with probability p(a′ | b).
        DMatrix::from_fn(4, 3, |a, b| {
            now.column(b).sum() * p[(a, b)] / p.column(b).sum()
        })
    };
    let redraw_columns = |now: &DMatrix<f64>| {
        DMatrix::from_fn(4, 3, |a, b| now.row(a).sum() * p[(a, b)] / p.row(a).sum())
    };
    assert_relative_eq!(redraw_rows(&p), p, epsilon = 1e-15);
    assert_relative_eq!(redraw_columns(&redraw_rows(&p)), p, epsilon = 1e-15);
    let mut other = table(4, 3, 1);
    assert!((redraw_columns(&redraw_rows(&other)) - &other).amax() > 1e-2);
    // Repeated, from anywhere, it arrives.
    for _ in 0..60 {
        other = redraw_columns(&redraw_rows(&other));
    }
    assert_relative_eq!(other, p, epsilon = 1e-12);
}

/// The exact variance of a mean of correlated draws, and its limit; then a simulation.
#[test]
fn correlated_mean() {
    let (phi, sd) = (0.8_f64, 1.3_f64);
    let exact = |draws: usize| -> f64 {
        let correlation = |a: usize, b: usize| phi.powi(a.abs_diff(b) as i32);
        let sum: f64 = (0..draws)
            .map(|a| (0..draws).map(|b| correlation(a, b)).sum::<f64>())
            .sum();
        sd * sd * sum / (draws as f64).powi(2)
    };
    let tau = 1.0 + 2.0 * (1..400).map(|t| phi.powi(t)).sum::<f64>();
    assert_relative_eq!(tau, 9.0, epsilon = 1e-9);
    assert_relative_eq!(exact(2000), sd * sd * tau / 2000.0, max_relative = 5e-3);
    let mut rng = rng(1502);
    let draws = 200;
    let squares: Vec<f64> = (0..4000)
        .map(|_| {
            let mut value = sd * rng.sample::<f64, _>(StandardNormal);
            let mut sum = 0.0;
            for _ in 0..draws {
                sum += value;
                let noise: f64 = rng.sample(StandardNormal);
                value = phi * value + sd * (1.0 - phi * phi).sqrt() * noise;
            }
            (sum / f64::from(draws)).powi(2)
        })
        .collect();
    assert_mean(&squares, exact(200));
}

/// The first autocorrelation of a quantity is the share of its variance that is the
/// variance of its expectation given the labels: exactly, on a table.
#[test]
fn first_autocorrelation() {
    let p = table(5, 4, 2); // rows are values of θ, columns labels
    let h = |a: usize| ((3 * a * a) % 7) as f64;
    let of_theta: Vec<f64> = (0..5).map(|a| p.row(a).sum()).collect();
    let average = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..5).map(|a| of_theta[a] * f(a)).sum()
    };
    let mean = average(&h);
    let variance = average(&|a| (h(a) - mean).powi(2));
    let mut lagged = 0.0;
    for a in 0..5 {
        for b in 0..4 {
            for next in 0..5 {
                // θ, then its label, then the next θ.
                let path = p[(a, b)] * p[(next, b)] / p.column(b).sum();
                lagged += path * (h(a) - mean) * (h(next) - mean);
            }
        }
    }
    let mut of_expectation = 0.0;
    let mut expected_variance = 0.0;
    for column in p.column_iter() {
        let total = column.sum();
        let given = (0..5).map(|a| column[a] * h(a)).sum::<f64>() / total;
        let spread = (0..5).map(|a| column[a] * (h(a) - given).powi(2)).sum::<f64>();
        of_expectation += total * (given - mean).powi(2);
        expected_variance += spread;
    }
    assert_relative_eq!(
        lagged / variance,
        of_expectation / variance,
        max_relative = 1e-12
    );
    assert_relative_eq!(
        lagged / variance,
        1.0 - expected_variance / variance,
        max_relative = 1e-12
    );
}

/// Five points, three components or two, and a q that is the best for some responsibilities.
fn small(k: usize) -> (Prior, DMatrix<f64>, DMatrix<f64>, Posterior) {
    let mut rng = rng_stream(1503, k as u64);
    let x = DMatrix::from_fn(5, 2, |_, _| 1.5 * noise(1, &mut rng)[0]);
    let mut r = DMatrix::from_fn(5, k, |_, _| rng.random_range(0.05..1.0));
    for mut row in r.row_iter_mut() {
        let total: f64 = row.sum();
        row /= total;
    }
    let q = Posterior::from_responsibilities(&prior(), &x, &r).unwrap();
    (prior(), x, r, q)
}

/// p(θ, X) over q(θ) is the exponential of the bound and of the divergences, at any θ.
#[test]
fn what_is_left_out() {
    for k in [2, 3] {
        let (prior, x, r, q) = small(k);
        let bound = q.elbo_with(&x, &r).unwrap();
        let mut rng = rng(1504);
        for _ in 0..6 {
            let parameters = random_parameters(k, &mut rng);
            let scores = plain_scores(&x, &parameters);
            let mut log_joint = plain_log_prior(&prior, &parameters);
            let mut divergence = 0.0;
            for n in 0..5 {
                let row: Vec<f64> = scores.row(n).iter().copied().collect();
                let total = log_sum_exp(&row);
                log_joint += total;
                for k in 0..k {
                    divergence += r[(n, k)] * (r[(n, k)].ln() - (row[k] - total));
                }
            }
            let (pi, components) = &parameters;
            let log_q = plain_log_dirichlet(pi, q.alpha())
                + (0..k)
                    .map(|k| {
                        let m = q.means().row(k).transpose();
                        let of_k = (&m, q.beta()[k], q.w(k), q.nu()[k]);
                        let (mu, lambda) = &components[k];
                        plain_log_gaussian_wishart(mu, lambda, of_k)
                    })
                    .sum::<f64>();
            assert_relative_eq!(
                log_joint - log_q,
                bound + divergence,
                epsilon = 1e-9,
                max_relative = 1e-10
            );
        }
    }
}

/// The gap between evidence and bound, by all 32 assignments.
#[test]
fn gap_in_two_parts() {
    let (prior, x, r, q) = small(2);
    let bound = q.elbo_with(&x, &r).unwrap();
    let mut log_joint = Vec::new();
    let mut of_parameters = 0.0;
    for code in 0..32_usize {
        let z: Vec<usize> = (0..5).map(|n| code >> n & 1).collect();
        let given = Gibbs::new(prior.clone(), 2, z.clone()).unwrap();
        let given = given.given_labels(&x).unwrap();
        // p(z, X) = p(θ, z, X) / p(θ | z, X), at any θ.
        let theta = random_parameters(2, &mut rng(1505));
        let scores = plain_scores(&x, &theta);
        let mut log = plain_log_prior(&prior, &theta)
            + (0..5).map(|n| scores[(n, z[n])]).sum::<f64>()
            - plain_log_dirichlet(&theta.0, given.alpha());
        let mut kl = q.weights().kl(given.weights()).unwrap();
        for k in 0..2 {
            let m = given.means().row(k).transpose();
            let of_k = (&m, given.beta()[k], given.w(k), given.nu()[k]);
            log -= plain_log_gaussian_wishart(&theta.1[k].0, &theta.1[k].1, of_k);
            kl += q.components()[k].kl(&given.components()[k]).unwrap();
        }
        log_joint.push(log);
        of_parameters += (0..5).map(|n| r[(n, z[n])]).product::<f64>() * kl;
    }
    let log_evidence = log_sum_exp(&log_joint);
    let of_labels: f64 = (0..32_usize)
        .map(|code| {
            let q: f64 = (0..5).map(|n| r[(n, code >> n & 1)]).product();
            q * (q.ln() - (log_joint[code] - log_evidence))
        })
        .sum();
    assert!(of_labels > 0.01 && of_parameters > 0.01);
    assert_relative_eq!(
        log_evidence - bound,
        of_labels + of_parameters,
        max_relative = 1e-9
    );
}

/// Two overlapping components in one dimension in free coordinates: ln π₁/π₂, means, log
/// variances.
fn plain_parts(at: &DVector<f64>) -> [(f64, f64, f64); 2] {
    let pi = 1.0 / (1.0 + (-at[0]).exp());
    [(pi, at[1], at[3].exp()), (1.0 - pi, at[2], at[4].exp())]
}

fn plain_pdf(x: f64, (pi, mu, variance): (f64, f64, f64)) -> f64 {
    pi * (-0.5 * (x - mu).powi(2) / variance).exp()
        / (std::f64::consts::TAU * variance).sqrt()
}

fn plain_em(x: &[f64], at: &DVector<f64>) -> DVector<f64> {
    let parts = plain_parts(at);
    let share: Vec<f64> = x
        .iter()
        .map(|&x| {
            let (a, b) = (plain_pdf(x, parts[0]), plain_pdf(x, parts[1]));
            a / (a + b)
        })
        .collect();
    let of = |first: bool| {
        let r = |n: usize| if first { share[n] } else { 1.0 - share[n] };
        let average = |f: &dyn Fn(usize) -> f64| -> f64 {
            (0..x.len()).map(|n| r(n) * f(n)).sum()
        };
        let count = average(&|_| 1.0);
        let mean = average(&|n| x[n]) / count;
        let variance = average(&|n| (x[n] - mean).powi(2)) / count;
        (count, mean, variance)
    };
    let (a, b) = (of(true), of(false));
    dvector![(a.0 / b.0).ln(), a.1, b.1, a.2.ln(), b.2.ln()]
}

/// With many points the covariance under q is (I − J) times the inverse of the observed
/// information, J and the latter by finite differences.
#[test]
fn lost_covariance() {
    let n = 4000;
    let truth = GaussianMixture::new(
        dvector![0.4, 0.6],
        dmatrix![-1.5; 1.5],
        vec![dmatrix![1.0], dmatrix![0.8]],
    )
    .unwrap();
    let points = truth.sample(n, &mut rng(1506)).0;
    let x = points.as_slice();
    let mut peak = dvector![(0.4_f64 / 0.6).ln(), -1.5, 1.5, 0.0, 0.8_f64.ln()];
    for _ in 0..3000 {
        peak = plain_em(x, &peak);
    }
    let jacobian = |f: &dyn Fn(&DVector<f64>) -> DVector<f64>| {
        let mut columns = DMatrix::zeros(5, 5);
        for i in 0..5 {
            let row = gradient(|at| f(at)[i], &peak);
            columns.set_row(i, &row.transpose());
        }
        columns
    };
    let j = jacobian(&|at| plain_em(x, at));
    let log_likelihood = |at: &DVector<f64>| -> f64 {
        let parts = plain_parts(at);
        x.iter()
            .map(|&x| (plain_pdf(x, parts[0]) + plain_pdf(x, parts[1])).ln())
            .sum()
    };
    let observed = -jacobian(&|at| gradient(log_likelihood, at));
    let expected = (DMatrix::identity(5, 5) - j) * observed.try_inverse().unwrap();

    let start = GaussianMixture::new(
        dvector![0.4, 0.6],
        dmatrix![-1.5; 1.5],
        vec![dmatrix![1.0]; 2],
    )
    .unwrap();
    let prior = Prior {
        alpha0: 1.0,
        beta0: 0.01,
        m0: dvector![0.0],
        w0: dmatrix![1.0],
        nu0: 1.0,
    };
    let vb = Vb::new(2).prior(prior).start(Start::Given(start)).tolerance(1e-12);
    let q = vb.max_iterations(5000).fit(&points).unwrap().posterior;
    let mut rng = rng(1507);
    let draws: Vec<DVector<f64>> = (0..40_000)
        .map(|_| {
            let m = q.sample(&mut rng).unwrap();
            let log = |k: usize| m.covariance(k)[0].ln();
            let odds = (m.weights()[0] / m.weights()[1]).ln();
            dvector![odds, m.means()[0], m.means()[1], log(0), log(1)]
        })
        .collect();
    let mean = draws.iter().sum::<DVector<f64>>() / draws.len() as f64;
    let covariance = draws
        .iter()
        .map(|v| (v - &mean) * (v - &mean).transpose())
        .sum::<DMatrix<f64>>()
        / draws.len() as f64;
    for i in 0..5 {
        assert_relative_eq!(
            covariance[(i, i)],
            expected[(i, i)],
            max_relative = 0.04
        );
        for k in 0..i {
            let size = (expected[(i, i)] * expected[(k, k)]).sqrt();
            assert!(expected[(i, k)].abs() < 0.03 * size, "{expected}");
            assert!(covariance[(i, k)].abs() < 0.03 * size, "{covariance}");
        }
    }
}

/// The model of two normals at ±μ: sds by quadrature, with very many points, against λ by
/// quadrature over the model's density.
#[test]
fn narrow_by_missing() {
    for (i, mu) in [0.75_f64, 1.0, 1.5].into_iter().enumerate() {
        let mut rng = rng_stream(1508, i as u64);
        let n = 60_000;
        let x: Vec<f64> = (0..n)
            .map(|n| {
                let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
                sign * mu + rng.sample::<f64, _>(StandardNormal)
            })
            .collect();
        let beta0 = 0.5;
        let log_posterior = |m: f64| -> f64 {
            let prior = -0.5 * beta0 * m * m;
            let terms = x.iter().map(|x| (m * x).cosh().ln() - 0.5 * (x * x + m * m));
            prior + terms.sum::<f64>()
        };
        let sd_q = (beta0 + n as f64).sqrt().recip();
        // EM's resting point, for the middle of the grid.
        let mut centre = mu;
        for _ in 0..60 {
            let total: f64 = x.iter().map(|x| x * (centre * x).tanh()).sum();
            centre = total / (beta0 + n as f64);
        }
        let peak = log_posterior(centre);
        let grid: Vec<(f64, f64)> = (-30..=30)
            .map(|i| centre + 0.6 * sd_q * f64::from(i))
            .map(|m| (m, (log_posterior(m) - peak).exp()))
            .collect();
        let total: f64 = grid.iter().map(|(_, p)| p).sum();
        let mean = grid.iter().map(|(m, p)| m * p).sum::<f64>() / total;
        let variance =
            grid.iter().map(|(m, p)| (m - mean).powi(2) * p).sum::<f64>() / total;
        let density = |x: f64| {
            let normal = |v: f64| (-0.5 * v * v).exp() / std::f64::consts::TAU.sqrt();
            0.5 * (normal(x - mu) + normal(x + mu))
        };
        let lambda =
            integral(|x| (x / (mu * x).cosh()).powi(2) * density(x), -9.0, 9.0, 3000);
        let ratio = sd_q / variance.sqrt();
        assert_relative_eq!(ratio, (1.0 - lambda).sqrt(), max_relative = 0.01);
        assert!(ratio < 0.97);
    }
}
