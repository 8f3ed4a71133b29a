//! Appendix: the distributions of weights, precisions and predictions, drawn.

use mixtures::math::{Rng, ln_gamma, rng};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid};
use mixtures::rand::distr::Distribution;
use mixtures::rand_distr::Gamma;
use mixtures::{Dirichlet, Gaussian, Result, StudentT, Wishart};

// ANCHOR: naive
/// Weights drawn as the derivation says: gamma variates divided by their sum.
fn naive_weights(alpha: &DVector<f64>, rng: &mut Rng) -> DVector<f64> {
    let gammas = alpha.map(|a| Gamma::new(a, 1.0).expect("α > 0").sample(rng));
    &gammas / gammas.sum()
}
// ANCHOR_END: naive

fn main() -> Result<()> {
    let draws = 10_000;
    let alpha = DVector::from_element(3, 0.001);
    let mut rng = rng(1);
    let failed = (0..draws)
        .filter(|_| naive_weights(&alpha, &mut rng).iter().any(|w| w.is_nan()))
        .count();
    let dirichlet = Dirichlet::new(alpha)?;
    let failed_in_logarithms = (0..draws)
        .filter(|_| dirichlet.sample(&mut rng).iter().any(|w| w.is_nan()))
        .count();
    println!("# Weights that are not numbers");
    println!("draws = {draws}");
    println!("not a number, gammas over their sum = {failed}");
    println!("not a number, in logarithms = {failed_in_logarithms}");

    let concentrations = [
        ("0.1, 0.1, 0.1", [0.1; 3]),
        ("1, 1, 1", [1.0; 3]),
        ("10, 10, 10", [10.0; 3]),
    ];
    let panels: Vec<Chart> = concentrations
        .into_iter()
        .chain([("2, 6, 12", [2.0, 6.0, 12.0])])
        .map(|(name, alpha)| -> Result<Chart> {
            let dirichlet = Dirichlet::new(DVector::from_row_slice(&alpha))?;
            let mut weights = DMatrix::zeros(400, 2);
            for mut row in weights.row_iter_mut() {
                let pi = dirichlet.sample(&mut rng);
                row.copy_from_slice(&[pi[0], pi[1]]);
            }
            Ok(Chart::new("π_1", "π_2")
                .heading(format!("α = ({name})"))
                .x_range(-0.05..1.05)
                .y_range(-0.05..1.05)
                .line(
                    "",
                    [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)],
                    Colour::Grey,
                )
                .scatter(&weights, Colour::component(0)))
        })
        .collect::<Result<_>>()?;
    save_grid("appendix-dirichlet", 2, &panels)?;

    // ANCHOR: log_det
    let w = dmatrix![0.8, -0.3; -0.3, 0.4];
    let wishart = Wishart::new(3.5, w)?;
    let log_det = |lambda: DMatrix<f64>| lambda.determinant().ln();
    let total: f64 = (0..draws).map(|_| log_det(wishart.sample(&mut rng))).sum();
    println!("\n# The logarithm of the determinant");
    println!("by the formula = {:.4}", wishart.expected_log_det());
    println!("average over draws = {:.4}", total / f64::from(draws));
    println!("of the mean = {:.4}", log_det(wishart.mean()));
    // ANCHOR_END: log_det

    let sigma = dmatrix![1.0, 0.6; 0.6, 1.0];
    let precision = sigma.clone().try_inverse().expect("a covariance");
    let panels: Vec<Chart> = [3.0, 6.0, 20.0, 100.0]
        .into_iter()
        .map(|nu| -> Result<Chart> {
            let wishart = Wishart::new(nu, &precision / nu)?;
            let mut chart = Chart::new("x_1", "x_2")
                .heading(format!("ν = {nu}"))
                .x_range(-7.0..7.0)
                .y_range(-7.0..7.0);
            let origin = dvector![0.0, 0.0];
            for _ in 0..12 {
                let drawn = wishart.sample(&mut rng).try_inverse().expect("drawn");
                chart = chart
                    .ellipse(&origin, &drawn, 0.9, Colour::component(0))
                    .with_thin_line();
            }
            Ok(chart
                .ellipse(&origin, &sigma, 0.9, Colour::Ink)
                .with_dashes()
                .with_thin_line())
        })
        .collect::<Result<_>>()?;
    save_grid("appendix-wishart", 2, &panels)?;

    let student = |nu: f64| StudentT::new(nu, dvector![0.0], dmatrix![1.0]);
    let gaussian = Gaussian::new(dvector![0.0], dmatrix![1.0])?;
    let at = |x: f64| dmatrix![x];
    let mut chart =
        Chart::new("x", "density").x_range(-10.0..10.0).y_range(1e-6..1.0).log_y();
    for (k, nu) in [1.0, 3.0, 10.0].into_iter().enumerate() {
        let student = student(nu)?;
        let density =
            move |x: f64| student.log_density(&at(x)).map_or(0.0, |l| l[0].exp());
        chart = chart.curve(&format!("ν = {nu}"), density, Colour::component(k));
    }
    let density = |x: f64| gaussian.log_density(&at(x)).map_or(0.0, |l| l[0].exp());
    chart
        .curve("Gaussian", density, Colour::Ink)
        .with_dashes()
        .save("appendix-student")?;

    // ANCHOR: nearly_gaussian
    let (nu, x) = (1e15, at(0.0));
    let limit = gaussian.log_density(&x)?[0];
    let subtracted = ln_gamma(0.5 * (nu + 1.0))
        - ln_gamma(0.5 * nu)
        - 0.5 * (nu * std::f64::consts::PI).ln();
    let library = student(nu)?.log_density(&x)?[0];
    println!("\n# Nearly Gaussian");
    println!(
        "subtracted, off by more than 0.5: {}",
        (subtracted - limit).abs() > 0.5
    );
    println!("library, off by less than 1e-13: {}", (library - limit).abs() < 1e-13);
    // ANCHOR_END: nearly_gaussian
    Ok(())
}
