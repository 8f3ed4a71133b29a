use approx::assert_relative_eq;
use mixtures::math::{digamma, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::rand::RngExt;
use mixtures::rand_distr::StandardNormal;
use mixtures::{Em, GaussianMixture, Prior, Result, Start, data};

// ANCHOR: shared
#[test]
fn a_shared_variance_cannot_collapse() -> Result<()> {
    let x = dmatrix![0.0; 0.1; 0.7; 1.0; 1.6; 2.0];
    let log_likelihood = |sigma: f64, shared: bool| -> Result<f64> {
        let other = if shared { sigma } else { 1.0 };
        let m = GaussianMixture::new(
            dvector![0.5, 0.5],
            dmatrix![0.0; 1.0],
            vec![dmatrix![sigma * sigma], dmatrix![other * other]],
        )?;
        Ok(m.log_density(&x)?.sum())
    };
    for digits in 2..6 {
        let (wide, thin) = (0.1_f64.powi(digits), 0.1_f64.powi(digits + 1));
        assert!(log_likelihood(thin, false)? > log_likelihood(wide, false)?);
        assert!(log_likelihood(thin, true)? < 90.0 * log_likelihood(wide, true)?);
    }
    Ok(())
}
// ANCHOR_END: shared

// ANCHOR: three
/// N times the expected loss at a new point, for a mean and a variance from N points.
fn expected_loss(n: f64) -> f64 {
    0.5 * n
        * (digamma(0.5 * (n - 1.0)) + (2.0 / n).ln() + (n + 1.0) / (n - 3.0) - 1.0)
}

#[test]
fn few_points_predict_badly() {
    let mut rng = rng(7);
    for n in [12_usize, 50] {
        let trials = 40_000;
        let mut total = 0.0;
        for _ in 0..trials {
            let x: Vec<f64> = (0..n).map(|_| rng.sample(StandardNormal)).collect();
            let mean = x.iter().sum::<f64>() / n as f64;
            let s2 = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            // ln N(x | 0, 1) − ln N(x | x̄, s²), averaged over a new x.
            let loss = 0.5 * (s2.ln() + (1.0 + mean * mean) / s2 - 1.0);
            total += n as f64 * loss;
        }
        let average = total / f64::from(trials);
        assert_relative_eq!(average, expected_loss(n as f64), max_relative = 0.03);
    }
    assert!(expected_loss(3.01) > 500.0 && expected_loss(4.0) > 6.0);
    assert_relative_eq!(expected_loss(1e4), 1.0, max_relative = 1e-3);
}
// ANCHOR_END: three

// ANCHOR: take_off
#[test]
fn the_likelihood_flatters_by_the_number_of_parameters() -> Result<()> {
    let truth = Em::new(2).restarts(10).seed(7).fit(&data::faithful())?.mixture;
    let (samples, n) = (400, 300);
    let mut total = 0.0;
    for sample in 0..samples {
        let mut rng = rng_stream(8, sample);
        let (x, _) = truth.sample(n, &mut rng);
        let (fresh, _) = truth.sample(n, &mut rng);
        let fit = Em::new(2).start(Start::Given(truth.clone())).fit(&x)?.mixture;
        // Relative to the truth's, which is on average the same on both.
        let above = |x: &DMatrix<f64>| -> Result<f64> {
            Ok((fit.log_density(x)? - truth.log_density(x)?).sum())
        };
        total += above(&x)? - above(&fresh)?;
    }
    let flattery = total / samples as f64;
    assert!((flattery - 11.0).abs() < 1.0, "{flattery}");
    Ok(())
}
// ANCHOR_END: take_off

// ANCHOR: petals
#[test]
fn a_prior_has_a_width_for_equal_petals() -> Result<()> {
    let width: DMatrix<f64> = data::iris().columns(3, 1).into_owned();
    assert!(Em::new(6).restarts(40).seed(1).fit(&width).is_err());
    let prior = Prior::for_components(&width, 6)?;
    let fit = Em::new(6).restarts(40).seed(1).prior(prior).fit(&width)?;
    assert!(fit.restarts.iter().all(|end| end.is_some()));
    let deviations = (0..6).map(|k| fit.mixture.covariance(k)[(0, 0)].sqrt());
    let thinnest = deviations.fold(f64::INFINITY, f64::min);
    assert!(thinnest > 0.02 && thinnest < 0.1, "{thinnest}");
    Ok(())
}
// ANCHOR_END: petals
