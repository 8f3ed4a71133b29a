//! Chapter 15: a Gibbs sampler as the referee of variational Bayes.

use mixtures::math::{Rng, log_sum_exp, rng, rng_stream};
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_row};
use mixtures::{
    Dirichlet, Em, GaussianMixture, Gibbs, Moments, Posterior, Prior, Result, Start,
    StudentT, Vb, VbFit, data,
};

/// Two standard normals in one dimension, `distance` apart, with equal weights.
fn two(distance: f64) -> Result<GaussianMixture> {
    let means = dmatrix![-0.5 * distance; 0.5 * distance];
    GaussianMixture::new(dvector![0.5, 0.5], means, vec![dmatrix![1.0]; 2])
}

fn prior() -> Prior {
    Prior {
        alpha0: 1.0,
        beta0: 0.1,
        m0: dvector![0.0],
        w0: dmatrix![1.0 / 3.0],
        nu0: 3.0,
    }
}

// ANCHOR: chain
/// `draws` mixtures from the posterior, after a tenth as many that are thrown away.
fn chain(
    x: &DMatrix<f64>,
    prior: &Prior,
    begin: &Posterior,
    draws: usize,
    rng: &mut Rng,
) -> Result<(Vec<GaussianMixture>, Gibbs)> {
    let k = begin.component_count();
    let mut gibbs = Gibbs::new(prior.clone(), k, begin.predict(x)?)?;
    for _ in 0..draws / 10 {
        gibbs.sweep(x, rng)?;
    }
    let drawn = (0..draws).map(|_| gibbs.sweep(x, rng)).collect::<Result<_>>()?;
    Ok((drawn, gibbs))
}
// ANCHOR_END: chain

// ANCHOR: error
/// The mean of correlated draws and its standard error, from 40 batches.
fn mean_and_error(draws: &[f64]) -> (f64, f64) {
    let length = draws.len() / 40;
    let batches: Vec<f64> = draws.chunks_exact(length).map(mean).collect();
    let error = (variance(&batches) / batches.len() as f64).sqrt();
    (mean(draws), error)
}

/// The standard deviation of correlated draws and its standard error.
fn deviation_and_error(draws: &[f64]) -> (f64, f64) {
    let centre = mean(draws);
    let squares: Vec<f64> = draws.iter().map(|v| (v - centre).powi(2)).collect();
    let (square, error) = mean_and_error(&squares);
    (square.sqrt(), 0.5 * error / square.sqrt())
}
// ANCHOR_END: error

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|v| (v - centre).powi(2)).sum::<f64>()
        / (values.len() - 1) as f64
}

/// The correlation of draws that are `lag` apart.
fn autocorrelation(draws: &[f64], lag: usize) -> f64 {
    let centre = mean(draws);
    let pairs = draws.iter().zip(&draws[lag..]);
    let products: Vec<f64> =
        pairs.map(|(a, b)| (a - centre) * (b - centre)).collect();
    mean(&products) / variance(draws)
}

const QUANTITIES: [&str; 4] =
    ["lower mean", "upper mean", "weight of the lower", "log variance of the lower"];

// ANCHOR: quantities
/// Of two components in one dimension, named by the order of their means.
fn quantities(m: &GaussianMixture) -> [f64; 4] {
    let lower = usize::from(m.means()[1] < m.means()[0]);
    let log_variance = m.covariance(lower)[0].ln();
    [m.means()[lower], m.means()[1 - lower], m.weights()[lower], log_variance]
}
// ANCHOR_END: quantities

fn column(of: &[GaussianMixture], i: usize) -> Vec<f64> {
    of.iter().map(|m| quantities(m)[i]).collect()
}

/// Eight points, all 256 assignments.
fn eight_points() -> Result<()> {
    let x = dmatrix![-2.0; -1.7; -1.1; -0.2; 0.4; 1.2; 1.6; 2.1];
    let prior = Prior {
        alpha0: 2.0,
        beta0: 0.25,
        m0: dvector![0.0],
        w0: dmatrix![0.5],
        nu0: 8.0,
    };
    // ANCHOR: eight
    let (weights, component) = (prior.dirichlet(2)?, prior.gaussian_wishart()?);
    let label = |code: usize, n: usize| code >> n & 1;
    let mut log_joint = Vec::new();
    for code in 0..1 << 8 {
        let mut groups =
            [Moments::about(dvector![0.0]), Moments::about(dvector![0.0])];
        for n in 0..8 {
            groups[label(code, n)].push(x.row(n), 1.0)?;
        }
        let counts = dvector![groups[0].count(), groups[1].count()];
        let after = Dirichlet::new(weights.concentration() + counts)?;
        log_joint.push(
            weights.log_normaliser() - after.log_normaliser()
                + component.log_evidence(&groups[0])?
                + component.log_evidence(&groups[1])?,
        );
    }
    let log_evidence = log_sum_exp(&log_joint);
    let exact: Vec<f64> =
        log_joint.iter().map(|l| (l - log_evidence).exp()).collect();
    // ANCHOR_END: eight

    let fit = Vb::new(2).prior(prior.clone()).restarts(10).seed(1).tolerance(1e-10);
    let fit = fit.fit(&x)?;
    let r = fit.posterior.responsibilities(&x)?;
    // Codes name the component of the last point 1.
    let last = usize::from(r[(7, 1)] > r[(7, 0)]);
    let name = |k: usize| if last == 1 { k } else { 1 - k };
    let q = |code: usize| -> f64 {
        (0..8).map(|n| r[(n, name(label(code, n)))]).product()
    };
    let named: Vec<usize> = (0..256).filter(|&code| label(code, 7) == 1).collect();

    println!("# All divisions of eight points");
    let sweeps = 20_000;
    let mut gibbs = Gibbs::new(prior, 2, fit.posterior.predict(&x)?)?;
    let mut rng = rng(15);
    let mut counts = vec![0.0; 256];
    for _ in 0..sweeps {
        gibbs.sweep(&x, &mut rng)?;
        let code = gibbs.labels().iter().rev().fold(0, |code, k| 2 * code + k);
        counts[code] += 1.0 / sweeps as f64;
    }
    let mut order = named.clone();
    order.sort_by(|&a, &b| exact[b].total_cmp(&exact[a]));
    println!("points 1 to 8   exact    Gibbs    q");
    for &code in order.iter().take(6) {
        let text: String = (0..8).map(|n| ["a", "b"][label(code, n)]).collect();
        // Both names of the same partition.
        let gibbs = counts[code] + counts[255 - code];
        println!(
            "{text:13}   {:.4}   {gibbs:.4}   {:.4}",
            2.0 * exact[code],
            q(code)
        );
    }

    println!("\n# What the product loses");
    let probability = |event: &dyn Fn(usize) -> bool| -> (f64, f64) {
        let of = |p: &dyn Fn(usize) -> f64| -> f64 {
            named.iter().filter(|&&code| event(code)).map(|&code| p(code)).sum()
        };
        (of(&|code| 2.0 * exact[code]), of(&q) / of_all(&named, &q))
    };
    let show = |what: &str, event: &dyn Fn(usize) -> bool| {
        let (exact, q) = probability(event);
        println!("{what:20} {exact:8.3} {q:8.3}");
    };
    println!("probability that …        exact        q");
    show("4 is with 8", &|code| label(code, 3) == 1);
    show("5 is with 8", &|code| label(code, 4) == 1);
    show("4 and 5 are together", &|code| label(code, 3) == label(code, 4));
    let correlation = |which: fn((f64, f64)) -> f64| {
        let at = |event: &dyn Fn(usize) -> bool| which(probability(event));
        let (a, b) =
            (at(&|code| label(code, 3) == 1), at(&|code| label(code, 4) == 1));
        let both = at(&|code| label(code, 3) + label(code, 4) == 2);
        (both - a * b) / (a * (1.0 - a) * b * (1.0 - b)).sqrt()
    };
    println!("exact correlation of 4 and 5 = {:.2}", correlation(|p| p.0));
    println!(
        "their correlation is zero under q: {}",
        correlation(|p| p.1).abs() < 1e-12
    );

    println!("\n# The gap of eight points");
    let divergence: f64 = (0..256)
        .map(|code| (q(code), exact[code]))
        .filter(|(q, _)| *q > 0.0)
        .map(|(q, p)| q * (q / p).ln())
        .sum();
    let mut of_parameters = 0.0;
    for code in 0..256 {
        let labels = (0..8).map(|n| name(label(code, n))).collect();
        let given = Gibbs::new(fit.posterior.prior().clone(), 2, labels)?;
        let given = given.given_labels(&x)?;
        let mut kl = fit.posterior.weights().kl(given.weights())?;
        for (q, p) in fit.posterior.components().iter().zip(given.components()) {
            kl += q.kl(p)?;
        }
        of_parameters += q(code) * kl;
    }
    let gap = log_evidence - fit.elbo();
    println!("log evidence = {log_evidence:.4}");
    println!("bound = {:.4}", fit.elbo());
    println!("gap = {gap:.4}");
    println!("divergence of the labels = {divergence:.4}");
    println!("divergence of the parameters = {of_parameters:.4}");
    println!("ln 2 = {:.4}", 2.0_f64.ln());
    println!(
        "the two parts sum to the gap, to 1e-9: {}",
        (gap - divergence - of_parameters).abs() < 1e-9
    );
    let shown = named.iter().map(|&code| (2.0 * exact[code], q(code)));
    Chart::new("exact probability", "probability under q")
        .log_x()
        .log_y()
        .x_range(1e-5..1.0)
        .y_range(1e-10..1.0)
        .size(460.0, 420.0)
        .dashed("", [(1e-5, 1e-5), (1.0, 1.0)], Colour::Grey)
        .dots(
            "",
            shown.filter(|(p, q)| *p > 1e-5 && *q > 1e-10),
            Colour::component(0),
        )
        .save("ch15-labels")
}

fn of_all(codes: &[usize], p: &dyn Fn(usize) -> f64) -> f64 {
    codes.iter().map(|&code| p(code)).sum()
}

/// What the chains of the chapter look like.
fn chains() -> Result<()> {
    let (x, _) = two(2.5)?.sample(50, &mut rng(15));
    let fit = Vb::new(2).prior(prior()).start(Start::Given(two(2.5)?)).fit(&x)?;
    let (drawn, _) = chain(&x, &prior(), &fit.posterior, 4000, &mut rng(1))?;
    let raw = |k: usize| -> Vec<f64> { drawn.iter().map(|m| m.means()[k]).collect() };
    println!("\n# Names change");
    let mut ordered = drawn.iter().map(|m| m.means()[0] < m.means()[1]);
    let mut before = ordered.next();
    let changes = ordered.filter(|now| before.replace(*now) != Some(*now)).count();
    println!("changes of order in 4000 sweeps = {changes}");
    for k in 0..2 {
        let (mean, error) = mean_and_error(&raw(k));
        println!("average of component {}'s mean: {mean:.2} ± {error:.2}", k + 1);
    }
    for (i, name) in QUANTITIES.iter().take(2).enumerate() {
        let (mean, error) = mean_and_error(&column(&drawn, i));
        println!("average of the {name}: {mean:.2} ± {error:.2}");
    }
    let piece = |k: usize| -> Vec<f64> { raw(k)[..800].to_vec() };
    let trace = Chart::new("sweep", "mean")
        .heading("50 points, 2.5 apart")
        .trace("component 1", piece(0), Colour::component(0))
        .trace("component 2", piece(1), Colour::component(1));
    let mut decay = Chart::new("lag", "autocorrelation")
        .heading("200 points, lower mean")
        .y_range(-0.1..1.0);
    for (i, distance) in [2.5, 3.0, 5.0].into_iter().enumerate() {
        let (x, _) = two(distance)?.sample(200, &mut rng(15));
        let start = Start::Given(two(distance)?);
        let fit = Vb::new(2).prior(prior()).start(start).fit(&x)?;
        let (drawn, _) = chain(&x, &prior(), &fit.posterior, 8000, &mut rng(1))?;
        let lower = column(&drawn, 0);
        let curve = (0..50).map(|lag| (lag as f64, autocorrelation(&lower, lag)));
        decay =
            decay.line(&format!("{distance} apart"), curve, Colour::component(i + 2));
    }
    save_row("ch15-chains", &[trace, decay])
}

/// VB and Gibbs on one set of data: the tables, the figure, and what helps.
fn side_by_side() -> Result<()> {
    // ANCHOR: side
    let (x, _) = two(3.0)?.sample(200, &mut rng(15));
    let vb = Vb::new(2).prior(prior()).tolerance(1e-10);
    let fit = vb.start(Start::Given(two(3.0)?)).fit(&x)?;
    let (drawn, mut gibbs) =
        chain(&x, &prior(), &fit.posterior, 20_000, &mut rng(1))?;
    // ANCHOR_END: side
    let mut rng = rng(2);
    let of_q: Vec<GaussianMixture> =
        (0..20_000).map(|_| fit.posterior.sample(&mut rng)).collect::<Result<_>>()?;
    println!("\n# Side by side");
    println!("                           mean under        sd under");
    println!(
        "quantity                   Gibbs      q      Gibbs          q       ratio"
    );
    let mut ratios = Vec::new();
    for (i, name) in QUANTITIES.iter().enumerate() {
        let (theirs, ours) = (column(&drawn, i), column(&of_q, i));
        let (sd, error) = deviation_and_error(&theirs);
        let ratio = variance(&ours).sqrt() / sd;
        println!(
            "{name:25} {:7.3} {:7.3}   {sd:.3} ± {error:.3}   {:.3}   {ratio:.2}",
            mean(&theirs),
            mean(&ours),
            variance(&ours).sqrt(),
        );
        ratios.push(ratio);
    }
    println!("\n# The same number again");
    println!("quantity                   ratio   √(1 − ρ_1)");
    for (i, name) in QUANTITIES.iter().enumerate() {
        let rho = autocorrelation(&column(&drawn, i), 1);
        println!("{name:25}  {:.2}   {:.2}", ratios[i], (1.0 - rho).sqrt());
    }
    let lower = column(&drawn, 0);
    let (_, error) = mean_and_error(&lower);
    let effective = variance(&lower) / (error * error);
    println!("\n# How many draws these are");
    println!("autocorrelation time of the lower mean = {:.0}", 2e4 / effective);
    println!("effective draws = {effective:.0}");

    figure(&drawn, &fit)?;
    intervals(&drawn, &fit)?;
    predictive(&x, &fit, &mut gibbs)?;
    importance(&x, &fit, &of_q)
}

fn figure(drawn: &[GaussianMixture], fit: &VbFit) -> Result<()> {
    let q = &fit.posterior;
    let k = usize::from(q.means()[1] < q.means()[0]);
    let of_mean = {
        let degrees = q.nu()[k];
        let scale = q.components()[k].wishart().inverse_w() / (q.beta()[k] * degrees);
        StudentT::new(degrees, q.means().row(k).transpose(), scale)?
    };
    let of_weight = Dirichlet::new(dvector![q.alpha()[k], q.alpha()[1 - k]])?;
    let mean_density =
        |v: f64| of_mean.log_density(&dmatrix![v]).map_or(0.0, |l| l[0].exp());
    let weight_density =
        |v: f64| of_weight.log_density(&dvector![v, 1.0 - v]).map_or(0.0, f64::exp);
    let grey = Colour::Grey;
    let (blue, label) = (Colour::component(0), "variational Bayes");
    save_row(
        "ch15-side-by-side",
        &[
            Chart::new("lower mean", "density")
                .x_range(-2.1..-0.5)
                .histogram("Gibbs", column(drawn, 0), 40, grey)
                .curve(label, mean_density, blue),
            Chart::new("weight of the lower", "density")
                .x_range(0.3..0.8)
                .histogram("Gibbs", column(drawn, 2), 40, grey)
                .curve(label, weight_density, blue),
        ],
    )
}

/// The value below which a share of the draws lies.
fn quantile(draws: &[f64], share: f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(share * (sorted.len() + 1) as f64) as usize - 1]
}

fn intervals(drawn: &[GaussianMixture], fit: &VbFit) -> Result<()> {
    let q = &fit.posterior;
    let k = usize::from(q.means()[1] < q.means()[0]);
    // ANCHOR: credible
    let credible = fit.posterior.credible(0.95, 4000, &mut rng(3))?;
    let (low, high) = (credible.means.lower[k], credible.means.upper[k]);
    // ANCHOR_END: credible
    println!("\n# Two intervals");
    let lower = column(drawn, 0);
    println!("variational Bayes: {low:.2} to {high:.2}");
    println!(
        "Gibbs: {:.2} to {:.2}",
        quantile(&lower, 0.025),
        quantile(&lower, 0.975)
    );
    let inside = lower.iter().filter(|v| low < **v && **v < high).count();
    let share = 100.0 * inside as f64 / lower.len() as f64;
    println!("posterior probability of the first, in per cent = {share:.0}");
    Ok(())
}

/// The density of the next point, under each.
fn predictive(x: &DMatrix<f64>, fit: &VbFit, gibbs: &mut Gibbs) -> Result<()> {
    let step = 0.05;
    let grid = DMatrix::from_fn(321, 1, |i, _| -8.0 + step * i as f64);
    let density = |log: DVector<f64>| log.map(f64::exp);
    let truth = density(two(3.0)?.log_density(&grid)?);
    let mut average = DVector::zeros(grid.nrows());
    let (kept, mut rng) = (400, rng(4));
    for _ in 0..kept {
        for _ in 0..10 {
            gibbs.sweep(x, &mut rng)?;
        }
        let given = gibbs.given_labels(x)?.predictive();
        average += density(given.log_density(&grid)?) / kept as f64;
    }
    let of_vb = density(fit.posterior.predictive().log_density(&grid)?);
    let one = Vb::new(1).prior(prior()).fit(x)?;
    let of_one = density(one.posterior.predictive().log_density(&grid)?);
    let divergence = |p: &DVector<f64>, q: &DVector<f64>| -> f64 {
        p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum::<f64>() * step
    };
    println!("\n# The next point");
    println!("divergence from Gibbs to VB = {:.5}", divergence(&average, &of_vb));
    println!(
        "divergence from the truth to Gibbs = {:.4}",
        divergence(&truth, &average)
    );
    println!("divergence from the truth to VB = {:.4}", divergence(&truth, &of_vb));
    println!(
        "divergence from Gibbs to one Gaussian = {:.4}",
        divergence(&average, &of_one)
    );
    Ok(())
}

/// Five numbers that can be chosen freely, and back.
fn coordinates(m: &GaussianMixture) -> DVector<f64> {
    let (pi, mu) = (m.weights(), m.means());
    let log = |k: usize| m.covariance(k)[0].ln();
    dvector![(pi[0] / pi[1]).ln(), mu[0], mu[1], log(0), log(1)]
}

fn mixture(at: &DVector<f64>) -> Result<GaussianMixture> {
    let pi = 1.0 / (1.0 + (-at[0]).exp());
    let sigma = vec![dmatrix![at[3].exp()], dmatrix![at[4].exp()]];
    GaussianMixture::new(dvector![pi, 1.0 - pi], dmatrix![at[1]; at[2]], sigma)
}

// ANCHOR: inflate
/// VB's covariance, multiplied by (I − J)⁻¹, with the largest share that is missing.
fn inflated(x: &DMatrix<f64>, of_q: &DMatrix<f64>) -> Result<(DMatrix<f64>, f64)> {
    let em = |start: &DVector<f64>, updates: usize| -> Result<DVector<f64>> {
        let em = Em::new(2).start(Start::Given(mixture(start)?));
        let fit = em.max_iterations(updates).tolerance(0.0).fit(x)?;
        Ok(coordinates(&fit.mixture))
    };
    let peak = em(&coordinates(&two(3.0)?), 2000)?;
    let mut j = DMatrix::zeros(5, 5);
    for i in 0..5 {
        let mut step = DVector::zeros(5);
        step[i] = 1e-4;
        let slope = (em(&(&peak + &step), 1)? - em(&(&peak - &step), 1)?) / 2e-4;
        j.set_column(i, &slope);
    }
    let kept = DMatrix::identity(5, 5) - &j;
    let share = j.complex_eigenvalues().iter().map(|v| v.re).fold(0.0, f64::max);
    Ok((kept.try_inverse().expect("EM converges") * of_q, share))
}
// ANCHOR_END: inflate

/// What VB's spreads become, on two sizes of data.
fn giving_back() -> Result<()> {
    println!("\n# Giving it back");
    println!("          largest share                          sd of the lower mean");
    println!(
        "points    missing          under q   corrected   under Gibbs     ratio"
    );
    for (n, draws) in [(200, 20_000), (800, 5000)] {
        let (x, _) = two(3.0)?.sample(n, &mut rng(15));
        let vb = Vb::new(2).prior(prior()).tolerance(1e-10);
        let q = vb.start(Start::Given(two(3.0)?)).fit(&x)?.posterior;
        let (drawn, _) = chain(&x, &prior(), &q, draws, &mut rng(1))?;
        let (sd, error) = deviation_and_error(&column(&drawn, 0));
        let mut rng = rng(2);
        let of_q =
            (0..20_000).map(|_| q.sample(&mut rng)).collect::<Result<Vec<_>>>()?;
        let of_q = covariance(&of_q);
        let (corrected, share) = inflated(&x, &of_q)?;
        let (narrow, wide) = (of_q[(1, 1)].sqrt(), corrected[(1, 1)].sqrt());
        println!(
            "{n:6}    {share:.3}            {narrow:.3}     {wide:.3}       \
             {sd:.3} ± {error:.3}   {:.2}",
            narrow / sd
        );
    }
    Ok(())
}

/// Of the coordinates of the draws.
fn covariance(draws: &[GaussianMixture]) -> DMatrix<f64> {
    let mut moments = Moments::about(DVector::zeros(5));
    for draw in draws {
        let row = coordinates(draw).transpose();
        moments.push(row.as_view(), 1.0).expect("draws are finite");
    }
    moments.covariance().expect("there are draws")
}

/// Weights of draws of q that make them draws of the posterior.
fn importance(x: &DMatrix<f64>, fit: &VbFit, of_q: &[GaussianMixture]) -> Result<()> {
    println!("\n# Weighted draws");
    let q = fit.posterior.responsibilities(x)?;
    // ANCHOR: importance
    let log_weight = |m: &GaussianMixture| -> Result<f64> {
        let r = m.responsibilities(x)?;
        let terms = q.iter().zip(r.iter()).filter(|(q, _)| **q > 0.0);
        Ok(terms.map(|(q, r)| q * (q / r).ln()).sum())
    };
    // ANCHOR_END: importance
    let logs = of_q.iter().map(log_weight).collect::<Result<Vec<_>>>()?;
    let total = log_sum_exp(&logs);
    let weights: Vec<f64> = logs.iter().map(|l| (l - total).exp()).collect();
    let lower = column(of_q, 0);
    let average = |f: &dyn Fn(f64) -> f64| -> f64 {
        weights.iter().zip(&lower).map(|(w, v)| w * f(*v)).sum()
    };
    let centre = average(&|v| v);
    let sd = average(&|v| (v - centre).powi(2)).sqrt();
    println!("sd of the lower mean, weighted = {sd:.3}");
    let effective = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
    println!("effective draws of 20000 = {effective:.0}");
    Ok(())
}

/// Old Faithful and the notebook.
fn real_data() -> Result<()> {
    println!("\n# The book's data");
    let faithful = data::faithful();
    let notebook = data::notebook();
    let notebook_prior = Prior {
        alpha0: 1.5,
        beta0: 1.5,
        m0: dvector![1.0, 1.0],
        w0: DMatrix::identity(2, 2),
        nu0: 2.0,
    };
    let faithful_prior = Prior { alpha0: 1.0, ..Prior::from_data(&faithful)? };
    println!(
        "                        weight                      first coordinate of the mean"
    );
    println!("data          share     sd under q  ratio           sd under q  ratio");
    for (name, x, k, prior) in [
        ("Old Faithful", faithful, 2, faithful_prior),
        ("notebook", notebook, 3, notebook_prior),
    ] {
        let vb = Vb::new(k).prior(prior.clone()).restarts(10).seed(7);
        let q = vb.tolerance(1e-9).fit(&x)?.posterior;
        let (drawn, _) = chain(&x, &prior, &q, 2500, &mut rng(5))?;
        for k in 0..k {
            let weight: Vec<f64> = drawn.iter().map(|m| m.weights()[k]).collect();
            let first: Vec<f64> = drawn.iter().map(|m| m.means()[(k, 0)]).collect();
            let total = q.alpha().sum();
            let share = q.alpha()[k] / total;
            let of_weight = (share * (1.0 - share) / (total + 1.0)).sqrt();
            let wishart = q.components()[k].wishart();
            let degrees = wishart.nu() - 1.0; // ν + 1 − D
            let scale = wishart.inverse_w()[(0, 0)] / (q.beta()[k] * (degrees - 2.0));
            let of_first = scale.sqrt();
            let against = |of_q: f64, draws: &[f64]| {
                let (sd, error) = deviation_and_error(draws);
                let ratio = of_q / sd;
                format!("{of_q:.4}      {ratio:.2} ± {:.2}", ratio * error / sd)
            };
            println!(
                "{name:12}  {share:.2}      {}     {}",
                against(of_weight, &weight),
                against(of_first, &first)
            );
        }
    }
    Ok(())
}

/// For two standard normals at ±μ, the prior N(μ | 0, 1/β₀) and equal weights: the sd of
/// μ under q and under the posterior on μ > 0.
fn deviations(x: &[f64], beta0: f64) -> (f64, f64) {
    let precision = beta0 + x.len() as f64;
    let update =
        |m: f64| x.iter().map(|x| x * (m * x).tanh()).sum::<f64>() / precision;
    let m = (0..60).fold(1.0, |m, _| update(m));
    let log_posterior = |mu: f64| -> f64 {
        x.iter().map(|x| ln_cosh(mu * x)).sum::<f64>() - 0.5 * precision * mu * mu
    };
    let missing = x.iter().map(|x| (x / (m * x).cosh()).powi(2)).sum::<f64>();
    let reach = 10.0 / (precision - missing).max(0.02 * precision).sqrt();
    let (from, steps) = ((m - reach).max(0.0), 80);
    let step = (m + reach - from) / steps as f64;
    let grid: Vec<f64> = (0..steps).map(|i| from + step * (i as f64 + 0.5)).collect();
    let peak = log_posterior(m);
    let p: Vec<f64> =
        grid.iter().map(|mu| (log_posterior(*mu) - peak).exp()).collect();
    let average = |f: &dyn Fn(f64) -> f64| -> f64 {
        let weighted = p.iter().zip(&grid).map(|(p, mu)| p * f(*mu));
        weighted.sum::<f64>() / p.iter().sum::<f64>()
    };
    let centre = average(&|mu| mu);
    (precision.sqrt().recip(), average(&|mu| (mu - centre).powi(2)).sqrt())
}

/// ln cosh u, without overflow.
fn ln_cosh(u: f64) -> f64 {
    u.abs() + (-2.0 * u.abs()).exp().ln_1p() - std::f64::consts::LN_2
}

/// λ, the share of the information about μ that is missing, for infinitely many points.
fn share_missing(mu: f64) -> f64 {
    let step = 0.01;
    (-1000..=1000)
        .map(|i| step * f64::from(i))
        .map(|x| {
            let density = (-0.5 * (x * x + mu * mu)).exp() * (mu * x).cosh();
            (x / (mu * x).cosh()).powi(2) * density
        })
        .sum::<f64>()
        * step
        / std::f64::consts::TAU.sqrt()
}

/// The ratio of the two, averaged over sets of data.
fn ratio(mu: f64, n: usize) -> Result<f64> {
    let sets = (8_000 / n).clamp(8, 100);
    let truth = two(2.0 * mu)?;
    let ratios: Vec<f64> = (0..sets)
        .map(|set| {
            let (x, _) = truth.sample(n, &mut rng_stream(n as u64, set as u64));
            let (of_q, exact) = deviations(x.as_slice(), 0.1);
            of_q / exact
        })
        .collect();
    Ok(mean(&ratios))
}

fn with_distance_and_with_data() -> Result<()> {
    println!("\n# Distance and data");
    println!("means at   missing   √(1 − λ)   ratio at N = 100      400     1600");
    let counts = [25, 50, 100, 200, 400, 800, 1600];
    let mut over_n = Chart::new("N", "ratio of sds").log_x().y_range(0.0..1.05);
    for (i, mu) in [0.5, 0.75, 1.0, 1.5, 2.0].into_iter().enumerate() {
        let ratios =
            counts.iter().map(|&n| ratio(mu, n)).collect::<Result<Vec<_>>>()?;
        let lambda = share_missing(mu);
        println!(
            "±{mu:<4}      {lambda:7.3}   {:8.3}   {:16.3} {:8.3} {:8.3}",
            (1.0 - lambda).sqrt(),
            ratios[2],
            ratios[4],
            ratios[6]
        );
        let colour = Colour::component(i);
        let limit = (1.0 - lambda).sqrt();
        over_n = over_n
            .dots(
                &format!("±{mu}"),
                counts.iter().zip(&ratios).map(|(n, r)| (*n as f64, *r)),
                colour,
            )
            .dashed("", [(20.0, limit), (2000.0, limit)], colour);
    }
    let mut over_distance =
        Chart::new("distance of the means", "ratio of sds").y_range(0.0..1.05);
    for (i, n) in [50, 1600].into_iter().enumerate() {
        let mut dots = Vec::new();
        for step in 2..=10 {
            let mu = 0.25 * f64::from(step);
            dots.push((2.0 * mu, ratio(mu, n)?));
        }
        let label = format!("N = {n}");
        over_distance = over_distance.dots(&label, dots, Colour::component(i));
    }
    let limit = |distance: f64| (1.0 - share_missing(0.5 * distance)).sqrt();
    let over_distance =
        over_distance.x_range(0.8..5.2).curve("limit", limit, Colour::Ink);
    save_row("ch15-ratio", &[over_distance, over_n.x_range(20.0..2000.0)])
}

/// How often the intervals hold what they should, with truths drawn from the prior.
fn coverage() -> Result<()> {
    let prior = Prior { alpha0: 2.0, w0: dmatrix![1.0 / 6.0], nu0: 6.0, ..prior() };
    let components = vec![prior.gaussian_wishart()?; 2];
    let before = Posterior::new(prior.clone(), prior.dirichlet(2)?, components)?;
    let sets = 300;
    let (n, draws) = (60, 399);
    let mut held = [[[0.0; 3]; 2]; 2]; // [hard or easy][Gibbs or VB][quantity]
    let mut count = [0.0; 2];
    for set in 0..sets {
        // ANCHOR: coverage
        let mut rng = rng_stream(15, set);
        let truth = before.sample(&mut rng)?;
        let (x, _) = truth.sample(n, &mut rng);
        let vb = Vb::new(2).prior(prior.clone()).restarts(3).seed(set);
        let q = vb.fit(&x)?.posterior;
        let credible = q.credible(0.95, draws, &mut rng)?;
        let (drawn, _) = chain(&x, &prior, &q, draws, &mut rng)?;
        // ANCHOR_END: coverage
        let r = q.responsibilities(&x)?;
        let torn = r.row_iter().filter(|row| row.max() < 0.95).count();
        let easy = usize::from(10 * torn <= n);
        count[easy] += 1.0;
        let k = usize::from(q.means()[1] < q.means()[0]);
        let (mean, weight) = (&credible.means, &credible.weights);
        let of_vb = [
            (mean.lower[k], mean.upper[k]),
            (mean.lower[1 - k], mean.upper[1 - k]),
            (weight.lower[k], weight.upper[k]),
        ];
        for (i, value) in quantities(&truth).into_iter().take(3).enumerate() {
            let values = column(&drawn, i);
            let of_gibbs = (quantile(&values, 0.025), quantile(&values, 0.975));
            for (who, (low, high)) in [of_gibbs, of_vb[i]].into_iter().enumerate() {
                if low < value && value < high {
                    held[easy][who][i] += 1.0;
                }
            }
        }
    }
    println!("\n# Coverage");
    let names = format!("{:>8}{:>8}{:>8}", "lower", "upper", "weight");
    println!(
        "data sets with              Gibbs                     variational Bayes"
    );
    println!("uncertain labels    sets  {names}  {names}");
    for (easy, what) in ["more than 10 %", "at most 10 %"].into_iter().enumerate() {
        let share = |who: usize, i: usize| 100.0 * held[easy][who][i] / count[easy];
        let three = |who| (0..3).map(move |i| format!("{:6.0} %", share(who, i)));
        let (gibbs, vb): (String, String) = (three(0).collect(), three(1).collect());
        println!("{what:18} {:5}  {gibbs}  {vb}", count[easy]);
    }
    Ok(())
}

fn main() -> Result<()> {
    eight_points()?;
    chains()?;
    side_by_side()?;
    giving_back()?;
    real_data()?;
    with_distance_and_with_data()?;
    coverage()
}
