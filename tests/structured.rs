//! Distributions of diagonal and spherical precisions, Student-t's with independent coordinates,
//! and what is drawn from a posterior of each shape.

mod common;

use approx::assert_relative_eq;
use common::shapes::*;
use common::*;
use mixtures::math::{rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{
    Concentration, Covariance, GaussianMixture, GaussianWishart, Prior, Result,
    StudentT, Vb, Wishart, data,
};

/// ∫ f over (0, ∞), by the trapezium rule in ln v.
fn over_positive(f: impl Fn(f64) -> f64) -> f64 {
    integral(|t| f(t.exp()) * t.exp(), -40.0, 12.0, 1500)
}

/// ∫ f over the quadrant.
fn over_quadrant(f: impl Fn(f64, f64) -> f64) -> f64 {
    let of = |t: f64, u: f64| f(t.exp(), u.exp()) * (t + u).exp();
    integral(|t| integral(|u| of(t, u), -30.0, 8.0, 300), -30.0, 8.0, 300)
}

#[test]
fn a_diagonal_wishart_by_quadrature() -> Result<()> {
    let q = Wishart::diagonal(3.5, dvector![1.5, 0.4])?;
    let p = Wishart::diagonal(5.0, dvector![0.7, 2.0])?;
    let at = |a: f64, b: f64| dmatrix![a, 0.0; 0.0, b];
    for (q, p) in [(&q, &p), (&p, &q)] {
        let log = |of: &Wishart, a, b| of.log_density(&at(a, b)).unwrap();
        let mean = |f: &dyn Fn(f64, f64) -> f64| {
            over_quadrant(|a, b| log(q, a, b).exp() * f(a, b))
        };
        assert_relative_eq!(mean(&|_, _| 1.0), 1.0, epsilon = 1e-9);
        assert_relative_eq!(q.mean()[(0, 0)], mean(&|a, _| a), max_relative = 1e-9);
        assert_relative_eq!(q.mean()[(1, 1)], mean(&|_, b| b), max_relative = 1e-9);
        assert_eq!(q.mean()[(0, 1)], 0.0);
        let log_det = mean(&|a, b| a.ln() + b.ln());
        assert_relative_eq!(q.expected_log_det(), log_det, max_relative = 1e-9);
        let entropy = mean(&|a, b| -log(q, a, b));
        assert_relative_eq!(q.entropy(), entropy, max_relative = 1e-9);
        let kl = mean(&|a, b| log(q, a, b) - log(p, a, b));
        assert_relative_eq!(q.kl(p)?, kl, max_relative = 1e-9);
        // Gamma(ν/2, (W⁻¹)ⱼⱼ/2) each.
        let gamma = |j: usize, v: f64| {
            let (a, b) = (q.nu() / 2.0, q.inverse_w()[(j, j)] / 2.0);
            a * b.ln() - statrs::function::gamma::ln_gamma(a) + (a - 1.0) * v.ln()
                - b * v
        };
        let product = gamma(0, 0.3) + gamma(1, 2.0);
        assert_relative_eq!(log(q, 0.3, 2.0), product, max_relative = 1e-13);
    }
    Ok(())
}

#[test]
fn a_spherical_wishart_by_quadrature() -> Result<()> {
    let (q, p) = (Wishart::spherical(2.5, 3, 1.3)?, Wishart::spherical(4.0, 3, 0.6)?);
    let at = |v: f64| DMatrix::identity(3, 3) * v;
    for (q, p) in [(&q, &p), (&p, &q)] {
        let log = |of: &Wishart, v| of.log_density(&at(v)).unwrap();
        let mean = |f: &dyn Fn(f64) -> f64| over_positive(|v| log(q, v).exp() * f(v));
        assert_relative_eq!(mean(&|_| 1.0), 1.0, epsilon = 1e-9);
        assert_relative_eq!(q.mean(), at(mean(&|v| v)), max_relative = 1e-9);
        let log_det = mean(&|v| 3.0 * v.ln());
        assert_relative_eq!(q.expected_log_det(), log_det, max_relative = 1e-9);
        assert_relative_eq!(q.entropy(), mean(&|v| -log(q, v)), max_relative = 1e-9);
        let kl = mean(&|v| log(q, v) - log(p, v));
        assert_relative_eq!(q.kl(p)?, kl, max_relative = 1e-9);
    }
    Ok(())
}

#[test]
fn structured_wisharts_by_sampling() -> Result<()> {
    let mut rng = rng(640);
    for q in [
        Wishart::diagonal(3.5, dvector![1.5, 0.4])?,
        Wishart::spherical(2.5, 3, 1.3)?,
        Wishart::diagonal(0.8, dvector![2.0])?,
    ] {
        let d = q.dimension();
        let draws: Vec<DMatrix<f64>> =
            (0..20_000).map(|_| q.sample(&mut rng)).collect();
        for j in 0..d {
            let entry: Vec<f64> = draws.iter().map(|l| l[(j, j)]).collect();
            assert_mean(&entry, q.mean()[(j, j)]);
        }
        let log_det = |l: &DMatrix<f64>| l.diagonal().map(f64::ln).sum();
        let logs: Vec<f64> = draws.iter().map(log_det).collect();
        assert_mean(&logs, q.expected_log_det());
        let entropy = |l: &DMatrix<f64>| -q.log_density(l).unwrap();
        let entropies: Vec<f64> = draws.iter().map(entropy).collect();
        assert_mean(&entropies, q.entropy());
        // Independent, or the same.
        let of = |l: &DMatrix<f64>| {
            (l[(0, 0)] - q.mean()[(0, 0)])
                * (l[(d - 1, d - 1)] - q.mean()[(d - 1, d - 1)])
        };
        let products: Vec<f64> = draws.iter().map(of).collect();
        let variance = 2.0 * q.nu() * q.w()[(0, 0)].powi(2);
        assert_mean(&products, if d == 2 { 0.0 } else { variance });
    }
    Ok(())
}

/// In one dimension all three are the same distribution.
#[test]
fn in_one_dimension_there_is_one_wishart() -> Result<()> {
    let dense = Wishart::from_inverse(2.5, dmatrix![1.3])?;
    let lambda = dmatrix![0.8];
    for q in
        [Wishart::diagonal(2.5, dvector![1.3])?, Wishart::spherical(2.5, 1, 1.3)?]
    {
        assert_relative_eq!(
            q.log_density(&lambda)?,
            dense.log_density(&lambda)?,
            max_relative = 1e-14
        );
        assert_relative_eq!(q.entropy(), dense.entropy(), max_relative = 1e-14);
        assert_relative_eq!(q.mean(), dense.mean(), max_relative = 1e-14);
    }
    Ok(())
}

/// Distributions on different sets of precisions have no finite divergence, and say so.
#[test]
fn structured_wisharts_refuse_what_they_are_not_of() -> Result<()> {
    let diagonal = Wishart::diagonal(3.0, dvector![1.0, 2.0])?;
    let spherical = Wishart::spherical(3.0, 2, 1.0)?;
    let dense = Wishart::new(3.0, DMatrix::identity(2, 2))?;
    assert!(diagonal.log_density(&dmatrix![1.0, 0.1; 0.1, 1.0]).is_err());
    assert!(spherical.log_density(&dmatrix![1.0, 0.0; 0.0, 2.0]).is_err());
    assert!(diagonal.log_density(&dmatrix![1.0]).is_err());
    assert!(Wishart::diagonal(0.0, dvector![1.0]).is_err());
    assert!(Wishart::diagonal(1.0, dvector![1.0, 0.0]).is_err());
    assert!(Wishart::diagonal(1.0, DVector::zeros(0)).is_err());
    assert!(Wishart::spherical(1.0, 0, 1.0).is_err());
    assert!(Wishart::spherical(1.0, 2, f64::NAN).is_err());
    assert!(Wishart::spherical(f64::NAN, 2, 1.0).is_err());
    let all = [&diagonal, &spherical, &dense];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(a.kl(b).is_ok(), i == j, "{i} against {j}");
            let of = |w: &Wishart| {
                GaussianWishart::new(dvector![0.0, 0.0], 1.0, w.clone())
            };
            assert_eq!(of(a)?.kl(&of(b)?).is_ok(), i == j);
        }
    }
    Ok(())
}

#[test]
fn independent_student_ts() -> Result<()> {
    let t = StudentT::independent(5.0, dvector![1.0, -2.0], dvector![1.5, 0.2])?;
    let alone = [
        StudentT::new(5.0, dvector![1.0], dmatrix![1.5])?,
        StudentT::new(5.0, dvector![-2.0], dmatrix![0.2])?,
    ];
    let product = |x: &[f64]| -> f64 {
        (0..2).map(|j| alone[j].log_density(&dmatrix![x[j]]).unwrap()[0]).sum()
    };
    let mut rng = rng(650);
    let x = t.sample(20_000, &mut rng);
    let densities = t.log_density(&x)?;
    for n in 0..50 {
        let both = product(&[x[(n, 0)], x[(n, 1)]]);
        assert_relative_eq!(densities[n], both, max_relative = 1e-13);
    }
    let entropy: Vec<f64> = densities.iter().map(|l| -l).collect();
    assert_mean(&entropy, t.entropy());
    let sum = alone[0].entropy() + alone[1].entropy();
    assert_relative_eq!(t.entropy(), sum, max_relative = 1e-13);
    let covariance = t.covariance().unwrap();
    for j in 0..2 {
        assert_mean(x.column(j).as_slice(), t.mean().unwrap()[j]);
        let squares: Vec<f64> =
            x.column(j).iter().map(|v| (v - t.location()[j]).powi(2)).collect();
        assert_mean(&squares, covariance[(j, j)]);
    }
    // Independent: their sizes, too, are uncorrelated, which those of a joint one are not.
    let size =
        |x: &DMatrix<f64>, n: usize, j: usize| (x[(n, j)] - t.location()[j]).abs();
    let correlation = |x: &DMatrix<f64>| -> Vec<f64> {
        let mean =
            |j| (0..x.nrows()).map(|n| size(x, n, j)).sum::<f64>() / x.nrows() as f64;
        let (a, b) = (mean(0), mean(1));
        (0..x.nrows()).map(|n| (size(x, n, 0) - a) * (size(x, n, 1) - b)).collect()
    };
    assert_mean(&correlation(&x), 0.0);
    let joint =
        StudentT::new(5.0, dvector![1.0, -2.0], dmatrix![1.5, 0.0; 0.0, 0.2])?;
    let (mean, error) = mean_and_error(&correlation(&joint.sample(20_000, &mut rng)));
    assert!(mean > 5.0 * error);
    assert!(StudentT::independent(5.0, dvector![1.0], dvector![1.0, 2.0]).is_err());
    assert!(StudentT::independent(5.0, dvector![1.0], dvector![-1.0]).is_err());
    assert!(StudentT::independent(0.0, dvector![1.0], dvector![1.0]).is_err());
    Ok(())
}

const PROCESS: Concentration = Concentration::DirichletProcess { alpha: 1.0 };

/// A draw from a posterior is a mixture of its shape; on the average it is the expected one.
#[test]
fn posteriors_draw_mixtures_of_their_shape() -> Result<()> {
    let x = data::iris().columns(0, 3).into_owned();
    let prior = Prior { nu0: 9.0, ..Prior::from_data(&x)? };
    for (shape, kind) in
        SHAPES.into_iter().flat_map(|s| [(s, Concentration::Dirichlet), (s, PROCESS)])
    {
        let vb =
            Vb::new(2).covariance(shape).concentration(kind).prior(prior.clone());
        let q = vb.seed(1).fit(&x)?.posterior;
        let mut rng = rng_stream(670, 0);
        let draws: Vec<GaussianMixture> =
            (0..4000).map(|_| q.sample(&mut rng)).collect::<Result<_>>()?;
        let (k, d) = (2, 3);
        for draw in &draws {
            assert_eq!(draw.shape(), shape);
            for k in 0..k {
                let sigma = draw.covariance(k);
                let expected = shaped(shape, sigma);
                assert!((sigma - expected).amax() <= 1e-15 * sigma.amax());
                let tied = shape == Covariance::Tied;
                assert!(k == 0 || (sigma == draw.covariance(0)) == tied);
            }
            // Itself a mixture of that shape, as one would make it.
            let covariances = (0..k).map(|k| draw.covariance(k).clone()).collect();
            let (weights, means) = (draw.weights().clone(), draw.means().clone());
            let same =
                GaussianMixture::with_shape(weights, means, covariances, shape);
            assert!(same.is_ok());
        }
        let of = |f: &dyn Fn(&GaussianMixture) -> f64| -> Vec<f64> {
            draws.iter().map(f).collect()
        };
        for k in 0..k {
            assert_mean(&of(&|m| m.weights()[k]), q.weights().mean()[k]);
            let wishart = q.components()[k].wishart();
            for j in 0..d {
                assert_mean(&of(&|m| m.means()[(k, j)]), q.means()[(k, j)]);
                let precision = |m: &GaussianMixture| {
                    m.covariance(k).clone().try_inverse().unwrap()[(j, j)]
                };
                assert_mean(&of(&precision), wishart.mean()[(j, j)]);
                // The mean's spread: E (μ − m)²= E σ²/β, with the draw's own σ².
                let excess = |m: &GaussianMixture| {
                    (m.means()[(k, j)] - q.means()[(k, j)]).powi(2)
                        - m.covariance(k)[(j, j)] / q.beta()[k]
                };
                assert_mean(&of(&excess), 0.0);
            }
        }
        // Drawn points have the predictive's density: E p(x | draw) = p(x | X).
        let at = x.row(75).into_owned();
        let at = DMatrix::from_row_slice(1, 3, at.as_slice());
        let densities = of(&|m| m.log_density(&at).unwrap()[0].exp());
        assert_mean(&densities, q.predictive().log_density(&at)?[0].exp());
    }
    Ok(())
}
