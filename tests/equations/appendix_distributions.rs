use std::f64::consts::{LN_2, PI, TAU};

use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::rand::RngExt;
use mixtures::rand::distr::{Distribution, Open01};
use mixtures::rand_distr::Gamma;
use statrs::function::gamma::{digamma, ln_gamma};

use crate::common::*;

/// ∫ f(t) dt over t > 0, through t = eᵘ.
fn half_line(f: impl Fn(f64) -> f64) -> f64 {
    integral(|u| f(u.exp()) * u.exp(), -60.0, 8.0, 2000)
}

/// Γ(a) as its integral.
fn gamma(a: f64) -> f64 {
    half_line(|t| t.powf(a - 1.0) * (-t).exp())
}

/// The derivative of a function of one number.
fn slope(f: impl Fn(f64) -> f64, at: f64) -> f64 {
    gradient(|v| f(v[0]), &dvector![at])[0]
}

/// Gam(g | a, b), with Γ by quadrature.
pub fn gamma_density(g: f64, a: f64, b: f64) -> f64 {
    (a * b.ln() + (a - 1.0) * g.ln() - b * g).exp() / gamma(a)
}

pub fn draw_gamma(a: f64, rng: &mut Rng) -> f64 {
    Gamma::new(a, 1.0).unwrap().sample(rng)
}

#[test]
fn gamma_recursion() {
    for a in [0.6, 1.0, 2.5, 7.3] {
        assert_relative_eq!(gamma(a + 1.0), a * gamma(a), max_relative = 1e-10);
        assert_relative_eq!(gamma(a), ln_gamma(a).exp(), max_relative = 1e-10);
    }
    assert_relative_eq!(gamma(1.0), 1.0, max_relative = 1e-12);
    assert_relative_eq!(gamma(0.5), PI.sqrt(), max_relative = 1e-10);
    assert_relative_eq!(gamma(6.0), 120.0, max_relative = 1e-10);
}

#[test]
fn gamma_expectations() {
    for (a, b) in [(0.7, 2.0_f64), (1.0, 0.3), (4.5, 1.7)] {
        let constant = gamma(a);
        let log_p = |g: f64| a * b.ln() + (a - 1.0) * g.ln() - b * g - constant.ln();
        let p = |g: f64| log_p(g).exp();
        let mean = |f: &dyn Fn(f64) -> f64| half_line(|g| p(g) * f(g));
        let psi = slope(|a| gamma(a).ln(), a);
        assert_relative_eq!(mean(&|_| 1.0), 1.0, epsilon = 1e-9);
        assert_relative_eq!(mean(&|g| g), a / b, epsilon = 1e-9);
        let variance = mean(&|g| (g - a / b).powi(2));
        assert_relative_eq!(variance, a / (b * b), epsilon = 1e-8);
        assert_relative_eq!(mean(&|g| g.ln()), psi - b.ln(), epsilon = 1e-8);
        let entropy = a - b.ln() + constant.ln() + (1.0 - a) * psi;
        assert_relative_eq!(-mean(&log_p), entropy, epsilon = 1e-8);
    }
}

#[test]
fn digamma_bounds() {
    let psi = |a: f64| slope(|a| gamma(a).ln(), a);
    for a in [0.6, 1.0, 3.2, 20.0] {
        assert_relative_eq!(psi(a + 1.0), psi(a) + 1.0 / a, epsilon = 1e-8);
        assert!(a.ln() - 1.0 / a < psi(a) && psi(a) < a.ln());
    }
}

/// The density of the gammas, turned into the new variables by a finite-difference
/// Jacobian, is the product claimed; and shares are independent of the sum.
#[test]
fn dirichlet_from_gammas() {
    let alpha = [0.8, 2.5, 1.7];
    let total: f64 = alpha.iter().sum();
    let gammas = |v: &DVector<f64>| {
        let last = 1.0 - v[0] - v[1];
        dvector![v[2] * v[0], v[2] * v[1], v[2] * last]
    };
    for v in [dvector![0.2, 0.3, 1.4], dvector![0.55, 0.05, 6.0]] {
        let g = gammas(&v);
        let columns: Vec<DVector<f64>> =
            (0..3).map(|i| gradient(|v| gammas(v)[i], &v)).collect();
        let jacobian = DMatrix::from_columns(&columns).determinant().abs();
        let of_gammas: f64 =
            (0..3).map(|k| gamma_density(g[k], alpha[k], 1.0)).product();
        let weights = [v[0], v[1], 1.0 - v[0] - v[1]];
        let powers: f64 = (0..3).map(|k| weights[k].powf(alpha[k] - 1.0)).product();
        let constant = gamma(total) / alpha.map(gamma).iter().product::<f64>();
        assert_relative_eq!(
            of_gammas * jacobian,
            constant * powers * gamma_density(v[2], total, 1.0),
            max_relative = 1e-8
        );
    }
    let mut rng = rng(401);
    let (mut products, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let g = alpha.map(|a| draw_gamma(a, &mut rng));
        let s: f64 = g.iter().sum();
        products.push((g[0] / s - alpha[0] / total) * (s - total));
        sums.push((s - total).powi(2));
    }
    assert_mean(&products, 0.0);
    assert_mean(&sums, total);
}

/// Shares of three gammas.
fn shares(alpha: &[f64; 3], rng: &mut Rng) -> DVector<f64> {
    let g = DVector::from_fn(3, |k, _| draw_gamma(alpha[k], rng));
    &g / g.sum()
}

#[test]
fn dirichlet_moments() {
    let mut rng = rng(402);
    for alpha in [[0.8, 2.5, 1.7], [0.3, 0.2, 0.4]] {
        let total: f64 = alpha.iter().sum();
        let mean = alpha.map(|a| a / total);
        let draws: Vec<_> = (0..20_000).map(|_| shares(&alpha, &mut rng)).collect();
        for i in 0..3 {
            let values: Vec<f64> = draws.iter().map(|w| w[i]).collect();
            assert_mean(&values, mean[i]);
            for j in 0..=i {
                let same = if i == j { 1.0 } else { 0.0 };
                let products: Vec<f64> = draws
                    .iter()
                    .map(|w| (w[i] - mean[i]) * (w[j] - mean[j]))
                    .collect();
                assert_mean(&products, mean[i] * (same - mean[j]) / (total + 1.0));
            }
        }
    }
}

/// ∫ f(π) Dir(π | α) dπ for two weights, through a logistic function; f sees both
/// weights and the log density.
fn over_two_weights(alpha: [f64; 2], f: impl Fn([f64; 2], f64) -> f64) -> f64 {
    let constant =
        (gamma(alpha[0] + alpha[1]) / gamma(alpha[0]) / gamma(alpha[1])).ln();
    let integrand = |u: f64| {
        let w = [1.0 / (1.0 + (-u).exp()), 1.0 / (1.0 + u.exp())];
        let log =
            constant + (alpha[0] - 1.0) * w[0].ln() + (alpha[1] - 1.0) * w[1].ln();
        w[0] * w[1] * log.exp() * f(w, log)
    };
    integral(integrand, -60.0, 60.0, 4000)
}

fn ln_c(alpha: &[f64]) -> f64 {
    ln_gamma(alpha.iter().sum()) - alpha.iter().map(|a| ln_gamma(*a)).sum::<f64>()
}

fn expected_logs(alpha: &[f64]) -> Vec<f64> {
    let total = digamma(alpha.iter().sum());
    alpha.iter().map(|a| digamma(*a) - total).collect()
}

#[test]
fn dirichlet_entropy() {
    for alpha in [[0.7, 2.2], [1.0, 1.0], [5.0, 0.9]] {
        let logs = expected_logs(&alpha);
        let formula =
            -ln_c(&alpha) - (alpha[0] - 1.0) * logs[0] - (alpha[1] - 1.0) * logs[1];
        let entropy = over_two_weights(alpha, |_, log| -log);
        assert_relative_eq!(entropy, formula, epsilon = 1e-8);
        let mean_log = over_two_weights(alpha, |w, _| w[0].ln());
        assert_relative_eq!(mean_log, logs[0], epsilon = 1e-8);
    }
}

#[test]
fn dirichlet_kl() {
    for (alpha, other) in [([0.7, 2.2], [1.5, 1.5]), ([3.0, 1.0], [0.6, 2.0])] {
        let logs = expected_logs(&alpha);
        let formula = ln_c(&alpha) - ln_c(&other)
            + (alpha[0] - other[0]) * logs[0]
            + (alpha[1] - other[1]) * logs[1];
        let divergence = over_two_weights(alpha, |w, log| {
            let powers = (other[0] - 1.0) * w[0].ln() + (other[1] - 1.0) * w[1].ln();
            log - ln_c(&other) - powers
        });
        assert_relative_eq!(divergence, formula, epsilon = 1e-8);
    }
}

/// All moments agree: E gᵖ = Γ(a + p)/Γ(a), also for fractions p.
#[test]
fn small_gamma() {
    let mut rng = rng(403);
    for a in [0.1, 0.5, 2.0] {
        let draws: Vec<f64> = (0..20_000)
            .map(|_| {
                let u: f64 = rng.sample(Open01);
                draw_gamma(a + 1.0, &mut rng) * u.powf(1.0 / a)
            })
            .collect();
        for p in [0.05, 0.5, 1.0, 2.0] {
            let powers: Vec<f64> = draws.iter().map(|g| g.powf(p)).collect();
            assert_mean(&powers, (ln_gamma(a + p) - ln_gamma(a)).exp());
        }
        let logs: Vec<f64> = draws.iter().map(|g| g.ln()).collect();
        assert_mean(&logs, digamma(a));
    }
}

/// Σ xₙ xₙᵀ of ν draws from N(0, G Gᵀ).
pub fn outer_products(g: &DMatrix<f64>, nu: usize, rng: &mut Rng) -> DMatrix<f64> {
    let mut sum = DMatrix::zeros(g.nrows(), g.nrows());
    for _ in 0..nu {
        let x = g * noise(g.nrows(), rng);
        sum += &x * x.transpose();
    }
    sum
}

/// A Bartlett draw, for any real ν.
fn draw_standard(d: usize, nu: f64, rng: &mut Rng) -> DMatrix<f64> {
    let normals = noise(d * d, rng);
    let a = DMatrix::from_fn(d, d, |i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => {
            (2.0 * draw_gamma(0.5 * (nu - i as f64), rng)).sqrt()
        }
        std::cmp::Ordering::Greater => normals[i * d + j],
    });
    &a * a.transpose()
}

/// The Cholesky factors of sums of outer products have the entries claimed, and these
/// are uncorrelated.
#[test]
fn bartlett() {
    let (d, nu) = (3, 5);
    let mut rng = rng(404);
    let factors: Vec<DMatrix<f64>> = (0..20_000)
        .map(|_| {
            let m = outer_products(&DMatrix::identity(d, d), nu, &mut rng);
            m.cholesky().unwrap().unpack()
        })
        .collect();
    let column = |f: &dyn Fn(&DMatrix<f64>) -> f64| -> Vec<f64> {
        factors.iter().map(f).collect()
    };
    for i in 0..d {
        let degrees = (nu - i) as f64;
        assert_mean(&column(&|a| a[(i, i)].powi(2)), degrees);
        assert_mean(
            &column(&|a| (a[(i, i)].powi(2) - degrees).powi(2)),
            2.0 * degrees,
        );
        let log = digamma(0.5 * degrees) + LN_2;
        assert_mean(&column(&|a| a[(i, i)].powi(2).ln()), log);
        for j in 0..i {
            assert_mean(&column(&|a| a[(i, j)]), 0.0);
            assert_mean(&column(&|a| a[(i, j)].powi(2)), 1.0);
            assert_mean(&column(&|a| a[(i, j)].powi(4)), 3.0);
            for (k, l) in [(0, 0), (1, 1), (2, 2), (1, 0), (2, 0)] {
                if (k, l) != (i, j) {
                    assert_mean(&column(&|a| a[(i, j)] * a[(k, l)]), 0.0);
                }
            }
        }
    }
    let squares = column(&|a| (a[(0, 0)].powi(2) - 5.0) * (a[(2, 2)].powi(2) - 3.0));
    assert_mean(&squares, 0.0);
}

/// The places on and below the diagonal, by columns.
fn places(d: usize) -> Vec<(usize, usize)> {
    (0..d).flat_map(|j| (j..d).map(move |i| (i, j))).collect()
}

/// |∂ f/∂ x| by finite differences, over the entries on and below the diagonal; `fill`
/// makes a matrix of them.
fn jacobian(
    d: usize,
    at: &DMatrix<f64>,
    fill: impl Fn(&DVector<f64>) -> DMatrix<f64>,
    f: impl Fn(&DMatrix<f64>) -> DMatrix<f64>,
) -> f64 {
    let places = places(d);
    let at = DVector::from_iterator(places.len(), places.iter().map(|p| at[*p]));
    let columns: Vec<DVector<f64>> =
        places.iter().map(|p| gradient(|v| f(&fill(v))[*p], &at)).collect();
    DMatrix::from_columns(&columns).determinant().abs()
}

fn lower(d: usize, v: &DVector<f64>) -> DMatrix<f64> {
    let mut a = DMatrix::zeros(d, d);
    places(d).iter().zip(v.iter()).for_each(|(p, v)| a[*p] = *v);
    a
}

fn symmetric(d: usize, v: &DVector<f64>) -> DMatrix<f64> {
    let mut a = lower(d, v);
    a.fill_upper_triangle_with_lower_triangle();
    a
}

#[test]
fn cholesky_jacobian() {
    let mut rng = rng(405);
    for d in 1..=4 {
        let a = random_covariance(d, &mut rng).cholesky().unwrap().unpack();
        let numeric = jacobian(d, &a, |v| lower(d, v), |a| a * a.transpose());
        let product: f64 = (0..d).map(|i| a[(i, i)].powi((d - i) as i32)).product();
        let formula = 2.0_f64.powi(d as i32) * product;
        assert_relative_eq!(numeric, formula, max_relative = 1e-8);
    }
}

#[test]
fn congruence_jacobian() {
    let mut rng = rng(406);
    for d in 1..=4 {
        let g = DMatrix::from_fn(d, d, |_, _| rng.random_range(-1.0..1.0));
        let at = random_covariance(d, &mut rng);
        let numeric =
            jacobian(d, &at, |v| symmetric(d, v), |m| &g * m * g.transpose());
        let formula = g.determinant().abs().powi(d as i32 + 1);
        assert_relative_eq!(numeric, formula, max_relative = 1e-8);
    }
}

/// ln Γ_D(a).
fn ln_gamma_d(d: usize, a: f64) -> f64 {
    let power = (d * d - d) as f64 / 4.0;
    (0..d).map(|i| ln_gamma(a - i as f64 / 2.0)).sum::<f64>() + power * PI.ln()
}

/// ln B(W, ν), by the determinant.
fn ln_b(w: &DMatrix<f64>, nu: f64) -> f64 {
    let d = w.nrows();
    -0.5 * nu * (w.determinant().ln() + d as f64 * LN_2) - ln_gamma_d(d, 0.5 * nu)
}

/// ln W(Λ | W, ν), by inverse and determinant.
pub fn plain_log_wishart(lambda: &DMatrix<f64>, w: &DMatrix<f64>, nu: f64) -> f64 {
    let power = 0.5 * (nu - w.nrows() as f64 - 1.0);
    let trace = (w.clone().try_inverse().unwrap() * lambda).trace();
    ln_b(w, nu) + power * lambda.determinant().ln() - 0.5 * trace
}

/// ∫ f(Λ) dΛ₁₁ dΛ₂₁ dΛ₂₂ over the positive definite 2×2 matrices: the diagonal as eᵘ
/// and eᵛ, and Λ₂₁ = √(Λ₁₁Λ₂₂) tanh t.
fn over_precisions(f: impl Fn(&DMatrix<f64>) -> f64) -> f64 {
    let mut sum = 0.0;
    let h = 0.25;
    let grid = |low: i32, high: i32| (low..=high).map(move |i| h * f64::from(i));
    for u in grid(-48, 16) {
        for v in grid(-48, 16) {
            for t in grid(-36, 36) {
                let (a, c, r) = (u.exp(), v.exp(), t.tanh());
                let scale = (a * c).sqrt();
                let lambda =
                    DMatrix::from_row_slice(2, 2, &[a, scale * r, scale * r, c]);
                // 1 − tanh² = 1/cosh², without the cancellation.
                let det = a * c / t.cosh().powi(2);
                if det > 1e-12 * a * c {
                    sum += f(&lambda) * a * c * scale / t.cosh().powi(2);
                }
            }
        }
    }
    sum * h * h * h
}

fn w2() -> DMatrix<f64> {
    DMatrix::from_row_slice(2, 2, &[0.8, -0.3, -0.3, 0.4])
}

/// It integrates to one; and for whole ν it gives a function the same average that
/// sums of outer products do.
#[test]
fn wishart_density() {
    let mut rng = rng(407);
    let g = w2().cholesky().unwrap().unpack();
    let f =
        |lambda: &DMatrix<f64>| (-0.7 * lambda[(0, 0)] - 0.4 * lambda[(1, 0)]).exp();
    for nu in [3.0, 4.6, 6.0] {
        let p = |lambda: &DMatrix<f64>| plain_log_wishart(lambda, &w2(), nu).exp();
        assert_relative_eq!(over_precisions(&p), 1.0, epsilon = 1e-6);
        if nu.fract() == 0.0 {
            let average = over_precisions(|lambda| p(lambda) * f(lambda));
            let values: Vec<f64> = (0..20_000)
                .map(|_| f(&outer_products(&g, nu as usize, &mut rng)))
                .collect();
            assert_mean(&values, average);
        }
    }
}

/// Draws of Λ for a real ν.
fn draws(w: &DMatrix<f64>, nu: f64, rng: &mut Rng) -> Vec<DMatrix<f64>> {
    let g = w.clone().cholesky().unwrap().unpack();
    (0..20_000)
        .map(|_| &g * draw_standard(w.nrows(), nu, rng) * g.transpose())
        .collect()
}

#[test]
fn wishart_mean() {
    let mut rng = rng(408);
    for d in 1..=3 {
        let w = random_covariance(d, &mut rng);
        let nu = d as f64 + 0.4;
        let draws = draws(&w, nu, &mut rng);
        for (i, j) in places(d) {
            let values: Vec<f64> = draws.iter().map(|l| l[(i, j)]).collect();
            assert_mean(&values, nu * w[(i, j)]);
        }
    }
    let p = |lambda: &DMatrix<f64>| plain_log_wishart(lambda, &w2(), 4.6).exp();
    for place in places(2) {
        let mean = over_precisions(|lambda| p(lambda) * lambda[place]);
        assert_relative_eq!(mean, 4.6 * w2()[place], epsilon = 1e-5);
    }
}

/// Σᵢ ψ((ν + 1 − i)/2) + D ln 2 + ln det W.
fn expected_log_det(w: &DMatrix<f64>, nu: f64) -> f64 {
    let d = w.nrows();
    let digammas: f64 = (1..=d).map(|i| digamma(0.5 * (nu + 1.0 - i as f64))).sum();
    digammas + d as f64 * LN_2 + w.determinant().ln()
}

#[test]
fn wishart_log_det() {
    let mut rng = rng(409);
    for d in 1..=3 {
        let w = random_covariance(d, &mut rng);
        let g = w.clone().cholesky().unwrap().unpack();
        let nu = d + 2;
        let values: Vec<f64> = (0..20_000)
            .map(|_| outer_products(&g, nu, &mut rng).determinant().ln())
            .collect();
        assert_mean(&values, expected_log_det(&w, nu as f64));
    }
    let p = |lambda: &DMatrix<f64>| plain_log_wishart(lambda, &w2(), 4.6).exp();
    let mean = over_precisions(|lambda| p(lambda) * lambda.determinant().ln());
    assert_relative_eq!(mean, expected_log_det(&w2(), 4.6), epsilon = 1e-5);
}

fn entropy_of_wishart(w: &DMatrix<f64>, nu: f64) -> f64 {
    let d = w.nrows() as f64;
    -ln_b(w, nu) - 0.5 * (nu - d - 1.0) * expected_log_det(w, nu) + 0.5 * nu * d
}

#[test]
fn wishart_entropy() {
    let mut rng = rng(410);
    for (d, nu) in [(1, 0.9), (2, 3.5), (3, 4.2)] {
        let w = random_covariance(d, &mut rng);
        let values: Vec<f64> = draws(&w, nu, &mut rng)
            .iter()
            .map(|lambda| -plain_log_wishart(lambda, &w, nu))
            .collect();
        assert_mean(&values, entropy_of_wishart(&w, nu));
    }
}

fn kl_of_wisharts(w: &DMatrix<f64>, nu: f64, w0: &DMatrix<f64>, nu0: f64) -> f64 {
    let trace = (w0.clone().try_inverse().unwrap() * w).trace();
    ln_b(w, nu) - ln_b(w0, nu0)
        + 0.5 * (nu - nu0) * expected_log_det(w, nu)
        + 0.5 * nu * (trace - w.nrows() as f64)
}

#[test]
fn wishart_kl() {
    let mut rng = rng(411);
    for (d, nu, nu0) in [(1, 1.9, 1.0), (2, 3.5, 6.0), (3, 5.2, 2.6)] {
        let (w, w0) =
            (random_covariance(d, &mut rng), random_covariance(d, &mut rng));
        let values: Vec<f64> = draws(&w, nu, &mut rng)
            .iter()
            .map(|lambda| {
                plain_log_wishart(lambda, &w, nu)
                    - plain_log_wishart(lambda, &w0, nu0)
            })
            .collect();
        let formula = kl_of_wisharts(&w, nu, &w0, nu0);
        assert_mean(&values, formula);
        assert!(formula > 0.0 && kl_of_wisharts(&w, nu, &w, nu).abs() < 1e-12);
    }
}

struct Pair {
    m: DVector<f64>,
    beta: f64,
    w: DMatrix<f64>,
    nu: f64,
}

impl Pair {
    fn random(d: usize, rng: &mut Rng) -> Pair {
        Pair {
            m: noise(d, rng),
            beta: rng.random_range(0.3..3.0),
            w: random_covariance(d, rng),
            nu: d as f64 + rng.random_range(0.5..4.0),
        }
    }

    /// Draws of (μ, Λ).
    fn draws(&self, rng: &mut Rng) -> Vec<(DVector<f64>, DMatrix<f64>)> {
        draws(&self.w, self.nu, rng)
            .into_iter()
            .map(|lambda| {
                let sigma = (&lambda * self.beta).try_inverse().unwrap();
                let factor = sigma.cholesky().unwrap().unpack();
                (&self.m + factor * noise(self.m.len(), rng), lambda)
            })
            .collect()
    }

    fn log_density_of_mean(&self, mu: &DVector<f64>, lambda: &DMatrix<f64>) -> f64 {
        let sigma = (lambda * self.beta).try_inverse().unwrap();
        plain_log_density(mu, &self.m, &sigma)
    }

    fn log_density(&self, mu: &DVector<f64>, lambda: &DMatrix<f64>) -> f64 {
        self.log_density_of_mean(mu, lambda)
            + plain_log_wishart(lambda, &self.w, self.nu)
    }
}

#[test]
fn gaussian_wishart_entropy() {
    let mut rng = rng(412);
    for d in 1..=3 {
        let p = Pair::random(d, &mut rng);
        let values: Vec<f64> = p
            .draws(&mut rng)
            .iter()
            .map(|(mu, lambda)| -p.log_density(mu, lambda))
            .collect();
        let d = d as f64;
        let of_mean = d * (TAU / p.beta).ln() + d - expected_log_det(&p.w, p.nu);
        assert_mean(&values, entropy_of_wishart(&p.w, p.nu) + 0.5 * of_mean);
    }
}

/// A sum over a table: 3 × 4 values of (λ, μ), any q and p.
#[test]
fn kl_splits() {
    let mut rng = rng(413);
    let mut table = || {
        let t = DMatrix::from_fn(3, 4, |_, _| rng.random_range(0.1..1.0));
        let total = t.sum();
        t / total
    };
    let (q, p) = (table(), table());
    let divergence = |q: &[f64], p: &[f64]| -> f64 {
        q.iter().zip(p).map(|(q, p)| q * (q / p).ln()).sum()
    };
    let of_both = divergence(q.as_slice(), p.as_slice());
    let margin = |t: &DMatrix<f64>| t.column_sum();
    let (q_margin, p_margin) = (margin(&q), margin(&p));
    let mut split = divergence(q_margin.as_slice(), p_margin.as_slice());
    for i in 0..3 {
        let given = |t: &DMatrix<f64>| (t.row(i) / t.row(i).sum()).transpose();
        split += q_margin[i] * divergence(given(&q).as_slice(), given(&p).as_slice());
    }
    assert_relative_eq!(of_both, split, epsilon = 1e-14);
}

#[test]
fn gaussian_wishart_kl() {
    let mut rng = rng(414);
    for d in 1..=3 {
        let (q, p) = (Pair::random(d, &mut rng), Pair::random(d, &mut rng));
        let draws = q.draws(&mut rng);
        let values: Vec<f64> = draws
            .iter()
            .map(|(mu, lambda)| {
                q.log_density_of_mean(mu, lambda) - p.log_density_of_mean(mu, lambda)
            })
            .collect();
        let (ratio, shift) = (p.beta / q.beta, &q.m - &p.m);
        let formula = 0.5 * d as f64 * (ratio - 1.0 - ratio.ln())
            + 0.5 * p.beta * q.nu * shift.dot(&(&q.w * &shift));
        assert_mean(&values, formula);
        let values: Vec<f64> = draws
            .iter()
            .map(|(mu, lambda)| q.log_density(mu, lambda) - p.log_density(mu, lambda))
            .collect();
        assert_mean(&values, formula + kl_of_wisharts(&q.w, q.nu, &p.w, p.nu));
    }
}

/// St(x | m, V, ν) as the formula stands.
pub fn plain_student(
    x: &DVector<f64>,
    m: &DVector<f64>,
    v: &DMatrix<f64>,
    nu: f64,
) -> f64 {
    let d = x.len() as f64;
    let r = x - m;
    let squared = r.dot(&(v.clone().try_inverse().unwrap() * &r));
    let constant = (ln_gamma(0.5 * (nu + d)) - ln_gamma(0.5 * nu)).exp()
        / ((PI * nu).powf(0.5 * d) * v.determinant().sqrt());
    constant * (1.0 + squared / nu).powf(-0.5 * (nu + d))
}

#[test]
fn student_mixture() {
    let mut rng = rng(415);
    for (d, nu) in [(1, 0.7), (2, 3.0), (4, 8.5)] {
        let (m, v) = (noise(d, &mut rng), random_covariance(d, &mut rng));
        let constant = gamma(0.5 * nu);
        for _ in 0..3 {
            let x = noise(d, &mut rng) * 2.0;
            let mixed = half_line(|g| {
                let log = 0.5 * nu * (0.5 * nu).ln() + (0.5 * nu - 1.0) * g.ln()
                    - 0.5 * nu * g;
                let width = &v / g;
                if g < 1e-20 {
                    0.0
                } else {
                    plain_density(&x, &m, &width) * log.exp()
                }
            });
            let density = plain_student(&x, &m, &v, nu);
            assert_relative_eq!(mixed / constant, density, max_relative = 1e-7);
        }
    }
}

/// Draws of x, with a gamma variate for the width.
fn students(
    m: &DVector<f64>,
    v: &DMatrix<f64>,
    nu: f64,
    rng: &mut Rng,
) -> Vec<DVector<f64>> {
    let factor = v.clone().cholesky().unwrap().unpack();
    (0..20_000)
        .map(|_| {
            let g = draw_gamma(0.5 * nu, rng) / (0.5 * nu);
            m + &factor * noise(m.len(), rng) / g.sqrt()
        })
        .collect()
}

#[test]
fn student_moments() {
    let mut rng = rng(416);
    for d in 1..=3 {
        let (m, v) = (noise(d, &mut rng), random_covariance(d, &mut rng));
        let nu = 6.5;
        let draws = students(&m, &v, nu, &mut rng);
        for (i, j) in places(d) {
            let values: Vec<f64> = draws.iter().map(|x| x[i]).collect();
            assert_mean(&values, m[i]);
            let products: Vec<f64> =
                draws.iter().map(|x| (x[i] - m[i]) * (x[j] - m[j])).collect();
            assert_mean(&products, v[(i, j)] * nu / (nu - 2.0));
        }
    }
    // Where they stop existing, the integral keeps growing with its range.
    let density = |x: f64, nu: f64| {
        plain_student(&dvector![x], &dvector![0.0], &DMatrix::identity(1, 1), nu)
    };
    let tail = |nu: f64, power: f64, from: f64| {
        let f = |u: f64| u.exp().powf(power + 1.0) * density(u.exp(), nu);
        integral(f, from, from + 5.0, 500)
    };
    for (power, exists) in [(1.0, 1.3), (2.0, 2.3)] {
        assert!(tail(exists, power, 20.0) < 0.5 * tail(exists, power, 10.0));
        assert!(tail(power, power, 20.0) > 0.99 * tail(power, power, 10.0));
    }
}

#[test]
fn student_entropy() {
    let mut rng = rng(417);
    for (d, nu) in [(1, 0.8), (2, 3.0), (3, 12.0)] {
        let (m, v) = (noise(d, &mut rng), random_covariance(d, &mut rng));
        let inverse = v.clone().try_inverse().unwrap();
        let draws = students(&m, &v, nu, &mut rng);
        let logs: Vec<f64> = draws
            .iter()
            .map(|x| (x - &m).dot(&(&inverse * (x - &m))) / nu)
            .map(f64::ln_1p)
            .collect();
        let half = 0.5 * (nu + d as f64);
        let difference = digamma(half) - digamma(0.5 * nu);
        assert_mean(&logs, difference);
        let minus: Vec<f64> =
            draws.iter().map(|x| -plain_student(x, &m, &v, nu).ln()).collect();
        let constant = ln_gamma(half)
            - ln_gamma(0.5 * nu)
            - 0.5 * d as f64 * (PI * nu).ln()
            - 0.5 * v.determinant().ln();
        assert_mean(&minus, half * difference - constant);
    }
}
