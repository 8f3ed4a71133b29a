//! Appendix: coming from scikit-learn. The same fits in both, where they agree and where they do
//! not. What scikit-learn 1.9.1 says was recorded by `benches/peers/reference.py`.

use mixtures::nalgebra::{DMatrix, DVector, dmatrix};
use mixtures::{Covariance, Em, EmFit, Prior, Result, Start, Vb, data};

/// Recorded: the log likelihood after 50 iterations with `reg_covar=0`, shape by shape.
const THEIR_EM: [f64; 4] = [-1130.263960, -1140.186759, -1147.806353, -1709.529282];

/// Recorded: that with the default `reg_covar=1e-6` and the data in minutes, hours and days, and how
/// often it went down on the way.
const THEIR_RIDGE: [(f64, usize); 3] =
    [(-1130.263960, 0), (1096.958750, 0), (2552.847808, 34)];

/// Recorded: the log likelihood at an offset of 10⁶, shape by shape. (At 10⁸ only the first is a
/// number.)
const THEIR_OFFSET: [f64; 4] =
    [-1130.263960, -1140.189514, -1147.707565, -1709.530596];

/// Recorded: the bound for K = 1, 2, 3.
const THEIR_BOUND: [f64; 3] = [-809.649092, -672.717475, -679.578602];

/// Recorded: ∫ exp(score_samples), for N = 10, 100, 1000.
const THEIR_MASS: [f64; 3] = [0.818228, 0.976233, 0.997513];

fn main() -> Result<()> {
    let x = data::faithful();

    println!("# The same fit");
    println!("log likelihood after 50 iterations");
    println!("{:<12}{:>14}{:>14}", "covariance", "scikit-learn", "mixtures");
    for (shape, theirs) in Covariance::ALL.into_iter().zip(THEIR_EM) {
        let ours = fifty(shape, 1.0, 0.0)?;
        println!("{shape:<12}{theirs:>14.6}{ours:>14.6}");
    }

    println!("\n# In use");
    in_use(&Em::new(2).restarts(10).seed(7).fit(&x)?, &x)?;

    println!("\n# A ridge of a millionth");
    println!("log likelihood, restated per minute, of the same data in other units");
    println!("{:<12}{:>14}{:>14}", "unit", "scikit-learn", "mixtures");
    let units = [("minutes", 1.0), ("hours", 1.0 / 60.0), ("days", 1.0 / 1440.0)];
    for ((name, unit), (theirs, _)) in units.into_iter().zip(THEIR_RIDGE) {
        let per_minute = x.len() as f64 * f64::ln(unit);
        let ours = fifty(Covariance::Full, unit, 0.0)? + per_minute;
        println!("{name:<12}{:>14.4}{ours:>14.4}", theirs + per_minute);
    }
    println!("steps down of scikit-learn, in days = {}", THEIR_RIDGE[2].1);

    println!("\n# A million minutes later");
    println!("log likelihood with 1000000 added to all numbers");
    println!("{:<12}{:>14}{:>14}", "covariance", "scikit-learn", "mixtures");
    for (shape, theirs) in Covariance::ALL.into_iter().zip(THEIR_OFFSET) {
        let ours = fifty(shape, 1.0, 1e6)?;
        println!("{shape:<12}{theirs:>14.6}{ours:>14.6}");
    }
    let far = fifty(Covariance::Spherical, 1.0, 1e8)?;
    println!("spherical, 100000000 added = {far:.6}");

    println!("\n# Two bounds");
    println!(
        "{:<6}{:>14}{:>14}{:>14}",
        "K", "scikit-learn", "mixtures", "difference"
    );
    // ANCHOR: vb
    let prior = Prior { alpha0: 1.0, beta0: 0.1, nu0: 4.0, ..Prior::from_data(&x)? };
    for k in 1..=3 {
        let start = Start::Responsibilities(equal_parts(&x, k));
        let fit = Vb::new(k)
            .prior(prior.clone())
            .start(start)
            .tolerance(0.0)
            .max_iterations(1000)
            .fit(&x)?;
        // ANCHOR_END: vb
        let (theirs, ours) = (THEIR_BOUND[k - 1], fit.elbo());
        println!("{k:<6}{theirs:>14.4}{ours:>14.4}{:>14.4}", ours - theirs);
    }

    println!("\n# A density or not");
    println!("{:<6}{:>14}{:>14}", "N", "scikit-learn", "mixtures");
    for (n, theirs) in [10, 100, 1000].into_iter().zip(THEIR_MASS) {
        println!("{n:<6}{theirs:>14.6}{:>14.6}", mass(n)?);
    }
    Ok(())
}

// ANCHOR: em
/// The log likelihood after exactly fifty iterations, from means near the two clouds.
fn fifty(shape: Covariance, unit: f64, offset: f64) -> Result<f64> {
    let place = |minutes: DMatrix<f64>| (minutes * unit).add_scalar(offset);
    let fit = Em::new(2) // GaussianMixture(2, covariance_type=shape, tol=0, max_iter=50,
        .covariance(shape) // weights_init=…, means_init=…, precisions_init=…, reg_covar=0)
        .start(Start::Means(place(dmatrix![2.0, 55.0; 4.5, 80.0])))
        .tolerance(0.0)
        .max_iterations(50)
        .fit(&place(data::faithful()))?;
    Ok(fit.log_likelihood())
}
// ANCHOR_END: em

/// One-hot: the rows by equal parts of the sorted first column.
fn equal_parts(x: &DMatrix<f64>, k: usize) -> DMatrix<f64> {
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.sort_by(|&a, &b| x[(a, 0)].total_cmp(&x[(b, 0)]));
    let mut r = DMatrix::zeros(x.nrows(), k);
    for (rank, n) in order.into_iter().enumerate() {
        r[(n, rank * k / x.nrows())] = 1.0;
    }
    r
}

/// ∫ p(x) dx of the predictive density, from the first `n` of the notebook's first coordinates.
fn mass(n: usize) -> Result<f64> {
    let y = data::notebook().view((0, 0), (n, 1)).into_owned();
    let prior = Prior { alpha0: 1.0, beta0: 0.1, nu0: 3.0, ..Prior::from_data(&y)? };
    let start = Start::Responsibilities(equal_parts(&y, 2));
    let fit = Vb::new(2).prior(prior).start(start).fit(&y)?;
    // A Student-t has heavy tails: in t = asinh(x) they are light.
    let steps = 20_000;
    let at = |i: usize| -30.0 + 60.0 * i as f64 / steps as f64;
    let t = DVector::from_fn(steps + 1, |i, _| at(i));
    let grid = DMatrix::from_fn(steps + 1, 1, |i, _| t[i].sinh());
    let log_density = fit.posterior.predictive().log_density(&grid)?;
    let terms = log_density.zip_map(&t, |l, t| (l + t.cosh().ln()).exp());
    Ok(terms.sum() * 60.0 / steps as f64)
}

// ANCHOR: use
/// What one does with a fit, and what it is called there.
fn in_use(fit: &EmFit, x: &DMatrix<f64>) -> Result<()> {
    let mixture = &fit.mixture;
    let labels = mixture.predict(x)?; // fit.predict(X)
    let r = mixture.responsibilities(x)?; // fit.predict_proba(X)
    let log_density = mixture.log_density(x)?; // fit.score_samples(X)
    println!("labels of the first three rows = {:?}", &labels[..3]);
    println!("first row's responsibilities = {:.6} {:.6}", r[(0, 0)], r[(0, 1)]);
    println!("fit.score(X) = {:.6}", log_density.mean());
    println!("fit.bic(X) = {:.4}", mixture.bic(x)?);
    println!("fit.lower_bound_ = {:.6}", fit.log_likelihood() / x.nrows() as f64);
    println!("{mixture:.3}");
    Ok(())
}
// ANCHOR_END: use
