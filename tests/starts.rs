//! The random starts against plain loops over the points, in every shape.

mod common;

use approx::assert_relative_eq;
use common::points;
use mixtures::math::{Rng, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::rand::distr::Distribution;
use mixtures::rand::distr::weighted::WeightedIndex;
use mixtures::rand_distr::StandardNormal;
use mixtures::{Covariance, Em, Prior, Start};

/// Lumps far from zero, in columns of different units: more rows than a leaf has, of unequal weights,
/// and many of none, the first ones among them.
fn lumps(rng: &mut Rng) -> (DMatrix<f64>, DVector<f64>) {
    let mut normal = || rng.sample::<f64, _>(StandardNormal);
    let centres = DMatrix::from_fn(4, 3, |_, _| 4.0 * normal());
    let mut x = DMatrix::from_fn(2500, 3, |n, j| {
        1e5 + [1.0, 30.0, 0.01][j] * (centres[(n % 4, j)] + normal())
    });
    x.row_mut(0).fill(-1e9);
    let w = DVector::from_fn(x.nrows(), |n, _| {
        let weight = rng.random_range(0.1..2.0);
        if n < 40 || n % 7 == 0 { 0.0 } else { weight }
    });
    (x, w)
}

/// Σ̂ as its definition stands.
fn covariance(x: &[DVector<f64>], w: &DVector<f64>) -> DMatrix<f64> {
    let of = |value: &dyn Fn(usize) -> DMatrix<f64>| {
        let zero = value(0) * 0.0;
        (0..x.len()).fold(zero, |sum, n| sum + value(n) * w[n]) / w.sum()
    };
    let near = &x[40]; // x is far from zero
    let mean = of(&|n| DMatrix::from_columns(&[&x[n] - near]));
    of(&|n| {
        let residual = &x[n] - near - mean.column(0);
        &residual * residual.transpose()
    })
}

/// Squared distances under Σ̂, or what a shape keeps of it.
fn distances(
    x: &[DVector<f64>],
    w: &DVector<f64>,
    shape: Covariance,
) -> impl Fn(usize, &DVector<f64>) -> f64 {
    let full = covariance(x, w);
    let d = full.nrows();
    let spread = match shape {
        Covariance::Diagonal => DMatrix::from_diagonal(&full.diagonal()),
        Covariance::Spherical => DMatrix::identity(d, d) * (full.trace() / d as f64),
        _ => full,
    };
    let precision = spread.try_inverse().unwrap();
    let x = x.to_vec();
    move |n, centre| {
        let residual = &x[n] - centre;
        residual.dot(&(&precision * &residual))
    }
}

/// Each row is drawn by its weight times its distance from the nearest so far.
fn plain_plus_plus(
    k: usize,
    x: &[DVector<f64>],
    w: &DVector<f64>,
    distance: impl Fn(usize, &DVector<f64>) -> f64,
    rng: &mut Rng,
) -> Vec<DVector<f64>> {
    let mut chosen: Vec<DVector<f64>> = Vec::new();
    while chosen.len() < k {
        let chances = (0..x.len()).map(|n| {
            let all = chosen.iter().map(|centre| distance(n, centre));
            w[n] * all.reduce(f64::min).unwrap_or(1.0)
        });
        chosen.push(x[WeightedIndex::new(chances).unwrap().sample(rng)].clone());
    }
    chosen
}

/// Until no row changes sides.
fn plain_k_means(
    mut centres: Vec<DVector<f64>>,
    x: &[DVector<f64>],
    w: &DVector<f64>,
    distance: impl Fn(usize, &DVector<f64>) -> f64,
) -> Vec<DVector<f64>> {
    let mut sides = Vec::new();
    loop {
        let nearest = |n: usize| {
            let to = |k: &usize| distance(n, &centres[*k]);
            (0..centres.len()).min_by(|a, b| to(a).total_cmp(&to(b))).unwrap()
        };
        let now: Vec<usize> = (0..x.len()).map(nearest).collect();
        if now == sides {
            return centres;
        }
        for (k, centre) in centres.iter_mut().enumerate() {
            let own = || (0..x.len()).filter(|n| now[*n] == k && w[*n] > 0.0);
            let count: f64 = own().map(|n| w[n]).sum();
            if count > 0.0 {
                let from = centre.clone();
                own().for_each(|n| *centre += (&x[n] - &from) * (w[n] / count));
            }
        }
        sides = now;
    }
}

#[test]
fn starts_are_the_plain_ones() {
    let (x, w) = lumps(&mut rng(81));
    let rows = points(&x);
    let near = |found: &DMatrix<f64>, expected: &[DVector<f64>]| {
        for (k, expected) in expected.iter().enumerate() {
            let found = found.row(k).transpose();
            assert_relative_eq!(found, *expected, max_relative = 1e-13);
        }
    };
    for shape in Covariance::ALL {
        let distance = distances(&rows, &w, shape);
        for (k, seed) in [(1, 1), (2, 2), (4, 3), (7, 4), (7, 5)] {
            let start = |start: Start| {
                let em = Em::new(k).covariance(shape).start(start).seed(seed);
                let fit = em.max_iterations(0).fit_weighted(&x, &w).unwrap();
                fit.mixture.means().clone()
            };
            let chosen = plain_plus_plus(k, &rows, &w, &distance, &mut rng(seed));
            near(&start(Start::KMeansPlusPlus), &chosen);
            let centres = plain_k_means(chosen, &rows, &w, &distance);
            near(&start(Start::KMeans), &centres);
        }
    }
}

/// Data are measured from their first row: where that lies far out and hardly counts, the others'
/// spread is found to the digits that their distances from it have.
#[test]
fn an_outlier_of_little_weight_comes_first() {
    let mut rng = rng(82);
    for (distance, weight) in [(1e6, 1e-9), (1e8, 1e-13), (1e8, 1e-16)] {
        let mut x = DMatrix::from_fn(1000, 2, |_, _| rng.sample(StandardNormal));
        x.row_mut(0).fill(-distance);
        let mut w = DVector::from_element(1000, 1.0);
        w[0] = weight;
        let expected = covariance(&points(&x), &w);
        let prior = Prior::from_weighted_data(&x, &w).unwrap();
        let found = prior.w0.try_inverse().unwrap();
        assert_relative_eq!(found, expected, epsilon = 1e-8);
        let diagonal = Em::new(1).covariance(Covariance::Diagonal).max_iterations(0);
        let found = diagonal.fit_weighted(&x, &w).unwrap().mixture;
        let found = found.covariance(0).diagonal();
        assert_relative_eq!(found, expected.diagonal(), epsilon = 1e-8);
    }
}
