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
