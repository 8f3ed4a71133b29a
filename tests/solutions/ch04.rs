use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, Gaussian, GaussianMixture, Result, Start, data};

// ANCHOR: one
#[test]
fn one_component_needs_one_update() -> Result<()> {
    let x = data::faithful();
    let start = GaussianMixture::new(
        dvector![1.0],
        dmatrix![9.0, 9.0],
        vec![DMatrix::identity(2, 2)],
    )?;
    let run = |updates| {
        Em::new(1)
            .start(Start::Given(start.clone()))
            .max_iterations(updates)
            .tolerance(0.0)
            .fit(&x)
    };
    let (one, two) = (run(1)?, run(2)?);
    let expected = Gaussian::fit(&x)?;
    assert_relative_eq!(
        *one.mixture.covariance(0),
        *expected.covariance(),
        max_relative = 1e-12
    );
    assert_relative_eq!(
        one.log_likelihood(),
        two.log_likelihood(),
        max_relative = 1e-14
    );
    Ok(())
}
// ANCHOR_END: one

// ANCHOR: twins
#[test]
fn twins_stay_twins() -> Result<()> {
    let x = data::faithful();
    let sigma = dmatrix![1.0, 0.0; 0.0, 100.0];
    let start = GaussianMixture::new(
        dvector![0.3, 0.7],
        dmatrix![2.0, 60.0; 2.0, 60.0],
        vec![sigma; 2],
    )?;
    let fit = Em::new(2).start(Start::Given(start)).max_iterations(50).fit(&x)?;
    assert_relative_eq!(
        fit.mixture.means().row(0),
        fit.mixture.means().row(1),
        max_relative = 1e-12
    );
    let alone = Gaussian::fit(&x)?.log_density(&x)?.sum();
    assert_relative_eq!(fit.log_likelihood(), alone, max_relative = 1e-12);
    Ok(())
}
// ANCHOR_END: twins

// ANCHOR: moments
#[test]
fn the_mixture_has_the_moments_of_the_data() -> Result<()> {
    let x = data::faithful();
    let data = Gaussian::fit(&x)?;
    for updates in 1..=5 {
        let m = Em::new(3).seed(1).max_iterations(updates).fit(&x)?.mixture;
        let mean: DVector<f64> = m.means().transpose() * m.weights();
        assert_relative_eq!(mean, *data.mean(), max_relative = 1e-12);
        let covariance: DMatrix<f64> = (0..3)
            .map(|k| {
                let gap = m.means().row(k).transpose() - &mean;
                (m.covariance(k) + &gap * gap.transpose()) * m.weights()[k]
            })
            .sum();
        assert_relative_eq!(covariance, *data.covariance(), max_relative = 1e-11);
    }
    Ok(())
}
// ANCHOR_END: moments

// ANCHOR: stationary
/// The largest entry of Σₖ⁻¹ Σₙ rₙₖ (xₙ − μₖ) and ½ Σₙ rₙₖ (Σₖ − (xₙ − μₖ)(xₙ −
/// μₖ)ᵀ), over k.
fn largest_slope(m: &GaussianMixture, x: &DMatrix<f64>) -> Result<f64> {
    let r = m.responsibilities(x)?;
    let mut largest = 0.0_f64;
    for (k, component) in m.components().iter().enumerate() {
        let mut mean = DVector::zeros(2);
        let mut precision = DMatrix::zeros(2, 2);
        for (row, r) in x.row_iter().zip(r.column(k).iter()) {
            let residual = row.transpose() - component.mean();
            precision += (component.covariance() - &residual * residual.transpose())
                * (0.5 * r);
            mean += residual * *r;
        }
        let whitened = component.factor().whiten(&mean);
        largest = largest.max(whitened.amax()).max(precision.amax());
    }
    Ok(largest)
}

#[test]
fn the_gradient_vanishes() -> Result<()> {
    let x = data::faithful();
    let after = |updates: usize| {
        let fit =
            Em::new(2).seed(0).max_iterations(updates).tolerance(0.0).fit(&x)?;
        largest_slope(&fit.mixture, &x)
    };
    assert!(after(0)? > 100.0);
    assert!(after(100)? < 1e-7);
    Ok(())
}
// ANCHOR_END: stationary
