//! Chapter 3: a mixture draws points, hides the labels, and its likelihood has a sum
//! inside the logarithm.

use std::f64::consts::TAU;

use mixtures::math::{log_sum_exp, rng};
use mixtures::nalgebra::{DMatrix, DVector};
use mixtures::plot::{Chart, Colour, Diagram, save_row};
use mixtures::{Gaussian, GaussianMixture, Result, data};

// ANCHOR: with_labels
/// The most likely mixture when the labels are known: one Gaussian for each group.
fn fit_with_labels(
    x: &DMatrix<f64>,
    z: &[usize],
    k: usize,
) -> Result<GaussianMixture> {
    let mut weights = DVector::zeros(k);
    let mut means = DMatrix::zeros(k, x.ncols());
    let mut covariances = Vec::new();
    for k in 0..k {
        let rows: Vec<usize> = (0..z.len()).filter(|&n| z[n] == k).collect();
        let group = Gaussian::fit(&x.select_rows(&rows))?;
        weights[k] = rows.len() as f64 / z.len() as f64;
        means.set_row(k, &group.mean().transpose());
        covariances.push(group.covariance().clone());
    }
    GaussianMixture::new(weights, means, covariances)
}
// ANCHOR_END: with_labels

// ANCHOR: naive
/// ln p(x) for two standard normals at −1 and 1 with equal weights, as the formula
/// stands.
fn naive(x: f64) -> f64 {
    let density = |mean: f64| (-0.5 * (x - mean).powi(2)).exp() / TAU.sqrt();
    (0.5 * density(-1.0) + 0.5 * density(1.0)).ln()
}

/// The same through the logarithms of the two terms.
fn careful(x: f64) -> f64 {
    let term = |mean: f64| 0.5_f64.ln() - 0.5 * (x - mean).powi(2) - 0.5 * TAU.ln();
    log_sum_exp(&[term(-1.0), term(1.0)])
}
// ANCHOR_END: naive

// ANCHOR: surface
/// The log likelihood of two standard normals with equal weights, as a function of
/// their means.
fn two_means(x: &DMatrix<f64>, a: f64, b: f64) -> f64 {
    let term = |x: f64, mean: f64| -0.5 * (x - mean).powi(2) - 0.5 * (4.0 * TAU).ln();
    x.iter().map(|&x| log_sum_exp(&[term(x, a), term(x, b)])).sum()
}
// ANCHOR_END: surface

fn main() -> Result<()> {
    Diagram::new()
        .parameter("pi", "**π**", 0.0, 0.0)
        .node("z", "z_n", 1.2, 0.0)
        .observed("x", "**x**_n", 2.4, 0.0)
        .parameter("mu", "**μ**_k", 3.7, 0.4)
        .parameter("sigma", "**Σ**_k", 3.7, -0.4)
        .plate(&["z", "x"], "N")
        .plate(&["mu", "sigma"], "K")
        .arrow("pi", "z")
        .arrow("z", "x")
        .arrow("mu", "x")
        .arrow("sigma", "x")
        .save("ch03-graphical-model")?;

    // ANCHOR: draw
    let (x, z) = data::sample_notebook(1000, &mut rng(3))?;
    println!("# Five points");
    for n in 0..5 {
        println!("z = {}   x = ({:7.4}, {:7.4})", z[n], x[(n, 0)], x[(n, 1)]);
    }
    // ANCHOR_END: draw
    let panel = || Chart::new("x_1", "x_2").x_range(-7.0..8.0).y_range(-4.0..7.0);
    save_row(
        "ch03-sample",
        &[
            panel().heading("what was drawn").scatter_by_label(&x, &z),
            panel().heading("what we are given").scatter(&x, Colour::Grey),
        ],
    )?;

    let (weights, means, covariances) = data::notebook_truth();
    let truth = GaussianMixture::new(weights, means, covariances)?;
    let known = fit_with_labels(&x, &z, 3)?;
    println!("\n# With the labels");
    println!("{known:.3}");
    println!("\n# The truth");
    println!("{truth:.3}");

    // ANCHOR: permute
    let log_likelihood = |m: &GaussianMixture| m.log_density(&x).map(|l| l.sum());
    println!("\n# Six names for one mixture");
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let renamed = GaussianMixture::new(
            truth.weights().select_rows(&order),
            truth.means().select_rows(&order),
            order.map(|k| truth.covariance(k).clone()).to_vec(),
        )?;
        println!(
            "components {order:?}: log likelihood {:.4}",
            log_likelihood(&renamed)?
        );
    }
    // ANCHOR_END: permute

    println!("\n# Underflow");
    println!("    x        naive     careful");
    for x in [0.0, 10.0, 30.0, 38.0, 40.0, 100.0] {
        println!("{x:5}  {:11.4}  {:10.4}", naive(x), careful(x));
    }
    let grid = |f: fn(f64) -> f64| {
        (0..=240)
            .map(|i| -60.0 + 0.5 * f64::from(i))
            .map(move |x| (x, f(x)))
            .filter(|p| p.1.is_finite())
    };
    Chart::new("x", "ln p(x)")
        .line("through log-sum-exp", grid(careful), Colour::component(0))
        .dots("as the formula stands", grid(naive).step_by(4), Colour::component(1))
        .save("ch03-underflow")?;

    let one = GaussianMixture::new(
        DVector::from_element(2, 0.5),
        DMatrix::from_column_slice(2, 1, &[-1.5, 1.5]),
        vec![DMatrix::identity(1, 1); 2],
    )?;
    let (points, _) = one.sample(60, &mut rng(4));
    // The highest of the points of a grid, searched first coarsely and then finely.
    let search = |within: &dyn Fn(f64, f64) -> bool| {
        let mut top = (0.0, 0.0);
        for step in [0.1, 0.01, 0.001] {
            let (a, b) = top;
            let reach = if step == 0.1 { 40 } else { 10 };
            let offsets = (-reach..=reach).flat_map(|i| {
                (-reach..=reach).map(move |j| (f64::from(i), f64::from(j)))
            });
            top = offsets
                .map(|(i, j)| (a + step * i, b + step * j))
                .filter(|&(a, b)| within(a, b))
                .max_by(|p, q| {
                    two_means(&points, p.0, p.1)
                        .total_cmp(&two_means(&points, q.0, q.1))
                })
                .unwrap_or(top);
        }
        top
    };
    let peak = search(&|a, b| a < b);
    let pass = search(&|a, b| a == b);
    let best = two_means(&points, peak.0, peak.1);
    let levels: Vec<f64> =
        [1.0, 4.0, 10.0, 20.0, 35.0, 60.0, 100.0].iter().map(|d| best - d).collect();
    println!("\n# Two peaks");
    for (mu_1, mu_2) in [peak, (peak.1, peak.0), pass] {
        let height = two_means(&points, mu_1, mu_2);
        println!("means {mu_1:6.2} and {mu_2:5.2}: log likelihood {height:9.3}");
    }
    Chart::new("μ_1", "μ_2")
        .x_range(-4.0..4.0)
        .y_range(-4.0..4.0)
        .equal_aspect()
        .contours(|a, b| two_means(&points, a, b), &levels, Colour::component(0))
        .dots("", [(-1.5, 1.5), (1.5, -1.5)], Colour::Ink)
        .dashed("", [(-4.0, -4.0), (4.0, 4.0)], Colour::Grey)
        .save("ch03-surface")?;
    Ok(())
}
