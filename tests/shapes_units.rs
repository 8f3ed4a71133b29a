//! The four shapes of covariance in other units: what changes the data exactly changes the fit in
//! the same way, in EM, MAP and VB.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix};
use mixtures::{
    Concentration, Covariance, Em, GaussianMixture, Prior, Result, Start, Vb, data,
};

/// A x + b.
#[derive(Clone)]
struct Map {
    a: DMatrix<f64>,
    b: DVector<f64>,
}

impl Map {
    fn scaling(scales: DVector<f64>) -> Map {
        let b = DVector::zeros(scales.len());
        Map { a: DMatrix::from_diagonal(&scales), b }
    }

    fn of_points(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        let mut moved = x * self.a.transpose();
        moved.row_iter_mut().for_each(|mut row| row += self.b.transpose());
        moved
    }

    fn of_covariance(&self, shape: Covariance, sigma: &DMatrix<f64>) -> DMatrix<f64> {
        let moved = &self.a * sigma * self.a.transpose();
        shaped(shape, &((&moved + moved.transpose()) * 0.5))
    }

    fn of_mixture(&self, m: &GaussianMixture) -> GaussianMixture {
        let sigma = |k| self.of_covariance(m.shape(), m.covariance(k));
        let covariances = (0..m.component_count()).map(sigma).collect();
        let means = self.of_points(m.means());
        let weights = m.weights().clone();
        GaussianMixture::with_shape(weights, means, covariances, m.shape()).unwrap()
    }

    fn of_prior(&self, prior: &Prior) -> Prior {
        let inverse = self.a.clone().try_inverse().unwrap();
        let w0 = inverse.transpose() * &prior.w0 * inverse;
        let m0 = &self.a * &prior.m0 + &self.b;
        Prior { m0, w0: (&w0 + w0.transpose()) * 0.5, ..prior.clone() }
    }

    fn log_det(&self) -> f64 {
        self.a.determinant().abs().ln()
    }
}

/// What each of the learners finds of the same problem: the mixture (for VB at the expected
/// parameters), and the trace.
struct Found {
    mixture: GaussianMixture,
    trace: Vec<f64>,
}

/// EM, MAP, VB, and VB with a Dirichlet process.
const LEARNERS: usize = 4;

fn found(
    learner: usize,
    start: &GaussianMixture,
    prior: &Prior,
    x: &DMatrix<f64>,
    weights: Option<&DVector<f64>>,
) -> Result<Found> {
    let (k, shape) = (start.component_count(), start.shape());
    let start = Start::Given(start.clone());
    let ones = DVector::from_element(x.nrows(), 1.0);
    let weights = weights.unwrap_or(&ones);
    if learner < 2 {
        let mut em = Em::new(k).covariance(shape).start(start);
        if learner == 1 {
            em = em.prior(Prior { alpha0: 1.5, ..prior.clone() });
        }
        let fit = em.max_iterations(25).tolerance(0.0).fit_weighted(x, weights)?;
        return Ok(Found { mixture: fit.mixture, trace: fit.trace });
    }
    let vb = Vb::new(k).covariance(shape).prior(prior.clone()).start(start);
    let vb = match learner {
        2 => vb,
        _ => vb.concentration(Concentration::DirichletProcess { alpha: 1.0 }),
    };
    let fit = vb.max_iterations(25).tolerance(0.0).fit_weighted(x, weights)?;
    Ok(Found { mixture: fit.posterior.expected_mixture(), trace: fit.trace })
}

/// The largest difference between two mixtures, in units of the second one's spread.
fn distance(a: &GaussianMixture, b: &GaussianMixture) -> f64 {
    let mut worst = (a.weights() - b.weights()).amax();
    for k in 0..b.component_count() {
        let (s, shift) = (b.covariance(k), a.means().row(k) - b.means().row(k));
        for i in 0..b.dimension() {
            worst = worst.max(shift[i].abs() / s[(i, i)].sqrt());
            for j in 0..b.dimension() {
                let off = (a.covariance(k)[(i, j)] - s[(i, j)]).abs();
                worst = worst.max(off / (s[(i, i)] * s[(j, j)]).sqrt());
            }
        }
    }
    worst
}

fn problem(shape: Covariance) -> (DMatrix<f64>, GaussianMixture, Prior) {
    let x = data::iris();
    let start = random_mixture(shape, &x, 3, &mut rng(601));
    let prior = random_prior(4, &mut rng(602));
    let prior = Prior { beta0: 0.1, m0: x.row_mean().transpose(), ..prior };
    (x, start, prior)
}

#[test]
fn units_and_axes_change_nothing_but_themselves() -> Result<()> {
    let scales = Map::scaling(DVector::from_vec(vec![3.0, 0.02, 700.0, -1.3]));
    let common = Map::scaling(DVector::from_element(4, 0.037));
    let q = random_covariance(4, &mut rng(603)).qr().q();
    let rotation = Map { a: q, b: DVector::zeros(4) };
    let columns =
        DMatrix::from_fn(4, 4, |i, j| f64::from(u8::from((i + 1) % 4 == j)));
    let columns = Map { a: columns, b: DVector::zeros(4) };
    let shift = DVector::from_vec(vec![5.0, -2.0, 100.0, 0.3]);
    let shift = Map { a: DMatrix::identity(4, 4), b: shift };
    let any = Map { a: &scales.a * &rotation.a, b: shift.b.clone() };
    let each = [Covariance::Full, Covariance::Tied, Covariance::Diagonal];
    let turned = [Covariance::Full, Covariance::Tied, Covariance::Spherical];
    let mut worst: f64 = 0.0;
    for (name, map, shapes) in [
        ("scales", scales, &each[..]),
        ("one scale", common, &SHAPES),
        ("rotation", rotation, &turned),
        ("columns", columns, &SHAPES),
        ("shift", shift, &SHAPES),
        ("any", any, &each[..2]),
    ] {
        for (&shape, learner) in
            shapes.iter().flat_map(|s| (0..LEARNERS).map(move |l| (s, l)))
        {
            let (x, start, prior) = problem(shape);
            let here = found(learner, &start, &prior, &x, None)?;
            let (start, prior) = (map.of_mixture(&start), map.of_prior(&prior));
            let there = found(learner, &start, &prior, &map.of_points(&x), None)?;
            let off = distance(&there.mixture, &map.of_mixture(&here.mixture));
            assert!(off < 1e-9, "{name}, {shape}, learner {learner}: {off:e}");
            worst = worst.max(off);
            // A density changes by the volume: of 150 points, and (MAP) of the parameters.
            let by = there.trace[0] - here.trace[0];
            if learner != 1 {
                assert_relative_eq!(by, -150.0 * map.log_det(), epsilon = 1e-8);
            }
            for (a, b) in there.trace.iter().zip(&here.trace) {
                assert_relative_eq!(a - b, by, epsilon = 1e-8);
            }
        }
    }
    println!("worst difference: {worst:e} standard deviations");
    Ok(())
}

#[test]
fn the_order_of_rows_and_halves_of_rows_do_not_matter() -> Result<()> {
    let mut worst: f64 = 0.0;
    for (shape, learner) in
        SHAPES.into_iter().flat_map(|s| (0..LEARNERS).map(move |l| (s, l)))
    {
        let (x, start, prior) = problem(shape);
        let here = found(learner, &start, &prior, &x, None)?;
        let mixed: Vec<usize> = (0..150).map(|n| n * 47 % 150).collect();
        let mixed = found(learner, &start, &prior, &x.select_rows(&mixed), None)?;
        let twice: Vec<usize> = (0..300).map(|n| n / 2).collect();
        let halves = DVector::from_element(300, 0.5);
        let twice = x.select_rows(&twice);
        let twice = found(learner, &start, &prior, &twice, Some(&halves))?;
        for other in [mixed, twice] {
            let off = distance(&other.mixture, &here.mixture);
            assert!(off < 1e-11, "{shape}, learner {learner}: {off:e}");
            worst = worst.max(off);
            for (a, b) in other.trace.iter().zip(&here.trace) {
                assert_relative_eq!(a, b, max_relative = 1e-12);
            }
        }
    }
    println!("worst difference: {worst:e} standard deviations");
    Ok(())
}

#[test]
fn a_weight_of_two_is_the_row_twice() -> Result<()> {
    let mut worst: f64 = 0.0;
    for (shape, learner) in
        SHAPES.into_iter().flat_map(|s| (0..LEARNERS).map(move |l| (s, l)))
    {
        let (x, start, prior) = problem(shape);
        let weights = DVector::from_fn(150, |n, _| (n % 5).min(2) as f64);
        let rows: Vec<usize> =
            (0..150).flat_map(|n| std::iter::repeat_n(n, (n % 5).min(2))).collect();
        let rows = x.select_rows(&rows);
        let weighted = found(learner, &start, &prior, &x, Some(&weights))?;
        let repeated = found(learner, &start, &prior, &rows, None)?;
        let off = distance(&weighted.mixture, &repeated.mixture);
        assert!(off < 1e-12, "{shape}, learner {learner}: {off:e}");
        worst = worst.max(off);
        for (a, b) in weighted.trace.iter().zip(&repeated.trace) {
            assert_relative_eq!(a, b, max_relative = 1e-12);
        }
    }
    println!("worst difference: {worst:e} standard deviations");
    Ok(())
}

/// On a 2⁻²⁰ grid a shift by 2²⁷ and a scale by a power of two are exact, so that the only
/// difference they could make is the library's own rounding.
#[test]
fn offset_and_scale_cost_no_digits() -> Result<()> {
    let grid = |v: f64| (v * 2.0_f64.powi(20)).round() / 2.0_f64.powi(20);
    let mut worst: f64 = 0.0;
    for (shape, learner) in
        SHAPES.into_iter().flat_map(|s| (0..LEARNERS).map(move |l| (s, l)))
    {
        let (x, start, prior) = problem(shape);
        let x = x.map(grid);
        let means = start.means().map(grid);
        let covariances = (0..3).map(|k| start.covariance(k).clone()).collect();
        let weights = start.weights().clone();
        let start = GaussianMixture::with_shape(weights, means, covariances, shape)?;
        // (The prior's inverse is not exact in any units, but the same power of two off.)
        let prior = Prior { m0: prior.m0.map(grid), ..prior };
        let here = found(learner, &start, &prior, &x, None)?;
        for (shift, scale) in [(27, 0), (0, 20), (0, -20), (27, 20), (27, -20)] {
            let shift = if shift == 0 { 0.0 } else { 2.0_f64.powi(shift) };
            let scale = 2.0_f64.powi(scale);
            let there = |v: f64| (v + shift) * scale;
            let square = scale * scale;
            let moved = |m: &GaussianMixture,
                         mean: &dyn Fn(f64) -> f64,
                         square: f64| {
                let covariances = (0..3).map(|k| m.covariance(k) * square).collect();
                let (weights, means) = (m.weights().clone(), m.means().map(mean));
                GaussianMixture::with_shape(weights, means, covariances, shape)
                    .unwrap()
            };
            let prior = Prior {
                m0: prior.m0.map(there),
                w0: &prior.w0 / square,
                ..prior.clone()
            };
            let start = moved(&start, &there, square);
            let found = found(learner, &start, &prior, &x.map(there), None)?;
            let back = moved(&found.mixture, &|v| v / scale - shift, 1.0 / square);
            let apart = (back.means() - here.mixture.means()).amax();
            // The means come back through numbers of size 2²⁷, whose spacing is 2⁻²⁶.
            let allowed = if shift == 0.0 { 1e-10 } else { 2e-8 };
            assert!(apart < allowed, "{shape}, learner {learner}: means {apart:e}");
            for k in 0..3 {
                let there = back.covariance(k);
                let off = (there - here.mixture.covariance(k)).amax();
                let off = off.max((back.weights() - here.mixture.weights()).amax());
                assert!(off < 1e-10, "{shape}, learner {learner}: {off:e}");
                worst = worst.max(off);
            }
            let by = found.trace[0] - here.trace[0];
            for (a, b) in found.trace.iter().zip(&here.trace) {
                assert_relative_eq!(a - b, by, epsilon = 1e-9);
            }
        }
    }
    println!("worst difference: {worst:e}");
    Ok(())
}

/// The random starts see the data in their own spread (of the fit's shape): other units, the same
/// fit, from beginning to end.
#[test]
fn random_starts_know_no_units() -> Result<()> {
    let x = data::iris();
    let scales = dmatrix![8.0, 0.0, 0.0, 0.0; 0.0, 0.25, 0.0, 0.0; 0.0, 0.0, 2.0, 0.0; 0.0, 0.0, 0.0, 64.0];
    for shape in SHAPES {
        let map = match shape {
            Covariance::Spherical => DMatrix::identity(4, 4) * 16.0,
            _ => scales.clone(),
        };
        let moved = &x * &map;
        for start in [Start::RandomPoints, Start::KMeansPlusPlus, Start::KMeans] {
            let em = Em::new(3).covariance(shape).start(start.clone()).seed(5);
            let (here, there) = (em.fit(&x)?, em.fit(&moved)?);
            assert_eq!(here.iterations, there.iterations);
            let back = there.mixture.means() * map.clone().try_inverse().unwrap();
            assert_relative_eq!(back, *here.mixture.means(), max_relative = 1e-9);
            let vb = Vb::new(3).covariance(shape).start(start).seed(5);
            let (here, there) = (vb.fit(&x)?, vb.fit(&moved)?);
            assert_eq!(here.iterations, there.iterations);
            let back = there.posterior.means() * map.clone().try_inverse().unwrap();
            assert_relative_eq!(back, *here.posterior.means(), max_relative = 1e-8);
        }
    }
    Ok(())
}

/// Rows that count for next to nothing in all leave the prior as it is; the bound is then about
/// −1e-8, and rounding of its terms is no fall.
#[test]
fn weights_may_be_small() -> Result<()> {
    for (shape, learner) in
        SHAPES.into_iter().flat_map(|s| (1..LEARNERS).map(move |l| (s, l)))
    {
        let (x, start, prior) = problem(shape);
        for exponent in [-4, -8, -12, -40] {
            let weights = DVector::from_element(150, 10.0_f64.powi(exponent));
            let found = found(learner, &start, &prior, &x, Some(&weights))?;
            assert_eq!(found.trace.len(), 26);
        }
    }
    Ok(())
}

/// Where squares are denormal there are no digits: data that are spread over less than 1e-150 have
/// no spread, and say so.
#[test]
fn data_may_be_small_but_not_denormal() {
    let x = data::iris();
    for shape in SHAPES {
        let of = |scale: f64| {
            let em = Em::new(2).covariance(shape).seed(1);
            em.fit(&(&x * scale)).map(|fit| fit.iterations)
        };
        assert_eq!(of(2.0_f64.powi(-480)), of(1.0)); // 3e-145
        let fault = of(1e-157).unwrap_err();
        assert!(matches!(fault, mixtures::Error::Degenerate { .. }), "{fault}");
        assert!(fault.to_string().contains("1e-150"), "{fault}");
    }
}
