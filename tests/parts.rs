//! Marginals, conditionals, a canonical order, and the divergence of Gaussians.

mod common;

use approx::assert_relative_eq;
use common::*;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Covariance, Em, Gaussian, GaussianMixture, Result, data};

fn three_dimensional() -> GaussianMixture {
    let mut rng = rng(90);
    let sigma = (0..3).map(|_| random_covariance(3, &mut rng)).collect();
    let means = DMatrix::from_fn(3, 3, |_, _| 2.0 * noise(1, &mut rng)[0]);
    GaussianMixture::new(dvector![0.2, 0.5, 0.3], means, sigma).unwrap()
}

/// ∫ p(a, b) db, and p(a, b)/p(a), by quadrature.
#[test]
fn marginals_and_conditionals_are_integrals_and_ratios() -> Result<()> {
    let whole = three_dimensional();
    let density = |m: &GaussianMixture, at: &[f64]| {
        let row = DMatrix::from_row_slice(1, at.len(), at);
        m.log_density(&row).unwrap()[0].exp()
    };
    // Columns in another order than the mixture's.
    let marginal = whole.marginal(&[2, 0])?;
    for (a, b) in [(0.3, -1.0), (2.0, 1.5)] {
        let over = integral(|y| density(&whole, &[b, y, a]), -30.0, 30.0, 6000);
        assert_relative_eq!(density(&marginal, &[a, b]), over, max_relative = 1e-9);
        let conditional = whole.conditional(&[2, 0], &dvector![a, b])?;
        for y in [-2.0, 0.5] {
            let ratio = density(&whole, &[b, y, a]) / over;
            assert_relative_eq!(
                density(&conditional, &[y]),
                ratio,
                max_relative = 1e-8
            );
        }
        let mean = integral(|y| y * density(&conditional, &[y]), -30.0, 30.0, 6000);
        assert_relative_eq!(conditional.mean()[0], mean, max_relative = 1e-8);
    }
    // One known column leaves two, in their order.
    let conditional = whole.conditional(&[1], &dvector![0.7])?;
    let known = whole.marginal(&[1])?;
    let ratio = density(&whole, &[0.1, 0.7, -0.4]) / density(&known, &[0.7]);
    assert_relative_eq!(
        density(&conditional, &[0.1, -0.4]),
        ratio,
        max_relative = 1e-12
    );
    // Far away the weights underflow, but not their logarithms.
    let far = whole.conditional(&[1], &dvector![1e5])?;
    assert_relative_eq!(far.weights().sum(), 1.0, max_relative = 1e-12);
    Ok(())
}

#[test]
fn sorting_changes_the_names_and_nothing_else() -> Result<()> {
    let x = data::notebook();
    let (a, b) = (Em::new(3).restarts(10).seed(1), Em::new(3).restarts(10).seed(5));
    let (a, b) =
        (a.tolerance(1e-12).fit(&x)?.mixture, b.tolerance(1e-12).fit(&x)?.mixture);
    let (a, b) = (a.sorted(), b.sorted());
    assert!(a.weights()[0] > a.weights()[1] && a.weights()[1] > a.weights()[2]);
    assert_relative_eq!(a.means(), b.means(), epsilon = 1e-4);
    assert_relative_eq!(a.covariance(2), b.covariance(2), epsilon = 1e-4);
    assert_eq!(a.sorted(), a);
    let twins = GaussianMixture::new(
        dvector![0.5, 0.5],
        dmatrix![1.0, 5.0; 1.0, -5.0],
        vec![DMatrix::identity(2, 2); 2],
    )?;
    assert_eq!(twins.sorted().means()[(0, 1)], -5.0);
    let before = twins.log_density(&x)?;
    assert_relative_eq!(
        twins.sorted().log_density(&x)?,
        before,
        max_relative = 1e-14
    );
    Ok(())
}

#[test]
fn the_divergence_of_gaussians() -> Result<()> {
    let mut rng = rng(91);
    let one = Gaussian::new(noise(3, &mut rng), random_covariance(3, &mut rng))?;
    let two = Gaussian::new(noise(3, &mut rng), random_covariance(3, &mut rng))?;
    let x = one.sample(40_000, &mut rng);
    let log_ratio = one.log_density(&x)? - two.log_density(&x)?;
    assert_mean(log_ratio.as_slice(), one.kl(&two)?);
    assert!(one.kl(&one)? < 1e-30);
    let near = Gaussian::new(one.mean().clone(), one.covariance() * (1.0 + 1e-6))?;
    assert_relative_eq!(one.kl(&near)?, 0.75e-12, max_relative = 1e-3); // ¼ D ε²
    Ok(())
}

#[test]
fn columns_that_cannot_be() {
    let m = three_dimensional();
    let says = |fault: Result<GaussianMixture>, word: &str| {
        let text = fault.unwrap_err().to_string();
        assert!(text.contains(word), "{word}: {text}");
    };
    says(m.marginal(&[]), "at least one");
    says(m.marginal(&[0, 3]), "0 to 2 only");
    says(m.marginal(&[1, 1]), "chosen once");
    says(m.conditional(&[0, 1, 2], &DVector::zeros(3)), "must be left");
    says(m.conditional(&[0], &DVector::zeros(2)), "length 1");
    says(m.conditional(&[0], &dvector![f64::NAN]), "NaN");
    says(m.conditional(&[0], &dvector![1e150]), "below 1e140");
    assert!(m.conditional(&[0], &dvector![1e139]).is_ok());
    let flat = Gaussian::new(dvector![0.0], dmatrix![1.0]).unwrap();
    assert!(m.components()[0].kl(&flat).is_err());
}

/// A covariance that is not square is an error in every shape.
#[test]
fn covariances_that_are_not_square_are_refused() {
    for shape in Covariance::ALL {
        for bad in [dmatrix![1.0, 0.0, 0.0; 0.0, 1.0, 0.0], dmatrix![1.0; 0.0]] {
            let means = DMatrix::zeros(1, bad.nrows());
            let mixture =
                GaussianMixture::with_shape(dvector![1.0], means, vec![bad], shape);
            let text = mixture.unwrap_err().to_string();
            assert!(text.contains("covariance of component 0"), "{shape}: {text}");
        }
    }
}
