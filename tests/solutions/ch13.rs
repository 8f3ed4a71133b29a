use approx::assert_relative_eq;
use mixtures::nalgebra::{DMatrix, DVector, dvector};
use mixtures::{Dirichlet, Em, Posterior, Prior, Result, Vb, data};

fn notebook_prior() -> Prior {
    Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    }
}

// ANCHOR: two_points
#[test]
fn together_or_apart() -> Result<()> {
    let probability = |a: f64, counts: DVector<f64>| -> Result<f64> {
        let before = Dirichlet::new(dvector![a, a])?;
        let after = Dirichlet::new(before.concentration() + counts)?;
        Ok((before.log_normaliser() - after.log_normaliser()).exp())
    };
    for a in [1e-6, 0.5, 1.0, 1e6] {
        let together = probability(a, dvector![2.0, 0.0])?;
        let apart = probability(a, dvector![1.0, 1.0])?;
        let b = 2.0 * (2.0 * a + 1.0);
        assert_relative_eq!(together, (a + 1.0) / b, max_relative = 1e-6);
        assert_relative_eq!(apart, a / b, max_relative = 1e-6);
        assert_relative_eq!(2.0 * together + 2.0 * apart, 1.0, max_relative = 1e-6);
    }
    Ok(())
}
// ANCHOR_END: two_points

// ANCHOR: three_or_six
#[test]
fn three_components_beat_six() -> Result<()> {
    let x = data::notebook();
    let vb = |k| Vb::new(k).prior(notebook_prior()).restarts(10).fit(&x);
    assert!(vb(3)?.elbo() > vb(6)?.elbo() + 5.0);
    let em = |k| Em::new(k).restarts(10).fit(&x);
    assert!(em(6)?.log_likelihood() > em(3)?.log_likelihood());
    Ok(())
}
// ANCHOR_END: three_or_six

// ANCHOR: hard_labels
#[test]
fn hard_labels_cost_their_entropy() -> Result<()> {
    let x = data::notebook();
    let fit =
        Vb::new(3).prior(notebook_prior()).restarts(10).tolerance(1e-9).fit(&x)?;
    let z = fit.posterior.predict(&x)?;
    let hard = DMatrix::from_fn(1000, 3, |n, k| if z[n] == k { 1.0 } else { 0.0 });
    let q = Posterior::from_responsibilities(&notebook_prior(), &x, &hard)?;
    let loss = fit.elbo() - q.elbo_with(&x, &hard)?;
    let r = fit.posterior.responsibilities(&x)?;
    let entropy = fit.posterior.elbo_terms(&x, &r)?.label_entropy;
    assert!(0.0 < loss && (loss - entropy).abs() < 0.5 * entropy);
    Ok(())
}
// ANCHOR_END: hard_labels

// ANCHOR: half_a_step
#[test]
fn the_collapsed_form_is_half_a_step_ahead() -> Result<()> {
    let x = data::notebook();
    let vb = Vb::new(3).prior(notebook_prior()).seed(3).tolerance(0.0);
    let q = vb.max_iterations(4).fit(&x)?.posterior;
    let r = q.responsibilities(&x)?;
    let next = Posterior::from_responsibilities(&notebook_prior(), &x, &r)?;
    let new = next.responsibilities(&x)?;
    let bonus: f64 = r
        .iter()
        .zip(&new)
        .filter(|(r, _)| **r > 0.0)
        .map(|(r, s)| r * (r / s).ln())
        .sum();
    let ahead = next.elbo(&x)? - next.elbo_with(&x, &r)?;
    assert!(bonus > 0.0);
    assert_relative_eq!(ahead, bonus, max_relative = 1e-6);
    Ok(())
}
// ANCHOR_END: half_a_step
