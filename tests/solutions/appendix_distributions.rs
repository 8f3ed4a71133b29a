//! Solutions of the exercises of the appendix on distributions.

use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Dirichlet, Result, Wishart};

// ANCHOR: merge
#[test]
fn merged_weights_are_dirichlet() -> Result<()> {
    let mut rng = rng(1);
    let all = Dirichlet::new(dvector![0.5, 2.0, 1.5])?;
    let merged = Dirichlet::new(dvector![0.5, 3.5])?;
    // Both have the same E ln π₁, and the same E ln(1 − π₁) by sampling.
    assert!((all.expected_log()[0] - merged.expected_log()[0]).abs() < 1e-14);
    let logs: Vec<f64> =
        (0..20_000).map(|_| (-all.sample(&mut rng)[0]).ln_1p()).collect();
    let mean = logs.iter().sum::<f64>() / 20_000.0;
    assert!((mean - merged.expected_log()[1]).abs() < 0.01);
    Ok(())
}
// ANCHOR_END: merge

// ANCHOR: mode
#[test]
fn peak_of_the_wishart() -> Result<()> {
    let w = dmatrix![0.8, -0.3; -0.3, 0.4];
    let wishart = Wishart::new(5.5, w.clone())?;
    let peak = w * (5.5 - 2.0 - 1.0);
    let highest = wishart.log_density(&peak)?;
    for change in [
        dmatrix![1.0, 0.0; 0.0, 0.0],
        dmatrix![0.0, 1.0; 1.0, 0.0],
        dmatrix![0.0, 0.0; 0.0, 1.0],
    ] {
        for step in [-0.1, -0.001, 0.001, 0.1] {
            assert!(wishart.log_density(&(&peak + &change * step))? < highest);
        }
    }
    Ok(())
}
// ANCHOR_END: mode

// ANCHOR: inverse
#[test]
fn expected_covariance() -> Result<()> {
    let mut rng = rng(3);
    let wishart = Wishart::new(12.5, dmatrix![0.8, -0.3; -0.3, 0.4])?;
    let draws = 20_000;
    let mut sum = DMatrix::zeros(2, 2);
    for _ in 0..draws {
        let lambda = wishart.sample(&mut rng);
        sum += lambda.try_inverse().expect("positive definite");
    }
    let expected = wishart.inverse_w() / (12.5 - 2.0 - 1.0);
    let difference: DMatrix<f64> = sum / f64::from(draws) - &expected;
    assert!(difference.amax() < 0.02 * expected.amax());
    // By more than the inverse of the mean, in every direction.
    let gap = expected - wishart.inverse_w() / 12.5;
    let eigenvalues: DVector<f64> = gap.symmetric_eigenvalues();
    assert!(eigenvalues.min() > 0.0);
    Ok(())
}
// ANCHOR_END: inverse
