use crate::appendix_distributions::{
    draw_gamma, gamma_density, outer_products, plain_log_wishart, plain_student,
};
use crate::common::*;
use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use statrs::function::gamma::digamma;
use std::f64::consts::LN_2;

/// Draws of (λ₁ … λ_D), independent or all the same, from gammas with these rates and ν/2.
fn smaller(
    nu: f64,
    inverse_w: &DVector<f64>,
    same: bool,
    rng: &mut Rng,
) -> DVector<f64> {
    let mut g = draw_gamma(0.5 * nu, rng);
    DVector::from_fn(inverse_w.len(), |j, _| {
        if j > 0 && !same {
            g = draw_gamma(0.5 * nu, rng);
        }
        2.0 * g / inverse_w[j]
    })
}

/// The means by sampling, and that both are Wisharts where D = 1.
#[test]
fn smaller_wisharts() {
    let mut rng = rng(418);
    let nu = 1.7;
    for (same, inverse_w) in
        [(false, dvector![0.6, 2.5, 1.0]), (true, dvector![1.4, 1.4])]
    {
        let d = inverse_w.len() as f64;
        let draws: Vec<DVector<f64>> =
            (0..20_000).map(|_| smaller(nu, &inverse_w, same, &mut rng)).collect();
        for j in 0..inverse_w.len() {
            let entries: Vec<f64> = draws.iter().map(|l| l[j]).collect();
            assert_mean(&entries, nu / inverse_w[j]);
        }
        let logs: Vec<f64> = draws.iter().map(|l| l.map(f64::ln).sum()).collect();
        let log_det_w = -inverse_w.map(f64::ln).sum();
        assert_mean(&logs, d * digamma(0.5 * nu) + d * LN_2 + log_det_w);
    }
    for lambda in [0.3, 1.0, 4.0] {
        let one = |v: f64| DMatrix::from_element(1, 1, v);
        let wishart = plain_log_wishart(&one(lambda), &one(1.0 / 1.4), nu).exp();
        let gamma = gamma_density(lambda, 0.5 * nu, 0.7);
        assert_relative_eq!(gamma, wishart, max_relative = 1e-9);
    }
}

/// ln of Gam(λ | ν/2, w⁻¹/2), but for constants.
fn log_gamma_form(lambda: f64, nu: f64, inverse_w: f64) -> f64 {
    (0.5 * nu - 1.0) * lambda.ln() - 0.5 * inverse_w * lambda
}

/// Bayes' rule itself: prior times likelihood, with the mean still in it, differs from the stated
/// posterior by a constant.
#[test]
fn smaller_updates() {
    let (d, mut rng) = (3, rng(419));
    let (nu, beta, m) = (1.7, 0.6, noise(3, &mut rng));
    let sizes = [4, 7];
    let groups: Vec<Vec<DVector<f64>>> =
        sizes.iter().map(|&n| (0..n).map(|_| noise(d, &mut rng)).collect()).collect();
    // m_N and R of each group.
    let pulled: Vec<(DVector<f64>, DMatrix<f64>)> = groups
        .iter()
        .map(|x| {
            let n = x.len() as f64;
            let mean = x.iter().sum::<DVector<f64>>() / n;
            let scatter: DMatrix<f64> =
                x.iter().map(|x| (x - &mean) * (x - &mean).transpose()).sum();
            let shift = &mean - &m;
            let rest = scatter + &shift * shift.transpose() * (beta * n / (beta + n));
            ((&m * beta + &mean * n) / (beta + n), rest)
        })
        .collect();
    // ln p(X_k, μ_k | Λ), and ln N(μ_k | m_N, (β_N Λ)⁻¹).
    let joint = |k: usize, mu: &DVector<f64>, lambda: &DMatrix<f64>| {
        let sigma = lambda.clone().try_inverse().unwrap();
        let points = groups[k].iter().map(|x| plain_log_density(x, mu, &sigma));
        points.sum::<f64>() + plain_log_density(mu, &m, &(sigma / beta))
    };
    let of_mean = |k: usize, mu: &DVector<f64>, lambda: &DMatrix<f64>| {
        let sigma = lambda.clone().try_inverse().unwrap() / (beta + sizes[k] as f64);
        plain_log_density(mu, &pulled[k].0, &sigma)
    };
    let constant = |values: &[f64]| {
        for v in values {
            assert_relative_eq!(*v, values[0], epsilon = 1e-9);
        }
    };
    let n = sizes[0] as f64;
    let rest = &pulled[0].1;
    let (mut diagonal, mut spherical, mut shared) = (vec![], vec![], vec![]);
    for _ in 0..8 {
        let (mu, other) = (noise(d, &mut rng), noise(d, &mut rng));
        let l = noise(d, &mut rng).map(|v| v.exp());
        let lambda = DMatrix::from_diagonal(&l);
        let w = dvector![0.5, 1.5, 2.5];
        let before: f64 = (0..d).map(|j| log_gamma_form(l[j], nu, w[j])).sum();
        let after: f64 =
            (0..d).map(|j| log_gamma_form(l[j], nu + n, w[j] + rest[(j, j)])).sum();
        let gain = joint(0, &mu, &lambda) - of_mean(0, &mu, &lambda);
        diagonal.push(before + gain - after);

        let lambda = DMatrix::identity(d, d) * l[0];
        let before = log_gamma_form(l[0], nu, 1.2);
        let after = log_gamma_form(l[0], nu + n * d as f64, 1.2 + rest.trace());
        let gain = joint(0, &mu, &lambda) - of_mean(0, &mu, &lambda);
        spherical.push(before + gain - after);

        let lambda = random_covariance(d, &mut rng);
        let inverse_w = DMatrix::from_diagonal(&w);
        let form = |nu: f64, inverse_w: &DMatrix<f64>| {
            0.5 * (nu - d as f64 - 1.0) * lambda.determinant().ln()
                - 0.5 * (inverse_w * &lambda).trace()
        };
        let means = of_mean(0, &mu, &lambda) + of_mean(1, &other, &lambda);
        let gain = joint(0, &mu, &lambda) + joint(1, &other, &lambda) - means;
        let after = &inverse_w + rest + &pulled[1].1;
        let total = (sizes[0] + sizes[1]) as f64;
        shared
            .push(form(nu + 2.0, &inverse_w) + gain - form(nu + 2.0 + total, &after));
    }
    constant(&diagonal);
    constant(&spherical);
    constant(&shared);
}

/// The stated densities against N(x | m, (β+1)/β Λ⁻¹), averaged over draws of Λ.
#[test]
fn smaller_predictives() {
    let mut rng = rng(420);
    let (nu, beta) = (2.6, 0.7);
    let c = (beta + 1.0) / (beta * nu);
    let m = dvector![0.5, -1.0];
    for (same, w) in [(false, dvector![0.6, 2.5]), (true, dvector![1.4, 1.4])] {
        for _ in 0..3 {
            let x = noise(2, &mut rng) * 2.0;
            let averaged: Vec<f64> = (0..20_000)
                .map(|_| {
                    let lambda = smaller(nu, &w, same, &mut rng);
                    let sigma = lambda.map(|l| (beta + 1.0) / (beta * l));
                    plain_density(&x, &m, &DMatrix::from_diagonal(&sigma))
                })
                .collect();
            let scale = DMatrix::from_diagonal(&(&w * c));
            let one = |j: usize| {
                let v = DMatrix::from_element(1, 1, c * w[j]);
                plain_student(&dvector![x[j]], &dvector![m[j]], &v, nu)
            };
            let density = if same {
                plain_student(&x, &m, &scale, nu)
            } else {
                one(0) * one(1)
            };
            assert_mean(&averaged, density);
        }
    }
}

/// Every diagonal entry, by sampling Λ as a sum of outer products and inverting it.
#[test]
fn variance_marginal() {
    let mut rng = rng(421);
    for (d, nu) in [(1, 3), (2, 5), (4, 7)] {
        let w = random_covariance(d, &mut rng);
        let (g, inverse_w) =
            (w.clone().cholesky().unwrap().unpack(), w.try_inverse().unwrap());
        let draws: Vec<DVector<f64>> = (0..20_000)
            .map(|_| {
                outer_products(&g, nu, &mut rng).try_inverse().unwrap().diagonal()
            })
            .collect();
        let a = 0.5 * (nu - d + 1) as f64;
        for j in 0..d {
            let b = 0.5 * inverse_w[(j, j)];
            let of = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
                draws.iter().map(|sigma| f(1.0 / sigma[j])).collect()
            };
            assert_mean(&of(&|t| t), a / b);
            assert_mean(&of(&f64::ln), digamma(a) - b.ln());
            // Its whole distribution: Laplace's transform E exp(−s t) = (1 + s/b)^(−a).
            for s in [0.3 * b, 2.0 * b] {
                assert_mean(&of(&|t| (-s * t).exp()), (1.0 + s / b).powf(-a));
            }
        }
    }
}
