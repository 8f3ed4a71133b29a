//! Chapter 14: the density of the next point, from EM's parameters and from a posterior.

use mixtures::math::{log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DMatrixView, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_row};
use mixtures::{
    Em, Error, Gaussian, GaussianMixture, GaussianWishart, Posterior, Prior, Result,
    Start, Vb, Wishart, data,
};

const LN_2_PI: f64 = 1.837_877_066_409_345_6;

// ANCHOR: weak
/// Little is believed: means within ten of their deviations of zero, and a
/// scatter of 0.1, worth two degrees of freedom.
fn weak_prior() -> Prior {
    Prior {
        alpha0: 1.0,
        beta0: 0.01,
        m0: dvector![0.0, 0.0],
        w0: DMatrix::identity(2, 2) * 10.0,
        nu0: 2.0,
    }
}
// ANCHOR_END: weak

// ANCHOR: expected_log
/// ln Σₖ exp scoreₖ(x): what the E-step adds up. Not a log density.
fn log_score(posterior: &Posterior, x: &DVector<f64>) -> f64 {
    let log_weights = posterior.weights().expected_log();
    let d = x.len() as f64;
    let score = |(k, c): (usize, &GaussianWishart)| {
        let log_det = c.wishart().expected_log_det();
        log_weights[k] + 0.5 * (log_det - d * LN_2_PI - c.expected_distance(x))
    };
    let scores = posterior.components().iter().enumerate().map(score);
    log_sum_exp(&scores.collect::<Vec<_>>())
}

/// Its integral over all x.
fn score_mass(posterior: &Posterior) -> f64 {
    let log_weights = posterior.weights().expected_log();
    let d = posterior.dimension() as f64;
    let mass = |(k, c): (usize, &GaussianWishart)| {
        let wishart = c.wishart();
        // ln det (νW)⁻¹, from the factor of W⁻¹.
        let log_volume = wishart.factor().log_det() - d * wishart.nu().ln();
        let log_height = wishart.expected_log_det() - d / c.beta();
        (log_weights[k] + 0.5 * (log_height + log_volume)).exp()
    };
    posterior.components().iter().enumerate().map(mass).sum()
}
// ANCHOR_END: expected_log

// ANCHOR: both
/// EM's mixture, unless it collapsed from every start, and the posterior.
fn fit_both(
    x: &DMatrix<f64>,
    prior: &Prior,
    seed: u64,
) -> Result<(Option<GaussianMixture>, Posterior)> {
    let em = match Em::new(3).restarts(3).seed(seed).fit(x) {
        Ok(fit) => Some(fit.mixture),
        Err(Error::Collapse { .. }) => None,
        Err(other) => return Err(other),
    };
    let vb = Vb::new(3).prior(prior.clone()).restarts(3).seed(seed).fit(x)?;
    Ok((em, vb.posterior))
}
// ANCHOR_END: both

/// The value below which a share of `values` lies.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn truth() -> Result<GaussianMixture> {
    let (weights, means, covariances) = data::notebook_truth();
    GaussianMixture::new(weights, means, covariances)
}

/// What four densities say along the line x₂ = 2, which runs through the left component.
fn along_a_line(n: usize) -> Result<Chart<'static>> {
    // ANCHOR: three
    let (x, _) = data::sample_notebook(n, &mut rng_stream(14, 1))?;
    let vb = Vb::new(3).prior(weak_prior()).restarts(10);
    let posterior = vb.fit(&x)?.posterior;
    let predictive = posterior.predictive();
    let plug_in = posterior.expected_mixture();
    // ANCHOR_END: three
    let truth = truth()?;
    if n == 30 {
        println!("# Along a line");
        println!("  x_1     truth   predictive    plug-in   sum of exp score");
        for u in [-3.0, -5.0, -7.0, -10.0, -15.0, -30.0] {
            let x = dmatrix![u, 2.0];
            println!(
                "{u:5}   {:7.2}   {:10.2}   {:8.2}   {:16.2}",
                truth.log_density(&x)?[0],
                predictive.log_density(&x)?[0],
                plug_in.log_density(&x)?[0],
                log_score(&posterior, &dvector![u, 2.0]),
            );
        }
    }
    let places: Vec<f64> = (0..=300).map(|i| -18.0 + 0.1 * f64::from(i)).collect();
    let line =
        DMatrix::from_fn(
            places.len(),
            2,
            |n, j| if j == 0 { places[n] } else { 2.0 },
        );
    let curve = |heights: DVector<f64>| -> Vec<(f64, f64)> {
        places.iter().copied().zip(heights.iter().copied()).collect()
    };
    let scores =
        places.iter().map(|u| (*u, log_score(&posterior, &dvector![*u, 2.0])));
    Ok(Chart::new("x_1", "log density")
        .heading(format!("{n} points"))
        .x_range(-14.0..12.0)
        .y_range(-26.0..0.0)
        .line("truth", curve(truth.log_density(&line)?), Colour::Grey)
        .line(
            "predictive",
            curve(predictive.log_density(&line)?),
            Colour::component(0),
        )
        .line("plug-in", curve(plug_in.log_density(&line)?), Colour::component(1))
        .dashed("sum of exp score", scores, Colour::component(2)))
}

/// n (ln St − ln N) for one component in the plane, at a distance from its centre.
fn component_gap(n: f64, distance: f64) -> Result<f64> {
    let wishart = Wishart::from_inverse(n, DMatrix::identity(2, 2) * n)?;
    let component = GaussianWishart::new(dvector![0.0, 0.0], n, wishart)?;
    let plug_in = Gaussian::new(dvector![0.0, 0.0], DMatrix::identity(2, 2))?;
    let x = dmatrix![distance, 0.0];
    let predictive = component.predictive().log_density(&x)?[0];
    Ok(n * (predictive - plug_in.log_density(&x)?[0]))
}

fn gaps_of_one_component() -> Result<()> {
    println!("\n# One component");
    println!("distance     n = 5    n = 20   n = 100   n = 1000     limit");
    for distance in [0.0, 1.0, 1.682, 2.0, 3.0, 5.0] {
        print!("{distance:8}");
        for n in [5.0, 20.0, 100.0, 1000.0] {
            print!(" {:9.3}", component_gap(n, distance)?);
        }
        println!(" {:10.3}", (f64::powi(distance, 4) - 8.0) / 4.0);
    }
    let mut chart = Chart::new("distance from the centre", "n (ln St − ln N)")
        .x_range(0.0..3.2)
        .y_range(-3.0..12.0)
        .curve("limit", |u| (u.powi(4) - 8.0) / 4.0, Colour::Ink);
    for (i, n) in [100.0, 20.0, 5.0].into_iter().enumerate() {
        let points = (0..=64)
            .map(|i| 0.05 * f64::from(i))
            .map(|u| Ok((u, component_gap(n, u)?)))
            .collect::<Result<Vec<_>>>()?;
        chart = chart.line(&format!("n = {n}"), points, Colour::component(i));
    }
    chart.save("ch14-gap")
}

/// What the exponentials of the scores integrate to, the median of twenty data sets.
fn masses() -> Result<()> {
    println!("\n# What the scores add up to");
    println!("points   weak prior   default prior   1 - 17/(2N)");
    for n in [10, 100, 1000] {
        let (mut weak, mut default) = (Vec::new(), Vec::new());
        for seed in 0..20 {
            let (x, _) = data::sample_notebook(n, &mut rng_stream(14, seed))?;
            let vb = Vb::new(3).restarts(5).seed(seed);
            let fit = vb.clone().prior(weak_prior()).fit(&x)?;
            weak.push(score_mass(&fit.posterior));
            default.push(score_mass(&vb.fit(&x)?.posterior));
        }
        println!(
            "{n:6}   {:10.3}   {:13.3}   {:11.3}",
            quantile(&weak, 0.5),
            quantile(&default, 0.5),
            1.0 - 8.5 / n as f64
        );
    }
    let (x, _) = data::sample_notebook(100, &mut rng_stream(14, 0))?;
    let posterior = Vb::new(3).prior(weak_prior()).fit(&x)?.posterior;
    let step = 0.1;
    let along = || (-150..=150).map(|i| step * f64::from(i));
    let sum: f64 = along()
        .flat_map(|a| along().map(move |b| dvector![a, b]))
        .map(|x| log_score(&posterior, &x).exp())
        .sum();
    let apart = (sum * step * step - score_mass(&posterior)).abs();
    println!("a sum over a grid differs by less than 1e-6: {}", apart < 1e-6);
    Ok(())
}

/// How far below the truth fits are per fresh point; one number a data set.
#[derive(Default)]
struct Gaps {
    /// Infinite where EM collapsed from every start.
    em: Vec<f64>,
    weak: Vec<f64>,
    plug_in: Vec<f64>,
    default: Vec<f64>,
}

impl Gaps {
    /// Where EM did not collapse.
    fn survivors(&self) -> Vec<f64> {
        self.em.iter().copied().filter(|gap| gap.is_finite()).collect()
    }

    /// Fits where VB with the weak prior is closer to the truth than EM.
    fn wins(&self) -> usize {
        self.em.iter().zip(&self.weak).filter(|(em, weak)| weak < em).count()
    }
}

fn held_out() -> Result<()> {
    let truth = truth()?;
    let (fresh, _) = data::sample_notebook(10_000, &mut rng_stream(14, 1 << 32))?;
    let best = truth.log_density(&fresh)?;
    let gap = |log_density: DVector<f64>| (&best - log_density).mean();
    let mut all = Vec::new();
    for n in [10, 20, 30, 50, 100, 200, 500, 1000, 3000, 10_000] {
        let mut gaps = Gaps::default();
        for seed in 0..if n <= 500 { 40 } else { 10 } {
            let (x, _) = data::sample_notebook(n, &mut rng_stream(14, seed))?;
            let (em, weak) = fit_both(&x, &weak_prior(), seed)?;
            let em = em.map(|m| m.log_density(&fresh)).transpose()?;
            gaps.em.push(em.map_or(f64::INFINITY, gap));
            gaps.weak.push(gap(weak.predictive().log_density(&fresh)?));
            gaps.plug_in.push(gap(weak.expected_mixture().log_density(&fresh)?));
            let default = Vb::new(3).restarts(3).seed(seed).fit(&x)?.posterior;
            gaps.default.push(gap(default.predictive().log_density(&fresh)?));
        }
        all.push((n as f64, gaps));
    }

    println!("\n# Held out");
    println!("                      ------ VB, weak prior ------    default prior");
    println!("points         EM     predictive   plug-in   wins     predictive");
    for (n, gaps) in &all {
        println!(
            "{n:6}   {:>8}   {:12.3}   {:7.3}   {:2} of {}   {:10.3}",
            in_words(quantile(&gaps.em, 0.5)),
            quantile(&gaps.weak, 0.5),
            quantile(&gaps.plug_in, 0.5),
            gaps.wins(),
            gaps.em.len(),
            quantile(&gaps.default, 0.5),
        );
    }
    println!("\n# Collapsed");
    println!("points   no fit     mean of the rest   VB, same data   VB, all data");
    for (n, gaps) in all.iter().take(5) {
        let rest = gaps.survivors();
        let both = gaps.em.iter().zip(&gaps.weak);
        let same: Vec<f64> =
            both.filter(|(em, _)| em.is_finite()).map(|(_, weak)| *weak).collect();
        println!(
            "{n:6}   {:2} of {}   {:16.2}   {:13.2}   {:12.2}",
            gaps.em.len() - rest.len(),
            gaps.em.len(),
            mean(&rest),
            mean(&same),
            mean(&gaps.weak),
        );
    }
    println!("\n# The best possible");
    println!("fresh points = {}", fresh.nrows());
    println!("log density of the truth per fresh point = {:.3}", best.mean());

    let middle = |of: fn(&Gaps) -> &Vec<f64>| -> Vec<(f64, f64)> {
        all.iter().map(|(n, gaps)| (*n, quantile(of(gaps), 0.5).min(1e3))).collect()
    };
    let band = |of: fn(&Gaps) -> &Vec<f64>| -> Vec<(f64, f64, f64)> {
        let on = |gap: f64| gap.clamp(1e-5, 1e3);
        all.iter()
            .map(|(n, gaps)| {
                (*n, on(quantile(of(gaps), 0.1)), on(quantile(of(gaps), 0.9)))
            })
            .collect()
    };
    Chart::new("points", "gap to the truth per fresh point")
        .log_x()
        .log_y()
        .x_range(8.0..12_000.0)
        .y_range(4e-4..60.0)
        .band("", band(|g| &g.em), Colour::component(1))
        .band("", band(|g| &g.weak), Colour::component(0))
        .line("EM", middle(|g| &g.em), Colour::component(1))
        .line("VB, weak prior", middle(|g| &g.weak), Colour::component(0))
        .dashed("VB, default prior", middle(|g| &g.default), Colour::component(2))
        .dotted("17/(2N)", [(8.0, 8.5 / 8.0), (12e3, 8.5 / 12e3)], Colour::Ink)
        .save("ch14-held-out")
}

fn in_words(gap: f64) -> String {
    if gap.is_finite() { format!("{gap:.3}") } else { "no fit".into() }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

// ANCHOR: rate
/// ln p by VB minus ln p by EM at the rows of `at`. Both start at the truth, and make
/// so many updates that they stand still.
fn apart(
    x: DMatrixView<'_, f64>,
    prior: &Prior,
    at: &DMatrix<f64>,
) -> Result<DVector<f64>> {
    let start = Start::Given(truth()?);
    let em = Em::new(3).start(start.clone()).max_iterations(50).tolerance(0.0);
    let vb = Vb::new(3).start(start).max_iterations(50).tolerance(0.0);
    let vb = vb.prior(prior.clone()).fit(x)?.posterior;
    Ok(vb.predictive().log_density(at)? - em.fit(x)?.mixture.log_density(at)?)
}
// ANCHOR_END: rate

fn rate() -> Result<()> {
    let (x, _) = data::sample_notebook(100_000, &mut rng(14))?;
    let at = dmatrix![-3.0, 2.0; 4.0, 2.0; 0.0, 0.0; -7.0, 2.0];
    let names = ["(−3, 2)", "(4, 2)", "(0, 0)", "(−7, 2)"];
    let notebook = Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    };
    println!("\n# N times the difference");
    println!("            -------------- weak prior --------------   notebook's");
    println!("     N      (-3, 2)     (4, 2)     (0, 0)    (-7, 2)       (4, 2)");
    let mut dots = vec![Vec::new(); 4];
    for n in [100, 300, 1000, 3000, 10_000, 30_000, 100_000] {
        let size = n as f64;
        let weak = apart(x.rows(0, n).as_view(), &weak_prior(), &at)?;
        print!("{n:6}   ");
        for (series, apart) in dots.iter_mut().zip(&weak) {
            series.push((size, apart.abs()));
            print!(" {:10.2}", size * apart);
        }
        if n <= 30_000 {
            let strong = apart(x.rows(0, n).as_view(), &notebook, &at)?;
            print!(" {:12.1}", size * strong[1]);
        }
        println!();
    }
    let mut chart = Chart::new("points", "difference in log density")
        .log_x()
        .log_y()
        .x_range(80.0..130_000.0)
        .y_range(1e-5..30.0);
    for (i, series) in dots.into_iter().enumerate().rev() {
        let (n, last) = series[series.len() - 1];
        let colour = Colour::component(i);
        let along = [80.0, 130_000.0].map(|at| (at, last * n / at));
        chart = chart.dots(names[i], series, colour).line("", along, colour);
    }
    chart.save("ch14-rate")
}

fn main() -> Result<()> {
    save_row("ch14-tails", &[along_a_line(30)?, along_a_line(300)?])?;
    gaps_of_one_component()?;
    masses()?;
    held_out()?;
    rate()?;
    Ok(())
}
