use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix};
use mixtures::rand::RngExt;
use mixtures::{Em, GaussianMixture, Start, data};

use crate::common::*;

fn cloud(n: usize, d: usize, rng: &mut Rng) -> DMatrix<f64> {
    DMatrix::from_fn(n, d, |_, _| rng.random_range(-3.0..3.0))
}

fn squared(a: &DMatrix<f64>, n: usize, b: &DMatrix<f64>, k: usize) -> f64 {
    (0..a.ncols()).map(|j| (a[(n, j)] - b[(k, j)]).powi(2)).sum()
}

/// Σₙ minₖ ‖xₙ − μₖ‖².
fn distortion(x: &DMatrix<f64>, centres: &DMatrix<f64>) -> f64 {
    let least = |n| {
        (0..centres.nrows())
            .map(|k| squared(x, n, centres, k))
            .fold(f64::INFINITY, f64::min)
    };
    (0..x.nrows()).map(least).sum()
}

/// Components of covariance σ²I.
fn balls(weights: &[f64], centres: &DMatrix<f64>, sigma: f64) -> GaussianMixture {
    let (k, d) = centres.shape();
    GaussianMixture::new(
        DVector::from_column_slice(weights),
        centres.clone(),
        vec![DMatrix::identity(d, d) * sigma * sigma; k],
    )
    .unwrap()
}

/// The start of this kind and seed: a fit without an update.
fn start(x: &DMatrix<f64>, k: usize, kind: Start, seed: u64) -> GaussianMixture {
    Em::new(k).start(kind).seed(seed).max_iterations(0).fit(x).unwrap().mixture
}

#[test]
fn distortion_splits() {
    let mut rng = rng(61);
    for _ in 0..20 {
        let (x, c) = (cloud(30, 3, &mut rng), cloud(1, 3, &mut rng));
        let mean = DMatrix::from_fn(1, 3, |_, j| x.column(j).sum() / 30.0);
        let about =
            |c: &DMatrix<f64>| (0..30).map(|n| squared(&x, n, c, 0)).sum::<f64>();
        let expected = about(&mean) + 30.0 * squared(&mean, 0, &c, 0);
        assert_relative_eq!(about(&c), expected, max_relative = 1e-13);
    }
}

/// One nearest mean takes all; two that tie share in the ratio of their weights.
#[test]
fn hard_limit() {
    let mut rng = rng(62);
    let x = cloud(200, 2, &mut rng);
    let centres = cloud(4, 2, &mut rng);
    let weights = [0.4, 0.3, 0.2, 0.1];
    let r = balls(&weights, &centres, 1e-3).responsibilities(&x).unwrap();
    let soft = balls(&weights, &centres, 1.0).responsibilities(&x).unwrap();
    assert!((0..200).any(|n| soft.row(n).max() < 0.5), "hard from the beginning");
    for n in 0..200 {
        let distances: Vec<f64> =
            (0..4).map(|k| squared(&x, n, &centres, k)).collect();
        let k =
            (0..4).min_by(|a, b| distances[*a].total_cmp(&distances[*b])).unwrap();
        assert!(r[(n, k)] > 1.0 - 1e-12);
    }
    let centres = dmatrix![-1.0, 0.0; 1.0, 0.0; 3.0, 3.0];
    let on_the_border = dmatrix![0.0, 0.5];
    for sigma in [0.5, 0.1, 0.01] {
        let r = balls(&[0.6, 0.3, 0.1], &centres, sigma)
            .responsibilities(&on_the_border)
            .unwrap();
        assert_relative_eq!(r[0] / r[1], 2.0, max_relative = 1e-9);
        assert!(r[2] < 1e-6);
    }
}

/// Both bounds hold at every σ, and both are needed: with all weight on the nearest
/// means the lower one is almost reached, with hardly any there the upper one.
#[test]
fn distortion_limit() {
    let mut rng = rng(63);
    let x = cloud(100, 3, &mut rng);
    let centres = cloud(4, 3, &mut rng);
    let weights = [0.4, 0.3, 0.2, 0.1];
    let scaled = |m: &GaussianMixture, x: &DMatrix<f64>, sigma: f64| {
        let constant =
            0.5 * x.len() as f64 * (std::f64::consts::TAU * sigma * sigma).ln();
        -2.0 * sigma * sigma * (m.log_density(x).unwrap().sum() + constant)
    };
    let j = distortion(&x, &centres);
    for sigma in [3.0, 1.0, 0.3, 0.1, 0.01] {
        let value = scaled(&balls(&weights, &centres, sigma), &x, sigma);
        let slack = 2.0 * sigma * sigma * 100.0 * 10.0_f64.ln();
        assert!(value >= j * (1.0 - 1e-12) && value <= j + slack, "{value} {j}");
    }
    let value = scaled(&balls(&weights, &centres, 1e-4), &x, 1e-4);
    assert_relative_eq!(value, j, max_relative = 1e-6);
    let (here, far) = (dmatrix![0.1; 0.2; -0.3], dmatrix![0.0; 50.0]);
    let j = distortion(&here, &far);
    let most = scaled(&balls(&[0.999, 0.001], &far, 1.0), &here, 1.0);
    assert!((most - j) < 0.01);
    let least = scaled(&balls(&[0.001, 0.999], &far, 1.0), &here, 1.0);
    assert_relative_eq!(least, j + 6.0 * 1000.0_f64.ln(), max_relative = 1e-12);
}

/// Lloyd's rounds on points of a coarse grid, where ties abound, in whole numbers as
/// far as they go: J falls in every round until nothing changes.
#[test]
fn lloyd_descends() {
    let mut rng = rng(64);
    for _ in 0..300 {
        let x = DMatrix::from_fn(12, 2, |_, _| f64::from(rng.random_range(0..4)));
        let mut centres =
            DMatrix::from_fn(4, 2, |_, _| f64::from(rng.random_range(0..4)));
        let (mut last, mut z): (f64, Vec<usize>) = (f64::INFINITY, Vec::new());
        let (mut rounds, mut at_rest) = (0, false);
        loop {
            assert!(distortion(&x, &centres) <= last + 1e-12);
            let next: Vec<usize> = (0..12)
                .map(|n| {
                    // Equal up to rounding is a tie, and the first centre has it.
                    let least = (0..4)
                        .map(|k| squared(&x, n, &centres, k))
                        .fold(f64::INFINITY, f64::min);
                    (0..4)
                        .find(|k| squared(&x, n, &centres, *k) < least + 1e-9)
                        .unwrap()
                })
                .collect();
            if next == z {
                break;
            }
            assert!(!at_rest, "a round without gain is the last that changes labels");
            for k in 0..4 {
                let own: Vec<usize> = (0..12).filter(|n| next[*n] == k).collect();
                for j in 0..2 {
                    let sum: f64 = own.iter().map(|n| x[(*n, j)]).sum();
                    if !own.is_empty() {
                        centres[(k, j)] = sum / own.len() as f64;
                    }
                }
            }
            let now: f64 = (0..12).map(|n| squared(&x, n, &centres, next[n])).sum();
            at_rest = now > last - 1e-9;
            (last, z, rounds) = (now, next, rounds + 1);
            assert!(rounds < 50);
        }
    }
    // The library's K-means is at rest, in units of the data's spread.
    let x = data::faithful();
    let m = start(&x, 3, Start::KMeans, 5);
    let z = m.predict(&x).unwrap();
    for k in 0..3 {
        let own: Vec<usize> = (0..272).filter(|n| z[*n] == k).collect();
        let mean = x.select_rows(&own).row_mean();
        assert_relative_eq!(
            mean,
            m.means().row(k).into_owned(),
            max_relative = 1e-10
        );
    }
}

#[test]
fn mahalanobis_invariant() {
    let mut rng = rng(65);
    let x = cloud(60, 3, &mut rng);
    let a = dmatrix![1.0, 0.5, 0.0; -2.0, 1.0, 3.0; 0.0, 40.0, 1.0];
    let b = noise(3, &mut rng) * 10.0;
    let moved = DMatrix::from_fn(60, 3, |n, j| (&a * x.row(n).transpose() + &b)[j]);
    let distance = |x: &DMatrix<f64>, n: usize, m: usize| {
        let mean = x.row_mean();
        let scatter: DMatrix<f64> =
            x.row_iter().map(|row| (row - &mean).transpose() * (row - &mean)).sum();
        let v = (x.row(n) - x.row(m)).transpose();
        v.dot(&((scatter / 60.0).try_inverse().unwrap() * &v))
    };
    for (n, m) in [(0, 1), (5, 40), (59, 17)] {
        assert_relative_eq!(
            distance(&x, n, m),
            distance(&moved, n, m),
            epsilon = 1e-9
        );
    }
    // So the library's starts are the same ones.
    for kind in [Start::KMeansPlusPlus, Start::KMeans] {
        let here = start(&x, 4, kind.clone(), 3);
        let there = start(&moved, 4, kind, 3);
        for k in 0..4 {
            let expected = &a * here.means().row(k).transpose() + &b;
            let found = there.means().row(k).transpose();
            assert_relative_eq!(found, expected, epsilon = 1e-9);
        }
    }
}

/// All subsets of nine points, and many draws of the library's.
#[test]
fn one_in_each() {
    let sizes = [2.0, 3.0, 4.0];
    let z = [0, 0, 1, 1, 1, 2, 2, 2, 2];
    let formula = 6.0 * sizes.iter().product::<f64>() / (9.0 * 8.0 * 7.0);
    let (mut all, mut hits) = (0, 0);
    for i in 0..9 {
        for j in i + 1..9 {
            for k in j + 1..9 {
                all += 1;
                hits += u32::from(z[i] != z[j] && z[j] != z[k] && z[i] != z[k]);
            }
        }
    }
    assert_relative_eq!(
        f64::from(hits) / f64::from(all),
        formula,
        max_relative = 1e-14
    );
    let x =
        DMatrix::from_fn(9, 1, |n, _| 10.0 * z[n] as f64 + (n * n) as f64 / 100.0);
    let drawn: Vec<f64> = (0..2000)
        .map(|seed| {
            let m = start(&x, 3, Start::RandomPoints, seed);
            let mut seen: Vec<i64> =
                m.means().iter().map(|v| (v / 10.0).floor() as i64).collect();
            seen.sort_unstable();
            f64::from(u8::from(seen == [0, 1, 2]))
        })
        .collect();
    assert_mean(&drawn, formula);
}

#[test]
fn uniform_centre() {
    let mut rng = rng(67);
    let x = cloud(40, 3, &mut rng);
    let mean = DMatrix::from_fn(1, 3, |_, j| x.column(j).sum() / 40.0);
    let least: f64 = (0..40).map(|n| squared(&x, n, &mean, 0)).sum();
    let expected = (0..40)
        .map(|m| (0..40).map(|n| squared(&x, n, &x, m)).sum::<f64>())
        .sum::<f64>()
        / 40.0;
    assert_relative_eq!(expected, 2.0 * least, max_relative = 1e-13);
}

#[test]
fn restarts_succeed() {
    let mut rng = rng(68);
    for (p, starts) in [(0.2, 5), (0.6, 2), (0.05, 30)] {
        let tries: Vec<f64> = (0..4000)
            .map(|_| {
                let hits = (0..starts).filter(|_| rng.random::<f64>() < p).count();
                f64::from(u8::from(hits > 0))
            })
            .collect();
        assert_mean(&tries, 1.0 - (1.0 - p).powi(starts));
    }
    for (p, wanted) in [(0.2, 0.99), (0.6, 0.99), (0.05, 0.95), (0.9, 0.5)] {
        let bound = (1.0_f64 - wanted).ln() / (1.0_f64 - p).ln();
        // Counted up, without a logarithm.
        let (mut failing, mut starts) = (1.0, 0);
        while failing > 1.0 - wanted {
            failing *= 1.0 - p;
            starts += 1;
        }
        assert_eq!(bound.ceil(), f64::from(starts));
    }
}

/// All sequences of five starts that end at four heights.
#[test]
fn one_more_start() {
    let p = [0.1, 0.5, 0.15, 0.25];
    let (mut last_wins, mut alone) = (0.0, 0.0);
    for code in 0..4_usize.pow(5) {
        let ends: Vec<usize> = (0..5).map(|i| code / 4_usize.pow(i) % 4).collect();
        let chance: f64 = ends.iter().map(|e| p[*e]).product();
        if ends[..4].iter().all(|e| *e < ends[4]) {
            last_wins += chance;
        }
        let top = ends.iter().max().unwrap();
        if ends.iter().filter(|e| *e == top).count() == 1 {
            alone += chance;
        }
    }
    assert_relative_eq!(last_wins, alone / 5.0, max_relative = 1e-13);
    assert!(last_wins <= 0.2 && alone > 0.1 && alone < 0.9);
}

/// The library's covariances, and volumes by counting random points of a cube.
#[test]
fn start_volume() {
    let mut rng = rng(69);
    for (d, k) in [(1, 3), (2, 7), (3, 5)] {
        let x = cloud(50, d, &mut rng);
        let mean = x.row_mean();
        let scatter: DMatrix<f64> =
            x.row_iter().map(|row| (row - &mean).transpose() * (row - &mean)).sum();
        let spread = scatter / 50.0;
        let m = start(&x, k, Start::RandomPoints, 1);
        let small = m.covariance(0).clone();
        assert_relative_eq!(
            small,
            spread.clone() * (k as f64).powf(-2.0 / d as f64),
            max_relative = 1e-12
        );
        let (wide, narrow) =
            (spread.try_inverse().unwrap(), small.try_inverse().unwrap());
        let (mut inside, mut within) = (Vec::new(), Vec::new());
        for _ in 0..200_000 {
            let v = DVector::from_fn(d, |_, _| rng.random_range(-4.0..4.0));
            inside.push(f64::from(u8::from(v.dot(&(&wide * &v)) < 1.0)));
            within.push(f64::from(u8::from(v.dot(&(&narrow * &v)) < 1.0)));
        }
        let ((large, _), (one, error)) =
            (mean_and_error(&inside), mean_and_error(&within));
        let off = (k as f64 * one - large).abs();
        assert!(off < 6.0 * k as f64 * error, "{off} of {large} in {d}");
    }
}
