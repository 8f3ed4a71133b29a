use approx::assert_relative_eq;
use mixtures::Moments;
use mixtures::math::{Rng, Sum, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;

use crate::common::*;

type Weighted = Vec<(DVector<f64>, f64)>;

fn weighted(n: usize, d: usize, rng: &mut Rng) -> Weighted {
    let centre = noise(d, rng) * 3.0;
    (0..n).map(|_| (&centre + noise(d, rng), rng.random_range(0.0..2.0))).collect()
}

fn gather(points: &Weighted, centre: &DVector<f64>) -> Moments {
    let mut moments = Moments::about(centre.clone());
    for (x, w) in points {
        moments.push(x.transpose().as_view(), *w).unwrap();
    }
    moments
}

/// The definitions, summed as they stand.
fn plain(points: &Weighted, c: &DVector<f64>) -> (f64, DVector<f64>, DMatrix<f64>) {
    let w = points.iter().map(|(_, w)| w).sum();
    let s = points.iter().map(|(x, w)| (x - c) * *w).sum();
    let t = points.iter().map(|(x, w)| (x - c) * (x - c).transpose() * *w).sum();
    (w, s, t)
}

fn plain_mean(points: &Weighted) -> DVector<f64> {
    let zero = DVector::zeros(points[0].0.len());
    let (w, s, _) = plain(points, &zero);
    s / w
}

/// T about the library's centre, from what it says of the scatter.
fn second_moment(moments: &Moments) -> DMatrix<f64> {
    let s = moments.sum();
    moments.scatter() + &s * s.transpose() / moments.count()
}

#[test]
fn moments() {
    let mut rng = rng(21);
    let points = weighted(50, 3, &mut rng);
    let c = noise(3, &mut rng);
    let (w, s, t) = plain(&points, &c);
    let ours = gather(&points, &c);
    assert_relative_eq!(ours.count(), w, max_relative = 1e-14);
    assert_relative_eq!(ours.sum(), s, max_relative = 1e-13);
    assert_relative_eq!(second_moment(&ours), t, max_relative = 1e-12);
}

#[test]
fn mean_and_scatter() {
    let mut rng = rng(22);
    let points = weighted(50, 3, &mut rng);
    let mean = plain_mean(&points);
    let (_, zero, scatter) = plain(&points, &mean);
    assert!(zero.amax() < 1e-12);
    let c = noise(3, &mut rng);
    let (w, s, t) = plain(&points, &c);
    assert_relative_eq!(&c + &s / w, mean, max_relative = 1e-13);
    assert_relative_eq!(t - &s * s.transpose() / w, scatter, max_relative = 1e-11);
    let ours = gather(&points, &c);
    assert_relative_eq!(ours.mean().unwrap(), mean, max_relative = 1e-13);
    assert_relative_eq!(ours.scatter(), scatter, max_relative = 1e-11);
}

#[test]
fn moments_add() {
    let mut rng = rng(23);
    let (a, b) = (weighted(30, 2, &mut rng), weighted(20, 2, &mut rng));
    let c = noise(2, &mut rng);
    let both: Weighted = a.iter().chain(&b).cloned().collect();
    let (w, s, t) = plain(&both, &c);
    let mut ours = gather(&a, &c);
    ours.merge(&gather(&b, &c)).unwrap();
    assert_relative_eq!(ours.count(), w, max_relative = 1e-14);
    assert_relative_eq!(ours.sum(), s, max_relative = 1e-12);
    assert_relative_eq!(second_moment(&ours), t, max_relative = 1e-12);
}

#[test]
fn recentring() {
    let mut rng = rng(24);
    let points = weighted(40, 3, &mut rng);
    let (old, new) = (noise(3, &mut rng), noise(3, &mut rng));
    let (w, s, t) = plain(&points, &old);
    let (_, s_new, t_new) = plain(&points, &new);
    let delta = &old - &new;
    assert_relative_eq!(&s + &delta * w, s_new, epsilon = 1e-11);
    let formula = t
        + &s * delta.transpose()
        + &delta * s.transpose()
        + &delta * delta.transpose() * w;
    assert_relative_eq!(formula, t_new, epsilon = 1e-10);
    // The library moves the centre when it merges into an accumulator with another
    // one.
    let mut moved = Moments::about(new);
    moved.merge(&gather(&points, &old)).unwrap();
    assert_relative_eq!(moved.sum(), s_new, epsilon = 1e-11);
    assert_relative_eq!(second_moment(&moved), t_new, epsilon = 1e-10);
}

#[test]
fn scatter_of_a_union() {
    let mut rng = rng(25);
    let (a, b) = (weighted(30, 2, &mut rng), weighted(20, 2, &mut rng));
    let both: Weighted = a.iter().chain(&b).cloned().collect();
    let scatter = |points: &Weighted| plain(points, &plain_mean(points)).2;
    let (wa, wb) = (plain(&a, &plain_mean(&a)).0, plain(&b, &plain_mean(&b)).0);
    let gap = plain_mean(&a) - plain_mean(&b);
    let formula =
        scatter(&a) + scatter(&b) + &gap * gap.transpose() * (wa * wb / (wa + wb));
    assert_relative_eq!(scatter(&both), formula, epsilon = 1e-10);
    let mut ours = gather(&a, &a[0].0);
    ours.merge(&gather(&b, &b[0].0)).unwrap();
    assert_relative_eq!(ours.scatter(), formula, epsilon = 1e-10);
}

/// Doubles are whole multiples of 2⁻⁶⁰ here, so that 128-bit integers hold every
/// number exactly.
#[test]
fn two_sum() {
    let mut rng = rng(26);
    let whole = |v: f64| (v * 2.0_f64.powi(60)) as i128;
    for _ in 0..100_000 {
        let mut random = || {
            let size = 2.0_f64.powi(rng.random_range(-7..60));
            rng.random_range(-1.0..1.0_f64) * size
        };
        let round = |v: f64| whole(v) as f64 / 2.0_f64.powi(60);
        let (a, b) = (round(random()), round(random()));
        let total = a + b;
        let b_kept = total - a;
        let a_kept = total - b_kept;
        let error = (a - a_kept) + (b - b_kept);
        assert_eq!(whole(a) + whole(b), whole(total) + whole(error), "{a:e} + {b:e}");
        let mut sum = Sum::from(a);
        sum += b;
        assert_eq!(sum.value(), total);
        sum += -total;
        assert_eq!(sum.value(), error);
    }
}
