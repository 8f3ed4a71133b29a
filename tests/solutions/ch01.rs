use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, dmatrix, dvector};
use mixtures::{Gaussian, Result, data};

// ANCHOR: divisor
#[test]
fn the_divisor_n_is_too_large_on_average() -> Result<()> {
    let standard = Gaussian::new(dvector![0.0], dmatrix![1.0])?;
    let mut rng = rng(1);
    let (sets, n) = (20_000, 5);
    let mut sum = 0.0;
    for _ in 0..sets {
        sum += Gaussian::fit(&standard.sample(n, &mut rng))?.covariance()[(0, 0)];
    }
    assert_relative_eq!(sum / sets as f64, 0.8, epsilon = 0.02);
    Ok(())
}
// ANCHOR_END: divisor

// ANCHOR: diagonal
#[test]
fn the_best_diagonal_is_the_diagonal() -> Result<()> {
    let x = data::faithful();
    let full = Gaussian::fit(&x)?;
    let variances = full.covariance().diagonal();
    let total = |scale: [f64; 2]| -> Result<f64> {
        let sigma = DMatrix::from_diagonal(
            &variances.component_mul(&dvector![scale[0], scale[1]]),
        );
        Ok(Gaussian::new(full.mean().clone(), sigma)?.log_density(&x)?.sum())
    };
    let best = total([1.0, 1.0])?;
    for worse in [[1.01, 1.0], [0.99, 1.0], [1.0, 1.01], [1.0, 0.99]] {
        assert!(total(worse)? < best);
    }
    let log_volumes = variances.map(f64::ln).sum() - full.factor().log_det();
    let fall = full.log_density(&x)?.sum() - best;
    assert_relative_eq!(fall, 0.5 * 272.0 * log_volumes, max_relative = 1e-10);
    Ok(())
}
// ANCHOR_END: diagonal

// ANCHOR: distances
#[test]
fn the_mean_squared_distance_is_the_dimension() -> Result<()> {
    let x = data::faithful();
    let fit = Gaussian::fit(&x)?;
    let squared = x.row_iter().map(|row| {
        fit.factor().whiten(&(row.transpose() - fit.mean())).norm_squared()
    });
    assert_relative_eq!(squared.sum::<f64>() / 272.0, 2.0, max_relative = 1e-12);
    Ok(())
}
// ANCHOR_END: distances
