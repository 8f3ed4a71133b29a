//! Chapter 4: EM, first as plain as its formulas, then as the library runs it.

use mixtures::math::log_sum_exp;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, save_grid};
use mixtures::{Em, Gaussian, GaussianMixture, Result, Start, data};

// ANCHOR: responsibilities
/// r, N×K: the probability of each component for each point.
fn responsibilities(
    mixture: &GaussianMixture,
    x: &DMatrix<f64>,
) -> Result<DMatrix<f64>> {
    let mut scores = DMatrix::zeros(x.nrows(), mixture.component_count());
    for (k, component) in mixture.components().iter().enumerate() {
        let log_weight = mixture.weights()[k].ln();
        scores.set_column(k, &component.log_density(x)?.add_scalar(log_weight));
    }
    for mut row in scores.row_iter_mut() {
        let total = log_sum_exp(&row.iter().copied().collect::<Vec<_>>());
        row.apply(|score| *score = (*score - total).exp());
    }
    Ok(scores)
}
// ANCHOR_END: responsibilities

// ANCHOR: update
/// The mixture that is most likely if each point is shared out as r says.
fn update(x: &DMatrix<f64>, r: &DMatrix<f64>) -> Result<GaussianMixture> {
    let (n, k, d) = (x.nrows(), r.ncols(), x.ncols());
    let mut weights = DVector::zeros(k);
    let mut means = DMatrix::zeros(k, d);
    let mut covariances = Vec::new();
    for k in 0..k {
        let share = r.column(k);
        let count = share.sum();
        let mean = x.transpose() * share / count;
        let mut scatter = DMatrix::zeros(d, d);
        for n in 0..n {
            let residual = x.row(n).transpose() - &mean;
            scatter += &residual * residual.transpose() * share[n];
        }
        weights[k] = count / n as f64;
        means.set_row(k, &mean.transpose());
        covariances.push(scatter / count);
    }
    GaussianMixture::new(weights, means, covariances)
}
// ANCHOR_END: update

// ANCHOR: run
fn plain_em(
    start: GaussianMixture,
    x: &DMatrix<f64>,
    updates: usize,
) -> Result<GaussianMixture> {
    let mut mixture = start;
    for _ in 0..updates {
        mixture = update(x, &responsibilities(&mixture, x)?)?;
    }
    Ok(mixture)
}
// ANCHOR_END: run

// ANCHOR: start
/// Where the notebook starts.
fn notebook_start() -> Result<GaussianMixture> {
    let sigma = dmatrix![1.0, 0.5; 0.5, 1.0];
    GaussianMixture::new(
        dvector![0.4, 0.3, 0.3],
        dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0],
        vec![sigma; 3],
    )
}
// ANCHOR_END: start

/// The largest difference between the parameters of two mixtures.
fn difference(a: &GaussianMixture, b: &GaussianMixture) -> f64 {
    let weights = (a.weights() - b.weights()).amax();
    let means = (a.means() - b.means()).amax();
    let covariances =
        (0..a.component_count()).map(|k| (a.covariance(k) - b.covariance(k)).amax());
    covariances.fold(weights.max(means), f64::max)
}

fn covariances(mixture: &GaussianMixture) -> Vec<DMatrix<f64>> {
    (0..mixture.component_count()).map(|k| mixture.covariance(k).clone()).collect()
}

fn main() -> Result<()> {
    let x = data::notebook();
    let plain = plain_em(notebook_start()?, &x, 50)?;
    println!("# The notebook's run");
    println!("{plain:.8}");

    let (weights, means, sigma) = data::notebook_truth();
    let order = [0, 2, 1];
    let truth = GaussianMixture::new(
        weights.select_rows(&order),
        means.select_rows(&order),
        order.map(|k| sigma[k].clone()).to_vec(),
    )?;
    println!("\n# The truth");
    println!("{truth:.8}");

    // ANCHOR: library
    let fit = Em::new(3)
        .start(Start::Given(notebook_start()?))
        .max_iterations(50)
        .tolerance(0.0)
        .fit(&x)?;
    // ANCHOR_END: library
    println!("\n# The library's run");
    println!("log likelihood = {:.4}", fit.log_likelihood());
    println!("log likelihood of the truth = {:.4}", truth.log_density(&x)?.sum());
    let apart = difference(&plain, &fit.mixture);
    println!("differs from the plain run by less than 1e-12: {}", apart < 1e-12);

    let mut panels = Vec::new();
    for updates in [0, 5, 10, 50] {
        let mixture = plain_em(notebook_start()?, &x, updates)?;
        panels.push(
            Chart::new("x_1", "x_2")
                .heading(format!("after {updates} updates"))
                .x_range(-7.0..8.0)
                .y_range(-4.0..7.0)
                .scatter_by_responsibility(&x, &responsibilities(&mixture, &x)?)
                .components(mixture.means(), &covariances(&mixture), 0.9),
        );
    }
    save_grid("ch04-notebook", 2, &panels)?;

    // ANCHOR: faithful
    let x = data::faithful();
    let fit = Em::new(2).restarts(10).seed(7).fit(&x)?;
    // ANCHOR_END: faithful
    let one = Gaussian::fit(&x)?;
    println!("\n# Old Faithful");
    println!("{:.4}", fit.mixture);
    println!("\n# How much better");
    println!("log likelihood of one Gaussian = {:.3}", one.log_density(&x)?.sum());
    println!("log likelihood of two = {:.3}", fit.log_likelihood());
    let gain = fit.log_likelihood() - one.log_density(&x)?.sum();
    println!("gain = {gain:.1}");
    println!("updates = {}", fit.iterations);
    let lowest = fit.restarts.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    println!("lowest of the ten starts = {lowest:.1}");
    let r = fit.mixture.responsibilities(&x)?;
    let torn = r.row_iter().filter(|row| row.max() < 0.95).count();
    println!("eruptions assigned with less than 95 % = {torn}");
    let density = |a: f64, b: f64| {
        fit.mixture.log_density(&dmatrix![a, b]).map_or(0.0, |l| l[0].exp())
    };
    Chart::new("eruption (min)", "waiting (min)")
        .x_range(1.0..6.0)
        .y_range(35.0..100.0)
        .contours(
            density,
            &[0.0005, 0.002, 0.006, 0.012, 0.02],
            mixtures::plot::Colour::Grey,
        )
        .scatter_by_responsibility(&x, &r)
        .components(fit.mixture.means(), &covariances(&fit.mixture), 0.9)
        .save("ch04-faithful")?;
    Ok(())
}
