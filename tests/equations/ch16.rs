use approx::assert_relative_eq;
use mixtures::math::{Rng, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Posterior, Prior, Vb, data};
use statrs::function::gamma::{digamma, ln_gamma};
use std::collections::BTreeMap;
use std::f64::consts::{PI, TAU};

use crate::common::*;

/// What an update makes of one component that has `count` points with this mean and
/// covariance: α, β, m, W and ν, by the formulas.
struct Component {
    alpha: f64,
    beta: f64,
    m: DVector<f64>,
    w: DMatrix<f64>,
    nu: f64,
}

impl Component {
    fn new(
        prior: &Prior,
        count: f64,
        mean: &DVector<f64>,
        covariance: &DMatrix<f64>,
    ) -> Self {
        let beta = prior.beta0 + count;
        let shift = mean - &prior.m0;
        let inverse = prior.w0.clone().try_inverse().unwrap()
            + covariance * count
            + &shift * shift.transpose() * (prior.beta0 * count / beta);
        Component {
            alpha: prior.alpha0 + count,
            beta,
            m: (&prior.m0 * prior.beta0 + mean * count) / beta,
            w: inverse.try_inverse().unwrap(),
            nu: prior.nu0 + count,
        }
    }

    /// The score at x, but for −ψ(α̂), which is the same for all.
    fn score(&self, x: &DVector<f64>) -> f64 {
        let d = x.len() as f64;
        let digammas: f64 =
            (0..x.len()).map(|i| digamma(0.5 * (self.nu - i as f64))).sum();
        let log_det = digammas + d * 2.0_f64.ln() + self.w.determinant().ln();
        let v = x - &self.m;
        let squared = self.nu * v.dot(&(&self.w * &v)) + d / self.beta;
        digamma(self.alpha) + 0.5 * (log_det - d * TAU.ln() - squared)
    }
}

#[test]
fn empty_component() {
    let mut rng = rng(1600);
    let x = DMatrix::from_fn(9, 2, |_, _| noise(1, &mut rng)[0]);
    let r = DMatrix::from_fn(9, 3, |n, k| match k {
        0 => 0.1 * n as f64,
        1 => 1.0 - 0.1 * n as f64,
        _ => 0.0,
    });
    for alpha0 in [0.05, 0.3, 0.45, 2.0] {
        let prior = Prior {
            alpha0,
            beta0: 0.7,
            m0: dvector![0.3, -0.4],
            w0: dmatrix![0.6, 0.1; 0.1, 0.4],
            nu0: 3.5,
        };
        let q = Posterior::from_responsibilities(&prior, &x, &r).unwrap();
        assert_eq!(q.alpha()[2], alpha0);
        assert_eq!((q.beta()[2], q.nu()[2]), (0.7, 3.5));
        assert_relative_eq!(q.means().row(2).transpose(), prior.m0, epsilon = 1e-14);
        assert_relative_eq!(*q.w(2), prior.w0, epsilon = 1e-14);
        let before = prior.gaussian_wishart().unwrap();
        assert!(q.components()[2].kl(&before).unwrap().abs() < 1e-13);
        // Its responsibility, from the weights of the result and the rest of the score.
        let next = q.responsibilities(&x).unwrap();
        let weight = (digamma(1.0 + alpha0) - 1.0 / alpha0).exp();
        let (zero, any) = (dvector![0.0, 0.0], DMatrix::identity(2, 2));
        let mine = Component::new(&prior, 0.0, &zero, &any);
        for n in 0..9 {
            let point = x.row(n).transpose();
            let count = r.column(0).sum();
            let mean: DVector<f64> = x.transpose() * r.column(0) / count;
            let mut s = DMatrix::zeros(2, 2);
            for n in 0..9 {
                let v = x.row(n).transpose() - &mean;
                s += &v * v.transpose() * (r[(n, 0)] / count);
            }
            let other = Component::new(&prior, count, &mean, &s);
            let odds = mine.score(&point) - digamma(alpha0) + weight.ln()
                - other.score(&point);
            let found = (next[(n, 2)] / next[(n, 0)]).ln();
            assert_relative_eq!(found, odds, epsilon = 1e-9);
        }
        assert_eq!(weight < (-1.0 / alpha0).exp(), alpha0 < 0.46);
    }
    assert!(digamma(1.46) < 0.0 && digamma(1.47) > 0.0);
}

/// Forty points of D dimensions, each to be counted M/40 times.
fn shared(d: usize) -> (Vec<DVector<f64>>, DVector<f64>, DMatrix<f64>, Prior) {
    let mut rng = rng_stream(1601, d as u64);
    let points: Vec<DVector<f64>> = (0..40).map(|_| noise(d, &mut rng)).collect();
    let mean = points.iter().sum::<DVector<f64>>() / 40.0;
    let covariance = points.iter().map(|x| (x - &mean) * (x - &mean).transpose());
    let covariance = covariance.sum::<DMatrix<f64>>() / 40.0;
    let prior = Prior {
        alpha0: 0.0,
        beta0: 0.8,
        m0: noise(d, &mut rng),
        w0: random_covariance(d, &mut rng),
        nu0: d as f64 + 1.5,
    };
    (points, mean, covariance, prior)
}

/// The log odds at each point after an update, for twins with the shares s and 1 − s.
fn log_odds(d: usize, alpha0: f64, m: f64, s: f64) -> Vec<f64> {
    let (points, mean, covariance, prior) = shared(d);
    let prior = Prior { alpha0, ..prior };
    let of = |share: f64| Component::new(&prior, share * m, &mean, &covariance);
    let (first, second) = (of(s), of(1.0 - s));
    points.iter().map(|x| first.score(x) - second.score(x)).collect()
}

fn parameters(d: usize) -> f64 {
    (1 + d + d * (d + 1) / 2) as f64
}

/// What the result leaves out falls to a quarter when M doubles.
#[test]
fn twins() {
    for d in 1..=3 {
        for (alpha0, s) in [(0.01, 0.3), (2.0, 0.45), (7.0, 0.2)] {
            let left_out = |m: f64| -> f64 {
                let odds = log_odds(d, alpha0, m, s);
                let average = odds.iter().sum::<f64>() / odds.len() as f64;
                let (n1, n2) = (s * m, (1.0 - s) * m);
                let half = 0.5 * parameters(d);
                average - (n1 / n2).ln() - (alpha0 - half) * (1.0 / n1 - 1.0 / n2)
            };
            let (a, b) = (left_out(4e3), left_out(8e3));
            assert_relative_eq!(a / b, 4.0, max_relative = 0.05);
        }
    }
}

/// Here it falls to a half: the change itself stays.
#[test]
fn twin_race() {
    for d in 1..=3 {
        for (alpha0, s) in [(0.01, 0.45), (2.0, 0.3), (7.0, 0.45)] {
            let left_out = |m: f64| -> f64 {
                let odds = log_odds(d, alpha0, m, s);
                let each = m / odds.len() as f64;
                let new: f64 = odds.iter().map(|t| each / (1.0 + (-t).exp())).sum();
                let (n1, n2) = (s * m, (1.0 - s) * m);
                let p = parameters(d);
                let delta = -(0.5 * p - alpha0) * (n2 - n1) / m;
                let difference = (n2 - n1) * (1.0 + (p - 2.0 * alpha0) / m);
                let by_factor = 0.5 * (m - difference);
                assert_relative_eq!(n1 + delta, by_factor, max_relative = 1e-12);
                new - n1 - delta
            };
            let (a, b) = (left_out(3e4), left_out(6e4));
            assert!(a.abs() < 0.05, "{a}");
            assert_relative_eq!(a / b, 2.0, max_relative = 0.05);
        }
    }
}

/// An urn: the next label is k in proportion to α₀ + N_k.
#[test]
fn non_empty_components() {
    let mut rng = rng(1602);
    for (alpha0, k, n) in [(0.01, 6, 50), (0.3, 4, 12), (1.5, 5, 3)] {
        let occupied: Vec<f64> = (0..20_000)
            .map(|_| {
                let mut counts = vec![0.0; k];
                for seen in 0..n {
                    let total = k as f64 * alpha0 + f64::from(seen);
                    let mut u = rng.random::<f64>() * total;
                    let chosen = counts.iter().position(|count| {
                        u -= alpha0 + count;
                        u < 0.0
                    });
                    counts[chosen.unwrap_or(k - 1)] += 1.0;
                }
                counts.iter().filter(|count| **count > 0.0).count() as f64
            })
            .collect();
        let (all, others, n) =
            (k as f64 * alpha0, (k as f64 - 1.0) * alpha0, f64::from(n));
        let empty = ln_gamma(all) + ln_gamma(n + others)
            - ln_gamma(others)
            - ln_gamma(n + all);
        assert_mean(&occupied, k as f64 * (1.0 - empty.exp()));
    }
}

/// Differences of the climbs' ends, against the slopes at one end.
#[test]
fn prior_slopes() {
    let x = data::faithful();
    let default = Prior::from_data(&x).unwrap();
    let prior = Prior {
        alpha0: 0.05,
        beta0: 0.6,
        m0: &default.m0 + dvector![0.3, -2.0],
        w0: &default.w0 * 1.3,
        nu0: 5.0,
    };
    let at = |log_beta: f64, log_c: f64| {
        let prior = Prior {
            beta0: prior.beta0 * log_beta.exp(),
            w0: &prior.w0 * log_c.exp(),
            ..prior.clone()
        };
        let vb = Vb::new(4).prior(prior).seed(3).tolerance(1e-14);
        vb.max_iterations(5000).fit(&x).unwrap()
    };
    let fit = at(0.0, 0.0);
    let q = &fit.posterior;
    let inverse0 = prior.w0.clone().try_inverse().unwrap();
    let (mut by_beta, mut by_c) = (0.0, 0.0);
    let mut used = 0.0;
    for k in 0..4 {
        let (beta, nu, w) = (q.beta()[k], q.nu()[k], q.w(k));
        let v = q.means().row(k).transpose() - &prior.m0;
        let pull = prior.beta0 * nu * v.dot(&(w * &v));
        let share = 0.5 * (2.0 - 2.0 * prior.beta0 / beta - pull);
        let trace = 0.5 * (prior.nu0 * 2.0 - nu * (&inverse0 * w).trace());
        if q.alpha()[k] < 0.06 {
            assert!(share.abs() < 1e-6 && trace.abs() < 1e-6, "{share} {trace}");
        } else {
            used += 1.0;
        }
        by_beta += share;
        by_c -= trace;
    }
    assert!((1.5..3.5).contains(&used), "{}", q.alpha());
    let h = 1e-3;
    let beta = (at(h, 0.0).elbo() - at(-h, 0.0).elbo()) / (2.0 * h);
    let c = (at(0.0, h).elbo() - at(0.0, -h).elbo()) / (2.0 * h);
    assert_relative_eq!(beta, by_beta, max_relative = 1e-4);
    assert_relative_eq!(c, by_c, max_relative = 1e-4);
    // The limit: D/2 for each component in use.
    let low = at(-20.0, 0.0);
    let used = low.posterior.alpha().iter().filter(|a| **a > 0.06).count() as f64;
    let slope = (at(-19.9, 0.0).elbo() - at(-20.1, 0.0).elbo()) / 0.2;
    assert_relative_eq!(slope, used, max_relative = 1e-5);
}

/// ln p of points on a line, all of one component (the evidence of one Gaussian).
fn plain_log_evidence(prior: &Prior, x: &[f64]) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let scatter: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
    let shift = mean - prior.m0[0];
    let before = 1.0 / prior.w0[0];
    let after =
        before + scatter + prior.beta0 * n / (prior.beta0 + n) * shift * shift;
    let nu = prior.nu0 + n;
    ln_gamma(0.5 * nu) - ln_gamma(0.5 * prior.nu0) - 0.5 * n * PI.ln()
        + 0.5 * (prior.nu0 * before.ln() - nu * after.ln())
        + 0.5 * (prior.beta0 / (prior.beta0 + n)).ln()
}

/// ln p(X, z): the urn, label by label, and the evidence of each component's points.
fn plain_log_joint(prior: &Prior, x: &[f64], z: &[usize], k: usize) -> f64 {
    let mut counts = vec![0.0; k];
    let mut total = 0.0;
    for (n, &label) in z.iter().enumerate() {
        let all = k as f64 * prior.alpha0 + n as f64;
        total += ((prior.alpha0 + counts[label]) / all).ln();
        counts[label] += 1.0;
    }
    let points = |k: usize| -> Vec<f64> {
        (0..z.len()).filter(|&n| z[n] == k).map(|n| x[n]).collect()
    };
    total + (0..k).map(|k| plain_log_evidence(prior, &points(k))).sum::<f64>()
}

fn labellings(n: usize, k: usize) -> impl Iterator<Item = Vec<usize>> {
    let labels = move |code: usize| (0..n).map(move |i| code / k.pow(i as u32) % k);
    (0..k.pow(n as u32)).map(move |code| labels(code).collect())
}

fn line_prior(alpha0: f64) -> Prior {
    Prior { alpha0, beta0: 0.1, m0: dvector![0.2], w0: dmatrix![0.8], nu0: 4.0 }
}

/// Weights, means and precisions of components on a line, and labels.
#[derive(Clone)]
struct Draw {
    weights: Vec<f64>,
    mu: Vec<f64>,
    lambda: Vec<f64>,
    z: Vec<usize>,
}

fn draw(q: &Posterior, r: &DMatrix<f64>, rng: &mut Rng) -> Draw {
    let m = q.sample(rng).unwrap();
    let z = (0..r.nrows()).map(|n| {
        let mut u: f64 = rng.random();
        let chosen = r.row(n).iter().position(|share| {
            u -= share;
            u < 0.0
        });
        chosen.unwrap_or(r.row(n).transpose().imax())
    });
    let z = z.collect();
    let k = m.weights().len();
    Draw {
        weights: m.weights().iter().copied().collect(),
        mu: m.means().iter().copied().collect(),
        lambda: (0..k).map(|k| 1.0 / m.covariance(k)[0]).collect(),
        z,
    }
}

/// The same, with component k under the name of `order[k]`.
fn renamed(draw: &Draw, order: &[usize]) -> Draw {
    let of = |values: &[f64]| -> Vec<f64> {
        let mut moved = values.to_vec();
        for (k, &name) in order.iter().enumerate() {
            moved[name] = values[k];
        }
        moved
    };
    Draw {
        weights: of(&draw.weights),
        mu: of(&draw.mu),
        lambda: of(&draw.lambda),
        z: draw.z.iter().map(|&k| order[k]).collect(),
    }
}

/// ln N(μ | m, 1/(βλ)) + ln W(λ | w, ν): on a line, a gamma density.
fn log_component(mu: f64, lambda: f64, m: f64, beta: f64, w: f64, nu: f64) -> f64 {
    0.5 * (beta * lambda / TAU).ln() - 0.5 * beta * lambda * (mu - m).powi(2)
        + (0.5 * nu - 1.0) * lambda.ln()
        - 0.5 * lambda / w
        - 0.5 * nu * (2.0 * w).ln()
        - ln_gamma(0.5 * nu)
}

fn log_dirichlet(weights: &[f64], alpha: &[f64]) -> f64 {
    ln_gamma(alpha.iter().sum())
        + weights
            .iter()
            .zip(alpha)
            .map(|(p, a)| (a - 1.0) * p.ln() - ln_gamma(*a))
            .sum::<f64>()
}

fn log_q(q: &Posterior, r: &DMatrix<f64>, d: &Draw) -> f64 {
    let alpha: Vec<f64> = q.alpha().iter().copied().collect();
    log_dirichlet(&d.weights, &alpha)
        + (0..alpha.len())
            .map(|k| {
                let (m, beta) = (q.means()[k], q.beta()[k]);
                log_component(d.mu[k], d.lambda[k], m, beta, q.w(k)[0], q.nu()[k])
            })
            .sum::<f64>()
        + d.z.iter().enumerate().map(|(n, &k)| r[(n, k)].ln()).sum::<f64>()
}

fn log_p(prior: &Prior, x: &[f64], d: &Draw) -> f64 {
    let alpha = vec![prior.alpha0; d.weights.len()];
    let (m, beta, w, nu) = (prior.m0[0], prior.beta0, prior.w0[0], prior.nu0);
    log_dirichlet(&d.weights, &alpha)
        + (0..alpha.len())
            .map(|k| log_component(d.mu[k], d.lambda[k], m, beta, w, nu))
            .sum::<f64>()
        + d.z
            .iter()
            .zip(x)
            .map(|(&k, x)| {
                let lambda = d.lambda[k];
                d.weights[k].ln() + 0.5 * (lambda / TAU).ln()
                    - 0.5 * lambda * (x - d.mu[k]).powi(2)
            })
            .sum::<f64>()
}

/// The bound of q̄, straight from its definition with draws of q̄, is that of q and the
/// divergence; it is below the evidence; and the divergence is where it must be.
#[test]
fn relabelled_bound() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let near = [-1.0, -0.6, 0.1, 0.4, 0.9, 1.5];
    let apart = [-50.0, -49.0, -48.5, 49.0, 49.5, 51.0];
    for (x, alpha0, empty, distinct) in
        [(near, 1.0, false, 6.0_f64), (near, 1.0, true, 6.0), (apart, 1.5, true, 6.0)]
    {
        let prior = line_prior(alpha0);
        let points = DMatrix::from_column_slice(6, 1, &x);
        // Soft shares, the best for no q; or two groups, and no point for the third.
        let r = DMatrix::from_fn(6, 3, |n, k| match (empty, k) {
            (false, k) => [[0.6, 0.1], [0.3, 0.3], [0.1, 0.6]][k][usize::from(n > 2)],
            (true, 2) => 0.0,
            (true, k) => f64::from(u8::from((n > 2) == (k == 1))),
        });
        let q = Posterior::from_responsibilities(&prior, &points, &r).unwrap();
        let bound = q.elbo_with(&points, &r).unwrap();
        let log_bar = |d: &Draw| -> f64 {
            let each = orders.map(|order| log_q(&q, &r, &renamed(d, &order)));
            log_sum_exp(&each) - 6.0_f64.ln()
        };
        let mut rng = rng(1603);
        let (mut gains, mut direct) = (Vec::new(), Vec::new());
        for i in 0..4000 {
            let d = draw(&q, &r, &mut rng);
            gains.push(log_q(&q, &r, &d) - log_bar(&d));
            let d = renamed(&draw(&q, &r, &mut rng), &orders[i % 6]);
            direct.push(log_p(&prior, &x, &d) - log_bar(&d));
        }
        let (gain, error) = mean_and_error(&gains);
        let (value, other) = mean_and_error(&direct);
        let difference = (bound + gain - value).abs();
        assert!(
            difference < 5.0 * (error + other) + 1e-9,
            "{difference} {error} {other}"
        );
        let all: Vec<f64> =
            labellings(6, 3).map(|z| plain_log_joint(&prior, &x, &z, 3)).collect();
        assert!(bound + gain < log_sum_exp(&all) + 5.0 * error + 1e-9);
        assert!(gain > 0.0 && gain < distinct.ln() + 1e-12, "{gain}");
        if x == apart {
            assert_relative_eq!(gain, distinct.ln(), epsilon = 1e-6);
        }
    }
    // Two of three alike: three namings are different, not six.
    let prior = line_prior(1.0);
    let points = DMatrix::from_column_slice(6, 1, &near);
    let r = DMatrix::from_fn(6, 3, |_, k| if k == 0 { 1.0 } else { 0.0 });
    let q = Posterior::from_responsibilities(&prior, &points, &r).unwrap();
    let mut rng = rng_stream(1603, 1);
    for _ in 0..100 {
        let d = draw(&q, &r, &mut rng);
        let each = orders.map(|order| log_q(&q, &r, &renamed(&d, &order)));
        let gain = log_q(&q, &r, &d) - log_sum_exp(&each) + 6.0_f64.ln();
        assert_relative_eq!(gain, 3.0_f64.ln(), epsilon = 1e-10); // 3!/2!
    }
}

/// Every labelling of six points, sorted by the division that it makes.
#[test]
fn division_evidence() {
    let x = [-1.2, 0.3, 0.5, 2.0, 2.2, -0.7];
    let points = DMatrix::from_column_slice(6, 1, &x);
    for (alpha0, k) in [(0.2, 2_usize), (1.3, 3), (0.05, 4)] {
        let prior = line_prior(alpha0);
        let mut divisions: BTreeMap<Vec<usize>, Vec<f64>> = BTreeMap::new();
        for z in labellings(6, k) {
            // Groups numbered in the order of their first points.
            let mut seen: Vec<usize> = Vec::new();
            let groups = z.iter().map(|label| {
                seen.iter().position(|s| s == label).unwrap_or_else(|| {
                    seen.push(*label);
                    seen.len() - 1
                })
            });
            let groups = groups.collect();
            let log_joint = plain_log_joint(&prior, &x, &z, k);
            divisions.entry(groups).or_default().push(log_joint);
        }
        for (groups, log_joints) in divisions {
            let empty = k - 1 - groups.iter().max().unwrap();
            let r =
                DMatrix::from_fn(6, k, |n, k| f64::from(u8::from(groups[n] == k)));
            let q = Posterior::from_responsibilities(&prior, &points, &r).unwrap();
            let namings = ln_gamma(k as f64 + 1.0) - ln_gamma(empty as f64 + 1.0);
            let bound = q.elbo_with(&points, &r).unwrap() + namings;
            assert_relative_eq!(bound, log_sum_exp(&log_joints), epsilon = 1e-9);
        }
    }
}
