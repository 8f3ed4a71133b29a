use approx::assert_relative_eq;
use mixtures::math::{digamma, ln_gamma};
use mixtures::nalgebra::{DMatrix, dmatrix};
use mixtures::{Moments, Posterior, Prior, Result, Vb, data};

// ANCHOR: one_point
#[test]
fn one_point_has_k_names() -> Result<()> {
    let prior = Prior { alpha0: 0.3, ..Prior::from_data(&data::faithful())? };
    let x = dmatrix![3.0, 60.0];
    let exact = prior.gaussian_wishart()?.log_evidence(&Moments::of(&x)?)?;
    for k in 1..6_usize {
        let r = DMatrix::from_fn(1, k, |_, j| if j == 0 { 1.0 } else { 0.0 });
        let q = Posterior::from_responsibilities(&prior, &x, &r)?;
        let bound = q.elbo_with(&x, &r)?;
        let k = k as f64;
        let (all, empty) = (ln_gamma(k + 1.0), ln_gamma(k)); // ln K!, ln (K−1)!
        assert_relative_eq!(bound + all - empty, exact, epsilon = 1e-10);
        assert_relative_eq!(bound + all, exact + empty, epsilon = 1e-10);
    }
    Ok(())
}
// ANCHOR_END: one_point

// ANCHOR: weights_alone
#[test]
fn equal_weights_are_stable_above_one_half() {
    let points = 100.0;
    let end = |alpha0: f64| {
        (0..20_000).fold(0.45_f64, |s, _| {
            let first = digamma(alpha0 + s * points);
            let second = digamma(alpha0 + (1.0 - s) * points);
            1.0 / (1.0 + (second - first).exp())
        })
    };
    assert!(end(0.4) < 0.01);
    assert_relative_eq!(end(0.6), 0.5, epsilon = 1e-6);
}
// ANCHOR_END: weights_alone

// ANCHOR: room_for_two
#[test]
fn more_components_have_more_room_for_two() -> Result<()> {
    let x = data::faithful();
    let n = x.nrows() as f64;
    // ln of K!/(K−2)! Γ(Kα₀)/Γ(Kα₀ + N).
    let room = |k: f64, alpha0: f64| {
        (k * (k - 1.0)).ln() + ln_gamma(k * alpha0) - ln_gamma(k * alpha0 + n)
    };
    let corrected = |k: usize| -> Result<f64> {
        let fit = Vb::new(k).restarts(5).seed(7).tolerance(1e-10).fit(&x)?;
        Ok(fit.elbo() + ((k * (k - 1)) as f64).ln())
    };
    let rise = corrected(6)? - corrected(2)?;
    assert_relative_eq!(rise, room(6.0, 0.01) - room(2.0, 0.01), epsilon = 1e-4);
    assert_relative_eq!(rise, 1.365, epsilon = 1e-3);
    let limit = room(6.0, 1e-7) - room(2.0, 1e-7);
    assert_relative_eq!(limit, 5.0_f64.ln(), epsilon = 1e-4);
    Ok(())
}
// ANCHOR_END: room_for_two

// ANCHOR: infinitely_many
#[test]
fn infinitely_many_components_of_which_few_are_used() {
    let (a, n) = (2.0, 272.0);
    let expected = |k: f64| {
        let others = a * (1.0 - 1.0 / k);
        let log_empty =
            ln_gamma(a) - ln_gamma(others) + ln_gamma(n + others) - ln_gamma(n + a);
        k * (1.0 - log_empty.exp())
    };
    let limit: f64 = (0..272).map(|n| a / (a + f64::from(n))).sum();
    assert_relative_eq!(expected(1e5), limit, max_relative = 1e-3);
    assert!((limit - a * n.ln()).abs() < 2.0);
}
// ANCHOR_END: infinitely_many
