//! Chapter 10: one Gaussian by Bayes' rule: posterior, evidence and prediction, all
//! exact.

use std::f64::consts::TAU;

use mixtures::distribution::{GaussianWishart, StudentT, Wishart};
use mixtures::math::{Cholesky, ln_gamma, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid, save_row};
use mixtures::{Gaussian, Moments, Prior, Result, data};

// ANCHOR: plug_in
/// An ellipse that is said to hold 90 % of the points to come:
/// ‖L⁻¹(x − centre)‖² ≤ radius².
struct Promise {
    centre: DVector<f64>,
    factor: Cholesky,
    radius_squared: f64,
}

impl Promise {
    fn holds(&self, x: &DVector<f64>) -> bool {
        let y = self.factor.whiten(&(x - &self.centre));
        y.norm_squared() <= self.radius_squared
    }
}

/// The promise of the most likely Gaussian (D = 2).
fn plug_in(x: &DMatrix<f64>) -> Result<Promise> {
    let fit = Gaussian::fit(x)?;
    let radius_squared = -2.0 * 0.1_f64.ln();
    Ok(Promise {
        centre: fit.mean().clone(),
        factor: fit.factor().clone(),
        radius_squared,
    })
}
// ANCHOR_END: plug_in

// ANCHOR: predict
/// The promise of a Student-t in the plane.
fn promise(predictive: &StudentT) -> Result<Promise> {
    let nu = predictive.nu();
    Ok(Promise {
        centre: predictive.location().clone(),
        factor: Cholesky::new(predictive.scale(), "the predictive's scale")?,
        radius_squared: nu * (0.1_f64.powf(-2.0 / nu) - 1.0),
    })
}

/// The promise that follows from a prior and the rows of `x`.
fn bayes(prior: &GaussianWishart, x: &DMatrix<f64>) -> Result<Promise> {
    promise(&prior.posterior(&Moments::of(x)?)?.predictive())
}
// ANCHOR_END: predict

/// How much log likelihood the fit by maximum likelihood loses for each fresh point,
/// on average over such points, if the truth is a standard normal: its average log
/// density there is known in closed form.
fn loss(x: &DMatrix<f64>) -> Result<f64> {
    let fit = Gaussian::fit(x)?;
    let d = x.ncols() as f64;
    let a = fit.factor().whitener();
    let trace = a.norm_squared(); // tr S⁻¹
    let distance = fit.factor().whiten(fit.mean()).norm_squared();
    Ok(0.5 * (fit.factor().log_det() + trace + distance - d))
}

/// "64 %", or a dash for none.
fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_string(), |s| format!("{:.0} %", 100.0 * s))
}

const SETS: u64 = 8000;
const FRESH: usize = 5;

/// The share of fresh points that keep the promise, over many truths and data sets of
/// `n` points; none if the promise cannot be made.
fn kept(
    n: usize,
    stream: u64,
    prior: &GaussianWishart,
    make: impl Fn(&DMatrix<f64>) -> Result<Promise>,
) -> Result<Option<f64>> {
    let mut kept = 0;
    for set in 0..SETS {
        let rng = &mut rng_stream(10 + stream, set);
        // ANCHOR: truth
        let truth = prior.sample_gaussian(rng)?;
        let Ok(promise) = make(&truth.sample(n, rng)) else { return Ok(None) };
        for row in truth.sample(FRESH, rng).row_iter() {
            kept += usize::from(promise.holds(&row.transpose()));
        }
        // ANCHOR_END: truth
    }
    Ok(Some(kept as f64 / (SETS as usize * FRESH) as f64))
}

// ANCHOR: chain
/// ln p(X), one point at a time: predict it, then learn from it.
fn chain(prior: &GaussianWishart, x: &DMatrix<f64>) -> Result<f64> {
    let mut total = 0.0;
    let mut known = prior.clone();
    for n in 0..x.nrows() {
        let next = x.rows(n, 1);
        total += known.predictive().log_density(next)?[0];
        known = known.posterior(&Moments::of(next)?)?;
    }
    Ok(total)
}
// ANCHOR_END: chain

// ANCHOR: joint
/// ln N(x | mean, 1/precision).
fn log_normal(x: f64, mean: f64, precision: f64) -> f64 {
    0.5 * (precision / TAU).ln() - 0.5 * precision * (x - mean).powi(2)
}

/// ln p(X, μ, λ) in one dimension: points, mean, and a gamma density.
fn log_joint(x: &DMatrix<f64>, prior: [f64; 4], mu: f64, lambda: f64) -> f64 {
    let [m0, beta0, w0, nu0] = prior;
    let points: f64 = x.iter().map(|&x| log_normal(x, mu, lambda)).sum();
    let gamma = (0.5 * nu0 - 1.0) * lambda.ln()
        - 0.5 * lambda / w0
        - 0.5 * nu0 * (2.0 * w0).ln()
        - ln_gamma(0.5 * nu0);
    points + log_normal(mu, m0, beta0 * lambda) + gamma
}
// ANCHOR_END: joint

// ANCHOR: quadrature
/// ln ∫∫ p(X, μ, λ) dμ dλ, added up over a grid of μ and u = ln λ.
fn quadrature(x: &DMatrix<f64>, prior: [f64; 4]) -> f64 {
    let steps = 600;
    let at = |i: i32| f64::from(i) / f64::from(steps);
    let mut sum = 0.0;
    for i in 0..=steps {
        let u = -16.0 + 18.0 * at(i);
        for j in 0..=steps {
            let mu = 160.0 * at(j);
            sum += (log_joint(x, prior, mu, u.exp()) + u).exp(); // dλ = λ du
        }
    }
    (sum * 18.0 * at(1) * 160.0 * at(1)).ln()
}
// ANCHOR_END: quadrature

/// The density above which a share `mass` of the distribution lies, in one dimension,
/// from many draws.
fn level(p: &GaussianWishart, mass: f64) -> Result<f64> {
    let rng = &mut rng(101);
    let mut heights = Vec::new();
    for _ in 0..4000 {
        let (mu, lambda) = p.sample(rng)?;
        heights.push(p.log_density(&mu, &lambda)?);
    }
    heights.sort_by(|a, b| b.total_cmp(a));
    Ok(heights[(mass * 4000.0) as usize])
}

/// The largest difference between two posteriors, relative to the size of the numbers.
fn difference(a: &GaussianWishart, b: &GaussianWishart) -> f64 {
    let (wa, wb) = (a.wishart().inverse_w(), b.wishart().inverse_w());
    ((a.m() - b.m()).amax() / b.m().amax())
        .max((wa - wb).amax() / wb.amax())
        .max((a.beta() - b.beta()).abs())
        .max((a.wishart().nu() - b.wishart().nu()).abs())
}

fn main() -> Result<()> {
    // A Gaussian in the plane, fitted to few points.
    println!("# Few points");
    println!("  N    inside the 90 % ellipse    lost for each fresh point");
    let standard = Gaussian::new(DVector::zeros(2), DMatrix::identity(2, 2))?;
    for n in [2, 3, 5, 10, 20, 100] {
        let mut losses = Vec::new();
        let mut inside = 0;
        for set in 0..SETS {
            let rng = &mut rng_stream(100 + n as u64, set);
            let x = standard.sample(n, rng);
            let Ok(promise) = plug_in(&x) else { break };
            losses.push(loss(&x)?);
            for row in standard.sample(FRESH, rng).row_iter() {
                inside += usize::from(promise.holds(&row.transpose()));
            }
        }
        if losses.is_empty() {
            println!("{n:3}    {:>23}    {:>25}", "no fit", "no fit");
            continue;
        }
        losses.sort_by(f64::total_cmp);
        let share = inside as f64 / (losses.len() * FRESH) as f64;
        let median = losses[losses.len() / 2];
        println!("{n:3}    {:>23}    {median:25.3}", percent(Some(share)));
    }

    // ANCHOR: ranger
    let (nu0, beta0) = (4.0, 1.0);
    let expected_sigma = dmatrix![0.25, 0.0; 0.0, 100.0]; // 0.5² and 10²
    let inverse_w0 = expected_sigma * (nu0 - 2.0 - 1.0);
    let wishart = Wishart::from_inverse(nu0, inverse_w0)?;
    let prior = GaussianWishart::new(dvector![4.0, 75.0], beta0, wishart)?;
    // ANCHOR_END: ranger
    let faithful = data::faithful();
    let long: Vec<usize> =
        (0..faithful.nrows()).filter(|&n| faithful[(n, 0)] > 3.0).collect();
    let long = faithful.select_rows(&long);

    println!("\n# The ranger learns");
    println!(
        "  N    beta   nu    mean of mu        sd of mu       sd of an eruption"
    );
    for n in [0, 1, 5, 20, 175] {
        let moments = match n {
            0 => Moments::about(prior.m().clone()),
            n => Moments::of(long.rows(0, n))?,
        };
        let p = prior.posterior(&moments)?;
        let (m, d) = (p.m(), 2.0);
        let sigma = p.wishart().inverse_w() / (p.wishart().nu() - d - 1.0);
        let sd = [sigma[(0, 0)].sqrt(), sigma[(1, 1)].sqrt()];
        let of_mean = sd.map(|s| s / p.beta().sqrt());
        println!(
            "{n:3}    {:4}  {:3}    {:5.3}  {:6.3}    {:5.3}  {:6.3}    {:5.3}  {:6.3}",
            p.beta(),
            p.wishart().nu(),
            m[0],
            m[1],
            of_mean[0],
            of_mean[1],
            sd[0],
            sd[1]
        );
    }

    // ANCHOR: pieces
    let at_once = prior.posterior(&Moments::of(&long)?)?;
    let mut day_by_day = prior.clone();
    let mut merged = Moments::about(prior.m().clone());
    for start in (0..175).step_by(25) {
        let day = Moments::of(long.rows(start, 25))?;
        day_by_day = day_by_day.posterior(&day)?;
        merged.merge(&day)?;
    }
    let from_parts = prior.posterior(&merged)?;
    // ANCHOR_END: pieces
    println!("\n# In pieces");
    println!(
        "day by day within 1e-12 of all at once: {}",
        difference(&day_by_day, &at_once) < 1e-12
    );
    println!(
        "merged within 1e-12 of all at once: {}",
        difference(&from_parts, &at_once) < 1e-12
    );

    let waits = long.view((0, 1), (5, 1)).into_owned();
    let in_one = [75.0, 1.0, 0.01, 3.0];
    let [m0, beta0, w0, nu0] = in_one;
    let scalar =
        GaussianWishart::new(dvector![m0], beta0, Wishart::new(nu0, dmatrix![w0])?)?;
    let formula = scalar.log_evidence(&Moments::of(&waits)?)?;
    println!("\n# Three ways");
    println!("formula = {formula:.6}");
    println!("one point at a time = {:.6}", chain(&scalar, &waits)?);
    println!("quadrature = {:.6}", quadrature(&waits, in_one));
    println!(
        "largest difference below 1e-9: {}",
        (chain(&scalar, &waits)? - formula).abs() < 1e-9
            && (quadrature(&waits, in_one) - formula).abs() < 1e-9
    );
    println!(
        "all 175 in the plane, formula = {:.4}",
        prior.log_evidence(&Moments::of(&long)?)?
    );
    println!("all 175 in the plane, chain = {:.4}", chain(&prior, &long)?);

    // ANCHOR: notebook
    let wishart = Wishart::new(2.0, DMatrix::identity(2, 2))?;
    let notebook = GaussianWishart::new(dvector![1.0, 1.0], 1.5, wishart)?;
    let moments = Moments::of(&data::notebook())?;
    let evidence = notebook.log_evidence(&moments)?;
    // ANCHOR_END: notebook
    println!("\n# The notebook's data");
    println!("log evidence of one Gaussian = {evidence:.4}");
    let most =
        Gaussian::from_moments(&moments)?.log_density(&data::notebook())?.sum();
    println!("log likelihood of the best = {most:.4}");
    println!("difference = {:.4}", most - evidence);

    // Whose promises are kept?
    let nature = GaussianWishart::new(
        dvector![0.0, 0.0],
        1.0,
        Wishart::new(5.0, DMatrix::identity(2, 2) / 5.0)?,
    )?;
    println!("\n# Promises kept");
    println!("  N    plug-in    prior from the data    prior of nature");
    for n in [1, 2, 3, 5, 10, 20, 100] {
        // ANCHOR: from_data
        let by_data = |x: &DMatrix<f64>| -> Result<Promise> {
            let prior = Prior::from_data(x)?; // m₀, β₀, W₀ and ν₀
            bayes(&prior.gaussian_wishart()?, x)
        };
        // ANCHOR_END: from_data
        println!(
            "{n:3}    {:>7}    {:>19}    {:>15}",
            percent(kept(n, n as u64, &nature, plug_in)?),
            percent(kept(n, n as u64, &nature, by_data)?),
            percent(kept(n, n as u64, &nature, |x| bayes(&nature, x))?),
        );
    }

    figures(&prior, &long)
}

fn figures(prior: &GaussianWishart, long: &DMatrix<f64>) -> Result<()> {
    // The posterior over (μ, λ) in one dimension.
    let start = GaussianWishart::new(
        dvector![0.0],
        1.0,
        Wishart::new(3.0, dmatrix![1.0 / 3.0])?,
    )?;
    let truth = Gaussian::new(dvector![1.0], dmatrix![0.5])?;
    let x = truth.sample(20, &mut rng(12));
    let after = |n: usize| -> Result<GaussianWishart> {
        if n == 0 {
            return Ok(start.clone());
        }
        start.posterior(&Moments::of(x.rows(0, n))?)
    };
    let mut panels = Vec::new();
    for n in [0, 1, 5, 20] {
        let p = after(n)?;
        let levels = [level(&p, 0.9)?, level(&p, 0.5)?];
        let heading = match n {
            0 => "prior".to_string(),
            1 => "after 1 point".to_string(),
            n => format!("after {n} points"),
        };
        panels.push(
            Chart::new("μ", "λ")
                .heading(heading)
                .x_range(-3.0..3.0)
                .y_range(0.0..4.0)
                .contours(
                    move |mu, lambda| {
                        p.log_density(&dvector![mu], &dmatrix![lambda.max(1e-6)])
                            .unwrap_or(-1e3)
                    },
                    &levels,
                    Colour::component(0),
                )
                .cross(&dmatrix![1.0, 2.0], Colour::component(1)),
        );
    }
    save_grid("ch10-posterior", 2, &panels)?;

    // The predictive beside the plug-in.
    let mut panels = Vec::new();
    for n in [3, 20] {
        let few = x.rows(0, n).into_owned();
        let fit = Gaussian::fit(&few)?;
        let predictive = after(n)?.predictive();
        let density =
            |l: Result<DVector<f64>>| l.map_or(f64::MIN_POSITIVE, |l| l[0].exp());
        let truth = truth.clone();
        panels.push(
            Chart::new("x", "density")
                .heading(format!("{n} points"))
                .x_range(-3.0..5.0)
                .y_range(1e-5..2.0)
                .log_y()
                .curve(
                    "truth",
                    move |x| density(truth.log_density(&dmatrix![x])),
                    Colour::Grey,
                )
                .curve(
                    "plug-in",
                    move |x| density(fit.log_density(&dmatrix![x])),
                    Colour::component(1),
                )
                .curve(
                    "predictive",
                    move |x| density(predictive.log_density(&dmatrix![x])),
                    Colour::component(0),
                )
                .dots("", few.iter().map(|&x| (x, 3e-5)), Colour::Ink),
        );
    }
    save_row("ch10-predictive", &panels)?;

    // Draws from the posterior in the plane.
    let mut panels = Vec::new();
    for n in [5, 40] {
        let few = long.rows(0, n).into_owned();
        let p = prior.posterior(&Moments::of(&few)?)?;
        let rng = &mut rng(102);
        let mut chart = Chart::new("eruption (min)", "waiting (min)")
            .heading(format!("{n} eruptions"))
            .x_range(2.0..6.0)
            .y_range(50.0..110.0);
        for _ in 0..15 {
            let drawn = p.sample_gaussian(rng)?;
            chart = chart
                .ellipse(drawn.mean(), drawn.covariance(), 0.9, Colour::component(0))
                .with_thin_line();
        }
        let fit = Gaussian::fit(&few)?;
        panels.push(
            chart
                .ellipse(fit.mean(), fit.covariance(), 0.9, Colour::component(1))
                .scatter(&few, Colour::Ink),
        );
    }
    save_row("ch10-draws", &panels)
}
