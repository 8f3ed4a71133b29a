//! Variational Bayes for the mixture: each factor against the expectation that defines
//! it, and the expectations against quadrature and samples.

use approx::assert_relative_eq;
use mixtures::math::{digamma, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Dirichlet, GaussianWishart, Posterior, Prior, Wishart};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

/// All labellings of n points by k components.
fn labellings(n: usize, k: usize) -> Vec<Vec<usize>> {
    (0..k.pow(n as u32))
        .map(|code| (0..n).map(|i| code / k.pow(i as u32) % k).collect())
        .collect()
}

/// A belief in D = 1 with two components, and three points.
fn small() -> (Posterior, DMatrix<f64>) {
    let prior = Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![0.0],
        w0: dmatrix![1.0],
        nu0: 2.0,
    };
    let component = |m: f64, beta: f64, w: f64, nu: f64| {
        let wishart = Wishart::new(nu, dmatrix![w]).unwrap();
        GaussianWishart::new(dvector![m], beta, wishart).unwrap()
    };
    let components =
        vec![component(-0.5, 2.0, 0.3, 4.5), component(1.0, 0.7, 0.5, 3.0)];
    let weights = Dirichlet::new(dvector![2.5, 1.2]).unwrap();
    let posterior = Posterior::new(prior, weights, components).unwrap();
    (posterior, dmatrix![-1.0; 0.4; 2.2])
}

/// E ln π_k for k = 0 and 1 under a Dirichlet of two weights, by quadrature over the
/// logit, on which the density is smooth and falls off at both ends.
fn log_weights_by_quadrature(a: f64, b: f64) -> [f64; 2] {
    let density = |t: f64| {
        let (p, q) = (1.0 / (1.0 + (-t).exp()), 1.0 / (1.0 + t.exp()));
        (a * p.ln() + b * q.ln(), p, q)
    };
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        let weigh = |t: f64| {
            let (log, p, q) = density(t);
            log.exp() * f(p, q)
        };
        integral(weigh, -150.0, 100.0, 60_000)
    };
    let total = mean(&|_, _| 1.0);
    [mean(&|p, _| p.ln()) / total, mean(&|_, q| q.ln()) / total]
}

/// E ln N(x | μ, 1/λ) under a Gaussian–Wishart in one dimension, by quadrature over ln λ
/// and over μ in its own standard deviations.
fn log_gaussian_by_quadrature(q: &GaussianWishart, x: f64) -> f64 {
    let (nu, inverse_w) = (q.wishart().nu(), q.wishart().inverse_w()[(0, 0)]);
    let density = |t: f64| (0.5 * nu * t - 0.5 * inverse_w * t.exp()).exp();
    let total = integral(density, -40.0, 8.0, 4000);
    let over_mean = |lambda: f64| {
        let sd = (q.beta() * lambda).sqrt().recip();
        let f = |s: f64| {
            let mu = q.m()[0] + sd * s;
            let log = 0.5 * (lambda / std::f64::consts::TAU).ln()
                - 0.5 * lambda * (x - mu).powi(2);
            log * (-0.5 * s * s).exp() / std::f64::consts::TAU.sqrt()
        };
        integral(f, -10.0, 10.0, 100)
    };
    integral(|t| density(t) * over_mean(t.exp()), -40.0, 8.0, 4000) / total
}

/// ln q*(z) is E ln p(X, z, π, μ, Λ): exponentiated and normalised over all eight
/// labellings, it is the product of the responsibilities.
#[test]
fn label_factor() {
    let (q, x) = small();
    let r = q.responsibilities(&x).unwrap();
    let log_weights = log_weights_by_quadrature(q.alpha()[0], q.alpha()[1]);
    let expected = DMatrix::from_fn(3, 2, |n, k| {
        log_weights[k] + log_gaussian_by_quadrature(&q.components()[k], x[(n, 0)])
    });
    let terms: Vec<(Vec<usize>, f64)> = labellings(3, 2)
        .into_iter()
        .map(|z| {
            let log: f64 = (0..3).map(|n| expected[(n, z[n])]).sum();
            (z, log.exp())
        })
        .collect();
    let total: f64 = terms.iter().map(|(_, p)| p).sum();
    for (z, p) in terms {
        let product: f64 = (0..3).map(|n| r[(n, z[n])]).product();
        assert_relative_eq!(product, p / total, max_relative = 1e-8);
    }
}

/// The formula of the page, against quadrature in one dimension.
#[test]
fn vb_score() {
    let (q, x) = small();
    let log_weights = log_weights_by_quadrature(q.alpha()[0], q.alpha()[1]);
    for (k, log_weight) in log_weights.into_iter().enumerate() {
        for x in x.iter() {
            let (beta, nu, w) = (q.beta()[k], q.nu()[k], q.w(k)[(0, 0)]);
            let log_det = digamma(0.5 * nu) + 2.0_f64.ln() + w.ln();
            let score = digamma(q.alpha()[k]) - digamma(q.alpha().sum())
                + 0.5 * log_det
                - 0.5 * std::f64::consts::TAU.ln()
                - 0.5 / beta
                - 0.5 * nu * w * (x - q.means()[(k, 0)]).powi(2);
            let plain =
                log_weight + log_gaussian_by_quadrature(&q.components()[k], *x);
            assert_relative_eq!(score, plain, max_relative = 1e-8);
        }
    }
}

/// A problem in two dimensions: prior, points and any responsibilities.
fn problem() -> (Prior, DMatrix<f64>, DMatrix<f64>) {
    let mut rng = rng(120);
    let prior = Prior {
        alpha0: 0.7,
        beta0: 0.4,
        m0: noise(2, &mut rng),
        w0: random_covariance(2, &mut rng),
        nu0: 3.3,
    };
    let x = DMatrix::from_fn(4, 2, |_, _| 2.0 * noise(1, &mut rng)[0]);
    let mut r = DMatrix::from_fn(4, 2, |_, _| rng.random_range(0.05..1.0));
    for mut row in r.row_iter_mut() {
        let total: f64 = row.sum();
        row /= total;
    }
    (prior, x, r)
}

/// E under q(z) of `f`, over all labellings.
fn over_labels(r: &DMatrix<f64>, f: impl Fn(&[usize]) -> f64) -> f64 {
    labellings(r.nrows(), r.ncols())
        .iter()
        .map(|z| {
            let q: f64 = z.iter().enumerate().map(|(n, k)| r[(n, *k)]).product();
            q * f(z)
        })
        .sum()
}

/// ln q*(π) is E ln p(z | π) + ln p(π) up to a constant: differences agree.
#[test]
fn weights_factor() {
    let (prior, x, r) = problem();
    let q = Posterior::from_responsibilities(&prior, &x, &r).unwrap();
    for k in 0..2 {
        let expected = prior.alpha0 + r.column(k).sum();
        assert_relative_eq!(q.alpha()[k], expected, max_relative = 1e-14);
    }
    let log = |pi: &DVector<f64>| {
        let prior: f64 = pi.iter().map(|p| (prior.alpha0 - 1.0) * p.ln()).sum();
        prior + over_labels(&r, |z| z.iter().map(|&k| pi[k].ln()).sum())
    };
    let at = |p: f64| dvector![p, 1.0 - p];
    let theirs = |p: f64| q.weights().log_density(&at(p)).unwrap();
    for p in [0.1, 0.3, 0.9] {
        let difference = log(&at(p)) - log(&at(0.5));
        assert_relative_eq!(difference, theirs(p) - theirs(0.5), epsilon = 1e-12);
    }
    // And it is a density.
    let logit = |t: f64| {
        let p = 1.0 / (1.0 + (-t).exp());
        theirs(p).exp() * p * (1.0 - p)
    };
    assert_relative_eq!(integral(logit, -35.0, 35.0, 20_000), 1.0, epsilon = 1e-9);
}

/// ln q*(μ_k, Λ_k) is ln p(μ_k, Λ_k) + E Σ [z_n = k] ln N(x_n | μ_k, Λ_k⁻¹) up to a
/// constant: differences agree.
#[test]
fn component_factor() {
    let (prior, x, r) = problem();
    let q = Posterior::from_responsibilities(&prior, &x, &r).unwrap();
    let inverse_w0 = prior.w0.clone().try_inverse().unwrap();
    let mut rng = rng(121);
    for k in 0..2 {
        let log = |mu: &DVector<f64>, lambda: &DMatrix<f64>| {
            let sigma = lambda.clone().try_inverse().unwrap();
            let about = plain_log_density(mu, &prior.m0, &(&sigma / prior.beta0));
            let wishart = 0.5 * (prior.nu0 - 3.0) * lambda.determinant().ln()
                - 0.5 * (&inverse_w0 * lambda).trace();
            let points = over_labels(&r, |z| {
                let mine = (0..4).filter(|&n| z[n] == k);
                mine.map(|n| plain_log_density(&x.row(n).transpose(), mu, &sigma))
                    .sum()
            });
            about + wishart + points
        };
        let theirs = |mu: &DVector<f64>, lambda: &DMatrix<f64>| {
            q.components()[k].log_density(mu, lambda).unwrap()
        };
        let (mu, lambda) = (dvector![0.2, -0.1], DMatrix::identity(2, 2));
        for _ in 0..6 {
            let (a, b) = (noise(2, &mut rng) * 2.0, random_covariance(2, &mut rng));
            assert_relative_eq!(
                log(&a, &b) - log(&mu, &lambda),
                theirs(&a, &b) - theirs(&mu, &lambda),
                max_relative = 1e-10,
                epsilon = 1e-10
            );
        }
    }
}

#[test]
fn expected_log_weight() {
    for (a, b) in [(0.3, 0.8), (1.0, 1.0), (2.5, 7.0)] {
        let dirichlet = Dirichlet::new(dvector![a, b]).unwrap();
        let expected = log_weights_by_quadrature(a, b);
        let ours = dirichlet.expected_log();
        assert_relative_eq!(ours[0], expected[0], max_relative = 1e-8);
        assert_relative_eq!(ours[1], expected[1], max_relative = 1e-8);
    }
    // The device itself: minus the derivative of ln C, for four weights.
    let alpha = dvector![0.4, 1.3, 2.0, 5.5];
    let log_c = |a: &DVector<f64>| {
        ln_gamma(a.sum()) - a.iter().map(|&a| ln_gamma(a)).sum::<f64>()
    };
    let ours = Dirichlet::new(alpha.clone()).unwrap().expected_log();
    assert_relative_eq!(ours, -gradient(log_c, &alpha), epsilon = 1e-7);
}

/// A Wishart variate with whole ν, as what it is: a sum of outer products.
fn draw_precision(
    nu: usize,
    w: &DMatrix<f64>,
    rng: &mut mixtures::math::Rng,
) -> DMatrix<f64> {
    let root = w.clone().symmetric_eigen();
    let root =
        &root.eigenvectors * DMatrix::from_diagonal(&root.eigenvalues.map(f64::sqrt));
    (0..nu).fold(DMatrix::zeros(w.nrows(), w.nrows()), |sum, _| {
        let g = &root * noise(w.nrows(), rng);
        sum + &g * g.transpose()
    })
}

#[test]
fn expected_log_det() {
    let mut rng = rng(122);
    let w = random_covariance(3, &mut rng);
    for nu in [3, 5, 12] {
        let values: Vec<f64> = (0..20_000)
            .map(|_| draw_precision(nu, &w, &mut rng).determinant().ln())
            .collect();
        let wishart = Wishart::new(nu as f64, w.clone()).unwrap();
        assert_mean(&values, wishart.expected_log_det());
    }
}

#[test]
fn expected_distance() {
    let mut rng = rng(123);
    let w = random_covariance(2, &mut rng);
    let (m, beta, x) = (dvector![1.0, -1.0], 0.6, dvector![0.0, 2.0]);
    let q =
        GaussianWishart::new(m.clone(), beta, Wishart::new(4.0, w.clone()).unwrap());
    let values: Vec<f64> = (0..40_000)
        .map(|_| {
            let lambda = draw_precision(4, &w, &mut rng);
            // μ = m + (βΛ)^(−1/2) ε, by an eigendecomposition.
            let eigen = lambda.clone().symmetric_eigen();
            let root = eigen.eigenvalues.map(|l| (beta * l).sqrt().recip());
            let noise = noise(2, &mut rng).component_mul(&root);
            let v = &x - &m - &eigen.eigenvectors * noise;
            v.dot(&(&lambda * &v))
        })
        .collect();
    assert_mean(&values, q.unwrap().expected_distance(&x));
}
