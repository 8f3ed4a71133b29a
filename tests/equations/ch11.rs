use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use statrs::distribution::{Continuous, Gamma};
use statrs::function::gamma::ln_gamma;

use crate::common::*;

fn bell(x: f64, mean: f64, variance: f64) -> f64 {
    (-0.5 * (x - mean).powi(2) / variance).exp()
        / (std::f64::consts::TAU * variance).sqrt()
}

/// Two normal densities in one, none of whose parameters are special.
struct Humps([f64; 5]);

impl Humps {
    fn random(rng: &mut Rng) -> Self {
        Humps([
            rng.random_range(0.2..0.8),
            rng.random_range(-2.0..0.0),
            rng.random_range(0.0..2.0),
            rng.random_range(0.3..1.5),
            rng.random_range(0.3..1.5),
        ])
    }

    fn density(&self, x: f64) -> f64 {
        let [share, a, b, v, w] = self.0;
        share * bell(x, a, v) + (1.0 - share) * bell(x, b, w)
    }

    fn mean(&self) -> f64 {
        let [share, a, b, ..] = self.0;
        share * a + (1.0 - share) * b
    }
}

#[test]
fn kl_of_densities() {
    let mut rng = rng(111);
    let kl = |q: &dyn Fn(f64) -> f64, p: &dyn Fn(f64) -> f64| {
        integral(|x| q(x) * (q(x) / p(x)).ln(), -12.0, 12.0, 4000)
    };
    for _ in 0..50 {
        let (q, p) = (Humps::random(&mut rng), Humps::random(&mut rng));
        assert!(kl(&|x| q.density(x), &|x| p.density(x)) > 1e-6);
        assert_eq!(kl(&|x| q.density(x), &|x| q.density(x)), 0.0);
        // Two normals: ln(s₂/s₁) + (s₁² + d²)/(2s₂²) − ½.
        let [_, a, b, v, w] = q.0;
        let exact = 0.5 * (w / v).ln() + (v + (a - b).powi(2)) / (2.0 * w) - 0.5;
        let numeric = kl(&|x| bell(x, a, v), &|x| bell(x, b, w));
        assert_relative_eq!(numeric, exact, epsilon = 1e-10);
    }
}

/// Three points, their labels, and an unknown μ ~ N(0, 4): component 1 is N(μ, 1)
/// with weight 0.3, component 2 is N(μ + 3, ½).
const POINTS: [f64; 3] = [-0.4, 1.1, 2.9];

fn log_joint(labels: usize, mu: f64) -> f64 {
    let points: f64 = POINTS
        .iter()
        .enumerate()
        .map(|(n, &x)| match labels >> n & 1 {
            0 => (0.3 * bell(x, mu, 1.0)).ln(),
            _ => (0.7 * bell(x, mu + 3.0, 0.5)).ln(),
        })
        .sum();
    points + bell(mu, 0.0, 4.0).ln()
}

/// The evidence by integrating a product of sums; the bound and the divergence by
/// summing over all eight labellings, for q(z, μ) that are no products.
#[test]
fn elbo() {
    let over_mu = |f: &dyn Fn(f64) -> f64| integral(f, -16.0, 16.0, 3000);
    let evidence = over_mu(&|mu| {
        let sums = POINTS
            .iter()
            .map(|&x| 0.3 * bell(x, mu, 1.0) + 0.7 * bell(x, mu + 3.0, 0.5));
        sums.product::<f64>() * bell(mu, 0.0, 4.0)
    });
    let over_all = |f: &dyn Fn(usize, f64) -> f64| -> f64 {
        (0..8).map(|z| over_mu(&|mu| f(z, mu))).sum()
    };
    let bound = |q: &dyn Fn(usize, f64) -> f64| {
        let expected = over_all(&|z, mu| q(z, mu) * log_joint(z, mu));
        let entropy = over_all(&|z, mu| match q(z, mu) {
            0.0 => 0.0,
            density => -density * density.ln(),
        });
        expected + entropy
    };
    let posterior = |z: usize, mu: f64| log_joint(z, mu).exp() / evidence;
    assert_relative_eq!(over_all(&posterior), 1.0, epsilon = 1e-10);
    assert_relative_eq!(bound(&posterior), evidence.ln(), epsilon = 1e-9);

    let mut rng = rng(112);
    for _ in 0..5 {
        let raw: Vec<f64> = (0..8).map(|_| rng.random_range(0.1..1.0)).collect();
        let total: f64 = raw.iter().sum();
        let centres: Vec<f64> = (0..8).map(|_| rng.random_range(-1.0..2.0)).collect();
        let q = |z: usize, mu: f64| {
            raw[z] / total * bell(mu, centres[z], 0.2 + 0.1 * z as f64)
        };
        let divergence = over_all(&|z, mu| match q(z, mu) {
            0.0 => 0.0,
            density => density * (density.ln() - log_joint(z, mu) + evidence.ln()),
        });
        assert!(divergence > 0.0 && bound(&q) < evidence.ln());
        assert_relative_eq!(bound(&q) + divergence, evidence.ln(), epsilon = 1e-9);
    }
}

/// A joint of three hidden things with 2, 3 and 4 values, which does not sum to one.
struct Table {
    log_joint: Vec<f64>,
}

const SIZES: [usize; 3] = [2, 3, 4];

fn cells() -> impl Iterator<Item = [usize; 3]> {
    (0..24).map(|c| [c / 12, c / 4 % 3, c % 4])
}

impl Table {
    fn random(rng: &mut Rng) -> Self {
        Table { log_joint: (0..24).map(|_| rng.random_range(-3.0..1.0)).collect() }
    }

    fn at(&self, h: [usize; 3]) -> f64 {
        self.log_joint[12 * h[0] + 4 * h[1] + h[2]]
    }

    /// Σ q (ln p − ln q) over all cells.
    fn bound(&self, q: &[DVector<f64>; 3]) -> f64 {
        cells()
            .map(|h| {
                let mass = q[0][h[0]] * q[1][h[1]] * q[2][h[2]];
                mass * (self.at(h) - mass.ln())
            })
            .sum()
    }

    /// E ln p over all but j, for each value of j.
    fn expected(&self, q: &[DVector<f64>; 3], j: usize) -> DVector<f64> {
        let mut expected = DVector::zeros(SIZES[j]);
        for h in cells() {
            let others = (0..3).filter(|i| *i != j).map(|i| q[i][h[i]]);
            expected[h[j]] += others.product::<f64>() * self.at(h);
        }
        expected
    }
}

fn distribution(k: usize, rng: &mut Rng) -> DVector<f64> {
    let raw = DVector::from_fn(k, |_, _| rng.random_range(0.05..1.0));
    &raw / raw.sum()
}

fn softmax(v: &DVector<f64>) -> DVector<f64> {
    let exponentials = v.map(f64::exp);
    &exponentials / exponentials.sum()
}

fn discrete_kl(q: &DVector<f64>, p: &DVector<f64>) -> f64 {
    q.iter().zip(p).map(|(q, p)| q * (q / p).ln()).sum()
}

#[test]
fn bound_of_one_factor() {
    let mut rng = rng(113);
    for _ in 0..20 {
        let table = Table::random(&mut rng);
        let q = SIZES.map(|k| distribution(k, &mut rng));
        let entropy = |q: &DVector<f64>| -q.iter().map(|q| q * q.ln()).sum::<f64>();
        for j in 0..3 {
            let expected = table.expected(&q, j);
            let best = softmax(&expected);
            let log_z = expected.map(f64::exp).sum().ln();
            let others: f64 =
                (0..3).filter(|i| *i != j).map(|i| entropy(&q[i])).sum();
            let formula = -discrete_kl(&q[j], &best) + log_z + others;
            assert_relative_eq!(table.bound(&q), formula, epsilon = 1e-12);
            // So an update gains the divergence.
            let mut next = q.clone();
            next[j] = best.clone();
            let gain = table.bound(&next) - table.bound(&q);
            assert_relative_eq!(gain, discrete_kl(&q[j], &best), epsilon = 1e-12);
        }
    }
}

/// At the optimal factor the slope of the bound is zero, and every other factor is
/// lower.
#[test]
fn optimal_factor() {
    let mut rng = rng(114);
    for _ in 0..10 {
        let table = Table::random(&mut rng);
        let mut q = SIZES.map(|k| distribution(k, &mut rng));
        for j in 0..3 {
            let logits = table.expected(&q, j);
            let with = |factor: DVector<f64>| {
                let mut q = q.clone();
                q[j] = factor;
                table.bound(&q)
            };
            let slope = gradient(|v| with(softmax(v)), &logits);
            assert!(slope.amax() < 1e-9, "{slope}");
            let top = with(softmax(&logits));
            for _ in 0..200 {
                assert!(with(distribution(SIZES[j], &mut rng)) < top);
            }
            q[j] = softmax(&logits);
        }
    }
}

/// A correlated Gaussian, with its plain log density.
struct Correlated {
    mu: DVector<f64>,
    sigma: DMatrix<f64>,
}

impl Correlated {
    fn new() -> Self {
        // σ₁ = 1, σ₂ = 2, ρ = −0.7.
        Correlated { mu: dvector![0.5, -1.0], sigma: dmatrix![1.0, -1.4; -1.4, 4.0] }
    }

    fn log_density(&self, a: f64, b: f64) -> f64 {
        plain_log_density(&dvector![a, b], &self.mu, &self.sigma)
    }
}

/// exp E ln p by quadrature, with another factor that is no Gaussian.
#[test]
fn gaussian_factors() {
    let p = Correlated::new();
    let lambda = p.sigma.clone().try_inverse().unwrap();
    let other = Humps::random(&mut rng(115));
    for j in 0..2 {
        let i = 1 - j;
        let unnormalised = |h: f64| {
            let log_p = |o: f64| match j {
                0 => p.log_density(h, o),
                _ => p.log_density(o, h),
            };
            integral(|o| other.density(o) * log_p(o), -10.0, 10.0, 400).exp()
        };
        let total = integral(unnormalised, -15.0, 15.0, 400);
        let mean =
            p.mu[j] - lambda[(j, i)] / lambda[(j, j)] * (other.mean() - p.mu[i]);
        for h in [-2.0, -0.5, 0.3, 1.7] {
            let formula = bell(h, mean, 1.0 / lambda[(j, j)]);
            assert_relative_eq!(
                unnormalised(h) / total,
                formula,
                max_relative = 1e-8
            );
        }
    }
}

/// Coordinate ascent on tables of probabilities, which knows of no Gaussian: factors
/// of the rows and the columns of a table of log densities, after each sweep.
fn sweeps(
    log_p: &DMatrix<f64>,
    start: DVector<f64>,
    n: usize,
) -> Vec<[DVector<f64>; 2]> {
    let shifted = |v: DVector<f64>| softmax(&v.add_scalar(-v.max()));
    let mut second = start;
    (0..n)
        .map(|_| {
            let first = shifted(log_p * &second);
            second = shifted(log_p.tr_mul(&first));
            [first, second.clone()]
        })
        .collect()
}

#[test]
fn gaussian_sweep() {
    let p = Correlated::new();
    let rho_squared = 0.49;
    let grids = [
        DVector::from_fn(161, |i, _| -7.5 + 0.1 * i as f64),
        DVector::from_fn(161, |i, _| -17.0 + 0.2 * i as f64),
    ];
    let log_p =
        DMatrix::from_fn(161, 161, |i, j| p.log_density(grids[0][i], grids[1][j]));
    let start = softmax(&grids[1].map(|h| -(h - 3.0_f64).abs()));
    let path = sweeps(&log_p, start, 60);
    for (j, grid) in grids.iter().enumerate() {
        let means: Vec<f64> = path.iter().map(|q| grid.dot(&q[j])).collect();
        for t in 1..8 {
            let ratio = (means[t] - p.mu[j]) / (means[t - 1] - p.mu[j]);
            assert_relative_eq!(ratio, rho_squared, epsilon = 1e-8);
        }
        assert_relative_eq!(means[59], p.mu[j], epsilon = 1e-9);
        let squares = grid.map(|h| (h - p.mu[j]).powi(2));
        assert_relative_eq!(
            squares.dot(&path[59][j]),
            p.sigma[(j, j)] * (1.0 - rho_squared),
            max_relative = 1e-8
        );
    }
}

/// The divergence by quadrature in two dimensions; and it grows when the factors'
/// means or variances are changed.
#[test]
fn gaussian_gap() {
    let p = Correlated::new();
    let divergence = |change: &DVector<f64>| {
        let m = &p.mu + change.rows(0, 2);
        let v = [0.51 * change[2].exp(), 4.0 * 0.51 * change[3].exp()];
        let inner = |a: f64| {
            integral(
                |b| {
                    let q = bell(a, m[0], v[0]) * bell(b, m[1], v[1]);
                    if q == 0.0 { 0.0 } else { q * (q.ln() - p.log_density(a, b)) }
                },
                -15.0,
                13.0,
                150,
            )
        };
        integral(inner, -7.0, 8.0, 150)
    };
    let rho: f64 = -0.7;
    let least = divergence(&DVector::zeros(4));
    assert_relative_eq!(least, -0.5 * (1.0 - rho * rho).ln(), epsilon = 1e-9);
    let mut rng = rng(116);
    for _ in 0..8 {
        assert!(divergence(&(noise(4, &mut rng) * 0.2)) > least);
    }
}

#[test]
fn reverse_marginals() {
    let mut rng = rng(117);
    let raw = DMatrix::from_fn(4, 5, |_, _| rng.random_range(0.01..1.0_f64));
    let p = &raw / raw.sum();
    let divergence = |a: &DVector<f64>, b: &DVector<f64>| -> f64 {
        let terms = (0..20).map(|c| (c / 5, c % 5));
        terms.map(|(i, j)| p[(i, j)] * (p[(i, j)] / (a[i] * b[j])).ln()).sum()
    };
    let rows = DVector::from_fn(4, |i, _| p.row(i).sum());
    let columns = DVector::from_fn(5, |j, _| p.column(j).sum());
    let least = divergence(&rows, &columns);
    let at = DVector::from_iterator(9, rows.iter().chain(&columns).map(|p| p.ln()));
    let slope = gradient(
        |v| {
            divergence(
                &softmax(&v.rows(0, 4).into_owned()),
                &softmax(&v.rows(4, 5).into_owned()),
            )
        },
        &at,
    );
    assert!(slope.amax() < 1e-9, "{slope}");
    for _ in 0..1000 {
        let (a, b) = (distribution(4, &mut rng), distribution(5, &mut rng));
        assert!(divergence(&a, &b) > least);
    }
}

/// For two bumps in the plane −E ln q has slope zero where the moments agree, and is
/// larger elsewhere.
#[test]
fn moment_matching() {
    let parts = [
        (0.35, dvector![-1.0, 0.5], dmatrix![0.6, 0.3; 0.3, 0.9]),
        (0.65, dvector![1.5, -0.5], dmatrix![1.0, -0.4; -0.4, 0.5]),
    ];
    let mean: DVector<f64> = parts.iter().map(|(share, m, _)| m * *share).sum();
    let covariance: DMatrix<f64> = parts
        .iter()
        .map(|(share, m, v)| (v + (m - &mean) * (m - &mean).transpose()) * *share)
        .sum();
    let nodes: Vec<(DVector<f64>, f64)> = (0..81 * 81)
        .map(|c| {
            let at =
                dvector![-8.0 + 0.2 * (c / 81) as f64, -8.0 + 0.2 * (c % 81) as f64];
            let p: f64 = parts
                .iter()
                .map(|(share, m, v)| share * plain_density(&at, m, v))
                .sum();
            (at, 0.04 * p)
        })
        .filter(|(_, mass)| *mass > 1e-18)
        .collect();
    // q by its mean and the Cholesky factor of its covariance.
    let cross_entropy = |v: &DVector<f64>| -> f64 {
        let (m, l) = (dvector![v[0], v[1]], dmatrix![v[2], 0.0; v[3], v[4]]);
        let inverse = l.clone().try_inverse().unwrap();
        let constant = (std::f64::consts::TAU * v[2] * v[4]).ln();
        let at =
            |x: &DVector<f64>| 0.5 * (&inverse * (x - &m)).norm_squared() + constant;
        nodes.iter().map(|(x, mass)| mass * at(x)).sum()
    };
    let l = covariance.cholesky().unwrap().l();
    let at = dvector![mean[0], mean[1], l[(0, 0)], l[(1, 0)], l[(1, 1)]];
    let slope = gradient(cross_entropy, &at);
    assert!(slope.amax() < 1e-8, "{slope}");
    let mut rng = rng(118);
    for _ in 0..50 {
        let step = noise(5, &mut rng) * 0.1;
        assert!(cross_entropy(&(&at + step)) > cross_entropy(&at));
    }
}

/// Points with unknown mean and precision, and the prior
/// N(μ | m₀, (β₀λ)⁻¹) W(λ | w₀, ν₀).
struct MeanPrecision {
    x: Vec<f64>,
    m0: f64,
    beta0: f64,
    w0: f64,
    nu0: f64,
}

impl MeanPrecision {
    fn new(n: usize) -> Self {
        let x = [1.3, 0.2, 2.9, 1.1, 2.2, -0.3, 1.9][..n].to_vec();
        MeanPrecision { x, m0: 0.4, beta0: 0.7, w0: 0.5, nu0: 2.5 }
    }

    fn nu(&self) -> f64 {
        self.nu0 + self.x.len() as f64
    }

    fn beta(&self) -> f64 {
        self.beta0 + self.x.len() as f64
    }

    fn mean(&self) -> f64 {
        (self.beta0 * self.m0 + self.x.iter().sum::<f64>()) / self.beta()
    }

    fn inverse_w(&self) -> f64 {
        let n = self.x.len() as f64;
        let mean = self.x.iter().sum::<f64>() / n;
        let scatter: f64 = self.x.iter().map(|x| (x - mean).powi(2)).sum();
        let shift = self.beta0 * n / self.beta() * (mean - self.m0).powi(2);
        1.0 / self.w0 + scatter + shift
    }

    /// ln p(X, μ, λ) as the model has it.
    fn log_joint(&self, mu: f64, lambda: f64) -> f64 {
        let prior = Gamma::new(0.5 * self.nu0, 0.5 / self.w0).unwrap();
        let normal = |x: f64, precision: f64| {
            0.5 * (precision / std::f64::consts::TAU).ln()
                - 0.5 * precision * (x - mu).powi(2)
        };
        let points: f64 = self.x.iter().map(|&x| normal(x, lambda)).sum();
        points + normal(self.m0, self.beta0 * lambda) + prior.ln_pdf(lambda)
    }

    /// ∫ f p(X, μ, λ) over both, in y = (μ − m_N)√λ and t = ln λ.
    fn integrate(&self, f: impl Fn(f64, f64) -> f64) -> f64 {
        let over_y = |t: f64| {
            let lambda = t.exp();
            let inner = |y: f64| {
                let mu = self.mean() + y / lambda.sqrt();
                f(mu, lambda) * self.log_joint(mu, lambda).exp()
            };
            lambda.sqrt() * integral(inner, -7.0, 7.0, 120)
        };
        integral(over_y, -16.0, 6.0, 700)
    }

    /// Grids of μ and t = ln λ, and ln p(X, μ, t) on them.
    fn tables(&self) -> ([DVector<f64>; 2], DMatrix<f64>) {
        let mu =
            DVector::from_fn(401, |i, _| self.mean() + 0.02 * (i as f64 - 200.0));
        let t = DVector::from_fn(601, |i, _| -12.0 + 0.03 * i as f64);
        let log_p = DMatrix::from_fn(401, 601, |i, j| {
            self.log_joint(mu[i], t[j].exp()) + t[j]
        });
        ([mu, t], log_p)
    }
}

/// The factors after each of 25 sweeps, from E[λ] about 8.
fn from_high_precision(
    t: &DVector<f64>,
    log_p: &DMatrix<f64>,
) -> Vec<[DVector<f64>; 2]> {
    sweeps(log_p, softmax(&t.map(|t| -20.0 * (t - 2.0_f64).powi(2))), 25)
}

/// exp E ln p by quadrature, with other factors that have no special shape.
#[test]
fn mean_precision_factors() {
    let model = MeanPrecision::new(5);
    // λ: a hump in ln λ.
    let of_lambda = |t: f64| bell(t, -0.3, 0.3);
    let expected_lambda = integral(|t| t.exp() * of_lambda(t), -8.0, 6.0, 600);
    let unnormalised = |mu: f64| {
        let log_p = |t: f64| model.log_joint(mu, t.exp());
        integral(|t| of_lambda(t) * log_p(t), -8.0, 6.0, 600).exp()
    };
    let total = integral(unnormalised, -6.0, 8.0, 400);
    let v = 1.0 / (model.beta() * expected_lambda);
    for mu in [-0.2, 0.9, 1.4, 2.5] {
        let formula = bell(mu, model.mean(), v);
        assert_relative_eq!(unnormalised(mu) / total, formula, max_relative = 1e-8);
    }
    // μ: two humps.
    let of_mu = Humps::random(&mut rng(119));
    let square = integral(
        |mu| of_mu.density(mu) * (mu - model.mean()).powi(2),
        -12.0,
        12.0,
        600,
    );
    let unnormalised = |lambda: f64| {
        let log_p = |mu: f64| model.log_joint(mu, lambda);
        integral(|mu| of_mu.density(mu) * log_p(mu), -12.0, 12.0, 600).exp()
    };
    let total = integral(|t| t.exp() * unnormalised(t.exp()), -12.0, 4.0, 600);
    let inverse_w = model.inverse_w() + model.beta() * square;
    let formula = Gamma::new(0.5 * (model.nu() + 1.0), 0.5 * inverse_w).unwrap();
    for lambda in [0.05, 0.2, 0.5, 1.2] {
        assert_relative_eq!(
            unnormalised(lambda) / total,
            formula.pdf(lambda),
            max_relative = 1e-8
        );
    }
}

/// Tables of probabilities that know nothing of normals and Wisharts come to rest
/// there, at that rate; the exact moments are integrals.
#[test]
fn mean_precision_limit() {
    let model = MeanPrecision::new(4);
    let nu = model.nu();
    let evidence = model.integrate(|_, _| 1.0);
    let exact = |f: &dyn Fn(f64, f64) -> f64| model.integrate(f) / evidence;
    let exact_mu = exact(&|mu, _| mu);
    let exact_lambda = exact(&|_, lambda| lambda);
    let exact_variance_mu = exact(&|mu, _| (mu - exact_mu).powi(2));
    let exact_variance_lambda = exact(&|_, lambda| (lambda - exact_lambda).powi(2));

    let ([mu, t], log_p) = model.tables();
    let path = from_high_precision(&t, &log_p);
    let lambda = t.map(f64::exp);
    let last = &path[24];
    assert_relative_eq!(mu.dot(&last[0]), exact_mu, epsilon = 1e-8);
    assert_relative_eq!(lambda.dot(&last[1]), exact_lambda, max_relative = 1e-7);
    assert_relative_eq!(
        mu.map(|mu| (mu - exact_mu).powi(2)).dot(&last[0]),
        exact_variance_mu * (nu - 2.0) / nu,
        max_relative = 1e-6
    );
    assert_relative_eq!(
        lambda.map(|lambda| (lambda - exact_lambda).powi(2)).dot(&last[1]),
        exact_variance_lambda * nu / (nu + 1.0),
        max_relative = 1e-6
    );
    let error = |q: &[DVector<f64>; 2]| 1.0 / lambda.dot(&q[1]) - 1.0 / exact_lambda;
    for pair in path[..4].windows(2) {
        let ratio = error(&pair[0]) / error(&pair[1]);
        assert_relative_eq!(ratio, nu + 1.0, max_relative = 1e-3);
    }
}

#[test]
fn mean_precision_gap() {
    for n in [2, 4, 7] {
        let model = MeanPrecision::new(n);
        let nu = model.nu();
        let ([_, t], log_p) = model.tables();
        let path = from_high_precision(&t, &log_p);
        let [of_mu, of_t] = &path[24];
        let entropy = |q: &DVector<f64>, cell: f64| -> f64 {
            let terms = q.iter().filter(|q| **q > 0.0);
            -terms.map(|q| q * (q / cell).ln()).sum::<f64>()
        };
        let bound =
            of_mu.dot(&(&log_p * of_t)) + entropy(of_mu, 0.02) + entropy(of_t, 0.03);
        let gap = model.integrate(|_, _| 1.0).ln() - bound;
        let formula = ln_gamma(nu / 2.0) - ln_gamma((nu + 1.0) / 2.0)
            + 0.5 * (nu / 2.0).ln()
            + (nu + 1.0) / 2.0 * ((nu + 1.0) / nu).ln()
            - 0.5;
        assert_relative_eq!(gap, formula, epsilon = 1e-7);
    }
}
