//! Moments are a commutative monoid: parts in any order equal one pass, at any
//! offset.

use approx::assert_relative_eq;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::{Moments, Summary};

const POINTS: usize = 10_000;
const PARTS: usize = 16;

/// Points on a 2⁻²⁰ grid, spread over about 8 units around `offset`; weights anywhere
/// in (0, 2).
fn weighted_points(offset: f64, rng: &mut Rng) -> (DMatrix<f64>, Vec<f64>) {
    let mut steps = || rng.random_range(-(1_i64 << 22)..(3 << 22)) as f64;
    let x = DMatrix::from_fn(POINTS, 3, |_, _| steps());
    let common = DVector::from_fn(POINTS, |_, _| steps());
    let x = DMatrix::from_fn(POINTS, 3, |n, j| {
        offset + (x[(n, j)] + (j + 1) as f64 * common[n]) * 2.0_f64.powi(-20)
    });
    let w = (0..POINTS).map(|_| rng.random_range(0.0..2.0)).collect();
    (x, w)
}

fn shuffled(rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..POINTS).collect();
    for i in 0..POINTS {
        let j = rng.random_range(i..POINTS);
        order.swap(i, j);
    }
    order
}

fn gather(
    x: &DMatrix<f64>,
    w: &[f64],
    rows: impl IntoIterator<Item = usize>,
    centre: DVector<f64>,
) -> Moments {
    let mut moments = Moments::about(centre);
    for n in rows {
        moments.push(x.row(n), w[n]).unwrap();
    }
    moments
}

/// The mean from sums of 128-bit integers, which are exact but for the last bits of
/// small weights; and the scatter from sums about the grid point next to the mean.
fn exact(x: &DMatrix<f64>, w: &[f64], offset: f64) -> (DVector<f64>, DMatrix<f64>) {
    let fixed = |v: f64, bits: i32| (v * 2.0_f64.powi(bits)).round() as i128;
    let d = x.ncols();
    let grid = |n: usize, j: usize| fixed(x[(n, j)] - offset, 20);
    let weight: Vec<i128> = w.iter().map(|&w| fixed(w, 60)).collect(); // weights ≥ 2⁻⁷ exact, the rest to 2⁻⁶¹
    let total: i128 = weight.iter().sum();
    let real = |v: i128, bits: i32| v as f64 * 2.0_f64.powi(-bits);
    let first: Vec<i128> =
        (0..d).map(|j| (0..POINTS).map(|n| weight[n] * grid(n, j)).sum()).collect();
    let mean = DVector::from_fn(d, |j, _| {
        let whole = first[j] / total;
        let rest = (first[j] % total) as f64 / total as f64;
        offset + (whole as f64 + rest) * 2.0_f64.powi(-20)
    });
    let scatter = DMatrix::from_fn(d, d, |i, j| {
        // About the nearest grid points to the mean, so that little is subtracted at
        // the end.
        let (ci, cj) = (first[i] / total, first[j] / total);
        let (mut t, mut si, mut sj) = (0.0, 0.0, 0.0);
        for (n, &w) in weight.iter().enumerate() {
            let (a, b) = ((grid(n, i) - ci) as f64, (grid(n, j) - cj) as f64);
            t += real(w, 60) * a * b;
            si += real(w, 60) * a;
            sj += real(w, 60) * b;
        }
        (t - si * sj / real(total, 60)) * 2.0_f64.powi(-40)
    });
    (mean, scatter)
}

fn ulps(a: f64, b: f64) -> u64 {
    a.to_bits().abs_diff(b.to_bits())
}

fn assert_same(
    moments: &Moments,
    one_pass: &Moments,
    mean: &DVector<f64>,
    scatter: &DMatrix<f64>,
) {
    for j in 0..mean.len() {
        let ours = moments.mean().unwrap()[j];
        assert!(ulps(ours, one_pass.mean().unwrap()[j]) <= 1);
        assert!(ulps(ours, mean[j]) <= 1, "{ours:e} against {:e}", mean[j]);
    }
    assert_relative_eq!(moments.scatter(), one_pass.scatter(), max_relative = 1e-12);
    assert_relative_eq!(moments.scatter(), scatter, max_relative = 1e-12);
}

#[test]
fn sixteen_parts_in_any_order_equal_one_pass() {
    let mut rng = rng(1);
    for offset in [0.0, 2.0_f64.powi(27)] {
        let (x, w) = weighted_points(offset, &mut rng);
        let (mean, scatter) = exact(&x, &w, offset);
        let centre = x.row(0).transpose();
        let one_pass = gather(&x, &w, 0..POINTS, centre.clone());
        assert_same(&one_pass, &one_pass, &mean, &scatter);
        for own_centres in [false, true] {
            let order = shuffled(&mut rng);
            let mut parts: Vec<Moments> = (0..PARTS)
                .map(|p| {
                    let rows: Vec<usize> =
                        order.iter().copied().skip(p).step_by(PARTS).collect();
                    let own = x.row(rows[0]).transpose();
                    gather(
                        &x,
                        &w,
                        rows,
                        if own_centres { own } else { centre.clone() },
                    )
                })
                .collect();
            while parts.len() > 1 {
                let from = parts.swap_remove(rng.random_range(0..parts.len()));
                let into = rng.random_range(0..parts.len());
                parts[into].merge(&from).unwrap();
            }
            assert_same(&parts[0], &one_pass, &mean, &scatter);
        }
    }
}

#[test]
fn nothing_is_the_neutral_element_and_scaling_moves_no_mean() {
    let (x, w) = weighted_points(0.0, &mut rng(2));
    let moments = gather(&x, &w, 0..100, DVector::zeros(3));
    let mut with_nothing = moments.clone();
    with_nothing.merge(&Moments::about(x.row(5).transpose())).unwrap();
    assert_eq!(with_nothing, moments);
    let mut nothing = Moments::about(DVector::zeros(3));
    assert_eq!((nothing.mean(), nothing.covariance()), (None, None));
    assert_eq!(nothing.scatter(), DMatrix::zeros(3, 3));
    nothing.merge(&moments).unwrap();
    assert_eq!(nothing, moments);

    let mut halved = moments.clone();
    halved.scale(0.5).unwrap();
    assert_eq!(halved.count(), 0.5 * moments.count());
    assert_eq!(halved.mean(), moments.mean());
    assert_eq!(halved.covariance(), moments.covariance());
}

#[test]
fn flattening_loses_nothing() {
    let (x, w) = weighted_points(1e8, &mut rng(3));
    let moments = gather(&x, &w, 0..1000, x.row(0).transpose());
    let flat = moments.flatten();
    assert_eq!(flat.len(), Moments::flat_len(3));
    assert_eq!(Moments::unflatten(&flat).unwrap(), moments);
    let json = serde_json::to_string(&moments).unwrap();
    assert_eq!(serde_json::from_str::<Moments>(&json).unwrap(), moments);
    for bad in [&flat[1..], &flat[..5], &[], &[f64::NAN], &[1e300, 0.0]] {
        assert!(Moments::unflatten(bad).is_err());
    }
}

#[test]
fn faults_are_errors_and_change_nothing() {
    let x = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, f64::NAN, 3.0]);
    let mut moments = Moments::of(&x.rows(0, 1)).unwrap();
    let before = moments.clone();
    for w in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(moments.push(x.row(0), w).is_err());
        assert!(moments.scale(w).is_err());
    }
    assert!(moments.push(x.row(1), 1.0).is_err());
    assert!(moments.push(x.columns(0, 1).row(0), 1.0).is_err());
    assert!(moments.merge(&Moments::about(DVector::zeros(3))).is_err());
    assert_eq!(moments, before);
    assert!(Moments::of(&x).is_err());
    assert!(Moments::of(&x.rows(0, 0)).is_err());
}

/// Reading takes room in proportion to what is read: a million squares stand for no million
/// million products.
#[test]
fn many_coordinates_by_themselves_take_little_room() {
    let d = 1_000_000;
    let flat = Moments::diagonal_about(DVector::zeros(d)).flatten();
    assert_eq!(flat.len(), 3 + 4 * d);
    assert_eq!(Moments::unflatten(&flat).unwrap().flatten(), flat);
}

/// With all products, 8 dimensions are as many numbers as 15 are without.
#[test]
fn a_summary_is_of_one_dimension() {
    let all = Moments::about(DVector::zeros(8)).flatten();
    let squares = Moments::diagonal_about(DVector::zeros(15)).flatten();
    assert_eq!(all.len(), squares.len());
    let summary =
        |parts: [&[f64]; 2]| [&[2.0, 0.0, 0.0], parts[0], parts[1]].concat();
    assert!(Summary::unflatten(&summary([&all, &all])).is_ok());
    assert!(Summary::unflatten(&summary([&squares, &squares])).is_ok());
    assert!(Summary::unflatten(&summary([&all, &squares])).is_err());
}
