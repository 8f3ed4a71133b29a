use approx::assert_relative_eq;
use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::rand::RngExt;
use mixtures::rand::seq::SliceRandom;
use mixtures::rand_distr::StandardNormal;
use mixtures::{Em, Result, data};

// ANCHOR: units
#[test]
fn units_shift_every_criterion_alike() -> Result<()> {
    let x = data::faithful();
    let (em, seconds) = (|k| Em::new(k).restarts(5).seed(7), &x * 60.0);
    for k in 1..=3 {
        let minutes = em(k).fit(&x)?.mixture;
        let other = em(k).fit(&seconds)?.mixture;
        let shift = 2.0 * 272.0 * 2.0 * 60.0_f64.ln();
        let (bic, icl) = (minutes.bic(&x)?, minutes.icl(&x)?);
        assert_relative_eq!(other.bic(&seconds)?, bic + shift, max_relative = 1e-9);
        assert_relative_eq!(other.icl(&seconds)?, icl + shift, max_relative = 1e-9);
    }
    Ok(())
}
// ANCHOR_END: units

// ANCHOR: small
#[test]
fn with_few_points_the_optimism_is_more_than_two() {
    let mut rng = rng(99);
    for n in [8, 12, 30] {
        let size = f64::from(n);
        let optimism = |_| {
            let x = DVector::from_fn(n as usize, |_, _| {
                rng.sample::<f64, _>(StandardNormal)
            });
            let (mean, variance) = (x.mean(), x.variance()); // divisor N
            // N/2 ((1 + x̄²)/s² − 1): what is lost on N fresh points, on average.
            size / 2.0 * ((1.0 + mean * mean) / variance - 1.0)
        };
        let all: Vec<f64> = (0..100_000).map(optimism).collect();
        let average = all.iter().sum::<f64>() / 1e5;
        let exact = 2.0 * size / (size - 3.0);
        assert!((average / exact - 1.0).abs() < 0.03, "{average} {exact}");
    }
}
// ANCHOR_END: small

// ANCHOR: copies
/// The log likelihood of rows held out in ten folds.
fn held_out(x: &DMatrix<f64>, k: usize) -> Result<f64> {
    let mut fold_of: Vec<usize> = (0..x.nrows()).map(|i| i % 10).collect();
    fold_of.shuffle(&mut rng(5));
    let mut total = 0.0;
    for fold in 0..10 {
        let (held, kept): (Vec<usize>, Vec<usize>) =
            (0..x.nrows()).partition(|&n| fold_of[n] == fold);
        let fit = Em::new(k).restarts(10).seed(7).fit(&x.select_rows(&kept))?;
        total += fit.mixture.log_density(&x.select_rows(&held))?.sum();
    }
    Ok(total)
}

#[test]
fn copies_deceive() -> Result<()> {
    let x = data::faithful().rows(0, 100).into_owned();
    let thrice = DMatrix::from_fn(300, 2, |n, j| x[(n % 100, j)]);
    let prefers_more = |x: &DMatrix<f64>| {
        Ok::<_, mixtures::Error>(held_out(x, 5)? > held_out(x, 2)?)
    };
    assert!(!prefers_more(&x)?);
    assert!(prefers_more(&thrice)?);
    let bic =
        |x: &DMatrix<f64>, k| Em::new(k).restarts(10).seed(7).fit(x)?.mixture.bic(x);
    assert!(bic(&x, 5)? > bic(&x, 2)?);
    assert!(bic(&thrice, 5)? < bic(&thrice, 2)?);
    Ok(())
}
// ANCHOR_END: copies

// ANCHOR: flowers
#[test]
fn a_few_more_flowers_and_bic_says_three() -> Result<()> {
    let x = data::iris();
    let em = |k| Em::new(k).restarts(10).seed(7);
    let gain = em(3).fit(&x)?.log_likelihood() - em(2).fit(&x)?.log_likelihood();
    let three_is_better = |n: f64| 2.0 * gain * n / 150.0 > 15.0 * n.ln();
    assert!(!three_is_better(168.0) && three_is_better(169.0));
    // Two components, or three, for 150 and for 180 flowers, by weights.
    for (n, better) in [(150.0, 2), (180.0, 3)] {
        let w = DVector::from_element(150, n / 150.0);
        let bic = |k: usize| -> Result<f64> {
            let fit = em(k).fit_weighted(&x, &w)?;
            let parameters = fit.mixture.parameter_count() as f64;
            Ok(-2.0 * fit.log_likelihood() + parameters * f64::ln(n))
        };
        assert_eq!(if bic(3)? < bic(2)? { 3 } else { 2 }, better);
    }
    Ok(())
}
// ANCHOR_END: flowers
