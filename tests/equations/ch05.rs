use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::{Em, GaussianMixture, Start, data};

use crate::common::*;

fn distribution(k: usize, rng: &mut Rng) -> DVector<f64> {
    let raw = DVector::from_fn(k, |_, _| rng.random_range(0.05..1.0));
    &raw / raw.sum()
}

fn kl(q: &DVector<f64>, p: &DVector<f64>) -> f64 {
    q.iter().zip(p).map(|(q, p)| q * (q / p).ln()).sum()
}

#[test]
fn jensen() {
    let mut rng = rng(51);
    for _ in 0..1000 {
        let q = distribution(4, &mut rng);
        let a = DVector::from_fn(4, |_, _| rng.random_range(0.1..10.0_f64));
        let average_of_logs: f64 = q.iter().zip(&a).map(|(q, a)| q * a.ln()).sum();
        assert!(average_of_logs < q.dot(&a).ln());
        let same: f64 = q.iter().map(|q| q * 3.0_f64.ln()).sum();
        assert_relative_eq!(same, 3.0_f64.ln(), max_relative = 1e-14);
    }
}

#[test]
fn kl_nonnegative() {
    let mut rng = rng(52);
    for _ in 0..1000 {
        let (q, p) = (distribution(5, &mut rng), distribution(5, &mut rng));
        assert!(kl(&q, &p) > 0.0);
        assert_eq!(kl(&q, &q), 0.0);
    }
}

/// Some of the notebook's points, a mixture, and distributions of the labels that are
/// not its responsibilities.
struct Problem {
    x: DMatrix<f64>,
    m: GaussianMixture,
    q: DMatrix<f64>,
}

impl Problem {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let x = data::notebook().rows(0, 80).into_owned();
        let q = DMatrix::from_rows(
            &(0..80)
                .map(|_| distribution(3, &mut rng).transpose())
                .collect::<Vec<_>>(),
        );
        Problem { m: mixture_from(&random_parameters(&mut rng)), x, q }
    }
}

/// 17 numbers: ln weights up to a constant (3), means (6), and the entries of
/// Cholesky factors with the logarithms of their diagonals (9). (One of the three log
/// weights is redundant.)
fn random_parameters(rng: &mut Rng) -> DVector<f64> {
    let mut p = noise(18, rng) * 0.3;
    for (i, v) in [-3.0, 2.0, 3.0, 1.0, 4.0, 2.0].into_iter().enumerate() {
        p[3 + i] += v;
    }
    p
}

fn mixture_from(p: &DVector<f64>) -> GaussianMixture {
    let weights = p.rows(0, 3).map(f64::exp);
    let covariances = (0..3)
        .map(|k| {
            let l =
                dmatrix![p[9 + 3 * k].exp(), 0.0; p[10 + 3 * k], p[11 + 3 * k].exp()];
            &l * l.transpose()
        })
        .collect();
    let means = DMatrix::from_row_slice(3, 2, p.rows(3, 6).as_slice());
    GaussianMixture::new(&weights / weights.sum(), means, covariances).unwrap()
}

fn log_joint(m: &GaussianMixture, x: &DMatrix<f64>, n: usize, k: usize) -> f64 {
    let mean = m.means().row(k).transpose();
    m.weights()[k].ln()
        + plain_log_density(&x.row(n).transpose(), &mean, m.covariance(k))
}

/// F(q, θ), term by term.
fn bound(q: &DMatrix<f64>, m: &GaussianMixture, x: &DMatrix<f64>) -> f64 {
    (0..x.nrows())
        .flat_map(|n| (0..q.ncols()).map(move |k| (n, k)))
        .filter(|&(n, k)| q[(n, k)] > 0.0)
        .map(|(n, k)| q[(n, k)] * (log_joint(m, x, n, k) - q[(n, k)].ln()))
        .sum()
}

fn plain_log_likelihood(m: &GaussianMixture, x: &DMatrix<f64>) -> f64 {
    (0..x.nrows())
        .map(|n| {
            (0..m.weights().len())
                .map(|k| log_joint(m, x, n, k).exp())
                .sum::<f64>()
                .ln()
        })
        .sum()
}

/// Σₙ KL(qₙ ‖ rₙ), with r from Bayes' rule under m, in logarithms throughout.
fn total_kl(q: &DMatrix<f64>, m: &GaussianMixture, x: &DMatrix<f64>) -> f64 {
    (0..x.nrows())
        .map(|n| {
            let row: Vec<f64> = q.row(n).iter().copied().collect();
            let joint: Vec<f64> =
                (0..q.ncols()).map(|k| log_joint(m, x, n, k)).collect();
            let largest = joint.iter().copied().fold(f64::MIN, f64::max);
            let evidence =
                largest + joint.iter().map(|j| (j - largest).exp()).sum::<f64>().ln();
            let terms = joint.iter().zip(&row).filter(|(_, q)| **q > 0.0);
            terms.map(|(j, q)| q * (q.ln() - (j - evidence))).sum::<f64>()
        })
        .sum()
}

#[test]
fn lower_bound() {
    for seed in 530..540 {
        let Problem { x, m, q } = Problem::new(seed);
        let log_likelihood = m.log_density(&x).unwrap().sum();
        assert!(bound(&q, &m, &x) < log_likelihood);
        let r = m.responsibilities(&x).unwrap();
        assert_relative_eq!(bound(&r, &m, &x), log_likelihood, max_relative = 1e-12);
    }
}

#[test]
fn gap_is_kl() {
    for seed in 540..545 {
        let Problem { x, m, q } = Problem::new(seed);
        let gap = m.log_density(&x).unwrap().sum() - bound(&q, &m, &x);
        assert_relative_eq!(gap, total_kl(&q, &m, &x), max_relative = 1e-10);
    }
}

/// The closed form beats ten thousand mixtures nearby, and F is stationary there.
#[test]
fn m_step_maximises() {
    let mut rng = rng(55);
    let Problem { x, q, .. } = Problem::new(550);
    let counts = q.row_sum().transpose();
    let means =
        DMatrix::from_fn(3, 2, |k, j| q.column(k).dot(&x.column(j)) / counts[k]);
    let covariances: Vec<DMatrix<f64>> = (0..3)
        .map(|k| {
            let terms = (0..x.nrows()).map(|n| {
                let v = (x.row(n) - means.row(k)).transpose();
                &v * v.transpose() * (q[(n, k)] / counts[k])
            });
            terms.sum()
        })
        .collect();
    let best = GaussianMixture::new(
        &counts / counts.sum(),
        means.clone(),
        covariances.clone(),
    )
    .unwrap();
    let mut at = DVector::zeros(18);
    for k in 0..3 {
        at[k] = best.weights()[k].ln();
        at[3 + 2 * k] = means[(k, 0)];
        at[4 + 2 * k] = means[(k, 1)];
        let l = covariances[k].clone().cholesky().unwrap().l();
        at[9 + 3 * k] = l[(0, 0)].ln();
        at[10 + 3 * k] = l[(1, 0)];
        at[11 + 3 * k] = l[(1, 1)].ln();
    }
    let slope = gradient(|p| bound(&q, &mixture_from(p), &x), &at);
    assert!(slope.amax() < 1e-6, "{slope}");
    let highest = bound(&q, &best, &x);
    for trial in 0..10_000 {
        let step = noise(18, &mut rng) * 10.0_f64.powi(-(trial % 3));
        assert!(bound(&q, &mixture_from(&(&at + step)), &x) < highest);
    }
}

#[test]
fn bound_touches() {
    let mut rng = rng(56);
    let x = data::notebook().rows(0, 80).into_owned();
    let at = random_parameters(&mut rng);
    let r = mixture_from(&at).responsibilities(&x).unwrap();
    let touch = bound(&r, &mixture_from(&at), &x);
    assert_relative_eq!(
        touch,
        plain_log_likelihood(&mixture_from(&at), &x),
        max_relative = 1e-12
    );
    let of_bound = gradient(|p| bound(&r, &mixture_from(p), &x), &at);
    let of_likelihood = gradient(|p| plain_log_likelihood(&mixture_from(p), &x), &at);
    assert_relative_eq!(
        of_bound,
        of_likelihood,
        epsilon = 1e-6 * of_likelihood.amax()
    );
}

/// The library's gain is the rise of the bound and the divergence, each computed by
/// itself.
#[test]
fn em_climbs() {
    let Problem { x, m, .. } = Problem::new(570);
    let mut before = m;
    for _ in 0..10 {
        let em = Em::new(3)
            .start(Start::Given(before.clone()))
            .max_iterations(1)
            .tolerance(0.0);
        let fit = em.fit(&x).unwrap();
        let after = fit.mixture;
        let r = before.responsibilities(&x).unwrap();
        let rise = bound(&r, &after, &x) - bound(&r, &before, &x);
        let bonus = total_kl(&r, &after, &x);
        assert!(rise > -1e-10 && bonus > -1e-10, "{rise} {bonus}");
        assert_relative_eq!(
            fit.trace[1] - fit.trace[0],
            rise + bonus,
            epsilon = 1e-10
        );
        before = after;
    }
}

/// Points of two standard normals at ±1, and their log likelihood as a function of μ.
fn two_means() -> Vec<f64> {
    let mut rng = rng(58);
    (0..300)
        .map(|n| noise(1, &mut rng)[0] + if n % 2 == 0 { 1.0 } else { -1.0 })
        .collect()
}

fn two_means_log_likelihood(x: &[f64], mu: f64) -> f64 {
    let bell = |v: f64| (-0.5 * v * v).exp() / std::f64::consts::TAU.sqrt();
    x.iter().map(|x| (0.5 * bell(x - mu) + 0.5 * bell(x + mu)).ln()).sum()
}

fn tanh_update(x: &[f64], mu: f64) -> f64 {
    x.iter().map(|x| x * (mu * x).tanh()).sum::<f64>() / x.len() as f64
}

/// The formula maximises the bound that is made with Bayes' rule, over a fine grid.
#[test]
fn two_means_update() {
    let x = two_means();
    let rows = DMatrix::from_column_slice(x.len(), 1, &x);
    let model = |mu: f64| {
        GaussianMixture::new(
            dvector![0.5, 0.5],
            dmatrix![-mu; mu],
            vec![dmatrix![1.0]; 2],
        )
        .unwrap()
    };
    for start in [0.2, 0.7, 2.5] {
        let r = model(start).responsibilities(&rows).unwrap();
        let grid = (0..3000).map(|i| f64::from(i) / 1000.0);
        let height = |mu: f64| bound(&r, &model(mu), &rows);
        let top = grid.max_by(|a, b| height(*a).total_cmp(&height(*b))).unwrap();
        assert!((top - tanh_update(&x, start)).abs() <= 0.6e-3);
    }
}

/// The matrix of second derivatives of f by central differences.
fn hessian(f: impl Fn(&DVector<f64>) -> f64, at: &DVector<f64>) -> DMatrix<f64> {
    let rows: Vec<_> = (0..at.len())
        .map(|i| {
            let slope = |p: &DVector<f64>| gradient(|p| f(p), p)[i];
            gradient(slope, at).transpose()
        })
        .collect();
    DMatrix::from_rows(&rows)
}

/// The Jacobian of an update of two means (weights and variances known), against the
/// curvatures of the bound and of the log likelihood.
#[test]
fn missing_information() {
    let x = two_means();
    let rows = DMatrix::from_column_slice(x.len(), 1, &x);
    let model = |p: &DVector<f64>| {
        GaussianMixture::new(
            dvector![0.3, 0.7],
            dmatrix![p[0]; p[1]],
            vec![dmatrix![1.0], dmatrix![1.5]],
        )
        .unwrap()
    };
    let update = |p: &DVector<f64>| {
        let r = model(p).responsibilities(&rows).unwrap();
        DVector::from_fn(2, |k, _| {
            r.column(k).dot(&rows.column(0)) / r.column(k).sum()
        })
    };
    let peak = (0..5000).fold(dvector![-1.0, 1.0], |p, _| update(&p));
    let r = model(&peak).responsibilities(&rows).unwrap();
    let complete = -hessian(|p| bound(&r, &model(p), &rows), &peak);
    let observed = -hessian(|p| plain_log_likelihood(&model(p), &rows), &peak);
    let formula =
        DMatrix::identity(2, 2) - complete.try_inverse().unwrap() * observed;
    let jacobian = DMatrix::from_rows(&[
        gradient(|p| update(p)[0], &peak).transpose(),
        gradient(|p| update(p)[1], &peak).transpose(),
    ]);
    assert_relative_eq!(jacobian, formula, epsilon = 1e-5);
    assert!(
        jacobian
            .complex_eigenvalues()
            .iter()
            .all(|l| l.im.abs() < 1e-9 && l.re > 0.0 && l.re < 1.0)
    );
}

/// The rate is the mean of x²/cosh²(μx); errors fall by it and gaps by its square.
#[test]
fn linear_rate() {
    let x = two_means();
    let peak = (0..5000).fold(1.0, |mu, _| tanh_update(&x, mu));
    let rate = x.iter().map(|x| (x / (peak * x).cosh()).powi(2)).sum::<f64>()
        / x.len() as f64;
    let slope = gradient(|p| tanh_update(&x, p[0]), &dvector![peak])[0];
    assert_relative_eq!(rate, slope, max_relative = 1e-8);
    let before = peak + 1e-3;
    let after = tanh_update(&x, before);
    assert_relative_eq!((after - peak) / (before - peak), rate, max_relative = 1e-2);
    let gap = |mu: f64| {
        two_means_log_likelihood(&x, peak) - two_means_log_likelihood(&x, mu)
    };
    assert_relative_eq!(gap(after) / gap(before), rate * rate, max_relative = 1e-2);
}

#[test]
fn remaining_gain() {
    let x = two_means();
    let path: Vec<f64> =
        std::iter::successors(Some(2.0), |mu| Some(tanh_update(&x, *mu)))
            .take(400)
            .collect();
    let l: Vec<f64> =
        path.iter().map(|mu| two_means_log_likelihood(&x, *mu)).collect();
    let t = (2..400).find(|&t| l[t] - l[t - 1] < 1e-3).unwrap();
    let rho = (l[t] - l[t - 1]) / (l[t - 1] - l[t - 2]);
    let guessed = (l[t] - l[t - 1]) * rho / (1.0 - rho);
    assert_relative_eq!(guessed, l[399] - l[t], max_relative = 0.05);
}
