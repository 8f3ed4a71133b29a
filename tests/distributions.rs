//! The distributions of parameters: every density integrates to 1, every expectation
//! is what quadrature or sampling finds, draws follow the density, and no input
//! panics.

use approx::assert_relative_eq;
use mixtures::math::{Rng, digamma, ln_gamma, ln_multivariate_gamma, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Dirichlet, Gaussian, GaussianWishart, Moments, StudentT, Wishart};
use serde::{Serialize, de::DeserializeOwned};
use statrs::distribution::{Beta, ChiSquared, Continuous, ContinuousCDF, StudentsT};
use statrs::statistics::Distribution;

mod common;
use common::*;

// Quadrature: points with their weights, so that Σ weight · f(point) is the integral.

/// e^u over the half line, from e^low to e^high, and how many steps to a unit of u.
fn half_line(low: f64, high: f64, steps: f64) -> Vec<(f64, f64)> {
    let n = ((high - low) * steps) as i32;
    (0..=n)
        .map(|i| (low + f64::from(i) / steps).exp())
        .map(|t| (t, t / steps))
        .collect()
}

/// (π, 1 − π) over the unit interval, π the logistic function of ±reach.
fn unit_interval(reach: f64, steps: f64) -> Vec<([f64; 2], f64)> {
    let n = (reach * steps) as i32;
    (-n..=n)
        .map(|i| f64::from(i) / steps)
        .map(|u| [1.0 / (1.0 + (-u).exp()), 1.0 / (1.0 + u.exp())])
        .map(|p| (p, p[0] * p[1] / steps))
        .collect()
}

/// Points of the triangle of three weights, by two logistic functions.
fn triangle(reach: f64, steps: f64) -> Vec<(DVector<f64>, f64)> {
    let side = unit_interval(reach, steps);
    side.iter()
        .flat_map(|(p, w)| {
            side.iter().map(move |(q, v)| {
                (dvector![p[0], p[1] * q[0], p[1] * q[1]], w * v * p[1])
            })
        })
        .collect()
}

/// Λ = T Tᵀ for T = (a 0; b c), with dΛ₁₁ dΛ₂₁ dΛ₂₂ = 4 a² c da db dc.
fn precisions(wishart: &Wishart) -> Vec<(DMatrix<f64>, f64)> {
    let (nu, g) = (wishart.nu(), wishart.w().clone().cholesky().unwrap().unpack());
    // Of the standard matrix: its density is a^(ν−1) b⁰ c^(ν−2) times Gaussians.
    let a = half_line(-20.0 / nu, 2.5, 6.0);
    let c = half_line(-20.0 / (nu - 1.0), 2.5, 6.0);
    let volume = g.determinant().powi(3);
    let mut points = Vec::new();
    for (a, of_a) in &a {
        for i in -24..=24 {
            let b = 0.3 * f64::from(i);
            for (c, of_c) in &c {
                let t = &g * dmatrix![*a, 0.0; b, *c];
                let weight = 4.0 * a * a * c * of_a * of_c * 0.3 * volume;
                points.push((&t * t.transpose(), weight));
            }
        }
    }
    points
}

/// Λ in one dimension.
fn numbers(wishart: &Wishart) -> Vec<(DMatrix<f64>, f64)> {
    let centre = wishart.mean()[(0, 0)].ln();
    let points = half_line(
        centre - 80.0 / wishart.nu(),
        centre + 6.0 - wishart.nu().ln(),
        20.0,
    );
    points.into_iter().map(|(t, w)| (dmatrix![t], w)).collect()
}

/// Σ weight · p(point) · (1, each of `f`(point)).
fn expectations<T, const N: usize>(
    points: &[(T, f64)],
    density: impl Fn(&T) -> f64,
    f: impl Fn(&T) -> [f64; N],
) -> (f64, [f64; N]) {
    let (mut mass, mut sums) = (0.0, [0.0; N]);
    for (point, weight) in points {
        let share = weight * density(point);
        if share == 0.0 {
            continue;
        }
        mass += share;
        sums.iter_mut().zip(f(point)).for_each(|(s, v)| *s += share * v);
    }
    (mass, sums)
}

/// √N times the largest distance between the values' distribution function and `cdf`:
/// above 2.2 once in ten thousand samples that follow it.
#[track_caller]
fn assert_follows(values: impl IntoIterator<Item = f64>, cdf: impl Fn(f64) -> f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = values
        .iter()
        .enumerate()
        .map(|(i, &v)| {
            let p = cdf(v);
            (p - i as f64 / n).max((i + 1) as f64 / n - p)
        })
        .fold(0.0, f64::max);
    assert!(distance * n.sqrt() < 2.2, "{}", distance * n.sqrt());
}

fn dirichlet(alpha: &[f64]) -> Dirichlet {
    Dirichlet::new(DVector::from_column_slice(alpha)).unwrap()
}

fn wishart(nu: f64, w: DMatrix<f64>) -> Wishart {
    Wishart::new(nu, w).unwrap()
}

fn gaussian_wishart(
    m: DVector<f64>,
    beta: f64,
    nu: f64,
    w: DMatrix<f64>,
) -> GaussianWishart {
    GaussianWishart::new(m, beta, wishart(nu, w)).unwrap()
}

fn student(nu: f64, location: DVector<f64>, scale: DMatrix<f64>) -> StudentT {
    StudentT::new(nu, location, scale).unwrap()
}

fn w2() -> DMatrix<f64> {
    dmatrix![0.8, -0.3; -0.3, 0.4]
}

fn column<T>(draws: &[T], f: impl Fn(&T) -> f64) -> Vec<f64> {
    draws.iter().map(f).collect()
}

// Dirichlet

#[test]
fn dirichlet_of_two_by_quadrature() {
    for (alpha, other) in [
        ([2.5, 0.7], [1.0, 1.0]),
        ([0.05, 0.3], [0.2, 0.1]),
        ([1.0, 1.0], [3.0, 2.0]),
        ([40.0, 7.5], [39.0, 8.0]),
    ] {
        let (p, q) = (dirichlet(&alpha), dirichlet(&other));
        let log = |d: &Dirichlet, w: &[f64; 2]| {
            d.log_density(&DVector::from_column_slice(w)).unwrap()
        };
        // The integrand falls like e^(−α |u|).
        let reach = 30.0 / alpha[0].min(alpha[1]).min(1.0);
        let (mass, [mean, log_0, log_1, minus_entropy, kl]) = expectations(
            &unit_interval(reach, 20.0),
            |w| log(&p, w).exp(),
            |w| [w[0], w[0].ln(), w[1].ln(), log(&p, w), log(&p, w) - log(&q, w)],
        );
        assert_relative_eq!(mass, 1.0, epsilon = 1e-10);
        assert_relative_eq!(mean, p.mean()[0], epsilon = 1e-10);
        let logs = dvector![log_0, log_1];
        assert_relative_eq!(logs, p.expected_log(), max_relative = 1e-9);
        assert_relative_eq!(-minus_entropy, p.entropy(), max_relative = 1e-8);
        assert_relative_eq!(kl, p.kl(&q).unwrap(), max_relative = 1e-8);
    }
}

#[test]
fn dirichlet_of_three_by_quadrature() {
    for (alpha, other) in
        [([2.5, 1.7, 0.9], [1.0, 1.0, 1.0]), ([0.5, 3.0, 1.2], [4.0, 0.6, 2.0])]
    {
        let (p, q) = (dirichlet(&alpha), dirichlet(&other));
        let log = |d: &Dirichlet, w: &DVector<f64>| d.log_density(w).unwrap();
        let (mass, [m0, m1, m2, l0, l1, l2, minus_entropy, kl]) = expectations(
            &triangle(45.0, 5.0),
            |w| log(&p, w).exp(),
            |w| {
                let (lp, lq) = (log(&p, w), log(&q, w));
                [w[0], w[1], w[2], w[0].ln(), w[1].ln(), w[2].ln(), lp, lp - lq]
            },
        );
        assert_relative_eq!(mass, 1.0, epsilon = 1e-8);
        assert_relative_eq!(dvector![m0, m1, m2], p.mean(), epsilon = 1e-8);
        assert_relative_eq!(dvector![l0, l1, l2], p.expected_log(), epsilon = 1e-7);
        assert_relative_eq!(-minus_entropy, p.entropy(), epsilon = 1e-7);
        assert_relative_eq!(kl, p.kl(&q).unwrap(), epsilon = 1e-7);
    }
}

#[test]
fn dirichlet_draws() {
    let mut rng = rng(301);
    for alpha in [vec![0.4, 2.0, 5.5], vec![0.02, 0.05, 0.01], vec![30.0, 200.0]] {
        let p = dirichlet(&alpha);
        let draws: Vec<DVector<f64>> =
            (0..20_000).map(|_| p.sample(&mut rng)).collect();
        let total: f64 = alpha.iter().sum();
        for (k, &a) in alpha.iter().enumerate() {
            let values = column(&draws, |w| w[k]);
            assert_mean(&values, p.mean()[k]);
            let beta = Beta::new(a, total - a).unwrap();
            let moments = column(&draws, |w| (w[k] - p.mean()[k]).powi(2));
            assert_mean(&moments, beta.variance().unwrap());
            if total > 1.0 {
                assert_follows(values, |v| beta.cdf(v));
                assert_mean(&column(&draws, |w| w[k].ln()), p.expected_log()[k]);
            }
        }
        for w in &draws {
            assert!((w.sum() - 1.0).abs() < 1e-14 && w.min() >= 0.0);
        }
    }
    // Far below what a double can hold, one weight takes all.
    for alpha in [1e-3, 1e-20] {
        let p = dirichlet(&[alpha; 4]);
        let sizes: Vec<f64> = (0..500).map(|_| p.sample(&mut rng).max()).collect();
        assert!(sizes.iter().all(|v| (0.25..=1.0).contains(v)));
        assert!(sizes.iter().filter(|v| **v > 0.999).count() > 450);
    }
    assert_eq!(dirichlet(&[0.3]).sample(&mut rng), dvector![1.0]);
}

#[test]
fn dirichlet_and_beta() {
    for (a, b) in [(0.1, 0.2), (1.0, 1.0), (2.0, 7.5), (300.0, 20.0)] {
        let (p, beta) = (dirichlet(&[a, b]), Beta::new(a, b).unwrap());
        for x in [0.001, 0.3, 0.5, 0.97] {
            let log = p.log_density(&dvector![x, 1.0 - x]).unwrap();
            assert_relative_eq!(
                log,
                beta.ln_pdf(x),
                max_relative = 1e-11,
                epsilon = 1e-13
            );
        }
        assert_relative_eq!(
            p.entropy(),
            beta.entropy().unwrap(),
            max_relative = 1e-11,
            epsilon = 1e-13
        );
    }
}

#[test]
fn dirichlet_at_the_edge() {
    let corner = dvector![1.0, 0.0];
    let at = |alpha: [f64; 2]| dirichlet(&alpha).log_density(&corner).unwrap();
    assert!(at([1.0, 1.0]).abs() < 1e-14);
    assert_eq!(at([1.0, 0.5]), f64::INFINITY);
    assert_eq!(at([1.0, 2.0]), f64::NEG_INFINITY);
    // Where one weight's factor is zero and another's infinite there is no density.
    let both = dirichlet(&[0.5, 2.0, 1.0]).log_density(&dvector![0.0, 0.0, 1.0]);
    assert!(both.unwrap_err().to_string().contains("no value"));
}

// Wishart

fn check_wishart(
    p: &Wishart,
    q: &Wishart,
    points: &[(DMatrix<f64>, f64)],
    accuracy: f64,
) {
    let d = p.dimension();
    let log = |w: &Wishart, lambda: &DMatrix<f64>| w.log_density(lambda).unwrap();
    let (mass, [log_det, first, cross, last, minus_entropy, kl]) = expectations(
        points,
        |lambda| log(p, lambda).exp(),
        |lambda| {
            let (lp, lq) = (log(p, lambda), log(q, lambda));
            let (i, j) = (d - 1, 0);
            let entries = [lambda[(0, 0)], lambda[(i, j)], lambda[(i, i)]];
            let log_det = lambda.determinant().ln();
            [log_det, entries[0], entries[1], entries[2], lp, lp - lq]
        },
    );
    assert_relative_eq!(mass, 1.0, epsilon = accuracy);
    assert_relative_eq!(log_det, p.expected_log_det(), epsilon = 10.0 * accuracy);
    let mean = p.mean();
    for (value, entry) in
        [(first, (0, 0)), (cross, (d - 1, 0)), (last, (d - 1, d - 1))]
    {
        assert_relative_eq!(value, mean[entry], epsilon = 10.0 * accuracy);
    }
    assert_relative_eq!(-minus_entropy, p.entropy(), epsilon = 20.0 * accuracy);
    assert_relative_eq!(kl, p.kl(q).unwrap(), epsilon = 50.0 * accuracy);
}

#[test]
fn wishart_in_one_dimension_by_quadrature() {
    for (nu, w) in [(0.3, 2.0), (1.0, 1.0), (2.7, 0.1), (50.0, 3.0)] {
        let p = wishart(nu, dmatrix![w]);
        check_wishart(&p, &wishart(1.3, dmatrix![0.7]), &numbers(&p), 1e-8);
    }
}

#[test]
fn wishart_in_two_dimensions_by_quadrature() {
    let q = wishart(2.2, dmatrix![1.0, 0.2; 0.2, 0.5]);
    for nu in [2.4, 5.0, 7.3] {
        let p = wishart(nu, w2());
        check_wishart(&p, &q, &precisions(&p), 1e-7);
    }
}

/// The sum of ν outer products of N(0, W), for integer ν: the definition.
fn outer_products(w: &DMatrix<f64>, nu: usize, rng: &mut Rng) -> DMatrix<f64> {
    let g = w.clone().cholesky().unwrap().unpack();
    let mut sum = DMatrix::zeros(w.nrows(), w.nrows());
    for _ in 0..nu {
        let x = &g * noise(w.nrows(), rng);
        sum += &x * x.transpose();
    }
    sum
}

#[test]
fn wishart_draws() {
    let mut rng = rng(302);
    let w3 = dmatrix![1.0, 0.4, -0.2; 0.4, 0.6, 0.1; -0.2, 0.1, 0.3];
    let log = |p: &Wishart, lambda: &DMatrix<f64>| p.log_density(lambda).unwrap();
    for (nu, w) in [
        (0.8, dmatrix![2.0]),
        (1.9, w2()),
        (2.0, w2()),
        (9.7, w2()),
        (3.0, w3.clone()),
        (4.6, w3),
    ] {
        let d = w.nrows();
        let p = wishart(nu, w.clone());
        let q = wishart(d as f64 + 0.5, DMatrix::identity(d, d));
        let draws: Vec<DMatrix<f64>> =
            (0..20_000).map(|_| p.sample(&mut rng)).collect();
        for i in 0..d {
            let chi_squared = ChiSquared::new(nu).unwrap();
            assert_follows(column(&draws, |l| l[(i, i)] / w[(i, i)]), |v| {
                chi_squared.cdf(v)
            });
            for j in 0..=i {
                assert_mean(&column(&draws, |l| l[(i, j)]), p.mean()[(i, j)]);
                // var Λᵢⱼ = ν (Wᵢⱼ² + Wᵢᵢ Wⱼⱼ)
                let variance = nu * (w[(i, j)].powi(2) + w[(i, i)] * w[(j, j)]);
                let squares =
                    column(&draws, |l| (l[(i, j)] - p.mean()[(i, j)]).powi(2));
                assert_mean(&squares, variance);
            }
        }
        assert_mean(&column(&draws, |l| l.determinant().ln()), p.expected_log_det());
        assert_mean(&column(&draws, |l| -log(&p, l)), p.entropy());
        assert_mean(&column(&draws, |l| log(&p, l) - log(&q, l)), p.kl(&q).unwrap());
        for lambda in &draws {
            assert_eq!(lambda, &lambda.transpose());
        }
        if nu.fract() == 0.0 {
            let sums: Vec<DMatrix<f64>> = (0..20_000)
                .map(|_| outer_products(&w, nu as usize, &mut rng))
                .collect();
            let of_sums = column(&sums, |l| l.determinant().ln());
            assert_mean(&of_sums, p.expected_log_det());
            assert_mean(&column(&sums, |l| -log(&p, l)), p.entropy());
        }
    }
}

#[test]
fn wishart_and_gamma() {
    for (nu, w) in [(0.4, 0.5), (3.0, 2.0), (120.0, 0.01)] {
        let p = wishart(nu, dmatrix![w]);
        // statrs takes shape and rate.
        let gamma = statrs::distribution::Gamma::new(nu / 2.0, 0.5 / w).unwrap();
        for t in [0.01, 0.7, 5.0] {
            let log = p.log_density(&dmatrix![t]).unwrap();
            assert_relative_eq!(log, gamma.ln_pdf(t), max_relative = 1e-12);
        }
        assert_relative_eq!(
            p.entropy(),
            gamma.entropy().unwrap(),
            max_relative = 1e-11
        );
        assert_relative_eq!(p.mean()[(0, 0)], gamma.mean().unwrap());
    }
}

#[test]
fn wishart_from_either_side() {
    let a = wishart(4.5, w2());
    let b = Wishart::from_inverse(4.5, w2().try_inverse().unwrap()).unwrap();
    assert_relative_eq!(a.w(), b.w(), epsilon = 1e-14);
    assert_relative_eq!(a.inverse_w(), b.inverse_w(), epsilon = 1e-13);
    assert_relative_eq!(
        a.w() * a.inverse_w(),
        DMatrix::identity(2, 2),
        epsilon = 1e-14
    );
    assert_relative_eq!(a.log_normaliser(), b.log_normaliser(), epsilon = 1e-13);
    assert_relative_eq!(
        a.factor().l() * a.factor().l().transpose(),
        a.inverse_w(),
        epsilon = 1e-13
    );
    assert!(a.kl(&b).unwrap().abs() < 1e-13);
}

// Gaussian–Wishart

#[test]
fn gaussian_wishart_in_one_dimension_by_quadrature() {
    for (m, beta, nu, w) in [(0.5, 1.5, 2.0, 1.0), (-2.0, 0.2, 0.9, 3.0)] {
        let p = gaussian_wishart(dvector![m], beta, nu, dmatrix![w]);
        let q = gaussian_wishart(dvector![0.1], 0.7, 1.6, dmatrix![0.5]);
        // μ is m plus so many standard deviations of its own.
        let points: Vec<_> = numbers(p.wishart())
            .iter()
            .flat_map(|(lambda, weight)| {
                let sd = 1.0 / (beta * lambda[(0, 0)]).sqrt();
                (-40..=40).map(move |i| {
                    let mu = dvector![m + 0.3 * f64::from(i) * sd];
                    ((mu, lambda.clone()), weight * 0.3 * sd)
                })
            })
            .collect();
        let log = |g: &GaussianWishart,
                   (mu, lambda): &(DVector<f64>, DMatrix<f64>)| {
            g.log_density(mu, lambda).unwrap()
        };
        let x = dvector![1.7];
        let (mass, [distance, minus_entropy, kl]) = expectations(
            &points,
            |at| log(&p, at).exp(),
            |at| {
                let distance = (x[0] - at.0[0]).powi(2) * at.1[(0, 0)];
                [distance, log(&p, at), log(&p, at) - log(&q, at)]
            },
        );
        assert_relative_eq!(mass, 1.0, epsilon = 1e-8);
        assert_relative_eq!(distance, p.expected_distance(&x), max_relative = 1e-7);
        assert_relative_eq!(-minus_entropy, p.entropy(), max_relative = 1e-6);
        assert_relative_eq!(kl, p.kl(&q).unwrap(), max_relative = 1e-6);
        // p(x) of the next point is the average of the Gaussian over (μ, λ).
        let (_, [predictive]) = expectations(
            &points,
            |at| log(&p, at).exp(),
            |(mu, lambda)| [plain_density(&x, mu, &dmatrix![1.0 / lambda[(0, 0)]])],
        );
        let student = p.predictive().log_density(&dmatrix![x[0]]).unwrap()[0].exp();
        assert_relative_eq!(predictive, student, max_relative = 1e-7);
    }
}

#[test]
fn gaussian_wishart_is_a_product() {
    let mut rng = rng(303);
    for d in 1..=4 {
        let w = random_covariance(d, &mut rng);
        let m = noise(d, &mut rng);
        let p = gaussian_wishart(m.clone(), 0.6, d as f64 + 0.3, w);
        for _ in 0..20 {
            let (mu, lambda) =
                (noise(d, &mut rng) * 2.0, random_covariance(d, &mut rng));
            let sigma = (&lambda * 0.6).try_inverse().unwrap();
            let product = plain_log_density(&mu, &m, &sigma)
                + p.wishart().log_density(&lambda).unwrap();
            let log = p.log_density(&mu, &lambda).unwrap();
            assert_relative_eq!(log, product, max_relative = 1e-11);
        }
    }
}

#[test]
fn gaussian_wishart_draws() {
    let mut rng = rng(304);
    for (d, nu) in [(1, 1.4), (2, 5.5), (3, 6.2)] {
        let w = random_covariance(d, &mut rng);
        let m = noise(d, &mut rng);
        let p = gaussian_wishart(m.clone(), 0.8, nu, w);
        let q = gaussian_wishart(
            noise(d, &mut rng),
            2.0,
            d as f64 + 1.0,
            random_covariance(d, &mut rng),
        );
        let draws: Vec<(DVector<f64>, DMatrix<f64>)> =
            (0..20_000).map(|_| p.sample(&mut rng).unwrap()).collect();
        let log = |g: &GaussianWishart, at: &(DVector<f64>, DMatrix<f64>)| {
            g.log_density(&at.0, &at.1).unwrap()
        };
        let x = noise(d, &mut rng);
        let distance = |(mu, lambda): &(DVector<f64>, DMatrix<f64>)| {
            let v = &x - mu;
            v.dot(&(lambda * &v))
        };
        assert_mean(&column(&draws, distance), p.expected_distance(&x));
        assert_mean(&column(&draws, |at| -log(&p, at)), p.entropy());
        assert_mean(
            &column(&draws, |at| log(&p, at) - log(&q, at)),
            p.kl(&q).unwrap(),
        );
        for i in 0..d {
            for j in 0..=i {
                let mean = p.wishart().mean()[(i, j)];
                assert_mean(&column(&draws, |at| at.1[(i, j)]), mean);
            }
            // (μ − m)ᵢ √β √((ν + 1 − D) wᵢ) is Student-t with ν + 1 − D degrees of
            // freedom, 1/wᵢ the diagonal of W⁻¹.
            let degrees = nu + 1.0 - d as f64;
            let scale = (p.wishart().inverse_w()[(i, i)] / (0.8 * degrees)).sqrt();
            let t = StudentsT::new(0.0, 1.0, degrees).unwrap();
            assert_follows(column(&draws, |at| (at.0[i] - m[i]) / scale), |v| {
                t.cdf(v)
            });
        }
        // Given Λ, μ is Gaussian with precision βΛ.
        let squared = |(mu, lambda): &(DVector<f64>, DMatrix<f64>)| {
            let v = mu - &m;
            0.8 * v.dot(&(lambda * &v))
        };
        let chi_squared = ChiSquared::new(d as f64).unwrap();
        assert_follows(column(&draws, squared), |v| chi_squared.cdf(v));
    }
}

/// `sample_gaussian` draws what `sample` draws, with Λ inverted.
#[test]
fn gaussians_drawn() {
    let w = dmatrix![0.8, -0.3, 0.1; -0.3, 0.4, 0.0; 0.1, 0.0, 1.5];
    let p = gaussian_wishart(dvector![1.0, -1.0, 3.0], 2.5, 4.4, w);
    for seed in 0..20 {
        let (mu, lambda) = p.sample(&mut rng(seed)).unwrap();
        let gaussian = p.sample_gaussian(&mut rng(seed)).unwrap();
        assert_relative_eq!(gaussian.mean(), &mu, max_relative = 1e-12);
        let product = gaussian.covariance() * lambda;
        assert_relative_eq!(product, DMatrix::identity(3, 3), epsilon = 1e-9);
    }
}

fn data(n: usize, d: usize, offset: f64, rng: &mut Rng) -> DMatrix<f64> {
    let shape = random_covariance(d, rng);
    let mut x = DMatrix::zeros(n, d);
    for mut row in x.row_iter_mut() {
        let point = (&shape * noise(d, rng)).add_scalar(offset);
        row.copy_from(&point.transpose());
    }
    x
}

#[test]
fn posterior_in_pieces_is_posterior_at_once() {
    let mut rng = rng(305);
    for (d, offset) in [(1, 0.0), (2, 0.0), (5, 0.0), (2, 1e6), (3, 1e6)] {
        let x = data(60, d, offset, &mut rng);
        let prior = gaussian_wishart(
            noise(d, &mut rng).add_scalar(offset),
            0.7,
            d as f64 + 0.5,
            random_covariance(d, &mut rng),
        );
        let at_once = prior.posterior(&Moments::of(&x).unwrap()).unwrap();
        let mut pieces = prior.clone();
        for (from, rows) in [(0, 1), (1, 20), (21, 39)] {
            let part = Moments::of(&x.rows(from, rows)).unwrap();
            pieces = pieces.posterior(&part).unwrap();
        }
        assert_relative_eq!(pieces.m(), at_once.m(), max_relative = 1e-12);
        assert_relative_eq!(pieces.beta(), at_once.beta(), max_relative = 1e-14);
        let (a, b) = (pieces.wishart(), at_once.wishart());
        assert_relative_eq!(a.nu(), b.nu(), max_relative = 1e-14);
        // Between the pieces m is rounded to an ulp of the offset, and W⁻¹ by that
        // times the shift and the count.
        let ulp = offset * f64::EPSILON;
        let size = b.inverse_w().amax();
        assert_relative_eq!(
            a.inverse_w(),
            b.inverse_w(),
            epsilon = 1e-12 * size + 100.0 * ulp
        );
        // And against the formula with all points, from the offset: so near to each
        // other, they subtract exactly.
        let count = 60.0;
        let x = x.add_scalar(-offset);
        let mean = x.row_mean().transpose();
        let mut inverse_w = prior.wishart().inverse_w().clone();
        for point in points(&x) {
            let v = &point - &mean;
            inverse_w += &v * v.transpose();
        }
        let m0 = prior.m().add_scalar(-offset);
        let shift = &mean - &m0;
        inverse_w += &shift * shift.transpose() * (0.7 * count / (0.7 + count));
        assert_relative_eq!(b.inverse_w(), &inverse_w, epsilon = 1e-13 * size);
        let m = m0 + shift * (count / (0.7 + count));
        let found = at_once.m().add_scalar(-offset);
        assert_relative_eq!(found, m, epsilon = 1e-14 + ulp);
        assert_eq!(b.nu(), prior.wishart().nu() + count);
    }
}

#[test]
fn no_points_teach_nothing() {
    let prior = gaussian_wishart(dvector![1.0, 2.0], 0.3, 2.5, w2());
    let nothing = Moments::about(dvector![0.0, 0.0]);
    assert_eq!(prior.posterior(&nothing).unwrap(), prior);
    assert_eq!(prior.log_evidence(&nothing).unwrap(), 0.0);
}

#[test]
fn evidence_is_the_product_of_predictions() {
    let mut rng = rng(306);
    for (d, offset) in [(1, 0.0), (2, 0.0), (5, 0.0), (2, 1e6)] {
        let x = data(40, d, offset, &mut rng);
        let prior = gaussian_wishart(
            noise(d, &mut rng).add_scalar(offset),
            0.4,
            d as f64 - 0.5,
            random_covariance(d, &mut rng),
        );
        let mut sum = 0.0;
        let mut known = prior.clone();
        for n in 0..x.nrows() {
            sum += known.predictive().log_density(&x.rows(n, 1)).unwrap()[0];
            let point = Moments::of(&x.rows(n, 1)).unwrap();
            known = known.posterior(&point).unwrap();
        }
        let evidence = prior.log_evidence(&Moments::of(&x).unwrap()).unwrap();
        let accuracy = if offset == 0.0 { 1e-12 } else { 1e-8 };
        assert_relative_eq!(evidence, sum, max_relative = accuracy);
    }
}

/// Bayes' rule: p(X) = p(X | μ, Λ) p(μ, Λ) / p(μ, Λ | X) at any (μ, Λ), with points of
/// any weight.
#[test]
fn evidence_by_bayes_rule() {
    let mut rng = rng(307);
    for d in [1, 2, 4] {
        let x = data(25, d, 1.0, &mut rng);
        let mut moments = Moments::about(DVector::zeros(d));
        let weights: Vec<f64> = (0..25).map(|_| rng.random_range(0.0..2.0)).collect();
        for (n, w) in weights.iter().enumerate() {
            moments.push(x.row(n), *w).unwrap();
        }
        let prior = gaussian_wishart(
            noise(d, &mut rng),
            1.3,
            d as f64 + 1.0,
            random_covariance(d, &mut rng),
        );
        let posterior = prior.posterior(&moments).unwrap();
        for _ in 0..5 {
            let mu = noise(d, &mut rng);
            let lambda = random_covariance(d, &mut rng);
            let sigma = lambda.clone().try_inverse().unwrap();
            let likelihood: f64 = points(&x)
                .iter()
                .zip(&weights)
                .map(|(x, w)| w * plain_log_density(x, &mu, &sigma))
                .sum();
            let by_rule = likelihood + prior.log_density(&mu, &lambda).unwrap()
                - posterior.log_density(&mu, &lambda).unwrap();
            let evidence = prior.log_evidence(&moments).unwrap();
            assert_relative_eq!(evidence, by_rule, max_relative = 1e-10);
        }
    }
}

/// The prediction is the Student-t that draws of (μ, Λ), and then of x, follow.
#[test]
fn predictions_follow_the_draws() {
    let mut rng = rng(308);
    let p = gaussian_wishart(dvector![1.0, -2.0], 0.5, 3.4, w2());
    let predictive = p.predictive();
    assert_relative_eq!(predictive.nu(), 2.4, epsilon = 1e-14);
    let draws: Vec<DMatrix<f64>> = (0..20_000)
        .map(|_| p.sample_gaussian(&mut rng).unwrap().sample(1, &mut rng))
        .collect();
    for j in 0..2 {
        let scale = predictive.scale()[(j, j)].sqrt();
        let t =
            StudentsT::new(predictive.location()[j], scale, predictive.nu()).unwrap();
        assert_follows(column(&draws, |x| x[(0, j)]), |v| t.cdf(v));
    }
    let log = |x: &DMatrix<f64>| -predictive.log_density(x).unwrap()[0];
    assert_mean(&column(&draws, log), predictive.entropy());
}

// Student-t

#[test]
fn student_in_one_dimension_by_quadrature() {
    for nu in [0.5, 1.0, 1.6, 2.0, 2.3, 7.0, 60.0] {
        let p = student(nu, dvector![1.5], dmatrix![0.4]);
        // x = m + sinh u: the density falls like e^(−ν |u|).
        let reach = 30.0 / nu + 5.0;
        let points: Vec<(f64, f64)> = (-2000..=2000)
            .map(|i| reach * f64::from(i) / 2000.0)
            .map(|u| (1.5 + u.sinh(), u.cosh() * reach / 2000.0))
            .collect();
        let log = |x: &f64| p.log_density(&dmatrix![*x]).unwrap()[0];
        let (mass, [minus_entropy, mean, square]) = expectations(
            &points,
            |x| log(x).exp(),
            |x| [log(x), *x, (x - 1.5).powi(2)],
        );
        assert_relative_eq!(mass, 1.0, epsilon = 1e-9);
        assert_relative_eq!(-minus_entropy, p.entropy(), epsilon = 1e-8);
        match p.mean() {
            Some(m) => assert_relative_eq!(m[0], mean, epsilon = 1e-8),
            None => assert!(nu <= 1.0),
        }
        match p.covariance() {
            Some(v) if nu > 3.0 => {
                assert_relative_eq!(v[(0, 0)], square, epsilon = 1e-8);
            }
            Some(v) => assert_relative_eq!(v[(0, 0)], 0.4 * nu / (nu - 2.0)),
            None => assert!(nu <= 2.0),
        }
    }
}

#[test]
fn student_in_two_dimensions_by_quadrature() {
    let scale = dmatrix![1.2, 0.5; 0.5, 0.6];
    for nu in [0.8, 3.0, 11.5] {
        let p = student(nu, dvector![0.3, -1.0], scale.clone());
        // Polar coordinates, not whitened, so that the shape matters.
        let radii = half_line(-15.0, 4.0 + 25.0 / nu, 10.0);
        let points: Vec<(DMatrix<f64>, f64)> = radii
            .iter()
            .flat_map(|&(r, weight)| {
                (0..120).map(move |i| {
                    let angle = std::f64::consts::TAU * f64::from(i) / 120.0;
                    let x = dmatrix![0.3 + r * angle.cos(), -1.0 + r * angle.sin()];
                    (x, weight * r * std::f64::consts::TAU / 120.0)
                })
            })
            .collect();
        let log = |x: &DMatrix<f64>| p.log_density(x).unwrap()[0];
        let (mass, [minus_entropy]) =
            expectations(&points, |x| log(x).exp(), |x| [log(x)]);
        assert_relative_eq!(mass, 1.0, epsilon = 1e-8);
        assert_relative_eq!(-minus_entropy, p.entropy(), epsilon = 1e-6);
    }
}

#[test]
fn student_draws() {
    let mut rng = rng(309);
    let scale = dmatrix![1.2, 0.5; 0.5, 0.6];
    for nu in [0.7, 2.5, 6.0, 400.0] {
        let p = student(nu, dvector![0.3, -1.0], scale.clone());
        let x = p.sample(20_000, &mut rng);
        for j in 0..2 {
            let t =
                StudentsT::new(p.location()[j], scale[(j, j)].sqrt(), nu).unwrap();
            assert_follows(x.column(j).iter().copied(), |v| t.cdf(v));
        }
        // A direction that needs the off-diagonal entry.
        let along = x.column(0) - x.column(1);
        let t = StudentsT::new(1.3, (1.2 + 0.6 - 1.0_f64).sqrt(), nu).unwrap();
        assert_follows(along.iter().copied(), |v| t.cdf(v));
        let log: Vec<f64> = p.log_density(&x).unwrap().iter().map(|l| -l).collect();
        assert_mean(&log, p.entropy());
        if nu > 4.0 {
            let covariance = p.covariance().unwrap();
            let products: Vec<f64> =
                x.row_iter().map(|r| (r[0] - 0.3) * (r[1] + 1.0)).collect();
            assert_mean(&products, covariance[(0, 1)]);
        }
    }
}

#[test]
fn student_and_its_oracle() {
    for nu in [0.3, 1.0, 4.5, 300.0] {
        let p = student(nu, dvector![2.0], dmatrix![0.25]);
        let t = StudentsT::new(2.0, 0.5, nu).unwrap();
        for x in [-30.0, 0.0, 1.9, 2.0, 7.0] {
            let log = p.log_density(&dmatrix![x]).unwrap()[0];
            assert_relative_eq!(
                log,
                t.ln_pdf(x),
                max_relative = 1e-11,
                epsilon = 1e-12
            );
        }
        assert_relative_eq!(p.entropy(), t.entropy().unwrap(), max_relative = 1e-10);
    }
}

#[test]
fn student_becomes_gaussian() {
    let mut rng = rng(310);
    for d in [1, 2, 6] {
        let scale = random_covariance(d, &mut rng);
        let m = noise(d, &mut rng);
        let gaussian = Gaussian::new(m.clone(), scale.clone()).unwrap();
        let x = DMatrix::from_fn(50, d, |_, _| rng.random_range(-6.0..6.0));
        let limit = gaussian.log_density(&x).unwrap();
        // −E ln N = ½ (D ln 2πe + ln det V)
        let d_f = d as f64;
        let entropy = 0.5
            * (d_f * (1.0 + std::f64::consts::TAU.ln())
                + gaussian.factor().log_det());
        for (nu, accuracy) in
            [(1e8, 1e-7), (1e12, 1e-11), (1e15, 1e-13), (1e24, 1e-13)]
        {
            let p = student(nu, m.clone(), scale.clone());
            let log = p.log_density(&x).unwrap();
            for n in 0..50 {
                // The leading difference is of order (Δ² + D)²/ν.
                let size = (limit[n].abs() + d_f).powi(2);
                assert!((log[n] - limit[n]).abs() < accuracy * size, "{nu}");
            }
            assert!((p.entropy() - entropy).abs() < accuracy * d_f * d_f, "{nu}");
            let covariance = p.covariance().unwrap();
            assert_relative_eq!(covariance, scale, max_relative = 3.0 / nu + 1e-15);
        }
    }
}

/// The entropy against its expansion ½ D (1 + ln 2π) + ½ ln det V + D/ν + O(1/ν²), in
/// one dimension 1/ν at leading order: no digits are lost between.
#[test]
fn entropy_of_nearly_gaussian_students() {
    let limit = 0.5 * (1.0 + std::f64::consts::TAU.ln());
    for nu in [1e3, 1e4, 1e6, 1e9] {
        let p = student(nu, dvector![0.0], dmatrix![1.0]);
        assert!((p.entropy() - limit - 1.0 / nu).abs() < 2.0 / (nu * nu) + 1e-14);
    }
}

// What holds for all

#[test]
fn divergences_are_positive() {
    let mut rng = rng(311);
    for _ in 0..300 {
        let k = rng.random_range(1..6);
        let mut alpha =
            || DVector::from_fn(k, |_, _| 10.0_f64.powf(rng.random_range(-3.0..3.0)));
        let (p, q) =
            (Dirichlet::new(alpha()).unwrap(), Dirichlet::new(alpha()).unwrap());
        let kl = p.kl(&q).unwrap();
        assert!(if k == 1 { kl.abs() < 1e-9 } else { kl > 0.0 }, "{p:?} {q:?} {kl}");
        assert_eq!(p.kl(&p).unwrap(), 0.0);

        let d = rng.random_range(1..5);
        let mut gaussian_wishart = |change: f64| {
            let nu = d as f64 - 1.0 + 10.0_f64.powf(rng.random_range(-2.0..2.0));
            let w = random_covariance(d, &mut rng) * change;
            let beta = 10.0_f64.powf(rng.random_range(-2.0..3.0));
            gaussian_wishart(noise(d, &mut rng), beta, nu, w)
        };
        let (p, q) = (gaussian_wishart(1.0), gaussian_wishart(3.0));
        let of_lambda = p.wishart().kl(q.wishart()).unwrap();
        let kl = p.kl(&q).unwrap();
        assert!(of_lambda > 0.0 && kl > of_lambda, "{p:?} {q:?}");
        let size = 1.0 + p.wishart().log_normaliser().abs() + p.wishart().nu();
        assert!(p.kl(&p).unwrap().abs() < 1e-12 * size);
        assert!(p.wishart().kl(p.wishart()).unwrap().abs() < 1e-12 * size);
    }
}

#[test]
fn a_small_change_diverges_quadratically() {
    let p = gaussian_wishart(dvector![1.0, 2.0], 1.5, 4.0, w2());
    let changed = |h: f64| {
        gaussian_wishart(dvector![1.0 + h, 2.0], 1.5 + h, 4.0 + h, w2() * (1.0 + h))
    };
    let ratio = p.kl(&changed(2e-3)).unwrap() / p.kl(&changed(1e-3)).unwrap();
    assert!((ratio - 4.0).abs() < 0.05, "{ratio}");
    let p = dirichlet(&[0.5, 2.0]);
    let changed = |h: f64| dirichlet(&[0.5 + h, 2.0 - h]);
    let ratio = p.kl(&changed(2e-3)).unwrap() / p.kl(&changed(1e-3)).unwrap();
    assert!((ratio - 4.0).abs() < 0.05, "{ratio}");
}

#[test]
fn special_functions() {
    // Γ_D's recursion: Γ_D(a) = π^((D−1)/2) Γ(a) Γ_(D−1)(a − ½).
    let ln_pi = std::f64::consts::PI.ln();
    for d in 1..6 {
        for a in [3.1, 7.0, 250.0] {
            let right = 0.5 * (d as f64 - 1.0) * ln_pi
                + ln_gamma(a)
                + ln_multivariate_gamma(d - 1, a - 0.5);
            assert_relative_eq!(
                ln_multivariate_gamma(d, a),
                right,
                max_relative = 1e-14,
                epsilon = 1e-14
            );
        }
    }
    assert_eq!(ln_multivariate_gamma(0, 2.0), 0.0);
    // From mpmath, 20 digits: ln Γ and ψ.
    for (x, log, psi) in REFERENCE {
        assert_relative_eq!(ln_gamma(x), log, max_relative = 2e-13, epsilon = 1e-14);
        assert_relative_eq!(digamma(x), psi, max_relative = 1e-13, epsilon = 1e-14);
    }
}

/// x, ln Γ(x), ψ(x).
const REFERENCE: [(f64, f64, f64); 12] = [
    (1e-10, 23.025850929882736, -10000000000.577215),
    (0.001, 6.907178885383853, -1000.5755719318103),
    (0.1, 2.252712651734206, -10.423754940411076),
    (0.5, 0.5723649429247001, -1.9635100260214235),
    (1.0, 0.0, -0.5772156649015329),
    (1.3, -0.10817480950786047, -0.16919088886679962),
    (2.5, 0.2846828704729192, 0.7031566406452432),
    (7.0, 6.579251212010101, 1.8727843350984672),
    (33.3, 82.60372358165495, 3.490467238520243),
    (1000.0, 5905.220423209181, 6.907255195648812),
    (1000000.0, 12815504.569147611, 13.815510057964191),
    (100000000.0, 1742068066.1038346, 18.420680738952367),
];

#[track_caller]
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(it: &T) {
    let json = serde_json::to_string(it).unwrap();
    let back: T = serde_json::from_str(&json).unwrap();
    assert_eq!(&back, it);
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
}

#[test]
fn json_keeps_every_bit() {
    let mut rng = rng(312);
    for _ in 0..50 {
        let d = rng.random_range(1..5);
        let w = random_covariance(d, &mut rng)
            * 10.0_f64.powf(rng.random_range(-8.0..8.0));
        let nu = d as f64 - 1.0 + rng.random_range(0.0..3.0);
        let from_w = Wishart::new(nu, w.clone()).unwrap();
        let from_inverse = Wishart::from_inverse(nu, w.clone()).unwrap();
        round_trip(&from_w);
        round_trip(&from_inverse);
        let beta = rng.random_range(0.01..9.0);
        let p = GaussianWishart::new(noise(d, &mut rng), beta, from_inverse).unwrap();
        round_trip(&p);
        round_trip(&p.predictive());
        round_trip(&student(nu + 0.1, noise(d, &mut rng), w));
        round_trip(&dirichlet(&[rng.random_range(0.0..1.0), 1e-20, 3e20]));
    }
}

#[track_caller]
fn refused<T: DeserializeOwned + std::fmt::Debug>(json: &str, words: &[&str]) {
    says(serde_json::from_str::<T>(json).unwrap_err().to_string(), words);
}

#[track_caller]
fn says(text: String, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[track_caller]
fn error<T: std::fmt::Debug>(result: mixtures::Result<T>, words: &[&str]) {
    says(result.unwrap_err().to_string(), words);
}

#[test]
fn bad_json_is_refused() {
    let alpha = |a: &str| format!(r#"{{"concentration":[[{a}],2,null]}}"#);
    assert_eq!(
        serde_json::from_str::<Dirichlet>(&alpha("1.0,2.0")).unwrap(),
        dirichlet(&[1.0, 2.0])
    );
    refused::<Dirichlet>(&alpha("1.0,-2.0"), &["concentration", "component 1", "-2"]);
    refused::<Dirichlet>(&alpha("1.0,null"), &["null"]);
    refused::<Dirichlet>(r#"{"concentration":[[],0,null]}"#, &["concentration"]);
    refused::<Dirichlet>("{}", &["concentration"]);

    let of = |nu: &str, w: &str, inverse: &str| {
        format!(r#"{{"nu":{nu},"w":[[{w}],2,2],"inverse_w":[[{inverse}],2,2]}}"#)
    };
    let (w, inverse) = ("2.0,0.0,0.0,4.0", "0.5,0.0,0.0,0.25");
    assert!(serde_json::from_str::<Wishart>(&of("2.5", w, inverse)).is_ok());
    refused::<Wishart>(&of("1.0", w, inverse), &["nu = 1", "2 dimensions"]);
    refused::<Wishart>(&of("2.5", w, w), &["inverse"]);
    refused::<Wishart>(&of("2.5", w, "0.5,0.0,0.0,0.2501"), &["inverse"]);
    refused::<Wishart>(&of("2.5", "2.0,9.0,9.0,4.0", inverse), &["W", "positive"]);
    refused::<Wishart>(&of("2.5", w, "0.5,1.0,0.0,0.25"), &["symmetric"]);
    let mixed = format!(r#"{{"nu":2.5,"w":[[{w}],2,2],"inverse_w":[[1.0],1,1]}}"#);
    refused::<Wishart>(&mixed, &["inverse", "1×1"]);

    let good = of("2.5", w, inverse);
    let of = |m: &str, beta: &str| {
        let d = m.split(',').count();
        format!(r#"{{"m":[[{m}],{d},null],"beta":{beta},"wishart":{good}}}"#)
    };
    assert!(serde_json::from_str::<GaussianWishart>(&of("1.0,2.0", "0.1")).is_ok());
    refused::<GaussianWishart>(&of("1.0", "0.1"), &["mean m", "length 2"]);
    refused::<GaussianWishart>(&of("1.0,2.0", "0.0"), &["beta = 0"]);
    refused::<GaussianWishart>(&of("1.0,1e200", "1.0"), &["mean m", "row 1"]);

    let of = |nu: &str, location: &str| {
        format!(
            r#"{{"nu":{nu},"location":[[{location}],2,null],"scale":[[{w}],2,2]}}"#
        )
    };
    assert!(serde_json::from_str::<StudentT>(&of("0.5", "1.0,2.0")).is_ok());
    refused::<StudentT>(&of("-1.0", "1.0,2.0"), &["nu = -1"]);
    refused::<StudentT>(&of("1.0", "1.0,null"), &["null"]);
}

const BAD: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e300];

#[test]
fn bad_dirichlets() {
    for bad in BAD {
        let concentration = Dirichlet::new(dvector![1.0, bad, 1.0]);
        error(concentration, &["concentration", "component 1", "positive"]);
    }
    error(Dirichlet::new(DVector::zeros(0)), &["Dirichlet", "no concentration"]);
    let p = dirichlet(&[1.0, 2.0]);
    error(p.log_density(&dvector![1.0]), &["length 2", "length 1"]);
    error(p.log_density(&dvector![0.5, 0.6]), &["sum", "1.1"]);
    error(p.log_density(&dvector![1.5, -0.5]), &["component 1", "-0.5"]);
    error(p.log_density(&dvector![f64::NAN, 0.5]), &["component 0", "NaN"]);
    error(p.kl(&dirichlet(&[1.0])), &["Dirichlet", "length 1"]);
}

#[test]
fn bad_wisharts() {
    for bad in BAD {
        error(Wishart::new(bad, w2()), &["nu = ", "positive"]);
    }
    for nu in [1.0, 0.5, 1.0 + 1e-17] {
        error(Wishart::new(nu, w2()), &["nu = ", "more than 1 degrees"]);
    }
    assert!(Wishart::new(1.0 + 1e-15, w2()).is_ok());
    for bad in [f64::NAN, f64::INFINITY, 5.0, 1e300] {
        let mut w = w2();
        w[(1, 0)] = bad;
        w[(0, 1)] = bad;
        error(Wishart::new(3.0, w.clone()), &["scale W"]);
        error(Wishart::from_inverse(3.0, w), &["scale W"]);
    }
    for bad in [f64::NAN, 0.0, -1.0, 1e-300, 1e300, 1e-320] {
        error(Wishart::new(3.0, dmatrix![bad]), &["scale W"]);
        error(Wishart::from_inverse(3.0, dmatrix![bad]), &["scale W"]);
    }
    error(Wishart::new(3.0, dmatrix![1.0, 0.2; 0.1, 1.0]), &["W", "symmetric"]);
    error(Wishart::new(3.0, DMatrix::zeros(0, 0)), &["W", "square"]);
    error(Wishart::new(3.0, DMatrix::zeros(2, 1)), &["W", "square"]);
    let p = wishart(3.0, w2());
    error(p.log_density(&dmatrix![1.0]), &["precision", "1×1"]);
    error(p.log_density(&DMatrix::zeros(2, 2)), &["precision", "positive definite"]);
    error(p.log_density(&dmatrix![1.0, f64::NAN; f64::NAN, 1.0]), &["precision"]);
    error(p.kl(&wishart(3.0, dmatrix![1.0])), &["other scale", "1×1"]);
}

#[test]
fn bad_gaussian_wisharts() {
    let of = |m, beta| GaussianWishart::new(m, beta, wishart(3.0, w2()));
    for bad in BAD {
        error(of(dvector![0.0, 0.0], bad), &["beta = ", "positive"]);
        if !bad.is_finite() || bad.abs() > 1e200 {
            error(of(dvector![0.0, bad], 1.0), &["mean m", "row 1"]);
        }
    }
    error(of(dvector![0.0], 1.0), &["mean m", "length 2", "length 1"]);
    error(of(DVector::zeros(0), 1.0), &["mean m", "length 0"]);
    let p = of(dvector![0.0, 0.0], 1.0).unwrap();
    let identity = DMatrix::identity(2, 2);
    error(p.log_density(&dvector![0.0], &identity), &["mean", "dimension 1"]);
    error(p.log_density(&dvector![0.0, f64::NAN], &identity), &["mean", "NaN"]);
    let one = dmatrix![1.0];
    error(p.log_density(&dvector![0.0, 0.0], &one), &["precision", "1×1"]);
    let other = gaussian_wishart(dvector![0.0], 1.0, 1.0, one);
    error(p.kl(&other), &["other distribution", "dimension 1"]);
    let moments = Moments::about(dvector![0.0]);
    error(p.posterior(&moments), &["moments", "dimension 1"]);
    error(p.log_evidence(&moments), &["moments", "dimension 1"]);
    let mut huge = Moments::about(dvector![0.0, 0.0]);
    huge.push(dmatrix![1e139, -1e139].row(0), 1.0).unwrap();
    error(p.posterior(&huge), &["inverse scale W⁻¹"]);
}

#[test]
fn bad_students() {
    let of = |nu| StudentT::new(nu, dvector![0.0, 0.0], w2());
    for bad in BAD {
        error(of(bad), &["nu = ", "positive"]);
    }
    error(StudentT::new(1.0, dvector![0.0], w2()), &["length 2"]);
    error(StudentT::new(1.0, dvector![0.0, f64::NAN], w2()), &["mean", "NaN"]);
    let indefinite = dmatrix![1.0, 2.0; 2.0, 1.0];
    let p = StudentT::new(1.0, dvector![0.0, 0.0], indefinite);
    error(p, &["scale matrix", "positive definite"]);
    let p = of(2.0).unwrap();
    error(p.log_density(&DMatrix::zeros(0, 2)), &["x", "no rows"]);
    error(p.log_density(&DMatrix::zeros(3, 1)), &["x"]);
    error(p.log_density(&dmatrix![0.0, f64::NAN]), &["row 0", "column 1"]);
}

/// Parameters at the limits of what is allowed: results may be infinite, but nothing
/// panics, and no result is NaN.
#[test]
fn extremes_do_not_panic() {
    let mut rng = rng(313);
    let range = [1e-24, 1e-8, 1.0, 1e8, 1e24];
    for a in range {
        for b in range {
            let p = dirichlet(&[a, b, 1.0]);
            let q = dirichlet(&[b, a, 2.0]);
            let w = p.sample(&mut rng);
            let numbers =
                [p.entropy(), p.kl(&q).unwrap(), p.log_normaliser(), w.sum()];
            assert!(numbers.iter().all(|v| !v.is_nan()), "{a} {b} {numbers:?}");
            for d in 1..=3 {
                let nu = d as f64 - 1.0 + a;
                for scale in [1e-190, 1e-24, 1.0, 1e24, 1e190] {
                    let w = random_covariance(d, &mut rng) * scale;
                    let Ok(wishart) = Wishart::new(nu, w) else { continue };
                    let p =
                        GaussianWishart::new(DVector::zeros(d), b, wishart).unwrap();
                    let predictive = p.predictive();
                    let x = DMatrix::from_element(1, d, 0.5);
                    let log = predictive.log_density(&x).unwrap()[0];
                    let entropy = [p.entropy(), p.wishart().entropy()];
                    let all = [log, predictive.entropy(), entropy[0], entropy[1]];
                    assert!(all.iter().all(|v| !v.is_nan()), "{p:?} {all:?}");
                    let _ = predictive.sample(1, &mut rng);
                    let _ = p.wishart().sample(&mut rng);
                    let _ = (p.sample(&mut rng), p.sample_gaussian(&mut rng));
                }
            }
        }
    }
}

/// W⁻¹ that is positive definite by the skin of its teeth may stop being so when it is
/// rounded after a multiplication; the prediction needs one.
#[test]
fn nearly_singular_scales_do_not_panic() {
    let mut rng = rng(314);
    let mut tried = 0;
    for _ in 0..20_000 {
        let s = rng.random_range(0.1..10.0);
        let ulps = f64::from(rng.random_range(0..4)) * f64::EPSILON;
        let edge = s * (1.0 - ulps);
        let Ok(wishart) = Wishart::from_inverse(1.7, dmatrix![s, edge; edge, s])
        else {
            continue;
        };
        tried += 1;
        let beta = rng.random_range(0.1..3.0);
        let p = GaussianWishart::new(dvector![0.0, 0.0], beta, wishart).unwrap();
        let log = p.predictive().log_density(&dmatrix![0.1, 0.1]).unwrap()[0];
        assert!(log.is_finite());
    }
    assert!(tried > 100);
}

/// Divergences of close distributions with large parameters, where normalisers of 1e9 and more
/// cancel; the values are from 60-digit arithmetic.
#[test]
fn divergences_keep_their_digits() {
    let dirichlet = |a: f64, b: f64| Dirichlet::new(dvector![a, b]).unwrap();
    for a in [1e6_f64, 1e8, 1e10] {
        // To the first order ½ (a − b)ᵀ Hess (a − b); here ½·1²·(ψ′(a) − ψ′(2a)) = 1/(4a).
        let kl = dirichlet(a + 1.0, a).kl(&dirichlet(a, a)).unwrap();
        assert_relative_eq!(kl, 0.25 / a, max_relative = 1e-3);
    }
    let kl = |nu: f64| {
        let a = Wishart::new(nu + 10.0, DMatrix::identity(2, 2) / nu).unwrap();
        let b = Wishart::new(nu, DMatrix::identity(2, 2) / nu).unwrap();
        a.kl(&b).unwrap()
    };
    // ½ (10/2)² Σ ψ′((ν + 1 − i)/2) ≈ 12.5 · 2 · 2/ν.
    for nu in [1e6, 1e8, 1e10] {
        assert_relative_eq!(kl(nu), 50.0 / nu, max_relative = 1e-3);
    }
}

/// A prior mean far away and worth next to nothing costs the posterior's no digits.
#[test]
fn a_distant_prior_mean_costs_no_digits() {
    let x = dmatrix![1.25, -2.0; 3.5, 0.5; 2.0, 1.0; 0.25, 4.5];
    let wishart = Wishart::new(3.0, DMatrix::identity(2, 2)).unwrap();
    let prior = GaussianWishart::new(dvector![1e9, -1e9], 1e-9, wishart).unwrap();
    let posterior = prior.posterior(&Moments::of(&x).unwrap()).unwrap();
    let expected = dvector![(7.0 + 1.0) / (4.0 + 1e-9), (4.0 - 1.0) / (4.0 + 1e-9)];
    assert_relative_eq!(*posterior.m(), expected, max_relative = 1e-14);
}
