//! Chapter 7: likelihoods without bound, likelihoods that flatter, and a prior.

use mixtures::math::{ln_gamma, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, Legend, save_grid, save_row};
use mixtures::rand::RngExt;
use mixtures::{
    Em, Error, Gaussian, GaussianMixture, OnCollapse, Prior, Result, Start, data,
};

// ANCHOR: needle
/// `mixture` with one more component: weight 1/N, the mean at one of the N points of
/// `x`, and the covariance σ²S, where S is that of the data.
fn with_needle(
    mixture: &GaussianMixture,
    x: &DMatrix<f64>,
    point: usize,
    sigma: f64,
) -> Result<GaussianMixture> {
    let (k, share) = (mixture.component_count(), 1.0 / x.nrows() as f64);
    let weights = (mixture.weights() * (1.0 - share)).push(share);
    let mut means = mixture.means().clone().insert_row(k, 0.0);
    means.set_row(k, &x.row(point));
    let mut covariances = covariances(mixture);
    covariances.push(Gaussian::fit(x)?.covariance() * (sigma * sigma));
    GaussianMixture::new(weights, means, covariances)
}
// ANCHOR_END: needle

fn covariances(mixture: &GaussianMixture) -> Vec<DMatrix<f64>> {
    (0..mixture.component_count()).map(|k| mixture.covariance(k).clone()).collect()
}

fn log_likelihood(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<f64> {
    Ok(mixture.log_density(x)?.sum())
}

/// The smallest eigenvalue of the first component's covariance relative to the data's.
fn smallest(mixture: &GaussianMixture, x: &DMatrix<f64>) -> Result<f64> {
    let whitener = Gaussian::fit(x)?.factor().whitener();
    let relative = &whitener * mixture.covariance(0) * whitener.transpose();
    Ok(relative.symmetric_eigenvalues().min())
}

// ANCHOR: update
/// Chapter 4's update. `ridge` is added to each variance; EM has 0 there.
fn update(
    mixture: &GaussianMixture,
    x: &DMatrix<f64>,
    ridge: f64,
) -> Result<GaussianMixture> {
    let r = mixture.responsibilities(x)?;
    let counts: DVector<f64> = r.row_sum().transpose();
    let (k, d) = (counts.len(), x.ncols());
    let mut means = DMatrix::zeros(k, d);
    let mut covariances = Vec::new();
    for k in 0..k {
        let mean = r.column(k).transpose() * x / counts[k];
        let mut scatter = DMatrix::zeros(d, d);
        for n in 0..x.nrows() {
            let residual = x.row(n) - &mean;
            scatter += residual.transpose() * residual * r[(n, k)];
        }
        means.set_row(k, &mean);
        covariances.push(scatter / counts[k] + DMatrix::identity(d, d) * ridge);
    }
    GaussianMixture::new(counts / x.nrows() as f64, means, covariances)
}
// ANCHOR_END: update

/// Three of the eruptions as means, equal weights, and S/3 for each covariance.
fn start(x: &DMatrix<f64>) -> Result<GaussianMixture> {
    let third = Gaussian::fit(x)?.covariance() / 3.0;
    let means = x.select_rows(&[24, 3, 33]);
    GaussianMixture::new(dvector![1.0, 1.0, 1.0] / 3.0, means, vec![third; 3])
}

/// A text in lines of at most 72 characters.
fn wrapped(text: &str) -> String {
    let mut width = 0;
    let words = text.split(' ').map(|word| {
        let fits = width == 0 || width + word.len() < 72;
        width = if fits { width + 1 + word.len() } else { 1 + word.len() };
        format!("{}{word}", if fits { " " } else { "\n" })
    });
    words.collect::<String>().trim_start().to_string()
}

/// The value in the middle of a list, sorted.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    0.5 * (values[values.len() / 2] + values[(values.len() - 1) / 2])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

// ANCHOR: log_prior
/// ln p(θ) for α₀ = 1: the weights have the constant density Γ(K).
fn log_prior(m: &GaussianMixture, prior: &Prior) -> Result<f64> {
    let (k, d) = (m.component_count() as f64, m.dimension() as f64);
    // The factor L₀ of W₀⁻¹ = L₀L₀ᵀ, and ln B(W₀, ν₀).
    let of_precisions = prior.gaussian_wishart()?;
    let l0 = of_precisions.wishart().factor().l();
    let ln_b = of_precisions.wishart().log_normaliser();
    let mut log = ln_gamma(k);
    for component in m.components() {
        let sigma = component.covariance();
        let mean = Gaussian::new(prior.m0.clone(), sigma / prior.beta0)?;
        log += mean.log_density(&component.mean().transpose())?[0];
        // tr(W₀⁻¹ Σ⁻¹) = ‖L⁻¹ L₀‖²: the sum of the squares of all entries.
        let relative = component.factor().whitener() * l0;
        let log_det = component.factor().log_det();
        log += ln_b - 0.5 * (prior.nu0 + d + 1.0) * log_det;
        log -= 0.5 * relative.norm_squared();
    }
    Ok(log)
}
// ANCHOR_END: log_prior

fn singularity() -> Result<()> {
    let x = data::faithful();
    let two = Em::new(2).restarts(10).seed(7).fit(&x)?;
    println!("# Nearer and nearer");
    println!("log likelihood of the two components = {:.3}", two.log_likelihood());
    println!("    σ   log likelihood   gain");
    // ANCHOR: nearer
    let mut before = None;
    for digits in 1..=8 {
        let sigma = 10.0_f64.powi(-digits);
        let l = log_likelihood(&with_needle(&two.mixture, &x, 0, sigma)?, &x)?;
        let gain = before.map_or(String::new(), |b: f64| format!("{:.3}", l - b));
        println!("1e-{digits}   {l:14.3}   {gain:>5}");
        before = Some(l);
    }
    // ANCHOR_END: nearer
    println!("two logarithms of ten = {:.3}", 2.0 * 10.0_f64.ln());

    let prior = Prior::for_components(&x, 3)?;
    let sigmas: Vec<f64> =
        (0..=160).map(|i| 10.0_f64.powf(-8.0 + 0.05 * f64::from(i))).collect();
    let mut likelihood = Vec::new();
    let mut posterior = Vec::new();
    for &sigma in &sigmas {
        let m = with_needle(&two.mixture, &x, 0, sigma)?;
        let l = log_likelihood(&m, &x)?;
        likelihood.push((sigma, l));
        posterior.push((sigma, l + log_prior(&m, &prior)?));
    }
    let top = posterior.iter().copied().fold((0.0, f64::MIN), |best, point| {
        if point.1 > best.1 { point } else { best }
    });
    println!("\n# The top");
    println!("σ at the top of the log posterior = {:.2}", top.0);
    // The fall to the left leaves the picture.
    let seen: Vec<_> = posterior.into_iter().filter(|p| p.1 > -1280.0).collect();
    Chart::new("σ of the third component", "nats")
        .log_x()
        .x_range(1e-8..1.0)
        .y_range(-1280.0..-1080.0)
        .line("log likelihood", likelihood, Colour::component(1))
        .line("log posterior", seen, Colour::component(0))
        .legend(Legend::BottomLeft)
        .save("ch07-sigma")
}

fn collapse() -> Result<()> {
    // ANCHOR: sixty
    let x = data::faithful().rows(0, 60).into_owned();
    let mut run = vec![start(&x)?];
    for t in 0..66 {
        run.push(update(&run[t], &x, 0.0)?);
    }
    // ANCHOR_END: sixty
    println!("\n# Sixty eruptions");
    println!("updates   log likelihood   points   smallest eigenvalue");
    for t in [0, 5, 20, 40, 50, 52, 60, 63, 64, 65, 66] {
        let points = run[t].weights()[0] * 60.0;
        let digits = smallest(&run[t], &x)?.log10();
        let l = log_likelihood(&run[t], &x)?;
        println!("{t:7}   {l:14.1}   {points:6.2}             10^{digits:.1}");
    }
    let r = run[66].responsibilities(&x)?;
    println!("\n# Whose points");
    for n in (0..60).filter(|&n| r[(n, 0)] > 0.5) {
        println!("{:.3} min, then {:.0} min: {:.3}", x[(n, 0)], x[(n, 1)], r[(n, 0)]);
    }

    println!("\n# The library's answer");
    // ANCHOR: guarded
    let em = Em::new(3).start(Start::Given(start(&x)?));
    match em.fit(&x) {
        Err(Error::Collapse { component, iteration, weight, ratio, limit }) => {
            println!("component {component} collapsed at iteration {iteration},");
            println!("on {:.2} of the points;", weight * x.nrows() as f64);
            println!("smallest eigenvalue below {limit:.0e}: {}", ratio < limit);
        }
        other => println!("log likelihood {:.3}", other?.log_likelihood()),
    }
    // ANCHOR_END: guarded

    println!("\n# Elsewhere");
    // ANCHOR: reseed
    let second = em.clone().on_collapse(OnCollapse::Reseed).fit(&x)?;
    for moved in &second.reseeded {
        let (component, t) = (moved.component, moved.iteration);
        println!("component {component} put elsewhere by update {t}");
    }
    // ANCHOR_END: reseed
    println!("updates in all: {}", second.iterations);
    println!("log likelihood in the end: {:.3}", second.log_likelihood());

    println!("\n# How often");
    println!("points   K = 2   K = 3   K = 4   K = 5   K = 6");
    for n in [60, 120, 272] {
        print!("{n:6}");
        for k in 2..=6 {
            let y = data::faithful().rows(0, n).into_owned();
            print!("   {:5}", collapsed(k, 40, &y));
        }
        println!();
    }

    let on_two = (0..100_u64).filter_map(|i| {
        match Em::new(3 + (i % 4) as usize).seed(i).fit(&x) {
            Err(Error::Collapse { weight, .. }) => {
                Some((weight * 60.0).round() == 2.0)
            }
            _ => None,
        }
    });
    let on_two: Vec<bool> = on_two.collect();
    println!("collapses of sixty eruptions = {}", on_two.len());
    println!("of these on two = {}", on_two.iter().filter(|two| **two).count());

    println!("\n# With a prior");
    // ANCHOR: prior
    let em = em.prior(Prior::for_components(&x, 3)?);
    let fit = em.fit(&x)?;
    println!("updates: {}", fit.iterations);
    println!("log likelihood: {:.3}", fit.log_likelihood());
    println!("log posterior: {:.3}", fit.log_likelihood() + fit.log_prior);
    println!("smallest eigenvalue: {:.3}", smallest(&fit.mixture, &x)?);
    // ANCHOR_END: prior
    println!("{:.3}", fit.mixture);

    let mut guided = Vec::new();
    let mut guided_smallest = Vec::new();
    for t in 0..=66 {
        let fit = em.clone().max_iterations(t).tolerance(0.0).fit(&x)?;
        guided.push((t as f64, fit.log_likelihood()));
        guided_smallest.push((t as f64, smallest(&fit.mixture, &x)?));
    }
    let mut plain = Vec::new();
    let mut plain_smallest = Vec::new();
    for (t, m) in run.iter().enumerate() {
        plain.push((t as f64, log_likelihood(m, &x)?));
        plain_smallest.push((t as f64, smallest(m, &x)?));
    }
    save_row(
        "ch07-run",
        &[
            Chart::new("updates", "log likelihood")
                .x_range(0.0..70.0)
                .y_range(-265.0..-220.0)
                .line(
                    "with a prior",
                    guided.into_iter().skip(1),
                    Colour::component(0),
                )
                .line("without", plain.into_iter().skip(1), Colour::component(1))
                .legend(Legend::TopLeft),
            Chart::new("updates", "smallest eigenvalue / data's")
                .x_range(0.0..70.0)
                .log_y()
                .y_range(1e-10..10.0)
                .line("with a prior", guided_smallest, Colour::component(0))
                .line("without", plain_smallest, Colour::component(1))
                .legend(Legend::BottomLeft),
        ],
    )?;
    let mut panels = Vec::new();
    for t in [0, 20, 53, 65] {
        panels.push(
            Chart::new("eruption (min)", "waiting (min)")
                .heading(if t == 0 {
                    "at the start".into()
                } else {
                    format!("after {t} updates")
                })
                .x_range(1.0..6.0)
                .y_range(35.0..100.0)
                .scatter_by_responsibility(&x, &run[t].responsibilities(&x)?)
                .components(run[t].means(), &covariances(&run[t]), 0.9),
        );
    }
    save_grid("ch07-ellipses", 2, &panels)?;

    println!("\n# The other divisor");
    let prior = Prior::for_components(&x, 3)?;
    let log_posterior = |m: &GaussianMixture| -> Result<f64> {
        Ok(log_likelihood(m, &x)? + log_prior(m, &prior)?)
    };
    let m = &fit.mixture;
    let wrong = (0..3).map(|k| {
        let nu = prior.nu0 + m.weights()[k] * 60.0;
        m.covariance(k) * ((nu + 4.0) / (nu - 2.0))
    });
    let wrong = GaussianMixture::new(
        m.weights().clone(),
        m.means().clone(),
        wrong.collect(),
    )?;
    println!("log posterior at the end: {:.3}", fit.trace[fit.iterations]);
    println!("after the other update: {:.3}", log_posterior(&wrong)?);
    let apart = log_posterior(m)? - fit.trace[fit.iterations];
    println!("the library's trace is the same within 1e-9: {}", apart.abs() < 1e-9);
    ridge(&x)
}

/// How many of `starts` starts collapse.
fn collapsed(k: usize, starts: usize, x: &DMatrix<f64>) -> usize {
    match Em::new(k).restarts(starts).seed(1).fit(x) {
        Ok(fit) => fit.restarts.iter().filter(|end| end.is_none()).count(),
        Err(_) => starts,
    }
}

// ANCHOR: ridge
/// 300 updates of x·scale with a ridge of 1e-6, and the largest fall of the log
/// likelihood.
fn with_ridge(x: &DMatrix<f64>, scale: f64) -> Result<(GaussianMixture, f64)> {
    let y = x * scale;
    let mut mixture = start(&y)?;
    let (mut before, mut largest_fall) = (log_likelihood(&mixture, &y)?, 0.0_f64);
    for _ in 0..300 {
        mixture = update(&mixture, &y, 1e-6)?;
        let after = log_likelihood(&mixture, &y)?;
        largest_fall = largest_fall.max(before - after);
        before = after;
    }
    Ok((mixture, largest_fall))
}
// ANCHOR_END: ridge

fn ridge(x: &DMatrix<f64>) -> Result<()> {
    println!("\n# A ridge in four units");
    println!("unit      points   smallest     log likelihood   largest");
    println!("                   eigenvalue   (in minutes)     fall");
    let units = [
        ("seconds", 60.0),
        ("minutes", 1.0),
        ("hours", 1.0 / 60.0),
        ("days", 1.0 / 1440.0),
    ];
    for (unit, scale) in units {
        let (mixture, largest_fall) = with_ridge(x, scale)?;
        let y = x * scale;
        // Lengths are multiplied by the scale, so densities in D = 2 are divided by
        // its square.
        let per_point = 2.0 * f64::ln(scale);
        let in_minutes = log_likelihood(&mixture, &y)? + per_point * y.nrows() as f64;
        let fall = if largest_fall < 1e-6 {
            "none".into()
        } else {
            format!("{largest_fall:.1}")
        };
        println!(
            "{unit:8}  {:6.2}   {:10.0e}   {in_minutes:14.1}   {fall:>7}",
            mixture.weights()[0] * 60.0,
            smallest(&mixture, &y)?,
        );
    }
    Ok(())
}

fn speed() -> Result<()> {
    println!("\n# Into nothing");
    println!("updates   variance   predicted   variance");
    let x = data::galaxies();
    let last = x.nrows() - 1;
    let nearest = (x[last] - x[last - 1]).powi(2);
    let all = Gaussian::fit(&x)?;
    let share = 1.0 / x.nrows() as f64;
    let begin = |variance: f64| {
        GaussianMixture::new(
            dvector![share, 1.0 - share],
            dmatrix![x[last]; all.mean()[0]],
            vec![dmatrix![variance * nearest], all.covariance().clone()],
        )
    };
    let (mut falls, mut escapes) = (begin(0.12)?, begin(0.18)?);
    let mut predicted = String::new();
    for t in 0..4 {
        let variance = |m: &GaussianMixture| m.covariance(0)[(0, 0)] / nearest;
        println!(
            "{t:7}   {:8.1e}   {predicted:>9}   {:8.2}",
            variance(&falls),
            variance(&escapes)
        );
        if t < 3 {
            predicted = format!("{:.1e}", next_variance(&falls, &x, last)? / nearest);
            falls = update(&falls, &x, 0.0)?;
            escapes = update(&escapes, &x, 0.0)?;
        }
    }
    if let Err(fault) = update(&falls, &x, 0.0) {
        println!("{}", wrapped(&fault.to_string()));
    }
    Ok(())
}

/// What the shares of all other points will make of the variance of component 0,
/// which stands on one `point` (D = 1, K = 2).
fn next_variance(m: &GaussianMixture, x: &DMatrix<f64>, point: usize) -> Result<f64> {
    let [needle, rest] = [0, 1].map(|k| &m.components()[k]);
    let log_needle = needle.log_density(x)?.add_scalar(m.weights()[0].ln());
    let log_rest = rest.log_density(x)?.add_scalar(m.weights()[1].ln());
    let others = (0..x.nrows()).filter(|&n| n != point);
    let terms = others.map(|n| {
        let square = (x[n] - needle.mean()[0]).powi(2);
        square * (log_needle[n] - log_rest[n]).exp()
    });
    Ok(terms.sum())
}

fn petals() -> Result<()> {
    println!("\n# Petals");
    // ANCHOR: petals
    let width = data::iris().columns(3, 1).into_owned();
    let mut rng = rng(3);
    let unrounded = width.map(|w| w + rng.random_range(-0.05..0.05));
    println!("K   as noted   unrounded");
    for k in 2..=6 {
        let (noted, free) = (collapsed(k, 40, &width), collapsed(k, 40, &unrounded));
        println!("{k}   {noted:8}   {free:9}");
    }
    // ANCHOR_END: petals
    let repeated = width.iter().filter(|w| **w == 0.2).count();
    println!("flowers with 0.2 cm = {repeated}");
    println!("\n# What the error says");
    if let Err(fault) = Em::new(5).seed(0).fit(&width) {
        println!("{}", wrapped(&fault.to_string()));
    }
    Ok(())
}

/// What one size of sample gave: log likelihoods relative to the truth's.
struct Trial {
    n: usize,
    collapsed: usize,
    /// On the training data, and on as many new points; for plain EM and with a prior.
    plain: [Vec<f64>; 2],
    prior: [Vec<f64>; 2],
    /// tr(Σ⁻¹ Σ̂)/D of each component.
    plain_size: Vec<f64>,
    prior_size: Vec<f64>,
}

/// tr(Σ⁻¹ Σ̂)/D, averaged over the components.
fn size(fitted: &GaussianMixture, truth: &GaussianMixture) -> f64 {
    let ratios = fitted.components().iter().zip(truth.components()).map(|(f, t)| {
        let w = t.factor().whitener();
        (&w * f.covariance() * w.transpose()).trace() / w.nrows() as f64
    });
    mean(&ratios.collect::<Vec<_>>())
}

/// 200 samples of n points, each fitted from the truth on.
fn trial(truth: &GaussianMixture, n: usize, fresh: &DMatrix<f64>) -> Result<Trial> {
    let of_fresh = truth.log_density(fresh)?;
    let both = |m: &GaussianMixture, x: &DMatrix<f64>| -> Result<[f64; 2]> {
        let seen = (m.log_density(x)? - truth.log_density(x)?).sum();
        let unseen = (m.log_density(fresh)? - &of_fresh).mean() * n as f64;
        Ok([seen, unseen])
    };
    let mut trial = Trial::new(n);
    for sample in 0..200 {
        let x = truth.sample(n, &mut rng_stream(7, 1000 * n as u64 + sample)).0;
        let em = Em::new(2).start(Start::Given(truth.clone()));
        match em.fit(&x) {
            Ok(fit) => {
                trial.plain(both(&fit.mixture, &x)?, size(&fit.mixture, truth))
            }
            Err(Error::Collapse { .. }) => trial.collapsed += 1,
            Err(fault) => return Err(fault),
        }
        let fit = em.prior(Prior::for_components(&x, 2)?).fit(&x)?;
        trial.prior(both(&fit.mixture, &x)?, size(&fit.mixture, truth));
    }
    Ok(trial)
}

impl Trial {
    fn new(n: usize) -> Self {
        Trial {
            n,
            collapsed: 0,
            plain: Default::default(),
            prior: Default::default(),
            plain_size: Vec::new(),
            prior_size: Vec::new(),
        }
    }

    fn plain(&mut self, [seen, fresh]: [f64; 2], size: f64) {
        self.plain[0].push(seen);
        self.plain[1].push(fresh);
        self.plain_size.push(size);
    }

    fn prior(&mut self, [seen, fresh]: [f64; 2], size: f64) {
        self.prior[0].push(seen);
        self.prior[1].push(fresh);
        self.prior_size.push(size);
    }
}

fn flattery() -> Result<()> {
    let x = data::faithful();
    let em = Em::new(2).restarts(10).seed(7);
    let truth = em.fit(&x)?.mixture;
    let fresh = truth.sample(10_000, &mut rng(99)).0;
    let mut trials = Vec::new();
    for n in [10, 15, 20, 30, 50, 100, 200, 500, 1000] {
        trials.push(trial(&truth, n, &fresh)?);
    }
    println!("\n# Gain and loss");
    println!("points   collapsed   gain   loss");
    for t in &trials {
        let [gain, loss] = t.plain.clone().map(median);
        println!("{:6}   {:9}   {gain:4.1}   {:4.1}", t.n, t.collapsed, -loss);
    }
    let largest = &trials[trials.len() - 1];
    println!("parameters = {}", truth.parameter_count());
    println!("half the parameters = {:.1}", 0.5 * truth.parameter_count() as f64);
    println!("mean gain at a thousand = {:.1}", mean(&largest.plain[0]));
    println!("mean loss at a thousand = {:.1}", -mean(&largest.plain[1]));

    println!("\n# Without and with the prior");
    println!("         mean loss      mean size");
    println!("points   without  with  without  with");
    for t in &trials {
        println!(
            "{:6}   {:7.1}  {:4.1}  {:7.2}  {:4.2}",
            t.n,
            -mean(&t.plain[1]),
            -mean(&t.prior[1]),
            mean(&t.plain_size),
            mean(&t.prior_size)
        );
    }
    println!("\n# The notebook's truth");
    let (weights, means, sigma) = data::notebook_truth();
    let notebook = GaussianMixture::new(weights, means, sigma)?;
    let fit =
        Em::new(3).start(Start::Given(notebook.clone())).fit(&data::notebook())?;
    let gain = fit.log_likelihood() - log_likelihood(&notebook, &data::notebook())?;
    println!("gain over the notebook's truth = {gain:.1}");
    println!(
        "half of its parameters = {:.1}",
        0.5 * notebook.parameter_count() as f64
    );

    println!("\n# What the prior costs");
    let plain = em.fit(&x)?;
    let map = em.prior(Prior::for_components(&x, 2)?).fit(&x)?;
    println!("maximum likelihood = {:.3}", plain.log_likelihood());
    println!("log likelihood with the prior = {:.3}", map.log_likelihood());

    let p = 0.5 * truth.parameter_count() as f64;
    let series = |t: &dyn Fn(&Trial) -> &Vec<f64>| -> Vec<(f64, f64)> {
        trials
            .iter()
            .map(|trial| (trial.n as f64, median(t(trial).clone()) / trial.n as f64))
            .collect()
    };
    Chart::new("points", "log likelihood per point − truth's")
        .log_x()
        .x_range(8.0..1250.0)
        .y_range(-2.0..0.9)
        .horizontal(0.0, "")
        .curve("±P/2N", move |n| p / n, Colour::Grey)
        .with_dashes()
        .curve("", move |n| -p / n, Colour::Grey)
        .with_dashes()
        .line("training", series(&|t| &t.plain[0]), Colour::component(1))
        .dots("", series(&|t| &t.plain[0]), Colour::component(1))
        .line("held out", series(&|t| &t.plain[1]), Colour::component(0))
        .dots("", series(&|t| &t.plain[1]), Colour::component(0))
        .save("ch07-flattery")
}

fn main() -> Result<()> {
    singularity()?;
    collapse()?;
    speed()?;
    petals()?;
    flattery()
}
