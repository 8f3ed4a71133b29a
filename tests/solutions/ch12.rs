use approx::assert_relative_eq;
use mixtures::math::digamma;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::{Em, GaussianMixture, Moments, Prior, Result, Start, Vb, data};

fn notebook_prior() -> Prior {
    Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    }
}

// ANCHOR: one
#[test]
fn one_component_is_exact_after_one_update() -> Result<()> {
    let x = data::notebook();
    let start = Start::Means(dmatrix![100.0, -100.0]);
    let vb = Vb::new(1).prior(notebook_prior()).start(start).tolerance(0.0);
    let (one, two) = (vb.clone().max_iterations(1), vb.max_iterations(2));
    let (one, two) = (one.fit(&x)?.posterior, two.fit(&x)?.posterior);

    let prior = notebook_prior().gaussian_wishart()?;
    let exact = prior.posterior(&Moments::of(&x)?)?;
    for found in [&one.components()[0], &two.components()[0]] {
        assert_relative_eq!(found.m(), exact.m(), max_relative = 1e-12);
        assert_relative_eq!(
            found.wishart().inverse_w(),
            exact.wishart().inverse_w(),
            max_relative = 1e-12
        );
    }
    Ok(())
}
// ANCHOR_END: one

// ANCHOR: back_to_em
#[test]
fn a_million_copies_give_em_back() -> Result<()> {
    let x = data::notebook();
    let copies = DVector::from_element(1000, 1e6);
    let (weights, means, covariances) = data::notebook_truth();
    let start = Start::Given(GaussianMixture::new(weights, means, covariances)?);
    let em = Em::new(3).start(start.clone()).max_iterations(2).tolerance(0.0);
    let vb = Vb::new(3)
        .prior(notebook_prior())
        .start(start)
        .max_iterations(1) // beyond the one that the start's responsibilities make
        .tolerance(0.0);
    let a = em.fit(&x)?.mixture;
    let b = vb.fit_weighted(&x, &copies)?.posterior.expected_mixture();
    assert_relative_eq!(a.weights(), b.weights(), epsilon = 1e-5);
    assert_relative_eq!(a.means(), b.means(), epsilon = 1e-5);
    for k in 0..3 {
        assert_relative_eq!(a.covariance(k), b.covariance(k), epsilon = 1e-5);
    }
    Ok(())
}
// ANCHOR_END: back_to_em

// ANCHOR: half_a_point
#[test]
fn a_discount_of_half_a_point() {
    for alpha in [10.0, 100.0, 1000.0] {
        let excess = digamma(alpha).exp() - (alpha - 0.5);
        assert_relative_eq!(excess, 1.0 / (24.0 * alpha), max_relative = 0.1);
    }
}
// ANCHOR_END: half_a_point

// ANCHOR: empty
#[test]
fn an_empty_component_is_the_prior() -> Result<()> {
    let x = data::notebook();
    let means = dmatrix![1.5, 2.4; 1.4, 3.2; 1000.0, 1000.0];
    let vb = Vb::new(3).prior(notebook_prior()).start(Start::Means(means));
    let first = vb.clone().max_iterations(1).fit(&x)?.posterior;
    assert_eq!(first.components()[2], notebook_prior().gaussian_wishart()?);
    assert_eq!(first.alpha()[2], 1.5);
    let last = vb.fit(&x)?;
    assert_relative_eq!(last.posterior.alpha()[2], 1.554, epsilon = 0.002);

    let all_three = Vb::new(3).prior(notebook_prior()).restarts(10).fit(&x)?;
    assert!(all_three.posterior.alpha().min() > 100.0);
    assert!(all_three.elbo() > last.elbo() + 100.0);
    Ok(())
}
// ANCHOR_END: empty
