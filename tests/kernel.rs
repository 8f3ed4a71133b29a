//! The kernel against the formulas, at all the sizes where its blocks, vectors and tiles end.

mod common;

use approx::assert_relative_eq;
use common::{plain_log_density, points, random_covariance};
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{Covariance, GaussianMixture, e_step};

fn mixture(k: usize, d: usize, shape: Covariance, rng: &mut Rng) -> GaussianMixture {
    let weights = DVector::from_fn(k, |_, _| rng.random_range(0.2..1.0));
    let means =
        DMatrix::from_fn(k, d, |_, _| 2.0 * rng.sample::<f64, _>(StandardNormal));
    let covariances = (0..k)
        .map(|_| match shape {
            Covariance::Diagonal => DMatrix::from_fn(d, d, |i, j| {
                if i == j { rng.random_range(0.3..2.0) } else { 0.0 }
            }),
            _ => random_covariance(d, rng),
        })
        .collect();
    GaussianMixture::with_shape(&weights / weights.sum(), means, covariances, shape)
        .unwrap()
}

/// Count, sum and squares about zero.
type Sums = (f64, DVector<f64>, DMatrix<f64>);

/// The sums of each component, and the log likelihood, as the formulas stand.
fn plain(
    m: &GaussianMixture,
    x: &DMatrix<f64>,
    w: &DVector<f64>,
) -> (Vec<Sums>, f64) {
    let d = m.dimension();
    let mut sums =
        vec![(0.0, DVector::zeros(d), DMatrix::zeros(d, d)); m.component_count()];
    let mut total = 0.0;
    for (x, w) in points(x).iter().zip(w) {
        let scores: Vec<f64> = (0..m.component_count())
            .map(|k| {
                let mean = m.means().row(k).transpose();
                m.weights()[k].ln() + plain_log_density(x, &mean, m.covariance(k))
            })
            .collect();
        let largest = scores.iter().fold(f64::MIN, |a, b| a.max(*b));
        let sum: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
        let log = largest + sum.ln();
        total += w * log;
        for (sums, score) in sums.iter_mut().zip(scores) {
            let r = w * (score - log).exp();
            sums.0 += r;
            sums.1 += r * x;
            sums.2 += r * x * x.transpose();
        }
    }
    (sums, total)
}

#[test]
fn an_e_step_is_its_formulas_at_every_size() {
    let mut rng = rng(71);
    for (n, d, k) in [
        (1, 1, 1),
        (7, 1, 2),
        (8, 2, 3),
        (9, 3, 1),
        (255, 2, 2),
        (257, 4, 3),
        (2047, 3, 2),
        (2049, 5, 2),
        (4097, 1, 3),
        (300, 9, 20),
        (70, 33, 16),
    ] {
        for shape in [Covariance::Full, Covariance::Diagonal] {
            let m = mixture(k, d, shape, &mut rng);
            let (x, _) = m.sample(n, &mut rng);
            let mut w = DVector::from_fn(n, |_, _| rng.random_range(0.0..2.0));
            w[n / 2] = if n > 1 { 0.0 } else { 1.0 };
            let found = e_step(&m, &x, Some(w.as_view())).unwrap();
            let (sums, total) = plain(&m, &x, &w);
            assert_relative_eq!(found.log_likelihood(), total, max_relative = 1e-12);
            for (moments, (count, first, second)) in
                found.components().iter().zip(sums)
            {
                assert_relative_eq!(
                    moments.count(),
                    count,
                    max_relative = 1e-12,
                    epsilon = 1e-12
                );
                let mean = moments.mean().unwrap();
                assert_relative_eq!(mean, &first / count, epsilon = 1e-11);
                let scatter = second - &first * first.transpose() / count;
                let close = |i: usize, j: usize| {
                    let (a, b) = (moments.scatter()[(i, j)], scatter[(i, j)]);
                    assert!((a - b).abs() < 1e-10 * n as f64, "{n} {d} {k}: {a} {b}");
                };
                (0..d).for_each(|i| close(i, i));
                if shape == Covariance::Full {
                    (0..d).for_each(|i| (0..i).for_each(|j| close(i, j)));
                }
            }
            let r = m.responsibilities(&x).unwrap();
            let l = m.log_density(&x).unwrap();
            assert!(r.row_iter().all(|row| (row.sum() - 1.0).abs() < 1e-14));
            assert_relative_eq!(l.dot(&w), total, max_relative = 1e-12);
        }
    }
}

/// A covariance of this size, whose axes differ by up to `condition`.
fn thin(d: usize, size: f64, condition: f64, rng: &mut Rng) -> DMatrix<f64> {
    let random = DMatrix::<f64>::from_fn(d, d, |_, _| rng.sample(StandardNormal));
    let axes = random.qr().q();
    let lengths = DVector::from_fn(d, |_, _| condition.powf(-rng.random::<f64>()));
    let sigma = &axes * DMatrix::from_diagonal(&(lengths * size)) * axes.transpose();
    (&sigma + sigma.transpose()) / 2.0
}

/// Mixtures of all sizes, far from zero, with thin covariances and, at times, all points in a small
/// place far out; many have no weight, whole blocks among them. The errors are 1e-12 of the sizes, or as
/// much as the worst condition costs.
#[test]
fn an_e_step_keeps_its_digits() {
    let mut rng = rng(73);
    for case in 0..150 {
        let n = [1, 31, 33, 257, 700, 2049][rng.random_range(0..6)];
        let d = rng.random_range(1..if n < 300 { 20 } else { 6 });
        let k = rng.random_range(1..6);
        let condition = 10_f64.powf(rng.random_range(0.0..8.0));
        let size = 10_f64.powi(rng.random_range(-20..20));
        let offset = size.sqrt() * [0.0, 1e4, 1e8][rng.random_range(0..3)];
        let mut normal = |scale: f64| scale * rng.sample::<f64, _>(StandardNormal);
        let apart = normal(50.0);
        let means =
            DMatrix::from_fn(k, d, |_, _| offset + normal(apart) * size.sqrt());
        // In every third case all points are in a small place, far out.
        let (away, spread) = [(0.0, 1.0), (0.0, 20.0), (1e3, 1e-3)][case % 3];
        let x = DMatrix::from_fn(n, d, |n, j| {
            let from = if away == 0.0 { means[(n % k, j)] } else { offset };
            from + (away + normal(spread)) * size.sqrt()
        });
        let weights = DVector::from_fn(k, |_, _| rng.random_range(0.01..1.0));
        let weights = &weights / weights.sum();
        let sigmas: Vec<DMatrix<f64>> =
            (0..k).map(|_| thin(d, size, condition, &mut rng)).collect();
        let m = GaussianMixture::new(weights, means, sigmas).unwrap();
        let mut w = DVector::from_fn(n, |_, _| {
            if rng.random_bool(0.2) { 0.0 } else { rng.random_range(0.1..2.0) }
        });
        w.rows_mut(0, n / 2).fill(0.0);
        w[n - 1] = 1.0;

        let allowed = 1e-12_f64.max(1e-16 * condition);
        let found = e_step(&m, &x, Some(w.as_view())).unwrap();
        let roots: Vec<_> =
            (0..k).map(|k| m.covariance(k).clone().cholesky().unwrap()).collect();
        let log_density = |x: &DVector<f64>| {
            let scores = roots.iter().enumerate().map(|(k, root)| {
                let residual = x - m.means().row(k).transpose();
                let squared = residual.dot(&root.solve(&residual));
                let constant = d as f64 * std::f64::consts::TAU.ln();
                m.weights()[k].ln()
                    - 0.5 * (squared + root.ln_determinant() + constant)
            });
            let scores: Vec<f64> = scores.collect();
            let largest = scores.iter().fold(f64::MIN, |a, b| a.max(*b));
            largest + scores.iter().map(|s| (s - largest).exp()).sum::<f64>().ln()
        };
        let rows = points(&x);
        let total: f64 = rows.iter().zip(&w).map(|(x, w)| w * log_density(x)).sum();
        let error = (found.log_likelihood() - total).abs();
        assert!(error < allowed * found.magnitude(), "{n} {d} {k} {condition:e}");

        let r = m.responsibilities(&x).unwrap();
        for (k, moments) in found.components().iter().enumerate() {
            let shares = r.column(k).component_mul(&w);
            let count = shares.sum();
            assert_relative_eq!(moments.count(), count, max_relative = 1e-13);
            if count < 1e-9 {
                continue;
            }
            let sum = |of: &dyn Fn(&DVector<f64>) -> DMatrix<f64>| {
                let each = rows.iter().zip(&shares).map(|(x, r)| of(x) * *r);
                each.reduce(|a, b| a + b).unwrap() / count
            };
            let near = &rows[n - 1];
            let shift = sum(&|x| DMatrix::from_columns(&[x - near]));
            let mean = near + shift.column(0);
            let scatter = sum(&|x| {
                let residual = x - near - shift.column(0);
                &residual * residual.transpose()
            });
            let extent = scatter.diagonal().max().sqrt();
            let last_place = 1e-15 * mean.amax();
            let error = (moments.mean().unwrap() - &mean).amax();
            assert!(error < allowed * extent + last_place, "{n} {d} {condition:e}");
            let error = (moments.covariance().unwrap() - &scatter).amax();
            let rounded = last_place * (extent + last_place);
            assert!(
                error < allowed * extent.powi(2) + rounded,
                "{n} {d} {condition:e}"
            );
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let mut rng = rng(72);
    for (n, d, k) in [(50_001, 2, 3), (9_000, 16, 5), (20_000, 3, 30)] {
        let m = mixture(k, d, Covariance::Full, &mut rng);
        let (x, _) = m.sample(n, &mut rng);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| e_step(&m, &x, None).unwrap().flatten())
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            let other = run(threads);
            assert!(one.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
