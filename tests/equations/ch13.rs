//! The bound's seven terms against averages over draws of q, its collapsed form, and the
//! cases in which it is exact.

use approx::assert_relative_eq;
use mixtures::math::{Rng, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix};
use mixtures::rand::RngExt;
use mixtures::{
    Dirichlet, ElboTerms, GaussianWishart, Posterior, Prior, Vb, Wishart,
};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

const DRAWS: usize = 20_000;

/// A q that no update would give, for points in the plane, and three components.
struct Problem {
    prior: Prior,
    x: DMatrix<f64>,
    r: DMatrix<f64>,
    q: Posterior,
    rng: Rng,
}

fn problem() -> Problem {
    let mut rng = rng(130);
    let prior = Prior {
        alpha0: 0.6,
        beta0: 0.8,
        m0: noise(2, &mut rng),
        w0: random_covariance(2, &mut rng),
        nu0: 3.7,
    };
    let x = DMatrix::from_fn(7, 2, |_, _| 2.0 * noise(1, &mut rng)[0]);
    let mut r = DMatrix::from_fn(7, 3, |_, _| rng.random_range(0.05..1.0));
    for mut row in r.row_iter_mut() {
        let total: f64 = row.sum();
        row /= total;
    }
    let components = (0..3)
        .map(|_| {
            let nu = rng.random_range(4.0..9.0);
            let wishart = Wishart::new(nu, random_covariance(2, &mut rng) / nu);
            let beta = rng.random_range(0.5..4.0);
            GaussianWishart::new(noise(2, &mut rng), beta, wishart.unwrap()).unwrap()
        })
        .collect();
    let alpha = DVector::from_fn(3, |_, _| rng.random_range(0.5..4.0));
    let weights = Dirichlet::new(alpha).unwrap();
    let q = Posterior::new(prior.clone(), weights, components).unwrap();
    Problem { prior, x, r, q, rng }
}

/// One draw of everything that is hidden.
struct Draw {
    z: Vec<usize>,
    weights: DVector<f64>,
    means: Vec<DVector<f64>>,
    precisions: Vec<DMatrix<f64>>,
}

impl Problem {
    fn terms(&self) -> ElboTerms {
        self.q.elbo_terms(&self.x, &self.r).unwrap()
    }

    fn draw(&mut self) -> Draw {
        let z = self
            .r
            .row_iter()
            .map(|row| {
                let u: f64 = self.rng.random();
                let edges = row.iter().scan(0.0, |sum, r| {
                    *sum += r;
                    Some(*sum)
                });
                edges.take_while(|edge| *edge < u).count().min(2)
            })
            .collect();
        let weights = self.q.weights().sample(&mut self.rng);
        let (means, precisions) = self
            .q
            .components()
            .iter()
            .map(|c| c.sample(&mut self.rng).unwrap())
            .unzip();
        Draw { z, weights, means, precisions }
    }

    /// Whether `expected` is the average of `f` over draws.
    #[track_caller]
    fn check(&mut self, expected: f64, f: impl Fn(&Problem, &Draw) -> f64) {
        let values: Vec<f64> = (0..DRAWS)
            .map(|_| {
                let draw = self.draw();
                f(self, &draw)
            })
            .collect();
        assert_mean(&values, expected);
    }
}

fn plain_log_dirichlet(weights: &DVector<f64>, alpha: &DVector<f64>) -> f64 {
    let powers =
        weights.iter().zip(alpha).map(|(w, a)| (a - 1.0) * w.ln() - ln_gamma(*a));
    ln_gamma(alpha.sum()) + powers.sum::<f64>()
}

/// ln of the Gaussian–Wishart density in the plane, with inverse and determinant.
fn plain_log_gaussian_wishart(
    (mu, lambda): (&DVector<f64>, &DMatrix<f64>),
    (m, beta, w, nu): (&DVector<f64>, f64, &DMatrix<f64>, f64),
) -> f64 {
    let sigma = (lambda * beta).try_inverse().unwrap();
    let gammas = 0.5 * std::f64::consts::PI.ln()
        + ln_gamma(0.5 * nu)
        + ln_gamma(0.5 * (nu - 1.0));
    let log_b = -0.5 * nu * w.determinant().ln() - nu * 2.0_f64.ln() - gammas;
    let inverse = w.clone().try_inverse().unwrap();
    plain_log_density(mu, m, &sigma)
        + log_b
        + 0.5 * (nu - 3.0) * lambda.determinant().ln()
        - 0.5 * (inverse * lambda).trace()
}

fn log_points(p: &Problem, draw: &Draw) -> f64 {
    let points = p.x.row_iter().zip(&draw.z);
    points
        .map(|(x, &k)| {
            let sigma = draw.precisions[k].clone().try_inverse().unwrap();
            plain_log_density(&x.transpose(), &draw.means[k], &sigma)
        })
        .sum()
}

fn log_labels(_: &Problem, draw: &Draw) -> f64 {
    draw.z.iter().map(|&k| draw.weights[k].ln()).sum()
}

fn log_weights(p: &Problem, draw: &Draw) -> f64 {
    plain_log_dirichlet(&draw.weights, &DVector::from_element(3, p.prior.alpha0))
}

fn log_components(p: &Problem, draw: &Draw) -> f64 {
    let prior = (&p.prior.m0, p.prior.beta0, &p.prior.w0, p.prior.nu0);
    let components = draw.means.iter().zip(&draw.precisions);
    components.map(|drawn| plain_log_gaussian_wishart(drawn, prior)).sum()
}

fn log_q_labels(p: &Problem, draw: &Draw) -> f64 {
    draw.z.iter().enumerate().map(|(n, &k)| p.r[(n, k)].ln()).sum()
}

fn log_q_weights(p: &Problem, draw: &Draw) -> f64 {
    plain_log_dirichlet(&draw.weights, p.q.alpha())
}

fn log_q_components(p: &Problem, draw: &Draw) -> f64 {
    let components = draw.means.iter().zip(&draw.precisions).enumerate();
    components
        .map(|(k, drawn)| {
            let m = p.q.means().row(k).transpose();
            let q = (&m, p.q.beta()[k], p.q.w(k), p.q.nu()[k]);
            plain_log_gaussian_wishart(drawn, q)
        })
        .sum()
}

#[test]
fn seven_terms() {
    let mut p = problem();
    let total = p.q.elbo_with(&p.x, &p.r).unwrap();
    p.check(total, |p, draw| {
        log_points(p, draw)
            + log_labels(p, draw)
            + log_weights(p, draw)
            + log_components(p, draw)
            - log_q_labels(p, draw)
            - log_q_weights(p, draw)
            - log_q_components(p, draw)
    });
}

#[test]
fn term_points() {
    let mut p = problem();
    p.check(p.terms().points, log_points);
}

#[test]
fn term_labels() {
    let mut p = problem();
    p.check(p.terms().labels, log_labels);
}

#[test]
fn term_weights() {
    let mut p = problem();
    p.check(p.terms().weights, log_weights);
}

#[test]
fn term_components() {
    let mut p = problem();
    p.check(p.terms().components, log_components);
}

#[test]
fn term_label_entropy() {
    let mut p = problem();
    p.check(p.terms().label_entropy, |p, draw| -log_q_labels(p, draw));
    // A term with r = 0 counts as zero.
    let mut sure = p.r.clone();
    sure.row_mut(0).copy_from(&dmatrix![0.0, 1.0, 0.0]);
    let with = p.q.elbo_terms(&p.x, &sure).unwrap().label_entropy;
    let first: f64 = p.r.row(0).iter().map(|r| -r * r.ln()).sum();
    assert_relative_eq!(with, p.terms().label_entropy - first, max_relative = 1e-12);
}

#[test]
fn term_weight_entropy() {
    let mut p = problem();
    p.check(p.terms().weight_entropy, |p, draw| -log_q_weights(p, draw));
}

#[test]
fn term_component_entropy() {
    let mut p = problem();
    p.check(p.terms().component_entropy, |p, draw| -log_q_components(p, draw));
}

/// Both forms are one number at the best responsibilities, and at no others.
#[test]
fn collapsed_bound() {
    let p = problem();
    let best = p.q.responsibilities(&p.x).unwrap();
    let collapsed = p.q.elbo(&p.x).unwrap();
    let terms = p.q.elbo_with(&p.x, &best).unwrap();
    assert_relative_eq!(collapsed, terms, max_relative = 1e-12);
    assert!(p.q.elbo_with(&p.x, &p.r).unwrap() < collapsed - 0.1);
    // The pieces: the penalty is divergences, and the rest the normaliser of the scores.
    let kl = p.q.weights().kl(&p.prior.dirichlet(3).unwrap().into()).unwrap()
        + p.q
            .components()
            .iter()
            .map(|c| c.kl(&p.prior.gaussian_wishart().unwrap()).unwrap())
            .sum::<f64>();
    let normaliser: f64 = (0..7)
        .map(|n| {
            let x = p.x.row(n).transpose();
            let scores: Vec<f64> = (0..3)
                .map(|k| {
                    let c = &p.q.components()[k];
                    let log_det = c.wishart().expected_log_det();
                    let constant = 2.0 * std::f64::consts::TAU.ln();
                    p.q.weights().expected_log()[k]
                        + 0.5 * (log_det - constant - c.expected_distance(&x))
                })
                .collect();
            log_sum_exp(&scores)
        })
        .sum();
    assert_relative_eq!(collapsed, normaliser - kl, max_relative = 1e-12);
}

/// ln p of the rows of `x`, one Gaussian's parameters integrated out.
fn plain_log_evidence(prior: &Prior, x: &DMatrix<f64>) -> f64 {
    if x.nrows() == 0 {
        return 0.0;
    }
    let (n, d) = (x.nrows() as f64, x.ncols() as f64);
    let mean = x.row_mean().transpose();
    let shift = &mean - &prior.m0;
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    let pull = &shift * shift.transpose() * (prior.beta0 * n / (prior.beta0 + n));
    let inverse = x.row_iter().fold(&inverse0 + pull, |sum, row| {
        let v = row.transpose() - &mean;
        sum + &v * v.transpose()
    });
    let gammas = |nu: f64| -> f64 {
        (0..x.ncols()).map(|i| ln_gamma(0.5 * (nu - i as f64))).sum()
    };
    let nu = prior.nu0 + n;
    gammas(nu) - gammas(prior.nu0) - 0.5 * n * d * std::f64::consts::PI.ln()
        + 0.5 * prior.nu0 * inverse0.determinant().ln()
        - 0.5 * nu * inverse.determinant().ln()
        + 0.5 * d * (prior.beta0 / (prior.beta0 + n)).ln()
}

#[test]
fn one_component_exact() {
    let p = problem();
    let exact = plain_log_evidence(&p.prior, &p.x);
    let fit = Vb::new(1).prior(p.prior.clone()).fit(&p.x).unwrap();
    assert_relative_eq!(fit.elbo(), exact, max_relative = 1e-12);
    let r = DMatrix::from_element(7, 1, 1.0);
    let terms = fit.posterior.elbo_with(&p.x, &r).unwrap();
    assert_relative_eq!(terms, exact, max_relative = 1e-12);
}

/// ln p(z), by drawing the weights' integral as a product of one-step predictions: the
/// next label is k with probability (α₀ + the count so far)/(K α₀ + all so far).
fn plain_log_label_probability(alpha0: f64, z: &[usize], k: usize) -> f64 {
    let mut counts = vec![0.0; k];
    z.iter()
        .enumerate()
        .map(|(n, &label)| {
            let p = (alpha0 + counts[label]) / (k as f64 * alpha0 + n as f64);
            counts[label] += 1.0;
            p.ln()
        })
        .sum()
}

fn label_code(code: usize, n: usize, k: usize) -> Vec<usize> {
    (0..n).map(|i| code / k.pow(i as u32) % k).collect()
}

#[test]
fn label_probability() {
    for (alpha0, k) in [(0.3, 2_usize), (1.5, 3)] {
        let mut total = 0.0;
        for code in 0..k.pow(5) {
            let z = label_code(code, 5, k);
            let count = |k: usize| z.iter().filter(|&&l| l == k).count() as f64;
            let sum = k as f64 * alpha0;
            let formula = ln_gamma(sum) - ln_gamma(sum + 5.0)
                + (0..k)
                    .map(|k| ln_gamma(alpha0 + count(k)) - ln_gamma(alpha0))
                    .sum::<f64>();
            let plain = plain_log_label_probability(alpha0, &z, k);
            assert_relative_eq!(formula, plain, epsilon = 1e-12);
            total += formula.exp();
        }
        assert_relative_eq!(total, 1.0, max_relative = 1e-12);
    }
}

#[test]
fn one_hot_exact() {
    let p = problem();
    let (n, k) = (6, 3_usize);
    let x = p.x.rows(0, n).into_owned();
    let mut rng = rng_stream(130, 1);
    let mut codes: Vec<usize> =
        (0..60).map(|_| rng.random_range(0..k.pow(6))).collect();
    codes.push(0); // all points in one component, two of three empty
    for code in codes {
        let z = label_code(code, n, k);
        let r = DMatrix::from_fn(n, k, |n, k| f64::from(u8::from(z[n] == k)));
        let q = Posterior::from_responsibilities(&p.prior, &x, &r).unwrap();
        let exact = plain_log_label_probability(p.prior.alpha0, &z, k)
            + (0..k)
                .map(|k| {
                    let rows: Vec<usize> = (0..n).filter(|&n| z[n] == k).collect();
                    plain_log_evidence(&p.prior, &x.select_rows(&rows))
                })
                .sum::<f64>();
        let bound = q.elbo_with(&x, &r).unwrap();
        assert_relative_eq!(bound, exact, epsilon = 1e-10);
    }
}
