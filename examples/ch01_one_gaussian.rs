//! Chapter 1: the most likely Gaussian for Old Faithful.

use mixtures::data;
use mixtures::math::Cholesky;
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::plot::{Chart, Colour};
use mixtures::{Gaussian, Result};

// ANCHOR: mean
/// x̄ = (1/N) Σ xₙ, for the rows xₙ of `x`.
fn mean(x: &DMatrix<f64>) -> DVector<f64> {
    let sum = x
        .row_iter()
        .fold(DVector::zeros(x.ncols()), |sum, row| sum + row.transpose());
    sum / x.nrows() as f64
}
// ANCHOR_END: mean

// ANCHOR: covariance
/// S = (1/N) Σ (xₙ − x̄)(xₙ − x̄)ᵀ.
fn covariance(x: &DMatrix<f64>) -> DMatrix<f64> {
    let mean = mean(x);
    let d = x.ncols();
    let scatter = x.row_iter().fold(DMatrix::zeros(d, d), |sum, row| {
        let residual = row.transpose() - &mean;
        sum + &residual * residual.transpose()
    });
    scatter / x.nrows() as f64
}
// ANCHOR_END: covariance

// ANCHOR: log_density
/// ln N(x | μ, Σ) through the Cholesky factor L of Σ: no inverse, no determinant.
fn log_density(x: &DVector<f64>, mean: &DVector<f64>, factor: &Cholesky) -> f64 {
    let d = x.len() as f64;
    let y = factor
        .l()
        .solve_lower_triangular(&(x - mean))
        .expect("L has a positive diagonal");
    let half_log_det: f64 = factor.l().diagonal().iter().map(|l| l.ln()).sum();
    -0.5 * (y.norm_squared() + d * (2.0 * std::f64::consts::PI).ln()) - half_log_det
}
// ANCHOR_END: log_density

// ANCHOR: fit
fn fit(x: &DMatrix<f64>) -> Result<(DVector<f64>, DMatrix<f64>, f64)> {
    let (mean, covariance) = (mean(x), covariance(x));
    let factor = Cholesky::new(&covariance, "the covariance of the data")?;
    let total =
        x.row_iter().map(|row| log_density(&row.transpose(), &mean, &factor)).sum();
    Ok((mean, covariance, total))
}
// ANCHOR_END: fit

// ANCHOR: inside
/// The share of the rows within the ellipse that should hold `mass` of them.
fn share_inside(
    x: &DMatrix<f64>,
    mean: &DVector<f64>,
    factor: &Cholesky,
    mass: f64,
) -> f64 {
    let radius_squared = -2.0 * (1.0 - mass).ln();
    let inside = x.row_iter().filter(|row| {
        factor.whiten(&(row.transpose() - mean)).norm_squared() <= radius_squared
    });
    inside.count() as f64 / x.nrows() as f64
}
// ANCHOR_END: inside

// ANCHOR: chain
/// A covariance of D dimensions whose neighbours are strongly correlated: Σᵢⱼ = 0.01²
/// ρ^|i−j|.
fn chain(d: usize, rho: f64) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |i, j| 1e-4 * rho.powi(i.abs_diff(j) as i32))
}
// ANCHOR_END: chain

fn main() -> Result<()> {
    let x = data::faithful();
    let (mean, covariance, total) = fit(&x)?;
    println!("# Old Faithful");
    println!("eruptions = {}", x.nrows());
    println!("mean duration (min) = {:.4}", mean[0]);
    println!("mean waiting (min) = {:.4}", mean[1]);
    println!("variance of duration = {:.4}", covariance[(0, 0)]);
    println!("covariance = {:.4}", covariance[(0, 1)]);
    println!("variance of waiting = {:.4}", covariance[(1, 1)]);
    println!("log likelihood = {total:.4}");

    let library = Gaussian::fit(&x)?;
    println!("\n# The library's fit");
    println!("{library:.4}");
    println!(
        "log likelihood of the library's fit = {:.4}",
        library.log_density(&x)?.sum()
    );

    println!("\n# Two hundred dimensions");
    for d in [2, 50, 100, 200] {
        let sigma = chain(d, 0.9);
        let determinant = sigma.determinant();
        let factor = Cholesky::new(&sigma, "the chain's covariance")?;
        println!(
            "D = {d:3}   ln(det Σ) = {:10.3}   2 Σ ln Lᵢᵢ = {:10.3}",
            determinant.ln(),
            factor.log_det()
        );
    }

    println!("\n# How many inside");
    for mass in [0.5, 0.9] {
        let share = share_inside(&x, &mean, library.factor(), mass);
        println!(
            "share inside the {:.0} % ellipse = {:.1} %",
            100.0 * mass,
            100.0 * share
        );
    }

    // ANCHOR: figure
    Chart::new("eruption (min)", "waiting (min)")
        .scatter(&x, Colour::Grey)
        .ellipse(&mean, &covariance, 0.5, Colour::component(0))
        .ellipse(&mean, &covariance, 0.9, Colour::component(0))
        .cross(&mean, Colour::component(0))
        .save("ch01-faithful")?;
    // ANCHOR_END: figure

    let waiting = x.columns(1, 1);
    let one = Gaussian::fit(&waiting)?;
    let sd = one.covariance()[(0, 0)].sqrt();
    let density = |t: f64| {
        let z = (t - one.mean()[0]) / sd;
        (-0.5 * z * z).exp() / (sd * (2.0 * std::f64::consts::PI).sqrt())
    };
    Chart::new("waiting (min)", "density (1/min)")
        .x_range(40.0..100.0)
        .histogram("observed", waiting.iter(), 26, Colour::Grey)
        .curve("the most likely Gaussian", density, Colour::component(0))
        .save("ch01-waiting")?;
    Ok(())
}
