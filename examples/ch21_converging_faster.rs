//! Chapter 21: what three models in a row say about all that follow, and how to go there
//! at once.

use mixtures::math::rng;
use mixtures::nalgebra::{DMatrix, DVector, dmatrix, dvector};
use mixtures::plot::{Chart, Colour, save_grid, save_row};
use mixtures::{
    Acceleration, Em, EmFit, GaussianMixture, Prior, Result, Start, Vb, data,
};

fn main() -> Result<()> {
    one_number()?;
    three_directions()?;
    two_means()?;
    wrong_coordinates()?;
    without_the_guard()?;
    let sets = sets()?;
    to_a_fixed_height(&sets)?;
    distances()?;
    where_it_stops(&sets[3])?;
    many_starts(&sets)
}

/// 400 points of two standard normals at −`mean` and `mean`.
fn sample_two_means(mean: f64) -> Result<Vec<f64>> {
    let means = dmatrix![-mean; mean];
    let truth =
        GaussianMixture::new(dvector![0.5, 0.5], means, vec![dmatrix![1.0]; 2])?;
    Ok(truth.sample(400, &mut rng(5)).0.as_slice().to_vec())
}

fn one_number() -> Result<()> {
    let x = sample_two_means(0.5)?;
    let update =
        |mu: f64| x.iter().map(|x| x * (mu * x).tanh()).sum::<f64>() / x.len() as f64;
    let peak = (0..20_000).fold(0.5, |mu, _| update(mu));
    // ANCHOR: aitken
    let summed = |mu_1: f64| {
        let mu_2 = update(mu_1);
        let mu_3 = update(mu_2);
        let r = mu_2 - mu_1; // the first step
        let v = (mu_3 - mu_2) - r; // by how much the second differs from it
        mu_1 - r * r / v
    };
    // ANCHOR_END: aitken
    println!("# One number");
    println!("updates   error, plain   error, summed every two updates");
    let (mut plain, mut jumping) = (1.5, 1.5);
    for updates in (0..=8).step_by(2) {
        println!("{updates:7}   {:12.1e}   {:12.1e}", plain - peak, jumping - peak);
        plain = update(update(plain));
        jumping = summed(jumping);
    }
    Ok(())
}

// ANCHOR: leap
/// From three models in a row: the step length, and where the leap leads.
fn leap(theta: [&DVector<f64>; 3]) -> (f64, DVector<f64>) {
    let r = theta[1] - theta[0];
    let v = (theta[2] - theta[1]) - &r;
    let s = (r.norm() / v.norm()).max(1.0);
    (s, theta[0] + &r * (2.0 * s) + &v * (s * s))
}
// ANCHOR_END: leap

/// How a leap and the update after it change the error, direction by direction.
fn three_directions() -> Result<()> {
    println!("\n# Three directions");
    println!("{:7} {:>6}   leaping: {:<30} plain:", "E-steps", "s", "");
    let lambda = dvector![0.98, 0.8, 0.2];
    let update = |error: &DVector<f64>| error.component_mul(&lambda);
    let show = |e: &DVector<f64>| {
        e.iter().map(|e| format!("{e:>11.1e}")).collect::<String>()
    };
    let (mut plain, mut error) =
        (DVector::from_element(3, 1.0), dvector![1.0, 1.0, 1.0]);
    for cycle in 0..8 {
        let second = update(&error);
        let (s, there) = leap([&error, &second, &update(&second)]);
        println!("{:7} {s:6.2}{}   {}", 3 * cycle, show(&error), show(&plain));
        error = update(&there);
        (0..3).for_each(|_| plain = update(&plain));
    }
    let factor = |s: f64| {
        move |lambda: f64| (lambda * (1.0 - s * (1.0 - lambda)).powi(2)).max(1e-9)
    };
    let mut chart = Chart::new("λ", "factor of the error in one cycle")
        .log_y()
        .y_range(1e-4..100.0)
        .x_range(0.0..1.0);
    for (i, s) in [1.0, 2.0, 5.0, 20.0].into_iter().enumerate() {
        chart = chart.curve(&format!("s = {s}"), factor(s), Colour::component(i));
    }
    chart.horizontal(1.0, "").save("ch21-factors")
}

fn two_means() -> Result<()> {
    let x = sample_two_means(0.1)?;
    // ANCHOR: two_means
    let update = |mu: &DVector<f64>| {
        let (mut counts, mut sums) = ([0.0; 2], [0.0; 2]);
        for &x in &x {
            // ln N(x | μ₁, 1) − ln N(x | μ₂, 1)
            let favour = 0.5 * ((x - mu[1]).powi(2) - (x - mu[0]).powi(2));
            let share = 1.0 / (1.0 + (-favour).exp());
            for (k, r) in [share, 1.0 - share].into_iter().enumerate() {
                counts[k] += r;
                sums[k] += r * x;
            }
        }
        dvector![sums[0] / counts[0], sums[1] / counts[1]]
    };
    // ANCHOR_END: two_means
    let constant = -0.5 * (8.0 * std::f64::consts::PI).ln();
    let height = |mu: &DVector<f64>| -> f64 {
        let bell = |x: f64, mu: f64| (-0.5 * (x - mu).powi(2)).exp();
        let each =
            x.iter().map(|&x| constant + (bell(x, mu[0]) + bell(x, mu[1])).ln());
        each.sum()
    };
    let start = dvector![-1.0, 0.0];
    let mut plain = vec![start.clone()];
    for t in 0..2000 {
        plain.push(update(&plain[t]));
    }
    let peak = plain[2000].clone();
    let top = height(&peak);
    println!("\n# Two means");
    let rate = (&plain[60] - &peak).norm() / (&plain[59] - &peak).norm();
    println!("factor of the plain error = {rate:.2}");
    println!("E-steps   gap, plain      s   gap, leaping");
    let mut theta = start;
    let (mut updates, mut leaps) = (Vec::new(), Vec::new());
    for cycle in 0..7 {
        let second = update(&theta);
        let third = update(&second);
        let (s, there) = leap([&theta, &second, &third]);
        let gaps = (top - height(&plain[3 * cycle]), top - height(&theta));
        println!("{:7}   {:10.1e} {s:6.2} {:14.1e}", 3 * cycle, gaps.0, gaps.1);
        leaps.push([theta.clone(), there.clone()]);
        updates.push(vec![theta, second, third]);
        theta = update(&there);
        updates.push(vec![there, theta.clone()]);
    }
    let pair = |mu: &DVector<f64>| (mu[0], mu[1]);
    let levels = [0.02, 0.1, 0.3, 0.7, 1.3, 2.2, 3.5].map(|below| top - below);
    let chart = |heading: &str| {
        Chart::new("μ_1", "μ_2")
            .heading(heading)
            .x_range(-0.38..-0.08)
            .y_range(0.22..0.46)
            .contours(move |a, b| height(&dvector![a, b]), &levels, Colour::Grey)
            .with_thin_line()
            .cross(&dmatrix![peak[0], peak[1]], Colour::Ink)
    };
    let path = |models: &[DVector<f64>]| models.iter().map(pair).collect::<Vec<_>>();
    let crept = path(&plain[..22]);
    let blue = Colour::component(0);
    let first = chart("plain").line("", &crept, blue).dots("update", &crept, blue);
    let mut second = chart("with leaps");
    for models in &updates {
        second = second.line("", path(models), blue);
    }
    for (i, models) in leaps.iter().enumerate() {
        let label = if i == 0 { "leap" } else { "" };
        second = second.dashed(label, path(models), Colour::component(1));
    }
    let ends: Vec<_> = updates.iter().flat_map(|models| path(&models[1..])).collect();
    save_row("ch21-two-means", &[first, second.dots("update", ends, blue)])
}

// ANCHOR: numbers
/// The mixture as a vector: weights, means and each covariance's lower triangle;
/// or log weights, means, and of the triangle's root, logarithms on the diagonal.
fn numbers(m: &GaussianMixture, logs: bool) -> DVector<f64> {
    let weight = |w: &f64| if logs { w.ln() } else { *w };
    let mut all: Vec<f64> = m.weights().iter().map(weight).collect();
    all.extend(m.means().iter());
    for component in m.components() {
        let sigma = component.covariance();
        let l = component.factor().l();
        for i in 0..sigma.nrows() {
            let entry = |j| if logs { l[(i, j)] } else { sigma[(i, j)] };
            all.extend((0..i).map(entry));
            all.push(if logs { l[(i, i)].ln() } else { sigma[(i, i)] });
        }
    }
    DVector::from_vec(all)
}
// ANCHOR_END: numbers

/// The mixture of K components in D dimensions with these numbers, if there is one.
fn mixture(
    numbers: &DVector<f64>,
    (k, d): (usize, usize),
    logs: bool,
) -> Result<GaussianMixture> {
    let mut weights = numbers.rows(0, k).into_owned();
    if logs {
        weights = weights.map(|w| (w - numbers.rows(0, k).max()).exp());
        weights /= weights.sum();
    }
    let means = DMatrix::from_column_slice(k, d, numbers.rows(k, k * d).as_slice());
    let mut rest = numbers.iter().skip(k + k * d);
    let mut triangle = || {
        let mut l = DMatrix::zeros(d, d);
        for i in 0..d {
            for j in 0..=i {
                l[(i, j)] = *rest.next().expect("D(D + 1)/2 numbers a component");
            }
        }
        l
    };
    let covariance = |mut l: DMatrix<f64>| {
        if logs {
            (0..d).for_each(|i| l[(i, i)] = l[(i, i)].exp());
            return &l * l.transpose();
        }
        l.fill_upper_triangle_with_lower_triangle();
        l
    };
    let covariances = (0..k).map(|_| covariance(triangle())).collect();
    GaussianMixture::new(weights, means, covariances)
}

/// One update of EM, and the log likelihood before it.
fn em(m: &GaussianMixture, x: &DMatrix<f64>) -> Result<(GaussianMixture, f64)> {
    let once = Em::new(m.weights().len()).start(Start::Given(m.clone()));
    let fit = once.max_iterations(1).tolerance(0.0).fit(x)?;
    Ok((fit.mixture, fit.trace[0]))
}

/// What became of the leaps of some runs.
#[derive(Default)]
struct Tally {
    tried: usize,
    no_mixture: usize,
    refused: usize,
    /// The log likelihood at each E-step of the last run; a refused leap repeats one.
    trace: Vec<f64>,
}

impl Tally {
    /// Runs from `start` until an update gains less than a billionth a point.
    fn run(
        &mut self,
        x: &DMatrix<f64>,
        start: GaussianMixture,
        (logs, guarded): (bool, bool),
    ) -> Result<()> {
        let shape = start.means().shape();
        let mut m = start;
        self.trace.clear();
        for _ in 0..500 {
            let (first, before) = em(&m, x)?;
            let (second, between) = em(&first, x)?;
            self.trace.extend([before, between]);
            if between - before < 1e-9 * x.nrows() as f64 {
                break;
            }
            let models = [&m, &first, &second].map(|m| numbers(m, logs));
            let (s, there) = leap([&models[0], &models[1], &models[2]]);
            m = second;
            if s == 1.0 {
                continue;
            }
            self.tried += 1;
            let Ok(there) = mixture(&there, shape, logs) else {
                self.no_mixture += 1;
                continue;
            };
            // An update that collapses is refused as well.
            let (next, height) = em(&there, x).unwrap_or((there, f64::NEG_INFINITY));
            if guarded && height < between {
                self.refused += 1;
                self.trace.push(between);
            } else {
                self.trace.push(height);
                m = next;
            }
        }
        Ok(())
    }
}

/// Each column with mean 0 and standard deviation 1.
fn standardised(mut x: DMatrix<f64>) -> DMatrix<f64> {
    for mut column in x.column_iter_mut() {
        let (mean, sd) = (column.mean(), column.variance().sqrt());
        column.apply(|x| *x = (*x - mean) / sd);
    }
    x
}

fn wrong_coordinates() -> Result<()> {
    println!("\n# Wrong coordinates");
    println!("                      coordinates   leaps   no mixture   refused");
    for (name, x, k) in [
        ("Old Faithful, K = 4", data::faithful(), 4),
        ("galaxies, K = 5", data::galaxies(), 5),
        ("iris, K = 3", data::iris(), 3),
    ] {
        let x = standardised(x);
        let mut tallies = [Tally::default(), Tally::default()];
        for seed in 1..=10 {
            let em = Em::new(k).seed(seed).max_iterations(1).tolerance(0.0);
            let start = em.fit(&x)?.mixture;
            tallies[0].run(&x, start.clone(), (false, true))?;
            tallies[1].run(&x, start, (true, true))?;
        }
        for (what, name, tally) in
            [("pi, Sigma", name, &tallies[0]), ("logarithms", "", &tallies[1])]
        {
            let Tally { tried, no_mixture, refused, .. } = tally;
            println!("{name:21} {what:11} {tried:7} {no_mixture:12} {refused:9}");
        }
    }
    Ok(())
}

/// The start of chapter 4.
fn notebook_start() -> Result<GaussianMixture> {
    let sigma = dmatrix![1.0, 0.5; 0.5, 1.0];
    let means = dmatrix![0.0, 0.0; 1.0, 1.0; 2.0, 2.0];
    GaussianMixture::new(dvector![0.4, 0.3, 0.3], means, vec![sigma; 3])
}

fn without_the_guard() -> Result<()> {
    let x = data::notebook();
    let em = Em::new(3).seed(4).tolerance(0.0);
    let start = em.clone().max_iterations(1).fit(&x)?.mixture;
    let plain = em.max_iterations(20).start(Start::Given(start.clone())).fit(&x)?;
    let [mut bold, mut guarded] = [Tally::default(), Tally::default()];
    bold.run(&x, start.clone(), (true, false))?;
    guarded.run(&x, start, (true, true))?;
    println!("\n# Without the guard");
    println!("E-step      plain   without the guard   with it");
    for t in 0..14 {
        let [plain, bold, guarded] =
            [&plain.trace, &bold.trace, &guarded.trace].map(|trace| trace[t]);
        println!("{t:6} {plain:10.1} {bold:19.1} {guarded:9.1}");
    }
    let series = |trace: &[f64]| {
        let numbered = trace.iter().enumerate().take(17);
        numbered.map(|(t, l)| (t as f64, *l)).collect::<Vec<_>>()
    };
    let (ink, blue) = (Colour::Ink, Colour::component(0));
    Chart::new("E-steps", "log likelihood")
        .line("without the guard", series(&bold.trace), Colour::component(1))
        .dots("", series(&bold.trace), Colour::component(1))
        .line("with it", series(&guarded.trace), blue)
        .dots("", series(&guarded.trace), blue)
        .dashed("plain", series(&plain.trace), ink)
        .whole_x()
        .save("ch21-guard")
}

/// Data, and a fit of them.
pub struct Set {
    pub name: &'static str,
    pub x: DMatrix<f64>,
    pub em: Em,
    pub components: usize,
}

/// 1000 points of two round components so many standard deviations apart.
fn sample_pair(apart: f64) -> Result<DMatrix<f64>> {
    let means = dmatrix![0.0, 0.0; apart, 0.0];
    let covariances = vec![DMatrix::identity(2, 2); 2];
    let pair = GaussianMixture::new(dvector![0.5, 0.5], means, covariances)?;
    Ok(pair.sample(1000, &mut rng(21)).0)
}

pub fn sets() -> Result<Vec<Set>> {
    let set = |name, x, k| Set { name, x, em: Em::new(k).seed(1), components: k };
    let mut notebook = set("notebook, K = 3", data::notebook(), 3);
    notebook.em = Em::new(3).start(Start::Given(notebook_start()?));
    Ok(vec![
        notebook,
        set("Old Faithful, K = 3", data::faithful(), 3),
        set("galaxies, K = 4", data::galaxies(), 4),
        set("overlapping pair", sample_pair(1.5)?, 2),
    ])
}

/// The shares of the information that is missing, largest first: the eigenvalues of the
/// slope of an update at its resting point.
fn missing(end: &GaussianMixture, x: &DMatrix<f64>) -> Result<Vec<f64>> {
    // ANCHOR: slope
    let at = numbers(end, true);
    let shape = end.means().shape();
    let mut slope = DMatrix::zeros(at.len(), at.len());
    for i in 0..at.len() {
        let near = |h: f64| -> Result<DVector<f64>> {
            let mut near = at.clone();
            near[i] += h;
            Ok(numbers(&em(&mixture(&near, shape, true)?, x)?.0, true))
        };
        slope.set_column(i, &((near(1e-4)? - near(-1e-4)?) / 2e-4));
    }
    let mut shares: Vec<f64> =
        slope.complex_eigenvalues().iter().map(|l| l.re).collect();
    // ANCHOR_END: slope
    shares.sort_by(|a, b| b.total_cmp(a));
    Ok(shares)
}

/// Plain and with leaps, each until nothing is gained any more.
pub fn both(em: &Em, x: &DMatrix<f64>) -> Result<[EmFit; 2]> {
    let em = em.clone().tolerance(1e-14).max_iterations(20_000);
    // ANCHOR: both
    let plain = em.clone().fit(x)?;
    let leaping = em.acceleration(Acceleration::Squarem).fit(x)?;
    // ANCHOR_END: both
    Ok([plain, leaping])
}

/// At which E-step the objective is first within `gap` of the end.
pub fn needed(trace: &[f64], end: f64, gap: f64) -> usize {
    trace.iter().position(|l| *l >= end - gap).unwrap_or(trace.len())
}

/// The factor of the error, from the gaps between 10⁻⁹ and 10⁻¹⁰ a point.
fn factor(trace: &[f64], end: f64, n: f64) -> f64 {
    let [from, to] = [1e-9, 1e-10].map(|gap| needed(trace, end, gap * n));
    let ratio = (end - trace[to]) / (end - trace[from]);
    ratio.powf(0.5 / (to - from) as f64)
}

fn two_digits(value: f64) -> f64 {
    let unit = 10_f64.powf((value.log10() - 1.0).floor().max(0.0));
    (value / unit).round() * unit
}

fn to_a_fixed_height(sets: &[Set]) -> Result<()> {
    println!("\n# What is missing");
    let mut fits = Vec::new();
    for set in sets {
        let [plain, leaping] = both(&set.em, &set.x)?;
        let shares = missing(&plain.mixture, &set.x)?;
        let shown: String =
            shares.iter().take(5).map(|l| format!("{l:8.3}")).collect();
        println!("{:20}{shown}", set.name);
        let leaps = leaping.extrapolations;
        fits.push((set, plain.trace, leaping.trace, leaps, shares[0]));
    }
    println!("\n# To a fixed height");
    println!(
        "                         updates from 1e-6 to 1e-9     E-steps to 1e-9"
    );
    println!(
        "                      lambda   predicted   counted      plain   leaping"
    );
    let mut charts = Vec::new();
    let line = |name: &str, lambda: f64, counted: usize, steps: [usize; 2]| {
        let predicted = two_digits(3.0 * 10_f64.ln() / (-2.0 * lambda.ln()));
        let [plain, leaping] = steps;
        println!(
            "{name:20} {lambda:7.4} {predicted:11} {counted:9} {plain:10} {leaping:9}"
        );
    };
    for (set, plain, leaping, _, lambda) in &fits {
        let (n, end) = (set.x.nrows() as f64, plain[plain.len() - 1]);
        let steps = [plain, leaping].map(|trace| needed(trace, end, 1e-9 * n));
        line(set.name, *lambda, steps[0] - needed(plain, end, 1e-6 * n), steps);
        let gaps = |trace: &[f64]| {
            let gaps = trace.iter().map(|l| (end - l) / n).enumerate();
            let seen = gaps.take_while(|(_, gap)| *gap > 5e-9);
            seen.map(|(t, gap)| (t as f64, gap)).collect::<Vec<_>>()
        };
        let label = |label| if charts.is_empty() { label } else { "" };
        charts.push(
            Chart::new("E-steps", "gap a point")
                .heading(set.name)
                .log_y()
                .y_range(1e-8..10.0)
                .line(label("plain"), gaps(plain), Colour::Ink)
                .line(label("leaping"), gaps(leaping), Colour::component(1)),
        );
    }
    save_grid("ch21-gaps", 2, &charts)?;
    let x = &sets[1].x;
    // ANCHOR: vb
    let prior = Prior { alpha0: 1.0, beta0: 0.01, ..Prior::from_data(x)? };
    let vb = Vb::new(3).prior(prior).seed(1).tolerance(1e-14).max_iterations(20_000);
    let plain = vb.clone().fit(x)?;
    let leaping = vb.acceleration(Acceleration::Squarem).fit(x)?;
    // ANCHOR_END: vb
    let (n, end) = (x.nrows() as f64, plain.elbo());
    let lambda = factor(&plain.trace, end, n);
    let begun = needed(&plain.trace, end, 1e-6 * n);
    let steps =
        [plain.trace, leaping.trace].map(|trace| needed(&trace, end, 1e-9 * n));
    line("Old Faithful, by VB", lambda, steps[0] - begun, steps);
    println!("\n# Leaps");
    println!("                     tried   taken   longest   1/(1 - lambda)");
    for (set, plain, leaping, leaps, lambda) in &fits {
        let (n, end) = (set.x.nrows() as f64, plain[plain.len() - 1]);
        let there = needed(leaping, end, 1e-9 * n);
        let leaps = || leaps.iter().take_while(|leap| leap.iteration <= there);
        let taken = || leaps().filter(|leap| leap.accepted);
        println!(
            "{:20} {:5} {:7} {:9.1} {:16.1}",
            set.name,
            leaps().count(),
            taken().count(),
            taken().map(|leap| leap.step).fold(1.0, f64::max),
            1.0 / (1.0 - lambda)
        );
    }
    Ok(())
}

fn distances() -> Result<()> {
    println!("\n# Distances");
    println!("apart   1/(1 - lambda)   plain   leaping");
    let (mut plainly, mut leaping) = (Vec::new(), Vec::new());
    for apart in [1.4, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0] {
        let x = sample_pair(apart)?;
        let [plain, fast] = both(&Em::new(2).seed(1), &x)?;
        let end = plain.log_likelihood();
        let inverse = 1.0 / (1.0 - missing(&plain.mixture, &x)?[0]);
        let [slow, quick] =
            [plain.trace, fast.trace].map(|trace| needed(&trace, end, 1e-6));
        println!("{apart:5.2} {inverse:16.1} {slow:7} {quick:9}");
        plainly.push((inverse, slow as f64));
        leaping.push((inverse, quick as f64));
    }
    let scale = plainly[3].1 / plainly[3].0;
    Chart::new("1/(1 − λ)", "E-steps")
        .log_x()
        .log_y()
        .curve("", move |inverse| scale * inverse, Colour::Grey)
        .with_dashes()
        .dots("plain", plainly, Colour::Ink)
        .line("leaping", leaping.clone(), Colour::component(1))
        .dots("", leaping, Colour::component(1))
        .save("ch21-distances")
}

fn where_it_stops(pair: &Set) -> Result<()> {
    println!("\n# Where it stops");
    println!("tolerance   plain   still to gain   leaping   still to gain");
    let [plain, _] = both(&pair.em, &pair.x)?;
    let end = plain.log_likelihood();
    for tolerance in [1e-6, 1e-8, 1e-10] {
        let em = pair.em.clone().tolerance(tolerance).max_iterations(20_000);
        let plain = em.clone().fit(&pair.x)?;
        let leaping = em.acceleration(Acceleration::Squarem).fit(&pair.x)?;
        println!(
            "{tolerance:9.0e} {:7} {:15.1e} {:9} {:15.1e}",
            plain.iterations,
            end - plain.log_likelihood(),
            leaping.iterations,
            end - leaping.log_likelihood()
        );
    }
    Ok(())
}

fn many_starts(sets: &[Set]) -> Result<()> {
    let mut all = [0; 3];
    println!("\n# Many starts");
    println!("                         E-steps of 20 starts        where they end");
    println!(
        "                    K      plain   leaping     the same   higher   lower"
    );
    for set in sets {
        let most = if set.components == 2 { 2 } else { set.components + 1 };
        for k in set.components..=most {
            let (mut steps, mut ends) = ([0; 2], [0; 3]);
            for seed in 1..=20 {
                // ANCHOR: starts
                let em = Em::new(k).seed(seed).tolerance(1e-9).max_iterations(5000);
                let plain = em.clone().fit(&set.x)?;
                let leaping = em.acceleration(Acceleration::Squarem).fit(&set.x)?;
                // ANCHOR_END: starts
                steps[0] += plain.iterations;
                steps[1] += leaping.iterations;
                let higher = leaping.log_likelihood() - plain.log_likelihood();
                let same = higher.abs() < 1e-4 * set.x.nrows() as f64;
                ends[if same { 0 } else { 1 + usize::from(higher < 0.0) }] += 1;
            }
            (0..3).for_each(|i| all[i] += ends[i]);
            let name = set.name.split(',').next().unwrap_or_default();
            println!(
                "{name:18} {k:2} {:10} {:9} {:12} {:8} {:7}",
                steps[0], steps[1], ends[0], ends[1], ends[2]
            );
        }
    }
    println!("starts in all = {}", all.iter().sum::<usize>());
    println!("that ended higher = {}", all[1]);
    println!("that ended lower = {}", all[2]);
    Ok(())
}
