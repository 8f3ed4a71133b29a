use std::cell::Cell;
use std::f64::consts::LN_2;
use std::ops::{Add, Mul, Sub};

use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{Cholesky, DMatrix, DVector};
use mixtures::rand::RngExt;

use crate::common::*;

thread_local! {
    static OPERATIONS: Cell<usize> = const { Cell::new(0) };
}

/// A number that counts what is done with it.
#[derive(Clone, Copy)]
struct Counted(f64);

fn counted(value: f64) -> Counted {
    OPERATIONS.set(OPERATIONS.get() + 1);
    Counted(value)
}

impl Add for Counted {
    type Output = Counted;
    fn add(self, other: Counted) -> Counted {
        counted(self.0 + other.0)
    }
}

impl Sub for Counted {
    type Output = Counted;
    fn sub(self, other: Counted) -> Counted {
        counted(self.0 - other.0)
    }
}

impl Mul for Counted {
    type Output = Counted;
    fn mul(self, other: Counted) -> Counted {
        counted(self.0 * other.0)
    }
}

fn operations_of(work: impl FnOnce()) -> usize {
    OPERATIONS.set(0);
    work();
    OPERATIONS.get()
}

#[test]
fn operations_of_an_e_step() {
    for d in [1, 2, 3, 8, 16] {
        let (zero, one) = (Counted(0.0), Counted(1.0));
        let (x, mean, r) = (vec![one; d], vec![one; d], one);
        let matrix = vec![vec![one; d]; d];
        let sum = |terms: Vec<Counted>| terms.into_iter().fold(zero, |s, t| s + t);
        let product = |row: &[Counted], v: &[Counted]| {
            sum(row.iter().zip(v).map(|(a, b)| *a * *b).collect())
        };
        let residual = || -> Vec<Counted> {
            x.iter().zip(&mean).map(|(x, m)| *x - *m).collect()
        };
        let plain = operations_of(|| {
            let v = residual();
            let lambda_v: Vec<Counted> =
                matrix.iter().map(|row| product(row, &v)).collect();
            let _score = zero - one * product(&v, &lambda_v);
            let _count = zero + r;
            let _mean: Vec<Counted> = x.iter().map(|x| zero + r * *x).collect();
            let v = residual(); // about the new mean
            for v_i in &v {
                let rv = r * *v_i;
                for v_j in &v {
                    let _scatter = zero + rv * *v_j;
                }
            }
        });
        assert_eq!(plain, 4 * d * d + 7 * d + 3);
        let triangular = operations_of(|| {
            let v = residual();
            let y: Vec<Counted> =
                (0..d).map(|i| product(&matrix[i][..=i], &v[..=i])).collect();
            let _score = zero - one * product(&y, &y);
            let _count = zero + r;
            for i in 0..d {
                let ry = r * y[i];
                let _first = zero + ry;
                for y_j in &y[..=i] {
                    let _second = zero + ry * *y_j;
                }
            }
        });
        assert_eq!(triangular, 2 * d * d + 7 * d + 3);
    }
}

#[test]
fn whitened_sums() {
    let mut rng = rng(201);
    for d in [1, 2, 5] {
        let l = Cholesky::new(random_covariance(d, &mut rng)).unwrap().l();
        let inverse = l.clone().try_inverse().unwrap();
        let mean = noise(d, &mut rng);
        let zeros = || (DVector::zeros(d), DMatrix::zeros(d, d));
        let ((mut s, mut t), (mut first, mut second)) = (zeros(), zeros());
        for _ in 0..50 {
            let (x, r) = (noise(d, &mut rng), rng.random_range(0.0..1.0));
            let v = &x - &mean;
            let y = &inverse * &v;
            s += &v * r;
            t += &v * v.transpose() * r;
            first += &y * r;
            second += &y * y.transpose() * r;
        }
        assert_relative_eq!(&l * first, s, epsilon = 1e-12);
        assert_relative_eq!(&l * second * l.transpose(), t, epsilon = 1e-12);
    }
}

#[test]
fn log_sum_exp_bounds() {
    let mut rng = rng(202);
    for k in [1, 2, 3, 20] {
        for spread in [0.0, 1.0, 30.0] {
            let v: Vec<f64> =
                (0..k).map(|_| spread * rng.random_range(-1.0..1.0)).collect();
            let largest = v.iter().copied().fold(f64::MIN, f64::max);
            let shifted: f64 = v.iter().map(|v| (v - largest).exp()).sum();
            assert!((1.0..=k as f64).contains(&shifted));
            let plain = v.iter().map(|v| v.exp()).sum::<f64>().ln();
            assert!(plain >= largest - 1e-12);
            assert!(plain <= largest + (k as f64).ln() + 1e-12);
            if spread == 0.0 {
                assert_relative_eq!(shifted, k as f64);
            }
        }
    }
}

#[test]
fn exp_by_a_series() {
    for i in 0..=2000 {
        let x = -700.0 * i as f64 / 2000.0;
        let n = (x / LN_2).round();
        let t = x - n * LN_2;
        assert!(t.abs() <= 0.5 * LN_2 * (1.0 + 1e-12));
        assert_relative_eq!(
            2.0_f64.powi(n as i32) * t.exp(),
            x.exp(),
            max_relative = 1e-12
        );
        // What is left out after m terms is the rest of the series.
        let mut term = 1.0;
        for m in 1..15 {
            term *= t / m as f64;
            let (mut rest, mut power) = (0.0, term);
            for i in m + 1..m + 20 {
                rest += power;
                power *= t / i as f64;
            }
            let bound =
                2.0_f64.sqrt() * (1..=m).fold(1.0, |b, i| b * 0.5 * LN_2 / i as f64);
            assert!(rest.abs() <= bound * t.exp() * (1.0 + 1e-9), "{t} {m}");
        }
    }
    // Fourteen terms: below 2⁻⁵⁷, and for the worst t not far below.
    let t: f64 = -0.5 * LN_2;
    let first = (1..=14).fold(1.0, |b, i| b * t / i as f64);
    let bound = 2.0_f64.sqrt() * first;
    assert!(bound < 2.0_f64.powi(-57));
    let rest = first * (1.0 + t / 15.0 * (1.0 + t / 16.0));
    assert!(rest / t.exp() > 0.97 * bound);
}

/// Adds up along a random binary tree: the sum, and its longest chain of additions.
fn along_a_tree(values: &[f64], rng: &mut mixtures::math::Rng) -> (f64, usize) {
    if let [value] = values {
        return (*value, 0);
    }
    let (left, right) = values.split_at(rng.random_range(1..values.len()));
    let (a, b) = (along_a_tree(left, rng), along_a_tree(right, rng));
    (a.0 + b.0, 1 + a.1.max(b.1))
}

#[test]
fn error_of_a_sum() {
    let mut rng = rng(203);
    let unit = 2.0_f64.powi(-53);
    let gamma = |h: usize| h as f64 * unit / (1.0 - h as f64 * unit);
    for _ in 0..200 {
        // Whole multiples of 2⁻⁴⁰, whose sum is known exactly.
        let whole: Vec<i64> =
            (0..300).map(|_| rng.random_range(-(1_i64 << 52)..1 << 52)).collect();
        let values: Vec<f64> =
            whole.iter().map(|w| *w as f64 / 2.0_f64.powi(40)).collect();
        let (sum, h) = along_a_tree(&values, &mut rng);
        let exact: i128 = whole.iter().map(|w| i128::from(*w)).sum();
        let scaled = sum * 2.0_f64.powi(40);
        let error = (scaled as i128 - exact) as f64 + scaled.fract();
        let size: f64 = whole.iter().map(|w| w.abs() as f64).sum();
        assert!(error.abs() <= gamma(h) * size, "{error} {h}");
    }
    // One after the other it can come close: 1, and then terms that are rounded away.
    let n = 100_000;
    let sum = (0..n).fold(1.0, |s, _| s + unit);
    let error = n as f64 * unit;
    assert_eq!(sum, 1.0);
    let bound = gamma(n) * (1.0 + error);
    assert!((0.99 * bound..=bound).contains(&error));
}
