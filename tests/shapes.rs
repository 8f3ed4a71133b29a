//! The four shapes of covariance in EM, against a plain implementation of each; and what starts
//! such a fit, and what it accepts.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{
    Covariance, Em, EmFit, Error, GaussianMixture, Prior, Result, Start, Vb, data,
};

/// A mixture as its formulas stand.
struct Plain {
    weights: Vec<f64>,
    means: Vec<DVector<f64>>,
    sigmas: Vec<DMatrix<f64>>,
}

impl Plain {
    fn from(m: &GaussianMixture) -> Plain {
        let k = m.component_count();
        Plain {
            weights: m.weights().iter().copied().collect(),
            means: points(m.means()),
            sigmas: (0..k).map(|k| m.covariance(k).clone()).collect(),
        }
    }

    /// One update of EM in this shape (Celeux & Govaert 1995), and the log likelihood before it.
    fn update(&self, shape: Covariance, x: &[DVector<f64>]) -> (Plain, f64) {
        let (n, d) = (x.len() as f64, x[0].len());
        let mut log_likelihood = 0.0;
        let mut counts = vec![0.0; self.weights.len()];
        let mut shares = Vec::new();
        for x in x {
            let joint: Vec<f64> = (0..counts.len())
                .map(|k| {
                    self.weights[k]
                        * plain_density(x, &self.means[k], &self.sigmas[k])
                })
                .collect();
            let total: f64 = joint.iter().sum();
            log_likelihood += total.ln();
            let r: Vec<f64> = joint.iter().map(|p| p / total).collect();
            counts.iter_mut().zip(&r).for_each(|(count, r)| *count += r);
            shares.push(r);
        }
        let (mut means, mut scatters) = (Vec::new(), Vec::new());
        for (k, count) in counts.iter().enumerate() {
            let mut mean = DVector::zeros(d);
            for (x, r) in x.iter().zip(&shares) {
                mean += x * (r[k] / count);
            }
            let mut scatter = DMatrix::zeros(d, d);
            for (x, r) in x.iter().zip(&shares) {
                scatter += (x - &mean) * (x - &mean).transpose() * r[k];
            }
            means.push(mean);
            scatters.push(scatter);
        }
        let together: DMatrix<f64> = scatters.iter().sum::<DMatrix<f64>>() / n;
        let sigmas = (0..counts.len()).map(|k| match shape {
            Covariance::Tied => together.clone(),
            shape => shaped(shape, &(&scatters[k] / counts[k])),
        });
        let sigmas = sigmas.collect();
        let weights = counts.iter().map(|count| count / n).collect();
        (Plain { weights, means, sigmas }, log_likelihood)
    }
}

/// The largest relative difference between a fit and the plain mixture.
fn distance(m: &GaussianMixture, plain: &Plain) -> f64 {
    let mut worst: f64 = 0.0;
    for k in 0..m.component_count() {
        let relative = |a: f64, b: f64, size: f64| (a - b).abs() / size;
        worst =
            worst.max(relative(m.weights()[k], plain.weights[k], plain.weights[k]));
        let mean = m.means().row(k).transpose();
        worst = worst.max((mean - &plain.means[k]).amax() / plain.means[k].amax());
        let sigma = m.covariance(k) - &plain.sigmas[k];
        worst = worst.max(sigma.amax() / plain.sigmas[k].amax());
    }
    worst
}

fn run(
    shape: Covariance,
    start: &GaussianMixture,
    x: &DMatrix<f64>,
    n: usize,
) -> EmFit {
    let em = Em::new(start.component_count()).covariance(shape);
    let em = em.start(Start::Given(start.clone())).max_iterations(n).tolerance(0.0);
    em.fit(x).unwrap()
}

#[test]
fn every_shape_equals_the_plain_formulas() {
    let mut worst: f64 = 0.0;
    for (x, k) in [(data::iris(), 3), (data::faithful(), 2)] {
        for (shape, seed) in SHAPES.into_iter().flat_map(|s| [(s, 1), (s, 2), (s, 3)])
        {
            let start = random_mixture(shape, &x, k, &mut rng_stream(500, seed));
            let (mut plain, mut trace) = (Plain::from(&start), Vec::new());
            for updates in 1..=50 {
                let (next, log_likelihood) = plain.update(shape, &points(&x));
                plain = next;
                trace.push(log_likelihood);
                if ![1, 5, 50].contains(&updates) {
                    continue;
                }
                let fit = run(shape, &start, &x, updates);
                let off = distance(&fit.mixture, &plain);
                assert!(off < 1e-9, "{shape}, {updates} updates: {off}");
                worst = worst.max(off);
                for (a, b) in fit.trace.iter().zip(&trace) {
                    assert_relative_eq!(a, b, max_relative = 1e-9);
                }
                let (_, last) = plain.update(shape, &points(&x));
                assert_relative_eq!(fit.log_likelihood(), last, max_relative = 1e-9);
                assert_eq!(fit.mixture.shape(), shape);
            }
        }
    }
    println!("worst relative difference: {worst:e}");
}

/// Whether every mixture of the second shape is one of the first.
fn includes(shape: Covariance, other: Covariance) -> bool {
    let [full, _, diagonal, spherical] = SHAPES;
    shape == other || shape == full || (shape, other) == (diagonal, spherical)
}

/// The first update is the plain one, and from a start that is better than any mixture of the
/// fit's shape it alone may fall.
#[test]
fn a_start_of_any_shape_starts_a_fit_of_any_shape() {
    let (x, mut fell) = (data::iris(), 0);
    for (from, to) in SHAPES.into_iter().flat_map(|a| SHAPES.map(|b| (a, b))) {
        // The best of its kind, so that a poorer shape has to begin lower.
        let start = random_mixture(from, &x, 3, &mut rng(501));
        let start = run(from, &start, &x, 30).mixture;
        let (first, log_likelihood) = Plain::from(&start).update(to, &points(&x));
        let fit = run(to, &start, &x, 1);
        assert!(distance(&fit.mixture, &first) < 1e-9, "{from} to {to}");
        assert_relative_eq!(fit.trace[0], log_likelihood, max_relative = 1e-9);
        assert_eq!(fit.mixture.shape(), to);
        let here = run(to, &start, &x, 0).mixture;
        assert!(distance(&here, &Plain::from(&start)) < 1e-14);
        let prior = Prior::for_components(&x, 3).unwrap();
        let em = Em::new(3).covariance(to).start(Start::Given(start.clone()));
        for em in [em.clone(), em.prior(prior.clone())] {
            let fit = em.fit(&x).unwrap();
            assert_eq!((fit.converged, fit.mixture.shape()), (true, to));
            let falls: Vec<usize> = (1..fit.trace.len())
                .filter(|&i| fit.trace[i] < fit.trace[i - 1] - 1e-9)
                .collect();
            assert!(falls.is_empty() || falls == [1] && !includes(to, from));
            fell += falls.len();
        }
        let vb = Vb::new(3).covariance(to).prior(prior).start(Start::Given(start));
        assert!(vb.fit(&x).unwrap().converged);
    }
    assert!(fell > 5);
}

/// A mixture made by hand is of the shape that it says, or none.
#[test]
fn mixtures_are_of_the_shape_that_they_say() -> Result<()> {
    let (full, other) = (dmatrix![2.0, 0.5; 0.5, 1.0], dmatrix![3.0, 0.1; 0.1, 1.0]);
    let (diagonal, sphere) =
        (dmatrix![2.0, 0.0; 0.0, 1.0], dmatrix![2.0, 0.0; 0.0, 2.0]);
    let make = |shape, a: &DMatrix<f64>, b: &DMatrix<f64>| {
        let covariances = vec![a.clone(), b.clone()];
        let means = dmatrix![0.0, 1.0; 2.0, -1.0];
        GaussianMixture::with_shape(dvector![0.25, 0.75], means, covariances, shape)
    };
    let [all, tied, diagonals, spheres] = SHAPES;
    let accepted = [
        (all, &full, &other, 1 + 4 + 6),
        (all, &sphere, &sphere, 1 + 4 + 6),
        (tied, &full, &full, 1 + 4 + 3),
        (diagonals, &diagonal, &sphere, 1 + 4 + 4),
        (spheres, &sphere, &(&sphere * 2.0), 1 + 4 + 2),
    ];
    for (shape, a, b, parameters) in accepted {
        let m = make(shape, a, b)?;
        assert_eq!((m.shape(), m.parameter_count()), (shape, parameters));
        assert_eq!((m.covariance(0), m.covariance(1)), (a, b));
        // The density does not depend on the name of the shape.
        let x = dmatrix![0.3, 0.7; -2.0, 4.0];
        let same = make(all, a, b)?.log_density(&x)?;
        assert_relative_eq!(m.log_density(&x)?, same, max_relative = 1e-14);
    }
    let refused = [
        (tied, &full, &other, "tied"),
        (diagonals, &diagonal, &full, "component 1"),
        (spheres, &diagonal, &sphere, "multiple of the identity"),
        (spheres, &full, &sphere, "component 0"),
    ];
    for (shape, a, b, why) in refused {
        let fault = make(shape, a, b).unwrap_err();
        assert!(matches!(fault, Error::Shape { .. }));
        assert!(fault.to_string().contains(why), "{fault}");
    }
    let negative = dmatrix![-2.0, 0.0; 0.0, -2.0];
    for shape in SHAPES {
        let fault = make(shape, &negative, &negative).unwrap_err();
        assert!(matches!(fault, Error::NotPositiveDefinite { .. }), "{fault}");
        let ragged = make(shape, &sphere, &dmatrix![1.0]);
        assert!(ragged.is_err());
    }
    Ok(())
}

/// What only the D variances are learned from needs no more than that of the data.
#[test]
fn poorer_shapes_fit_data_without_a_full_covariance() -> Result<()> {
    let mut rng = rng(502);
    let wide = clumps(12, 40, 2, &mut rng);
    let mut dependent = clumps(60, 3, 2, &mut rng);
    let sum = dependent.column(0) + dependent.column(1);
    dependent.set_column(2, &sum);
    let mut constant = clumps(60, 3, 2, &mut rng);
    constant.column_mut(1).fill(2.5);
    for (x, shape) in [
        (&wide, Covariance::Diagonal),
        (&wide, Covariance::Spherical),
        (&dependent, Covariance::Diagonal),
        (&dependent, Covariance::Spherical),
        (&constant, Covariance::Spherical),
    ] {
        for start in [Start::KMeansPlusPlus, Start::KMeans, Start::RandomPoints] {
            let em = Em::new(2).covariance(shape).start(start.clone()).seed(3);
            let fit = em.fit(x)?;
            let (_, last) = Plain::from(&fit.mixture).update(shape, &points(x));
            assert_relative_eq!(fit.log_likelihood(), last, max_relative = 1e-9);
            assert!(Em::new(2).covariance(Covariance::Full).fit(x).is_err());
            assert!(Em::new(2).covariance(Covariance::Tied).fit(x).is_err());
            let vb = Vb::new(3).covariance(shape).start(start).seed(3).fit(x)?;
            assert!(vb.converged && vb.elbo().is_finite());
        }
    }
    let fault =
        Em::new(2).covariance(Covariance::Diagonal).fit(&constant).unwrap_err();
    assert!(matches!(fault, Error::Degenerate { .. }), "{fault}");
    assert!(fault.to_string().contains("column 1"), "{fault}");
    Ok(())
}
