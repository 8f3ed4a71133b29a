//! Chapter 8: four shapes of covariance, what each can draw, and what each is blind to.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_4;

use mixtures::math::rng_stream;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid, save_row};
use mixtures::{Covariance, Em, Error, GaussianMixture, Result, Start, data};

// ANCHOR: shaped
/// The covariances that a shape makes of the components' counts (K) and scatters
/// (K of D×D).
fn shaped(
    shape: Covariance,
    counts: &[f64],
    scatters: &[DMatrix<f64>],
) -> Vec<DMatrix<f64>> {
    let n: f64 = counts.iter().sum();
    let d = scatters[0].nrows();
    let within: DMatrix<f64> = scatters.iter().sum();
    let sigma = |(&n_k, scatter): (&f64, &DMatrix<f64>)| match shape {
        Covariance::Full => scatter / n_k,
        Covariance::Tied => &within / n,
        Covariance::Diagonal => DMatrix::from_diagonal(&(scatter.diagonal() / n_k)),
        Covariance::Spherical => {
            DMatrix::identity(d, d) * (scatter.trace() / (d as f64 * n_k))
        }
        other => unimplemented!("{other} covariances"),
    };
    counts.iter().zip(scatters).map(sigma).collect()
}
// ANCHOR_END: shaped

// ANCHOR: update
/// One update of EM, with covariances of this shape.
fn update(
    mixture: &GaussianMixture,
    shape: Covariance,
    x: &DMatrix<f64>,
) -> Result<GaussianMixture> {
    let r = mixture.responsibilities(x)?; // N×K
    let counts: Vec<f64> = r.column_iter().map(|column| column.sum()).collect();
    let means = DMatrix::from_fn(counts.len(), x.ncols(), |k, j| {
        r.column(k).dot(&x.column(j)) / counts[k]
    });
    let scatter = |k: usize| {
        let terms = (0..x.nrows()).map(|n| {
            let v = (x.row(n) - means.row(k)).transpose();
            &v * v.transpose() * r[(n, k)]
        });
        terms.sum()
    };
    let scatters: Vec<DMatrix<f64>> = (0..counts.len()).map(scatter).collect();
    let weights = DVector::from_vec(counts.clone()) / x.nrows() as f64;
    let covariances = shaped(shape, &counts, &scatters);
    GaussianMixture::with_shape(weights, means, covariances, shape)
}
// ANCHOR_END: update

fn covariances(mixture: &GaussianMixture) -> Vec<DMatrix<f64>> {
    (0..mixture.component_count()).map(|k| mixture.covariance(k).clone()).collect()
}

/// The largest difference between the parameters of two mixtures.
fn difference(a: &GaussianMixture, b: &GaussianMixture) -> f64 {
    let weights = (a.weights() - b.weights()).amax();
    let means = (a.means() - b.means()).amax();
    let covariances =
        (0..a.component_count()).map(|k| (a.covariance(k) - b.covariance(k)).amax());
    covariances.fold(weights.max(means), f64::max)
}

/// The same five updates by the plain program and by the library.
fn plain_and_library() -> Result<()> {
    println!("\n# Plain and library");
    let x = data::notebook();
    let start = GaussianMixture::new(
        dvector![0.4, 0.3, 0.3],
        dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0],
        vec![DMatrix::identity(2, 2); 3],
    )?;
    for shape in Covariance::ALL {
        let mut plain = start.clone();
        for _ in 0..5 {
            plain = update(&plain, shape, &x)?;
        }
        let em = Em::new(3).covariance(shape).start(Start::Given(start.clone()));
        let fit = em.max_iterations(5).tolerance(0.0).fit(&x)?;
        let apart = difference(&plain, &fit.mixture);
        println!("{shape:9}: they differ by less than 1e-12: {}", apart < 1e-12);
    }
    Ok(())
}

fn parameter_counts() {
    println!("\n# Parameters");
    println!(" D   K    full   tied   diagonal   spherical");
    for (d, k) in [(2, 3), (2, 8), (4, 3), (4, 8), (16, 3), (16, 8)] {
        let count = |shape: Covariance| k - 1 + k * d + shape.parameter_count(k, d);
        let [full, tied, diagonal, spherical] = Covariance::ALL.map(count);
        println!("{d:2} {k:3} {full:7} {tied:6} {diagonal:10} {spherical:11}");
    }
}

/// A covariance with variances 1, in which coordinates i and j correlate at ρ^|i−j|.
fn chain(d: usize, rho: f64) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |i, j| rho.powi(i.abs_diff(j) as i32))
}

// ANCHOR: gap
/// How far below the truth a fit to `x` is, in log density per fresh point. The fit
/// starts at the truth. (Infinite if a component collapses.)
fn gap(
    truth: &GaussianMixture,
    shape: Covariance,
    x: &DMatrix<f64>,
    fresh: &DMatrix<f64>,
) -> Result<f64> {
    let em = Em::new(truth.component_count())
        .covariance(shape)
        .start(Start::Given(truth.clone()))
        .tolerance(1e-5);
    match em.fit(x) {
        Ok(fit) => {
            let behind =
                truth.log_density(fresh)? - fit.mixture.log_density(fresh)?;
            Ok(behind.mean())
        }
        Err(Error::Collapse { .. }) => Ok(f64::INFINITY),
        Err(other) => Err(other),
    }
}
// ANCHOR_END: gap

fn sixteen() -> Result<()> {
    // ANCHOR: sixteen
    let means = DMatrix::from_fn(8, 16, |k, j| if j % 8 == k { 4.0 } else { 0.0 });
    let weights = DVector::from_element(8, 1.0 / 8.0);
    let truth = GaussianMixture::new(weights, means, vec![chain(16, 0.5); 8])?;
    // ANCHOR_END: sixteen
    let (fresh, _) = truth.sample(5000, &mut rng_stream(8, 1));
    let sizes = [100, 200, 500, 2000];
    println!("# Sixteen dimensions");
    println!("shape           N = 100   N = 200   N = 500   N = 2000");
    for shape in Covariance::ALL {
        print!("{shape:9}   ");
        for n in sizes {
            let (x, _) = truth.sample(n, &mut rng_stream(8, 0));
            let loss = gap(&truth, shape, &x, &fresh)?;
            if loss.is_finite() {
                print!("{loss:10.2}");
            } else {
                print!("  collapse");
            }
        }
        println!();
    }
    let price = -0.5 * chain(16, 0.5).determinant().ln();
    println!("\n# The price");
    println!("price of no correlations = {price:.2}");
    Ok(())
}

/// A mixture in the plane, its points in the colours of their components, which are
/// numbered from left to right.
fn panel(
    chart: Chart<'static>,
    x: &DMatrix<f64>,
    mixture: &GaussianMixture,
) -> Result<Chart<'static>> {
    let means = mixture.means();
    let mut order: Vec<usize> = (0..means.nrows()).collect();
    order.sort_by(|a, b| means[(*a, 0)].total_cmp(&means[(*b, 0)]));
    let sigma: Vec<DMatrix<f64>> =
        order.iter().map(|&k| mixture.covariance(k).clone()).collect();
    let r = mixture.responsibilities(x)?.select_columns(&order);
    Ok(chart.scatter_by_responsibility(x, &r).components(
        &means.select_rows(&order),
        &sigma,
        0.9,
    ))
}

/// How many flowers are not of the species that most of their component are of.
fn strays(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<usize> {
    let labels = mixture.predict(x)?;
    let species = data::iris_species();
    let mut strays = 0;
    for k in 0..mixture.component_count() {
        let mut counts = BTreeMap::new();
        for (_, s) in labels.iter().zip(&species).filter(|(z, _)| **z == k) {
            *counts.entry(s).or_insert(0) += 1;
        }
        strays +=
            counts.values().sum::<usize>() - counts.values().max().unwrap_or(&0);
    }
    Ok(strays)
}

fn petals() -> Result<()> {
    println!("\n# Petals");
    // ANCHOR: petals
    let x: DMatrix<f64> = data::iris().select_columns(&[2, 3]); // petals
    println!("shape       parameters   log likelihood     BIC   strays");
    let mut mixtures = Vec::new();
    for shape in Covariance::ALL {
        let fit = Em::new(3).covariance(shape).restarts(20).seed(8).fit(&x)?;
        println!(
            "{shape:9}   {:10}   {:14.1}   {:5.1}   {:6}",
            fit.mixture.parameter_count(),
            fit.log_likelihood(),
            fit.mixture.bic(&x)?,
            strays(&fit.mixture, &x)?
        );
        mixtures.push(fit.mixture);
    }
    // ANCHOR_END: petals
    let panels = mixtures
        .iter()
        .map(|mixture| {
            let chart = Chart::new("petal length (cm)", "petal width (cm)")
                .heading(mixture.shape().to_string())
                .x_range(0.5..7.5)
                .y_range(-0.3..3.2)
                .equal_aspect();
            panel(chart, &x, mixture)
        })
        .collect::<Result<Vec<_>>>()?;
    save_grid("ch08-petals", 2, &panels)?;

    // ANCHOR: species
    let names = ["setosa", "versicolor", "virginica"];
    let known = data::iris_species();
    let r = DMatrix::from_fn(150, 3, |n, k| f64::from(known[n] == names[k]));
    let fit = Em::new(3).start(Start::Responsibilities(r)).fit(&x)?;
    // ANCHOR_END: species
    println!("\n# From the species");
    println!(
        "log likelihood of full, from the species = {:.1}",
        fit.log_likelihood()
    );
    println!("strays of full, from the species = {}", strays(&fit.mixture, &x)?);
    let best = mixtures[0].log_density(&x)?.sum(); // the full one
    println!("lower by = {:.1}", best - fit.log_likelihood());
    Ok(())
}

/// The value below which half of `values` lie.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn held_out() -> Result<()> {
    let means = dmatrix![
        0.0, 0.0, 0.0, 0.0;
        4.0, 0.0, 0.0, 0.0;
        0.0, 4.0, 0.0, 0.0
    ];
    let truth = |rhos: [f64; 3]| {
        let weights = DVector::from_element(3, 1.0 / 3.0);
        let sigmas = rhos.map(|rho| chain(4, rho)).to_vec();
        GaussianMixture::new(weights, means.clone(), sigmas)
    };
    let truths = [truth([0.5, 0.5, 0.5])?, truth([0.7, 0.5, 0.3])?];
    let fresh =
        truths.each_ref().map(|t| t.sample(5000, &mut rng_stream(8, 1 << 32)).0);
    println!("\n# Held out");
    println!("           one covariance   three covariances");
    println!("points      full     tied      full     tied");
    let shapes = [Covariance::Full, Covariance::Tied];
    let mut lines = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for n in [25, 35, 50, 70, 100, 150, 200, 300, 500, 1000, 2000] {
        print!("{n:6}");
        for ((truth, fresh), lines) in truths.iter().zip(&fresh).zip(&mut lines) {
            print!(" ");
            for (line, shape) in lines.iter_mut().zip(shapes) {
                let losses = (0..20)
                    .map(|i| {
                        let (x, _) = truth.sample(n, &mut rng_stream(8, 2 + i));
                        gap(truth, shape, &x, fresh)
                    })
                    .collect::<Result<Vec<f64>>>()?;
                let middle = median(&losses);
                print!(" {middle:8.3}");
                line.push((n as f64, middle));
            }
        }
        println!();
    }
    let headings = ["one covariance", "three covariances"];
    let charts = [0, 1].map(|i| {
        let [full, tied] = &lines[i];
        Chart::new("points", "below the truth, a fresh point")
            .heading(headings[i])
            .log_x()
            .log_y()
            .x_range(20.0..2500.0)
            .y_range(0.003..10.0)
            .line("full", full, Colour::component(0))
            .dots("", full, Colour::component(0))
            .line("tied", tied, Colour::component(1))
            .dots("", tied, Colour::component(1))
    });
    save_row("ch08-held-out", &charts)
}

fn arms() -> Result<()> {
    println!("\n# The arms");
    println!("shape        K   parameters   log likelihood");
    let x = data::notebook();
    let alike = Covariance::ALL.map(|shape| (shape, 3));
    let many = [
        (Covariance::Tied, 16),
        (Covariance::Diagonal, 12),
        (Covariance::Spherical, 16),
    ];
    let mut panels = Vec::new();
    for (shape, k) in alike.into_iter().chain(many) {
        let fit = Em::new(k).covariance(shape).restarts(5).seed(8).fit(&x)?;
        println!(
            "{shape:9}   {k:2}   {:10}   {:14.0}",
            fit.mixture.parameter_count(),
            fit.log_likelihood()
        );
        let drawn = match shape {
            Covariance::Diagonal => false,
            Covariance::Tied => k == 3,
            _ => true,
        };
        if drawn {
            let chart = Chart::new("x_1", "x_2")
                .heading(format!("{shape}, K = {k}"))
                .x_range(-7.0..8.0)
                .y_range(-4.0..7.0)
                .equal_aspect();
            panels.push(panel(chart, &x, &fit.mixture)?);
        }
    }
    save_grid("ch08-arms", 2, &panels)
}

/// The mixture of A x, where x comes from `mixture`.
fn moved(mixture: &GaussianMixture, a: &DMatrix<f64>) -> Result<GaussianMixture> {
    GaussianMixture::new(
        mixture.weights().clone(),
        mixture.means() * a.transpose(), // means are rows
        covariances(mixture).iter().map(|sigma| a * sigma * a.transpose()).collect(),
    )
}

/// By an eighth of a full turn.
fn turn() -> DMatrix<f64> {
    let (s, c) = FRAC_PI_4.sin_cos();
    dmatrix![c, -s; s, c]
}

fn blind() -> Result<()> {
    println!("\n# Five views of the same points");
    // ANCHOR: blind
    let x = data::notebook();
    let maps = [
        DMatrix::identity(2, 2),
        DMatrix::identity(2, 2) * 10.0,
        dmatrix![4.0, 0.0; 0.0, 1.0],
        turn(),
        dmatrix![1.0, 1.5; 0.0, 1.0],
    ];
    println!("shape         as is   both x 10   x_1 x 4    turned   sheared");
    for shape in Covariance::ALL {
        print!("{shape:9}");
        for (a, width) in maps.iter().zip([10, 12, 10, 10, 10]) {
            let seen = &x * a.transpose();
            let fit = Em::new(3).covariance(shape).restarts(10).seed(8).fit(&seen)?;
            let volume = x.nrows() as f64 * a.determinant().ln();
            print!("{:width$.1}", fit.log_likelihood() + volume);
        }
        println!();
    }
    // ANCHOR_END: blind

    let mut panels = Vec::new();
    let minutes = data::faithful();
    let mut labels = Vec::new();
    println!("\n# Old Faithful");
    for (unit, scale) in [("minutes", 1.0), ("seconds", 60.0)] {
        let a = dmatrix![scale, 0.0; 0.0, 1.0];
        let back = dmatrix![1.0 / scale, 0.0; 0.0, 1.0];
        let seen = &minutes * &a;
        let em = Em::new(2).covariance(Covariance::Spherical).restarts(10).seed(8);
        let fit = em.fit(&seen)?;
        let mixture = moved(&fit.mixture, &back)?;
        let sds: Vec<String> = (0..2)
            .map(|k| format!("{:.1}", fit.mixture.covariance(k)[(0, 0)].sqrt()))
            .collect();
        println!("duration in {unit}: standard deviations {}", sds.join(" and "));
        labels.push(fit.mixture.sorted().predict(&seen)?);
        let chart = Chart::new("eruption (min)", "waiting (min)")
            .heading(format!("spherical, duration in {unit}"))
            .x_range(1.0..6.0)
            .y_range(30.0..110.0);
        panels.push(panel(chart, &minutes, &mixture)?);
    }
    let others = labels[0].iter().zip(&labels[1]).filter(|(a, b)| a != b).count();
    println!("eruptions that change sides = {others}");
    for (heading, a) in
        [("diagonal", DMatrix::identity(2, 2)), ("diagonal, on turned axes", turn())]
    {
        let seen = &x * a.transpose();
        let em = Em::new(3).covariance(Covariance::Diagonal).restarts(10).seed(8);
        let mixture = moved(&em.fit(&seen)?.mixture, &a.transpose())?;
        let chart = Chart::new("x_1", "x_2")
            .heading(heading)
            .x_range(-7.0..8.0)
            .y_range(-4.0..7.0);
        panels.push(panel(chart, &x, &mixture)?);
    }
    save_grid("ch08-blind", 2, &panels)
}

fn main() -> Result<()> {
    sixteen()?;
    parameter_counts();
    plain_and_library()?;
    petals()?;
    held_out()?;
    arms()?;
    blind()
}
