use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::rand::RngExt;
use mixtures::{Covariance, Em, Result, Start, data};

/// Counts (K) and scatters (K of D×D) of the irises' species.
fn iris_shares() -> (Vec<f64>, Vec<DMatrix<f64>>) {
    let x = data::iris();
    let scatter = |k: usize| {
        let group = x.rows(50 * k, 50);
        let mean = group.row_mean();
        let rows = group.row_iter().map(|row| (row - &mean).transpose());
        rows.map(|v| &v * v.transpose()).sum()
    };
    (vec![50.0; 3], (0..3).map(scatter).collect())
}

// ANCHOR: tied_diagonal
/// −½ Σₖ [Nₖ ln det Σ + tr(Σ⁻¹ scatterₖ)] for one diagonal Σ.
fn objective(
    variances: &DVector<f64>,
    counts: &[f64],
    scatters: &[DMatrix<f64>],
) -> f64 {
    let term = |(count, scatter): (&f64, &DMatrix<f64>)| {
        let log_det = variances.map(f64::ln).sum();
        let trace = scatter.diagonal().component_div(variances).sum();
        -0.5 * (count * log_det + trace)
    };
    counts.iter().zip(scatters).map(term).sum()
}

#[test]
fn one_diagonal_for_all() {
    let (counts, scatters) = iris_shares();
    let pool: DMatrix<f64> = scatters.iter().sum();
    let best = pool.diagonal() / counts.iter().sum::<f64>();
    let highest = objective(&best, &counts, &scatters);
    for j in 0..4 {
        for factor in [0.5, 0.99, 1.01, 2.0] {
            let mut other = best.clone();
            other[j] *= factor;
            assert!(objective(&other, &counts, &scatters) < highest);
        }
    }
}
// ANCHOR_END: tied_diagonal

// ANCHOR: penalty
/// −½ [n ln v + s/v]: what a variance v has to say to n numbers with sum of squares s.
fn height(v: f64, n: f64, s: f64) -> f64 {
    -0.5 * (n * v.ln() + s / v)
}

#[test]
fn a_penalty_is_a_few_more_points() {
    let (counts, scatters) = iris_shares();
    let (a, b) = (6.0, DMatrix::from_diagonal(&dvector![0.5, 0.2, 0.7, 0.1]));
    let d = 4.0;
    for (count, scatter) in counts.iter().zip(&scatters) {
        let best = (scatter.trace() + b.trace()) / (d * (count + a));
        let penalised = |v: f64| {
            let data = height(v, d * count, scatter.trace());
            data + height(v, d * a, b.trace())
        };
        for factor in [0.5, 0.99, 1.01, 2.0] {
            assert!(penalised(best * factor) < penalised(best));
        }
    }
    // A component without points has a covariance all the same.
    assert_relative_eq!((0.0 + b.trace()) / (d * (0.0 + a)), 0.0625);
}
// ANCHOR_END: penalty

// ANCHOR: offset
/// E[x²] − μ².
fn textbook(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    x.iter().map(|x| x * x).sum::<f64>() / n - mean * mean
}

#[test]
fn the_difference_of_two_squares_keeps_no_digits() -> Result<()> {
    let petals = data::iris().columns(2, 2).into_owned();
    let here = Em::new(3).covariance(Covariance::Diagonal).fit(&petals)?;
    let there = petals.add_scalar(1e8);
    let found = Em::new(3).covariance(Covariance::Diagonal).fit(&there)?;
    // The points themselves have been rounded to 1.5e-8.
    for k in 0..3 {
        let (a, b) = (here.mixture.covariance(k), found.mixture.covariance(k));
        assert_relative_eq!(a, b, max_relative = 1e-4);
    }
    // The variance of the petal lengths of the first species.
    let setosa = textbook(&petals.as_slice()[..50]);
    let far_away = textbook(&there.as_slice()[..50]);
    assert!((setosa - 0.0296).abs() < 1e-3);
    assert_eq!(far_away, 4.0); // near 1e16 doubles are 2 apart
    Ok(())
}
// ANCHOR_END: offset

// ANCHOR: factors
/// How many numbers of F Fᵀ + Ψ are free, for a random F of D×Q: the rank of its
/// derivative, whose columns are the changes by one entry each.
fn free(d: usize, q: usize) -> usize {
    let mut rng = rng(8);
    let f = DMatrix::from_fn(d, q, |_, _| rng.random_range(-1.0..1.0));
    let mut columns = Vec::new();
    for i in 0..d {
        for j in 0..q {
            let mut step = DMatrix::zeros(d, q);
            step[(i, j)] = 1.0;
            columns.push(&step * f.transpose() + &f * step.transpose());
        }
        let mut step = DMatrix::zeros(d, d);
        step[(i, i)] = 1.0;
        columns.push(step);
    }
    DMatrix::from_fn(d * d, columns.len(), |i, j| columns[j][i]).rank(1e-9)
}

#[test]
fn parameters_of_factors() {
    for (d, q) in [(6, 1), (6, 2), (8, 3), (16, 4)] {
        assert_eq!(free(d, q), d * q + d - q * (q - 1) / 2);
    }
}
// ANCHOR_END: factors

// ANCHOR: boundary
#[test]
fn the_boundary_is_straight() -> Result<()> {
    let x = data::iris();
    let r = DMatrix::from_fn(150, 3, |n, k| f64::from(n / 50 == k));
    let known = Em::new(3).covariance(Covariance::Tied);
    let m =
        known.start(Start::Responsibilities(r)).max_iterations(0).fit(&x)?.mixture;
    let (a, b) = (m.means().row(1).transpose(), m.means().row(2).transpose());
    let w = m.components()[0].covariance().clone().lu().solve(&(&a - &b));
    let w = w.expect("the covariance is positive definite");
    let middle = (&a + &b) / 2.0;
    let mut strays = 0;
    for (n, row) in x.row_iter().enumerate().skip(50) {
        let side = w.dot(&(row.transpose() - &middle)); // > 0: versicolor
        strays += usize::from((side > 0.0) != (n < 100));
        let r = m.responsibilities(&row)?;
        let (found, expected) = ((r[(0, 1)] / r[(0, 2)]).ln(), side);
        assert_relative_eq!(found, expected, epsilon = 1e-9);
    }
    assert_eq!(strays, 3);
    Ok(())
}
// ANCHOR_END: boundary
